//! Lists without some of their items.

use std::collections::BTreeSet;
use std::fmt;

use bowline_protocol::RawJson;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The object, its lists without these items, each told by the name of its list and its place; none where that cannot be.
pub(super) fn without(json: &RawJson, items: &BTreeSet<(String, usize)>) -> Option<RawJson> {
    let Members(members) = serde_json::from_str(json.as_str()).ok()?;
    let mut missing: BTreeSet<&String> = items.iter().map(|(list, _)| list).collect();
    let lists = missing.clone();
    let mut text = String::with_capacity(json.as_str().len());
    for (name, value) in members {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(name.get());
        text.push(':');
        // A name that is no text names no list.
        match serde_json::from_str::<String>(name.get()).ok().filter(|name| lists.contains(name)) {
            Some(list) => {
                missing.remove(&list);
                text.push_str(kept(value, list, items)?.get());
            }
            None => text.push_str(value.get()),
        }
    }
    text.push('}');
    text.parse().ok().filter(|_| missing.is_empty())
}

/// The list without its items that are among these.
fn kept(value: &RawValue, list: String, items: &BTreeSet<(String, usize)>) -> Option<Box<RawValue>> {
    let kept: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    let mut place = (list, 0);
    let kept = kept.into_iter().filter(|_| {
        let keep = !items.contains(&place);
        place.1 += 1;
        keep
    });
    serde_json::value::to_raw_value(&kept.collect::<Vec<_>>()).ok()
}

/// The members of an object, in their order, with names and values as they are written: of half a character another
/// reader makes something else.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_second_tool(json: &str) -> Option<String> {
        let items = BTreeSet::from([("tools".to_owned(), 1)]);
        without(&json.parse().unwrap(), &items).map(|json| json.as_str().to_owned())
    }

    #[test]
    fn what_is_left_stays_as_it_was() {
        for (json, left) in [
            (r#"{"tools":[{"a":1.50},{"b":2},{"c":3}],"next":"x"}"#, r#"{"tools":[{"a":1.50},{"c":3}],"next":"x"}"#),
            (r#"{ "\u0074ools" : [1, 2] }"#, r#"{"\u0074ools":[1]}"#),
            // Readers take the one or the other.
            (r#"{"tools":[1,2],"tools":[3,4]}"#, r#"{"tools":[1],"tools":[3]}"#),
        ] {
            assert_eq!(without_second_tool(json).as_deref(), Some(left), "{json}");
        }
        for no_list in [r#"{"tools":"x"}"#, r#"{"next":[1,2]}"#, "{}", "[]", "7"] {
            assert_eq!(without_second_tool(no_list), None, "{no_list}");
        }
    }

    #[test]
    fn half_a_character_stays_wherever_it_stands() {
        let json = r#"{"\ud83d":1,"tools":[{"name":"a\ud83d"},2],"nextCursor":"\udc19"}"#;
        let left = r#"{"\ud83d":1,"tools":[{"name":"a\ud83d"}],"nextCursor":"\udc19"}"#;
        assert_eq!(without_second_tool(json).as_deref(), Some(left));
    }
}
