//! Finding the program, and saying why it could not be started.

use std::ffi::OsStr;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use bowline_transport::{TransportError, TransportErrorKind};

/// Where the system looks when the child has no `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Why `program` is none, where it is a URL or sets a variable as shells do.
///
/// Both may hold secrets, so this and all other messages leave out what is written there.
pub(crate) fn no_program(program: &OsStr) -> Option<&'static str> {
    let text = program.to_string_lossy();
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if text.split_once('=').is_some_and(|(name, _)| is_name(name)) {
        Some(
            "a variable (`NAME=value`) stands where the program should, which only a shell understands; set it with `.env(name, value)` and begin with the program",
        )
    } else if text.contains("://") {
        Some(
            "a URL stands where the program should; a server over stdio is started by a command, such as `npx -y some-server`, and a URL wants a connector of another transport",
        )
    } else {
        None
    }
}

/// The file name of a program, which is how messages call it: a full path says more about the machine than it should.
pub(crate) fn short_name(program: &OsStr) -> String {
    if no_program(program).is_some() {
        return "(no program)".to_owned();
    }
    let shown = without_arguments(program);
    Path::new(&shown).file_name().unwrap_or(OsStr::new(&shown)).to_string_lossy().into_owned()
}

/// The name without the arguments that somebody wrote into it, which may hold secrets. Words that are none stay: files have
/// white space in their names, too.
fn without_arguments(program: &OsStr) -> String {
    let text = program.to_string_lossy();
    let is_space = |&(_, c): &(usize, char)| c.is_whitespace();
    let begins_one = |&(at, _): &(usize, char)| {
        let word = text.get(at..).unwrap_or_default().split_whitespace().next().unwrap_or_default();
        word.starts_with('-') || word.contains(['=', ':', '@'])
    };
    match text.char_indices().filter(is_space).find(begins_one) {
        Some((at, _)) => format!("{} …", text.get(..at).unwrap_or_default().trim_end()),
        None => text.into_owned(),
    }
}

/// Finds a program as Windows does, with its extension.
///
/// `path` and `pathext` are the variables `PATH` and `PATHEXT`. Windows starts only files with an extension, so `npx`
/// is `npx.cmd` even where a shell script `npx` lies beside it. With the full path and the extension, the standard
/// library knows a batch file when it starts one, and escapes its arguments or refuses. The current folder is not
/// searched. `None` where there is no such file.
///
/// ```
/// use bowline_stdio::resolve_windows;
///
/// let files = [r"C:\node\npx", r"C:\node\npx.cmd"];
/// let found = resolve_windows("npx", r"C:\Windows;C:\node", ".COM;.EXE;.BAT;.CMD", |file| {
///     files.iter().any(|f| f.eq_ignore_ascii_case(file))
/// });
/// assert_eq!(found.as_deref(), Some(r"C:\node\npx.CMD"));
/// ```
pub fn resolve_windows(program: &str, path: &str, pathext: &str, is_file: impl Fn(&str) -> bool) -> Option<String> {
    let extensions: Vec<&str> = pathext.split(';').map(str::trim).filter(|e| e.len() > 1).collect();
    let file_name = program.rsplit(['\\', '/', ':']).next().unwrap_or(program);
    let ends_with = |extension: &&str| {
        file_name
            .len()
            .checked_sub(extension.len())
            .and_then(|at| file_name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(extension))
    };
    let complete = extensions.iter().any(ends_with);
    let try_at = |base: String| {
        if complete {
            return is_file(&base).then_some(base);
        }
        extensions.iter().map(|extension| format!("{base}{extension}")).find(|file| is_file(file))
    };
    if file_name.len() != program.len() {
        return try_at(program.to_owned());
    }
    path.split(';')
        .map(|folder| folder.trim().trim_matches('"').trim_end_matches(['\\', '/']))
        .filter(|folder| !folder.is_empty())
        .find_map(|folder| try_at(format!(r"{folder}\{program}")))
}

/// Turns the failure to start `program` into an error that says what is wrong and what to do.
///
/// `path` is the child's `PATH`; `folder` is its working directory, where one is set.
pub(crate) fn explain_spawn_failure(
    program: &OsStr,
    folder: Option<&Path>,
    path: Option<&OsStr>,
    error: Error,
) -> TransportError {
    if let Some(message) = no_program(program) {
        return TransportError::new(TransportErrorKind::Config, message).with_source(error);
    }
    let name = without_arguments(program);
    // The system's "no such file" may be about the folder, the program or its interpreter.
    let (kind, message) = match (error.kind(), folder) {
        (ErrorKind::NotFound | ErrorKind::NotADirectory, Some(folder)) if !folder.is_dir() => (
            TransportErrorKind::NotFound,
            format!(
                "the working directory `{}` for `{name}` is not a directory; create or correct it",
                folder.display()
            ),
        ),
        (ErrorKind::NotFound | ErrorKind::NotADirectory, _) => {
            (TransportErrorKind::NotFound, not_found(program, folder, path))
        }
        (ErrorKind::PermissionDenied, _)
            if is_path(program) && folder.unwrap_or(Path::new("")).join(program).is_dir() =>
        {
            (TransportErrorKind::Connect, format!("`{name}` is a folder, and no program: name the program in it"))
        }
        (ErrorKind::PermissionDenied, _) => (
            TransportErrorKind::Connect,
            format!("`{name}` may not be run: make it executable (`chmod +x`), or give the program that runs it"),
        ),
        (ErrorKind::InvalidInput, _) => (
            TransportErrorKind::Config,
            format!("`{name}` cannot be given these arguments and variables ({error}): {}", invalid_input_hint()),
        ),
        (ErrorKind::ArgumentListTooLong, _) => (
            TransportErrorKind::Config,
            format!("the arguments and the environment of `{name}` are too long; pass less, or a file"),
        ),
        _ => (TransportErrorKind::Io, format!("starting `{name}` failed: {error}")),
    };
    TransportError::new(kind, message).with_source(error)
}

fn not_found(program: &OsStr, folder: Option<&Path>, path: Option<&OsStr>) -> String {
    let name = without_arguments(program);
    if let Some(file) = find(program, folder, path) {
        return format!(
            "`{}` exists, but what its first line (`#!`) names does not; install that or correct the line",
            file.display()
        );
    }
    let mut message = if is_path(program) {
        format!("the program `{name}` was not found; check the path, which must be a file")
    } else if path.is_none() {
        format!(
            "the program `{name}` was not found, and PATH is not passed on; give its full path (`command -v {name}`)"
        )
    } else {
        format!("the program `{name}` was not found in PATH; install it, or give its full path (`command -v {name}`)")
    };
    if name.trim().contains(char::is_whitespace) {
        message.push_str("; arguments are given one by one (`args`), not in the program's name");
    }
    message
}

fn is_path(program: &OsStr) -> bool {
    Path::new(program).components().count() > 1 || program.as_encoded_bytes().contains(&b'/')
}

fn find(program: &OsStr, folder: Option<&Path>, path: Option<&OsStr>) -> Option<PathBuf> {
    let folder = folder.unwrap_or(Path::new(""));
    if is_path(program) {
        return Some(folder.join(program)).filter(|file| file.is_file());
    }
    std::env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH)))
        .map(|entry| folder.join(entry).join(program))
        .find(|file| file.is_file())
}

const fn invalid_input_hint() -> &'static str {
    if cfg!(windows) {
        "a batch file cannot be given every character safely; start the program behind it, such as node with its script"
    } else {
        "none may hold a NUL character"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHEXT: &str = ".COM;.EXE;.BAT;.CMD";

    fn resolve(program: &str, path: &str, files: &[&str]) -> Option<String> {
        resolve_windows(program, path, PATHEXT, |file| files.iter().any(|f| f.eq_ignore_ascii_case(file)))
    }

    #[test]
    fn case_stdio_013_npx_is_found_as_a_batch_file_with_its_full_path() {
        let found = resolve("npx", r"C:\Windows\system32;C:\node", &[r"C:\node\npx", r"C:\node\npx.cmd"]);
        assert_eq!(found.as_deref(), Some(r"C:\node\npx.CMD"));
    }

    #[test]
    fn the_order_of_folders_counts_before_the_order_of_extensions() {
        let files = [r"C:\a\srv.cmd", r"C:\b\srv.exe", r"C:\a\srv.bat"];
        assert_eq!(resolve("srv", r#""C:\a\";C:\b"#, &files).as_deref(), Some(r"C:\a\srv.BAT"));
    }

    #[test]
    fn an_extension_that_is_given_is_kept_and_an_unknown_one_is_part_of_the_name() {
        assert_eq!(resolve("node.EXE", r"C:\n", &[r"C:\n\node.exe"]).as_deref(), Some(r"C:\n\node.EXE"));
        assert_eq!(
            resolve("srv.v2", r"C:\n", &[r"C:\n\srv.v2", r"C:\n\srv.v2.exe"]).as_deref(),
            Some(r"C:\n\srv.v2.EXE")
        );
    }

    #[test]
    fn a_path_is_completed_but_not_searched_for() {
        assert_eq!(resolve(r".\bin\srv", r"C:\n", &[r".\bin\srv.cmd"]).as_deref(), Some(r".\bin\srv.CMD"));
        assert_eq!(resolve(r"bin\srv", r"C:\n", &[r"C:\n\bin\srv.exe"]), None);
        assert_eq!(resolve("srv", "", &["srv.exe", r".\srv.exe", r"\srv.exe"]), None);
    }

    #[test]
    fn a_folder_is_told_from_a_program_that_may_not_be_run() {
        let why = |program: &str| {
            let denied = Error::from(ErrorKind::PermissionDenied);
            explain_spawn_failure(OsStr::new(program), Some(Path::new("/")), None, denied).to_string()
        };
        assert!(why("./").contains("is a folder, and no program"), "{}", why("./"));
        assert!(why("./no-such-thing").contains("may not be run: make it executable"), "{}", why("./no-such-thing"));
    }

    #[test]
    fn short_names_hide_where_a_program_lies() {
        assert_eq!(short_name(OsStr::new("/home/me/bin/srv")), "srv");
        assert_eq!(short_name(OsStr::new("npx")), "npx");
        assert_eq!(short_name(OsStr::new("/opt/My App/my srv")), "my srv");
    }

    #[test]
    fn arguments_in_the_name_of_a_program_are_not_shown() {
        for program in [
            "/opt/srv --token=s3cret",
            "srv\t-t s3cret",
            "/opt/srv run s3:s3cret",
            "srv  --header \"Authorization: s3cret/x\"",
            "srv a@s3cret",
        ] {
            let program = OsStr::new(program);
            let whys = [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::InvalidInput, ErrorKind::Other];
            for kind in whys {
                let why = explain_spawn_failure(program, None, Some(OsStr::new("")), Error::from(kind)).to_string();
                assert!(why.contains("srv") && !why.contains("s3"), "{why}");
            }
            assert!(short_name(program).starts_with("srv"), "{}", short_name(program));
            assert!(!short_name(program).contains("s3"), "{}", short_name(program));
        }
        let missing = Error::from(ErrorKind::NotFound);
        let why = explain_spawn_failure(OsStr::new("/opt/srv --token=x"), None, None, missing).to_string();
        assert!(why.contains("`/opt/srv …` was not found") && why.contains("one by one (`args`)"), "{why}");
    }
}
