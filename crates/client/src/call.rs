//! The call plane: what a caller wants, what came back, and the deadlines between.

mod mirrored;
mod options;
mod span;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bowline_protocol::frame::{self, Message, Notification};
use bowline_protocol::{HeaderMirrors, Meta, Payload, ProgressToken, RawJson, ResultKind};
use bowline_transport::{Exchange, Routing, Sent, TransportError, WireRequest};
use tokio::time::{Instant, sleep_until};

pub(crate) use self::options::{Behind, CallOptions, OnProgress, Rare};
use crate::connection::Connection;
use crate::dial::Link;
use crate::error::{Error, ErrorKind};
use crate::plane::Safety;
use crate::rounds;
use crate::supervisor::Supervisor;
use crate::tasks::{self, Asked, Guarded, Watch};
use crate::timeouts::{NEVER, Timeouts};

/// How often one call goes on over a fresh connection.
const MAX_MOVES: u32 = 2;

/// What a caller wants: one request, whatever rounds and attempts it takes.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) method: Cow<'static, str>,
    /// What the method is applied to: a tool's or prompt's name, a resource's URI.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) params: Option<RawJson>,
    pub(crate) options: CallOptions,
    /// The parameters of the round that is under way, after the first, and how many there were.
    pub(crate) round: Option<RawJson>,
    pub(crate) rounds: u32,
    /// What the request said of tasks, and what comes in for one that it may become.
    pub(crate) asked: Asked,
    pub(crate) watch: Option<Watch>,
    /// What was mirrored of the arguments when it was sent last.
    pub(crate) mirrors: Option<Arc<HeaderMirrors>>,
    /// Whether the tools were listed again for its sake.
    pub(crate) listed_again: bool,
    /// When it was first run.
    pub(crate) began: Option<Instant>,
}

impl Call {
    /// Sends the request and waits for its answer, handing on progress on the way.
    ///
    /// Where the connection was lost before anything left, it goes on over a fresh one, within the same limits.
    /// Goes out in one session if one is named, and tells which it was. Dropping the future cancels the request.
    pub(crate) async fn run(
        &mut self,
        supervisor: &Arc<Supervisor>,
        session: Option<u64>,
    ) -> Result<(Payload, u64), Error> {
        let mut deadline = Deadline::start(supervisor.timeouts(), &self.options);
        self.began.get_or_insert(deadline.last_heard);
        let mut moves = 0;
        span::tell_way(supervisor.connector());
        let outcome = loop {
            let link = match supervisor.link_now() {
                Some(link) => link,
                // What is seldom waited for is on the heap: every call's future would have room for it.
                None => match Box::pin(fresh_link(supervisor, &deadline)).await {
                    Ok(link) => link,
                    Err(error) => break Err(error),
                },
            };
            if session.is_some_and(|session| session != link.session()) {
                break Err(Error::new(ErrorKind::Closed, "the session was replaced while a list was read; list again"));
            }
            match self.in_rounds(&link.owner.connection, &mut deadline).await {
                Ok(result) => break Ok((result, link.session())),
                Err(error) if moves < MAX_MOVES && supervisor.may_go_on(&error) => {
                    moves += 1;
                    if let Some(cause) = error.transport_error() {
                        supervisor.lose(&link, cause);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        outcome.map_err(|error| error.with_method(&self.method))
    }

    /// As [`run`](Self::run), over one connection and no other.
    pub(crate) async fn run_once(&mut self, connection: &Connection) -> Result<Payload, Error> {
        let mut deadline = Deadline::start(&connection.settings.timeouts, &self.options);
        self.exchange(connection, &mut deadline).await.map_err(|error| error.with_method(&self.method))
    }

    /// Sends the request as often as the server needs input for it, within one deadline.
    async fn in_rounds(&mut self, connection: &Arc<Connection>, deadline: &mut Deadline) -> Result<Payload, Error> {
        let mut without_questions = 0;
        loop {
            // As in `exchange`: nothing is kept while it waits that need not be.
            let going_on = {
                let outcome = self.exchange(connection, deadline).await;
                // In a session, kinds of results are unknown.
                let asks = |result: &Payload| {
                    let may_ask = connection.stamped().is_some() && !self.options.by_hand;
                    let kind = may_ask.then(|| rounds::kind_of(result, &self.method, self.asked)).transpose()?;
                    Ok::<_, Error>(kind == Some(ResultKind::InputRequired))
                };
                if let Ok(result) = &outcome
                    && !asks(result)?
                {
                    return outcome;
                }
                Box::pin(self.go_on(outcome, connection, deadline, &mut without_questions))
            };
            going_on.await?;
        }
    }

    /// Sees to it that the request can be sent once more, where the server refused it for what was mirrored, or needs
    /// input.
    async fn go_on(
        &mut self,
        outcome: Result<Payload, Error>,
        connection: &Arc<Connection>,
        deadline: &mut Deadline,
        without_questions: &mut u32,
    ) -> Result<(), Error> {
        match outcome {
            Ok(result) => self.next_round(&result, connection, deadline, without_questions).await,
            Err(error) if self.mirrors_others(&error, connection, deadline).await => {
                deadline.heard();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Answers what the server needs to know, and makes the parameters of the next round of it.
    async fn next_round(
        &mut self,
        result: &Payload,
        connection: &Arc<Connection>,
        deadline: &mut Deadline,
        without_questions: &mut u32,
    ) -> Result<(), Error> {
        let asked = connection.reading(&self.method, || rounds::read(result))?;
        if self.rounds >= connection.settings.max_rounds {
            let rounds = self.rounds + 1;
            let what = format!("the server needs more input after {rounds} rounds; max_rounds allows more");
            return Err(Error::new(ErrorKind::Protocol, what).with_sent(Sent::Yes));
        }
        self.rounds += 1;
        let answers = match asked.input_requests {
            Some(questions) if !questions.is_empty() => {
                *without_questions = 0;
                let answers = pin!(rounds::answers(connection, questions));
                Some(deadline.within_total(answers).await.ok_or_else(|| deadline.passed(Sent::Yes))??)
            }
            none => {
                *without_questions += 1;
                let delay = tokio::time::sleep(rounds::delay(*without_questions));
                deadline.within_total(pin!(delay)).await.ok_or_else(|| deadline.passed(Sent::Yes))?;
                none.map(|_| BTreeMap::new())
            }
        };
        deadline.heard();
        self.round = Some(rounds::params(self.params.as_ref(), answers, asked.request_state.as_deref())?);
        Ok(())
    }

    async fn exchange(&mut self, connection: &Connection, deadline: &mut Deadline) -> Result<Payload, Error> {
        connection.check(&self.method)?;
        self.check_token()?;
        // What is not needed any more is gone before anything is waited for: every call's future would have room for it.
        let opened = {
            let opening = {
                let request = self.wire_request(connection)?;
                span::tell_request(&request, connection);
                connection.transport.try_request(&request).ok_or_else(|| connection.transport.request(request))
            };
            match opening {
                Ok(opened) => Some(opened),
                Err(opening) => deadline.bound(opening).await,
            }
        };
        let exchange = opened.ok_or_else(|| deadline.passed(Sent::No))?.map_err(Error::transport)?;
        let desk = (self.asked == Asked::ForTask).then(|| Arc::clone(&connection.tasks));
        let mut exchange = Guarded::new(exchange, desk);
        let mut heard = false;
        let mut dropped = 0;
        loop {
            let handing_on = match deadline.bound_message(&mut exchange, connection).await {
                Some(Some(Ok(Message::Response(response)))) => {
                    exchange.answered();
                    let (status, wait) = (exchange.status(), exchange.retry_after());
                    return response.outcome.map_err(|error| {
                        connection.lenient(&self.method, error.leniencies());
                        Error::server(error).with_status(status).waiting(wait)
                    });
                }
                Some(Some(Ok(Message::Notification(n)))) if is_progress_of(&n, &self.options.token) => {
                    heard = true;
                    deadline.heard();
                    if let Some(Behind::Counts(missed)) = self.options.behind() {
                        let before = std::mem::replace(&mut dropped, exchange.dropped());
                        missed.fetch_add(dropped.saturating_sub(before), Ordering::Relaxed);
                    }
                    self.report(&n);
                    continue;
                }
                // What a transport received in this exchange and that is not about it alone.
                Some(Some(Ok(Message::Notification(log)))) if self.is_unasked_log(&log, connection) => {
                    connection.unasked(&log.method);
                    continue;
                }
                Some(Some(Ok(other))) => Box::pin(hand_on(connection, other, deadline)),
                Some(Some(Err(error))) => return Err(Error::transport(connection.cause(error))),
                Some(None) => return Err(Error::transport(TransportError::closed().with_sent(Sent::Maybe))),
                None => {
                    exchange.cancel(&deadline.reason());
                    let sent = if heard { Sent::Yes } else { Sent::Maybe };
                    let transport = &connection.transport;
                    return Err(deadline
                        .passed(sent)
                        .with_last_words(transport.last_words().as_deref())
                        .with_noise(transport.noise(Some(deadline.started.into_std()))));
                }
            };
            handing_on.await;
        }
    }

    /// Tokens of the caller's choice must not meet the client's own, which are the ids of requests.
    fn check_token(&self) -> Result<(), Error> {
        match &self.options.token {
            Some(ProgressToken::Number(n)) if self.options.own_token && *n > 0 => Err(Error::new(
                ErrorKind::Config,
                format!("progress token {n} is one that the client may use itself; choose a string"),
            )),
            _ => Ok(()),
        }
    }

    fn wire_request(&mut self, connection: &Connection) -> Result<WireRequest, Error> {
        let id = connection.next_id();
        let options = &mut self.options;
        if !options.own_token && (options.may_take_long || options.on_progress_mut().is_some()) {
            // Ids are never used twice, so neither is a token that is the id.
            options.token = Some(id.clone());
        }
        self.asked = tasks::asked(self, connection);
        let with_task = self.params_for_task()?;
        let mut routing = Routing::new(self.method.clone());
        routing.name.clone_from(&self.name);
        routing.mirrored = self.mirrored(connection)?;
        let options = &self.options;
        let token = options.token.as_ref();
        let params = with_task.as_ref().or(self.round.as_ref()).or(self.params.as_ref());
        let traced = connection.introduction.trace.add_to(options.meta());
        let meta = traced.as_ref().or(options.meta());
        let frame = match connection.stamped() {
            None => frame::encode_request(&id, &self.method, params, token, meta),
            Some(stamped) => {
                routing.revision = Some(stamped.revision);
                check_meta(meta)?;
                let takes_tasks = self.asked == Asked::Declared;
                let with_level = options.log_level().map(|level| {
                    connection.logged();
                    connection.stamp_with(stamped.revision, Some(level), takes_tasks)
                });
                let stamp = with_level.as_ref().unwrap_or_else(|| stamped.saying(takes_tasks));
                frame::encode_stamped_request(&id, &self.method, params, stamp, token, meta)
            }
        };
        let mut request = WireRequest::new(id, frame, routing);
        request.progress_token = options.token.clone();
        request.keeps_all = matches!(options.behind(), Some(Behind::Fails));
        request.once = options.safety() == Some(Safety::Unsafe);
        if self.asked == Asked::ForTask {
            // From now on, so that nothing is missed between the end of the exchange and the task.
            self.watch = options.token.clone().map(|token| connection.tasks.watch(token, request.keeps_all));
            // Specification: 2025-11-25, basic/utilities/cancellation: a task is not cancelled by the notification.
            request = request.not_cancellable();
        }
        Ok(request)
    }

    /// The parameters of a request that asks for a task (2025-11-25).
    fn params_for_task(&self) -> Result<Option<RawJson>, Error> {
        let asks = self.asked == Asked::ForTask;
        asks.then(|| tasks::with_task(self.params.as_ref(), self.options.task().and_then(|task| task.ttl))).transpose()
    }

    /// Whether a log message came inside of an exchange for which nobody asked for any (2026-07-28,
    /// server/utilities/logging).
    fn is_unasked_log(&self, notification: &Notification, connection: &Connection) -> bool {
        notification.method == bowline_protocol::method::NOTIFICATIONS_MESSAGE
            && self.options.log_level().is_none()
            && connection.stamped().is_some_and(|stamped| !stamped.logs)
    }

    fn report(&mut self, notification: &Notification) {
        let Some(on_progress) = self.options.on_progress_mut() else { return };
        match notification.params.as_ref().map(RawJson::parse) {
            Some(Ok(progress)) => on_progress(progress),
            _ => tracing::debug!(params = ?notification.params, "ignored progress of the wrong shape"),
        }
    }
}

/// A connection that is not known to be lost, within the limits of a call.
async fn fresh_link(supervisor: &Arc<Supervisor>, deadline: &Deadline) -> Result<Arc<Link>, Error> {
    deadline.bound(pin!(supervisor.link())).await.unwrap_or_else(|| Err(deadline.passed(Sent::No)))
}

/// Gives a message to the serving task, within the limits of a call: if they are reached, that shows soon enough.
async fn hand_on(connection: &Connection, message: Message, deadline: &Deadline) {
    let _ = deadline.bound(pin!(connection.hand_on(message))).await;
}

/// What every request says of the client is not for the caller to say, and a trace has the form of the W3C
/// (2026-07-28, basic/index).
fn check_meta(meta: Option<&Meta>) -> Result<(), Error> {
    if let Some(key) = meta.and_then(Meta::malformed_trace_key) {
        let what = format!("_meta key \"{key}\" does not have the form of the w3c; correct it or leave it out");
        return Err(Error::new(ErrorKind::Config, what));
    }
    match meta.and_then(|meta| meta.iter().find(|(key, _)| frame::Stamp::has(key))) {
        Some((key, _)) => {
            Err(Error::new(ErrorKind::Config, format!("_meta key \"{key}\" is the client's own; leave it out")))
        }
        None => Ok(()),
    }
}

/// Whether a message of an exchange is its progress. A transport that routes by token has looked already; the
/// method tells enough then.
fn is_progress_of(notification: &Notification, token: &Option<ProgressToken>) -> bool {
    token.is_some() && notification.method == bowline_protocol::method::NOTIFICATIONS_PROGRESS
}

/// The two limits of a call.
struct Deadline {
    started: Instant,
    last_heard: Instant,
    idle: Duration,
    total: Duration,
}

impl Deadline {
    fn start(timeouts: &Timeouts, options: &CallOptions) -> Self {
        let now = Instant::now();
        Self {
            started: options.started.unwrap_or(now),
            last_heard: now,
            idle: options.idle.unwrap_or(timeouts.idle),
            total: options.total.unwrap_or(timeouts.total),
        }
    }

    fn heard(&mut self) {
        self.last_heard = Instant::now();
    }

    /// When the nearer of the two limits is reached.
    fn at(&self) -> Instant {
        (self.last_heard + self.idle.min(NEVER)).min(self.started + self.total.min(NEVER))
    }

    /// Waits for what does not count as the server's silence.
    async fn within_total<T>(&self, work: impl Future<Output = T> + Unpin) -> Option<T> {
        tokio::time::timeout_at(self.started + self.total.min(NEVER), work).await.ok()
    }

    async fn bound<T>(&self, mut work: impl Future<Output = T> + Unpin) -> Option<T> {
        // What need not wait needs no timer.
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(pin!(&mut work).poll(cx))).await {
            return Some(done);
        }
        tokio::time::timeout_at(self.at(), work).await.ok()
    }

    /// The next message of the exchange, or none when a limit is reached.
    async fn bound_message(
        &mut self,
        exchange: &mut Exchange,
        connection: &Connection,
    ) -> Option<Option<Result<Message, TransportError>>> {
        let mut sleep = pin!(sleep_until(self.at()));
        poll_fn(|cx| {
            if let Poll::Ready(message) = exchange.poll_message(cx) {
                return Poll::Ready(Some(message));
            }
            while sleep.as_mut().poll(cx).is_ready() {
                // A server that waits for a handler of ours, such as a form that a person fills in, is not idle.
                self.last_heard = self.last_heard.max(connection.waited_for_us().unwrap_or(self.last_heard));
                let at = self.at();
                if at <= Instant::now() {
                    return Poll::Ready(None);
                }
                sleep.as_mut().reset(at);
            }
            Poll::Pending
        })
        .await
    }

    fn total_passed(&self) -> bool {
        self.started.elapsed() >= self.total
    }

    /// What the server is told.
    fn reason(&self) -> String {
        if self.total_passed() {
            format!("the time limit of {:?} has passed", self.total)
        } else {
            format!("no progress for {:?}", self.idle)
        }
    }

    fn passed(&self, sent: Sent) -> Error {
        if self.total_passed() {
            Error::timeout("no answer", self.total, sent)
        } else {
            Error::timeout("neither answer nor progress", self.idle, sent)
        }
    }
}
