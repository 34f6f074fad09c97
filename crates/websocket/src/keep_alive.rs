//! Asking a silent peer whether it is still there.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// When to ask, and how long to wait for the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepAlive {
    pub(crate) every: Duration,
    pub(crate) deadline: Duration,
}

/// What the watch needs to know of the connection, and can do to it.
pub(crate) trait Peer {
    /// When bytes came last.
    fn heard(&self) -> Instant;
    /// How many bytes have left.
    fn written(&self) -> u64;
    /// Queues a ping.
    fn ask(&mut self);
    /// Writes what is queued; `false` while some of it is left.
    fn flush(&mut self, cx: &mut Context<'_>) -> bool;
}

/// The state of one connection's keep-alive.
pub(crate) struct Watch {
    times: KeepAlive,
    timer: Pin<Box<Sleep>>,
    asked: Option<Asked>,
}

/// A ping that was not yet answered.
struct Asked {
    at: Instant,
    /// Whether it waits behind bytes that the peer has not taken.
    queued: bool,
    /// How many bytes had left at the last look.
    written: u64,
}

impl Watch {
    pub(crate) fn new(times: KeepAlive) -> Self {
        Self { times, timer: Box::pin(sleep_until(Instant::now() + times.every)), asked: None }
    }

    /// Ready when the peer is gone. Call it only when nothing is left to read: an answer may wait there.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>, peer: &mut impl Peer) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let (now, heard) = (Instant::now(), peer.heard());
            match &mut self.asked {
                Some(asked) if heard >= asked.at => {
                    self.asked = None;
                    self.timer.as_mut().reset(heard + self.times.every);
                }
                Some(asked) => {
                    let moved = peer.written() != asked.written;
                    if !(asked.queued && moved) {
                        return Poll::Ready(());
                    }
                    // The peer takes what was queued before the ping, and cannot answer what it does not have yet.
                    asked.queued = !peer.flush(cx);
                    asked.written = peer.written();
                    self.timer.as_mut().reset(now + self.times.deadline);
                }
                None if heard + self.times.every > now => self.timer.as_mut().reset(heard + self.times.every),
                None => {
                    peer.ask();
                    let queued = !peer.flush(cx);
                    self.asked = Some(Asked { at: now, queued, written: peer.written() });
                    self.timer.as_mut().reset(now + self.times.deadline);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const TIMES: KeepAlive = KeepAlive { every: Duration::from_secs(30), deadline: Duration::from_secs(10) };

    struct Fake {
        heard: Instant,
        written: u64,
        asked: Vec<Instant>,
        /// How many looks it takes until the ping has left.
        queued: u64,
        answers: bool,
    }

    impl Fake {
        fn new() -> Self {
            Self { heard: Instant::now(), written: 0, asked: Vec::new(), queued: 0, answers: false }
        }
    }

    impl Peer for Fake {
        fn heard(&self) -> Instant {
            self.heard
        }

        fn written(&self) -> u64 {
            self.written
        }

        fn ask(&mut self) {
            self.asked.push(Instant::now());
            if self.answers && self.asked.len() < 4 {
                self.heard = Instant::now();
            }
        }

        fn flush(&mut self, _: &mut Context<'_>) -> bool {
            let left = self.queued;
            self.queued = left.saturating_sub(1);
            left == 0
        }
    }

    async fn gone(peer: &mut Fake) -> Duration {
        let begin = Instant::now();
        let mut watch = Watch::new(TIMES);
        poll_fn(|cx| {
            // Bytes leave between two looks while some are queued.
            peer.written += u64::from(peer.queued > 0);
            watch.poll_gone(cx, peer)
        })
        .await;
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_is_asked_once_and_then_gone() {
        let mut peer = Fake::new();
        assert_eq!(gone(&mut peer).await.as_secs(), 40);
        assert_eq!(peer.asked.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_is_asked_again_and_again() {
        let mut peer = Fake::new();
        peer.answers = true;
        // Three pings are answered, the fourth is not.
        assert_eq!(gone(&mut peer).await.as_secs(), 4 * 30 + 10);
        assert_eq!(peer.asked.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_that_waits_behind_a_large_message_gets_more_time_while_bytes_leave() {
        let mut peer = Fake::new();
        peer.queued = 3;
        assert!(gone(&mut peer).await.as_secs() > 40);
        assert_eq!(peer.asked.len(), 1);
    }
}
