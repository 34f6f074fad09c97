//! JSON as text, laid out without a change to any value.

use std::borrow::Cow;

use crate::sanitize;

/// One valid JSON value, ready to be printed: indented and harmless on a terminal, as it came elsewhere.
pub(crate) fn for_stdout(valid: &str, terminal: bool) -> Cow<'_, str> {
    if terminal { Cow::Owned(sanitize::json(&indent(valid)).into_owned()) } else { Cow::Borrowed(valid) }
}

/// How many levels get lines of their own. Each line is indented by its depth, so without a bound what is written grows
/// with the square of the depth: half a megabyte of nested objects became twenty gigabytes.
const DEEPEST_LINE: usize = 100;

/// Lays out one valid JSON value over lines. Numbers and strings keep their spelling. What is deeper than
/// [`DEEPEST_LINE`] stays on the line of what it is in.
pub(crate) fn indent(valid: &str) -> String {
    let mut out = String::with_capacity(valid.len() * 2);
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut chars = valid.chars().peekable();
    let new_line = |out: &mut String, depth: usize| {
        if depth > DEEPEST_LINE {
            return;
        }
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                // A value ends on a line of its own exactly where its members have theirs.
                if depth <= DEEPEST_LINE {
                    new_line(&mut out, depth.saturating_sub(1));
                }
                depth = depth.saturating_sub(1);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_changes_no_value() {
        let raw = r#"{"a":[1.50,12345678901234567890123,{}],"s":"x\"{,\\","e":[ ],"n":null}"#;
        let laid_out = indent(raw);
        assert_eq!(
            laid_out,
            "{\n  \"a\": [\n    1.50,\n    12345678901234567890123,\n    {}\n  ],\n  \"s\": \"x\\\"{,\\\\\",\n  \"e\": [],\n  \"n\": null\n}"
        );
        let again: serde_json::Value = serde_json::from_str(&laid_out).unwrap();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(raw).unwrap());
    }

    #[test]
    fn depth_costs_no_more_than_its_bound() {
        let levels = 2_000;
        let raw = format!(r#"{}[1,{{"b":2}}]{}"#, r#"[{"a":"#.repeat(levels), "}]".repeat(levels));
        let laid_out = indent(&raw);
        assert!(
            laid_out.len() < raw.len() * 2 + 4 * DEEPEST_LINE * DEEPEST_LINE,
            "{} of {}",
            laid_out.len(),
            raw.len()
        );
        let without_layout: String = laid_out.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        assert_eq!(without_layout, raw);
        assert_eq!(laid_out.lines().count(), 2 * DEEPEST_LINE + 1);
    }

    #[test]
    fn only_a_terminal_gets_another_spelling() {
        let raw = "{\"a\":\"\u{202e}\"}";
        assert_eq!(for_stdout(raw, false), raw);
        assert_eq!(for_stdout(raw, true), "{\n  \"a\": \"\\u202e\"\n}");
    }
}
