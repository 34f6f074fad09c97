//! One text for all JSON texts that say the same.

use std::fmt::Write as _;

use bowline_protocol::RawJson;
use serde_json::Value;

use crate::unique::names_repeat;

/// The value as text: members in the order of their names, no white space, numbers and strings written one way, as in
/// RFC 8785. None where it cannot be read as a tree: deeper than 128, with numbers that no computer has, or with a member
/// that stands twice, of which each reader takes another.
pub(crate) fn canonical(json: &RawJson) -> Option<String> {
    if names_repeat(json) {
        return None;
    }
    let value: Value = json.parse().ok()?;
    let mut text = String::with_capacity(json.as_str().len());
    write(&value, &mut text)?;
    Some(text)
}

/// Writes a value that serde_json has read, so its depth is bounded.
pub(crate) fn write(value: &Value, text: &mut String) -> Option<()> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_number(number, text)?,
        Value::String(string) => write_string(string, text)?,
        Value::Array(items) => {
            text.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Object(members) => {
            // The order of the map is that of the document where a feature of serde_json is on somewhere in the build.
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (n, (name, value)) in sorted.into_iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                write_string(name, text)?;
                text.push(':');
                write(value, text)?;
            }
            text.push('}');
        }
    }
    Some(())
}

/// A number as text. Whole ones have no fraction, however they were written: 1.0 and 1e0 are 1.
pub(crate) fn write_number(number: &serde_json::Number, text: &mut String) -> Option<()> {
    /// Up to here every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT => {
            // Minus zero is zero.
            write!(text, "{}", float + 0.0).ok()
        }
        _ => write!(text, "{number}").ok(),
    }
}

fn write_string(string: &str, text: &mut String) -> Option<()> {
    text.push_str(&serde_json::to_string(string).ok()?);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;

    fn of(json: &str) -> Option<String> {
        canonical(&json.parse().unwrap())
    }

    #[test]
    fn texts_that_say_the_same_are_one() {
        for same in [
            [r#"{"b":1,"a":[1.0,-0.0,"\u0041"]}"#, " { \"a\" : [ 1 , 0, \"A\" ],\n\"b\":1e0 }"],
            [r#"{"\ud83d\ude00":1,"\ufb33":2}"#, "{\"\u{fb33}\":2,\"\u{1f600}\":1}"],
        ] {
            assert_eq!(of(same[0]).unwrap(), of(same[1]).unwrap());
        }
        assert_eq!(of(r#"{"b":[true,null],"a":"\n\u001b"}"#).unwrap(), "{\"a\":\"\\n\\u001b\",\"b\":[true,null]}");
        assert_ne!(of("[1,2]"), of("[2,1]"));
        assert_ne!(of("18446744073709551615"), of("18446744073709551614"));
    }

    #[test]
    fn what_no_tree_can_hold_has_no_text() {
        let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
        assert_eq!(canonical(&RawJson::from(serde_json::value::RawValue::from_string(deep).unwrap())), None);
    }

    #[test]
    fn what_has_a_member_twice_has_no_text() {
        assert_eq!(of(r#"{"type":"object","properties":{"a":{"title":"x","title":"y"}}}"#), None);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e12..1e12).prop_map(|float: f64| json!(float)),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    /// The same value as text, with the members of each object from the last to the first, and white space.
    fn turned(value: &Value) -> String {
        match value {
            Value::Array(items) => format!("[ {} ]", items.iter().map(turned).collect::<Vec<_>>().join(" , ")),
            Value::Object(members) => {
                let members: Vec<_> =
                    members.iter().rev().map(|(name, value)| format!("{} : {}", json!(name), turned(value))).collect();
                format!("{{\n{}}}", members.join(",\t"))
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn the_order_of_members_and_white_space_are_nothing(value in value()) {
            prop_assert_eq!(of(&value.to_string()), of(&turned(&value)));
        }

        #[test]
        fn the_text_says_what_the_value_says(value in value()) {
            let text = of(&value.to_string()).unwrap();
            prop_assert_eq!(of(&text).unwrap(), text);
        }
    }
}
