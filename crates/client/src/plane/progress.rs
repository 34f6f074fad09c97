//! Where progress of a call goes, whichever attempt it comes from.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::ProgressNotificationParams;

use crate::call::OnProgress;

/// Where the progress of a call goes. A clone is the same place, so that a second attempt goes on where the first one
/// ended.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use bowline_client::{Call, ProgressSink};
///
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let sink = ProgressSink::new({
///     let seen = Arc::clone(&seen);
///     move |progress| seen.lock().unwrap().push(progress.progress)
/// });
/// let call = Call::new("tools/call").with_progress(sink);
/// ```
#[derive(Clone)]
pub struct ProgressSink(Arc<Mutex<Option<OnProgress>>>);

impl ProgressSink {
    /// A place that is a function. It is called by one attempt at a time, in the task that drives it, and must not
    /// wait.
    pub fn new(f: impl FnMut(ProgressNotificationParams) + Send + 'static) -> Self {
        Self::from(Box::new(f) as OnProgress)
    }

    fn place(&self) -> MutexGuard<'_, Option<OnProgress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands progress on. Nothing happens once the call is over.
    pub fn tell(&self, progress: ProgressNotificationParams) {
        if let Some(tell) = &mut *self.place() {
            tell(progress);
        }
    }

    /// Takes the function back; what comes after is dropped.
    pub(crate) fn take(&self) -> Option<OnProgress> {
        self.place().take()
    }
}

impl From<OnProgress> for ProgressSink {
    fn from(f: OnProgress) -> Self {
        Self(Arc::new(Mutex::new(Some(f))))
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressSink")
    }
}
