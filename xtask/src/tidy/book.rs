//! The book: each page is in its table of contents, compiles where it has Rust, and leads nowhere outside of it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::File;
use crate::markdown;

/// Where the pages are.
pub const PAGES: &str = "docs/src";
/// The table of contents.
const CONTENTS: &str = "docs/src/SUMMARY.md";
/// Folders of the workspace that a piece of code in a document may name.
const FOLDERS: &[&str] = &["bench/", "crates/", "docs/", "examples/", "tests/", "xtask/"];

/// Tells what is wrong with the book, and which anchors and paths in any document are not there.
pub fn findings(files: &[File]) -> Vec<String> {
    let documents: Vec<&File> = files.iter().filter(|file| file.path.extension().is_some_and(|e| e == "md")).collect();
    let mut findings = contents(&documents);
    findings.extend(examples(files, &documents));
    let paths: BTreeSet<&Path> = files.iter().flat_map(|file| file.path.ancestors()).collect();
    for file in &documents {
        findings.extend(anchors(file, &documents));
        // What the generators and the changelog name may be gone by now.
        if file.path.starts_with(PAGES) || file.path.components().count() == 1 && file.path != Path::new("CHANGELOG.md")
        {
            findings.extend(named_paths(file, &paths));
        }
        if file.path.starts_with(PAGES) {
            findings.extend(outward(file));
        }
    }
    findings
}

/// Each page stands in the table of contents, once.
fn contents(documents: &[&File]) -> Vec<String> {
    let Some(table) = documents.iter().find(|file| file.path == Path::new(CONTENTS)) else {
        return vec![format!("{CONTENTS}: is missing")];
    };
    let listed: Vec<PathBuf> =
        table.text.lines().flat_map(markdown::links).map(|link| Path::new(PAGES).join(link)).collect();
    let pages = documents.iter().filter(|file| file.path.starts_with(PAGES) && file.path != table.path);
    pages
        .filter_map(|page| match listed.iter().filter(|listed| **listed == page.path).count() {
            0 => Some(format!("{}: is not in {CONTENTS}", page.path.display())),
            1 => None,
            n => Some(format!("{}: is {n} times in {CONTENTS}", page.path.display())),
        })
        .collect()
}

/// A page with Rust is the documentation of something somewhere, so that its examples are compiled.
fn examples(files: &[File], documents: &[&File]) -> Vec<String> {
    let included: BTreeSet<PathBuf> =
        files.iter().filter(|file| file.path.extension().is_some_and(|e| e == "rs")).flat_map(includes).collect();
    let mut findings = Vec::new();
    for page in documents.iter().filter(|file| file.path.starts_with(PAGES)) {
        let blocks = markdown::blocks(&page.text);
        let nameless = blocks.iter().filter(|block| block.language.is_empty());
        findings.extend(nameless.map(|block| {
            format!(
                "{}:{}: a block of code says its language; `text` where it has none",
                page.path.display(),
                block.line
            )
        }));
        if let Some(block) = blocks.iter().find(|block| block.language == "rust")
            && !included.contains(&page.path)
        {
            let path = page.path.display();
            findings.push(format!(
                "{path}:{}: nothing compiles this; include the page as a doc test (tests/lib.rs)",
                block.line
            ));
        }
    }
    findings
}

/// What a Rust file includes as text.
fn includes(file: &File) -> Vec<PathBuf> {
    let folder = file.path.parent().unwrap_or(Path::new(""));
    let targets = file.text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split_once('"'));
    targets.filter_map(|(target, _)| resolved(folder, target)).collect()
}

/// A path relative to a folder of the workspace, as one relative to its root; none where it leads out of it.
fn resolved(folder: &Path, target: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for component in folder.join(target).components() {
        match component {
            Component::ParentDir if !path.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            other => path.push(other),
        }
    }
    Some(path)
}

/// Links with an anchor lead to a heading that is there.
fn anchors(file: &File, documents: &[&File]) -> Vec<String> {
    let folder = file.path.parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    for (number, line) in markdown::prose(&file.text) {
        for link in markdown::links(line) {
            let Some((target, anchor)) = link.split_once('#') else { continue };
            if target.contains("://") || target.contains("::") || anchor.contains("::") {
                continue;
            }
            let path = if target.is_empty() { Some(file.path.clone()) } else { resolved(folder, target) };
            // A file that is not there is told by another check, and what is no document has no headings.
            let Some(page) = documents.iter().find(|page| Some(&page.path) == path.as_ref()) else { continue };
            if !markdown::anchors(&page.text).iter().any(|known| known == anchor) {
                findings.push(format!("{}:{number}: the link to {link} leads to no heading", file.path.display()));
            }
        }
    }
    findings
}

/// In the built book there is nothing but the book: files of the repository are named by their path, not linked.
fn outward(file: &File) -> Vec<String> {
    let folder = file.path.parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    for (number, line) in markdown::prose(&file.text) {
        for link in markdown::links(line) {
            let target = link.split('#').next().unwrap_or_default();
            let leads_out = !target.is_empty()
                && !target.contains("://")
                && resolved(folder, target).is_none_or(|path| !path.starts_with(PAGES));
            if leads_out {
                let path = file.path.display();
                findings
                    .push(format!("{path}:{number}: the link to {link} leads out of the book; name the path in code"));
            }
        }
    }
    findings
}

/// Paths of the workspace that are named in code are there. One with a placeholder (`NAME`, `*`, `…`) is taken up to it.
fn named_paths(file: &File, paths: &BTreeSet<&Path>) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in markdown::prose(&file.text) {
        for code in markdown::code(line) {
            let is_path = FOLDERS.iter().any(|folder| code.starts_with(folder)) && !code.contains([' ', ':']);
            if !is_path {
                continue;
            }
            let stands: PathBuf = Path::new(code).components().take_while(|part| !is_placeholder(part)).collect();
            if !paths.contains(stands.as_path()) {
                findings.push(format!("{}:{number}: there is no {code}", file.path.display()));
            }
        }
    }
    findings
}

fn is_placeholder(part: &Component<'_>) -> bool {
    let name = part.as_os_str().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    let is_shouted =
        stem.len() > 1 && stem.chars().all(|c| c.is_ascii_uppercase()) && !matches!(stem, "README" | "SUMMARY");
    is_shouted || name.contains(['*', '…', '<', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            files.iter().map(|(path, text)| File { path: path.into(), text: (*text).to_owned() }).collect();
        findings(&files)
    }

    #[test]
    fn a_page_is_in_the_table_of_contents_once() {
        assert!(told(&[(CONTENTS, "- [A](a.md)"), ("docs/src/a.md", "# A")]).is_empty());
        assert_eq!(told(&[(CONTENTS, ""), ("docs/src/a.md", "# A")]), ["docs/src/a.md: is not in docs/src/SUMMARY.md"]);
        let twice = told(&[(CONTENTS, "[A](a.md) [B](a.md)"), ("docs/src/a.md", "# A")]);
        assert_eq!(twice, ["docs/src/a.md: is 2 times in docs/src/SUMMARY.md"]);
    }

    #[test]
    fn rust_that_nothing_compiles_is_found() {
        let page = ("docs/src/a.md", "# A\n\n```rust\nfn a() {}\n```\n");
        let contents = (CONTENTS, "[A](a.md)");
        let found = told(&[contents, page]);
        assert_eq!(found, ["docs/src/a.md:3: nothing compiles this; include the page as a doc test (tests/lib.rs)"]);
        let library = ("crates/x/src/lib.rs", "#[doc = include_str!(\"../../../docs/src/a.md\")]");
        assert!(told(&[contents, page, library]).is_empty());
    }

    #[test]
    fn a_block_without_a_language_is_found() {
        let found = told(&[(CONTENTS, "[A](a.md)"), ("docs/src/a.md", "```\nx\n```\n")]);
        assert_eq!(found, ["docs/src/a.md:1: a block of code says its language; `text` where it has none"]);
    }

    #[test]
    fn anchors_lead_to_headings_in_this_document_and_others() {
        let found = told(&[
            (CONTENTS, "[A](a.md) [B](b.md)"),
            ("docs/src/a.md", "# A\n[here](#a) [there](b.md#b-c) [no](#x) [nor](b.md#y)"),
            ("docs/src/b.md", "# B c\n"),
        ]);
        let told = |link: &str| format!("docs/src/a.md:2: the link to {link} leads to no heading");
        assert_eq!(found, [told("#x"), told("b.md#y")]);
    }

    #[test]
    fn links_out_of_the_book_are_found() {
        let found = told(&[
            (CONTENTS, "[A](a.md)"),
            ("docs/src/a.md", "[readme](../../README.md) [site](https://a.example/) `[x](../../y)`"),
            ("README.md", "[book](docs/src/a.md)"),
        ]);
        let told = "docs/src/a.md:1: the link to ../../README.md leads out of the book; name the path in code";
        assert_eq!(found, [told]);
    }

    #[test]
    fn paths_in_code_are_there() {
        let found = told(&[
            (CONTENTS, "[A](a.md)"),
            (
                "docs/src/a.md",
                "`crates/x/src/lib.rs` `crates/x` `crates/NAME/README.md` `tests/it/*.rs` `crates/y` `examples/a b`",
            ),
            ("crates/x/src/lib.rs", ""),
            ("tests/it/main.rs", ""),
        ]);
        assert_eq!(found, ["docs/src/a.md:1: there is no crates/y"]);
    }
}
