//! What bowline's own file can say beyond what hosts have: pools, layers, policies.

use std::time::Duration;

use crate::{Place, Template};

/// Connections and replicas of a server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pool {
    /// How many connections to each address, 1 to 64. Default 1.
    pub connections: u32,
    /// Further addresses of the same server.
    pub replicas: Vec<Replica>,
    /// Whether a caller keeps to the connection that it had first. Default false.
    pub sticky: bool,
}

/// A further address of a server.
#[derive(Clone)]
#[non_exhaustive]
pub struct Replica {
    /// The address.
    pub url: Template,
    /// How many calls it gets beside the others, 1 to 1000. Default 1.
    pub weight: u32,
}

impl Replica {
    /// The address as it may be shown: without a password, and without the values of its query.
    pub fn shown_url(&self) -> String {
        crate::resolve::bare_url(&self.url.shown())
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("url", &self.shown_url()).field("weight", &self.weight).finish()
    }
}

/// Layers around a server's calls. What is not set is left to the caller; [`Off`](Layer::Off) asks for none.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Layers {
    /// Retries of what is safe to repeat.
    pub retry: Option<Layer<Retry>>,
    /// A breaker.
    pub breaker: Option<Layer<Breaker>>,
    /// Bounds of how many calls run, and how often.
    pub limits: Option<Layer<Limits>>,
    /// A second attempt where the first is slow.
    pub hedge: Option<Layer<Hedge>>,
    /// A cache of results.
    pub cache: Option<Layer<Cache>>,
}

impl Layers {
    /// What is not set here is taken from `other`.
    pub(crate) fn or(self, other: &Self) -> Self {
        Self {
            retry: self.retry.or_else(|| other.retry.clone()),
            breaker: self.breaker.or_else(|| other.breaker.clone()),
            limits: self.limits.or_else(|| other.limits.clone()),
            hedge: self.hedge.or_else(|| other.hedge.clone()),
            cache: self.cache.or_else(|| other.cache.clone()),
        }
    }
}

/// A layer that is wanted or not.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Layer<T> {
    /// None of it: `false`.
    Off,
    /// With these settings; `true` for the defaults.
    On(T),
}

/// Settings of retries.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Retry {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: Option<u32>,
    /// The delay before the second attempt.
    pub base_delay: Option<Duration>,
    /// The longest delay.
    pub max_delay: Option<Duration>,
}

/// Settings of a breaker.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Breaker {
    /// The share of failures that opens it, above 0 and at most 1.
    pub failure_rate: Option<f64>,
    /// How many calls there must be before it may open; at least 1.
    pub min_calls: Option<u32>,
    /// The time that it looks back.
    pub window: Option<Duration>,
    /// How long it stays open at first.
    pub cool_down: Option<Duration>,
    /// How long it stays open at most.
    pub max_cool_down: Option<Duration>,
}

/// Settings of limits.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Calls that run at once; at least 1.
    pub at_once: Option<u32>,
    /// Calls that begin in [`per`](Self::per); at least 1.
    pub rate: Option<u32>,
    /// The time of [`rate`](Self::rate). Default one second.
    pub per: Option<Duration>,
    /// Calls that may wait.
    pub queue: Option<u32>,
    /// How long one may wait.
    pub max_wait: Option<Duration>,
}

/// Settings of hedging.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Hedge {
    /// The quantile of the latencies that a call must exceed, above 0 and below 1.
    pub quantile: Option<f64>,
    /// The shortest wait before a second attempt.
    pub min_delay: Option<Duration>,
}

/// Settings of a cache.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Cache {
    /// How long a result is fresh where the server does not say.
    pub ttl: Option<Duration>,
    /// How long a result that is not fresh may stand in for an error.
    pub stale_on_error: Option<Duration>,
    /// How many bytes it may hold.
    pub max_bytes: Option<u64>,
}

/// What servers under it may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// What it is called.
    pub name: String,
    /// Which tools may be used, and which without asking.
    pub tools: crate::ToolRules,
    /// Which prompts may be used.
    pub prompts: crate::NameRules,
    /// Which resources may be read.
    pub resources: crate::NameRules,
    /// Whether tools alone may be used that say they only read.
    pub read_only: bool,
    /// Where it stands.
    pub place: Option<Place>,
}

/// Servers that are used together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// The servers in it.
    pub servers: Vec<String>,
    /// Where it stands.
    pub place: Place,
}
