//! A line that somebody pastes, unless what they paste it for is over before.

#[cfg(not(unix))]
#[path = "pasted/blocking.rs"]
mod reader;
#[cfg(unix)]
#[path = "pasted/polled.rs"]
mod reader;

use tokio::sync::oneshot;

/// The longest line that may be pasted, in bytes.
const MAX_LINE: usize = 64 << 10;

/// The first line of standard input that is not empty; none at the end of the input.
///
/// # Cancel safety
/// Once the future is dropped, lines are left to whoever reads next; where the system cannot wait for input without
/// taking it (other than on Unix), one more is taken.
pub(crate) async fn pasted() -> Option<String> {
    let (sender, line) = oneshot::channel();
    // A thread of its own: a read that never ends must not keep the runtime from ending.
    std::thread::spawn(move || reader::read(sender));
    line.await.ok()
}
