//! What a conversation kept aside, in files beside its own: a handle that it names is good in the next program too.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bowline::llm::{Artifact, ArtifactLimits, Artifacts};
use serde::{Deserialize, Serialize};

/// The longest first line that is read, in bytes.
const HEAD: usize = 4096;

/// The folder of one conversation's artifacts. It is there once something was kept aside.
#[derive(Debug, Clone)]
pub(super) struct Shelf(PathBuf);

/// The first line of a file; the content comes after it.
#[derive(Serialize, Deserialize)]
struct Head {
    tool: String,
    mime: String,
}

impl Shelf {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Reads what there is, the oldest first, as far as it may be kept.
    pub(super) fn read(&self, into: &Artifacts, limits: &ArtifactLimits) {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, String, u64)> = entries
            .filter_map(|entry| {
                let (name, of) = (entry.file_name().into_string().ok()?, entry.metadata().ok()?);
                let written = of.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                is_handle(&name).then_some((written, name, of.len()))
            })
            .collect();
        files.sort_unstable();
        let most = (limits.bytes as u64).saturating_add(HEAD as u64);
        let over = files.len().saturating_sub(limits.count);
        for (_, handle, _) in files.into_iter().skip(over).filter(|(.., size)| *size <= most) {
            // One that cannot be read is as good as gone, and the model is told so when it asks.
            if let Some(artifact) = fs::read(self.0.join(&handle)).ok().and_then(|bytes| parsed(&handle, bytes)) {
                into.put(artifact);
            }
        }
    }

    /// Writes what is new, and removes what is no longer kept.
    pub(super) fn write(&self, artifacts: &[Artifact]) -> std::io::Result<()> {
        let names: HashSet<&str> = artifacts.iter().map(|artifact| &*artifact.handle).collect();
        let mut there = HashSet::new();
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if is_handle(&name) && !names.contains(name.as_str()) {
                fs::remove_file(entry.path())?;
            } else {
                there.insert(name);
            }
        }
        for artifact in artifacts.iter().filter(|artifact| !there.contains(&*artifact.handle)) {
            self.add(artifact)?;
        }
        Ok(())
    }

    fn add(&self, artifact: &Artifact) -> std::io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let head = Head { tool: artifact.tool.to_string(), mime: artifact.mime.to_string() };
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        serde_json::to_writer(&mut file, &head)?;
        file.write_all(b"\n")?;
        file.write_all(&artifact.content)?;
        file.persist(self.0.join(&*artifact.handle)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes all of it.
    pub(super) fn remove(&self) {
        // What stays is in nobody's way.
        let _ = fs::remove_dir_all(Path::new(&self.0));
    }
}

/// Whether a name can be a handle, and so no path.
fn is_handle(name: &str) -> bool {
    name.strip_prefix("artifact-").is_some_and(|rest| {
        !rest.is_empty() && rest.len() <= 64 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn parsed(handle: &str, mut bytes: Vec<u8>) -> Option<Artifact> {
    let end = bytes.iter().take(HEAD).position(|byte| *byte == b'\n')?;
    let content = bytes.split_off(end + 1);
    let Head { tool, mime } = serde_json::from_slice(&bytes).ok()?;
    Some(Artifact::new(handle, tool, mime, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_aside_is_there_in_the_next_program_and_what_is_gone_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().join("chat.artifacts"));
        let limits = ArtifactLimits::default().with_count(2);
        let artifacts = Artifacts::new(limits);
        let text = "a\nline\u{1f9ed}\n".repeat(10);
        artifacts.keep("read_log", "text/plain", b"first".to_vec().into()).unwrap();
        let handle = artifacts.keep("read_log", "text/plain", text.clone().into()).unwrap();
        shelf.write(&artifacts.all()).unwrap();
        artifacts.keep("see", "image/png", vec![0xff, b'\n', 0].into()).unwrap();
        shelf.write(&artifacts.all()).unwrap();
        assert_eq!(fs::read_dir(&shelf.0).unwrap().count(), 2, "the first made room");
        fs::write(shelf.0.join("artifact-bad"), "no head").unwrap();
        fs::write(shelf.0.join("..notes"), "of somebody else").unwrap();
        let again = Artifacts::new(limits.with_count(3));
        shelf.read(&again, &limits.with_count(3));
        assert_eq!(again.get(&handle).unwrap().text(), Some(text.as_str()));
        assert_eq!(again.all().len(), 2);
        shelf.remove();
        assert!(!shelf.0.exists());
    }
}
