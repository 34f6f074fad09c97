//! What a client keeps of what its server asks, over all its connections: how often, and which visits are open.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_protocol::{ErrorCode, ErrorObject};
use tokio::time::Instant;

use crate::visits::Visits;

/// How many questions to the user and the model are served a minute, unless the builder sets another number.
pub(crate) const PER_MINUTE: u32 = 60;
/// How many rounds of tools a conversation may have had, unless the builder sets another number.
pub(crate) const TOOL_ROUNDS: u32 = 50;

/// Shared by all connections of one client, so that a fresh connection brings no fresh allowance.
pub(crate) struct Asks {
    pub(crate) visits: Visits,
    pub(crate) limits: AskLimits,
    screens: AskScreens,
    bucket: Mutex<Bucket>,
}

/// Who decides whether a request of the server is served at all, in their order.
#[derive(Clone, Default)]
pub(crate) struct AskScreens(Vec<Arc<Screen>>);

type Screen = dyn Fn(&str) -> Result<(), ErrorObject> + Send + Sync;

impl AskScreens {
    pub(crate) fn push(&mut self, screen: impl Fn(&str) -> Result<(), ErrorObject> + Send + Sync + 'static) {
        self.0.push(Arc::new(screen));
    }
}

/// What of it the builder sets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskLimits {
    pub(crate) per_minute: u32,
    pub(crate) tool_rounds: u32,
}

impl Default for AskLimits {
    fn default() -> Self {
        Self { per_minute: PER_MINUTE, tool_rounds: TOOL_ROUNDS }
    }
}

/// As many requests as are allowed in a minute, and what grows back of them.
struct Bucket {
    left: f64,
    at: Option<Instant>,
}

impl Asks {
    pub(crate) fn new(limits: AskLimits, screens: AskScreens) -> Self {
        let bucket = Mutex::new(Bucket { left: f64::from(limits.per_minute), at: None });
        Self { visits: Visits::default(), limits, screens, bucket }
    }

    /// Has all who decide on a request decide, by its method. The first error is the answer.
    pub(crate) fn pass(&self, method: &str) -> Result<(), ErrorObject> {
        self.screens.0.iter().try_for_each(|screen| screen(method))
    }

    /// Takes one request for the user or the model out of the allowance.
    ///
    /// Specification: client/elicitation and client/sampling, security considerations: rate limits.
    pub(crate) fn admit(&self) -> Result<(), ErrorObject> {
        let per_minute = self.limits.per_minute;
        let most = f64::from(per_minute);
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = bucket.at.replace(now).map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        bucket.left = (bucket.left + since * most / 60.0).min(most);
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - bucket.left) * 60.0 / most;
        drop(bucket);
        tracing::warn!(per_minute, "refused a request of the server: it asks too often");
        let again = if wait.is_finite() { format!("; ask again in {} s", wait.ceil()) } else { String::new() };
        Err(ErrorObject::new(
            ErrorCode::INTERNAL_ERROR,
            format!("too many requests: this client serves {per_minute} a minute{again}"),
        ))
    }

    /// Whether a conversation may go on that has had so many rounds of tools.
    pub(crate) fn admit_rounds(&self, rounds: usize) -> Result<(), ErrorObject> {
        let most = self.limits.tool_rounds;
        if u32::try_from(rounds).is_ok_and(|rounds| rounds <= most) {
            return Ok(());
        }
        Err(ErrorObject::new(
            ErrorCode::INTERNAL_ERROR,
            format!("the conversation has had {rounds} rounds of tools; this client serves {most}"),
        ))
    }
}

impl Default for Asks {
    fn default() -> Self {
        Self::new(AskLimits::default(), AskScreens::default())
    }
}

impl fmt::Debug for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asks").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn d_17_and_q_11_a_flood_ends_in_refusals_and_the_allowance_grows_back() {
        let asks = Asks::default();
        for _ in 0..60 {
            asks.admit().unwrap();
        }
        let refused = asks.admit().unwrap_err();
        assert_eq!(refused.code, ErrorCode::INTERNAL_ERROR);
        assert_eq!(refused.message, "too many requests: this client serves 60 a minute; ask again in 1 s");
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert!(asks.admit().is_ok() && asks.admit().is_err());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!((0..100).filter(|_| asks.admit().is_ok()).count(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn d_17_no_allowance_is_none() {
        let asks = Asks::new(AskLimits { per_minute: 0, ..AskLimits::default() }, AskScreens::default());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(asks.admit().unwrap_err().message, "too many requests: this client serves 0 a minute");
    }

    #[test]
    fn q_11_rounds_of_tools_end_in_a_refusal() {
        let asks = Asks::default();
        assert!(asks.admit_rounds(50).is_ok());
        assert!(asks.admit_rounds(51).unwrap_err().message.contains("51 rounds"));
        assert!(asks.admit_rounds(usize::MAX).is_err());
    }
}
