//! What makes two calls the same.

use std::hash::{DefaultHasher, Hash as _, Hasher};

use serde_json::Value;

/// A tool and its arguments, as one number: the order of members and the way numbers are written do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallKey(u64);

impl CallKey {
    /// The key of a call.
    ///
    /// ```
    /// use bowline_llm::CallKey;
    ///
    /// let [one, other] = [r#"{"a":1,"b":[2.0]}"#, r#"{"b":[2],"a":1}"#].map(|text| serde_json::from_str(text).unwrap());
    /// assert_eq!(CallKey::new("t", &one), CallKey::new("t", &other));
    /// assert_ne!(CallKey::new("t", &one), CallKey::new("u", &one));
    /// ```
    pub fn new(tool: &str, arguments: &Value) -> Self {
        let mut hasher = DefaultHasher::new();
        tool.hash(&mut hasher);
        write(arguments, &mut hasher);
        Self(hasher.finish())
    }

    /// The key of a call whose arguments are no JSON.
    pub fn of_text(tool: &str, arguments: &str) -> Self {
        Self(hash_of((tool, arguments)))
    }
}

pub(super) fn hash_of(what: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn write(value: &Value, to: &mut impl Hasher) {
    match value {
        Value::Null => 0_u8.hash(to),
        Value::Bool(truth) => (1_u8, truth).hash(to),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => (2_u8, whole).hash(to),
            // 2.0 is 2, as long as every whole number of that size can be told from the next.
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => (2_u8, float as i64).hash(to),
            _ => (3_u8, number.to_string()).hash(to),
        },
        Value::String(text) => (4_u8, text).hash(to),
        Value::Array(items) => {
            (5_u8, items.len()).hash(to);
            items.iter().for_each(|item| write(item, to));
        }
        Value::Object(members) => {
            (6_u8, members.len()).hash(to);
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in members {
                name.hash(to);
                write(value, to);
            }
        }
    }
}
