//! Where the key of a store comes from.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::StoreKey;
use crate::error::AuthError;

/// Gives a key, or says that there is none.
type Give = dyn Fn() -> Result<Option<StoreKey>, AuthError> + Send + Sync;

/// Where the key comes from that a store encrypts with.
#[derive(Clone, Default)]
pub(super) enum KeySource {
    /// There is none.
    #[default]
    None,
    Known(StoreKey),
    Asked(Arc<Asked>),
}

/// Somebody who is asked once, and not before a key is wanted.
pub(super) struct Asked {
    give: Box<Give>,
    given: OnceLock<Option<StoreKey>>,
    /// How many wait for it right now.
    waiting: AtomicUsize,
}

/// Counts one who waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl KeySource {
    pub(super) fn asked(give: impl Fn() -> Result<Option<StoreKey>, AuthError> + Send + Sync + 'static) -> Self {
        Self::Asked(Arc::new(Asked { give: Box::new(give), given: OnceLock::new(), waiting: AtomicUsize::new(0) }))
    }

    pub(super) const fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether somebody is asked for the key right now, here or in the process that is waited for.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(asked) if asked.waiting.load(Ordering::Relaxed) > 0)
    }

    /// The key. `alone` is held while somebody is asked for it: a key that is made for want of one is made once.
    pub(super) fn key<L>(&self, alone: impl FnOnce() -> Result<L, AuthError>) -> Result<Option<StoreKey>, AuthError> {
        let asked = match self {
            Self::None => return Ok(None),
            Self::Known(key) => return Ok(Some(key.clone())),
            Self::Asked(asked) => asked,
        };
        if let Some(given) = asked.given.get() {
            return Ok(given.clone());
        }
        let _waits = Waits::begin(&asked.waiting);
        let _alone = alone()?;
        if let Some(given) = asked.given.get() {
            return Ok(given.clone());
        }
        // An error may be another one next time, or none.
        let given = (asked.give)()?;
        Ok(asked.given.get_or_init(|| given).clone())
    }
}
