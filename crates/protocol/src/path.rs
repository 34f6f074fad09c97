//! Where in a JSON text something stands, for messages.

/// The path of the innermost value that holds a place in JSON text, such as `tools[3].name`; empty for the root.
///
/// `line` and `column` count from 1, as `serde_json::Error` gives them. The text need only be JSON up to there.
///
/// ```
/// let text = r#"{"tools":[{"name":"a"},{"name":7}]}"#;
/// let error = serde_json::from_str::<Tools>(text).unwrap_err();
/// assert_eq!(bowline_protocol::path_at(text, error.line(), error.column()), "tools[1].name");
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Tools { tools: Vec<Tool> }
/// #[derive(Debug, serde::Deserialize)]
/// struct Tool { name: String }
/// ```
pub fn path_at(text: &str, line: usize, column: usize) -> String {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let bytes = text.as_bytes();
    let end = (before + column).min(bytes.len());
    let mut stack: Vec<Step> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at).filter(|_| at < end) {
        match byte {
            b'{' => stack.push(Step::Key(None)),
            b'[' => stack.push(Step::Index(0)),
            // The place is often just behind the value that is wrong.
            b'}' | b']' if at + 1 < end => {
                stack.pop();
            }
            b',' => match stack.last_mut() {
                Some(Step::Index(n)) => *n += 1,
                Some(Step::Key(key)) => *key = None,
                None => {}
            },
            b'"' => {
                let close = string_end(bytes, at);
                if let Some(Step::Key(key @ None)) = stack.last_mut() {
                    *key = text.get(at + 1..close).map(str::to_owned);
                }
                at = close;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for step in stack {
        match step {
            Step::Key(Some(key)) if path.is_empty() => path.push_str(&key),
            Step::Key(Some(key)) => path.push_str(&format!(".{key}")),
            Step::Key(None) => {}
            Step::Index(n) => path.push_str(&format!("[{n}]")),
        }
    }
    crate::excerpt(&path, 200)
}

enum Step {
    Key(Option<String>),
    Index(usize),
}

/// The place of the quote that ends the string which begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::path_at;

    #[test]
    fn names_the_member_that_holds_the_place() {
        let text = "{\n  \"a\": {\"b\\\"{\": [1, {\"c\": 7}]},\n  \"d\": 1\n}";
        assert_eq!(path_at(text, 2, 25), "a.b\\\"{[1].c");
        assert_eq!(path_at(text, 3, 8), "d");
        assert_eq!(path_at("[1,2]", 1, 4), "[1]");
        assert_eq!(path_at("7", 1, 1), "");
        assert_eq!(path_at("", 9, 9), "");
    }
}
