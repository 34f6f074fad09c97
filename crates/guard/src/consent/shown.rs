//! Arguments as a person sees them: all members, each with a bound of its own, so that no long one hides what stands behind
//! it.

use std::fmt;

use bowline_protocol::{RawJson, excerpt};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ends::ends;
use crate::strings::{decoded, rewrite};

/// How much is shown at most, in bytes, before what nobody sees is escaped.
const MAX_SHOWN: usize = 4096;
/// How long a text may be that is shown whole, in bytes: the first of these with which all of it fits.
const BOUNDS: [usize; 5] = [usize::MAX, 1_024, 256, 96, 32];
/// How deep members have a bound of their own.
const MAX_DEPTH: usize = 16;

/// JSON text for a person, harmless and bounded. Strings are as they are read, whatever escapes they were written with.
pub(crate) fn shown_arguments(json: &str) -> String {
    let shown = match json.parse::<RawJson>() {
        Ok(json) => {
            // Halves of surrogates are in no string that can be read.
            let mended = rewrite(&json, |_, literal| match decoded(literal) {
                (text, true) => Some(text.into_owned()),
                _ => None,
            });
            let tree = Tree::of(mended.as_ref().unwrap_or(&json).as_str(), 0);
            let whole = BOUNDS.into_iter().find_map(|bound| tree.text(bound, MAX_SHOWN));
            whole.unwrap_or_else(|| tree.the_short_ones())
        }
        Err(_) => ends(json, MAX_SHOWN),
    };
    excerpt(&shown, shown.len())
}

/// A JSON text, with the members of objects in their order, also where one stands twice.
enum Tree<'t> {
    /// A string, as it is read.
    Text(String),
    /// Anything else that has no parts, or is too deep to be taken apart.
    Leaf(&'t str),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// The members of an object.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = members.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

impl<'t> Tree<'t> {
    fn of(json: &'t str, depth: usize) -> Self {
        let json = json.trim();
        let tree = match json.as_bytes().first() {
            Some(b'"') => serde_json::from_str(json).ok().map(Self::Text),
            Some(b'[') if depth < MAX_DEPTH => serde_json::from_str::<Vec<&RawValue>>(json)
                .ok()
                .map(|items| Self::List(items.into_iter().map(|item| Self::of(item.get(), depth + 1)).collect())),
            Some(b'{') if depth < MAX_DEPTH => serde_json::from_str::<Members<'t>>(json).ok().map(|Members(all)| {
                Self::Object(all.into_iter().map(|(name, value)| (name, Self::of(value.get(), depth + 1))).collect())
            }),
            _ => None,
        };
        tree.unwrap_or(Self::Leaf(json))
    }

    /// It as text, with each of its texts cut to some `bound` bytes; none where that is more than `most` bytes.
    fn text(&self, bound: usize, most: usize) -> Option<String> {
        let mut text = String::new();
        self.write(bound, most, &mut text).then_some(text)
    }

    fn write(&self, bound: usize, most: usize, text: &mut String) -> bool {
        match self {
            Self::Text(string) => push_text(string, bound, text),
            Self::Leaf(json) => text.push_str(&ends(json, bound)),
            Self::List(items) => {
                text.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        text.push(',');
                    }
                    if !item.write(bound, most, text) {
                        return false;
                    }
                }
                text.push(']');
            }
            Self::Object(members) => {
                text.push('{');
                for (n, (name, value)) in members.iter().enumerate() {
                    if n > 0 {
                        text.push(',');
                    }
                    push_text(name, bound, text);
                    text.push(':');
                    if !value.write(bound, most, text) {
                        return false;
                    }
                }
                text.push('}');
            }
        }
        text.len() <= most
    }

    /// Its shorter parts, as many as there is room for, and how many there are besides.
    fn the_short_ones(&self) -> String {
        const BOUND: usize = 256;

        let part = |name: Option<&str>, value: &Self| {
            let mut text = String::new();
            if let Some(name) = name {
                push_text(name, BOUND, &mut text);
                text.push(':');
            }
            let shown = value.text(BOUND, BOUND * 2);
            let whole = || value.text(usize::MAX, usize::MAX).unwrap_or_default();
            text.push_str(&shown.unwrap_or_else(|| ends(&whole(), BOUND)));
            text
        };
        let (mut parts, ends): (Vec<String>, _) = match self {
            Self::Object(members) => {
                (members.iter().map(|(name, value)| part(Some(name.as_str()), value)).collect(), ["{", "}"])
            }
            Self::List(items) => (items.iter().map(|item| part(None, item)).collect(), ["[", "]"]),
            other => (vec![part(None, other)], ["", ""]),
        };
        parts.sort_by_key(String::len);
        let mut room = MAX_SHOWN;
        let shown = parts.iter().take_while(|part| {
            let left = room.checked_sub(part.len() + 1);
            room = left.unwrap_or(0);
            left.is_some()
        });
        let shown: Vec<&str> = shown.map(String::as_str).collect();
        let more = match parts.len() - shown.len() {
            0 => String::new(),
            1 => ", … (1 part more)".to_owned(),
            more => format!(", … ({more} parts more)"),
        };
        let [begin, end] = ends;
        format!("{begin}{}{more}{end}", shown.join(","))
    }
}

/// Adds a string with its quotes, cut where it is longer.
fn push_text(string: &str, bound: usize, text: &mut String) {
    // A string is always JSON.
    text.push_str(&serde_json::to_string(&ends(string, bound)).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn short_arguments_are_shown_whole_as_they_are_read() {
        for (json, shown) in [
            (r#" { "q" : "a", "n": 1.50 , "l":[ ] } "#, r#"{"q":"a","n":1.50,"l":[]}"#),
            (r#"{"\u0072m":"\u002fetc\u202e"}"#, r#"{"rm":"/etc\u{202e}"}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#),
            (r#"{"a\ud800":"b"}"#, "{\"a\u{fffd}\":\"b\"}"),
            ("null", "null"),
            ("{", "{"),
        ] {
            assert_eq!(shown_arguments(json), shown, "{json}");
        }
    }

    #[test]
    fn no_long_member_hides_another() {
        let long = "x".repeat(4 << 10);
        for arguments in [
            json!({"content": long, "path": "/home/me/.bashrc"}),
            json!({"options": {"a": [{"content": long, "path": "/home/me/.bashrc"}]}}),
            json!({"a": long, "b": long, "c": long, "d": long, "e": long, "f": {"path": "/home/me/.bashrc"}, "z": long}),
        ] {
            let shown = shown_arguments(&arguments.to_string());
            assert!(shown.contains(r#""path":"/home/me/.bashrc""#), "{shown}");
            assert!(shown.contains("bytes more)") && shown.len() < MAX_SHOWN + 200, "{shown}");
        }
        // Where it stands in the text makes no difference, nor a name that nobody can read.
        let written = format!(r#"{{"content":"{long}","\ud800":1,"path":"/home/me/.bashrc","more":"{long}"}}"#);
        assert!(shown_arguments(&written).contains(r#""path":"/home/me/.bashrc""#));
    }

    #[test]
    fn of_very_many_members_the_short_ones_are_shown_and_the_others_counted() {
        let mut many: serde_json::Map<String, Value> =
            (0..500).map(|n| (format!("p{n}"), Value::from("y".repeat(100)))).collect();
        many.insert("path".to_owned(), json!("/etc/passwd"));
        let shown = shown_arguments(&Value::from(many).to_string());
        assert!(shown.starts_with(r#"{"path":"/etc/passwd""#) && shown.ends_with("parts more)}"), "{shown}");
        assert!(shown.len() < MAX_SHOWN + 200);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_bounded_and_one_line(json in "\\PC{0,40}", many in 1usize..2_000) {
            let items = vec![json; many];
            for text in [json!(items).to_string(), items.concat()] {
                let shown = shown_arguments(&text);
                // Each byte of what nobody sees becomes some ten.
                prop_assert!(shown.len() <= MAX_SHOWN * 10);
                prop_assert_eq!(shown.find(char::is_control), None);
            }
        }
    }
}
