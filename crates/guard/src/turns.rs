//! Processes that take turns at a file.

use std::fs::{File, TryLockError};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long one waits for others, who are done in a moment. One that hangs is not waited for without end.
const WAIT: Duration = Duration::from_secs(5);
/// How often it looks whether they are done.
const LOOK: Duration = Duration::from_millis(2);

/// Waits until the file is this process's alone. It is let go with the file.
///
/// # Errors
/// `WouldBlock` where others have it for 5 s.
pub(crate) fn take(file: &File) -> io::Result<()> {
    wait(|| file.try_lock())
}

/// As [`take`], beside others who only read.
pub(crate) fn share(file: &File) -> io::Result<()> {
    wait(|| file.try_lock_shared())
}

fn wait(lock: impl Fn() -> Result<(), TryLockError>) -> io::Result<()> {
    let until = Instant::now() + WAIT;
    loop {
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
