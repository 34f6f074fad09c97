//! The folder that this command keeps things in: whether they can be kept.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use super::finding::{Check, Finding, Findings, Severity};
use crate::exit::Code;
use crate::state;

/// How much is written to see whether there is room: about what is known of some hundred servers.
const ROOM: usize = 1 << 20;

/// Looks at the folder for logins, pins, and what servers said.
pub(super) fn look(findings: &mut Findings) {
    let Some(folder) = state::folder() else {
        let message = "this environment has no home, so logins, pins and what servers said are not kept";
        let finding = Finding::error(Check::Folder, Code::Unexpected, "", message);
        findings.push(finding.fix("export BOWLINE_STATE_DIR=/a/folder/of/yours"));
        return;
    };
    let subject = folder.to_string_lossy();
    findings.push(match try_out(&folder) {
        Ok(()) => Finding::new(Severity::Fine, Check::Folder, &subject, "can be written"),
        Err(error) => {
            let message = format!("logins, pins and what servers said cannot be kept there: {error}");
            Finding::error(Check::Folder, Code::Unexpected, &subject, message).fix(way_out(&error, &subject))
        }
    });
}

/// Writes a file as large as what may come, and takes it away again.
fn try_out(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".doctor-").tempfile_in(folder)?;
    // Bytes that no file system stores as a hole.
    file.write_all(&[0xb0; ROOM])?;
    file.as_file().sync_all()?;
    file.close()
}

fn way_out(error: &io::Error, folder: &str) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            format!("make room (df -h '{folder}'; ulimit -f), or export BOWLINE_STATE_DIR=/a/folder/with/room")
        }
        ErrorKind::PermissionDenied => {
            format!("chmod u+rwx '{folder}'   (or export BOWLINE_STATE_DIR=/a/folder/of/yours)")
        }
        _ => "export BOWLINE_STATE_DIR=/a/folder/of/yours".to_owned(),
    }
}
