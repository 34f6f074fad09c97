//! A terminal that the command is asked on.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::run::Ran;

/// Runs the command on a terminal of its own, on which each line is typed once the text before it is shown, one after the
/// other; what was shown until the end is its standard error.
pub(crate) fn typed(mut command: Command, lines: &'static [(&'static str, &'static str)]) -> Ran {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(OsStr::from_bytes(name.to_bytes())).unwrap();
    command.env("TERM", "xterm").stdin(slave.try_clone().unwrap()).stderr(slave);
    let child = command.spawn().unwrap();
    // Only the child holds the other end now: its end is the terminal's.
    drop(command);
    let terminal = std::thread::spawn(move || converse(File::from(master), lines));
    let ran: Ran = child.wait_with_output().unwrap().into();
    Ran { stderr: terminal.join().unwrap(), ..ran }
}

fn converse(mut terminal: File, lines: &[(&str, &str)]) -> String {
    let mut lines = lines.iter();
    let (mut next, mut shown, mut seen) = (lines.next(), String::new(), 0);
    let mut bytes = [0; 4096];
    // A terminal whose other end is closed is an error on Linux.
    while let Some(read) = terminal.read(&mut bytes).ok().filter(|read| *read > 0) {
        let piece = String::from_utf8_lossy(&bytes[..read]).into_owned();
        if piece.contains("\u{1b}[6n") {
            terminal.write_all(b"\x1b[1;1R").unwrap();
        }
        shown += &piece;
        while let Some((waits, types)) = next
            && let Some(at) = shown[seen..].find(waits)
        {
            seen += at + waits.len();
            terminal.write_all(types.as_bytes()).unwrap();
            next = lines.next();
        }
    }
    shown
}
