//! Paths as `file:` URIs (RFC 8089).

use std::path::Path;

/// The URI of an absolute path, by the rules of the system that this runs on.
pub(crate) fn from_path(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        unix(path.as_os_str().as_bytes())
    }
    #[cfg(not(unix))]
    {
        windows(path.to_str()?)
    }
}

/// The URI of an absolute Unix path; bytes that are not UTF-8 are kept.
#[cfg_attr(not(unix), expect(dead_code, reason = "the rules of another system"))]
fn unix(path: &[u8]) -> Option<String> {
    path.starts_with(b"/").then(|| {
        let mut uri = String::from("file://");
        push_encoded(&mut uri, path);
        uri
    })
}

/// The URI of an absolute Windows path: with a drive, or on a share, also in the verbatim form `\\?\`.
#[cfg_attr(all(unix, not(test)), expect(dead_code, reason = "the rules of another system"))]
fn windows(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let path = match path.strip_prefix("//?/") {
        Some(verbatim) => match verbatim.strip_prefix("UNC/") {
            Some(share) => format!("//{share}"),
            None => verbatim.to_owned(),
        },
        None => path,
    };
    if let Some(share) = path.strip_prefix("//") {
        let mut uri = String::from("file://");
        push_encoded(&mut uri, share.as_bytes());
        return (!share.is_empty() && !share.starts_with('/')).then_some(uri);
    }
    let (drive, rest) = path.split_once(':')?;
    let is_drive = drive.len() == 1 && drive.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_drive || !rest.starts_with('/') {
        return None;
    }
    let mut uri = format!("file:///{drive}:");
    push_encoded(&mut uri, rest.as_bytes());
    Some(uri)
}

/// Appends a path, with all percent-encoded that RFC 3986 does not let stand in one as it is.
fn push_encoded(uri: &mut String, path: &[u8]) {
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_resources_007_roots_are_proper_file_uris() {
        for (path, uri) in [
            (r"C:\temp", "file:///C:/temp"),
            (r"D:\My Project\ä", "file:///D:/My%20Project/%C3%A4"),
            (r"\\srv\share\x", "file://srv/share/x"),
            (r"C:\", "file:///C:/"),
            (r"C:/mixed\slashes", "file:///C:/mixed/slashes"),
            (r"\\?\C:\long", "file:///C:/long"),
            (r"\\?\UNC\srv\share", "file://srv/share"),
        ] {
            assert_eq!(windows(path).as_deref(), Some(uri), "{path}");
        }
        assert_eq!(unix("/home/u/a b#c?d%e".as_bytes()).as_deref(), Some("file:///home/u/a%20b%23c%3Fd%25e"));
        assert_eq!(unix(b"/").as_deref(), Some("file:///"));
        assert_eq!(unix(b"/\xff[x]").as_deref(), Some("file:///%FF%5Bx%5D"));
    }

    #[test]
    fn paths_that_are_not_absolute_are_refused() {
        for path in ["", "temp", r"C:temp", r"\temp", "temp:/x", r"\\", "é:/x"] {
            assert_eq!(windows(path), None, "{path}");
        }
        assert_eq!(unix(b"home/u"), None);
        assert_eq!(unix(b""), None);
    }
}
