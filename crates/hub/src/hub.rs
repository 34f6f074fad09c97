//! Many servers behind one handle.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::request::{CallTool, Complete, GetPrompt, Raw, ReadResource, Request};
use bowline_client::{Client, Error};
use bowline_protocol::{CompletionReference, Prompt, Resource, ResourceTemplate, Tool, method};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use crate::builder::HubBuilder;
use crate::changes::Changes;
use crate::health::HealthState;
use crate::listing::{Failure, Lists};
use crate::member::Member;
use crate::pool::{Affinity, Drained, PoolSnapshot};
use crate::reload::Reloaded;
use crate::route::{HubRoute, Sought, Target};
use crate::seat::{Held, Seat};
use crate::shared::{Shared, unknown_member};
use crate::stats::Stats;
use crate::watch::ResourceWatch;

/// Many servers behind one handle.
///
/// Each is a [`Member`] with a name. It is connected when it is first needed, by one attempt for all who wait, closed when
/// nobody has used it for a while, and connected again when it is lost, with growing delays. One that is down answers at
/// once with [`ErrorKind::Unavailable`](bowline_client::ErrorKind::Unavailable), which says when it is tried again, and
/// its tools are in no list meanwhile.
///
/// A clone is a handle to the same hub. When the last one is dropped its connections are closed in the background;
/// [`close`](Self::close) does so in order.
///
/// ```
/// use bowline_hub::{Hub, Member};
/// # use bowline_protocol::{CallToolResult, Tool};
/// # use bowline_testkit::MockServer;
/// # let server = |text: &'static str| MockServer::builder()
/// #     .tool(Tool::new("send", serde_json::json!({"type": "object"})), move |_| async move { Ok(CallToolResult::text(text)) })
/// #     .build().connector();
/// # let (work, home) = (server("sent from work"), server("sent from home"));
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let hub = Hub::builder().member(Member::new("work", work)).member(Member::new("home", home)).build()?;
///
/// let tools = hub.tools().await;
/// assert_eq!(tools.items.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["home__send", "work__send"]);
/// for failure in &tools.failures {
///     eprintln!("{failure}");
/// }
/// let result = hub.call("home__send").arg("to", "me").await?;
/// assert_eq!(result.joined_text(), "sent from home");
/// hub.close().await;
/// # Ok::<(), bowline_client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
    affinity: Option<Affinity>,
}

/// How a member is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemberStatus {
    /// Its name.
    pub name: Arc<str>,
    /// The groups that it is in.
    pub groups: Vec<Arc<str>>,
    /// How it is.
    pub state: HealthState,
    /// Its connections and replicas.
    pub pool: PoolSnapshot,
}

/// What became of the members of a hub that was closed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Closed {
    /// Each member that had connections, and how they ended.
    pub members: Vec<(Arc<str>, Drained)>,
    /// How long it took.
    pub took: Duration,
}

/// A client of a member, made by [`Hub::client`]. Until it is dropped its connection counts as used.
///
/// Where the connection is lost it stays lost: take another one then.
pub struct MemberClient(Held);

impl Deref for MemberClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl fmt::Debug for MemberClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemberClient").field(&self.0.leased.client()).finish()
    }
}

impl Hub {
    /// Settings, to be ended with [`HubBuilder::build`].
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    pub(crate) fn of(builder: HubBuilder) -> Result<Self, Error> {
        Ok(Self { shared: Arc::new(Shared::of(builder)?), affinity: None })
    }

    /// The hub for one caller: where a member's pool is [sticky](crate::PoolSettings::sticky), all requests with this key go
    /// to the same replica.
    #[must_use]
    pub fn for_caller(&self, key: &str) -> Self {
        Self { shared: Arc::clone(&self.shared), affinity: Some(Affinity::key(key)) }
    }

    /// A call of a tool, by the name that is given out (`files__read`), or by member and the server's own name for it
    /// (`files.read`, `files/read`).
    ///
    /// It is the same request as [`Client::call`] makes. A member that is not connected is connected for it.
    ///
    /// # Errors
    /// When it is awaited, besides those of the call itself:
    /// [`ErrorKind::UnknownName`](bowline_client::ErrorKind::UnknownName),
    /// [`ErrorKind::Denied`](bowline_client::ErrorKind::Denied) by a [filter](crate::Filter),
    /// [`ErrorKind::Unavailable`](bowline_client::ErrorKind::Unavailable) where the member is down, or how connecting failed.
    pub fn call(&self, tool: impl AsRef<str>) -> Request<CallTool> {
        let (route, own) = self.route(Sought::Tool, method::TOOLS_CALL, tool.as_ref());
        CallTool::routed(route, own)
    }

    /// A reading of a resource, by the member that lists it, or that has the template that it fits.
    ///
    /// Where none is known to, all members are asked what they have at the same time. Then the first by name that lists
    /// it is read from, or else the one whose template has the most text in common with it, whoever answered first; who
    /// is down has no say.
    pub fn read(&self, uri: impl Into<String>) -> Request<ReadResource> {
        let uri = uri.into();
        let (route, _) = self.route(Sought::Resource, method::RESOURCES_READ, &uri);
        ReadResource::routed(route, uri)
    }

    /// A reading of a resource of one member.
    pub fn read_from(&self, member: &str, uri: impl Into<String>) -> Request<ReadResource> {
        let uri = uri.into();
        let target = match self.shared.seat(member) {
            Ok(seat) => Target::Known { seat, own: Some(uri.as_str().into()) },
            Err(error) => Target::Nothing(error),
        };
        ReadResource::routed(self.route_with(Sought::Resource, method::RESOURCES_READ, target), uri)
    }

    /// A filling-in of a prompt, by a name as for [`call`](Self::call).
    pub fn prompt(&self, name: impl AsRef<str>) -> Request<GetPrompt> {
        let (route, own) = self.route(Sought::Prompt, method::PROMPTS_GET, name.as_ref());
        GetPrompt::routed(route, own.as_ref())
    }

    /// Suggestions for an argument of a prompt, by a name as for [`call`](Self::call), or of a resource template.
    pub fn complete(
        &self,
        reference: CompletionReference,
        argument: impl Into<String>,
        value: impl Into<String>,
    ) -> Request<Complete> {
        let asks = method::COMPLETION_COMPLETE;
        let route = match &reference {
            CompletionReference::Prompt(prompt) => self.route(Sought::Prompt, asks, &prompt.name).0,
            CompletionReference::Resource(template) => self.route(Sought::Resource, asks, &template.uri).0,
            // The kinds may grow; whose they are nobody knows here.
            _ => self.route_with(
                Sought::Member,
                asks,
                Target::Nothing(Error::unknown_name("the reference names no member; ask by Hub::client")),
            ),
        };
        Complete::routed(route, reference, argument, value)
    }

    /// A request of any method to one member, with an undecoded result.
    pub fn request(&self, member: &str, method: impl Into<String>) -> Request<Raw> {
        Raw::routed(self.route_to(member, "other"), method)
    }

    /// The tools of all members.
    pub fn tools(&self) -> Lists<Tool> {
        Lists::new(Arc::clone(&self.shared))
    }

    /// The prompts of all members.
    pub fn prompts(&self) -> Lists<Prompt> {
        Lists::new(Arc::clone(&self.shared))
    }

    /// The resources of all members.
    pub fn resources(&self) -> Lists<Resource> {
        Lists::new(Arc::clone(&self.shared))
    }

    /// The resource templates of all members.
    pub fn resource_templates(&self) -> Lists<ResourceTemplate> {
        Lists::new(Arc::clone(&self.shared))
    }

    /// Whose tool it is, and what its server calls it, as far as it was listed.
    pub fn resolve(&self, tool: &str) -> Option<(Arc<str>, Arc<str>)> {
        match self.shared.look_up(Sought::Tool, tool) {
            Target::Known { seat, own: Some(own) } => Some((Arc::clone(&seat.member.name), own)),
            _ => None,
        }
    }

    /// A client of a member, connected if need be.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownName`](bowline_client::ErrorKind::UnknownName),
    /// [`ErrorKind::Unavailable`](bowline_client::ErrorKind::Unavailable), or how connecting failed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the connection to the next who needs it.
    pub async fn client(&self, member: &str) -> Result<MemberClient, Error> {
        let mut held = self.shared.seat(member)?.hold(self.affinity.as_ref()).await?;
        held.says_nothing();
        Ok(MemberClient(held))
    }

    /// Connects all members now rather than when they are needed, so many at once as
    /// [`HubBuilder::at_once`] says, and tells which could not be.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the connections to those who need them.
    pub async fn warm(&self) -> Vec<Failure> {
        let connecting = stream::iter(self.shared.seats()).map(|seat| async move {
            let error = seat.hold(None).await.err()?;
            Some(Failure { member: Arc::clone(&seat.member.name), error })
        });
        let failures = connecting.buffer_unordered(self.shared.office.at_once);
        let mut failures: Vec<_> = failures.filter_map(std::future::ready).collect().await;
        failures.sort_by(|a, b| a.member.cmp(&b.member));
        failures
    }

    /// Asks to be told when a resource changes, as [`Change::ResourceUpdated`](crate::Change::ResourceUpdated) among the
    /// [`changes`](Self::changes), until the handle is dropped. Where the member's connection is lost it is asked for again
    /// over the next one, and where the member is replaced, of the one that took its place.
    ///
    /// # Errors
    /// As for [`Client::subscribe`], and for [`read`](Self::read).
    ///
    /// # Cancel safety
    /// Dropping the future ends the subscription.
    pub async fn subscribe(&self, uri: impl Into<String>) -> Result<ResourceWatch, Error> {
        let uri = uri.into();
        let (seat, _) = self.shared.find(Sought::Resource, &uri).await?;
        ResourceWatch::begin(&self.shared, &seat, uri).await
    }

    /// What becomes of the members from now on.
    pub fn changes(&self) -> Changes {
        self.shared.office.feed.listen()
    }

    /// How each member is, by name.
    pub fn status(&self) -> Vec<MemberStatus> {
        self.shared.seats().iter().map(|seat| MemberStatus::of(seat)).collect()
    }

    /// How a member is.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownName`](bowline_client::ErrorKind::UnknownName).
    pub fn status_of(&self, member: &str) -> Result<MemberStatus, Error> {
        self.shared.seat(member).map(|seat| MemberStatus::of(&seat))
    }

    /// What became of the calls to each member and tool so far, to be read, watched or shown to Prometheus.
    pub fn stats(&self) -> &Stats {
        &self.shared.office.stats
    }

    /// Forgets what stands against another attempt at a member: it is tried at the next need. For whoever has mended what
    /// was wrong.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownName`](bowline_client::ErrorKind::UnknownName).
    pub fn retry_now(&self, member: &str) -> Result<(), Error> {
        self.shared.seat(member).map(|seat| seat.retry_now())
    }

    /// Adds a member.
    ///
    /// Names that are given out depend on which members there are, and not on who came first: where those of another
    /// member are others now, as its name is like the new one's, [`Change::Tools`](crate::Change::Tools) and
    /// [`Change::Prompts`](crate::Change::Prompts) tell so. A name that was given out before may then be one of the new
    /// member's; it names nothing until somebody has listed again, so that no call meant for the one goes to the other.
    /// Where several keep names, each lists again when that is told, or keeps what [`resolve`](Self::resolve) says of them.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](bowline_client::ErrorKind::Config): there is one of this name, or its settings make no sense.
    pub fn add(&self, member: Member) -> Result<(), Error> {
        self.shared.add(member)
    }

    /// Takes a member away. No call goes to it from now on; those that are under way have
    /// [`HubBuilder::drain`] to end.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownName`](bowline_client::ErrorKind::UnknownName).
    ///
    /// # Cancel safety
    /// Once the future was polled the member is gone; dropping it then leaves the connections to end in the background.
    pub async fn remove(&self, member: &str) -> Result<Drained, Error> {
        let seat = self.shared.take(member).ok_or_else(|| unknown_member(member))?;
        Ok(seat.pool.close(self.shared.office.drain).await)
    }

    /// Makes the members these and no others. Those whose [fingerprint](Member::fingerprint) is as before are not touched;
    /// what is taken away or replaced ends in the background, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](bowline_client::ErrorKind::Config), and then nothing was changed: two members have one name.
    /// A member whose own settings make no sense is left out, and is among [`Reloaded::refused`].
    pub fn reload(&self, members: impl IntoIterator<Item = Member>) -> Result<Reloaded, Error> {
        self.shared.reload(members.into_iter().collect())
    }

    /// Ends all members at once, in order: calls that are under way have [`HubBuilder::drain`] to end, and none begins.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the rest to end in the background.
    pub async fn close(&self) -> Closed {
        let began = Instant::now();
        self.shared.close();
        let seats = self.shared.seats();
        let limit = self.shared.office.drain;
        let ends = seats.iter().map(|seat| async move {
            let had = seat.pool.connected() > 0;
            let drained = seat.pool.close(limit).await;
            had.then(|| (Arc::clone(&seat.member.name), drained))
        });
        let members = join_all(ends).await.into_iter().flatten().collect();
        Closed { members, took: began.elapsed() }
    }

    /// The way to what is sought, and what its server calls it as far as that is known.
    fn route(&self, what: Sought, method: &'static str, name: &str) -> (HubRoute, Arc<str>) {
        let target = self.shared.look_up(what, name);
        let own = match &target {
            Target::Known { own: Some(own), .. } => Arc::clone(own),
            Target::Named(_, name) => Arc::clone(name),
            _ => name.into(),
        };
        (self.route_with(what, method, target), own)
    }

    fn route_to(&self, member: &str, method: &'static str) -> HubRoute {
        let target = match self.shared.seat(member) {
            Ok(seat) => Target::Known { seat, own: None },
            Err(error) => Target::Nothing(error),
        };
        self.route_with(Sought::Member, method, target)
    }

    fn route_with(&self, what: Sought, method: &'static str, target: Target) -> HubRoute {
        HubRoute { shared: Arc::clone(&self.shared), target, what, method, affinity: self.affinity.clone() }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("members", &self.shared.seats().len()).finish_non_exhaustive()
    }
}

impl MemberStatus {
    fn of(seat: &Seat) -> Self {
        seat.pool.notice();
        Self {
            name: Arc::clone(&seat.member.name),
            groups: seat.member.groups.clone(),
            state: seat.state(),
            pool: seat.pool.snapshot(),
        }
    }
}
