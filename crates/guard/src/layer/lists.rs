//! What is known of a server's definitions, as far as they were listed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_client::ListsVersion;
use bowline_protocol::ToolAnnotations;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::SeatSettings;
use crate::guard::Core;
use crate::pins::{Change, Definition, Edit, PinKind, Pins};

/// Of how many definitions of a kind is known how they stand.
const MAX_KNOWN: usize = 50_000;

/// A server, as the layer of one client knows it.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) settings: SeatSettings,
    /// The right to ask the server for its lists: one at a time, so that many calls at once make one list.
    pub(super) turn: Semaphore,
    known: Mutex<HashMap<PinKind, Known>>,
    /// Of which kinds this is the first use: from the first page of a list until one was read to its end.
    first_use: Mutex<HashMap<PinKind, bool>>,
}

/// What is known of the definitions of a kind.
#[derive(Debug, Default)]
struct Known {
    version: Option<ListsVersion>,
    begun: Option<Instant>,
    is_whole: bool,
    of: HashMap<String, Arc<Item>>,
}

/// A definition that was listed.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) hash: Option<String>,
    pub(super) annotations: Option<ToolAnnotations>,
    pub(super) held: Option<Held>,
}

/// A definition that is held back.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) definition: Definition,
    /// How it differs from the one that is pinned; none where none is.
    pub(super) change: Option<Change>,
    /// Whether somebody can be asked about it.
    pub(super) may_ask: bool,
}

/// What the lists say of a name.
#[derive(Debug, Clone)]
pub(super) enum Lookup {
    /// It is listed.
    Listed(Arc<Item>),
    /// It is not.
    Unlisted,
    /// The lists have to be read.
    Unknown,
}

impl Seat {
    pub(super) fn new(settings: SeatSettings) -> Self {
        Self { settings, turn: Semaphore::new(1), known: Mutex::default(), first_use: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PinKind, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the lists of this version say, if they are not older than `life`.
    pub(super) fn look_up(&self, kind: PinKind, name: &str, version: Option<ListsVersion>, life: Duration) -> Lookup {
        let known = self.known();
        let Some(known) = known.get(&kind) else { return Lookup::Unknown };
        let is_fresh = known.begun.is_some_and(|begun| begun.elapsed() < life);
        if !is_fresh || (version.is_some() && known.version != version) {
            return Lookup::Unknown;
        }
        match known.of.get(name) {
            Some(item) => Lookup::Listed(Arc::clone(item)),
            None if known.is_whole => Lookup::Unlisted,
            None => Lookup::Unknown,
        }
    }

    /// Whether what is listed now is a first use; `begins` says so where no list was begun yet.
    pub(super) fn is_first_use(&self, kind: PinKind, begins: impl FnOnce() -> bool) -> bool {
        let mut all = self.first_use.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(kind).or_insert_with(begins)
    }

    /// Whether a first use has begun, and no list was read to its end yet.
    pub(super) fn is_in_first_use(&self, kind: PinKind) -> bool {
        self.first_use.lock().unwrap_or_else(PoisonError::into_inner).get(&kind) == Some(&true)
    }

    /// A list was read to its end, or the server has none; what has to be pinned of that.
    pub(super) fn ends_first_use(&self, pins: &Pins, kind: PinKind) -> Option<Edit> {
        self.first_use.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, false);
        let key = &*self.settings.key;
        (!pins.table().was_listed(key, kind)).then(|| Edit::Listed { key: key.to_owned(), kind })
    }

    /// Takes note of a page. One that is the first begins anew.
    pub(super) fn note(
        &self,
        kind: PinKind,
        version: Option<ListsVersion>,
        page: Vec<(String, Arc<Item>)>,
        (is_first, is_last): (bool, bool),
    ) {
        let mut known = self.known();
        let known = known.entry(kind).or_default();
        if is_first {
            *known = Known { version, begun: Some(Instant::now()), ..Known::default() };
        } else if known.version != version {
            // A list that went on over a change is none that can be relied on.
            *known = Known::default();
            return;
        }
        known.is_whole = is_last && known.begun.is_some();
        for (name, item) in page {
            if known.of.len() < MAX_KNOWN || known.of.contains_key(&name) {
                known.of.insert(name, item);
            } else {
                known.is_whole = false;
            }
        }
    }

    /// The pins that its definitions are held against.
    pub(super) fn pins<'c>(&self, core: &'c Core) -> Option<&'c Pins> {
        core.pins.as_ref().filter(|_| self.settings.is_pinned)
    }

    /// Whether it matters what the server lists: for pins, for answers that are about a definition, and for what is
    /// believed of annotations.
    pub(super) fn needs_lists(&self, core: &Core) -> bool {
        self.pins(core).is_some() || core.remembered.is_some() || (self.settings.is_trusted && core.policy.is_some())
    }

    /// Takes note that the definition of this hash is held back no more.
    pub(super) fn accept(&self, kind: PinKind, name: &str, hash: Option<&str>) {
        let mut known = self.known();
        let Some(known) = known.get_mut(&kind) else { return };
        let Some(item) = known.of.get_mut(name).filter(|item| item.hash.as_deref() == hash) else { return };
        *item = Arc::new(Item { hash: item.hash.clone(), annotations: item.annotations.clone(), held: None });
    }
}
