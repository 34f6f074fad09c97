//! The call plane as layers see it: what a caller wants, what came back, and the services between.
//!
//! Without layers nothing of it is made, and a call costs what it costs by itself.

mod call;
mod layers;
mod progress;
mod reply;
mod safety;
mod service;

use std::sync::{Arc, Weak};

use bowline_protocol::Payload;
use bowline_transport::{BoxFuture, Sent};
use tokio::time::{Instant, timeout_at};

pub use self::call::Call;
pub(crate) use self::layers::Layers;
pub use self::progress::ProgressSink;
pub use self::reply::Reply;
pub use self::safety::Safety;
pub(crate) use self::safety::Trusted;
pub use self::service::CallService;
use self::service::Run;
use crate::call::Call as Running;
use crate::error::Error;
use crate::required;
use crate::supervisor::Supervisor;
use crate::timeouts::NEVER;

/// Runs one call of a user, through the layers where there are some.
///
/// `visits` is whether URLs that the server wants visited first are taken to the handler.
pub(crate) async fn run(
    supervisor: &Arc<Supervisor>,
    call: &mut Running,
    session: Option<u64>,
    visits: bool,
) -> Result<(Payload, u64), Error> {
    match supervisor.layers() {
        None if visits => required::run(supervisor, call, session).await,
        None => call.run(supervisor, session).await,
        Some(layers) => through(layers, supervisor, call, session, visits).await,
    }
}

/// Makes an intent of a call, has the layers run it, and gives the call back what the run found out.
async fn through(
    layers: &CallService,
    supervisor: &Arc<Supervisor>,
    call: &mut Running,
    session: Option<u64>,
    visits: bool,
) -> Result<(Payload, u64), Error> {
    let total = call.options.total.unwrap_or(supervisor.timeouts().total);
    let started = Instant::now();
    call.began.get_or_insert(started);
    let safety = match call.options.safety() {
        Some(safety) => safety,
        None => supervisor.kept().safety_of(&call.method, call.name.as_deref()),
    };
    let sink = call.options.take_on_progress().map(ProgressSink::from);
    let intent =
        Call::of(call, safety, sink.clone(), session, visits).through(supervisor).started_at(started).with_total(total);
    // The innermost service keeps the limit by itself, and knows what was sent. This one is for layers that wait.
    let outcome = match timeout_at(started + total.min(NEVER), layers.run.run(intent)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::timeout("no answer", total, Sent::Maybe)),
    };
    if let Some(on_progress) = sink.and_then(|sink| sink.take()) {
        call.options.rare_mut().on_progress = Some(on_progress);
    }
    let (payload, came) = outcome.map_err(|error| error.with_method_unless_set(&call.method))?.into_parts();
    call.asked = came.asked;
    call.watch = came.watch;
    call.rounds = came.rounds;
    Ok((payload, came.session.unwrap_or_else(|| supervisor.current().session())))
}

/// The innermost service: the session.
///
/// Holds the client weakly, so that a layer that keeps it in a task of its own keeps no connection open.
pub(crate) struct Innermost(pub(crate) Weak<Supervisor>);

impl Run for Innermost {
    fn run(&self, intent: Call) -> BoxFuture<'static, Result<Reply, Error>> {
        let client = self.0.clone();
        Box::pin(async move {
            let supervisor = client.upgrade().ok_or_else(Error::closed)?;
            let (session, visits, attempt) = (intent.how.session, intent.how.visits, intent.attempt());
            let tells = intent.how.tells;
            let began = Instant::now();
            let mut call = intent.into_run();
            let outcome = if visits {
                required::run(&supervisor, &mut call, session).await
            } else {
                call.run(&supervisor, session).await
            };
            let (payload, session) = outcome?;
            let method = tells.then(|| std::mem::take(&mut call.method));
            let reply = Reply::came(payload, began.elapsed(), attempt, call, session);
            Ok(match method {
                Some(method) => reply.telling(client, method),
                None => reply,
            })
        })
    }
}
