//! Members of a document that come out otherwise than they should.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::answer::filled;

/// What stands in place of members; nothing where they are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Overwrites(BTreeMap<String, Option<Value>>);

impl Overwrites {
    /// Writes a member over, whatever it is. Null is written as null.
    pub(super) fn write(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), Some(value.into()));
    }

    /// Leaves a member out.
    pub(super) fn leave_out(&mut self, name: &str) {
        self.0.insert(name.to_owned(), None);
    }

    /// What is written in place of a member, if anything.
    pub(super) fn written(&self, name: &str) -> Option<&Value> {
        self.0.get(name)?.as_ref()
    }

    /// Changes a document; `fill` puts in what the placeholders of texts stand for.
    pub(super) fn apply(&self, members: &mut Map<String, Value>, fill: &impl Fn(&str) -> String) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => members.insert(name.clone(), filled(value.clone(), fill)),
                None => members.remove(name),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_written_over_or_left_out() {
        let mut overwrites = Overwrites::default();
        overwrites.write("a", json!(["{issuer}"]));
        overwrites.write("b", Value::Null);
        overwrites.leave_out("c");
        assert_eq!((overwrites.written("b"), overwrites.written("c")), (Some(&Value::Null), None));
        let mut members = Map::from_iter([("a".to_owned(), json!(1)), ("c".to_owned(), json!(2))]);
        overwrites.apply(&mut members, &|text| text.replace("{issuer}", "https://i"));
        assert_eq!(Value::Object(members), json!({ "a": ["https://i"], "b": null }));
    }
}
