//! Asking what the session wants to know: one or two questions at a time, and silence as an answer.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_protocol::frame::{self, Message};

use bowline_transport::{Exchange, Routing, TransportError, WireRequest};
use tokio::time::{Instant, sleep_until};

use crate::connection::Connection;
use crate::error::Error;
use crate::server_info::ServerInfo;
use crate::session::{Question, Session, Step};
use crate::timeouts::NEVER;

/// The id of the question for the newer era, where it is only a probe: the ids of an older server's session begin
/// behind it, with 1 for `initialize`.
const PROBE: RequestId = RequestId::Number(0);

/// An open question.
struct Open {
    method: &'static str,
    exchange: Exchange,
}

/// What happens next.
enum Next {
    Came(usize, Option<Result<Message, TransportError>>),
    Silence,
}

/// Asks until it is agreed, and tells what was, and which notification seals it.
///
/// Nothing of it is ever cancelled at the server (basic/utilities/cancellation): a question that is no longer of
/// interest is forgotten.
pub(crate) async fn run(
    connection: &Connection,
    session: &mut Session,
    patience: Duration,
) -> Result<(Box<ServerInfo>, Option<&'static str>), Error> {
    let mut open: Vec<Open> = Vec::with_capacity(2);
    let mut silent_at = None;
    let mut step = session.start();
    loop {
        step = match step {
            Step::Request(question) => {
                let method = question.method;
                silent_at = question.impatient.then(|| Instant::now() + patience.min(NEVER));
                match ask(connection, question).await {
                    Ok(exchange) => {
                        open.push(Open { method, exchange });
                        Step::Wait
                    }
                    Err(error) => session.refused(method, error),
                }
            }
            Step::Wait => match next(&mut open, silent_at).await {
                Next::Silence => {
                    silent_at = None;
                    session.silent()
                }
                Next::Came(at, message) => came(connection, session, &mut open, at, message).await,
            },
            Step::Ready { server, notify } => return Ok((server, notify)),
            Step::Fail(error) => return Err(error),
        };
    }
}

async fn ask(connection: &Connection, question: Question) -> Result<Exchange, TransportError> {
    if question.revision.is_none() {
        // A server with sessions may ping from now on.
        connection.settle();
    }
    let id = if question.impatient { PROBE } else { connection.next_id() };
    let frame = frame::encode_request(&id, question.method, Some(&question.params), None, None);
    let mut routing = Routing::new(question.method);
    routing.revision = question.revision;
    connection.transport.request(WireRequest::new(id, frame, routing).not_cancellable()).await
}

/// The next message of any open question, or that none came for too long.
async fn next(open: &mut [Open], silent_at: Option<Instant>) -> Next {
    let far = Instant::now() + NEVER;
    let mut silence = pin!(sleep_until(silent_at.unwrap_or(far)));
    poll_fn(|cx| {
        for (at, question) in open.iter_mut().enumerate() {
            if let Poll::Ready(message) = question.exchange.poll_message(cx) {
                return Poll::Ready(Next::Came(at, message));
            }
        }
        silence.as_mut().poll(cx).map(|()| Next::Silence)
    })
    .await
}

async fn came(
    connection: &Connection,
    session: &mut Session,
    open: &mut Vec<Open>,
    at: usize,
    message: Option<Result<Message, TransportError>>,
) -> Step {
    let outcome = match message {
        Some(Ok(Message::Response(response))) => Ok(response.outcome),
        Some(Ok(other)) => {
            connection.hand_on(other).await;
            return Step::Wait;
        }
        Some(Err(error)) => Err(error),
        None => Err(TransportError::closed()),
    };
    let Open { method, exchange } = open.swap_remove(at);
    session.comes_with(exchange.status());
    match outcome {
        Ok(outcome) => session.answered(method, outcome),
        Err(error) => session.refused(method, connection.cause(error)),
    }
}
