//! Whether a server is the one that was pinned.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bowline_client::{Call, Error};
use bowline_protocol::{ErrorCode, ErrorObject, excerpt, method};

use super::decide::named;
use super::definitions::Asked;
use super::lists::Seat;
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::pins::{Edit, KnownServer, PinKind, Pins, parted};
use crate::policy::{OnChange, Policy};
use crate::refusal::Refusal;

/// Whether a method says nothing to a server and asks nothing of it that matters who it is.
pub(super) fn is_for_anybody(method: &str) -> bool {
    matches!(method, method::PING | method::SERVER_DISCOVER | method::LOGGING_SET_LEVEL | method::RESOURCES_UNSUBSCRIBE)
}

/// Makes sure, before anything is asked of it, that a server is reached as it was when it was pinned; pins it where it was
/// not.
///
/// Another program or address under a known name is what pins are for, whatever is asked of it: it gets no call, and what it
/// lists is neither pinned nor shown.
pub(super) async fn meet(core: &Core, seat: &Seat, call: &Call) -> Result<(), Error> {
    let Some(pins) = seat.pins(core) else { return Ok(()) };
    let mut edits = match standing(core, seat, pins, call)? {
        Standing::Known => Vec::new(),
        Standing::New => introduction(seat, call),
        Standing::Unnamed => vec![way(seat, call, true)],
        Standing::Moved => vec![way(seat, call, false)],
    };
    edits.extend(seat.settings.owed.take(core, seat));
    if edits.is_empty() {
        return Ok(());
    }
    keep(core, pins, edits).await;
    // Another process may have pinned it first.
    standing(core, seat, pins, call).map(drop)
}

/// Decides on a request of a server, before a handler sees it: another program or address under a known name asks nobody
/// anything, and is not told where it may work.
pub(super) fn admit(core: &Core, seat: &Seat, method: &str) -> Result<(), ErrorObject> {
    let Some(moved) = held_back(core, seat) else { return Ok(()) };
    let server = &seat.settings.server;
    tell_moved(core, seat, &moved);
    let asks = format!("{} by server \"{}\"", excerpt(method, 100), excerpt(server, 100));
    core.tell(&GuardEvent::Refused {
        server: Arc::clone(server),
        method: method.to_owned(),
        name: None,
        why: format!("{asks}: {moved}; accept the server anew if that is right"),
    });
    Err(ErrorObject::new(ErrorCode::USER_REJECTED, "refused: this server is not the one that was accepted here"))
}

/// How the way to a server is another one than was pinned, where it gets nothing for that.
pub(super) fn held_back(core: &Core, seat: &Seat) -> Option<String> {
    let pins = seat.pins(core).filter(|_| !is_noted(core))?;
    pins.table().servers().get(&*seat.settings.key).and_then(|known| moved(seat, known))
}

/// Tells once that a server is reached another way; each refusal says it as well.
fn tell_moved(core: &Core, seat: &Seat, moved: &str) {
    if !seat.settings.told_moved.swap(true, Ordering::Relaxed) {
        let (server, what) = (Arc::clone(&seat.settings.server), moved.to_owned());
        core.tell(&GuardEvent::ServerChanged { server, what });
    }
}

/// Whether changes are told of, and hold nothing back.
pub(super) fn is_noted(core: &Core) -> bool {
    core.policy.as_ref().map(Policy::on_change).unwrap_or_default() == OnChange::Note
}

/// How a server stands to the one that is pinned.
enum Standing {
    Known,
    /// Nothing is known of it.
    New,
    /// The way to it is not pinned, or only as an earlier version did.
    Unnamed,
    /// It is reached another way, which is merely noted.
    Moved,
}

fn standing(core: &Core, seat: &Seat, pins: &Pins, call: &Call) -> Result<Standing, Error> {
    let settings = &seat.settings;
    let moved = {
        let table = pins.table();
        let Some(known) = table.servers().get(&*settings.key) else { return Ok(Standing::New) };
        match moved(seat, known) {
            Some(moved) => moved,
            None if settings.identity.is_some() && (known.identity.is_none() || known.is_earlier) => {
                return Ok(Standing::Unnamed);
            }
            None => return Ok(Standing::Known),
        }
    };
    if is_noted(core) {
        core.tell(&GuardEvent::ServerChanged { server: Arc::clone(&settings.server), what: moved });
        return Ok(Standing::Moved);
    }
    tell_moved(core, seat, &moved);
    let why = format!("{}: {moved}; accept the server anew if that is right", named(core, seat, call));
    Err(Refusal::new(why).changed())
}

/// What is pinned of the way to a server; `first` where nothing else was.
fn way(seat: &Seat, call: &Call, first: bool) -> Edit {
    let server = call.server();
    Edit::Server {
        key: seat.settings.key.to_string(),
        first,
        identity: seat.settings.identity.clone(),
        name: server.map(|server| server.info.name.clone()),
        version: server.map(|server| server.info.version.clone()),
    }
}

/// What is pinned of a server that nothing is known of. What it has nothing of now, it has as something new later.
fn introduction(seat: &Seat, call: &Call) -> Vec<Edit> {
    let mut edits = vec![way(seat, call, true)];
    if let Some(server) = call.server() {
        let has = &server.capabilities;
        let kinds = [
            (PinKind::Tool, has.tools.is_none()),
            (PinKind::Prompt, has.prompts.is_none()),
            (PinKind::Template, has.resources.is_none()),
        ];
        let none_of = kinds.into_iter().filter(|(_, has_none)| *has_none);
        edits.extend(none_of.map(|(kind, _)| Edit::Listed { key: seat.settings.key.to_string(), kind }));
    }
    edits
}

/// How the way to the server differs from the one that is pinned.
fn moved(seat: &Seat, known: &KnownServer) -> Option<String> {
    let is = seat.settings.identity.as_ref()?;
    let was = known.identity.as_ref().filter(|was| *was != is)?;
    if known.is_earlier && seat.settings.earlier.as_ref() == Some(was) {
        return None;
    }
    let (was, is) = parted(was, is);
    Some(format!("the way to it is \"{is}\", and was \"{was}\" when it was pinned"))
}

/// Tells where a server, which lists something, calls itself otherwise than when it was pinned; what has to be pinned of
/// that. Its name and version are its own words, so nothing is held back for them.
pub(super) fn renamed(core: &Core, seat: &Seat, pins: &Pins, asked: &Asked) -> Option<Edit> {
    let key = &seat.settings.key;
    let mut differences = Vec::new();
    let mut is_new = false;
    {
        let table = pins.table();
        let known = table.servers().get(&**key);
        for (what, old, new) in [
            ("its name is", known.and_then(|known| known.name.as_ref()), asked.name.as_ref()),
            ("its version is", known.and_then(|known| known.version.as_ref()), asked.server_version.as_ref()),
        ] {
            match (old, new) {
                (Some(old), Some(new)) if old != new => {
                    differences.push(format!("{what} \"{new}\", and was \"{old}\" when it was pinned"));
                }
                (None, Some(_)) => is_new = true,
                _ => {}
            }
        }
    }
    is_new |= !differences.is_empty();
    for what in differences {
        core.tell(&GuardEvent::ServerChanged { server: Arc::clone(&seat.settings.server), what });
    }
    is_new.then(|| Edit::Server {
        key: key.to_string(),
        first: false,
        identity: None,
        name: asked.name.clone(),
        version: asked.server_version.clone(),
    })
}

/// Has pins kept; that they cannot be is told, and keeps nothing from going.
pub(super) async fn keep(core: &Core, pins: &Pins, edits: Vec<Edit>) {
    if let Err(error) = pins.keep(edits).await {
        core.tell(&GuardEvent::PinsFailed { why: error.to_string() });
    }
}
