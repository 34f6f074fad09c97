//! Tasks that have an owner.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// A task that ends with its owner: dropping this aborts it.
#[derive(Debug)]
pub(crate) struct Task {
    abort: AbortHandle,
    /// Closed when the task has ended, and without permits: a channel that tells nothing else takes six times the room.
    ended: Arc<Semaphore>,
}

/// Tells the end of a task, however it ends.
struct End(Arc<Semaphore>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Task {
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let ended = Arc::new(Semaphore::new(0));
        // On the heap: the task would have room for it twice.
        let (work, end) = (Box::pin(work), End(Arc::clone(&ended)));
        let task = tokio::spawn(async move {
            work.await;
            drop(end);
        });
        Self { abort: task.abort_handle(), ended }
    }

    pub(crate) fn abort(&self) {
        self.abort.abort();
    }

    /// Waits until the task has ended, but no longer than `limit`.
    pub(crate) async fn ended_within(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.ended.acquire()).await.is_err() {
            tracing::debug!(?limit, "a task goes on after the time that it was given to end");
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
