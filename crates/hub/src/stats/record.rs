//! What is counted of one tool.

use std::collections::BTreeMap;

use bowline_client::{Error, ErrorKind};

use super::latency::Latency;
use super::snapshot::{CallStats, Times};

/// How a call ended, as far as statistics are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// With a result.
    Answered,
    /// With the result of a tool that says that it failed (`isError`).
    ToolFailed,
    /// With an error.
    Failed(ErrorKind),
    /// The caller did not wait for its end.
    GivenUp,
}

impl Outcome {
    /// The outcome of a call that ended with this error.
    pub fn of(error: &Error) -> Self {
        Self::Failed(error.kind())
    }
}

/// The counts of one tool, or of several together.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    calls: u64,
    tool_failures: u64,
    given_up: u64,
    /// In the order in which they came first. There are as many as kinds of errors.
    errors: Vec<(ErrorKind, u64)>,
    latency: Latency,
    /// The turn of the statistics in which it changed last.
    changed: u64,
}

impl Record {
    pub(super) fn note(&mut self, outcome: Outcome, elapsed: std::time::Duration, turn: u64) {
        self.calls = self.calls.saturating_add(1);
        self.changed = turn;
        match outcome {
            Outcome::Answered => self.latency.record(elapsed),
            Outcome::ToolFailed => {
                self.tool_failures += 1;
                self.latency.record(elapsed);
            }
            Outcome::Failed(kind) => self.error(kind, 1),
            Outcome::GivenUp => self.given_up += 1,
        }
    }

    fn error(&mut self, kind: ErrorKind, count: u64) {
        match self.errors.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => {
                self.errors.reserve_exact(1);
                self.errors.push((kind, count));
            }
        }
    }

    /// Adds the counts of another one.
    pub(super) fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.tool_failures = self.tool_failures.saturating_add(other.tool_failures);
        self.given_up = self.given_up.saturating_add(other.given_up);
        for (kind, count) in &other.errors {
            self.error(*kind, *count);
        }
        self.latency.add(&other.latency);
        self.changed = self.changed.max(other.changed);
    }

    /// Whether it changed in this turn or later.
    pub(super) const fn changed_since(&self, turn: u64) -> bool {
        self.calls > 0 && self.changed >= turn
    }

    pub(super) fn read(&self) -> CallStats {
        let mut errors: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (kind, count) in &self.errors {
            *errors.entry(kind.name()).or_default() += count;
        }
        let latency = &self.latency;
        let times = Times {
            count: latency.count(),
            sum: latency.sum(),
            p50: latency.quantile(0.5),
            p90: latency.quantile(0.9),
            p95: latency.quantile(0.95),
            p99: latency.quantile(0.99),
            max: latency.longest(),
        };
        CallStats {
            calls: self.calls,
            tool_failures: self.tool_failures,
            given_up: self.given_up,
            failures: errors.values().sum(),
            errors,
            times,
        }
    }
}
