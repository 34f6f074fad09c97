//! What all members share, and the desk of the one task that looks after them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use bowline_client::{Client, Events};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use crate::changes::Feed;
use crate::filter::Filter;
use crate::keeper;
use crate::names::Naming;
use crate::pool::Task;
use crate::seat::Seat;
use crate::stats::Stats;
use crate::uris::Uris;

pub(crate) struct Office {
    pub(crate) naming: Naming,
    pub(crate) filter: Filter,
    pub(crate) feed: Feed,
    pub(crate) stats: Stats,
    uris: RwLock<Uris>,
    /// How many members are connected or listed at once.
    pub(crate) at_once: usize,
    /// The same for what the hub does by itself.
    pub(crate) permits: Arc<Semaphore>,
    /// How long a member that is taken away may go on with what is under way.
    pub(crate) drain: Duration,
    ids: AtomicU64,
    desk: Arc<Desk>,
    keeper: Mutex<Option<Task>>,
}

/// What the keeper has to do. Bounded by how many members and connections there are.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) bell: Notify,
    work: Mutex<Work>,
}

#[derive(Default)]
pub(crate) struct Work {
    /// Members of which something changed.
    pub(crate) look: HashMap<u64, Weak<Seat>>,
    /// Fresh connections, and what is heard over them.
    pub(crate) fresh: Vec<Fresh>,
    /// Members that were taken away.
    pub(crate) leaving: Vec<Arc<Seat>>,
}

pub(crate) struct Fresh {
    pub(crate) seat: Weak<Seat>,
    pub(crate) events: Events,
    /// The client, where it has to ask for changes to be told of any.
    pub(crate) client: Option<Client>,
}

impl Desk {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to do.
    pub(crate) fn take(&self) -> Work {
        std::mem::take(&mut *self.work())
    }
}

impl Office {
    pub(crate) fn new(naming: Naming, filter: Filter, at_once: usize, drain: Duration) -> Self {
        Self {
            naming,
            filter,
            feed: Feed::default(),
            stats: Stats::new(),
            uris: RwLock::default(),
            at_once,
            permits: Arc::new(Semaphore::new(at_once)),
            drain,
            ids: AtomicU64::new(0),
            desk: Arc::default(),
            keeper: Mutex::default(),
        }
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks at whose resources are whose.
    pub(crate) fn uris<R>(&self, look: impl FnOnce(&Uris) -> R) -> R {
        look(&self.uris.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes whose resources are whose, unless the member is gone.
    pub(crate) fn with_uris(&self, seat: &Seat, change: impl FnOnce(&mut Uris)) {
        let mut uris = self.uris.write().unwrap_or_else(PoisonError::into_inner);
        if !seat.is_gone() {
            change(&mut uris);
        }
    }

    /// Forgets the resources of a member that leaves.
    pub(crate) fn forget_uris(&self, seat: &Seat) {
        let mut uris = self.uris.write().unwrap_or_else(PoisonError::into_inner);
        seat.leave();
        uris.remove(&seat.member.name);
    }

    /// Listens to a fresh connection from now on.
    pub(crate) fn listen(self: &Arc<Self>, seat: &Arc<Seat>, client: &Client) {
        let server = client.server();
        let capabilities = &server.capabilities;
        let tells = capabilities.tools.as_ref().is_some_and(|it| it.list_changed())
            || capabilities.prompts.as_ref().is_some_and(|it| it.list_changed())
            || capabilities.resources.as_ref().is_some_and(|it| it.list_changed());
        // In a session servers tell by themselves.
        let asks = tells && server.revision.era() == bowline_protocol::Era::Stateless;
        let fresh = Fresh { seat: Arc::downgrade(seat), events: client.events(), client: asks.then(|| client.clone()) };
        self.desk.work().fresh.push(fresh);
        self.wake();
    }

    /// Has the keeper look when the member needs something.
    pub(crate) fn look_at(self: &Arc<Self>, seat: &Arc<Seat>) {
        self.desk.work().look.insert(seat.id, Arc::downgrade(seat));
        self.wake();
    }

    /// Has the keeper see a member out.
    pub(crate) fn see_out(self: &Arc<Self>, seat: Arc<Seat>) {
        self.desk.work().leaving.push(seat);
        self.wake();
    }

    /// Wakes the keeper. Begins it where there is none yet, or it ended with its runtime; outside a runtime that is left to
    /// whoever comes next within one, and the work stays where it is.
    fn wake(self: &Arc<Self>) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.as_ref().is_none_or(Task::is_finished)
            && let Ok(runtime) = Handle::try_current()
        {
            *keeper = Some(Task::spawn_on(&runtime, keeper::keep(Arc::clone(&self.desk), Arc::downgrade(self))));
        }
        drop(keeper);
        self.desk.bell.notify_one();
    }
}

impl fmt::Debug for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Office").field("naming", &self.naming).finish_non_exhaustive()
    }
}
