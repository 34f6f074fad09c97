//! Who else on this machine may read or change a configuration file.

use std::path::Path;

use bowline_config::Place;

use super::Issue;
use super::rules::OPEN_FILE;
use crate::Severity;

/// Checks the rights of a file. `has_secret` says whether a credential stands in it.
pub(super) fn check(path: &Path, has_secret: bool) -> Option<Issue> {
    let rights = rights(path)?;
    let (severity, message) = if rights & 0o002 != 0 {
        (Severity::High, "everybody on this machine can change the file, and so what is started")
    } else if has_secret && rights & 0o004 != 0 {
        (Severity::High, "everybody on this machine can read the file, in which a credential stands")
    } else if has_secret && rights & 0o040 != 0 {
        (Severity::Medium, "the file's group can read it, and a credential stands in it")
    } else {
        return None;
    };
    Some(Issue::new(&OPEN_FILE, severity, message.to_owned()).at(&Place::whole(path)))
}

#[cfg(unix)]
fn rights(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;

    // A file that is gone since it was read has no rights.
    std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode())
}

/// Elsewhere rights are lists, and a file in a home folder is its owner's alone.
#[cfg(not(unix))]
fn rights(_: &Path) -> Option<u32> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn rights_of_others_matter_where_there_is_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mcp.json");
        std::fs::write(&file, "{}").unwrap();
        let severity = |mode, has_secret| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            check(&file, has_secret).map(|issue| issue.severity)
        };
        assert_eq!(severity(0o600, true), None);
        assert_eq!(severity(0o644, true), Some(Severity::High));
        assert_eq!(severity(0o640, true), Some(Severity::Medium));
        assert_eq!(severity(0o644, false), None);
        assert_eq!(severity(0o666, false), Some(Severity::High));
        assert!(check(&folder.path().join("none"), true).is_none());
    }
}
