//! A connection that is likely to be free in a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::Pool;

/// How long a request waits for such a connection before it opens one. Little beside what opening one takes over a
/// network, and little for whoever waits in vain.
const HEAD_START: Duration = Duration::from_millis(5);

/// How many requests are on their way whose answers, as like as not, leave their connections free at once.
#[derive(Default)]
pub(in crate::client) struct Soon {
    count: AtomicUsize,
    less: Notify,
}

impl Soon {
    /// Waits for their answers, if there are any, for a moment.
    pub(in crate::client) async fn wait(&self) {
        let less = self.less.notified();
        if self.count.load(Ordering::Acquire) > 0 {
            // Who waits knows what follows either way.
            let _ = tokio::time::timeout(HEAD_START, less).await;
        }
    }
}

/// Says that a connection may be free soon; until it is dropped, which is when that is known.
pub(crate) struct SoonFree(Arc<Pool>);

impl SoonFree {
    pub(in crate::client) fn at(pool: &Arc<Pool>) -> Self {
        pool.soon.count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(pool))
    }
}

impl Drop for SoonFree {
    fn drop(&mut self) {
        self.0.soon.count.fetch_sub(1, Ordering::AcqRel);
        self.0.soon.less.notify_waiters();
    }
}
