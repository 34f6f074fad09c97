//! A call as a stream: its progress, and how it ended.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bowline_client::request::Kind;
use bowline_client::{Error, Request};
use bowline_protocol::ProgressNotificationParams;
use bowline_transport::{BoxFuture, Sent};
use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep};

/// What happens while a call is under way.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallEvent<R> {
    /// It progressed.
    Progress(ProgressNotificationParams),
    /// So much progress was dropped, since the buffer or the connection's own was full ([`Overflow::DropOldest`]).
    Missed(u64),
    /// It ended; nothing comes after.
    Done(Result<R, Error>),
}

/// What becomes of progress for which the buffer has no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It waits with the connection: the call is not looked at again until what is here was taken. Other calls go on
    /// meanwhile, whatever the transport.
    ///
    /// Nothing is lost without an error. Over HTTP the stream of this answer is not read on, so that the server has to
    /// wait. Over a byte stream all calls share one pipe, and reading it does not stop for one of them: the connection
    /// keeps 4,096 messages and 8 MiB of a call (`max_exchange_queue` and `max_exchange_bytes` of the transport's
    /// `Limits`). Where more would have to be kept, the call is cancelled: the stream gives all that came before, and
    /// ends with an error of kind [`Overloaded`](bowline_client::ErrorKind::Overloaded).
    #[default]
    Wait,
    /// The oldest makes room, here and with the connection, and is counted. The call is never given up.
    DropOldest,
    /// The call is given up as soon as there is no room here: the stream ends with an error, and the server is told.
    Fail,
}

/// A call as a stream; made by [`events`]. Dropping it cancels the call.
///
/// The call goes on while the stream is polled, in the task that does so, and needs none of its own.
#[must_use = "nothing is sent until it is polled"]
pub struct CallStream<R> {
    state: State<R>,
    buffer: Arc<Mutex<Buffer>>,
    idle: Option<Idle>,
}

/// Sends a request by a rule for what does not fit.
type Begin<R> = Box<dyn FnOnce(Overflow) -> BoxFuture<'static, Result<R, Error>> + Send>;

enum State<R> {
    /// Not polled yet.
    Waiting(Begin<R>),
    Running(BoxFuture<'static, Result<R, Error>>),
    Ended(Result<R, Error>),
    Over,
}

/// How long nothing may happen.
struct Idle {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    /// Whether somebody has waited since the last event: only then the time passes.
    is_waited_for: bool,
}

/// Progress on its way.
struct Buffer {
    capacity: usize,
    overflow: Overflow,
    queue: VecDeque<ProgressNotificationParams>,
    missed: u64,
    is_too_much: bool,
}

/// Makes a stream of a request: each progress notification as it comes, then how it ended. It takes the place of the
/// request's own `on_progress`.
///
/// ```
/// use bowline_client::{Client, Error};
/// use bowline_protocol::CallToolResult;
/// use bowline_resilience::{CallEvent, events};
/// use futures_util::StreamExt;
///
/// async fn render(client: &Client) -> Result<Option<CallToolResult>, Error> {
///     let mut events = events(client.call("render").arg("scene", "harbour"));
///     while let Some(event) = events.next().await {
///         match event {
///             CallEvent::Progress(progress) => println!("{}", progress.progress),
///             CallEvent::Done(outcome) => return outcome.map(Some),
///             other => println!("{other:?}"),
///         }
///     }
///     Ok(None)
/// }
/// ```
pub fn events<K: Kind + 'static>(request: Request<K>) -> CallStream<K::Result> {
    let buffer =
        Buffer { capacity: 256, overflow: Overflow::Wait, queue: VecDeque::new(), missed: 0, is_too_much: false };
    let buffer = Arc::new(Mutex::new(buffer));
    let (told, missed) = (Arc::clone(&buffer), Arc::<AtomicU64>::default());
    let begin = move |overflow| {
        let request = match overflow {
            Overflow::Wait | Overflow::Fail => request.every_progress(),
            Overflow::DropOldest => request.count_missed(Arc::clone(&missed)),
        };
        let tell = move |progress| lock(&told).push(progress, missed.swap(0, Ordering::Relaxed));
        request.on_progress(tell).into_future()
    };
    CallStream { state: State::Waiting(Box::new(begin)), buffer, idle: None }
}

impl<R> CallStream<R> {
    /// Sets how many notifications wait here to be taken, at least 1, and what becomes of those beyond that. Default:
    /// 256, and they [wait](Overflow::Wait). The rule is that of the moment when the stream is first polled.
    pub fn buffer(self, capacity: usize, overflow: Overflow) -> Self {
        {
            let mut buffer = lock(&self.buffer);
            buffer.capacity = capacity.max(1);
            buffer.overflow = overflow;
        }
        self
    }

    /// Sets for how long nothing may happen while somebody waits for it: the time begins with the first poll after the
    /// stream was made, or gave an event, that finds nothing. Then the call is given up, and ends with
    /// [`ErrorKind::Timeout`](bowline_client::ErrorKind::Timeout). Default: what the request itself says of it.
    pub fn idle(mut self, limit: Duration) -> Self {
        self.idle = Some(Idle { limit, sleep: Box::pin(sleep(limit)), is_waited_for: false });
        self
    }

    /// What waits here, if anything does.
    fn waiting(&self) -> Option<CallEvent<R>> {
        let mut buffer = lock(&self.buffer);
        if buffer.missed > 0 {
            return Some(CallEvent::Missed(std::mem::take(&mut buffer.missed)));
        }
        buffer.queue.pop_front().map(CallEvent::Progress)
    }

    /// Makes the call, if that was not done yet.
    fn begin(&mut self) {
        if matches!(self.state, State::Waiting(_))
            && let State::Waiting(begin) = std::mem::replace(&mut self.state, State::Over)
        {
            let overflow = lock(&self.buffer).overflow;
            self.state = State::Running(begin(overflow));
        }
    }

    /// Goes on with the call, and notes how it ended if it did.
    fn go_on(&mut self, cx: &mut Context<'_>) {
        self.begin();
        let State::Running(call) = &mut self.state else { return };
        let outcome = call.as_mut().poll(cx);
        let (is_too_much, capacity) = {
            let buffer = lock(&self.buffer);
            (buffer.is_too_much, buffer.capacity)
        };
        self.state = match outcome {
            Poll::Ready(outcome) => State::Ended(outcome),
            // Replacing the future drops it, which tells the server.
            Poll::Pending if is_too_much => {
                let what = format!("more than {capacity} notifications of progress came at once; raise the buffer");
                State::Ended(Err(Error::overloaded(what, None).with_sent(Sent::Yes)))
            }
            Poll::Pending => return,
        };
    }

    fn end(&mut self) -> Option<CallEvent<R>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Ended(outcome) => Some(CallEvent::Done(outcome)),
            State::Over => None,
            goes_on @ (State::Waiting(_) | State::Running(_)) => {
                self.state = goes_on;
                None
            }
        }
    }
}

// The call is in a box, and nothing else is pinned.
impl<R> Unpin for CallStream<R> {}

impl<R> Stream for CallStream<R> {
    type Item = CallEvent<R>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut event = this.waiting();
        if event.is_none() {
            this.go_on(cx);
            event = this.waiting().or_else(|| this.end());
        }
        if event.is_some() {
            if let Some(idle) = &mut this.idle {
                idle.is_waited_for = false;
            }
            return Poll::Ready(event);
        }
        if matches!(this.state, State::Over) {
            return Poll::Ready(None);
        }
        let Some(idle) = &mut this.idle else { return Poll::Pending };
        if !std::mem::replace(&mut idle.is_waited_for, true) {
            idle.sleep.as_mut().reset(Instant::now() + idle.limit);
        }
        ready!(idle.sleep.as_mut().poll(cx));
        let error = Error::deadline(idle.limit, Sent::Maybe);
        // Replacing the call drops it, which tells the server.
        this.state = State::Over;
        Poll::Ready(Some(CallEvent::Done(Err(error))))
    }
}

impl Buffer {
    /// Takes progress, before which the connection has dropped so much.
    fn push(&mut self, progress: ProgressNotificationParams, dropped: u64) {
        self.missed += dropped;
        if self.queue.len() >= self.capacity {
            match self.overflow {
                // No more comes than the connection had kept: the call is not polled while anything is here.
                Overflow::Wait => {}
                Overflow::DropOldest => {
                    self.queue.pop_front();
                    self.missed += 1;
                }
                Overflow::Fail => {
                    self.is_too_much = true;
                    return;
                }
            }
        }
        self.queue.push_back(progress);
    }
}

fn lock(buffer: &Mutex<Buffer>) -> MutexGuard<'_, Buffer> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R> fmt::Debug for CallStream<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buffer = lock(&self.buffer);
        f.debug_struct("CallStream")
            .field("over", &matches!(self.state, State::Over))
            .field("waiting", &buffer.queue.len())
            .field("missed", &buffer.missed)
            .finish_non_exhaustive()
    }
}
