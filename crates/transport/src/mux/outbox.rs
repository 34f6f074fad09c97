//! What waits to be written, and who writes it.
//!
//! A frame is accepted whole or not at all, so a dropped caller never tears one. Who writes it depends:
//! - A sender that is alone writes at once, in its own task: no hop, no wake-up.
//! - Where several exchanges are open, the writing task does, after the tasks that are ready now have run: then
//!   the frames of all of them share one write.
//!
//! What the system does not take at once is left to the writing task in both cases.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio::sync::Notify;

use crate::error::{TransportError, TransportErrorKind};

/// A buffer that grew beyond this is given back once it is empty.
const KEEP: usize = 64 << 10;

/// When a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// At once, as far as the system takes it.
    Now,
    /// Together with what other tasks are about to send.
    Soon,
}

pub(crate) struct Outbox {
    /// Held for moments only, never while the system is called.
    queue: Mutex<Queue>,
    /// Held while writing. Lock it before `queue`.
    io: Mutex<Io>,
    /// Bytes that were accepted since the beginning. Grows under the lock of `queue`.
    accepted: AtomicU64,
    /// Bytes that the system has taken since the beginning. Grows under the lock of `io`.
    written: AtomicU64,
    /// Told when there is room again, and when writing has ended.
    changed: Notify,
    /// How many senders wait for room.
    waiting: AtomicUsize,
    max_unsent: usize,
}

struct Queue {
    buffer: BytesMut,
    closing: bool,
    /// How writing ended.
    end: Option<Result<(), TransportError>>,
    /// The writing task: woken by the writer when it takes bytes again.
    task: Waker,
    /// Whether the writing task was asked for and has not come yet.
    asked: bool,
}

struct Io {
    /// None once writing has ended.
    writer: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// What is being written.
    current: BytesMut,
    /// Whether something was written that `poll_flush` has not seen.
    unflushed: bool,
}

impl Outbox {
    pub(crate) fn new(writer: Box<dyn AsyncWrite + Send + Unpin>, max_unsent: usize) -> Self {
        let queue =
            Queue { buffer: BytesMut::new(), closing: false, end: None, task: Waker::noop().clone(), asked: false };
        let io = Io { writer: Some(writer), current: BytesMut::new(), unflushed: false };
        Self {
            queue: Mutex::new(queue),
            io: Mutex::new(io),
            accepted: AtomicU64::new(0),
            written: AtomicU64::new(0),
            changed: Notify::new(),
            waiting: AtomicUsize::new(0),
            max_unsent,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room. Dropping the future takes nothing.
    pub(crate) async fn room(&self) {
        // The usual case counts nobody: all callers would write to that one number.
        if self.has_room() {
            return;
        }
        // Counted before the look: a writer that makes room after it sees that somebody waits.
        let _waiting = Waiting::new(&self.waiting);
        loop {
            let changed = self.changed.notified();
            if self.has_room() || self.queue().end.is_some() {
                return;
            }
            changed.await;
        }
    }

    /// Whether there is room now.
    pub(crate) fn has_room(&self) -> bool {
        let unsent = self.accepted.load(Ordering::SeqCst).saturating_sub(self.written());
        usize::try_from(unsent).is_ok_and(|n| n < self.max_unsent.max(1))
    }

    /// How many bytes the system has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    /// Accepts a frame.
    ///
    /// `accepted` learns where the frame begins in the stream, before any byte of it is written.
    pub(crate) fn push(&self, frame: &[u8], when: When, accepted: impl FnOnce(u64)) -> Result<(), TransportError> {
        let mut queue = self.queue();
        match &queue.end {
            Some(Err(failure)) => return Err(failure.clone()),
            Some(Ok(())) => return Err(TransportError::closed()),
            None if queue.closing => return Err(TransportError::closed()),
            None => {}
        }
        accepted(self.accepted.load(Ordering::Relaxed));
        queue.buffer.reserve(frame.len() + 1);
        queue.buffer.extend_from_slice(frame);
        queue.buffer.extend_from_slice(b"\n");
        self.accepted.fetch_add(frame.len() as u64 + 1, Ordering::SeqCst);
        if when == When::Soon && std::mem::replace(&mut queue.asked, true) {
            return Ok(());
        }
        let task = queue.task.clone();
        drop(queue);
        match when {
            When::Now => self.write_now(&task),
            When::Soon => task.wake(),
        }
        Ok(())
    }

    /// Writes in the caller's task, unless another is writing: that one sees what was accepted meanwhile.
    fn write_now(&self, task: &Waker) {
        let mut cx = Context::from_waker(task);
        loop {
            let mut io = match self.io.try_lock() {
                Ok(io) => io,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            let done = self.poll_write(&mut io, &mut cx);
            drop(io);
            match done {
                // A frame that came while the lock was held found it taken, and relies on this look.
                Poll::Ready(Ok(())) if !self.queue().buffer.is_empty() => {}
                // The writing task tells the others.
                Poll::Ready(Err(())) => return task.wake_by_ref(),
                Poll::Ready(Ok(())) | Poll::Pending => return,
            }
        }
    }

    /// Ends writing once all that was accepted is written.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.closing = true;
        queue.task.wake_by_ref();
    }

    /// Ends writing now. After this no byte leaves, and [`written`](Self::written) stays as it is.
    pub(crate) fn abort(&self) {
        let task = {
            let mut queue = self.queue();
            queue.end.get_or_insert(Ok(()));
            queue.buffer = BytesMut::new();
            queue.task.clone()
        };
        // Whoever writes holds this for one call that does not block.
        self.io.lock().unwrap_or_else(PoisonError::into_inner).end();
        task.wake();
        self.changed.notify_waiters();
    }

    /// Waits until writing has ended, by [`close`](Self::close), [`abort`](Self::abort) or a failure.
    pub(crate) async fn closed(&self) -> Result<(), TransportError> {
        loop {
            let changed = self.changed.notified();
            let end = self.queue().end.clone();
            if let Some(end) = end {
                return end;
            }
            changed.await;
        }
    }

    /// The writing task: writes what senders left, until writing ends.
    pub(crate) async fn run(&self) -> Result<(), TransportError> {
        let mut stepped_back = false;
        poll_fn(|cx| self.poll_run(cx, &mut stepped_back)).await
    }

    fn poll_run(&self, cx: &mut Context<'_>, stepped_back: &mut bool) -> Poll<Result<(), TransportError>> {
        {
            let mut queue = self.queue();
            queue.task.clone_from(cx.waker());
            if std::mem::replace(&mut queue.asked, false) && !*stepped_back && !queue.closing {
                // Once around: the tasks that are ready now add their frames first.
                *stepped_back = true;
                queue.asked = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        *stepped_back = false;
        loop {
            let mut io = self.io.lock().unwrap_or_else(PoisonError::into_inner);
            if self.poll_write(&mut io, cx).is_pending() {
                return Poll::Pending;
            }
            let (end, closing) = {
                let queue = self.queue();
                (queue.end.clone(), queue.closing && queue.buffer.is_empty())
            };
            let end = match end {
                Some(end) => end,
                None if closing => {
                    ready!(io.poll_shutdown(cx));
                    Ok(())
                }
                None => {
                    drop(io);
                    let queue = self.queue();
                    if queue.buffer.is_empty() && !queue.closing {
                        return Poll::Pending;
                    }
                    // A frame that came while the lock was held found it taken, and relies on this look.
                    continue;
                }
            };
            io.end();
            drop(io);
            self.queue().end.get_or_insert(end.clone());
            self.changed.notify_waiters();
            return Poll::Ready(end);
        }
    }

    /// Writes and flushes all it can. Ready when nothing is left, and with an error when writing has failed.
    fn poll_write(&self, io: &mut Io, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        loop {
            if io.current.is_empty() {
                if io.current.capacity() > KEEP {
                    io.current = BytesMut::new();
                }
                std::mem::swap(&mut io.current, &mut self.queue().buffer);
            }
            let Some(writer) = &mut io.writer else { return Poll::Ready(Ok(())) };
            if !io.current.is_empty() {
                match ready!(Pin::new(writer).poll_write(cx, &io.current)) {
                    Ok(0) => return self.fail(io, std::io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        io.current.advance(count);
                        io.unflushed = true;
                        self.written.fetch_add(count as u64, Ordering::SeqCst);
                        if self.waiting.load(Ordering::SeqCst) > 0 && self.has_room() {
                            self.changed.notify_waiters();
                        }
                    }
                    Err(error) => return self.fail(io, error),
                }
            } else if io.unflushed {
                match ready!(Pin::new(writer).poll_flush(cx)) {
                    Ok(()) => io.unflushed = false,
                    Err(error) => return self.fail(io, error),
                }
            } else {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn fail(&self, io: &mut Io, error: std::io::Error) -> Poll<Result<(), ()>> {
        io.end();
        self.queue().end.get_or_insert(Err(failed(error)));
        Poll::Ready(Err(()))
    }
}

/// Counts itself as waiting until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Io {
    fn end(&mut self) {
        self.writer = None;
        self.current = BytesMut::new();
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(writer) = &mut self.writer {
            // Whether the peer still listens is of no interest now; a pipe is closed by the drop.
            let _ = ready!(Pin::new(writer).poll_shutdown(cx));
        }
        Poll::Ready(())
    }
}

fn failed(error: std::io::Error) -> TransportError {
    let failure = match error.kind() {
        std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset => {
            TransportError::new(TransportErrorKind::Closed, "the server closed its input; it may have ended or crashed")
        }
        _ => TransportError::new(TransportErrorKind::Io, format!("writing to the server failed: {error}")),
    };
    failure.with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn outbox(writer: impl AsyncWrite + Send + Unpin + 'static) -> Arc<Outbox> {
        Arc::new(Outbox::new(Box::new(writer), 1 << 20))
    }

    /// Waits until all that was accepted is written; a frame that nobody writes makes it fail.
    async fn drained(outbox: &Outbox) {
        let all = async {
            while outbox.written() < outbox.accepted.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("every frame is written");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_frame_is_left_when_senders_and_the_task_meet() {
        let outbox = outbox(tokio::io::sink());
        let writing = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { outbox.run().await }
        });
        for _ in 0..20_000 {
            outbox.push(b"soon", When::Soon, |_| {}).unwrap();
            let other = Arc::clone(&outbox);
            let now = tokio::spawn(async move { other.push(b"now", When::Now, |_| {}) });
            outbox.push(b"now", When::Now, |_| {}).unwrap();
            now.await.unwrap().unwrap();
            drained(&outbox).await;
        }
        outbox.close();
        writing.await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_accepted_before_a_close_is_written() {
        for _ in 0..5_000 {
            let outbox = outbox(tokio::io::sink());
            let writing = tokio::spawn({
                let outbox = Arc::clone(&outbox);
                async move { outbox.run().await }
            });
            let sending = tokio::spawn({
                let outbox = Arc::clone(&outbox);
                async move {
                    let _ = outbox.push(b"soon", When::Soon, |_| {});
                    let _ = outbox.push(b"now", When::Now, |_| {});
                }
            });
            outbox.close();
            sending.await.unwrap();
            writing.await.unwrap().unwrap();
            assert_eq!(outbox.written(), outbox.accepted.load(Ordering::SeqCst));
        }
    }

    #[tokio::test]
    async fn senders_wait_for_room_and_are_told_of_it() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let outbox = Arc::new(Outbox::new(Box::new(ours), 32));
        let writing = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { outbox.run().await }
        });
        outbox.push(&[b'x'; 64], When::Now, |_| {}).unwrap();
        let waiting = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { outbox.room().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        tokio::io::AsyncReadExt::read_exact(&mut theirs, &mut [0; 65]).await.unwrap();
        waiting.await.unwrap();
        outbox.abort();
        writing.await.unwrap().unwrap();
    }
}
