//! Runs a test runner, passing its output on and counting the tests in it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

/// How many tests ran, by result.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl Counts {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Reads a closing line of libtest or nextest; any other line counts nothing.
    fn of_line(line: &str) -> Self {
        let mut counts = Self::default();
        let line = line.trim();
        let results = if let Some((_, rest)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        {
            rest
        } else if let Some((_, rest)) = line.strip_prefix("Summary [").and_then(|rest| rest.split_once(" run: ")) {
            rest
        } else {
            return counts;
        };
        for part in results.split([',', ';']) {
            let Some((number, word)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            // Nextest says `3 passed (1 slow)`, `1 timed out`, `1 exec failed`.
            if word.starts_with("passed") {
                counts.passed += number;
            } else if word.starts_with("failed") || word.starts_with("timed out") || word.starts_with("exec failed") {
                counts.failed += number;
            }
        }
        counts
    }
}

/// Runs `command`, adding what it ran to `counts`.
pub fn run(mut command: Command, counts: &mut Counts) -> Result<()> {
    eprintln!("$ {command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("the pipes of {command:?} are missing");
    };
    let errors = thread::spawn(move || pass_on(stderr, |line| eprintln!("{line}")));
    counts.add(pass_on(stdout, |line| println!("{line}"))?);
    match errors.join() {
        Ok(counted) => counts.add(counted?),
        Err(_) => bail!("reading the errors of {command:?} failed"),
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("the test runner ended with {status}; its output is above");
    }
    Ok(())
}

/// Prints each line as it comes.
fn pass_on(from: impl Read, print: fn(&str)) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print(text.trim_end());
        counts.add(Counts::of_line(&text));
        line.clear();
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn reads_the_closing_lines_of_both_runners() {
        let lines = [
            ("test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 2 filtered out; finished in 0.01s", 12, 0),
            ("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s", 1, 2),
            ("     Summary [   1.234s] 12 tests run: 12 passed (1 slow), 4 skipped", 12, 0),
            ("     Summary [   1.234s] 5/9 tests run: 2 passed, 2 failed, 1 timed out, 4 skipped", 2, 3),
            ("running 5 tests", 0, 0),
        ];
        for (line, passed, failed) in lines {
            assert_eq!(Counts::of_line(line), Counts { passed, failed }, "{line}");
        }
    }
}
