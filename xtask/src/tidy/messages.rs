//! The messages that the chapter on troubleshooting quotes are those of the code.

use std::path::Path;

use super::File;
use crate::markdown;

/// The chapter, whose blocks of `text` are messages.
const PAGE: &str = "docs/src/troubleshooting.md";
/// What stands for that which differs from one time to the next.
const GAP: char = '…';
/// How far apart the pieces of one message may stand in the code, where a placeholder is put together by a call.
const REACH: usize = 400;

/// Tells which quoted messages no crate has any more.
pub fn findings(files: &[File]) -> Vec<String> {
    let Some(page) = files.iter().find(|file| file.path == Path::new(PAGE)) else { return Vec::new() };
    let is_code = |file: &&File| {
        file.path.starts_with("crates") && file.path.extension().is_some_and(|extension| extension == "rs")
    };
    let code: Vec<String> = files.iter().filter(is_code).map(|file| on_one_line(&file.text)).collect();
    let mut findings = Vec::new();
    for block in markdown::blocks(&page.text).into_iter().filter(|block| block.language == "text") {
        for (number, message) in (block.line + 1..).zip(&block.lines) {
            let pieces: Vec<&str> = message.split(GAP).map(|piece| piece.trim_matches(['(', ')'])).collect();
            if !code.iter().any(|text| stands_in(text, &pieces)) {
                findings.push(format!("{PAGE}:{number}: no crate says this: {message}"));
            }
        }
    }
    findings
}

/// A string that goes on in the next line is one, and quotes in it are quotes.
fn on_one_line(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut pieces = text.split("\\\n");
    whole.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        whole.push_str(piece.trim_start());
    }
    whole.replace("\\\"", "\"")
}

/// Whether the pieces stand in the text, in order and close together.
fn stands_in(text: &str, pieces: &[&str]) -> bool {
    let pieces: Vec<&str> = pieces.iter().copied().filter(|piece| !piece.trim().is_empty()).collect();
    let Some((first, others)) = pieces.split_first() else { return false };
    text.match_indices(first).any(|(at, _)| {
        let mut at = at + first.len();
        others.iter().all(|piece| {
            let Some(found) = text.get(at..).and_then(|rest| rest.find(piece)) else { return false };
            at += found + piece.len();
            found <= REACH
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_no_crate_has_is_found() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.to_owned() };
        let told = |message: &str| {
            findings(&[
                file(PAGE, &format!("# T\n\n```text\n{message}\n```\n")),
                file(
                    "crates/x/src/a.rs",
                    "let m = format!(\"the knot `{name}` \\\n    slips ({why}); tie it\"); \"a \\\"fid\\\"\"",
                ),
                file("xtask/src/a.rs", "\"only here\""),
            ])
        };
        assert!(told("the knot `…` slips (…); tie it").is_empty());
        assert!(told("slips (").is_empty());
        assert!(told("a \"fid\"").is_empty());
        let found = told("the knot `…` holds");
        assert_eq!(found, ["docs/src/troubleshooting.md:4: no crate says this: the knot `…` holds"]);
        assert_eq!(told("only here").len(), 1);
        assert_eq!(told("…").len(), 1);
    }
}
