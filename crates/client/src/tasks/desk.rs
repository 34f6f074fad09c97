//! What a connection keeps for its tasks: who waits for their progress and their changes, and which ones nobody waits
//! for any more.

use std::collections::{HashMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bowline_protocol::frame::{Message, Notification};
use bowline_protocol::{
    CancelTaskRequestParams, CreateTaskResult, ProgressNotificationParams, ProgressToken, RawJson, method,
};
use bowline_transport::{Exchange, ExchangeSource, TransportError};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use crate::call::{Call, CallOptions};
use crate::connection::Connection;
use crate::tasks::asking::is_nested;
use crate::tasks::ticket::short;

/// How many progress notifications of one task wait for its caller; then the oldest go, or no more come.
const MAX_PROGRESS: usize = 4_096;
/// How many tasks that nobody waits for any more wait to be cancelled.
const ABANDONED: usize = 256;

/// The desk of one connection.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Progress of calls whose exchange is over, by their tokens.
    progress: Mutex<HashMap<ProgressToken, Arc<Lane>>>,
    /// Who waits for changes of which task.
    changes: Mutex<HashMap<String, watch::Sender<()>>>,
    /// Boxed, since the queue has room for 32 from the start, and most connections never have one.
    abandoned: mpsc::Sender<Box<Abandoned>>,
    /// How many are on their way to being cancelled.
    leaving: watch::Sender<usize>,
    /// Whether the server is known to tell of no task.
    never_told: AtomicBool,
}

/// What a caller left behind.
#[derive(Debug)]
pub(crate) struct Abandoned {
    left: Left,
    /// Counts until it is dropped.
    leaving: Leaving,
}

#[derive(Debug)]
enum Left {
    /// A task.
    Task(String),
    /// A request that asked for one and has no answer yet.
    Call(Exchange),
}

#[derive(Debug)]
struct Leaving(watch::Sender<usize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Desk {
    /// A desk, and where what was abandoned comes out.
    pub(crate) fn new() -> (Arc<Self>, mpsc::Receiver<Box<Abandoned>>) {
        let (abandoned, leavers) = mpsc::channel(ABANDONED);
        let leaving = watch::Sender::new(0);
        let desk = Self {
            progress: Mutex::default(),
            changes: Mutex::default(),
            abandoned,
            leaving,
            never_told: AtomicBool::new(false),
        };
        (Arc::new(desk), leavers)
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<ProgressToken, Arc<Lane>>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the progress under a token for a call that may go on as a task (basic/utilities/progress: the token stays
    /// valid until the task ends). With `keeps_all` it is cut off rather than loses any.
    pub(crate) fn watch(self: &Arc<Self>, token: ProgressToken, keeps_all: bool) -> Watch {
        let lane = Arc::new(Lane { token: token.clone(), keeps_all, waiting: Mutex::default() });
        self.lanes().insert(token, Arc::clone(&lane));
        Watch { desk: Arc::clone(self), lane }
    }

    /// Tells when the server says that a task changed (2025-11-25). Servers need not say so.
    pub(crate) fn changes(&self, task_id: &str) -> watch::Receiver<()> {
        let mut listeners = self.listeners();
        listeners.retain(|_, sender| sender.receiver_count() > 0);
        listeners.entry(task_id.to_owned()).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// Notes that the server has no subscriptions.
    pub(crate) fn never_told(&self) {
        self.never_told.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_never_told(&self) -> bool {
        self.never_told.load(Ordering::Relaxed)
    }

    /// Takes a notification, if it is for one of the tasks alone. One about a change is everybody's.
    pub(crate) fn take(&self, notification: &Notification) -> bool {
        match notification.method.as_str() {
            method::NOTIFICATIONS_PROGRESS => self.take_progress(notification.params.as_ref()).is_some(),
            method::NOTIFICATIONS_TASKS_STATUS => {
                self.wake(notification.params.as_ref());
                false
            }
            _ => false,
        }
    }

    fn take_progress(&self, params: Option<&RawJson>) -> Option<()> {
        if self.lanes().is_empty() {
            return None;
        }
        let progress: ProgressNotificationParams = params?.parse().ok()?;
        let lane = Arc::clone(self.lanes().get(&progress.progress_token)?);
        lane.push(progress);
        Some(())
    }

    fn wake(&self, params: Option<&RawJson>) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Which {
            task_id: String,
        }

        let listeners = self.listeners();
        if !listeners.is_empty()
            && let Some(which) = params.and_then(|params| params.parse::<Which>().ok())
            && let Some(listener) = listeners.get(&which.task_id)
        {
            listener.send_replace(());
        }
    }

    /// Has a task cancelled that nobody waits for any more.
    pub(crate) fn abandon(&self, task_id: String) {
        self.leave(Left::Task(task_id));
    }

    fn leave(&self, left: Left) {
        self.leaving.send_modify(|count| *count += 1);
        let abandoned = Box::new(Abandoned { left, leaving: Leaving(self.leaving.clone()) });
        if self.abandoned.try_send(abandoned).is_err() {
            tracing::debug!(
                "a task that nobody waits for is not cancelled: the connection has ended, or too many wait"
            );
        }
    }

    /// Waits until what was abandoned is cancelled, but no longer than `limit`.
    pub(crate) async fn settled(&self, limit: Duration) {
        let mut leaving = self.leaving.subscribe();
        if tokio::time::timeout(limit, leaving.wait_for(|count| *count == 0)).await.is_err() {
            tracing::debug!(?limit, "the connection closes before all tasks that nobody waits for are cancelled");
        }
    }
}

/// Cancels what was abandoned (basic/utilities/cancellation: a task by `tasks/cancel`, never by the notification).
pub(crate) async fn farewell(connection: Arc<Connection>, abandoned: Box<Abandoned>) {
    let Abandoned { left, leaving } = *abandoned;
    let limit = connection.settings.timeouts.idle;
    let task_id = match left {
        Left::Task(task_id) => Some(task_id),
        Left::Call(exchange) => {
            let answer = pin!(created(&connection, exchange));
            tokio::time::timeout(limit, answer).await.ok().flatten()
        }
    };
    if let Some(task_id) = task_id {
        cancel(&connection, task_id, limit).await;
    }
    drop(leaving);
}

/// The task that comes of a request after all, if one does.
async fn created(connection: &Connection, mut exchange: Exchange) -> Option<String> {
    loop {
        match exchange.next().await?.ok()? {
            Message::Response(response) => {
                let result = response.outcome.ok().filter(is_nested)?;
                let created = connection.reading(method::TOOLS_CALL, || result.decode::<CreateTaskResult>());
                return created.ok().map(|created| created.task.task_id);
            }
            other => connection.hand_on(other).await,
        }
    }
}

async fn cancel(connection: &Connection, task_id: String, limit: Duration) {
    let Ok(params) = RawJson::from_serialize(&CancelTaskRequestParams::new(task_id.as_str())) else { return };
    let options = CallOptions { idle: Some(limit), total: Some(limit), ..CallOptions::default() };
    let task = short(&task_id);
    let mut call = Call {
        method: method::TASKS_CANCEL.into(),
        name: Some(task_id.into()),
        params: Some(params),
        options,
        ..Call::default()
    };
    match call.run_once(connection).await {
        Ok(_) => tracing::debug!(task, "cancelled a task that nobody waits for"),
        Err(error) => tracing::debug!(task, %error, "could not cancel a task that nobody waits for"),
    }
}

/// Progress on its way to the caller of a task.
#[derive(Debug)]
struct Lane {
    token: ProgressToken,
    /// Whether it is cut off where there is no room.
    keeps_all: bool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<ProgressNotificationParams>,
    /// How many gave way since that was told last.
    dropped: u64,
    is_cut: bool,
    waker: Option<Waker>,
}

impl Lane {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, progress: ProgressNotificationParams) {
        let mut waiting = self.waiting();
        waiting.is_cut |= self.keeps_all && waiting.queue.len() == MAX_PROGRESS;
        if waiting.is_cut {
            return;
        }
        if waiting.queue.len() == MAX_PROGRESS {
            waiting.queue.pop_front();
            waiting.dropped += 1;
        }
        waiting.queue.push_back(progress);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Progress under one token, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    desk: Arc<Desk>,
    lane: Arc<Lane>,
}

impl Watch {
    /// The next one, and how many before it gave way.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<(ProgressNotificationParams, u64)> {
        let mut waiting = self.lane.waiting();
        if let Some(progress) = waiting.queue.pop_front() {
            return Poll::Ready((progress, std::mem::take(&mut waiting.dropped)));
        }
        waiting.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether there was more than there was room for, of one that must not lose any.
    pub(crate) fn is_cut(&self) -> bool {
        self.lane.waiting().is_cut
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut lanes = self.desk.lanes();
        if lanes.get(&self.lane.token).is_some_and(|lane| Arc::ptr_eq(lane, &self.lane)) {
            lanes.remove(&self.lane.token);
        }
    }
}

/// An exchange that, where it asked for a task, is not given up with its caller: what comes of it is cancelled.
#[derive(Debug)]
pub(crate) struct Guarded {
    exchange: Exchange,
    desk: Option<Arc<Desk>>,
}

impl Guarded {
    pub(crate) const fn new(exchange: Exchange, desk: Option<Arc<Desk>>) -> Self {
        Self { exchange, desk }
    }

    /// Notes that the answer came.
    pub(crate) fn answered(&mut self) {
        self.desk = None;
    }

    /// Gives the exchange up, or leaves it to the desk.
    pub(crate) fn cancel(mut self, reason: &str) {
        if self.desk.is_none() {
            std::mem::replace(&mut self.exchange, Exchange::new(Ended)).cancel(reason);
        }
    }
}

impl Deref for Guarded {
    type Target = Exchange;

    fn deref(&self) -> &Exchange {
        &self.exchange
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            desk.leave(Left::Call(std::mem::replace(&mut self.exchange, Exchange::new(Ended))));
        }
    }
}

/// What stands in the place of an exchange that was handed over.
struct Ended;

impl ExchangeSource for Ended {
    fn poll_message(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
        Poll::Ready(None)
    }

    fn cancel(&mut self, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_protocol::frame::{Incoming, decode};

    fn notification(json: &str) -> Notification {
        match decode(&bytes::Bytes::copy_from_slice(json.as_bytes())).unwrap() {
            Incoming::Message(Message::Notification(notification)) => notification,
            other => panic!("a notification, not {other:?}"),
        }
    }

    fn progress(token: &str, progress: usize) -> Notification {
        notification(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{progress}}}}}"#
        ))
    }

    #[test]
    fn p_06_progress_goes_to_its_task_until_nobody_watches() {
        let (desk, _leavers) = Desk::new();
        let mut cx = Context::from_waker(Waker::noop());
        let watch = desk.watch(ProgressToken::Number(3), false);
        assert!(desk.take(&progress("3", 1)) && !desk.take(&progress("\"3\"", 1)) && !desk.take(&progress("4", 1)));
        assert!(watch.poll(&mut cx).is_ready() && watch.poll(&mut cx).is_pending());
        drop(watch);
        assert!(!desk.take(&progress("3", 2)));
    }

    #[test]
    fn a_watch_that_was_replaced_does_not_end_the_one_in_its_place() {
        let (desk, _leavers) = Desk::new();
        let first = desk.watch(ProgressToken::Number(3), false);
        let _second = desk.watch(ProgressToken::Number(3), false);
        drop(first);
        assert!(desk.take(&progress("3", 1)));
    }

    #[test]
    fn progress_that_nobody_reads_is_bounded() {
        let (desk, _leavers) = Desk::new();
        let watch = desk.watch(ProgressToken::Number(3), false);
        (0..3 * MAX_PROGRESS).for_each(|n| assert!(desk.take(&progress("3", n))));
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready((oldest, dropped)) = watch.poll(&mut cx) else { panic!("progress") };
        assert_eq!((oldest.progress, dropped), ((2 * MAX_PROGRESS) as f64, 2 * MAX_PROGRESS as u64));
        assert_eq!(watch.lane.waiting().queue.len(), MAX_PROGRESS - 1);
        let Poll::Ready((_, dropped)) = watch.poll(&mut cx) else { panic!("progress") };
        assert!(dropped == 0 && !watch.is_cut());
    }

    #[test]
    fn progress_that_may_not_be_lost_is_cut_off_where_nobody_reads() {
        let (desk, _leavers) = Desk::new();
        let watch = desk.watch(ProgressToken::Number(3), true);
        (0..MAX_PROGRESS).for_each(|n| assert!(desk.take(&progress("3", n))));
        assert!(!watch.is_cut());
        assert!(desk.take(&progress("3", MAX_PROGRESS)) && watch.is_cut());
        let mut cx = Context::from_waker(Waker::noop());
        let mut told = 0_u32;
        while let Poll::Ready((next, 0)) = watch.poll(&mut cx) {
            assert_eq!(next.progress, f64::from(told));
            told += 1;
            // Whatever comes after a gap.
            assert!(desk.take(&progress("3", 2 * MAX_PROGRESS)));
        }
        assert_eq!(told as usize, MAX_PROGRESS);
    }

    #[test]
    fn tk_04_a_change_is_told_to_who_waits_for_this_task_and_is_still_everybodys() {
        let (desk, _leavers) = Desk::new();
        let (one, other) = (desk.changes("one"), desk.changes("other"));
        let told = r#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"one","status":"x"}}"#;
        assert!(!desk.take(&notification(told)));
        assert!(one.has_changed().unwrap() && !other.has_changed().unwrap());
        let odd = r#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":7}}"#;
        assert!(!desk.take(&notification(odd)));
    }

    #[test]
    fn who_waits_for_changes_is_forgotten_with_the_wait() {
        let (desk, _leavers) = Desk::new();
        for n in 0..1_000 {
            drop(desk.changes(&n.to_string()));
        }
        assert_eq!(desk.listeners().len(), 1);
    }

    #[tokio::test]
    async fn what_is_abandoned_is_bounded_and_counted() {
        let (desk, mut leavers) = Desk::new();
        for n in 0..2 * ABANDONED {
            desk.abandon(n.to_string());
        }
        assert_eq!(*desk.leaving.borrow(), ABANDONED);
        leavers.close();
        while leavers.recv().await.is_some() {}
        desk.settled(Duration::from_secs(60)).await;
        assert_eq!(*desk.leaving.borrow(), 0);
    }
}
