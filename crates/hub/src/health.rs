//! How a server is: what decides when it may be tried, without I/O or a clock.

use std::fmt;
use std::time::Duration;

use bowline_client::{Error, ErrorKind};
use tokio::time::Instant;

/// When a server that is down is tried again, and how often.
///
/// The delay doubles from one failure to the next. A server that stayed up for [`good_uptime`](Self::good_uptime) begins
/// anew at the shortest one; that it was started is not enough, so a server that dies right after its handshake is
/// tried ever more seldom and at last no more.
///
/// ```
/// use std::time::Duration;
/// use bowline_hub::Restarts;
///
/// let restarts = Restarts::default().with_attempts(3).with_max_delay(Duration::from_secs(5));
/// assert!(restarts.by_itself);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restarts {
    /// The delay after the first failure. Default 500 ms.
    pub base_delay: Duration,
    /// What the delay never exceeds. Default 60 s.
    pub max_delay: Duration,
    /// How many failures in a row there may be before the server is given up ([`HealthState::Failed`]). Default 8. 0 never
    /// gives up.
    pub attempts: u32,
    /// How long a server has to stay up for its failures to be forgotten. Default 10 s.
    pub good_uptime: Duration,
    /// Whether the hub by itself opens a connection again that was lost. Default: yes. Otherwise the next call does.
    pub by_itself: bool,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(60),
            attempts: 8,
            good_uptime: Duration::from_secs(10),
            by_itself: true,
        }
    }
}

impl Restarts {
    /// Sets the delay after the first failure.
    #[must_use]
    pub const fn with_base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// Sets what the delay never exceeds.
    #[must_use]
    pub const fn with_max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets how many failures in a row there may be before the server is given up; 0 never gives up.
    #[must_use]
    pub const fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets how long a server has to stay up for its failures to be forgotten.
    #[must_use]
    pub const fn with_good_uptime(mut self, uptime: Duration) -> Self {
        self.good_uptime = uptime;
        self
    }

    /// Sets whether the hub by itself opens a connection again that was lost.
    #[must_use]
    pub const fn by_itself(mut self, by_itself: bool) -> Self {
        self.by_itself = by_itself;
        self
    }

    /// The delay after so many failures in a row.
    fn delay(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1).min(31));
        self.base_delay.saturating_mul(factor).min(self.max_delay)
    }
}

/// How a server, or one of its replicas, is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum HealthState {
    /// No connection, and none is needed: it is opened by the first call.
    Idle,
    /// A connection is being opened.
    Connecting,
    /// Connected.
    Up,
    /// Connected, and something is wrong: some replicas are down, or calls fail.
    Degraded {
        /// What is wrong.
        why: Error,
    },
    /// Down, and tried again later.
    Waiting {
        /// When.
        until: Instant,
        /// Why it is down.
        why: Error,
    },
    /// Down, and not tried again by itself: it failed too often in a row, or would fail the same way.
    Failed {
        /// Why.
        why: Error,
    },
    /// Closed for good, by this side.
    Stopped,
}

impl HealthState {
    /// One word for it: `idle`, `connecting`, `up`, `degraded`, `waiting`, `failed` or `stopped`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Degraded { .. } => "degraded",
            Self::Waiting { .. } => "waiting",
            Self::Failed { .. } => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// How several replicas are together: as the best of them, and degraded where one is up and another is not well.
    pub(crate) fn of_all(states: impl Iterator<Item = Self>) -> Self {
        let mut best = None;
        let mut wrong = None;
        for state in states {
            wrong = wrong.or_else(|| state.why().cloned());
            best = Some(match best {
                Some(best) if Self::rank(&best) >= state.rank() => best.sooner(state),
                _ => state,
            });
        }
        match (best.unwrap_or(Self::Stopped), wrong) {
            (Self::Up, Some(why)) => Self::Degraded { why },
            (best, _) => best,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Up => 6,
            Self::Degraded { .. } => 5,
            Self::Connecting => 4,
            Self::Idle => 3,
            Self::Waiting { .. } => 2,
            Self::Failed { .. } => 1,
            Self::Stopped => 0,
        }
    }

    /// Of two that wait the one that is tried sooner.
    fn sooner(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Waiting { until, .. }, Self::Waiting { until: sooner, .. }) if sooner < until => other,
            _ => self,
        }
    }

    /// Whether calls can be made, if need be after connecting.
    pub const fn is_available(&self) -> bool {
        !matches!(self, Self::Waiting { .. } | Self::Failed { .. } | Self::Stopped)
    }

    /// Whether there is a connection.
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up | Self::Degraded { .. })
    }

    /// What is wrong, where something is.
    pub const fn why(&self) -> Option<&Error> {
        match self {
            Self::Degraded { why } | Self::Waiting { why, .. } | Self::Failed { why } => Some(why),
            _ => None,
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.why() {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

/// The health of one server or replica: told what happened and when, it says what may be done.
#[derive(Debug)]
pub(crate) struct Health {
    restarts: Restarts,
    /// What it is called in errors.
    what: String,
    state: HealthState,
    /// Failures in a row: connects that failed, and connections that did not stay.
    failures: u32,
    up_since: Option<Instant>,
    /// When it was last found to be down.
    down_at: Option<Instant>,
}

impl Health {
    /// `what` names it in errors, such as `server "files"`.
    pub(crate) fn new(what: impl Into<String>, restarts: Restarts) -> Self {
        Self { restarts, what: what.into(), state: HealthState::Idle, failures: 0, up_since: None, down_at: None }
    }

    pub(crate) const fn state(&self) -> &HealthState {
        &self.state
    }

    /// Whether a connection may be opened now; otherwise what a call ends with, at once.
    pub(crate) fn may_connect(&self, now: Instant) -> Result<(), Error> {
        match &self.state {
            HealthState::Waiting { until, why } if *until > now => {
                Err(Error::unavailable(&self.what, Some(why), Some(*until - now)))
            }
            HealthState::Failed { why } => Err(Error::unavailable(&self.what, Some(why), None)),
            HealthState::Stopped => Err(Error::unavailable(&self.what, None, None)),
            _ => Ok(()),
        }
    }

    /// When it is to be tried again, where it waits for that.
    pub(crate) const fn due(&self) -> Option<Instant> {
        match self.state {
            HealthState::Waiting { until, .. } => Some(until),
            _ => None,
        }
    }

    /// A connection is being opened.
    pub(crate) fn connecting(&mut self, _now: Instant) {
        if !self.is_stopped() {
            self.state = HealthState::Connecting;
        }
    }

    /// It is connected.
    pub(crate) fn connected(&mut self, now: Instant) {
        if !self.is_stopped() {
            self.state = HealthState::Up;
            self.up_since = Some(now);
        }
    }

    /// Opening a connection failed, which was begun at `began`. Of several attempts side by side the first that fails
    /// counts: the others say the same of the same outage.
    pub(crate) fn failed(&mut self, error: &Error, began: Instant, now: Instant) {
        let is_known = self.may_connect(now).is_err() || self.down_at.is_some_and(|down_at| began < down_at);
        if !is_known {
            self.failures = self.failures.saturating_add(1);
            self.down(error, now);
        }
    }

    /// The connection ended without anybody having wanted it.
    pub(crate) fn lost(&mut self, error: &Error, now: Instant) {
        if !self.is_stopped() {
            let stayed =
                self.up_since.is_some_and(|since| now.saturating_duration_since(since) >= self.restarts.good_uptime);
            self.failures = if stayed { 1 } else { self.failures.saturating_add(1) };
            self.down(error, now);
        }
    }

    /// The last connection was closed because nobody needed it.
    pub(crate) fn idle(&mut self, now: Instant) {
        if self.is_stopped() {
            return;
        }
        if self.up_since.is_some_and(|since| now.saturating_duration_since(since) >= self.restarts.good_uptime) {
            self.failures = 0;
        }
        self.up_since = None;
        self.state = HealthState::Idle;
    }

    /// An attempt to connect was given up before it came to anything: nobody waits for it any more.
    pub(crate) fn given_up(&mut self) {
        if matches!(self.state, HealthState::Connecting) {
            self.state = HealthState::Idle;
        }
    }

    /// It is closed for good.
    pub(crate) fn stopped(&mut self) {
        self.state = HealthState::Stopped;
        self.up_since = None;
    }

    /// Forgets what stands against another attempt: somebody has mended what was wrong.
    pub(crate) fn forgive(&mut self) {
        self.failures = 0;
        if matches!(self.state, HealthState::Waiting { .. } | HealthState::Failed { .. }) {
            self.state = HealthState::Idle;
        }
    }

    const fn is_stopped(&self) -> bool {
        matches!(self.state, HealthState::Stopped)
    }

    fn down(&mut self, error: &Error, now: Instant) {
        self.up_since = None;
        self.down_at = Some(now);
        let why = error.clone();
        let gives_up = self.restarts.attempts > 0 && self.failures > self.restarts.attempts;
        self.state = if gives_up || is_permanent(error) {
            HealthState::Failed { why }
        } else {
            let delay = self.restarts.delay(self.failures).max(error.retry_after().unwrap_or_default());
            // A server may ask to be left alone for longer than anybody lives.
            HealthState::Waiting { until: now + delay.min(FAR), why }
        };
    }
}

/// What a wait never exceeds, whatever a server says.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Whether connecting again will fail the same way.
fn is_permanent(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::UnsupportedVersion
            | ErrorKind::Config
            | ErrorKind::Unsupported
            | ErrorKind::Auth
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lost() -> Error {
        Error::shutting_down(bowline_transport::Sent::No)
    }

    fn health(restarts: Restarts) -> Health {
        Health::new("server \"x\"", restarts)
    }

    #[test]
    fn a_server_that_dies_after_each_start_is_tried_ever_more_seldom_and_then_no_more() {
        let restarts = Restarts::default().with_attempts(5).with_max_delay(Duration::from_secs(4));
        let (mut health, mut now, mut delays) = (health(restarts), Instant::now(), Vec::new());
        loop {
            health.may_connect(now).unwrap();
            health.connecting(now);
            health.connected(now);
            now += Duration::from_millis(10);
            health.lost(&lost(), now);
            let Some(due) = health.due() else { break };
            delays.push((due - now).as_millis());
            let refused = health.may_connect(now).unwrap_err();
            assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Unavailable, Some(due - now)));
            now = due;
        }
        assert_eq!(delays, [500, 1000, 2000, 4000, 4000]);
        assert!(matches!(health.state(), HealthState::Failed { .. }));
        let refused = health.may_connect(now + Duration::from_secs(9999)).unwrap_err();
        assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Unavailable, None));
        assert!(!refused.is_retryable());
        health.forgive();
        health.may_connect(now).unwrap();
    }

    #[test]
    fn what_cannot_work_is_not_tried_again() {
        let missing =
            bowline_transport::TransportError::new(bowline_transport::TransportErrorKind::NotFound, "no such program");
        let mut health = health(Restarts::default());
        health.failed(&missing.into(), Instant::now(), Instant::now());
        assert!(matches!(health.state(), HealthState::Failed { .. }));
    }

    #[test]
    fn attempts_side_by_side_are_one_failure_also_where_some_end_late() {
        let (mut health, began) = (health(Restarts::default()), Instant::now());
        health.connecting(began);
        for millis in [0, 1, 400, 600, 30_000] {
            health.failed(&lost(), began, began + Duration::from_millis(1 + millis));
        }
        assert_eq!(health.due(), Some(began + Duration::from_millis(501)));
        let again = began + Duration::from_millis(501);
        health.failed(&lost(), again, again);
        assert_eq!(health.due(), Some(again + Duration::from_secs(1)));
    }

    #[test]
    fn a_good_uptime_makes_the_next_loss_the_first_one() {
        let (mut health, mut now) = (health(Restarts::default()), Instant::now());
        for _ in 0..3 {
            health.connected(now);
            health.lost(&lost(), now);
        }
        now += Duration::from_secs(60);
        health.connected(now);
        now += Duration::from_secs(600);
        health.lost(&lost(), now);
        assert_eq!(health.due(), Some(now + Restarts::default().base_delay));
    }

    #[test]
    fn replicas_together_are_as_the_best_of_them() {
        let now = Instant::now();
        let waits = |seconds| HealthState::Waiting { until: now + Duration::from_secs(seconds), why: lost() };
        let of = |states: &[HealthState]| HealthState::of_all(states.iter().cloned());
        assert_eq!(of(&[HealthState::Idle, HealthState::Up]).name(), "up");
        assert_eq!(of(&[waits(1), HealthState::Up]).name(), "degraded");
        assert_eq!(of(&[waits(1), HealthState::Idle]).name(), "idle");
        let HealthState::Waiting { until, .. } = of(&[waits(9), waits(2), HealthState::Failed { why: lost() }]) else {
            panic!("it waits")
        };
        assert_eq!(until, now + Duration::from_secs(2));
        assert_eq!(of(&[]).name(), "stopped");
    }

    #[derive(Debug, Clone)]
    enum Event {
        Wait(u64),
        Connect,
        Fail,
        Lose,
        Idle,
        Forgive,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (1_u64..100_000).prop_map(Event::Wait),
            Just(Event::Connect),
            Just(Event::Fail),
            Just(Event::Lose),
            Just(Event::Idle),
            Just(Event::Forgive),
        ]
    }

    proptest! {
        #[test]
        fn waits_are_within_bounds_and_end(events in prop::collection::vec(event(), 1..200)) {
            let restarts = Restarts::default();
            let (mut health, mut now) = (health(restarts), Instant::now());
            for event in events {
                match event {
                    Event::Wait(millis) => now += Duration::from_millis(millis),
                    Event::Connect if health.may_connect(now).is_ok() => {
                        health.connecting(now);
                        health.connected(now);
                    }
                    Event::Connect => {}
                    Event::Fail if !health.state().is_up() && health.may_connect(now).is_ok() => health.failed(&lost(), now, now),
                    Event::Lose if health.state().is_up() => health.lost(&lost(), now),
                    Event::Idle if health.state().is_up() => health.idle(now),
                    Event::Forgive => health.forgive(),
                    _ => {}
                }
                if let Some(due) = health.due() {
                    let wait = due.saturating_duration_since(now);
                    prop_assert!(wait <= restarts.max_delay);
                    // At that moment it may be tried, and not before.
                    prop_assert!(health.may_connect(due).is_ok());
                    prop_assert_eq!(health.may_connect(now).is_err(), !wait.is_zero());
                }
                prop_assert!(health.failures <= restarts.attempts + 1);
            }
        }
    }
}
