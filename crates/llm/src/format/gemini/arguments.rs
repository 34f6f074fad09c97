//! The arguments of a call that come one by one, each with its path, as Vertex AI streams them where it is asked to
//! (`streamFunctionCallArguments`).

use std::borrow::Cow;

use serde_json::{Value, json};

use super::super::text;

/// How deep an argument may be, and how long its path, in bytes.
const DEPTH: usize = 100;
const PATH: usize = 4096;
/// What a member weighs at most beside its name and its value, and an item of a list beside its value.
const MEMBER: usize = 640;
const ITEM: usize = 320;

/// The arguments as far as they came.
#[derive(Debug)]
pub(super) struct Streamed {
    arguments: Value,
    /// The first piece that fits nowhere, or that says nothing.
    odd: Option<Value>,
}

/// A step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step<'p> {
    Member(Cow<'p, str>),
    Item(usize),
}

impl Streamed {
    pub(super) fn new() -> Self {
        Self { arguments: json!({}), odd: None }
    }

    /// Takes arguments that came as they are. Says how much is held for them at most, in bytes.
    pub(super) fn set(&mut self, arguments: Option<&Value>) -> usize {
        let mut held = 0;
        if let (Some(known), Some(Value::Object(more))) = (self.arguments.as_object_mut(), arguments) {
            for (name, value) in more {
                // Some tell all of them each time.
                if known.get(name) != Some(value) {
                    held += MEMBER + name.len() + weight(value);
                    known.insert(name.clone(), value.clone());
                }
            }
        }
        held
    }

    /// Takes a piece. Says how much more is held for it at most, in bytes.
    pub(super) fn add(&mut self, piece: &Value) -> usize {
        let mut held = 0;
        let place = steps(text(piece, "jsonPath")).and_then(|steps| place(&mut self.arguments, steps, &mut held));
        match place.and_then(|place| put(place, piece)) {
            Some(more) => held += more,
            None if self.odd.is_none() => {
                held += weight(piece);
                self.odd = Some(piece.clone());
            }
            None => {}
        }
        held
    }

    /// The text of the arguments; that of the piece which cannot be understood where there is one, and then it is no
    /// object, so that the call is not made. `is_whole` is whether nothing is missing.
    pub(super) fn text(self, is_whole: bool) -> String {
        let mut text = match self.odd {
            Some(piece) => json!([piece]).to_string(),
            None => self.arguments.to_string(),
        };
        if !is_whole {
            text.pop();
        }
        text
    }
}

/// How much a value weighs at most, in bytes.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| ITEM + weight(item)).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| MEMBER + name.len() + weight(value)).sum(),
        _ => 0,
    }
}

/// Puts the value of a piece in its place: behind what came of a text, else in place of nothing. Says how much it
/// weighs.
fn put(place: &mut Value, piece: &Value) -> Option<usize> {
    let (kind, value) = piece.as_object()?.iter().find(|(key, _)| key.ends_with("Value"))?;
    match (&mut *place, value) {
        (Value::String(known), Value::String(more)) if kind == "stringValue" => {
            known.push_str(more);
            Some(more.len())
        }
        // It is written as the name of an enumeration.
        (Value::Null, _) if kind == "nullValue" => Some(0),
        (Value::Null, value) => {
            *place = value.clone();
            Some(weight(value))
        }
        (known, value) if *known == *value => Some(0),
        _ => None,
    }
}

/// The place that a path leads to, made where it is not there yet, and then counted in `held`. Items of lists come in
/// order.
fn place<'v>(mut at: &'v mut Value, steps: Vec<Step<'_>>, held: &mut usize) -> Option<&'v mut Value> {
    for step in steps {
        at = match step {
            Step::Member(name) => {
                if at.is_null() {
                    *at = json!({});
                }
                let members = at.as_object_mut()?;
                if !members.contains_key(&*name) {
                    *held += MEMBER + name.len();
                }
                members.entry(name).or_insert(Value::Null)
            }
            Step::Item(n) => {
                if at.is_null() {
                    *at = json!([]);
                }
                let items = at.as_array_mut()?;
                if n == items.len() {
                    items.push(Value::Null);
                    *held += ITEM;
                }
                items.get_mut(n)?
            }
        };
    }
    Some(at)
}

/// The steps of a path of RFC 9535 to one place: `$.a['b'][0]`.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$').filter(|_| path.len() <= PATH)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == DEPTH {
            return None;
        }
        let step;
        (step, rest) = match rest.strip_prefix('.') {
            Some(name) => member(name)?,
            None => bracket(rest.strip_prefix('[')?)?,
        };
        steps.push(step);
    }
    // The arguments as a whole are no argument.
    (!steps.is_empty()).then_some(steps)
}

/// A name, and what follows it.
fn member(rest: &str) -> Option<(Step<'_>, &str)> {
    let (name, rest) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
    (!name.is_empty()).then_some((Step::Member(name.into()), rest))
}

/// What stands in brackets, a number or a name in quotes, and what follows it.
fn bracket(rest: &str) -> Option<(Step<'_>, &str)> {
    let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"')) else {
        let (number, rest) = rest.split_once(']')?;
        return Some((Step::Item(number.parse().ok()?), rest));
    };
    let (mut json, mut chars) = ("\"".to_owned(), rest.char_indices().skip(1));
    while let Some((at, letter)) = chars.next() {
        match letter {
            '\\' => match chars.next()?.1 {
                '\'' => json.push('\''),
                other => json.extend(['\\', other]),
            },
            '"' if quote == '\'' => json.push_str("\\\""),
            _ if letter == quote => {
                json.push('"');
                let name: String = serde_json::from_str(&json).ok()?;
                let rest = rest.get(at + 1..)?.strip_prefix(']')?;
                return Some((Step::Member(name.into()), rest));
            }
            _ => json.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(pieces: &[Value]) -> Value {
        let mut streamed = Streamed::new();
        for piece in pieces {
            let _ = streamed.add(piece);
        }
        serde_json::from_str(&streamed.text(true)).unwrap()
    }

    #[test]
    fn a_path_leads_to_one_place() {
        let names = |path: &str| {
            let steps = steps(path)?;
            Some(steps.into_iter().map(|step| format!("{step:?}")).collect::<Vec<_>>().join(" "))
        };
        for (path, wanted) in [
            ("$.a", r#"Member("a")"#),
            ("$.a.b[0].c", r#"Member("a") Member("b") Item(0) Member("c")"#),
            ("$['a']", r#"Member("a")"#),
            (r#"$["a.b"][12]"#, r#"Member("a.b") Item(12)"#),
            (r"$['it\'s \\ \u00e4']", r#"Member("it's \\ ä")"#),
            (r#"$['"']['']"#, r#"Member("\"") Member("")"#),
            ("$.größe", r#"Member("größe")"#),
        ] {
            assert_eq!(names(path).as_deref(), Some(wanted), "{path}");
        }
        for odd in [
            "", "$", "a", "$a", "$.", "$..a", "$[", "$[]", "$[-1]", "$[a]", "$['a", "$['a'", "$[0", "$['\\q']", "$.a$[",
        ] {
            assert_eq!(names(odd), None, "{odd}");
        }
        assert_eq!(names(&format!("${}", ".a".repeat(101))), None);
        assert!(names(&format!("${}", ".a".repeat(100))).is_some());
    }

    #[test]
    fn pieces_become_one_object() {
        assert_eq!(
            joined(&[
                json!({"jsonPath": "$.at", "stringValue": "the ", "willContinue": true}),
                json!({"jsonPath": "$.depth", "numberValue": 4}),
                json!({"jsonPath": "$.at", "stringValue": "pier"}),
                json!({"jsonPath": "$.is_deep", "boolValue": false}),
                json!({"jsonPath": "$.name", "nullValue": "NULL_VALUE"}),
                json!({"jsonPath": "$.ships[0].name", "stringValue": "Ada"}),
                json!({"jsonPath": "$.ships[1].name", "stringValue": ""}),
                json!({"jsonPath": "$.ships[1].crew", "listValue": ["a"]}),
                json!({"jsonPath": "$.empty", "structValue": {}}),
            ]),
            json!({
                "at": "the pier", "depth": 4, "is_deep": false, "name": null,
                "ships": [{"name": "Ada"}, {"name": "", "crew": ["a"]}], "empty": {},
            })
        );
    }

    #[test]
    fn what_fits_nowhere_makes_no_call() {
        for odd in [
            json!({"jsonPath": "$.a[4000000000]", "stringValue": "x"}),
            json!({"jsonPath": "$.a[1]", "stringValue": "x"}),
            json!({"jsonPath": "$.at.b", "stringValue": "x"}),
            json!({"jsonPath": "$.at[0]", "stringValue": "x"}),
            json!({"jsonPath": "$.at", "numberValue": 1}),
            json!({"jsonPath": "$.b"}),
            json!({"stringValue": "x"}),
            json!(7),
        ] {
            let first = json!({"jsonPath": "$.at", "stringValue": "pier"});
            assert_eq!(joined(&[first, odd.clone()]), json!([odd]));
        }
        assert_eq!(Streamed::new().text(false), "{");
    }

    #[test]
    fn what_is_held_is_counted_and_nothing_else() {
        let held = |pieces: &[Value]| {
            let mut streamed = Streamed::new();
            pieces.iter().map(|piece| streamed.add(piece)).last().unwrap()
        };
        let said = |text: &str| json!({"jsonPath": "$.a['b'][0]", "stringValue": text});
        assert_eq!(held(&[said("the ")]), 2 * (MEMBER + 1) + ITEM + 4);
        assert_eq!(held(&[said("the "), said("pier")]), 4);
        let named = json!({"jsonPath": format!("$.{}", "n".repeat(4000)), "nullValue": null});
        assert_eq!(held(std::slice::from_ref(&named)), MEMBER + 4000);
        assert_eq!(held(&[named.clone(), named]), 0);
        let large = "x".repeat(9000);
        for value in [json!({"listValue": [large]}), json!({"structValue": {"a": large}}), json!({"odd": large})] {
            let mut piece = value;
            piece["jsonPath"] = json!("$.a");
            assert!(held(&[piece.clone()]) > 9000, "{}", piece["jsonPath"]);
            let after = held(&[piece.clone(), piece]);
            assert!(after <= MEMBER, "told once more: {after}");
        }
        let (mut streamed, whole) = (Streamed::new(), json!({"a": large}));
        assert!(streamed.set(Some(&whole)) > 9000);
        assert_eq!(streamed.set(Some(&whole)), 0);
    }

    proptest! {
        #[test]
        fn any_arguments_come_whole_in_pieces(
            members in prop::collection::btree_map("\\PC{0,6}", prop_oneof![
                "\\PC{0,9}".prop_map(Value::from), any::<i32>().prop_map(Value::from), any::<bool>().prop_map(Value::from),
            ], 0..6),
            size in 1_usize..4,
        ) {
            let mut pieces = Vec::new();
            for (name, value) in &members {
                let path = format!("$[{}]", Value::from(name.as_str()));
                match value {
                    Value::String(text) => {
                        let letters: Vec<char> = text.chars().collect();
                        pieces.push(json!({"jsonPath": path, "stringValue": ""}));
                        for piece in letters.chunks(size) {
                            let piece: String = piece.iter().collect();
                            pieces.push(json!({"jsonPath": path, "stringValue": piece, "willContinue": true}));
                        }
                    }
                    Value::Bool(is_so) => pieces.push(json!({"jsonPath": path, "boolValue": is_so})),
                    number => pieces.push(json!({"jsonPath": path, "numberValue": number})),
                }
            }
            prop_assert_eq!(joined(&pieces), json!(members));
        }
    }
}
