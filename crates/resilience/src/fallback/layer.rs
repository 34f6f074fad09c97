//! The layer, and what it counts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bowline_client::{Call, CallService, Error, Reply};
use bowline_protocol::RawJson;
use moka::future::Cache;
use serde::Serialize;
use tower_layer::Layer;

use super::Fallback;
use crate::keep::Key;
use crate::settings::{InvalidSetting, check};

pub(super) type Answer = Arc<dyn Fn(&Call, &Error) -> Option<Reply> + Send + Sync>;

/// Answers from elsewhere where the server cannot be had: it is not there, does not answer, a breaker is open, a limit
/// is reached, attempts are used up. What the server itself says, an error included, stands.
///
/// Outside of all layers that try to get the server's own answer. Several of them make a row, the outermost being the
/// last resort.
///
/// ```
/// use bowline_client::{Client, Reply};
/// use bowline_protocol::{CallToolResult, RawJson};
/// use bowline_resilience::{FallbackLayer, recommended};
///
/// let sorry = FallbackLayer::answer(|call, error| {
///     let text = format!("{} is not there: {error}", call.name()?);
///     Some(Reply::new(RawJson::from_serialize(&CallToolResult::error(text)).ok()?))
/// });
/// let builder = Client::builder().layer(sorry).layer(recommended());
/// ```
#[derive(Debug, Clone)]
pub struct FallbackLayer(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) place: Place,
    pub(super) counters: Counters,
}

pub(super) enum Place {
    Elsewhere(CallService),
    LastGood(Cache<Key, RawJson>),
    Answer(Answer),
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) outages: AtomicU64,
    pub(super) answered: AtomicU64,
}

/// What a [`FallbackLayer`] did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FallbackStats {
    /// How many calls found that the server cannot be had.
    pub outages: u64,
    /// How many of them got an answer from elsewhere.
    pub answered: u64,
}

impl FallbackLayer {
    /// Asks another server, by the [service](bowline_client::Client::service) of its client. Not for a call that is
    /// unsafe and may have reached the first one: it might be carried out by both.
    pub fn elsewhere(service: CallService) -> Self {
        Self::new(Place::Elsewhere(service))
    }

    /// Gives the last good answer to the same question, for calls that only read and lists of one page. `max_bytes`
    /// bounds what all of these answers take; the ones that were not used for longest make room.
    ///
    /// # Errors
    /// Where `max_bytes` is 0.
    pub fn last_good(max_bytes: u64) -> Result<Self, InvalidSetting> {
        check(max_bytes > 0, || {
            "max_bytes is 0, so no answer would be kept; set how much memory they may take".into()
        })?;
        let cache = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|key: &Key, raw: &RawJson| u32::try_from(key.bytes() + raw.as_str().len()).unwrap_or(u32::MAX))
            .build();
        Ok(Self::new(Place::LastGood(cache)))
    }

    /// Lets `answer` make one, or leave the error as it is. For a call that may have run the error says so
    /// ([`Error::sent`]): then an answer that claims success would be a lie.
    pub fn answer(answer: impl Fn(&Call, &Error) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::new(Place::Answer(Arc::new(answer)))
    }

    fn new(place: Place) -> Self {
        Self(Arc::new(Shared { place, counters: Counters::default() }))
    }

    /// What it did so far.
    pub fn stats(&self) -> FallbackStats {
        let Counters { outages, answered } = &self.0.counters;
        FallbackStats { outages: outages.load(Ordering::Relaxed), answered: answered.load(Ordering::Relaxed) }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.place {
            Place::Elsewhere(_) => "Elsewhere",
            Place::LastGood(_) => "LastGood",
            Place::Answer(_) => "Answer",
        })
    }
}

impl<S> Layer<S> for FallbackLayer {
    type Service = Fallback<S>;

    fn layer(&self, inner: S) -> Fallback<S> {
        Fallback { inner, shared: Arc::clone(&self.0) }
    }
}
