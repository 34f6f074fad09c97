//! Secrets that a command prints, such as that of a password manager.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The longest answer of a command, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// What a command prints, without its last line break. No shell is started. Errors show nothing of what it printed.
pub(super) fn output(line: &str, deadline: Duration) -> Result<String, String> {
    let words = shlex::split(line).filter(|words| !words.is_empty());
    let Some((program, args)) = words.as_deref().and_then(<[String]>::split_first) else {
        return Err("the command is no line that can be split into words".to_owned());
    };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    // A group of its own, so that what it starts ends with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let program = crate::problem::shown(program);
    let mut child = Running(command.spawn().map_err(|error| format!("`{program}` cannot be started: {error}"))?);
    let Some(stdout) = child.0.stdout.take() else { return Err(format!("`{program}` has no output")) };
    let (tell, told) = mpsc::sync_channel(1);
    // It ends when the group that holds the other end of the pipe does: at the latest below.
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(MAX_OUTPUT + 1).read_to_end(&mut bytes);
        // Nobody listens after the deadline.
        let _ = tell.send(read.map(|_| bytes));
    });
    let read = told.recv_timeout(deadline);
    let status = match &read {
        Ok(_) => child.wait_briefly(),
        Err(_) => None,
    };
    child.kill();
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(format!("the output of `{program}` cannot be read: {error}")),
        Err(_) => return Err(format!("`{program}` took longer than {} s", deadline.as_secs_f64())),
    };
    // It told all that it had, and is at its end.
    let _ = reader.join();
    if bytes.len() as u64 > MAX_OUTPUT {
        return Err(format!("`{program}` printed more than {} KiB", MAX_OUTPUT / 1024));
    }
    match status {
        Some(status) if status.success() => {}
        Some(status) => return Err(format!("`{program}` failed: {status}")),
        None => return Err(format!("`{program}` closed its output and went on")),
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("`{program}` printed what is no UTF-8 text"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A child that is killed, and waited for, when nobody needs it any more.
struct Running(Child);

impl Running {
    /// Its status, if it ends soon after its output did.
    fn wait_briefly(&mut self) -> Option<std::process::ExitStatus> {
        const STEP: Duration = Duration::from_millis(5);
        for _ in 0..400 {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => std::thread::sleep(STEP),
                Err(_) => return None,
            }
        }
        None
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(group) = i32::try_from(self.0.id()).ok().filter(|_| matches!(self.0.try_wait(), Ok(None))) {
            // It may have ended in between; its id is not used again before it is waited for.
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_a_command_prints_is_its_value() {
        assert_eq!(output("printf '%s\\n' 'a b'", LONG), Ok("a b".to_owned()));
    }

    #[test]
    fn what_goes_wrong_is_told_without_what_was_printed() {
        assert!(output("false", LONG).unwrap_err().contains("failed"));
        assert!(output("no-such-program-here", LONG).unwrap_err().contains("cannot be started"));
        assert!(output("sh -c 'echo s3cret; exit 3'", LONG).unwrap_err().contains("`sh` failed"));
        assert!(output("head -c 70000 /dev/zero", LONG).unwrap_err().contains("more than 64 KiB"));
        assert!(output("'", LONG).is_err() && output("  ", LONG).is_err());
    }

    #[test]
    fn a_command_that_does_not_end_is_killed_with_what_it_started() {
        let error = output("sh -c 'sleep 1000 & sleep 1000'", Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("took longer"), "{error}");
    }
}
