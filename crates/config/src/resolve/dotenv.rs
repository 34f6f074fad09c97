//! Files of variables: `NAME=value`, one a line.

use std::collections::HashSet;
use std::path::Path;

const MAX_FILE: u64 = 1024 * 1024;

/// The variables of a file. Errors name lines and no values.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = super::small_file(path, MAX_FILE)?;
    parse(&text).map_err(|line| {
        let name = crate::problem::shown(&path.to_string_lossy());
        format!("{name}:{line}: is neither a comment nor NAME=value")
    })
}

/// The variables, or the number of the first line that is none.
fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(index + 1)?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(index + 1);
        }
        pairs.push((name.to_owned(), unquote(value.trim())));
    }
    // Of several of one name the last counts.
    let mut seen = HashSet::with_capacity(pairs.len());
    let is_last: Vec<bool> = pairs.iter().rev().map(|(name, _)| seen.insert(name.clone())).collect();
    let mut is_last = is_last.into_iter().rev();
    pairs.retain(|_| is_last.next().unwrap_or(true));
    Ok(pairs)
}

fn unquote(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    if let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return inner.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\");
    }
    // A comment needs a space before it: `#` stands in passwords.
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_comments_and_exports_are_understood() {
        let text = "\u{feff}# c\r\nA=1\nexport B = two words # c\nC='x # y'\nD=\"a\\nb\"\nE=p#w\nF=\nA=2\n";
        let pairs = parse(text).unwrap();
        let expected = [("B", "two words"), ("C", "x # y"), ("D", "a\nb"), ("E", "p#w"), ("F", ""), ("A", "2")];
        assert_eq!(pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(parse("A=1\n{not}"), Err(2));
        assert_eq!(parse("=1"), Err(1));
    }
}
