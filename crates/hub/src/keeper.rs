//! The one task that looks after all members: it hears what servers tell, lists again what changed, connects again what
//! was lost, and closes what is idle.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bowline_client::{Change as Told, Client, Event, Subscription, WeakClient};
use futures_core::Stream;
use futures_util::StreamExt as _;
use futures_util::stream::{self, SelectAll};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::changes::Change;
use crate::health::HealthState;
use crate::office::{Desk, Fresh, Office, Work};
use crate::pause::Pause;
use crate::seat::Seat;

/// How long it is at most before a server is asked again to tell of changes.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What is heard over one connection.
type Ear = Pin<Box<dyn Stream<Item = (Weak<Seat>, Heard)> + Send>>;

/// What a server tells that the hub cares for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Tools,
    Prompts,
    Resources,
    /// Something was missed.
    Anything,
    /// From now on the server tells of changes, or does not any more: what is known may be old.
    Doubt,
    /// The connection has ended.
    End,
}

/// Looks after the members until the office is gone.
pub(crate) async fn keep(desk: Arc<Desk>, office: Weak<Office>) {
    let mut keeper =
        Keeper { office, ears: SelectAll::new(), jobs: JoinSet::new(), due: BTreeSet::new(), at: HashMap::new() };
    loop {
        let next = keeper.due.first().map(|(at, _)| *at);
        tokio::select! {
            () = desk.bell.notified() => keeper.take(desk.take()),
            Some((seat, heard)) = keeper.ears.next(), if !keeper.ears.is_empty() => {
                if let Some(seat) = seat.upgrade().filter(|seat| !seat.is_gone()) {
                    keeper.heard(&seat, heard);
                }
            }
            Some(_) = keeper.jobs.join_next(), if !keeper.jobs.is_empty() => {}
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => keeper.tick(),
        }
    }
}

struct Keeper {
    office: Weak<Office>,
    ears: SelectAll<Ear>,
    jobs: JoinSet<()>,
    /// When which member needs something, soonest first.
    due: BTreeSet<(Instant, u64)>,
    at: HashMap<u64, (Instant, Weak<Seat>)>,
}

impl Keeper {
    fn take(&mut self, work: Work) {
        for Fresh { seat, events, client } in work.fresh {
            let whose = seat.clone();
            let heard = events.filter_map(|event| std::future::ready(of_event(&event)));
            // The stream of a client that is only dropped ends without a word.
            let heard = heard.chain(stream::once(std::future::ready(Heard::End)));
            self.ears.push(Box::pin(heard.map(move |heard| (whose.clone(), heard))));
            if let Some(client) = client {
                self.ears.push(Box::pin(listen(seat, client.downgrade())));
            }
        }
        for seat in work.look.into_values() {
            if let Some(seat) = seat.upgrade() {
                self.look_at(&seat);
            }
        }
        for seat in work.leaving {
            self.jobs.spawn(async move {
                let drained = seat.pool.close(seat.office.drain).await;
                tracing::debug!(member = %seat.member.name, ?drained, "a member was seen out");
            });
        }
    }

    fn heard(&mut self, seat: &Arc<Seat>, heard: Heard) {
        let member = || Arc::clone(&seat.member.name);
        if heard == Heard::End {
            return seat.pool.notice();
        }
        if heard == Heard::Doubt {
            seat.doubt();
        }
        let anything = heard == Heard::Anything;
        // Of what somebody has it is told when it was read again, of all else at once.
        if anything || heard == Heard::Tools {
            seat.tools.doubt();
            if !seat.tools.has_news() {
                seat.office.feed.tell(|| Change::Tools { member: member() });
            }
        }
        if anything || heard == Heard::Prompts {
            seat.prompts.doubt();
            if !seat.prompts.has_news() {
                seat.office.feed.tell(|| Change::Prompts { member: member() });
            }
        }
        if anything || heard == Heard::Resources {
            seat.resources.doubt();
            seat.templates.doubt();
            if !seat.resources.has_news() && !seat.templates.has_news() {
                seat.office.feed.tell(|| Change::Resources { member: member() });
            }
        }
        if seat.has_news() {
            self.refresh(seat);
        }
    }

    /// Reads again what is known of a member and may be old.
    fn refresh(&mut self, seat: &Arc<Seat>) {
        let Some(office) = self.office.upgrade() else { return };
        if seat.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (wait, seat, permits) = (seat.until_next_refresh(), Arc::downgrade(seat), Arc::clone(&office.permits));
        self.jobs.spawn(async move {
            sleep(wait).await;
            let Ok(_permit) = permits.acquire_owned().await else { return };
            let Some(seat) = seat.upgrade() else { return };
            // What changes from now on asks for another time.
            seat.refreshing.store(false, Ordering::Release);
            if let Err(error) = seat.refresh().await {
                tracing::debug!(member = %seat.member.name, %error, "could not list again what changed");
            }
        });
    }

    /// Finds out when the member needs something next.
    fn look_at(&mut self, seat: &Arc<Seat>) {
        if let Some((before, _)) = self.at.remove(&seat.id) {
            self.due.remove(&(before, seat.id));
        }
        if seat.is_gone() {
            return;
        }
        let state = seat.connections_state();
        let again = match state {
            HealthState::Waiting { until, .. } if seat.pool.settings().restarts.by_itself => Some(until),
            _ => None,
        };
        if let Some(at) = [again, seat.pool.next_idle()].into_iter().flatten().min() {
            self.due.insert((at, seat.id));
            self.at.insert(seat.id, (at, Arc::downgrade(seat)));
        }
        if state.is_up() && seat.has_news() {
            self.refresh(seat);
        }
    }

    /// Does what is due.
    fn tick(&mut self) {
        let now = Instant::now();
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, id));
            let Some(seat) = self.at.remove(&id).and_then(|(_, seat)| seat.upgrade()) else { continue };
            seat.pool.stop_idle();
            if matches!(seat.connections_state(), HealthState::Waiting { until, .. } if until <= now) {
                self.reconnect(&seat);
            } else {
                self.look_at(&seat);
            }
        }
    }

    fn reconnect(&mut self, seat: &Arc<Seat>) {
        let Some(office) = self.office.upgrade() else { return };
        let (seat, permits) = (Arc::downgrade(seat), Arc::clone(&office.permits));
        self.jobs.spawn(async move {
            let Ok(_permit) = permits.acquire_owned().await else { return };
            let Some(seat) = seat.upgrade() else { return };
            if let Err(error) = seat.pool.reconnect().await {
                tracing::debug!(member = %seat.member.name, %error, "could not connect again");
            }
            seat.office.look_at(&seat);
        });
    }
}

/// What a server tells without a session, for as long as its client is there. Where the stream of changes is lost alone, or
/// cannot be had, it is asked for again.
fn listen(seat: Weak<Seat>, client: WeakClient) -> impl Stream<Item = (Weak<Seat>, Heard)> + Send {
    let whose = seat.clone();
    let (deaf, pause) = (Deaf::to(&seat), Pause::up_to(LONGEST_PAUSE));
    let listener = Listener { deaf, seat, client, subscription: None, asked: false, pause };
    stream::unfold(listener, |mut listener: Listener| async move { Some((listener.next().await?, listener)) })
        .map(move |heard| (whose.clone(), heard))
}

struct Listener {
    seat: Weak<Seat>,
    client: WeakClient,
    /// With the time since which it stands.
    subscription: Option<(Subscription, Instant)>,
    /// Whether it was asked for before.
    asked: bool,
    /// How long to wait before it is asked for again.
    pause: Pause,
    deaf: Option<Deaf>,
}

impl Listener {
    /// What is heard next; none once the client is gone.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((subscription, since)) = &mut self.subscription {
                if let Some(told) = subscription.next().await {
                    return Some(match told {
                        Told::Tools => Heard::Tools,
                        Told::Prompts => Heard::Prompts,
                        Told::Resources | Told::Resource { .. } => Heard::Resources,
                        _ => Heard::Anything,
                    });
                }
                self.pause.lasted(since.elapsed());
                self.subscription = None;
                self.deaf = Deaf::to(&self.seat);
                self.client()?;
                return Some(Heard::Doubt);
            }
            if self.asked {
                sleep(self.pause.take()).await;
            }
            self.asked = true;
            match self.client()?.changes().await {
                Ok(subscription) => {
                    self.subscription = Some((subscription, Instant::now()));
                    self.deaf = None;
                    // What changed before the server began to tell was not told.
                    return Some(Heard::Doubt);
                }
                Err(error) => {
                    tracing::debug!(%error, "a server does not tell of changes though it said that it does");
                }
            }
        }
    }

    fn client(&self) -> Option<Client> {
        self.client.upgrade().filter(|client| !client.is_closed())
    }
}

/// As long as it lives its member is not heard over one of its connections.
struct Deaf(Weak<Seat>);

impl Deaf {
    fn to(seat: &Weak<Seat>) -> Option<Self> {
        seat.upgrade()?.deaf.fetch_add(1, Ordering::AcqRel);
        Some(Self(seat.clone()))
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        if let Some(seat) = self.0.upgrade() {
            seat.deaf.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn of_event(event: &Event) -> Option<Heard> {
    match event {
        Event::ToolsChanged => Some(Heard::Tools),
        Event::PromptsChanged => Some(Heard::Prompts),
        Event::ResourcesChanged => Some(Heard::Resources),
        Event::Lagged(_) => Some(Heard::Anything),
        _ => None,
    }
}
