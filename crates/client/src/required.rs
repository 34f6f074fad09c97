//! Calls that the server refuses until URLs have been visited (-32042, 2025-11-25).
//!
//! Specification: client/elicitation, section on the URL elicitation required error.

use std::sync::Arc;

use bowline_protocol::{ElicitAction, ElicitRequestUrlParams, Payload, RequestId, Revision, method};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::asked::Ask;
use crate::call::Call;
use crate::elicitation;
use crate::error::Error;
use crate::handlers::RequestContext;
use crate::serve::Handlers;
use crate::supervisor::Supervisor;
use crate::timeouts::NEVER;
use crate::visits::Visit;

/// How many visits one error may ask for; beyond that the caller decides.
const MAX_VISITS: usize = 8;

/// Runs a call. Where the server wants URLs visited first, asks the installed handler for it and runs the call once
/// more.
///
/// The error says that the server did not run the call, so nothing is done twice. The visits have a limit of their
/// own: as long as a call may take in all.
pub(crate) async fn run(
    supervisor: &Arc<Supervisor>,
    call: &mut Call,
    epoch: Option<u64>,
) -> Result<(Payload, u64), Error> {
    let error = match call.run(supervisor, epoch).await {
        Err(error) if !call.options.no_visits => error,
        other => return other,
    };
    // On the heap: every call's future would have room for it.
    Box::pin(after_visits(supervisor, call, epoch, error)).await
}

/// Has the URLs visited that an error asks for, if it does, and runs the call once more.
async fn after_visits(
    supervisor: &Arc<Supervisor>,
    call: &mut Call,
    epoch: Option<u64>,
    error: Error,
) -> Result<(Payload, u64), Error> {
    let urls = error.url_elicitations();
    if urls.is_empty() || urls.len() > MAX_VISITS {
        return Err(error);
    }
    let server = &supervisor.current().server;
    let handlers = supervisor.handlers();
    let can_visit = handlers.elicitation.as_ref().is_some_and(|handler| handler.support().url);
    if !can_visit || server.revision != Revision::V2025_11_25 {
        return Err(error);
    }
    let limit = call.options.total.unwrap_or(supervisor.timeouts().total).min(NEVER);
    // A task of its own, so that a handler that panics fails the call and nothing else. Dropping the set ends it.
    let mut visiting = JoinSet::new();
    visiting.spawn(visit_all(handlers.clone(), Arc::new(server.info.clone()), server.revision, urls));
    match timeout(limit, visiting.join_next()).await {
        Ok(Some(Ok(true))) => call.run(supervisor, epoch).await,
        outcome => {
            tracing::debug!(timed_out = outcome.is_err(), "the urls were not visited; the call is not sent again");
            Err(error)
        }
    }
}

/// Has the person asked for each visit, then waits until all are over. `false` where one is refused.
async fn visit_all(
    handlers: Handlers,
    server: Arc<bowline_protocol::Implementation>,
    revision: Revision,
    urls: Vec<ElicitRequestUrlParams>,
) -> bool {
    let Some(support) = handlers.elicitation.as_ref().map(|handler| handler.support()) else { return false };
    // Nobody is asked in vain: where one of them may not be visited, none is.
    if urls.iter().any(|url| url.visit().is_err()) || handlers.asks.pass(method::ELICITATION_CREATE).is_err() {
        return false;
    }
    let mut open: Vec<Visit> = Vec::with_capacity(urls.len());
    for url in urls {
        let id = url.elicitation_id.clone();
        let Ok(Ask::Elicit(asked)) = elicitation::admit(url.into(), support, revision) else { return false };
        let name = id.clone().unwrap_or_default();
        let context = RequestContext::new(RequestId::String(name.as_str().into()), Some(Arc::clone(&server))).awaited();
        match elicitation::run(&handlers, *asked, context).await {
            Ok(result) if result.action == ElicitAction::Accept => {}
            _ => return false,
        }
        // Without an id nobody will say that it is over; the handler has waited as it saw fit.
        open.extend(id.and_then(|id| handlers.asks.visits.get(&id)));
    }
    for visit in open {
        visit.over().await;
    }
    true
}
