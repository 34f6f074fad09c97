//! Leftovers and dead links in the text of files.

use std::path::{Component, Path, PathBuf};

use super::File;
use crate::markdown;

/// What no Rust file has, and why.
const LEFTOVERS: &[(&str, &str)] = &[
    (concat!("todo", "!("), "unfinished code"),
    (concat!("unimplemented", "!("), "unfinished code"),
    (concat!("dbg", "!("), "left from debugging"),
    (concat!("#[", "ignore"), "a test that never runs"),
    (concat!("#[", "allow("), "use `#[expect(…, reason = \"…\")]`"),
    (concat!("#![", "allow("), "use `#![expect(…, reason = \"…\")]`"),
    (concat!("fn ", "test_"), "a test is named by the behaviour it shows"),
];

/// Tells of leftovers, ignored doc tests, paths of a machine and links that lead nowhere.
pub fn findings(file: &File, root: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    let extension = file.path.extension().and_then(|extension| extension.to_str());
    let machine_paths = [format!("{}/", root.display()), concat!("/root", "/").to_owned()];
    // In `tests/` a `mod.rs` is what keeps a shared module from becoming a test binary.
    let in_source = file.path.components().any(|part| part.as_os_str() == "src");
    if in_source && file.path.ends_with("mod.rs") {
        findings.push(format!("{}: `foo.rs` beside `foo/` is the shape of modules here", file.path.display()));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        let mut tell = |what: &str| findings.push(format!("{}:{number}: {what}", file.path.display()));
        if machine_paths.iter().any(|path| has_path(line, path)) {
            tell("a path of one machine");
        }
        if extension == Some("rs") {
            for (_, why) in LEFTOVERS.iter().filter(|(text, _)| line.contains(text)) {
                tell(why);
            }
        }
        if matches!(extension, Some("rs" | "md")) && is_ignored_fence(line) {
            tell("a doc test that is ignored");
        }
    }
    if extension == Some("md") {
        for (number, line) in markdown::prose(&file.text) {
            for link in markdown::links(line).into_iter().filter(|link| !leads_somewhere(&file.path, link, root)) {
                findings.push(format!("{}:{number}: the link to {link} leads nowhere", file.path.display()));
            }
        }
    }
    findings
}

/// Tells whether `path` stands in `line` as the start of a path, not inside a longer one.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        before.is_none_or(|before| !before.is_alphanumeric() && !"._-/~}".contains(before))
    })
}

fn is_ignored_fence(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches(['/', '!']).trim_start();
    line.strip_prefix("```").is_some_and(|info| info.split([',', ' ']).any(|word| word == "ignore"))
}

/// Only files of the project are looked at, not addresses, anchors or Rust items.
fn leads_somewhere(from: &Path, link: &str, root: &Path) -> bool {
    let target = link.split('#').next().unwrap_or_default();
    let is_file = target.contains(['/', '.']) && !target.contains("::") && !target.contains(' ');
    if !is_file || target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let mut path = PathBuf::from(root);
    let folder = from.parent().unwrap_or(Path::new(""));
    for component in folder.join(target).components() {
        match component {
            Component::ParentDir => drop(path.pop()),
            other => path.push(other),
        }
    }
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::{File, Path, findings, has_path, is_ignored_fence};

    #[test]
    fn an_ignored_example_is_found_in_docs_and_comments() {
        assert!(is_ignored_fence("/// ```rust,ignore"));
        assert!(is_ignored_fence("```ignore"));
        assert!(!is_ignored_fence("//! ```no_run"));
        assert!(!is_ignored_fence("ignore"));
    }

    #[test]
    fn a_machine_path_is_one_only_at_its_start() {
        assert!(has_path("see /srv/x/y.rs", "/srv/x/"));
        assert!(!has_path("file:///srv/x/y", "/srv/x/"));
        assert!(!has_path("a/srv/x/y", "/srv/x/"));
    }

    #[test]
    fn a_link_to_a_file_that_is_not_there_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = "[here](Cargo.toml) [item](crate::tidy) [page](src/none.rs) [up](src/../Cargo.toml#a)\n";
        let file = File { path: "README.md".into(), text: text.to_owned() };
        assert_eq!(findings(&file, root), ["README.md:1: the link to src/none.rs leads nowhere"]);
    }

    #[test]
    fn leftovers_are_told_with_file_and_line() {
        let text = format!("fn a() {{\n    {}\"x\");\n}}\n", concat!("todo", "!("));
        let file = File { path: "src/a.rs".into(), text };
        assert_eq!(findings(&file, Path::new("/nowhere")), ["src/a.rs:2: unfinished code"]);
    }
}
