//! From a name to the client that serves it.

use std::sync::Arc;
use std::time::Duration;

use bowline_client::request::{Ended, Lease, Leg, Route};
use bowline_client::{Error, Safety};
use bowline_transport::BoxFuture;

use crate::hub::Shared;
use crate::pool::{Affinity, Verdict};
use crate::seat::{Held, Seat};

/// What a request is for.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A member, and what the server itself calls what is asked for, where that has a name.
    Known { seat: Arc<Seat>, own: Option<Arc<str>> },
    /// Something whose member is not known yet.
    Named(Sought, Arc<str>),
    /// Nothing that there is.
    Nothing(Error),
}

/// What a name is looked for among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    Tool,
    Prompt,
    Resource,
    Member,
}

/// The way of one request.
pub(crate) struct HubRoute {
    pub(crate) shared: Arc<Shared>,
    pub(crate) target: Target,
    pub(crate) what: Sought,
    pub(crate) affinity: Option<Affinity>,
}

impl HubRoute {
    /// Refuses what a filter leaves out.
    fn permit(&self, seat: &Seat, own: Option<&Arc<str>>) -> Option<Result<(), Error>> {
        let Some(tool) = own.filter(|_| self.what == Sought::Tool) else { return Some(Ok(())) };
        let list = seat.tools.now(seat);
        let listed = list.as_ref().and_then(|list| list.by_own_name(tool));
        let why = match (&list, listed) {
            (_, Some(_)) => None,
            (Some(list), None) if list.refused(tool).is_some() => list.refused(tool),
            // What the server says of it has to be read first.
            (None, None) if seat.reads_annotations() => return None,
            (_, None) => seat.refused(tool, None),
        };
        Some(why.map_or(Ok(()), |why| Err(denied(seat, tool, why))))
    }
}

pub(crate) fn denied(seat: &Seat, tool: &str, why: &str) -> Error {
    let (tool, member) = (bowline_protocol::excerpt(tool, 80), bowline_protocol::excerpt(&seat.member.name, 80));
    Error::denied(format!("the filter leaves tool \"{tool}\" of server \"{member}\" out: {why}"))
}

impl Route for HubRoute {
    fn try_open(&self) -> Option<Result<Leg, Error>> {
        match &self.target {
            Target::Nothing(error) => Some(Err(error.clone())),
            Target::Named(..) => None,
            Target::Known { seat, own } => {
                if let Err(error) = self.permit(seat, own.as_ref())? {
                    return Some(Err(error));
                }
                Some(seat.try_hold(self.affinity.as_ref())?.map(|held| leg(held, own.clone())))
            }
        }
    }

    fn open(&self) -> BoxFuture<'_, Result<Leg, Error>> {
        Box::pin(async move {
            let (seat, own) = match &self.target {
                Target::Nothing(error) => return Err(error.clone()),
                Target::Named(what, name) => self.shared.find(*what, name).await?,
                Target::Known { seat, own } => (Arc::clone(seat), own.clone()),
            };
            match self.permit(&seat, own.as_ref()) {
                Some(permitted) => permitted?,
                None => {
                    seat.tools.get(&seat, false).await?;
                    self.permit(&seat, own.as_ref()).unwrap_or(Ok(()))?;
                }
            }
            let held = seat.hold(self.affinity.as_ref()).await?;
            Ok(leg(held, own))
        })
    }
}

fn leg(held: Held, own: Option<Arc<str>>) -> Leg {
    let leg = Leg::new(held.leased.client().clone(), Kept { held });
    match own {
        Some(own) => leg.with_name(own),
        None => leg,
    }
}

/// What is kept of a request while it is under way.
struct Kept {
    held: Held,
}

impl Lease for Kept {
    fn ended(&mut self, how: Ended<'_>, _elapsed: Duration) -> bool {
        let verdict = match how {
            Ended::Failed { error, safety } => self.held.report(Err(error), safety),
            // A tool that ran and failed ran.
            _ => self.held.report(Ok(()), Safety::ReadOnly),
        };
        verdict == Verdict::GoOn
    }
}
