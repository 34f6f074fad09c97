//! Lists across all members.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::Error;
use bowline_transport::{BoxFuture, Sent};
use futures_core::Stream;
use futures_util::stream::{self, StreamExt as _};

use crate::finding::Finding;
use crate::offer::{Offer, Offered};
use crate::seat::Seat;
use crate::shared::Shared;

/// What all members, or some, offer; made by [`Hub::tools`](crate::Hub::tools) and its like. It is read when it is
/// awaited.
///
/// Members are asked at the same time, so many at once as [`HubBuilder::at_once`](crate::HubBuilder::at_once) says, each
/// with deadlines of its own: one that is down, or slow, holds up nobody. What was read before and has not changed since
/// is not asked for again.
///
/// # Cancel safety
/// Dropping the future gives up what is being read.
#[must_use = "nothing is listed until it is awaited"]
pub struct Lists<T> {
    shared: Arc<Shared>,
    group: Option<Arc<str>>,
    members: Option<Vec<String>>,
    deadline: Option<Duration>,
    at_once: Option<usize>,
    anew: bool,
    what: std::marker::PhantomData<fn() -> T>,
}

/// What members offer, and which of them could not say.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listing<T> {
    /// What there is: by the member's name, and of each member in its own order.
    pub items: Vec<Offered<T>>,
    /// The members whose list could not be had. The lists of the others are complete all the same.
    pub failures: Vec<Failure>,
    /// What is odd about lists.
    pub findings: Vec<Finding>,
}

/// A member that failed, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failure {
    /// Which one.
    pub member: Arc<str>,
    /// How.
    pub error: Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member, self.error)
    }
}

/// What one member offers, or why that is not known.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemberListing<T> {
    /// Whose it is.
    pub member: Arc<str>,
    /// What there is; none where it failed.
    pub items: Vec<Offered<T>>,
    /// What is odd about it.
    pub findings: Vec<Finding>,
    /// Why it could not be had.
    pub error: Option<Error>,
}

impl<T: Offer> Lists<T> {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            group: None,
            members: None,
            deadline: None,
            at_once: None,
            anew: false,
            what: std::marker::PhantomData,
        }
    }

    /// Lists of the members of this group alone.
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Lists of these members alone. A name that no member has is among the failures.
    pub fn of<M: Into<String>>(mut self, members: impl IntoIterator<Item = M>) -> Self {
        self.members = Some(members.into_iter().map(Into::into).collect());
        self
    }

    /// Sets how long each member may take, connecting included. Default: its own
    /// [`connect_deadline`](crate::Member::connect_deadline) and [`list_deadline`](crate::Member::list_deadline). A
    /// connection that is not up by then is still being opened, for the next time.
    pub const fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Sets how many members are asked at once. Default: [`HubBuilder::at_once`](crate::HubBuilder::at_once).
    pub const fn at_once(mut self, most: usize) -> Self {
        self.at_once = Some(most);
        self
    }

    /// Asks the servers, also for what was read and has not changed.
    pub const fn anew(mut self) -> Self {
        self.anew = true;
        self
    }

    /// What is known at this moment, without asking anybody: of members that were listed before and are not down. Those
    /// that are down are among the failures.
    pub fn known(self) -> Listing<T> {
        if T::RENAMED {
            self.shared.gives_names_out();
        }
        let (seats, mut all) = self.seats();
        for seat in seats {
            let state = seat.state();
            match state.why() {
                Some(why) if !state.is_available() => {
                    all.push(MemberListing::failed(&seat.member.name, why.clone()));
                }
                _ => all.extend(T::kept(&seat).now(&seat).map(|list| MemberListing::of(&seat, &list))),
            }
        }
        Listing::of(all)
    }

    /// The lists one member after the other, as they come: the fastest first.
    pub fn by_member(self) -> ByMember<T> {
        if T::RENAMED {
            self.shared.gives_names_out();
        }
        let (deadline, anew) = (self.deadline, self.anew);
        let at_once = self.at_once.unwrap_or(self.shared.office.at_once).max(1);
        let (seats, unknown) = self.seats();
        let lists = stream::iter(seats).map(move |seat| async move {
            let reading = T::kept(&seat).get(&seat, anew);
            let outcome = match deadline {
                None => reading.await,
                Some(limit) => match tokio::time::timeout(limit, reading).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(Error::deadline(limit, Sent::Maybe)),
                },
            };
            match outcome {
                Ok(list) => MemberListing::of(&seat, &list),
                Err(error) => MemberListing::failed(&seat.member.name, error),
            }
        });
        ByMember(Box::pin(stream::iter(unknown).chain(lists.buffer_unordered(at_once))))
    }

    /// The members that are meant, and a failure for each name that none has.
    fn seats(self) -> (Vec<Arc<Seat>>, Vec<MemberListing<T>>) {
        let Some(names) = self.members else {
            let group = self.group.as_deref();
            let seats = self.shared.seats().into_iter();
            return (seats.filter(|seat| group.is_none_or(|group| seat.is_in(group))).collect(), Vec::new());
        };
        let (mut seats, mut unknown) = (Vec::new(), Vec::new());
        for name in names {
            match self.shared.seat(&name) {
                Ok(seat) if self.group.as_deref().is_none_or(|group| seat.is_in(group)) => seats.push(seat),
                Ok(_) => {}
                Err(error) => unknown.push(MemberListing::failed(&name.into(), error)),
            }
        }
        (seats, unknown)
    }
}

impl<T: Offer> IntoFuture for Lists<T> {
    type Output = Listing<T>;
    type IntoFuture = BoxFuture<'static, Listing<T>>;

    fn into_future(self) -> Self::IntoFuture {
        let lists = self.by_member();
        Box::pin(async move { Listing::of(lists.0.collect().await) })
    }
}

impl<T> fmt::Debug for Lists<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lists").field("group", &self.group).field("members", &self.members).finish_non_exhaustive()
    }
}

/// Lists of members as they come; made by [`Lists::by_member`].
#[must_use = "nothing is listed until it is polled"]
pub struct ByMember<T>(Pin<Box<dyn Stream<Item = MemberListing<T>> + Send>>);

impl<T> ByMember<T> {
    /// The next list; `None` once each member has said what it has, or failed.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<MemberListing<T>> {
        self.0.next().await
    }
}

impl<T> Stream for ByMember<T> {
    type Item = MemberListing<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<MemberListing<T>>> {
        self.get_mut().0.as_mut().poll_next(cx)
    }
}

impl<T> fmt::Debug for ByMember<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByMember").finish_non_exhaustive()
    }
}

impl<T: Offer> MemberListing<T> {
    fn of(seat: &Seat, list: &crate::kept::List<T>) -> Self {
        Self {
            member: Arc::clone(&seat.member.name),
            items: list.items.clone(),
            findings: list.findings.clone(),
            error: None,
        }
    }

    fn failed(member: &Arc<str>, error: Error) -> Self {
        Self { member: Arc::clone(member), items: Vec::new(), findings: Vec::new(), error: Some(error) }
    }
}

impl<T> Listing<T> {
    fn of(mut all: Vec<MemberListing<T>>) -> Self {
        // Whoever was fastest, the list is the same: models' caches depend on that.
        all.sort_by(|a, b| a.member.cmp(&b.member));
        let mut listing = Self {
            items: Vec::with_capacity(all.iter().map(|one| one.items.len()).sum()),
            failures: Vec::new(),
            findings: Vec::new(),
        };
        for one in all {
            listing.items.extend(one.items);
            listing.findings.extend(one.findings);
            listing.failures.extend(one.error.map(|error| Failure { member: one.member, error }));
        }
        listing
    }
}
