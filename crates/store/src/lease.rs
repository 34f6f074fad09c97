//! Holding a lease: waiting for it, renewing it, letting go.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{StoreError, StoreErrorKind};
use crate::key::Key;
use crate::store::{Store, Version};

/// The longest time for which a store gives a lease without a renewal.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(3600);
/// How often somebody who waits for a lease looks again, at first and in the end.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(250);

/// How a lease is waited for and held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseSettings {
    /// After what time it ends when it is not renewed, as when the process dies. 30 s by default, an hour at most. It
    /// is renewed three times as often.
    pub ttl: Duration,
    /// How long to wait while somebody else holds it. 10 s by default.
    pub within: Duration,
}

impl LeaseSettings {
    /// Sets after what time it ends when it is not renewed.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how long to wait while somebody else holds it.
    #[must_use]
    pub const fn with_within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }
}

impl Default for LeaseSettings {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(30), within: Duration::from_secs(10) }
    }
}

/// A lease that is held, and renewed by a task until it is dropped.
///
/// Dropping it lets go; a process that dies holds it for [`LeaseSettings::ttl`] at most. A store that is away for
/// longer loses it: [`lost`](Self::lost) tells of that, and who writes with [`fence`](Self::fence) is told apart from
/// the holder after it.
///
/// ```
/// use std::sync::Arc;
///
/// use bowline_store::{Key, Lease, LeaseSettings, MemoryStore, Store};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
/// let key = Key::new("jobs", "refresh")?;
/// let lease = Lease::acquire(&store, &key, LeaseSettings::default()).await?;
/// assert!(!lease.is_lost());
/// lease.release().await;
/// # Ok::<(), bowline_store::StoreError>(())
/// # }).unwrap();
/// ```
pub struct Lease {
    holder: Version,
    /// Dropping it ends the task, which lets go.
    stop: Option<watch::Sender<()>>,
    lost: watch::Receiver<bool>,
}

impl Lease {
    /// Waits until nobody else holds the lease of a place, and holds it.
    ///
    /// # Errors
    /// [`Held`](StoreErrorKind::Held) when somebody else holds it for longer than [`LeaseSettings::within`], and those
    /// of [`Store::lease`].
    ///
    /// # Cancel safety
    /// Dropped in the middle of taking it, it may have been taken; then it ends after [`LeaseSettings::ttl`].
    pub async fn acquire(store: &Arc<dyn Store>, key: &Key, settings: LeaseSettings) -> Result<Self, StoreError> {
        let ttl = settings.ttl.clamp(Duration::from_millis(1), MAX_TTL);
        // None where that is beyond all time.
        let until = Instant::now().checked_add(settings.within);
        let mut look = FIRST_LOOK;
        loop {
            let asked = Instant::now();
            if let Some(holder) = store.lease(key, ttl).await? {
                return Ok(Self::hold(Arc::clone(store), key.clone(), holder, ttl, asked));
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                let message = format!(
                    "somebody else has held {:?} for {} s; end it if it hangs, or try again",
                    key.as_str(),
                    settings.within.as_secs()
                );
                return Err(StoreError::new(StoreErrorKind::Held, message));
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LAST_LOOK);
        }
    }

    fn hold(store: Arc<dyn Store>, key: Key, holder: Version, ttl: Duration, asked: Instant) -> Self {
        let (stop, stopped) = watch::channel(());
        let (tell_lost, lost) = watch::channel(false);
        tokio::spawn(keep(store, key, holder, ttl, asked, stopped, tell_lost));
        Self { holder, stop: Some(stop), lost }
    }

    /// A number that grows with each lease of the store: what is written with it can be told from what an earlier
    /// holder writes too late.
    pub const fn fence(&self) -> Version {
        self.holder
    }

    /// Tells whether the lease has ended before it was let go.
    pub fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Ends when the lease is lost: it could not be renewed in time, or somebody took it away.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub async fn lost(&self) {
        // The task goes away without a word only with its runtime.
        let _ = self.lost.clone().wait_for(|lost| *lost).await;
    }

    /// Lets go, and waits until that is done.
    ///
    /// # Cancel safety
    /// It is let go even when this is dropped.
    pub async fn release(mut self) {
        self.stop = None;
        let mut lost = self.lost.clone();
        while lost.changed().await.is_ok() {}
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("fence", &self.holder).field("lost", &self.is_lost()).finish()
    }
}

/// Renews a lease until it is dropped, and lets go then. It ends with the lease.
async fn keep(
    store: Arc<dyn Store>,
    key: Key,
    holder: Version,
    ttl: Duration,
    asked: Instant,
    mut stopped: watch::Receiver<()>,
    lost: watch::Sender<bool>,
) {
    let mut ends = asked + ttl;
    let mut wait = ttl / 3;
    loop {
        tokio::select! {
            _ = stopped.changed() => {
                // It ends by itself where this fails.
                if let Ok(Err(error)) = tokio::time::timeout(ttl, store.release(&key, holder)).await {
                    tracing::debug!(key = key.as_str(), %error, "a lease is left to end by itself");
                }
                return;
            }
            () = tokio::time::sleep(wait) => {}
        }
        let now = Instant::now();
        // Renewing takes no longer than the lease has left, so that the holder hears of its end in time.
        let left = ends.saturating_duration_since(now);
        match tokio::time::timeout(left, store.renew(&key, holder, ttl)).await {
            Ok(Ok(true)) => {
                ends = now + ttl;
                wait = ttl / 3;
                continue;
            }
            Ok(Ok(false)) => {}
            Ok(Err(error)) if Instant::now() < ends => {
                tracing::debug!(key = key.as_str(), %error, "a lease could not be renewed; trying again");
                wait = (ttl / 12).min(ends - Instant::now());
                continue;
            }
            Ok(Err(_)) | Err(_) => {}
        }
        tracing::warn!(key = key.as_str(), "a lease is lost: it could not be renewed in time");
        lost.send_replace(true);
        // Whoever waits for the end of this task waits for the receiver to see the sender gone.
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn store() -> (Arc<dyn Store>, Key) {
        (Arc::new(MemoryStore::default()), Key::new("test", "a").unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_until_it_is_dropped() {
        let (store, key) = store();
        let settings = LeaseSettings::default();
        let lease = Lease::acquire(&store, &key, settings).await.unwrap();
        tokio::time::sleep(settings.ttl * 10).await;
        assert!(!lease.is_lost());
        let held = Lease::acquire(&store, &key, settings).await.unwrap_err();
        assert!(held.kind() == StoreErrorKind::Held && held.to_string().contains("10 s"), "{held}");
        drop(lease);
        // Long before it would have ended by itself.
        let next = Lease::acquire(&store, &key, settings.with_within(Duration::from_secs(1))).await.unwrap();
        next.release().await;
        assert!(store.lease(&key, settings.ttl).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_loses_a_lease_hears_of_it() {
        let (store, key) = store();
        let lease = Lease::acquire(&store, &key, LeaseSettings::default()).await.unwrap();
        assert!(store.release(&key, lease.fence()).await.unwrap());
        lease.lost().await;
        assert!(lease.is_lost());
        let next = Lease::acquire(&store, &key, LeaseSettings::default()).await.unwrap();
        assert!(next.fence() > lease.fence());
        // Letting go of what is lost takes nothing from who holds it now.
        lease.release().await;
        assert!(store.lease(&key, Duration::from_secs(1)).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_dies_holds_a_lease_no_longer_than_agreed() {
        let (store, key) = store();
        // As nobody renews it.
        store.lease(&key, Duration::from_secs(30)).await.unwrap().unwrap();
        let asked = Instant::now();
        let settings = LeaseSettings::default().with_within(Duration::from_secs(60));
        Lease::acquire(&store, &key, settings).await.unwrap();
        assert!(asked.elapsed() <= Duration::from_secs(31));
    }
}
