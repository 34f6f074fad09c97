//! Telling of changes.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;

/// How many changes wait for who watches. What comes beyond that is told as missed.
const WAITING: usize = 256;

/// A change in a namespace that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The entry of this name was put or deleted.
    Entry(String),
    /// Changes were missed, as they came too fast or the store was away: look again at what matters.
    Missed,
}

/// Changes in a namespace, as they come; dropping it ends them. It is a stream that ends with the store.
///
/// ```
/// use bowline_store::{Change, Key, MemoryStore, Store, Value};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::default();
/// let mut watch = store.watch("eras").await?.expect("the memory can");
/// store.put(&Key::new("eras", "a")?, Value::from("handshake")).await?;
/// assert_eq!(watch.next().await, Some(Change::Entry("a".into())));
/// # Ok::<(), bowline_store::StoreError>(())
/// # }).unwrap();
/// ```
pub struct Watch {
    changes: mpsc::Receiver<String>,
    missed: Arc<AtomicBool>,
    _source: Option<Box<dyn Any + Send + Sync>>,
}

/// The side of a store that tells of changes.
#[derive(Clone)]
pub struct WatchSender {
    changes: mpsc::Sender<String>,
    missed: Arc<AtomicBool>,
}

impl Watch {
    /// A watch, and the side that feeds it.
    pub fn channel() -> (WatchSender, Self) {
        let (sender, changes) = mpsc::channel(WAITING);
        let missed = Arc::new(AtomicBool::new(false));
        (WatchSender { changes: sender, missed: Arc::clone(&missed) }, Self { changes, missed, _source: None })
    }

    /// Keeps something alive with it, such as the guard of a task.
    #[must_use]
    pub fn with_source(mut self, source: impl Any + Send + Sync) -> Self {
        self._source = Some(Box::new(source));
        self
    }

    /// The next change; none once the store is gone.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub async fn next(&mut self) -> Option<Change> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Watch {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        let this = self.get_mut();
        if this.missed.swap(false, Ordering::AcqRel) {
            return Poll::Ready(Some(Change::Missed));
        }
        match this.changes.poll_recv(context) {
            // What only wakes who waits has no name.
            Poll::Ready(Some(name)) if name.is_empty() => Poll::Ready(Some(Change::Missed)),
            Poll::Ready(name) => Poll::Ready(name.map(Change::Entry)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl WatchSender {
    /// Tells of a change; false where nobody watches any longer.
    pub fn send(&self, name: &str) -> bool {
        match self.changes.try_send(name.to_owned()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.overflowed();
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    fn overflowed(&self) {
        self.missed.store(true, Ordering::Release);
        // Whoever took all of them meanwhile, and has seen no flag, is woken.
        let _ = self.changes.try_send(String::new());
    }

    /// Tells that changes may have been missed; false where nobody watches any longer.
    pub fn missed(&self) -> bool {
        self.send("")
    }

    /// Tells whether nobody watches any longer.
    pub fn is_closed(&self) -> bool {
        self.changes.is_closed()
    }

    /// Ends when nobody watches any longer.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub async fn closed(&self) {
        self.changes.closed().await;
    }
}

impl fmt::Debug for WatchSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchSender")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_too_slow_is_told_that_changes_were_missed() {
        let (sender, mut watch) = Watch::channel();
        for n in 0..=WAITING {
            assert!(sender.send(&n.to_string()));
        }
        assert_eq!(watch.next().await, Some(Change::Missed));
        assert_eq!(watch.next().await, Some(Change::Entry("0".into())));
        drop(sender);
        let mut rest = 0;
        while watch.next().await.is_some() {
            rest += 1;
        }
        assert_eq!(rest, WAITING - 1);
    }

    #[tokio::test]
    async fn who_took_everything_before_it_was_noted_that_changes_were_missed_is_woken() {
        let (sender, mut watch) = Watch::channel();
        let waiting = tokio::spawn(async move { watch.next().await });
        tokio::task::yield_now().await;
        // There was no room a moment ago.
        sender.overflowed();
        tokio::task::yield_now().await;
        assert!(waiting.is_finished());
        assert_eq!(waiting.await.unwrap(), Some(Change::Missed));
    }

    #[tokio::test]
    async fn who_does_not_watch_any_longer_is_seen() {
        let (sender, watch) = Watch::channel();
        assert!(sender.missed());
        drop(watch);
        assert!(!sender.send("a") && !sender.missed());
        sender.closed().await;
    }
}
