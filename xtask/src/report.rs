//! What a chore found out beside success or failure.

use anyhow::Result;

use crate::context::Context;
use crate::counts::Counts;

/// Filled by a chore while it runs, printed at the end.
#[derive(Default)]
pub struct Report {
    /// Tests that ran.
    pub counts: Counts,
    /// Facts worth a line in the summary.
    pub notes: Vec<String>,
    /// What did not run because this machine lacks something; an error with `CI=true`.
    pub missing: Vec<String>,
    /// What did not run because something outside cannot be reached; never an error.
    pub unreachable: Vec<String>,
}

impl Report {
    /// Notes that `what` did not run, and what to do about it.
    pub fn missing(&mut self, what: &str, remedy: &str) {
        let line = format!("{what} ({remedy})");
        println!("skipped: {line}");
        self.missing.push(line);
    }

    /// Notes that `what` did not run since it needs something that cannot be reached from here.
    pub fn unreachable(&mut self, what: &str) {
        println!("skipped: {what}");
        self.unreachable.push(what.to_owned());
    }

    /// Tells whether what was missing counts as a failure.
    pub fn lacks(&self, context: &Context) -> bool {
        context.ci && !self.missing.is_empty()
    }

    /// The lines of the summary: notes, then what was skipped.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let skipped = self.missing.iter().chain(&self.unreachable).map(|line| format!("skipped: {line}"));
        self.notes.iter().cloned().chain(skipped)
    }
}

/// Runs one chore by itself; the answer is whether all is well.
pub fn single(context: &Context, chore: fn(&Context, &mut Report) -> Result<()>) -> Result<bool> {
    let mut report = Report::default();
    chore(context, &mut report)?;
    for note in &report.notes {
        println!("{note}");
    }
    Ok(!report.lacks(context))
}
