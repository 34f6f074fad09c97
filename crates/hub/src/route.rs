//! From a name to the client that serves it.

use std::sync::Arc;
use std::time::Duration;

use bowline_client::request::{Ended, Lease, Leg, Route};
use bowline_client::{Error, Safety};
use bowline_transport::BoxFuture;

use crate::pool::{Affinity, Verdict};
use crate::seat::{Held, Seat};
use crate::shared::Shared;
use crate::stats::Outcome;

/// What a request is for.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A member, and what the server itself calls what is asked for, where that has a name or URI.
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
    pub(crate) method: &'static str,
    pub(crate) affinity: Option<Affinity>,
}

impl HubRoute {
    fn leg(&self, held: Held, own: Option<Arc<str>>) -> Leg {
        let counted = match (self.what, &own) {
            (Sought::Tool, Some(tool)) => Counted::Tool(Arc::clone(tool)),
            _ => Counted::Method(self.method),
        };
        let leg = Leg::new(held.leased.client().clone(), Kept { held, counted, ended: false });
        match own {
            Some(own) => leg.with_name(own),
            None => leg,
        }
    }

    /// Counts what failed before there was a connection.
    fn counted(&self, seat: &Seat, own: Option<&Arc<str>>, held: Result<Held, Error>) -> Result<Held, Error> {
        if let Err(error) = &held {
            match own.filter(|_| self.what == Sought::Tool) {
                Some(tool) => seat.stats.record(tool, Outcome::of(error), Duration::ZERO),
                None => seat.stats.record_method(self.method, Outcome::of(error), Duration::ZERO),
            }
        }
        held
    }

    /// Refuses what a filter leaves out.
    fn permit(&self, seat: &Seat, own: Option<&Arc<str>>) -> Option<Result<(), Error>> {
        let Some(own) = own else { return Some(Ok(())) };
        let (kind, why) = match self.what {
            Sought::Member => return Some(Ok(())),
            Sought::Tool => return self.permit_tool(seat, own),
            Sought::Prompt => ("prompt", seat.refused_prompt(own)),
            Sought::Resource => ("resource", seat.refused_resource(own)),
        };
        Some(why.map_or(Ok(()), |why| Err(denied(seat, kind, own, why))))
    }

    fn permit_tool(&self, seat: &Seat, tool: &str) -> Option<Result<(), Error>> {
        let list = seat.tools.now(seat);
        let listed = list.as_ref().and_then(|list| list.by_own_name(tool));
        let why = match (&list, listed) {
            (_, Some(_)) => None,
            (Some(list), None) if list.refused(tool).is_some() => list.refused(tool),
            // What the server says of it has to be read first.
            (None, None) if seat.reads_annotations() => return None,
            (_, None) => seat.refused(tool, None),
        };
        Some(why.map_or(Ok(()), |why| Err(denied(seat, "tool", tool, why))))
    }
}

/// What a filter refuses: a tool, a prompt or a resource, by its name or URI.
pub(crate) fn denied(seat: &Seat, kind: &str, name: &str, why: &str) -> Error {
    let (name, member) = (bowline_protocol::excerpt(name, 80), bowline_protocol::excerpt(&seat.member.name, 80));
    Error::denied(format!("the filter leaves {kind} \"{name}\" of server \"{member}\" out: {why}"))
}

impl Route for HubRoute {
    fn try_open(&self) -> Option<Result<Leg, Error>> {
        match &self.target {
            Target::Nothing(error) => Some(Err(error.clone())),
            Target::Named(..) => None,
            // Another may have its name by now.
            Target::Known { seat, .. } if seat.is_gone() => None,
            Target::Known { seat, own } => {
                if let Err(error) = self.permit(seat, own.as_ref())? {
                    return Some(Err(error));
                }
                let held = seat.try_hold(self.affinity.as_ref())?;
                Some(self.counted(seat, own.as_ref(), held).map(|held| self.leg(held, own.clone())))
            }
        }
    }

    fn open(&self) -> BoxFuture<'_, Result<Leg, Error>> {
        Box::pin(async move {
            let (seat, own) = match &self.target {
                Target::Nothing(error) => return Err(error.clone()),
                Target::Named(what, name) => self.shared.find(*what, name).await?,
                Target::Known { seat, own } if seat.is_gone() => (self.shared.seat(&seat.member.name)?, own.clone()),
                Target::Known { seat, own } => (Arc::clone(seat), own.clone()),
            };
            match self.permit(&seat, own.as_ref()) {
                Some(permitted) => permitted?,
                None => {
                    seat.tools.get(&seat, false).await?;
                    self.permit(&seat, own.as_ref()).unwrap_or(Ok(()))?;
                }
            }
            let held = seat.hold(self.affinity.as_ref()).await;
            Ok(self.leg(self.counted(&seat, own.as_ref(), held)?, own))
        })
    }
}

/// What is kept of a request while it is under way.
struct Kept {
    held: Held,
    counted: Counted,
    ended: bool,
}

/// Under which name a request is counted.
enum Counted {
    Tool(Arc<str>),
    Method(&'static str),
}

impl Kept {
    fn count(&self, outcome: Outcome, elapsed: Duration) {
        let stats = &self.held.seat.stats;
        match &self.counted {
            Counted::Tool(tool) => stats.record(tool, outcome, elapsed),
            Counted::Method(method) => stats.record_method(method, outcome, elapsed),
        }
    }
}

impl Lease for Kept {
    fn ended(&mut self, how: Ended<'_>, elapsed: Duration) -> bool {
        self.ended = true;
        let (outcome, verdict) = match how {
            Ended::Failed { error, safety, is_own_limit, .. } => {
                if is_own_limit {
                    self.held.says_nothing();
                }
                (Outcome::of(error), self.held.report(Err(error), safety))
            }
            // A tool that ran and failed ran.
            Ended::ToolFailed => (Outcome::ToolFailed, self.held.report(Ok(()), Safety::ReadOnly)),
            _ => (Outcome::Answered, self.held.report(Ok(()), Safety::ReadOnly)),
        };
        self.count(outcome, elapsed);
        verdict == Verdict::GoOn
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.ended {
            self.count(Outcome::GivenUp, Duration::ZERO);
        }
    }
}
