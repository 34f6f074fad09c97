//! Binary content into files.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::exit::{CliError, Code};

/// Characters of a file's name; what is longer is cut.
const LONGEST_NAME: usize = 80;
/// Files of one name before a run gives up on it.
const MOST_OF_A_NAME: u32 = 1_000;

/// Writes binary content into one folder: never outside it, and never over a file that is there.
#[derive(Debug)]
pub(crate) struct Saver {
    folder: PathBuf,
}

impl Saver {
    /// Saves into `folder`, which is made with the first file.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Writes one file and gives its path. `origin` is a URI or a tool's name, and only a hint.
    pub(crate) fn save(&mut self, origin: &str, mime: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
        let fail = |path: &Path, error: &std::io::Error| {
            CliError::new(Code::Unexpected, format!("cannot write `{}`: {error}", path.display()))
                .hint("choose another folder with --save")
        };
        std::fs::create_dir_all(&self.folder).map_err(|error| fail(&self.folder, &error))?;
        let (stem, extension) = safe_name(origin, mime);
        for n in 1..=MOST_OF_A_NAME {
            let number = if n == 1 { String::new() } else { format!("-{n}") };
            let path = self.folder.join(format!("{stem}{number}.{extension}"));
            // `create_new` follows no link at the last place and takes no file that is there.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(bytes).map_err(|error| fail(&path, &error))?;
                    return Ok(path);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(fail(&path, &error)),
            }
        }
        Err(CliError::new(Code::Unexpected, format!("`{}` holds too many files named `{stem}`", self.folder.display()))
            .hint("choose another folder with --save"))
    }
}

/// A stem and an extension of plain characters, whatever the server called it.
fn safe_name(origin: &str, mime: &str) -> (String, String) {
    let path = origin.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit(['/', '\\', ':']).find(|part| !part.is_empty()).unwrap_or_default();
    let plain = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' })
            .take(LONGEST_NAME)
            .collect()
    };
    let (stem, extension) = match last.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && (1..=8).contains(&extension.len()) => {
            (stem, Some(plain(extension)))
        }
        _ => (last, None),
    };
    let mut stem = plain(stem);
    // Windows gives these names to devices, whatever the extension; elsewhere the underscore does no harm.
    let devices = ["con", "prn", "aux", "nul", "com", "lpt"];
    if stem.is_empty()
        || devices.iter().any(|d| stem.to_lowercase().trim_end_matches(|c: char| c.is_ascii_digit()) == *d)
    {
        stem = format!("content_{stem}").trim_end_matches('_').to_owned();
    }
    (stem, extension.unwrap_or_else(|| extension_for(mime)))
}

/// The usual extension for a media type.
fn extension_for(mime: &str) -> String {
    let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "image/jpeg" => "jpg",
        "image/svg+xml" => "svg",
        "audio/mpeg" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "text/plain" => "txt",
        "application/json" => "json",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "application/gzip" => "gz",
        other => match other.split_once('/') {
            Some(("image" | "audio" | "video" | "text", kind))
                if (1..=8).contains(&kind.len()) && kind.chars().all(|c| c.is_ascii_alphanumeric()) =>
            {
                return kind.to_owned();
            }
            _ => "bin",
        },
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_whatever_the_server_says() {
        for (origin, mime, want) in [
            ("file:///a/b/photo.png", "image/png", ("photo", "png")),
            ("tool", "image/jpeg", ("tool", "jpg")),
            ("../../etc/passwd", "", ("passwd", "bin")),
            ("x://h/..", "image/png", ("__", "png")),
            ("x://h/a b\u{202e}c.tar.gz?q=1", "", ("a_b_c_tar", "gz")),
            ("C:\\x\\nul.txt", "", ("content_nul", "txt")),
            ("", "audio/../x", ("content", "bin")),
            (".bashrc", "text/plain", ("_bashrc", "txt")),
        ] {
            assert_eq!(safe_name(origin, mime), (want.0.to_owned(), want.1.to_owned()), "{origin}");
        }
        assert!(safe_name(&"x".repeat(5000), "").0.len() <= LONGEST_NAME);
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let folder = std::env::temp_dir().join(format!("bowline-save-{}", std::process::id()));
        let mut saver = Saver::new(&folder);
        let first = saver.save("a.png", "image/png", b"1").unwrap();
        let second = saver.save("a.png", "image/png", b"2").unwrap();
        assert_eq!(first, folder.join("a.png"));
        assert_eq!(second, folder.join("a-2.png"));
        assert_eq!(std::fs::read(first).unwrap(), b"1");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
