//! The tests that the table of revisions names are there.

use std::path::Path;

use crate::files::File;

/// The page whose table has a test in the last cell of each row.
const PAGE: &str = "docs/src/revisions.md";

/// Tells which tests are named and are not there.
pub fn findings(files: &[File]) -> Vec<String> {
    let Some(page) = files.iter().find(|file| file.path == Path::new(PAGE)) else {
        return vec![format!("{PAGE}: is missing")];
    };
    let is_there = |name: &str| {
        let function = format!("fn {name}(");
        files.iter().any(|file| {
            file.path.extension().is_some_and(|extension| extension == "rs") && file.text.contains(&function)
        })
    };
    let mut findings = Vec::new();
    for (n, line) in page.text.lines().enumerate().skip_while(|(_, line)| !line.starts_with("|---")).skip(1) {
        let Some(cell) = line.trim_end().strip_suffix('|').and_then(|row| row.rsplit('|').next()) else { continue };
        let mut named = cell.split('`').skip(1).step_by(2).peekable();
        if named.peek().is_none() {
            findings.push(format!("{PAGE}:{}: the row names no test", n + 1));
        }
        findings.extend(
            named.filter(|name| !is_there(name)).map(|name| format!("{PAGE}:{}: there is no test `{name}`", n + 1)),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rows: &str) -> Vec<String> {
        let file = |path: &str, text: String| File { path: path.into(), text };
        findings(&[
            file(PAGE, format!("words\n\n| a | test |\n|---|---|\n{rows}")),
            file("x.rs", "fn ties() {}".to_owned()),
        ])
    }

    #[test]
    fn a_row_without_a_test_and_a_test_that_is_not_there_are_told() {
        assert!(told("| `x` | `ties` |\n").is_empty());
        assert_eq!(told("| x | `ties`, `tie` |\n"), ["docs/src/revisions.md:5: there is no test `tie`"]);
        assert_eq!(told("| `ties` | |\n"), ["docs/src/revisions.md:5: the row names no test"]);
    }
}
