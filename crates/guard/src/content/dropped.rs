//! Lists without some of their items.

use std::collections::{BTreeMap, BTreeSet};

use bowline_protocol::RawJson;
use serde_json::value::RawValue;

/// The object, its lists without these items, each told by the name of its list and its place; none where that cannot be.
pub(super) fn without(json: &RawJson, items: &BTreeSet<(String, usize)>) -> Option<RawJson> {
    let mut members: BTreeMap<String, Box<RawValue>> = json.parse().ok()?;
    let lists: BTreeSet<&String> = items.iter().map(|(list, _)| list).collect();
    for list in lists {
        let kept: Vec<&RawValue> = serde_json::from_str::<Vec<&RawValue>>(members.get(list)?.get()).ok()?;
        let kept = kept.into_iter().enumerate().filter(|(index, _)| !items.contains(&(list.clone(), *index)));
        let kept: Vec<&RawValue> = kept.map(|(_, item)| item).collect();
        let kept = serde_json::value::to_raw_value(&kept).ok()?;
        members.insert(list.clone(), kept);
    }
    RawJson::from_serialize(&members).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_stays_as_it_was() {
        let json: RawJson = r#"{"tools":[{"a":1.50},{"b":2},{"c":3}],"next":"x"}"#.parse().unwrap();
        let items = BTreeSet::from([("tools".to_owned(), 1)]);
        assert_eq!(without(&json, &items).unwrap().as_str(), r#"{"next":"x","tools":[{"a":1.50},{"c":3}]}"#);
        assert!(without(&json, &BTreeSet::from([("next".to_owned(), 0)])).is_none());
    }
}
