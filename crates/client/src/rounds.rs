//! Calls that the server carries out only once it was told more: its questions, and the next round of the call.
//!
//! Specification: 2026-07-28, basic/patterns/mrtr. A round is a request of its own: it has the parameters of the first
//! one, the answers, and what the server wants back. Nothing of it goes into any other request.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bowline_protocol::{
    InputRequest, InputRequests, InputRequiredResult, Payload, RawJson, RequestId, ResultKind, Revision, excerpt,
    method,
};
use bowline_transport::{BoxFuture, Sent};
use serde::{Deserialize, Serialize};

use crate::asked;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::handlers::RequestContext;
use crate::members::Members;
use crate::serve;
use crate::tasks::Asked;

/// How often one call is sent again, unless the caller sets something else.
pub(crate) const MAX_ROUNDS: u32 = 16;
/// How many questions one result may have.
pub(crate) const MAX_QUESTIONS: usize = 64;
/// How long to wait before the next round where the server asks nothing; it doubles with each such round.
const BASE_DELAY: Duration = Duration::from_millis(100);
/// What that delay never exceeds.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Whether the result of a method may say that more input is required.
pub(crate) fn may_ask(method: &str) -> bool {
    matches!(method, method::TOOLS_CALL | method::PROMPTS_GET | method::RESOURCES_READ)
}

/// The kind of result that came, as far as this method may have it (basic/index, result types).
///
/// # Errors
/// [`ErrorKind::Protocol`]: such a result says nothing that could be relied on.
pub(crate) fn kind_of(result: &Payload, method: &str, asked: Asked) -> Result<ResultKind, Error> {
    let invalid = |what: String| {
        Err(Error::new(ErrorKind::Protocol, format!("the result is of kind {what}; report it to the server's makers"))
            .with_sent(Sent::Yes))
    };
    match result.kind() {
        ResultKind::Complete => Ok(ResultKind::Complete),
        ResultKind::InputRequired if may_ask(method) => Ok(ResultKind::InputRequired),
        // Specification: SEP-2663: a task only where the request said that the client knows them.
        ResultKind::Task if method == method::TOOLS_CALL && asked == Asked::Declared => Ok(ResultKind::Task),
        ResultKind::InputRequired => invalid(String::from("\"input_required\", which this method does not have")),
        kind => invalid(format!("\"{}\", which was not agreed on", excerpt(kind.as_str(), 40))),
    }
}

/// Reads what a server needs before it carries a call out.
pub(crate) fn read(result: &Payload) -> Result<InputRequiredResult, Error> {
    let asked: InputRequiredResult = result.decode().map_err(|error| Error::shape(&error))?;
    let broken = |what: String| Err(Error::new(ErrorKind::Protocol, what).with_sent(Sent::Yes));
    let questions = asked.input_requests.as_ref().map(InputRequests::len);
    match questions {
        None if asked.request_state.is_none() => {
            broken(String::from("the server wants the call again and says neither what it needs nor its state"))
        }
        Some(questions) if questions > MAX_QUESTIONS => {
            broken(format!("the server asks {questions} questions at once; {MAX_QUESTIONS} are answered"))
        }
        _ => Ok(asked),
    }
}

/// How long to wait before a round for which nothing was asked, the `nth` in a row from 1.
pub(crate) fn delay(nth: u32) -> Duration {
    BASE_DELAY.saturating_mul(1 << nth.saturating_sub(1).min(16)).min(MAX_DELAY)
}

/// Answers a server's questions, all at once. Dropping the future drops the handlers.
///
/// # Errors
/// [`ErrorKind::InputRefused`] where one has no answer: then there is no next round, and nothing was done.
pub(crate) async fn answers(
    connection: &Arc<Connection>,
    questions: InputRequests,
) -> Result<BTreeMap<String, RawJson>, Error> {
    let server = connection.server().map(|server| Arc::new(server.info.clone()));
    let revision = connection.server().map_or(Revision::LATEST, |server| server.revision);
    let declared = &connection.introduction.declared;
    let mut open: Vec<(String, BoxFuture<'_, _>)> = Vec::with_capacity(questions.len());
    for (key, question) in questions {
        let what = name(&question);
        let ask = asked::read_input(question, declared, revision).map_err(|error| refused(&what, &error.message))?;
        let context = RequestContext::new(RequestId::String(key.as_str().into()), server.clone());
        open.push((
            key,
            Box::pin(async move {
                let answer = serve::handle(&connection.handlers, ask, context).await;
                answer.map_err(|error| refused(&what, &error.message))
            }),
        ));
    }
    // For as long as handlers run it is the server that waits for us.
    let _serving = connection.serving();
    let mut answers = BTreeMap::new();
    poll_fn(|cx| {
        let mut failed = None;
        open.retain_mut(|(key, answer)| match answer.as_mut().poll(cx) {
            Poll::Ready(Ok(answer)) => {
                answers.insert(std::mem::take(key), answer);
                false
            }
            Poll::Ready(Err(error)) => {
                failed.get_or_insert(error);
                false
            }
            Poll::Pending => true,
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if open.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await?;
    Ok(answers)
}

fn name(question: &InputRequest) -> String {
    #[derive(Deserialize)]
    struct Unknown {
        method: RawJson,
    }

    let known = match question {
        InputRequest::ListRoots(_) => method::ROOTS_LIST,
        InputRequest::CreateMessage(_) => method::SAMPLING_CREATE_MESSAGE,
        InputRequest::Elicit(_) => method::ELICITATION_CREATE,
        InputRequest::Other(raw) => {
            let method = raw.parse::<Unknown>().map(|unknown| excerpt(unknown.method.as_str(), 80));
            return method.unwrap_or_else(|_| "something that names no method".into());
        }
        _ => "something unknown",
    };
    known.to_owned()
}

fn refused(what: &str, why: &str) -> Error {
    let why = excerpt(why, 200);
    Error::new(ErrorKind::InputRefused, format!("the server asks for {what} first, and got no answer: {why}"))
        .with_sent(Sent::Yes)
}

/// The parameters of the next round: those of the first, the answers, and the state byte for byte.
pub(crate) fn params(
    first: Option<&RawJson>,
    answers: Option<impl Serialize>,
    state: Option<&str>,
) -> Result<RawJson, Error> {
    let bad = |error| Error::new(ErrorKind::Config, format!("the parameters cannot be sent again: {error}"));
    let mut members = Members::of(first).map_err(bad)?;
    members.remove("inputResponses");
    members.remove("requestState");
    if let Some(answers) = answers {
        members.set("inputResponses", &answers).map_err(bad)?;
    }
    if let Some(state) = state {
        members.set("requestState", state).map_err(bad)?;
    }
    members.to_raw().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str) -> Payload {
        json.parse::<RawJson>().unwrap().into()
    }

    #[test]
    fn mr_02_a_round_takes_the_state_as_it_came_and_drops_the_one_before() {
        let first: RawJson = r#"{"name":"t","arguments":{"n":9007199254740993,"s":"a\u0000b"}}"#.parse().unwrap();
        let state = "eyJ+/=é\u{2028}\u{0}\"\\";
        let second = params(Some(&first), Some(&BTreeMap::from([("who", 1)])), Some(state)).unwrap();
        assert_eq!(second.to_value()["requestState"], state);
        assert_eq!(second.to_value()["inputResponses"], serde_json::json!({"who": 1}));
        assert!(second.as_str().contains(r#""arguments":{"n":9007199254740993,"s":"a\u0000b"}"#), "{second}");
        let third = params(Some(&second), None::<()>, None).unwrap();
        assert_eq!(third.to_value(), first.to_value());
    }

    #[test]
    fn l_23_and_mr_06_results_of_another_kind_are_invalid() {
        let asks = payload(r#"{"resultType":"input_required","requestState":"s"}"#);
        let kind = |result: &Payload, method: &str| kind_of(result, method, Asked::Plain);
        assert_eq!(kind(&asks, "tools/call").unwrap(), ResultKind::InputRequired);
        assert_eq!(kind(&asks, "tools/list").unwrap_err().kind(), ErrorKind::Protocol);
        let other = kind(&payload(r#"{"resultType":"banana"}"#), "tools/call").unwrap_err();
        assert!(other.to_string().contains("banana") && other.sent() == Sent::Yes, "{other}");
    }

    #[test]
    fn tx_01_and_tx_02_a_task_is_an_answer_to_calls_of_tools_that_declared_it_alone() {
        let task = payload(r#"{"resultType":"task","taskId":"1","status":"working"}"#);
        assert_eq!(kind_of(&task, "tools/call", Asked::Declared).unwrap(), ResultKind::Task);
        for (method, asked) in [
            ("tools/call", Asked::Plain),
            ("tools/call", Asked::ForTask),
            ("prompts/get", Asked::Declared),
            ("tasks/get", Asked::Declared),
        ] {
            let error = kind_of(&task, method, asked).unwrap_err();
            assert!(error.kind() == ErrorKind::Protocol && error.to_string().contains("\"task\""), "{error}");
        }
    }

    #[test]
    fn mr_06_neither_questions_nor_state_and_too_many_questions_are_invalid() {
        assert_eq!(read(&payload(r#"{"resultType":"input_required"}"#)).unwrap_err().kind(), ErrorKind::Protocol);
        let many: Vec<String> = (0..65).map(|n| format!(r#""{n}":{{"method":"roots/list"}}"#)).collect();
        let many = format!(r#"{{"resultType":"input_required","inputRequests":{{{}}}}}"#, many.join(","));
        assert_eq!(read(&payload(&many)).unwrap_err().kind(), ErrorKind::Protocol);
    }

    #[test]
    fn what_is_asked_for_is_told_by_its_method_known_or_not() {
        for (question, told) in [
            (r#"{"method":"roots/list"}"#, "roots/list"),
            (r#"{"method":"foo/bar","params":{}}"#, "\"foo/bar\""),
            (r#"{"method":7}"#, "7"),
            (r#"{"params":{}}"#, "something that names no method"),
        ] {
            assert_eq!(name(&serde_json::from_str(question).unwrap()), told);
        }
        let long = format!(r#"{{"method":"{}"}}"#, "x".repeat(1 << 16));
        assert!(name(&serde_json::from_str(&long).unwrap()).len() < 120);
    }

    #[test]
    fn mr_05_the_delay_of_rounds_without_questions_grows_to_its_bound() {
        let delays: Vec<Duration> = [1, 2, 3, 40].map(delay).into();
        assert_eq!(delays, [100, 200, 400, 5000].map(Duration::from_millis));
    }
}
