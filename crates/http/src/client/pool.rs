//! Connections to one origin that wait for their next request.

mod soon;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::body::Incoming;
use super::h1::Connection;
#[cfg(feature = "http2")]
use super::h2::Shared;

use self::soon::Soon;

pub(crate) use self::soon::SoonFree;

/// How long a connection waits for its next request, where the server does not close it sooner.
const IDLE: Duration = Duration::from_secs(90);
/// So much before the server would: a request on its way must not meet the end.
const BEFORE_THE_SERVER: Duration = Duration::from_secs(1);
/// How long after it began to rest a connection is watched at the latest. Most are used again sooner, and then nobody
/// was woken for them.
const WATCHED_WITHIN: Duration = Duration::from_secs(1);
/// How long the end of an answer whose rest nobody wants is waited for, so that its connection can be used again.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// The way into a connection.
pub(super) enum Sender {
    /// It carries one request at a time.
    Single(Box<Connection>),
    /// It carries many.
    #[cfg(feature = "http2")]
    Shared(Shared),
}

/// The connections to one origin that are open.
#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    /// Tells the keeper that something is due before it would look.
    sooner: Arc<Notify>,
    /// Connections that may be free in a moment.
    pub(super) soon: Soon,
}

#[derive(Default)]
struct State {
    /// The one that rested last is at the end, and is the first to be used again: the others can be closed.
    resting: Vec<Resting>,
    /// And until when it is kept unless another request comes.
    #[cfg(feature = "http2")]
    shared: Option<(Shared, Instant)>,
    /// Whether one came to rest that the keeper does not watch yet.
    unwatched: bool,
    keeper: Option<Keeper>,
}

#[cfg(feature = "http2")]
impl State {
    /// The connection that carries many requests, for another one.
    fn shared(&mut self) -> Option<Shared> {
        self.shared.take_if(|(shared, _)| shared.is_closed());
        let (shared, until) = self.shared.as_mut()?;
        *until = Instant::now() + IDLE;
        Some(shared.clone())
    }
}

/// A connection that waits, or will once the rest of its answer is there; or that rest alone, where requests do not
/// have a connection of their own.
struct Resting {
    incoming: Incoming,
    until: Instant,
}

/// The task that closes what waited for too long, or what the server has ended. It ends when nothing waits, and with
/// the pool.
struct Keeper {
    looks_at: Instant,
    task: AbortHandle,
}

impl Resting {
    /// Whether it can carry a request: now, or never again.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if !self.incoming.is_read() {
            if ready!(self.incoming.poll_drained(cx)).is_err() {
                return Poll::Ready(false);
            }
            self.until = Instant::now() + rest_of(&self.incoming);
        }
        Poll::Ready(match &mut self.incoming {
            Incoming::Single(connection) => connection.is_free(cx),
            #[cfg(feature = "http2")]
            Incoming::Shared(_) => false,
        })
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        #[cfg(feature = "http2")]
        if state.shared.is_some() {
            return false;
        }
        state.resting.is_empty()
    }

    /// A connection that can carry a request now.
    pub(super) fn take(&self) -> Option<Sender> {
        self.poll_take(&mut Context::from_waker(Waker::noop()))
    }

    /// As [`take`](Self::take); wakes the task when one that is about to rest does. Where several wait, it may be
    /// another one that is woken: whoever waits here has a second way to a connection.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Option<Sender> {
        // What ended is closed after the lock, so that nobody has to wait for that.
        let mut ended = Vec::new();
        let mut state = self.lock();
        #[cfg(feature = "http2")]
        if let Some(shared) = state.shared() {
            return Some(Sender::Shared(shared));
        }
        let mut at = state.resting.len();
        while let Some(resting) = at.checked_sub(1).and_then(|index| state.resting.get_mut(index)) {
            at -= 1;
            if let Poll::Ready(usable) = resting.poll_ready(cx) {
                match state.resting.remove(at).incoming {
                    Incoming::Single(connection) if usable => return Some(Sender::Single(connection)),
                    other => ended.push(other),
                }
            }
        }
        None
    }

    /// Whether a connection is about to rest.
    pub(super) fn expects(&self) -> bool {
        !self.lock().resting.is_empty()
    }

    /// Takes a connection back, with what is left of its answer.
    pub(super) fn put(self: &Arc<Self>, incoming: Incoming) {
        match &incoming {
            Incoming::Single(connection) if connection.may_go_on() => {}
            #[cfg(feature = "http2")]
            Incoming::Shared(body) if !body.is_over() => {}
            _ => return,
        }
        // Without a runtime there is nobody to use it, or to close it in time.
        let Ok(runtime) = Handle::try_current() else { return };
        let (is_read, now) = (incoming.is_read(), Instant::now());
        let rest = if is_read { rest_of(&incoming) } else { LAST_BYTES };
        if rest.is_zero() {
            return;
        }
        let mut state = self.lock();
        state.resting.push(Resting { incoming, until: now + rest });
        state.unwatched = true;
        self.look_at(&mut state.keeper, now + rest.min(WATCHED_WITHIN), &runtime);
    }

    /// Sees to it that somebody looks at that time.
    fn look_at(self: &Arc<Self>, keeper: &mut Option<Keeper>, when: Instant, runtime: &Handle) {
        match keeper {
            Some(keeper) if !keeper.task.is_finished() => {
                if when < keeper.looks_at {
                    keeper.looks_at = when;
                    self.sooner.notify_one();
                }
            }
            keeper => {
                let task = runtime.spawn(keep(Arc::downgrade(self), Arc::clone(&self.sooner))).abort_handle();
                *keeper = Some(Keeper { looks_at: when, task });
            }
        }
    }

    /// Takes a connection in that many requests share, and gives the one that is to be used.
    #[cfg(feature = "http2")]
    pub(super) fn share(self: &Arc<Self>, fresh: Shared) -> Shared {
        let until = Instant::now() + IDLE;
        let mut state = self.lock();
        if let Some((before, _)) = state.shared.as_ref().filter(|(before, _)| !before.is_closed()) {
            return before.clone();
        }
        state.shared = Some((fresh.clone(), until));
        if let Ok(runtime) = Handle::try_current() {
            self.look_at(&mut state.keeper, until, &runtime);
        }
        fresh
    }

    /// Closes what waited for too long or has ended, watches the rest, and says when to look again.
    fn tidy(&self, cx: &mut Context<'_>) -> Option<Instant> {
        // As above.
        let mut ended = Vec::new();
        let mut state = self.lock();
        let now = Instant::now();
        let over = |resting: &mut Resting| resting.poll_ready(cx) == Poll::Ready(false) || resting.until <= now;
        ended.extend(state.resting.extract_if(.., over));
        let next = state.resting.iter().map(|resting| resting.until).min();
        // Where one came to rest, others are likely to: they are watched with the next look, and not each by a look.
        let soon = std::mem::take(&mut state.unwatched).then(|| now + WATCHED_WITHIN);
        let next = next.map(|next| soon.map_or(next, |soon| next.min(soon)));
        #[cfg(feature = "http2")]
        let next = {
            // Its open streams live on without it.
            state.shared.take_if(|(shared, until)| shared.is_closed() || *until <= now);
            next.into_iter().chain(state.shared.as_ref().map(|(_, until)| *until)).min()
        };
        match (next, &mut state.keeper) {
            (Some(next), Some(keeper)) => keeper.looks_at = next,
            (_, keeper) => *keeper = None,
        }
        next
    }
}

/// How long a connection is kept without a request.
fn rest_of(incoming: &Incoming) -> Duration {
    incoming.kept_for().map_or(IDLE, |kept| kept.saturating_sub(BEFORE_THE_SERVER).min(IDLE))
}

/// Closes connections in time, until none waits. Whatever comes over one wakes it.
async fn keep(pool: Weak<Pool>, sooner: Arc<Notify>) {
    let mut sooner_or_later = pin!(sleep_until(Instant::now()));
    let mut rung = pin!(sooner.notified());
    poll_fn(|cx| {
        loop {
            let Some(next) = pool.upgrade().and_then(|pool| pool.tidy(cx)) else { return Poll::Ready(()) };
            sooner_or_later.as_mut().reset(next);
            if rung.as_mut().poll(cx).is_ready() {
                rung.set(sooner.notified());
            } else if sooner_or_later.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(keeper) = &self.lock().keeper {
            keeper.task.abort();
        }
    }
}
