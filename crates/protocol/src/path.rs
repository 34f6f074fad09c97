//! Where in a JSON text something stands, for messages.

/// How deep values are followed; what is nested deeper is counted and not named.
const MAX_DEPTH: usize = 256;

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
    let mut stack: Vec<Step<'_>> = Vec::new();
    let mut deeper = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at).filter(|_| at < end) {
        match byte {
            b'{' | b'[' if stack.len() == MAX_DEPTH => deeper += 1,
            b'{' => stack.push(Step::Key(None)),
            b'[' => stack.push(Step::Index(0)),
            // An object that lacks a member is wrong at its end: what it is in is named, and no member of it.
            b'}' | b']' => {
                if deeper > 0 {
                    deeper -= 1;
                } else {
                    stack.pop();
                }
            }
            b',' if deeper == 0 => match stack.last_mut() {
                Some(Step::Index(n)) => *n += 1,
                Some(Step::Key(key)) => *key = None,
                None => {}
            },
            b'"' => {
                let close = string_end(bytes, at);
                if let Some(Step::Key(key @ None)) = stack.last_mut().filter(|_| deeper == 0) {
                    *key = text.get(at + 1..close);
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
            Step::Key(Some(key)) if path.is_empty() => path.push_str(key),
            Step::Key(Some(key)) => path.push_str(&format!(".{key}")),
            Step::Key(None) => {}
            Step::Index(n) => path.push_str(&format!("[{n}]")),
        }
    }
    crate::excerpt(&path, 200)
}

enum Step<'a> {
    Key(Option<&'a str>),
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
        assert_eq!(path_at(text, 2, 28), "a.b\\\"{[1]");
        assert_eq!(path_at(text, 4, 1), "");
        assert_eq!(path_at("[1,2]", 1, 4), "[1]");
        assert_eq!(path_at("7", 1, 1), "");
        assert_eq!(path_at("", 9, 9), "");
    }

    #[test]
    fn deep_nesting_is_counted_and_not_stored() {
        let (open, close) = ("[".repeat(1000), "]".repeat(1000));
        assert!(path_at(&open, 1, 1000).ends_with(&format!("… ({} bytes)", 256 * "[0]".len())));
        let text = format!(r#"{{"x":{open}{{"k":[1,2]}},3{close},"a":[1,{{"c":7}}]}}"#);
        assert_eq!(path_at(&text, 1, text.find('7').unwrap() + 1), "a[1].c");
    }
}
