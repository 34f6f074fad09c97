//! What a hub is made of.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::{ClientBuilder, ElicitationHandler, Error, RootsProvider, SamplingHandler};

use crate::filter::Filter;
use crate::handlers::Handlers;
use crate::hub::Hub;
use crate::member::{Member, SetUp};
use crate::names::Naming;

/// Settings of a [`Hub`]; made by [`Hub::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct HubBuilder {
    pub(crate) members: Vec<Member>,
    pub(crate) naming: Naming,
    pub(crate) filter: Filter,
    pub(crate) handlers: Handlers,
    pub(crate) set_up: Option<SetUp>,
    pub(crate) at_once: usize,
    pub(crate) drain: Duration,
}

impl Default for HubBuilder {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            naming: Naming::default(),
            filter: Filter::default(),
            handlers: Handlers::default(),
            set_up: None,
            at_once: 64,
            drain: Duration::from_secs(10),
        }
    }
}

impl HubBuilder {
    /// Adds a member.
    pub fn member(mut self, member: Member) -> Self {
        self.members.push(member);
        self
    }

    /// Adds members.
    pub fn members(mut self, members: impl IntoIterator<Item = Member>) -> Self {
        self.members.extend(members);
        self
    }

    /// Sets how tools and prompts are named. Default: `member__tool`, 64 characters at most.
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// Sets which tools, prompts and resources of any member may be seen and used, beyond what each [`Member::filter`] says. Default: all.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets how clients of all members are set up: layers, deadlines, keep-alive. A member's own [`Member::client`] comes
    /// after it.
    pub fn client(mut self, set_up: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static) -> Self {
        self.set_up = Some(Arc::new(set_up));
        self
    }

    /// Lets all servers ask a model. The handler is told which one asks by
    /// [`RequestContext::member`](bowline_client::RequestContext::member).
    pub fn on_sampling(mut self, handler: impl SamplingHandler) -> Self {
        self.handlers.sampling(handler);
        self
    }

    /// Lets all servers ask the user. The handler is told which one asks by
    /// [`RequestContext::member`](bowline_client::RequestContext::member).
    pub fn on_elicitation(mut self, handler: impl ElicitationHandler) -> Self {
        self.handlers.elicitation(handler);
        self
    }

    /// Tells all servers where they may work. The provider is told which one asks by
    /// [`RequestContext::member`](bowline_client::RequestContext::member).
    pub fn roots(mut self, provider: impl RootsProvider) -> Self {
        self.handlers.roots(provider);
        self
    }

    /// Sets how many members are connected and listed at once. Default 64; at least 1.
    pub const fn at_once(mut self, most: usize) -> Self {
        self.at_once = if most == 0 { 1 } else { most };
        self
    }

    /// Sets how long calls of a member may go on that is taken away, replaced, or closed with the hub. Default 10 s.
    pub const fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Makes the hub. Nothing is connected yet, and no task is begun.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](bowline_client::ErrorKind::Config): two members have one name, or a member has none; its pool's
    /// settings make no sense.
    pub fn build(self) -> Result<Hub, Error> {
        Hub::of(self)
    }
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder")
            .field("members", &self.members.iter().map(Member::name).collect::<Vec<_>>())
            .field("naming", &self.naming)
            .field("filter", &self.filter)
            .field("at_once", &self.at_once)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}
