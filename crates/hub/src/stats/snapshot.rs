//! The statistics of one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// The statistics of all servers, or of those of which something changed; in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatsSnapshot {
    /// Each server.
    pub servers: Vec<ServerSnapshot>,
}

/// The statistics of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerSnapshot {
    /// Its name.
    pub name: String,
    /// All calls together.
    pub total: CallStats,
    /// Those of each tool, in the order of their names.
    pub tools: Vec<NamedStats>,
    /// Those of tools beyond the number that is kept apart, together.
    pub other_tools: Option<CallStats>,
    /// Those that are no calls of tools, by their method.
    pub methods: Vec<NamedStats>,
}

/// The statistics of one tool or method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NamedStats {
    /// The server's own name of the tool, or the method.
    pub name: String,
    /// What was counted.
    #[serde(flatten)]
    pub stats: CallStats,
}

/// What was counted of calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CallStats {
    /// How many ended, in whatever way.
    pub calls: u64,
    /// How many ended with the result of a tool that says that it failed (`isError`).
    pub tool_failures: u64,
    /// How many the caller gave up.
    pub given_up: u64,
    /// How many ended with an error.
    pub failures: u64,
    /// The same by the kind of the error, such as `timeout`.
    pub errors: BTreeMap<&'static str, u64>,
    /// How long those took that ended with a result.
    pub times: Times,
}

/// How long calls took. The quantiles are exact up to a sixteenth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Times {
    /// How many there are.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
    /// What half of them did not exceed.
    pub p50: Duration,
    /// What nine of ten did not exceed.
    pub p90: Duration,
    /// What 95 of a hundred did not exceed.
    pub p95: Duration,
    /// What 99 of a hundred did not exceed.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Times {
    /// Their mean; zero where there are none.
    pub fn mean(&self) -> Duration {
        let nanos = self.sum.as_nanos().checked_div(self.count.into()).unwrap_or_default();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
