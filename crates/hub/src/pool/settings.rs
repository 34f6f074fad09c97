//! What a pool goes by.

use std::time::Duration;

use bowline_client::Error;

use crate::health::Restarts;

/// How many connections one replica may have.
const MOST_CONNECTIONS: u32 = 64;
/// The longest time that makes sense.
const LONGEST: Duration = Duration::from_secs(86_400 * 365);

/// Settings of a [`Pool`](super::Pool). [`Default`] is one connection that is opened when it is needed.
///
/// ```
/// use std::time::Duration;
/// use bowline_hub::PoolSettings;
///
/// let settings = PoolSettings::default().with_connections(4).with_idle(Some(Duration::from_secs(60)));
/// assert_eq!((settings.connections, settings.min_connections), (4, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PoolSettings {
    /// How many connections each replica has at most, 1 to 64. Default 1.
    pub connections: u32,
    /// How many of them stay open with nothing to do. Default 0. They are not opened before they are needed, unless by
    /// [`Pool::warm`](super::Pool::warm).
    pub min_connections: u32,
    /// Another connection is opened where the open calls of a replica are as many as this for each of those it has, 1 or
    /// more. Default 16.
    pub calls_per_connection: u32,
    /// After how long without a call a connection is closed, down to `min_connections`. Default 5 min; none never closes
    /// any.
    pub idle: Option<Duration>,
    /// Whether a caller who gives a [key](super::Affinity::key) keeps to one connection. Default no, and keys are looked
    /// past.
    pub sticky: bool,
    /// How long a call waits where no replica may be connected yet, rather than to fail at once. Default 1 s: the restart
    /// of a server is waited out, and one that stays down is told of soon.
    pub patience: Duration,
    /// When a replica that fails gets no calls for a while. None leaves all in. It has no effect on a pool of one.
    pub ejection: Option<Ejection>,
    /// How often and when a replica is connected again.
    pub restarts: Restarts,
    /// Where the draws begin: the same seed draws the same. Default: another in each pool.
    pub seed: Option<u64>,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            connections: 1,
            min_connections: 0,
            calls_per_connection: 16,
            idle: Some(Duration::from_secs(300)),
            sticky: false,
            patience: Duration::from_secs(1),
            ejection: Some(Ejection::default()),
            restarts: Restarts::default(),
            seed: None,
        }
    }
}

impl PoolSettings {
    /// Sets how many connections each replica has at most.
    #[must_use]
    pub const fn with_connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Sets how many connections of each replica stay open with nothing to do.
    #[must_use]
    pub const fn with_min_connections(mut self, connections: u32) -> Self {
        self.min_connections = connections;
        self
    }

    /// Sets from how many open calls for each connection on another one is opened.
    #[must_use]
    pub const fn with_calls_per_connection(mut self, calls: u32) -> Self {
        self.calls_per_connection = calls;
        self
    }

    /// Sets after how long without a call a connection is closed.
    #[must_use]
    pub const fn with_idle(mut self, idle: Option<Duration>) -> Self {
        self.idle = idle;
        self
    }

    /// Sets whether a caller who gives a key keeps to one connection.
    #[must_use]
    pub const fn with_sticky(mut self, sticky: bool) -> Self {
        self.sticky = sticky;
        self
    }

    /// Sets how long a call waits where no replica may be connected yet.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets when a replica that fails gets no calls for a while.
    #[must_use]
    pub const fn with_ejection(mut self, ejection: Option<Ejection>) -> Self {
        self.ejection = ejection;
        self
    }

    /// Sets how often and when a replica is connected again.
    #[must_use]
    pub const fn with_restarts(mut self, restarts: Restarts) -> Self {
        self.restarts = restarts;
        self
    }

    /// Sets where the draws begin.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Refuses what makes no sense.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self { connections, min_connections, calls_per_connection, idle, patience, ejection, .. } = self;
        check((1..=MOST_CONNECTIONS).contains(connections), || {
            format!("connections is {connections}; set 1 to {MOST_CONNECTIONS}")
        })?;
        check(min_connections <= connections, || {
            format!(
                "min_connections ({min_connections}) is above connections ({connections}); lower the one or raise the other"
            )
        })?;
        check(*calls_per_connection > 0, || "calls_per_connection is 0; set 1 or more".to_owned())?;
        check(idle.is_none_or(|idle| !idle.is_zero() && idle <= LONGEST), || {
            "idle is no time that a connection can rest; set more than 0 and less than a year, or none".to_owned()
        })?;
        check(*patience <= LONGEST, || format!("patience is {patience:?}; set less than a year"))?;
        ejection.as_ref().map_or(Ok(()), Ejection::check)
    }
}

/// When a replica that fails gets no calls for a while. A tool that ran and failed (`isError`), and a server that answers
/// with an error of the protocol, are no failures: the replica was there.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Ejection {
    /// After how many failures in a row. Default 5.
    pub consecutive: u32,
    /// Or from which part of the calls within [`window`](Self::window) on, above 0 and up to 1. Default 0.5.
    pub error_rate: f64,
    /// How many calls there must be within the window for the rate to count. Default 20.
    pub min_calls: u32,
    /// How far back the rate looks: between half of this and all of it. Default 30 s.
    pub window: Duration,
    /// How long a replica gets no calls. It doubles from one time to the next, unless the replica was in for as long as
    /// it was out. Default 10 s.
    pub time: Duration,
    /// What that time never exceeds. Default 5 min.
    pub max_time: Duration,
    /// Which part of the replicas may be out at once, 0 to 1: never all. Default 0.5.
    pub max_ejected: f64,
    /// How long a replica may take to answer the question whether it is well again. Default 5 s.
    pub probe_timeout: Duration,
    /// How many calls a replica that came back has to answer before more than one failure is forgiven. Default 3.
    pub trial: u32,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            consecutive: 5,
            error_rate: 0.5,
            min_calls: 20,
            window: Duration::from_secs(30),
            time: Duration::from_secs(10),
            max_time: Duration::from_secs(300),
            max_ejected: 0.5,
            probe_timeout: Duration::from_secs(5),
            trial: 3,
        }
    }
}

impl Ejection {
    /// Sets after how many failures in a row.
    #[must_use]
    pub const fn with_consecutive(mut self, failures: u32) -> Self {
        self.consecutive = failures;
        self
    }

    /// Sets from which part of at least `min_calls` calls within how long.
    #[must_use]
    pub const fn with_error_rate(mut self, rate: f64, min_calls: u32, window: Duration) -> Self {
        self.error_rate = rate;
        self.min_calls = min_calls;
        self.window = window;
        self
    }

    /// Sets for how long, and what that never exceeds.
    #[must_use]
    pub const fn with_time(mut self, time: Duration, max_time: Duration) -> Self {
        self.time = time;
        self.max_time = max_time;
        self
    }

    /// Sets which part of the replicas may be out at once.
    #[must_use]
    pub const fn with_max_ejected(mut self, part: f64) -> Self {
        self.max_ejected = part;
        self
    }

    fn check(&self) -> Result<(), Error> {
        let Self { consecutive, error_rate, min_calls, window, time, max_time, max_ejected, probe_timeout, .. } = self;
        check(*consecutive > 0, || "ejection: consecutive is 0; set 1 or more".to_owned())?;
        check(*error_rate > 0.0 && *error_rate <= 1.0, || {
            format!("ejection: error_rate is {error_rate}; set more than 0 and at most 1")
        })?;
        check(*min_calls > 0, || "ejection: min_calls is 0; set 1 or more".to_owned())?;
        check((0.0..=1.0).contains(max_ejected), || format!("ejection: max_ejected is {max_ejected}; set 0 to 1"))?;
        for (name, value) in [("window", window), ("time", time), ("probe_timeout", probe_timeout)] {
            check(!value.is_zero() && *value <= LONGEST, || {
                format!("ejection: {name} is {value:?}; set more than 0 and less than a year")
            })?;
        }
        check(time <= max_time && *max_time <= LONGEST, || {
            format!("ejection: time ({time:?}) is above max_time ({max_time:?}), or that is above a year; lower it")
        })
    }
}

/// Refuses unless `holds`.
pub(super) fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::config(format!("pool: {}", what()))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let pool = PoolSettings::default();
        let ejection = Ejection::default();
        assert!(pool.check().is_ok());
        for (settings, name) in [
            (pool.with_connections(0), "connections is 0"),
            (pool.with_connections(65), "set 1 to 64"),
            (pool.with_min_connections(2), "min_connections (2)"),
            (pool.with_calls_per_connection(0), "calls_per_connection"),
            (pool.with_idle(Some(Duration::ZERO)), "idle"),
            (pool.with_patience(Duration::MAX), "patience"),
            (pool.with_ejection(Some(ejection.with_consecutive(0))), "consecutive"),
            (pool.with_ejection(Some(ejection.with_max_ejected(f64::NAN))), "max_ejected"),
            (pool.with_ejection(Some(ejection.with_time(Duration::from_secs(9), Duration::from_secs(8)))), "max_time"),
            (pool.with_ejection(Some(ejection.with_error_rate(0.0, 1, Duration::from_secs(1)))), "error_rate"),
            (pool.with_ejection(Some(ejection.with_error_rate(0.1, 0, Duration::from_secs(1)))), "min_calls"),
            (pool.with_ejection(Some(ejection.with_error_rate(0.1, 1, Duration::ZERO))), "window"),
        ] {
            let error = settings.check().unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
