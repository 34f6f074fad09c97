//! `cargo xtask tidy`: what a linter cannot see.

mod arrows;
mod manifests;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::context::Context;
use crate::report::Report;

/// A text file of the workspace.
struct File {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

/// Runs all checks and prints every finding.
pub fn check(context: &Context, report: &mut Report) -> Result<()> {
    let files = read_files(&context.root)?;
    let mut findings = arrows::findings(&context.packages);
    findings.extend(crate_docs(context));
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

/// Reads what belongs to the project: no build output, nothing of git's.
fn read_files(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                if name != ".git" && name != "target" {
                    folders.push(entry.path());
                }
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                files.push(File { path: entry.path().strip_prefix(root)?.to_owned(), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
