//! What was written, for tests of logs.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps what is written to it. Clones share it: one is written to, the other is looked at.
///
/// ```
/// use std::io::Write;
///
/// let log = bowline_testkit::Captured::default();
/// write!(log.clone(), "a line")?;
/// assert_eq!(log.text(), "a line");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes writers for a log, as subscribers of `tracing` want them.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let log = bowline_testkit::Captured::default();
    /// let writer = log.writer();
    /// write!(writer(), "a line")?;
    /// assert_eq!(log.text(), "a line");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn writer(&self) -> impl Fn() -> Self + Send + Sync + 'static {
        let log = self.clone();
        move || log.clone()
    }

    /// All that was written so far; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
