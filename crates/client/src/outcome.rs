//! Rounds taken by hand: what came of one, and the way to the next.

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;

use bowline_protocol::{InputRequests, InputResponse, ResultKind, ResultType};
use bowline_transport::BoxFuture;
use tokio::time::Instant;

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::request::{Kind, Legs, Request};
use crate::rounds;
use crate::tasks::{TaskHandle, created};

/// What came of one round of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome<R> {
    /// The request was carried out.
    Complete(R),
    /// The server needs to know more first.
    InputRequired(InputRequired<R>),
    /// The request goes on as a task. Only a call that takes tasks ends so: see
    /// [`Request::as_task`] and [`ClientBuilder::tasks`](crate::ClientBuilder::tasks).
    Task(TaskHandle),
}

/// A request whose rounds are taken by hand; made by [`Request::by_hand`].
#[must_use = "nothing is sent until it is awaited"]
#[derive(Debug)]
pub struct ByHand<K>(pub(crate) Request<K>);

impl<K: Kind + 'static> IntoFuture for ByHand<K> {
    type Output = Result<Outcome<K::Result>, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (legs, mut call) = self.0.open().await?;
            call.options.by_hand = true;
            run(legs, call, |client, tool, result| Box::pin(K::judge(client, tool, result))).await
        })
    }
}

/// What a server needs to know before it carries a request out.
///
/// Dropping it gives the request up; nothing was done, and nothing has to be said (basic/patterns/mrtr).
#[must_use = "the request goes on with `send`"]
pub struct InputRequired<R> {
    legs: Legs,
    call: Call,
    requests: Option<InputRequests>,
    /// The server's own; not shown to anybody.
    state: Option<String>,
    answers: BTreeMap<String, InputResponse>,
    judge: Judge<R>,
}

/// What is made of a complete result before the caller gets it; see [`Kind::judge`].
type Judge<R> = for<'a> fn(&'a Client, Option<&'a str>, R) -> BoxFuture<'a, Result<R, Error>>;

impl<R: ResultType> InputRequired<R> {
    /// What the server asks, by keys of its own; nothing where it only wants the request again.
    pub fn requests(&self) -> Option<&InputRequests> {
        self.requests.as_ref()
    }

    /// The keys of what the server asks.
    pub fn keys(&self) -> Vec<String> {
        self.requests.iter().flat_map(InputRequests::iter).map(|(key, _)| key.to_owned()).collect()
    }

    /// Answers one of the server's requests. A second answer replaces the first.
    pub fn answer(mut self, key: impl Into<String>, answer: impl Into<InputResponse>) -> Self {
        self.answers.insert(key.into(), answer.into());
        self
    }

    /// Sends the request again, with the answers so far. A server asks again for what is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an answer to nothing that was asked; else as for the request itself.
    ///
    /// # Cancel safety
    /// Dropping the future gives the request up.
    pub async fn send(self) -> Result<Outcome<R>, Error> {
        let asked = |key: &str| self.requests.as_ref().is_some_and(|requests| requests.get(key).is_some());
        if let Some(key) = self.answers.keys().find(|key| !asked(key)) {
            let key = bowline_protocol::excerpt(key, 80);
            return Err(Error::new(ErrorKind::Config, format!("the server asks nothing by the key \"{key}\"")));
        }
        let answers = self.requests.is_some().then_some(&self.answers);
        let round = rounds::params(self.call.params.as_ref(), answers, self.state.as_deref())?;
        let Self { legs, mut call, judge, .. } = self;
        call.round = Some(round);
        run(legs, call, judge).await
    }
}

impl<R> fmt::Debug for InputRequired<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputRequired")
            .field("method", &self.call.method)
            .field("requests", &self.requests)
            .field("answered", &self.answers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

async fn run<R: ResultType>(mut legs: Legs, mut call: Call, judge: Judge<R>) -> Result<Outcome<R>, Error> {
    let result = loop {
        let began = Instant::now();
        let outcome = legs.leg.client.run_round(&mut call).await;
        if !legs.go_on(&mut call, outcome.as_ref().map(|_| false), began.elapsed()).await {
            break outcome?;
        }
    };
    let kind = if legs.leg.client.server().is_stateless() {
        rounds::kind_of(&result, &call.method, call.asked).map_err(|error| error.with_method(&call.method))?
    } else {
        ResultKind::Complete
    };
    if kind == ResultKind::InputRequired {
        let asked = rounds::read(&result).map_err(|error| error.with_method(&call.method))?;
        return Ok(Outcome::InputRequired(InputRequired {
            legs,
            call,
            requests: asked.input_requests,
            state: asked.request_state,
            answers: BTreeMap::new(),
            judge,
        }));
    }
    if let Some(created) = created(legs.leg.client.supervisor(), &call, &result)? {
        return TaskHandle::created(legs.leg, &mut call, &created).map(Outcome::Task);
    }
    let result = legs.leg.client.supervisor().decode(&call.method, || result.decode())?;
    judge(&legs.leg.client, call.name.as_deref(), result).await.map(Outcome::Complete)
}
