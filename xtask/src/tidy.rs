//! `cargo xtask tidy`: what a linter cannot see.

mod arrows;
mod book;
mod manifests;
mod messages;
mod named;
mod text;

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::context::Context;
use crate::files::{self, File};
use crate::report::Report;

/// Runs all checks and prints every finding.
pub fn check(context: &Context, report: &mut Report) -> Result<()> {
    let files = files::read(&context.root)?;
    let mut findings = arrows::findings(&context.packages);
    findings.extend(crate_docs(context));
    findings.extend(named::findings(&files));
    findings.extend(book::findings(&files));
    findings.extend(messages::findings(&files));
    for file in &files {
        findings.extend(manifests::findings(file));
        findings.extend(text::findings(file, &context.root));
    }
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} things to tidy", findings.len());
    }
    report.notes.push(format!("{} files are tidy", files.len()));
    Ok(())
}

/// What is wrong with the documents: links, anchors, named paths, quoted messages, examples that nothing compiles.
pub fn documents(files: &[File], root: &Path) -> Vec<String> {
    let mut findings = book::findings(files);
    findings.extend(messages::findings(files));
    let documents = files.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "md"));
    findings.extend(documents.flat_map(|file| text::findings(file, root)));
    findings
}

/// Every crate has a README, which is the crate doc of a library.
fn crate_docs(context: &Context) -> Vec<String> {
    let mut findings = Vec::new();
    for folder in context.packages.iter().filter_map(|package| package.manifest_path.parent()) {
        let Ok(relative) = folder.strip_prefix(&context.root) else { continue };
        if !relative.starts_with("crates") {
            continue;
        }
        if !folder.join("README.md").is_file() {
            findings.push(format!("{}: has no README.md", relative.display()));
        }
        let library = fs::read_to_string(folder.join("src/lib.rs"));
        if library.is_ok_and(|text| !text.contains(r#"#![doc = include_str!("../README.md")]"#)) {
            findings
                .push(format!("{}/src/lib.rs: does not include the README as its documentation", relative.display()));
        }
    }
    findings
}
