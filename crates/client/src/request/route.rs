//! Requests whose client is found when they are sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_transport::{BoxFuture, Sent};
use tokio::time::{Instant, timeout_at};

use super::{Kind, Request, Via};
use crate::call::{Call, CallOptions};
use crate::client::Client;
use crate::error::Error;
use crate::plane::Safety;
use crate::timeouts::NEVER;

/// How often one request goes on with another client.
const MAX_LEGS: u32 = 16;

/// Finds the client of a request when it is sent: how a handle to many servers hands out the same requests as a
/// [`Client`].
///
/// A request is made of a route by the `routed` functions of [`CallTool`](super::CallTool),
/// [`ReadResource`](super::ReadResource), [`GetPrompt`](super::GetPrompt), [`Complete`](super::Complete) and
/// [`Raw`](super::Raw).
pub trait Route: Send + Sync + 'static {
    /// The client, where no waiting is needed to find it; `None` where it is.
    fn try_open(&self) -> Option<Result<Leg, Error>>;

    /// Finds the client, and waits for it if need be, such as for its connection.
    ///
    /// Dropping the future gives the request up before it was sent.
    fn open(&self) -> BoxFuture<'_, Result<Leg, Error>>;
}

/// What a route keeps of a request that is under way. It is dropped when the request is over; without
/// [`ended`](Self::ended) before, it was given up.
pub trait Lease: Send + Sync + 'static {
    /// The request ended so after `elapsed`. `true` has it sent once more over the leg that the route opens next: only
    /// where nothing can then be done twice.
    fn ended(&mut self, how: Ended<'_>, elapsed: Duration) -> bool;
}

/// How a request ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended<'a> {
    /// With a result.
    Answered,
    /// With the result of a tool that says that it failed.
    ToolFailed,
    /// With an error.
    Failed {
        /// The error.
        error: &'a Error,
        /// Whether the request may be sent again where nobody knows what became of it.
        safety: Safety,
        /// Whether the time that passed was the caller's own limit, and a shorter one than the client's: that tells
        /// nothing of the server.
        is_own_limit: bool,
    },
}

/// The client that a route found.
pub struct Leg {
    pub(crate) client: Client,
    pub(crate) name: Option<Arc<str>>,
    lease: Option<Box<dyn Lease>>,
}

impl Leg {
    /// A leg over this client, with what is kept of it meanwhile.
    pub fn new(client: Client, lease: impl Lease) -> Self {
        Self { client, name: None, lease: Some(Box::new(lease)) }
    }

    /// Says what the server itself calls the tool, prompt or resource. Default: what the request was made with.
    #[must_use]
    pub fn with_name(mut self, name: Arc<str>) -> Self {
        self.name = Some(name);
        self
    }

    pub(super) const fn plain(client: Client) -> Self {
        Self { client, name: None, lease: None }
    }

    /// Tells the route how a call ended; a result comes as whether it says that what was asked for failed.
    pub(crate) fn ended(&mut self, call: &Call, outcome: Result<bool, &Error>, elapsed: Duration) -> bool {
        let Some(lease) = &mut self.lease else { return false };
        let how = match outcome {
            Ok(true) => Ended::ToolFailed,
            Ok(false) => Ended::Answered,
            Err(error) => Ended::Failed {
                error,
                safety: safety_of(&self.client, call),
                is_own_limit: error.is_timeout() && is_hurried(&self.client, call, elapsed),
            },
        };
        lease.ended(how, elapsed)
    }
}

impl fmt::Debug for dyn Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Route")
    }
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leg").field("client", &self.client).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether a call that ended after `elapsed` had limits of its own, and the client's would have let it wait on.
fn is_hurried(client: &Client, call: &Call, elapsed: Duration) -> bool {
    let (timeouts, options) = (client.timeouts(), &call.options);
    let usual = timeouts.idle.min(timeouts.total);
    let own = options.idle.into_iter().chain(options.total).min();
    own.is_some_and(|own| own < usual) && elapsed < usual
}

fn safety_of(client: &Client, call: &Call) -> Safety {
    call.options.safety().unwrap_or_else(|| client.kept().safety_of(&call.method, call.name.as_deref()))
}

impl<K: Kind> Request<K> {
    /// The call that this request is, and the first leg that it goes over.
    pub(crate) async fn open(self) -> Result<(Legs, Call), Error> {
        let Self { via, kind, mut options } = self;
        let (leg, route) = match via {
            Via::Client(client) => (Leg::plain(client), None),
            Via::Route(route) => (open(&*route, &mut options).await?, Some(route)),
        };
        let call = super::call_of(kind, options, &leg.client, leg.name.clone())?;
        Ok((Legs { leg, route, count: 1 }, call))
    }
}

/// The legs of a request that is sent step by step.
#[derive(Debug)]
pub(crate) struct Legs {
    pub(crate) leg: Leg,
    route: Option<Box<dyn Route>>,
    count: u32,
}

impl Legs {
    /// Tells the route how a step ended. `true` where the step is made again, over another leg that is now there.
    ///
    /// Dropping the future gives the request up.
    pub(crate) async fn go_on(&mut self, call: &mut Call, outcome: Result<bool, &Error>, elapsed: Duration) -> bool {
        let goes_on = self.leg.ended(call, outcome, elapsed);
        let route = self.route.as_ref().filter(|_| goes_on && outcome.is_err() && self.count < MAX_LEGS);
        let Some(route) = route else { return false };
        // Where nobody else takes it, what happened to it tells more than that nobody does.
        let Ok(leg) = Box::pin(open(&**route, &mut call.options)).await else { return false };
        self.leg = leg;
        self.count += 1;
        true
    }
}

/// Opens a leg within the request's limit, which counts from the first.
async fn open(route: &dyn Route, options: &mut CallOptions) -> Result<Leg, Error> {
    let started = *options.started.get_or_insert_with(Instant::now);
    if let Some(leg) = route.try_open() {
        return leg;
    }
    match options.total {
        None => route.open().await,
        Some(total) => match timeout_at(started + total.min(NEVER), route.open()).await {
            Ok(leg) => leg,
            Err(_) => Err(Error::timeout("there was no connection", total, Sent::No)),
        },
    }
}

/// Runs a request over the legs that its route opens.
pub(super) async fn run<K: Kind>(route: &dyn Route, kind: K, mut options: CallOptions) -> Result<K::Result, Error> {
    let mut leg = open(route, &mut options).await?;
    let mut call = super::call_of(kind, options, &leg.client, leg.name.clone())?;
    for n in 1.. {
        let began = Instant::now();
        match leg.client.run::<K::Result>(&mut call).await {
            Ok(result) => {
                leg.ended(&call, Ok(K::has_failed(&result)), began.elapsed());
                if K::is_plain(&leg.client, call.name.as_deref(), &result) {
                    return Ok(result);
                }
                return Box::pin(K::judge(&leg.client, call.name.as_deref(), result)).await;
            }
            Err(error) => {
                let goes_on = leg.ended(&call, Err(&error), began.elapsed());
                if !goes_on || n >= MAX_LEGS {
                    return Err(error);
                }
                // Where nobody else takes it, what happened to it tells more than that nobody does.
                leg = match Box::pin(open(route, &mut call.options)).await {
                    Ok(leg) => leg,
                    Err(_) => return Err(error),
                };
            }
        }
    }
    Err(Error::closed())
}
