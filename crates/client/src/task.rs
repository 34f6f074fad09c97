//! Tasks that have an owner.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A task that ends with its owner: dropping this aborts it.
#[derive(Debug)]
pub(crate) struct Task {
    abort: AbortHandle,
    ended: watch::Receiver<()>,
}

impl Task {
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let (alive, ended) = watch::channel(());
        let task = tokio::spawn(async move {
            work.await;
            drop(alive);
        });
        Self { abort: task.abort_handle(), ended }
    }

    pub(crate) fn abort(&self) {
        self.abort.abort();
    }

    /// Waits until the task has ended, but no longer than `limit`.
    pub(crate) async fn ended_within(&self, limit: Duration) {
        let mut ended = self.ended.clone();
        // Nothing is ever sent: the only change is that the task lets go of its end.
        if tokio::time::timeout(limit, async { while ended.changed().await.is_ok() {} }).await.is_err() {
            tracing::debug!(?limit, "a task goes on after the time that it was given to end");
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
