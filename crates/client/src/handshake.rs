//! Asking what the session wants to know: one or two questions at a time, and silence as an answer.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_protocol::frame::{self, Message};

use bowline_transport::{Exchange, Patience, Routing, TransportError, WireRequest};

use crate::connection::Connection;
use crate::error::Error;
use crate::server_info::ServerInfo;
use crate::session::{Question, Session, Step};

/// The id of the question for the newer era, where it is only a probe: the ids of an older server's session begin
/// behind it, with 1 for `initialize`.
const PROBE: RequestId = RequestId::Number(0);

/// An open question.
struct Open {
    method: &'static str,
    exchange: Exchange,
}

/// Asks until it is agreed, and tells what was, and which notification seals it.
///
/// A server that says nothing for `probe` is silent, except while a person is `asked` for what it wants: then the
/// question has not reached it.
///
/// Nothing of it is ever cancelled at the server (basic/utilities/cancellation): a question that is no longer of
/// interest is forgotten.
pub(crate) async fn run(
    connection: &Connection,
    session: &mut Session,
    probe: Duration,
    asked: impl Fn() -> bool,
) -> Result<(Box<ServerInfo>, Option<&'static str>), Error> {
    let mut open: Vec<Open> = Vec::with_capacity(2);
    let mut patience = None;
    let mut step = session.start();
    loop {
        step = match step {
            Step::Request(question) => {
                let method = question.method;
                patience = question.impatient.then(|| Patience::new(probe));
                match ask(connection, question).await {
                    Ok(exchange) => {
                        open.push(Open { method, exchange });
                        Step::Wait
                    }
                    Err(error) => session.refused(method, error),
                }
            }
            Step::Wait => {
                let next = match &mut patience {
                    Some(patience) => patience.wait_for(&asked, next(&mut open)).await,
                    None => Some(next(&mut open).await),
                };
                match next {
                    Some((at, message)) => came(connection, session, &mut open, at, message).await,
                    None => {
                        patience = None;
                        session.silent()
                    }
                }
            }
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
    connection.transport.request(WireRequest::new(id, frame, routing).not_cancellable().as_first_words()).await
}

/// The next message of any open question, and whose it is.
async fn next(open: &mut [Open]) -> (usize, Option<Result<Message, TransportError>>) {
    poll_fn(|cx| {
        for (at, question) in open.iter_mut().enumerate() {
            if let Poll::Ready(message) = question.exchange.poll_message(cx) {
                return Poll::Ready((at, message));
            }
        }
        Poll::Pending
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
    if let Ok(Err(error)) = &outcome {
        connection.lenient(method, error.leniencies());
    }
    match outcome {
        Ok(outcome) => connection.reading(method, || session.answered(method, outcome)),
        Err(error) => session.refused(method, connection.cause(error)),
    }
}
