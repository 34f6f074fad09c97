//! The text files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A text file of the workspace.
pub struct File {
    /// Relative to the root.
    pub path: PathBuf,
    pub text: String,
}

/// Reads what belongs to the project, in order: no build output, nothing of git's.
pub fn read(root: &Path) -> Result<Vec<File>> {
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
