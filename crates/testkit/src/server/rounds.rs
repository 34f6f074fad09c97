//! Rounds of input: what a handler asks stands in the result, and the handler is called again with the answers.
//!
//! Specification: basic/patterns/mrtr. A handler that asks through its context is run from its beginning in each
//! round; what was answered before is answered again at once.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bowline_protocol::{ErrorCode, ErrorObject, RawJson};
use serde::Deserialize;
use serde_json::{Value, json};

use super::dispatch::Answer;
use super::to_raw;

/// The answers so far, by the keys of the requests.
type Answers = BTreeMap<String, RawJson>;

/// What a request that is served by itself asks of its client.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many questions the handler has asked in this round.
    asked: usize,
    /// The questions that have no answer yet.
    open: serde_json::Map<String, Value>,
    /// What the request is answered with in place of what its handler gives.
    instead: Option<RawJson>,
}

/// Makes a `requestState`, and knows its own again.
#[derive(Debug, Default)]
pub(crate) struct Seals(RandomState);

impl Seals {
    fn mark(&self, of: &str, text: &str) -> String {
        format!("{:016x}", self.0.hash_one((of, text)))
    }

    fn seal(&self, of: &str, answers: &Answers) -> Result<String, ErrorObject> {
        let text = to_raw(answers)?;
        Ok(format!("{}.{}", self.mark(of, text.as_str()), text.as_str()))
    }

    fn open(&self, of: &str, state: &str) -> Option<Answers> {
        let (mark, text) = state.split_once('.')?;
        // To the letter: as a number it would be the same without its zeroes.
        (mark == self.mark(of, text)).then(|| serde_json::from_str(text).ok()).flatten()
    }
}

impl Rounds {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the request with this in place of what its handler gives; the error ends the handler.
    pub(crate) fn instead(&self, result: RawJson) -> ErrorObject {
        self.state().instead = Some(result);
        unwinding()
    }

    /// Gives the answer to a question, or asks it; the error then ends the handler.
    pub(crate) fn ask(
        &self,
        seals: &Seals,
        request: (&str, Option<&RawJson>),
        question: &str,
        params: Option<&RawJson>,
    ) -> Result<RawJson, ErrorObject> {
        let (of, given) = (subject(request), request.1);
        let answers = answers(seals, &of, given)?;
        let mut state = self.state();
        state.asked += 1;
        let key = format!("ask-{}", state.asked);
        if let Some(answer) = answers.get(&key) {
            return Ok(answer.clone());
        }
        let mut asked = json!({ "method": question });
        if let (Some(params), Some(members)) = (params, asked.as_object_mut()) {
            members.insert("params".to_owned(), params.to_value());
        }
        state.open.insert(key, asked);
        let mut result = json!({ "resultType": "input_required", "inputRequests": state.open });
        if let (false, Some(members)) = (answers.is_empty(), result.as_object_mut()) {
            members.insert("requestState".to_owned(), json!(seals.seal(&of, &answers)?));
        }
        state.instead = Some(RawJson::from(result));
        Err(unwinding())
    }

    /// The answer of the request, once its handler has given its own.
    pub(crate) fn settle(&self, answer: Answer) -> Answer {
        match self.state().instead.take() {
            Some(result) => Ok(result),
            None => answer,
        }
    }
}

/// What a handler that asks is ended with; the client does not see it.
fn unwinding() -> ErrorObject {
    ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the request goes on in another way; give this error back")
}

/// What a `requestState` is good for: the same request of the same thing.
fn subject((method, params): (&str, Option<&RawJson>)) -> String {
    #[derive(Default, Deserialize)]
    struct Named {
        name: Option<String>,
        uri: Option<String>,
    }

    let named: Named = params.and_then(|params| params.parse().ok()).unwrap_or_default();
    format!("{method} {}", named.name.or(named.uri).unwrap_or_default())
}

/// What the client has answered: in this request, and in those before it.
fn answers(seals: &Seals, of: &str, params: Option<&RawJson>) -> Result<Answers, ErrorObject> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Given {
        input_responses: Option<Answers>,
        request_state: Option<String>,
    }

    let given = params.map_or_else(|| Ok(Given::default()), RawJson::parse).map_err(|error| {
        ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("inputResponses or requestState: {error}"))
    })?;
    let mut answers = match given.request_state {
        Some(state) => seals.open(of, &state).ok_or_else(|| {
            ErrorObject::new(ErrorCode::INVALID_PARAMS, "the requestState is not what this server gave")
        })?,
        None => Answers::new(),
    };
    answers.extend(given.input_responses.unwrap_or_default());
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_good_for_its_request_alone_and_only_as_it_was_given() {
        let seals = Seals::default();
        let answers = Answers::from([("ask-1".to_owned(), RawJson::from(json!({ "action": "accept" })))]);
        let state = seals.seal("tools/call a", &answers).unwrap();
        assert_eq!(seals.open("tools/call a", &state), Some(answers));
        assert_eq!(seals.open("tools/call b", &state), None);
        for tampered in [state.replace("accept", "cancel"), state[1..].to_owned(), String::new(), "x.{}".to_owned()] {
            assert_eq!(seals.open("tools/call a", &tampered), None, "{tampered}");
        }
        assert_eq!(Seals::default().open("tools/call a", &state), None, "another server's");
    }

    #[test]
    fn questions_of_one_round_are_asked_together_and_answered_by_their_keys() {
        let (seals, rounds) = (Seals::default(), Rounds::default());
        let first = RawJson::from(json!({ "name": "t" }));
        for question in ["roots/list", "elicitation/create"] {
            assert!(rounds.ask(&seals, ("tools/call", Some(&first)), question, None).is_err());
        }
        let asked = rounds.settle(Err(unwinding())).unwrap().to_value();
        assert_eq!(asked["inputRequests"]["ask-2"]["method"], "elicitation/create");
        assert_eq!(asked.get("requestState"), None);
        let retry = RawJson::from(json!({ "name": "t", "inputResponses": { "ask-1": 1, "odd": 0 } }));
        let rounds = Rounds::default();
        assert_eq!(rounds.ask(&seals, ("tools/call", Some(&retry)), "roots/list", None).unwrap().as_str(), "1");
        assert!(rounds.ask(&seals, ("tools/call", Some(&retry)), "elicitation/create", None).is_err());
        let asked = rounds.settle(Err(unwinding())).unwrap().to_value();
        assert_eq!(asked["inputRequests"].as_object().unwrap().len(), 1);
        let last = json!({ "name": "t", "requestState": asked["requestState"], "inputResponses": { "ask-2": 2 } });
        let (last, rounds) = (RawJson::from(last), Rounds::default());
        for (question, answer) in [("roots/list", "1"), ("elicitation/create", "2")] {
            let given = rounds.ask(&seals, ("tools/call", Some(&last)), question, None).unwrap();
            assert_eq!(given.as_str(), answer);
        }
    }
}
