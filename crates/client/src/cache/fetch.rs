//! A call whose result may be there already.

use std::future::Future;
use std::sync::Arc;

use bowline_protocol::ResultType;
use bowline_transport::Sent;
use tokio::time::{Instant, timeout};

use super::flights::Lead;
use super::store::{Flight, Found, Store, Ticket};
use crate::call::Call;
use crate::error::Error;
use crate::plane;
use crate::supervisor::Supervisor;
use crate::timeouts::NEVER;

/// A decoded result, and where it comes from.
pub(crate) struct Fetched<R> {
    pub(crate) result: R,
    /// The session in which it came.
    pub(crate) session: u64,
    /// Whether it was kept, and nothing was sent for it.
    pub(crate) was_kept: bool,
}

/// Runs a call, or gives what is kept of an earlier one. A result is kept only once it could be decoded.
pub(crate) async fn run<R: ResultType>(
    supervisor: &Arc<Supervisor>,
    call: &mut Call,
    session: Option<u64>,
) -> Result<Fetched<R>, Error> {
    let Some(store) = &supervisor.kept().cache else { return send(supervisor, call, session).await };
    let Some(ticket) = store.ticket(call) else {
        let outcome = send(supervisor, call, session).await;
        if let Err(error) = &outcome {
            store.doubt(&call.method, error);
        }
        return outcome;
    };
    let mut lead = None;
    if call.options.fresh {
        store.passed_by();
    } else {
        if let Some(fetched) = look_up(supervisor, &ticket, session, Store::fresh) {
            return Ok(fetched);
        }
        let seat = store.join(&ticket);
        match wait(supervisor, call, seat.turn()).await? {
            Waited::Turn(turn) => lead = Some(turn),
            Waited::Landed => {
                if let Some(fetched) = look_up(supervisor, &ticket, session, Store::shared) {
                    return Ok(fetched);
                }
            }
            Waited::TooLong => {}
        }
    }
    match plane::run(supervisor, call, session, true).await {
        Ok((payload, came_in)) => {
            let result = supervisor.decode(&call.method, || payload.decode())?;
            // Specification: server/utilities/caching: what came of answers depends on them, and they are no key.
            if call.rounds == 0
                && let Ok(raw) = payload.into_raw()
            {
                let server = &supervisor.current().server;
                let capabilities = (!server.is_stateless()).then_some(&server.capabilities);
                store.put(ticket, &raw, came_in, capabilities, Instant::now());
            }
            // Where it fails or is dropped before, the turn goes to the next one.
            if let Some(lead) = lead {
                lead.landed();
            }
            Ok(Fetched { result, session: came_in, was_kept: false })
        }
        Err(error) => {
            store.doubt(&call.method, &error);
            let open = !supervisor.was_closed();
            let stale = open.then(|| store.in_place_of(&ticket, &error, Instant::now())).flatten();
            match stale.as_ref().and_then(decode) {
                Some(fetched) => {
                    tracing::warn!(%error, "the server cannot be reached; a kept result that is no longer fresh stands in");
                    Ok(fetched)
                }
                None => Err(error),
            }
        }
    }
}

/// How the wait for others ended.
enum Waited<'a> {
    /// With the turn to send.
    Turn(Lead<'a, Flight>),
    /// With an answer to another.
    Landed,
    /// With this one's patience.
    TooLong,
}

/// Waits for the turn to send, no longer than the call may wait for an answer. The wait is within its total limit.
async fn wait<'a>(
    supervisor: &Supervisor,
    call: &mut Call,
    turn: impl Future<Output = Option<Lead<'a, Flight>>>,
) -> Result<Waited<'a>, Error> {
    let since = Instant::now();
    let timeouts = supervisor.timeouts();
    let total = call.options.total.unwrap_or(timeouts.total);
    let patience = call.options.idle.unwrap_or(timeouts.idle).min(total);
    let waited = match timeout(patience.min(NEVER), turn).await {
        Ok(Some(turn)) => Waited::Turn(turn),
        Ok(None) => Waited::Landed,
        Err(_) => Waited::TooLong,
    };
    let left = total.saturating_sub(since.elapsed());
    if left.is_zero() && !matches!(waited, Waited::Landed) {
        return Err(Error::timeout("no answer", total, Sent::No).with_method(&call.method));
    }
    call.options.total = Some(left);
    Ok(waited)
}

/// A fresh result. In a session only while its connection is up: changes are not told over a lost one.
fn look_up<R: ResultType>(
    supervisor: &Supervisor,
    ticket: &Ticket,
    session: Option<u64>,
    look: fn(&Store, &Ticket, u64, Instant) -> Option<Found>,
) -> Option<Fetched<R>> {
    let store = supervisor.kept().cache.as_ref()?;
    let link = supervisor.current();
    let told = link.server.is_stateless() || supervisor.link_now().is_some();
    if supervisor.is_closed() || !told || session.is_some_and(|session| session != link.session()) {
        return None;
    }
    look(store, ticket, link.session(), Instant::now()).as_ref().and_then(decode)
}

fn decode<R: ResultType>(found: &Found) -> Option<Fetched<R>> {
    let result = R::decode(&found.result).ok()?;
    Some(Fetched { result, session: found.session, was_kept: true })
}

async fn send<R: ResultType>(
    supervisor: &Arc<Supervisor>,
    call: &mut Call,
    session: Option<u64>,
) -> Result<Fetched<R>, Error> {
    let (payload, session) = plane::run(supervisor, call, session, true).await?;
    let result = supervisor.decode(&call.method, || payload.decode())?;
    Ok(Fetched { result, session, was_kept: false })
}
