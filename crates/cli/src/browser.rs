//! The system's browser, started with a list of arguments and never through a shell.
//!
//! Specification: security best practices, section on the validation of authorization URLs. The browser is a program of
//! its own: neither this one nor a model sees what is done in it.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bowline::protocol::VisitUrl;

/// The variable that names another program; it is given the URL as its only argument.
const VARIABLE: &str = "BOWLINE_BROWSER";
/// How long a program that fails may take to do so. What runs longer is taken for the browser itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked at in that time.
const GLANCE: Duration = Duration::from_millis(50);

/// Opens a URL. Blocks for up to three seconds. The error is for the person.
pub(crate) fn open(url: &VisitUrl) -> Result<(), String> {
    if let Some(program) = std::env::var_os(VARIABLE).filter(|program| !program.is_empty()) {
        return start(&program, &[url.as_str()]);
    }
    if cfg!(target_os = "windows") {
        // Not `start`, which is a word of the shell.
        return start(OsStr::new("rundll32.exe"), &["url.dll,FileProtocolHandler", url.as_str()]);
    }
    if cfg!(target_os = "macos") {
        return start(OsStr::new("/usr/bin/open"), &[url.as_str()]);
    }
    let has_display = |variable: &str| std::env::var_os(variable).is_some_and(|value: OsString| !value.is_empty());
    if !has_display("DISPLAY") && !has_display("WAYLAND_DISPLAY") {
        return Err("there is no display".into());
    }
    start(OsStr::new("xdg-open"), &[url.as_str()])
}

/// Starts a program without a part in this terminal, and sees whether it fails at once.
fn start(program: &OsStr, arguments: &[&str]) -> Result<(), String> {
    let name = program.to_string_lossy();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{name}: {status}")),
            Ok(None) => std::thread::sleep(GLANCE),
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    // It lives on, and outlives this program: that is what a browser is for.
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn se_07_the_url_is_one_argument_and_no_shell_sees_it() {
        let folder = std::env::temp_dir().join(format!("bowline-browser-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (script, seen) = (folder.join("browser"), folder.join("seen"));
        std::fs::write(&script, format!("printf '%s\\n' \"$#\" \"$1\" >'{}'\n", seen.display())).unwrap();
        let url = VisitUrl::parse("https://x.example/?a=1&b=*!~#c").unwrap();
        start(OsStr::new("sh"), &[&script.to_string_lossy(), url.as_str()]).unwrap();
        assert_eq!(std::fs::read_to_string(&seen).unwrap(), "1\nhttps://x.example/?a=1&b=*!~#c\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_browser_that_is_not_there_or_fails_is_told() {
        assert!(start(OsStr::new("/no/such/browser"), &[]).unwrap_err().contains("/no/such/browser"));
        assert!(start(OsStr::new("false"), &[]).is_err());
    }
}
