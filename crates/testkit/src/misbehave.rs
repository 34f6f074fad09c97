//! What a server can do wrong, on demand.

mod named;

use std::time::Duration;

use bowline_protocol::frame;
use bowline_protocol::{Entries, ErrorCode, ErrorObject, ProgressNotificationParams, RawJson, RequestId, method};
use bytes::Bytes;
use serde_json::json;

pub use self::named::{Named, UnknownMisbehaviour};

use crate::server::{Context, Out, encode, tag, to_raw};

/// Something that a server does wrong all the time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quirk {
    /// Answers requests that were cancelled, which it should not.
    AnswersCancelled,
    /// Writes this line before anything else.
    Banner(String),
    /// Begins with a byte order mark.
    ByteOrderMark,
    /// Ends lines with `\r\n`.
    CarriageReturns,
    /// Writes so many bytes at a time.
    Chunks(usize),
    /// Holds messages back until there are so many, or 50 ms have passed, and writes them at once.
    Coalesce(usize),
    /// Says of every result that may be kept that it may be so for so many milliseconds: negative, or beyond all
    /// bounds (2026-07-28).
    CacheTtl(i128),
    /// Gives the cursor of a page with that same page.
    CursorLoop,
    /// Says of a task that has ended, from the second look on, that it is worked on again.
    TaskGoesBackwards,
    /// Says of every task that it is being worked on, for ever.
    TaskNeverEnds,
    /// Says of every task that it is kept for so many milliseconds: negative, or beyond all bounds.
    TaskTtl(i128),
    /// Knows nothing of a task from the second look on.
    TaskVanishes,
}

/// Something that a server does wrong when it gets a request.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// Answers with this result, whatever the handler gave.
    Answer(RawJson),
    /// Answers inside of an array, beside a log message.
    Batch,
    /// Waits before it does anything.
    Delay(Duration),
    /// Answers once more, so many times.
    Duplicate(usize),
    /// Sends an event on a subscription before it is acknowledged (2026-07-28).
    EarlyEvent,
    /// Answers with an error whose id is null.
    ErrorWithoutId,
    /// Answers, then closes the connection; a program exits with this code.
    ExitAfter(u8),
    /// Closes the connection in place of an answer; a program exits with this code.
    ExitBefore(u8),
    /// Sends an event first, on a subscription that nobody asked for (2026-07-28).
    ForeignSubscription,
    /// Writes this line first, which need not be a message, nor text.
    Garbage(Bytes),
    /// Writes the first half of the answer and closes the connection.
    HalfMessage,
    /// Answers with the id as a string.
    IdAsString,
    /// Asks for input, in every round: a question that the client declared it can answer, or else a state to come
    /// back with (2026-07-28).
    InputRequired,
    /// Sends so many log messages first.
    LogFlood(usize),
    /// Gives no answer.
    NeverAnswer,
    /// Sends no acknowledgement of a subscription (2026-07-28).
    NoAcknowledgement,
    /// Writes so many bytes without a newline in place of the answer.
    Oversize(usize),
    /// Pings the client so many times first, without waiting for answers.
    PingStorm(usize),
    /// Sends so many progress notifications first, if the client asked for progress.
    ProgressFlood(usize),
    /// Answers with this error, whatever the handler gave.
    Refuse(ErrorObject),
    /// Wants a state of so many bytes back before it gives its answer, and refuses any other (2026-07-28).
    RequestState(usize),
    /// Says that its result is of this kind (2026-07-28).
    ResultType(String),
    /// Writes so many bytes to standard error first, where it is a program.
    StderrFlood(usize),
    /// Answers under an id that nobody used.
    WrongId,
    /// Answers with a result of a shape that no method has.
    WrongShape,
}

impl Misbehaviour {
    /// Refuses a request with `unsupported protocol version`, as if these revisions alone were served (2026-07-28).
    ///
    /// ```
    /// use bowline_testkit::{Misbehaviour, MockServer, When};
    ///
    /// let fussy = MockServer::builder().misbehave(When::always().nth(1), Misbehaviour::unsupported(["2026-07-28"]));
    /// # let _ = fussy;
    /// ```
    pub fn unsupported<'a>(supported: impl IntoIterator<Item = &'a str>) -> Self {
        let supported: Vec<_> = supported.into_iter().collect();
        let error = ErrorObject::new(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version");
        Self::Refuse(error.with_data(RawJson::from(json!({ "supported": supported, "requested": "2026-07-28" }))))
    }

    /// Refuses a request with `header mismatch` (2026-07-28).
    pub fn header_mismatch() -> Self {
        Self::Refuse(ErrorObject::new(ErrorCode::HEADER_MISMATCH, "Header mismatch: on purpose"))
    }
}

/// Which requests a [`Misbehaviour`] is for.
///
/// ```
/// use bowline_testkit::When;
///
/// let second_call = When::method("tools/call").nth(2);
/// # let _ = second_call;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    method: Option<String>,
    nth: Option<u64>,
}

impl When {
    /// Every request.
    pub fn always() -> Self {
        Self::default()
    }

    /// Every request of a method.
    pub fn method(method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), nth: None }
    }

    /// Only the `n`-th of them, counted from 1 over all connections.
    #[must_use]
    pub const fn nth(mut self, n: u64) -> Self {
        self.nth = Some(n);
        self
    }
}

/// The rules of one server, or of what stands before it.
#[derive(Debug)]
pub(crate) struct Rules<T = Misbehaviour>(Vec<Rule<T>>);

#[derive(Debug)]
struct Rule<T> {
    when: When,
    what: T,
    seen: u64,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Rules<T> {
    pub(crate) fn push(&mut self, when: When, what: T) {
        self.0.push(Rule { when, what, seen: 0 });
    }

    /// Counts a request and gives what is to go wrong with it.
    pub(crate) fn matching(&mut self, method: &str) -> Vec<T> {
        let mut matching = Vec::new();
        for rule in &mut self.0 {
            if rule.when.method.as_deref().is_some_and(|wanted| wanted != method) {
                continue;
            }
            rule.seen += 1;
            if rule.when.nth.is_none_or(|nth| nth == rule.seen) {
                matching.push(rule.what.clone());
            }
        }
        matching
    }
}

/// Does what goes wrong before the handler runs.
pub(crate) async fn before(context: &Context, faults: &[Misbehaviour]) {
    let session = context.session();
    for fault in faults {
        match fault {
            Misbehaviour::Delay(delay) => tokio::time::sleep(*delay).await,
            Misbehaviour::Garbage(line) => session.write(Out::Line(line.clone())).await,
            Misbehaviour::LogFlood(count) => {
                for n in 1..=*count {
                    let params =
                        RawJson::from(json!({ "level": "info", "logger": "flood", "data": format!("message {n}") }));
                    session.notify("notifications/message", Some(&params)).await;
                }
            }
            Misbehaviour::ProgressFlood(count) => {
                let Some(token) = context.progress_token() else { continue };
                for n in 1..=*count {
                    let params = ProgressNotificationParams::new(token.clone(), n as f64).with_total(*count as f64);
                    if let Ok(params) = to_raw(&params) {
                        session.notify("notifications/progress", Some(&params)).await;
                    }
                }
            }
            Misbehaviour::PingStorm(count) => {
                for n in 1..=*count {
                    let id = RequestId::from(format!("storm-{n}"));
                    session.write(Out::Line(frame::encode_request(&id, "ping", None, None, None))).await;
                }
            }
            Misbehaviour::ForeignSubscription => {
                let meta = tag(&RequestId::from("nobody-asked"));
                let method = method::NOTIFICATIONS_TOOLS_LIST_CHANGED;
                session.write(Out::Line(frame::encode_notification(method, None, Some(&meta)))).await;
            }
            Misbehaviour::StderrFlood(bytes) => session.write(Out::Stderr(*bytes)).await,
            _ => {}
        }
    }
}

/// What is written in place of, or around, an answer.
pub(crate) fn answer(context: &Context, outcome: Result<RawJson, ErrorObject>, faults: &[Misbehaviour]) -> Vec<Out> {
    let outcome = faults.iter().fold(outcome, |outcome, fault| round(context, outcome, fault));
    garble(context.request_id(), outcome, faults)
}

/// Asks for input in place of an answer.
fn round(
    context: &Context,
    outcome: Result<RawJson, ErrorObject>,
    fault: &Misbehaviour,
) -> Result<RawJson, ErrorObject> {
    let params = context.raw_params().map(RawJson::to_value).unwrap_or_default();
    match fault {
        Misbehaviour::InputRequired => {
            let can = context.client_capabilities();
            let form = json!({ "type": "object", "properties": { "again": { "type": "boolean" } } });
            let question = if can.elicitation.is_some_and(|elicitation| elicitation.has_form()) {
                Some(json!({ "method": "elicitation/create",
                    "params": { "mode": "form", "message": "Once more?", "requestedSchema": form } }))
            } else {
                can.roots.map(|_| json!({ "method": "roots/list" }))
            };
            let mut result = json!({ "resultType": "input_required", "requestState": "once more" });
            if let (Some(question), Some(members)) = (question, result.as_object_mut()) {
                members.insert("inputRequests".to_owned(), json!({ "again": question }));
            }
            Ok(RawJson::from(result))
        }
        Misbehaviour::RequestState(bytes) => {
            // Not one letter alone: what is cut or reordered shows.
            let state: String = ('a'..='z').cycle().take(*bytes).collect();
            match params.get("requestState").and_then(serde_json::Value::as_str) {
                None => Ok(RawJson::from(json!({ "resultType": "input_required", "requestState": state }))),
                Some(back) if back == state => outcome,
                Some(back) => {
                    let text = format!("the requestState had {bytes} bytes and came back with {}", back.len());
                    Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, text))
                }
            }
        }
        _ => outcome,
    }
}

/// Writes an answer as the faults have it.
fn garble(id: &RequestId, outcome: Result<RawJson, ErrorObject>, faults: &[Misbehaviour]) -> Vec<Out> {
    let mut outcome = outcome;
    let mut id = id.clone();
    for fault in faults {
        match fault {
            Misbehaviour::ResultType(kind) => {
                let members = outcome.as_ref().ok().and_then(|result| result.parse::<Entries<RawJson>>().ok());
                if let Some(mut members) = members {
                    members.insert("resultType", RawJson::from(json!(kind)));
                    outcome = to_raw(&members);
                }
            }
            Misbehaviour::Answer(result) => outcome = Ok(result.clone()),
            Misbehaviour::Refuse(error) => outcome = Err(error.clone()),
            Misbehaviour::WrongShape => outcome = Ok(RawJson::from(json!(["not", "what", "was", "asked", "for"]))),
            Misbehaviour::IdAsString => {
                if let RequestId::Number(n) = id {
                    id = RequestId::from(n.to_string());
                }
            }
            Misbehaviour::WrongId => id = RequestId::from("nobody-used-this-id"),
            _ => {}
        }
    }
    let line = encode(&id, &outcome);
    let mut out = vec![Out::Line(line.clone())];
    for fault in faults {
        match fault {
            Misbehaviour::NeverAnswer => out.clear(),
            Misbehaviour::Duplicate(times) => out.extend((0..*times).map(|_| Out::Line(line.clone()))),
            Misbehaviour::ErrorWithoutId => {
                let error = ErrorObject::new(ErrorCode::PARSE_ERROR, "Parse error");
                out = vec![Out::Line(frame::encode_error(None, &error))];
            }
            Misbehaviour::Batch => {
                let log = br#",{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"batched"}}]"#;
                out = vec![Out::Line(Bytes::from([b"[", line.as_ref(), log].concat()))];
            }
            Misbehaviour::HalfMessage => {
                out = vec![Out::Raw(line.slice(..line.len() / 2)), Out::Close(0)];
            }
            Misbehaviour::Oversize(bytes) => out = vec![Out::Fill(*bytes)],
            Misbehaviour::ExitBefore(code) => out = vec![Out::Close(*code)],
            Misbehaviour::ExitAfter(code) => out.push(Out::Close(*code)),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_the_requests_that_they_are_for() {
        let mut rules = Rules::default();
        rules.push(When::method("tools/call").nth(2), Misbehaviour::NeverAnswer);
        rules.push(When::always(), Misbehaviour::WrongId);
        assert_eq!(rules.matching("tools/call"), [Misbehaviour::WrongId]);
        assert_eq!(rules.matching("ping"), [Misbehaviour::WrongId]);
        assert_eq!(rules.matching("tools/call"), [Misbehaviour::NeverAnswer, Misbehaviour::WrongId]);
        assert_eq!(rules.matching("tools/call"), [Misbehaviour::WrongId]);
    }

    #[test]
    fn faults_of_one_answer_apply_together() {
        let outs = garble(
            &7.into(),
            Ok(RawJson::NULL),
            &[Misbehaviour::IdAsString, Misbehaviour::Duplicate(1), Misbehaviour::ExitAfter(3)],
        );
        let [Out::Line(first), Out::Line(second), Out::Close(3)] = outs.as_slice() else { panic!("{outs:?}") };
        assert_eq!(first, r#"{"jsonrpc":"2.0","id":"7","result":null}"#);
        assert_eq!(first, second);
        assert!(garble(&7.into(), Ok(RawJson::NULL), &[Misbehaviour::NeverAnswer]).is_empty());
    }
}
