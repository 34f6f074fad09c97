//! A model for tests: it says what it was given to say.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_transport::BoxFuture;
use futures_util::stream;

use crate::message::{Arguments, Part, ToolCall};
use crate::{Answer, Event, Events, Features, Model, ModelError, ModelErrorKind, Request, Usage};

/// How long the pieces are that texts and arguments come in, in characters.
const PIECE: usize = 7;

/// A model that needs no provider: it answers what a script says, and keeps what it was asked.
///
/// ```
/// use bowline_llm::{Message, Model as _, Request, ScriptedModel, Turn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let model = ScriptedModel::new([Turn::call("harbour__depth", r#"{"at": "pier"}"#), Turn::say("Four fathoms.")]);
/// let request = Request::new(vec![Message::user("How deep is it?")]);
/// assert_eq!(model.answer(&request).await?.calls().count(), 1);
/// assert_eq!(model.answer(&request).await?.text(), "Four fathoms.");
/// assert!(model.answer(&request).await.is_err(), "the script is over");
/// assert_eq!(model.requests().len(), 3);
/// # Ok::<(), bowline_llm::ModelError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct ScriptedModel(Arc<Inner>);

struct Inner {
    name: String,
    features: Features,
    script: Script,
    state: Mutex<State>,
}

enum Script {
    Turns,
    By(Box<dyn Fn(&Request) -> Turn + Send + Sync>),
}

#[derive(Default)]
struct State {
    turns: VecDeque<Turn>,
    requests: Vec<Request>,
    calls: usize,
}

/// What a [`ScriptedModel`] does with one request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Turn {
    /// It answers, in pieces. Calls without an id get one.
    Answer(Answer),
    /// It refuses.
    Refuse(ModelError),
    /// It begins this answer, and the stream ends before the last piece.
    Cut(Answer),
    /// It never answers.
    Hang,
}

impl Turn {
    /// Text.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Answer(Answer::new(vec![Part::text(text)]))
    }

    /// A call. `arguments` is what the model writes, which need not be JSON.
    pub fn call(name: impl Into<String>, arguments: &str) -> Self {
        Self::calls([(name, arguments)])
    }

    /// Several calls in one answer.
    pub fn calls<'a>(calls: impl IntoIterator<Item = (impl Into<String>, &'a str)>) -> Self {
        let call = |(name, arguments): (_, &str)| Part::Call(ToolCall::new("", name, Arguments::read(arguments)));
        Self::Answer(Answer::new(calls.into_iter().map(call).collect()))
    }
}

impl ScriptedModel {
    /// A model that takes one turn a request, and fails once there are none left.
    pub fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        let state = State { turns: turns.into_iter().collect(), ..State::default() };
        Self::made(Script::Turns, state)
    }

    /// A model that decides by what it is asked.
    pub fn by(decide: impl Fn(&Request) -> Turn + Send + Sync + 'static) -> Self {
        Self::made(Script::By(Box::new(decide)), State::default())
    }

    fn made(script: Script, state: State) -> Self {
        let name = "scripted/model".to_owned();
        Self(Arc::new(Inner { name, features: Features::TEXT, script, state: Mutex::new(state) }))
    }

    /// Sets what it can take. Default: text alone. A script that was asked already keeps on where it is.
    #[must_use]
    pub fn with_features(self, features: Features) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => Self(Arc::new(Inner { features, ..inner })),
            // Somebody else has it, with the features that they rely on.
            Err(shared) => Self(shared),
        }
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, request: &Request) -> Turn {
        let decided = if let Script::By(decide) = &self.0.script { Some(decide(request)) } else { None };
        let mut state = self.state();
        state.requests.push(request.clone());
        let over = || {
            let why = "the script of this model is over; give it another turn";
            Turn::Refuse(ModelError::new(ModelErrorKind::Config, why))
        };
        let mut turn = decided.or_else(|| state.turns.pop_front()).unwrap_or_else(over);
        if let Turn::Answer(answer) | Turn::Cut(answer) = &mut turn {
            for part in &mut answer.parts {
                if let Part::Call(call) = part
                    && call.id.is_empty()
                {
                    state.calls += 1;
                    call.id = format!("call_{}", state.calls);
                }
            }
            if answer.usage == Usage::default() {
                answer.usage.input_tokens = request.estimated_tokens();
                answer.usage.output_tokens = crate::Message::Assistant(answer.parts.clone()).estimated_tokens();
            }
        }
        turn
    }
}

impl Model for ScriptedModel {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn features(&self) -> Features {
        self.0.features.clone()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Events, ModelError>> {
        Box::pin(async move {
            match self.turn(request) {
                Turn::Answer(answer) => Ok(answer.into_events(PIECE)),
                Turn::Refuse(error) => Err(error),
                Turn::Cut(answer) => {
                    let mut events = answer.pieces(PIECE);
                    events.pop();
                    let why = "the model's answer ended in the middle; ask again";
                    let cut = ModelError::new(ModelErrorKind::Cut, why).with_partial(come(&answer, &events));
                    Ok(Events::new(stream::iter(events.into_iter().map(Ok).chain([Err(cut)]))))
                }
                Turn::Hang => std::future::pending().await,
            }
        })
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedModel").field("asked", &self.state().requests.len()).finish_non_exhaustive()
    }
}

/// What there is of an answer after so many events.
fn come(answer: &Answer, events: &[Event]) -> Answer {
    let (mut parts, mut text) = (Vec::new(), String::new());
    for event in events {
        match event {
            Event::Text(piece) => text.push_str(piece),
            Event::Call(call) => parts.push(Part::Call(call.clone())),
            _ => {}
        }
    }
    if !text.is_empty() {
        parts.insert(0, Part::text(text));
    }
    Answer { parts, ..answer.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    fn request() -> Request {
        Request::new(vec![Message::user("ahoy")])
    }

    #[tokio::test]
    async fn an_answer_comes_in_pieces_that_join_to_it() {
        let model = ScriptedModel::new([Turn::say("a text of some length"), Turn::call("dig", r#"{"depth": 30}"#)]);
        let (mut text, mut events) = (String::new(), model.stream(&request()).await.unwrap());
        while let Some(event) = events.next().await {
            match event.unwrap() {
                Event::Text(piece) => text.push_str(&piece),
                Event::Done(answer) => assert_eq!(answer.text(), text),
                other => panic!("{other:?}"),
            }
        }
        let answer = model.answer(&request()).await.unwrap();
        let call = answer.calls().next().unwrap();
        assert_eq!((call.id.as_str(), call.arguments.text()), ("call_1", r#"{"depth": 30}"#));
    }

    #[tokio::test]
    async fn a_cut_answer_is_an_error_with_what_came() {
        let Turn::Answer(whole) = Turn::say("a text of some length") else { panic!() };
        let error = ScriptedModel::new([Turn::Cut(whole)]).answer(&request()).await.unwrap_err();
        assert_eq!(error.kind(), ModelErrorKind::Cut);
        assert_eq!(error.partial().unwrap().text(), "a text of some");
    }
}
