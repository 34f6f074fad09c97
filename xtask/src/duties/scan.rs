//! The tests of a file, and the duties that they name.

use super::table;

/// A test that names duties.
#[derive(Debug, PartialEq, Eq)]
pub struct Test {
    pub line: usize,
    pub name: String,
    /// As written in the table: `H-24`.
    pub ids: Vec<String>,
}

/// Finds the tests that name a duty: in their name, or in a comment above. `is_area` knows the letters of ids.
pub fn tests(text: &str, is_area: impl Fn(&str) -> bool) -> Vec<Test> {
    let mut tests = Vec::new();
    let mut ids = Vec::new();
    let mut is_test = false;
    for (line, code) in (1..).zip(text.lines().map(str::trim)) {
        if let Some(comment) = code.strip_prefix("///").or_else(|| code.strip_prefix("// Duty:")) {
            ids.extend(in_comment(comment));
        } else if code.starts_with("#[") {
            // `#[test]`, `#[tokio::test(start_paused = true)]`, but not `#[cfg(test)]`.
            is_test |= code.contains("test]") || code.contains("test(");
        } else if !code.starts_with("//") {
            if let Some(name) = function(code).filter(|_| is_test) {
                ids.extend(in_name(name, &is_area));
                ids.dedup();
                if !ids.is_empty() {
                    tests.push(Test { line, name: name.to_owned(), ids: ids.clone() });
                }
            }
            ids.clear();
            is_test = false;
        }
    }
    tests
}

/// The name of the function that begins in this line.
fn function(code: &str) -> Option<&str> {
    let code = code.strip_prefix("async ").unwrap_or(code).strip_prefix("fn ")?;
    code.find(|c: char| !c.is_alphanumeric() && c != '_').and_then(|end| code.get(..end))
}

/// `h_24_and_h_25_what_it_shows` names two.
fn in_name(name: &str, is_area: impl Fn(&str) -> bool) -> Vec<String> {
    let words: Vec<_> = name.split('_').map(str::to_ascii_uppercase).collect();
    let pairs = words.windows(2).map(|pair| (pair.join("-"), pair.first().is_some_and(|area| is_area(area))));
    pairs.filter(|(id, is_area)| *is_area && table::split(id).is_some()).map(|(id, _)| id).collect()
}

/// Ids may be surrounded by commas, quotes and words.
fn in_comment(comment: &str) -> impl Iterator<Item = String> {
    let words = comment.split(|c: char| !c.is_alphanumeric() && c != '-');
    words.filter(|word| table::split(word).is_some()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Test, tests};

    fn found(text: &str) -> Vec<Test> {
        tests(text, |area| ["H", "S", "MR"].contains(&area))
    }

    fn test(line: usize, name: &str, ids: &[&str]) -> Test {
        Test { line, name: name.to_owned(), ids: ids.iter().map(|&id| id.to_owned()).collect() }
    }

    #[test]
    fn a_duty_is_named_by_the_test_itself() {
        let text = "#[test]\nfn h_24_it_closes() {\n}\n\n#[tokio::test(start_paused = true)]\nasync fn case_http_019_h_12_and_mr_06_it_fits() {";
        assert_eq!(
            found(text),
            [test(2, "h_24_it_closes", &["H-24"]), test(6, "case_http_019_h_12_and_mr_06_it_fits", &["H-12", "MR-06"])]
        );
    }

    #[test]
    fn a_duty_is_named_above_the_test() {
        let text =
            "/// Shows (H-01) well.\n// Duty: S-02, MR-03\n#[cfg(unix)]\n// Not: H-05\n#[test]\nfn it_works() {}";
        assert_eq!(found(text), [test(6, "it_works", &["H-01", "S-02", "MR-03"])]);
    }

    #[test]
    fn what_is_no_test_or_no_id_counts_nothing() {
        for text in [
            "fn h_24_helper() {}",
            "// Duty: H-24\nfn helper() {}\n#[test]\nfn plain() {}",
            "// Duty: H-24\n\n#[test]\nfn plain() {}",
            "#[cfg(test)]\nmod h_24 {\n    fn h_24_helper() {}",
            "#[test]\nfn case_sse_017_with_300_and_x_24() {}",
            "// As S-02 has it.\n#[test]\nfn plain() {}",
            "/// SEP-2663 and h-24.\n#[test]\nfn plain() {}",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
