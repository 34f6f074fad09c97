//! One run of a program, with a bound on its time.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// How a run ended.
pub struct Ended {
    /// Why it counts as failed.
    pub fault: Option<String>,
    /// Both outputs, as they came.
    pub printed: String,
}

/// Runs a command in `home`, which is its home directory as well, and ends it when its time is over.
pub fn run(mut command: Command, home: &Path, bound: Duration) -> Result<Ended> {
    let printed = home.join("printed.txt");
    // A file takes whatever is printed; a pipe that nobody reads would hold the program up.
    let output = File::create(&printed)?;
    command.current_dir(home).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        command.env(variable, home);
    }
    command.env("NO_COLOR", "1");
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let started = Instant::now();
    let fault = loop {
        match child.try_wait()? {
            Some(status) if status.success() => break None,
            Some(status) => break Some(format!("it ended with {status}")),
            None if started.elapsed() > bound => {
                child.kill()?;
                child.wait()?;
                break Some(format!("it had not ended after {} s", bound.as_secs()));
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    Ok(Ended { fault, printed: String::from_utf8_lossy(&fs::read(&printed)?).into_owned() })
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::{Command, Ended, Result, fs, run};

    fn ended(script: &str, bound: Duration) -> Result<Ended> {
        let home = std::env::temp_dir().join(format!("bowline-xtask-{}-{}", std::process::id(), script.len()));
        fs::create_dir_all(&home)?;
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let ended = run(command, &home, bound);
        fs::remove_dir_all(&home)?;
        ended
    }

    #[test]
    fn tells_how_a_program_ended_and_what_it_printed() {
        let minute = Duration::from_secs(60);
        let well = ended("echo out; echo error >&2", minute).unwrap();
        assert!(well.fault.is_none() && well.printed == "out\nerror\n", "{}", well.printed);
        assert_eq!(ended("exit 3", minute).unwrap().fault.unwrap(), "it ended with exit status: 3");
        assert_eq!(ended("exec sleep 600", Duration::ZERO).unwrap().fault.unwrap(), "it had not ended after 0 s");
    }
}
