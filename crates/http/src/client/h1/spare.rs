//! The buffer that bytes are read into and requests are written from.

use std::cell::Cell;

/// How large it is, in bytes.
pub(crate) const SIZE: usize = 16 << 10;

thread_local! {
    /// One a thread, so that a connection that waits has none.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the buffer, empty and with room for [`SIZE`] bytes.
pub(crate) fn with<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = SPARE.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    buffer.reserve(SIZE);
    let done = work(&mut buffer);
    // One that grew is not kept.
    if buffer.capacity() <= 2 * SIZE {
        let _ = SPARE.try_with(|spare| spare.set(buffer));
    }
    done
}
