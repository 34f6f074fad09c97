//! Many servers behind one handle.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bowline_client::request::{CallTool, Complete, GetPrompt, Raw, ReadResource, Request};
use bowline_client::{Client, Error};
use bowline_protocol::{CompletionReference, Prompt, Resource, ResourceTemplate, Tool, excerpt};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use crate::builder::HubBuilder;
use crate::changes::{Change, Changes};
use crate::handlers::Handlers;
use crate::health::HealthState;
use crate::listing::{Failure, Lists};
use crate::member::{Member, SetUp};
use crate::names::Parts;
use crate::office::Office;
use crate::pool::{Affinity, Drained, PoolSnapshot};
use crate::reload::Reloaded;
use crate::route::{HubRoute, Sought, Target};
use crate::seat::{Held, Seat};
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

/// What all handles of a hub share.
pub(crate) struct Shared {
    pub(crate) office: Arc<Office>,
    members: RwLock<Members>,
    handlers: Handlers,
    set_up: Option<SetUp>,
    closed: AtomicBool,
}

struct Members {
    seats: BTreeMap<Arc<str>, Arc<Seat>>,
    parts: Parts,
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
        let HubBuilder { members, naming, filter, handlers, set_up, at_once, drain } = builder;
        let office = Arc::new(Office::new(naming.clone(), filter, at_once, drain));
        check_names(&members)?;
        let parts = Parts::new(naming, members.iter().map(|member| Arc::clone(&member.name)));
        let mut seats = BTreeMap::new();
        for member in members {
            let part = parts.of(&member.name).cloned().unwrap_or_default();
            let name = Arc::clone(&member.name);
            seats.insert(name, Seat::new(member, part, &office, &handlers, set_up.as_ref())?);
        }
        let members = RwLock::new(Members { seats, parts });
        let shared = Arc::new(Shared { office, members, handlers, set_up, closed: AtomicBool::new(false) });
        Ok(Self { shared, affinity: None })
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
        let (route, own) = self.route(Sought::Tool, tool.as_ref());
        CallTool::routed(route, own)
    }

    /// A reading of a resource, by the member that lists it, or that has the template that it fits.
    ///
    /// Where none is known to, all members are asked what they have, until one has it.
    pub fn read(&self, uri: impl Into<String>) -> Request<ReadResource> {
        let uri = uri.into();
        let (route, _) = self.route(Sought::Resource, &uri);
        ReadResource::routed(route, uri)
    }

    /// A reading of a resource of one member.
    pub fn read_from(&self, member: &str, uri: impl Into<String>) -> Request<ReadResource> {
        ReadResource::routed(self.route_to(member), uri)
    }

    /// A filling-in of a prompt, by a name as for [`call`](Self::call).
    pub fn prompt(&self, name: impl AsRef<str>) -> Request<GetPrompt> {
        let (route, own) = self.route(Sought::Prompt, name.as_ref());
        GetPrompt::routed(route, own.as_ref())
    }

    /// Suggestions for an argument of a prompt, by a name as for [`call`](Self::call), or of a resource template.
    pub fn complete(
        &self,
        reference: CompletionReference,
        argument: impl Into<String>,
        value: impl Into<String>,
    ) -> Request<Complete> {
        let route = match &reference {
            CompletionReference::Prompt(prompt) => self.route(Sought::Prompt, &prompt.name).0,
            CompletionReference::Resource(template) => self.route(Sought::Resource, &template.uri).0,
            // The kinds may grow; whose they are nobody knows here.
            _ => self.route_with(
                Sought::Member,
                Target::Nothing(Error::unknown_name("the reference names no member; ask by Hub::client")),
            ),
        };
        Complete::routed(route, reference, argument, value)
    }

    /// A request of any method to one member, with an undecoded result.
    pub fn request(&self, member: &str, method: impl Into<String>) -> Request<Raw> {
        Raw::routed(self.route_to(member), method)
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
        self.shared.seat(member)?.hold(self.affinity.as_ref()).await.map(MemberClient)
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

    /// Asks to be told when a resource changes, as [`Change::ResourceUpdated`] among the [`changes`](Self::changes), until
    /// the handle is dropped. Where the member's connection is lost it is asked for again over the next one.
    ///
    /// # Errors
    /// As for [`Client::subscribe`], and for [`read`](Self::read).
    ///
    /// # Cancel safety
    /// Dropping the future ends the subscription.
    pub async fn subscribe(&self, uri: impl Into<String>) -> Result<ResourceWatch, Error> {
        let uri = uri.into();
        let (seat, _) = self.shared.find(Sought::Resource, &uri).await?;
        ResourceWatch::begin(&seat, uri).await
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
    /// # Errors
    /// [`ErrorKind::Config`](bowline_client::ErrorKind::Config): there is one of this name, or its settings make no sense.
    pub fn add(&self, member: Member) -> Result<(), Error> {
        let mut members = self.shared.write();
        check_names(std::slice::from_ref(&member))?;
        if members.seats.contains_key(&member.name) {
            return Err(two_of(&member.name));
        }
        self.shared.put(&mut members, member, |member| Change::Added { member })
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
        let wanted: Vec<Member> = members.into_iter().collect();
        check_names(&wanted)?;
        Ok(self.shared.reload(wanted))
    }

    /// Ends all members at once, in order: calls that are under way have [`HubBuilder::drain`] to end, and none begins.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the rest to end in the background.
    pub async fn close(&self) -> Closed {
        let began = Instant::now();
        self.shared.closed.store(true, Ordering::Release);
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
    fn route(&self, what: Sought, name: &str) -> (HubRoute, Arc<str>) {
        let target = self.shared.look_up(what, name);
        let own = match &target {
            Target::Known { own: Some(own), .. } => Arc::clone(own),
            Target::Named(_, name) => Arc::clone(name),
            _ => name.into(),
        };
        (self.route_with(what, target), own)
    }

    fn route_to(&self, member: &str) -> HubRoute {
        let target = match self.shared.seat(member) {
            Ok(seat) => Target::Known { seat, own: None },
            Err(error) => Target::Nothing(error),
        };
        self.route_with(Sought::Member, target)
    }

    fn route_with(&self, what: Sought, target: Target) -> HubRoute {
        HubRoute { shared: Arc::clone(&self.shared), target, what, affinity: self.affinity.clone() }
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

fn check_names(members: &[Member]) -> Result<(), Error> {
    let mut names = std::collections::HashSet::with_capacity(members.len());
    for member in members {
        if member.name.is_empty() {
            return Err(Error::config("a member has no name; give it one"));
        }
        if !names.insert(&member.name) {
            return Err(two_of(&member.name));
        }
    }
    Ok(())
}

fn two_of(name: &str) -> Error {
    Error::config(format!("there are two members \"{}\"; name one of them otherwise", excerpt(name, 80)))
}

fn unknown_member(name: &str) -> Error {
    Error::unknown_name(format!(
        "there is no server \"{}\"; see the hub's status for those there are",
        excerpt(name, 80)
    ))
}

impl Shared {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Members> {
        self.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Members> {
        self.members.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// All members, by name.
    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        self.read().seats.values().cloned().collect()
    }

    /// The member of this name.
    pub(crate) fn seat(&self, name: &str) -> Result<Arc<Seat>, Error> {
        self.read().seats.get(name).cloned().ok_or_else(|| unknown_member(name))
    }

    /// The member whose part of a name this is.
    pub(crate) fn seat_of_part(&self, part: &str) -> Option<Arc<Seat>> {
        let members = self.read();
        members.seats.get(members.parts.whose(part)?).cloned()
    }

    fn put(&self, members: &mut Members, member: Member, change: impl FnOnce(Arc<str>) -> Change) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::shutting_down(bowline_transport::Sent::No));
        }
        let name = Arc::clone(&member.name);
        // Its part comes after it is known that it can be.
        let seat = Seat::new(member, Arc::default(), &self.office, &self.handlers, self.set_up.as_ref())?;
        let others_changed = members.parts.of(&name).is_none() && members.parts.add(&name);
        members.seats.insert(Arc::clone(&name), Arc::clone(&seat));
        if others_changed {
            members.name_all();
        } else if let Some(part) = members.parts.of(&name) {
            seat.set_part(part);
        }
        self.office.feed.tell(|| change(name));
        Ok(())
    }

    /// Takes a member out of the table.
    fn take(&self, name: &str) -> Option<Arc<Seat>> {
        let mut members = self.write();
        let seat = members.seats.remove(name)?;
        if members.parts.remove(name) {
            members.name_all();
        }
        drop(members);
        self.office.forget_uris(&seat);
        self.office.feed.tell(|| Change::Removed { member: Arc::clone(&seat.member.name) });
        Some(seat)
    }

    fn reload(&self, wanted: Vec<Member>) -> Reloaded {
        let mut reloaded = Reloaded::default();
        let names: std::collections::HashSet<_> = wanted.iter().map(|member| Arc::clone(&member.name)).collect();
        let gone: Vec<_> = self.read().seats.keys().filter(|name| !names.contains(*name)).cloned().collect();
        for name in gone {
            if let Some(seat) = self.take(&name) {
                self.office.see_out(seat);
                reloaded.removed.push(name);
            }
        }
        let mut members = self.write();
        for member in wanted {
            let name = Arc::clone(&member.name);
            let before = members.seats.get(&name).cloned();
            if before.as_ref().is_some_and(|before| before.member.is_same(&member)) {
                reloaded.unchanged += 1;
                continue;
            }
            let change = |member| match before {
                Some(_) => Change::Replaced { member },
                None => Change::Added { member },
            };
            match (self.put(&mut members, member, change), before) {
                (Ok(()), Some(before)) => {
                    self.office.forget_uris(&before);
                    self.office.see_out(before);
                    reloaded.replaced.push(name);
                }
                (Ok(()), None) => reloaded.added.push(name),
                (Err(error), _) => reloaded.refused.push(Failure { member: name, error }),
            }
        }
        reloaded
    }
}

impl Members {
    /// Gives all members their parts of names, since some are others now.
    fn name_all(&self) {
        for (name, seat) in &self.seats {
            if let Some(part) = self.parts.of(name).filter(|part| **part != seat.part()) {
                seat.set_part(part);
            }
        }
    }
}
