//! What a server says of itself when it is connected to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bowline_client::ServerInfo;
use bowline_protocol::{Implementation, Payload, RawJson, method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lists::Seat;
use super::meeting;
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::inspect::Inspected;
use crate::pins::{Definition, Edit, Judged, PinKind, Pins};
use crate::policy::{OnNew, Policy};

#[derive(Serialize, Deserialize)]
struct Instructions {
    instructions: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Itself {
    server_info: Implementation,
}

/// Looks at a server's instructions, and at how it names itself. What is held back is gone, and the connection stays:
/// neither is needed to call the server. Another program under a known name has no instructions for anybody.
pub(super) fn look_at(core: &Core, seat: &Seat, said: &mut ServerInfo) {
    let server = &seat.settings.server;
    let ServerInfo { info, instructions, .. } = said;
    if meeting::held_back(core, seat).is_some() || !is_as_pinned(core, seat, instructions.as_deref()) {
        *instructions = None;
    }
    if let Some(text) = instructions.take() {
        *instructions = seen(core, server, Instructions { instructions: text }).map(|seen| seen.instructions);
    }
    let itself = seen(core, server, Itself { server_info: std::mem::take(info) });
    // As one that does not name itself.
    *info = itself.map_or_else(|| Implementation::new("unnamed", ""), |seen| seen.server_info);
}

/// Whether a server's instructions may be read, by the pins and by what the policy says about what is new or changed. What
/// has to be pinned is owed until something is asked of the server: this must not wait.
fn is_as_pinned(core: &Core, seat: &Seat, instructions: Option<&str>) -> bool {
    let Some(pins) = seat.pins(core) else { return true };
    let (server, key) = (&seat.settings.server, &*seat.settings.key);
    let kind = PinKind::Instructions;
    let definition = instructions.map(Definition::of_instructions);
    let (judged, is_known) = {
        let table = pins.table();
        (definition.as_ref().map(|definition| table.judge(key, definition)), table.knows_kind(key, kind))
    };
    let mut owed = Owing { listed: !is_known, ..Owing::default() };
    let is_fine = match (judged, definition) {
        (None | Some(Judged::Same), _) | (_, None) => true,
        (Some(Judged::New), Some(definition)) if !is_known => {
            (owed.pin, owed.is_first) = (Some(Pins::first(key, definition)), true);
            true
        }
        (Some(Judged::New), Some(definition)) => {
            // Nobody can be asked in a handshake.
            let held = core.policy.as_ref().map(Policy::on_new).unwrap_or_default() != OnNew::Pin;
            let name = definition.name().to_owned();
            core.tell(&GuardEvent::New { server: Arc::clone(server), kind, name, held });
            owed.pin = (!held).then(|| Pins::first(key, definition));
            !held
        }
        (Some(Judged::Changed(change)), Some(definition)) => {
            core.counts.changed.add(1);
            let held = !meeting::is_noted(core);
            core.tell(&GuardEvent::Changed { server: Arc::clone(server), change: Arc::from(change), held });
            owed.pin = (!held).then(|| Pins::put(key, definition));
            !held
        }
    };
    seat.settings.owed.set(owed);
    is_fine
}

/// What has to be pinned of the last handshake, which must not wait for a file.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    is_any: AtomicBool,
    last: Mutex<Owing>,
}

#[derive(Debug, Default)]
struct Owing {
    /// The instructions.
    pin: Option<Edit>,
    /// Whether they are those of a first use.
    is_first: bool,
    /// That it is known whether the server has instructions.
    listed: bool,
}

impl Owed {
    fn set(&self, owing: Owing) {
        let is_any = owing.listed || owing.pin.is_some();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = owing;
        self.is_any.store(is_any, Ordering::Release);
    }

    /// Takes what is owed, to have it pinned now.
    pub(super) fn take(&self, core: &Core, seat: &Seat) -> Vec<Edit> {
        // Nearly always, and for each call.
        if !self.is_any.load(Ordering::Acquire) || !self.is_any.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        let Owing { pin, is_first, listed } =
            std::mem::take(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner));
        let kind = PinKind::Instructions;
        if is_first {
            core.tell(&GuardEvent::FirstUse { server: Arc::clone(&seat.settings.server), kind, count: 1 });
        }
        let listed = listed.then(|| Edit::Listed { key: seat.settings.key.to_string(), kind });
        pin.into_iter().chain(listed).collect()
    }
}

/// What is left of it; none where it is held back.
fn seen<T: Serialize + DeserializeOwned>(core: &Core, server: &Arc<str>, said: T) -> Option<T> {
    let Some(incoming) = &core.incoming else { return Some(said) };
    let payload = Payload::from(RawJson::from_serialize(&said).ok()?);
    let Inspected { changed, blocked, findings } = incoming.result(method::INITIALIZE, None, &payload);
    let is_held = blocked.is_some();
    if is_held || !findings.is_empty() {
        core.counts.findings.add(findings.len());
        let (server, method) = (Arc::clone(server), method::INITIALIZE.to_owned());
        core.tell(&GuardEvent::Found { server, method, name: None, findings, blocked });
    }
    match changed {
        _ if is_held => None,
        Some(changed) => changed.parse().ok(),
        None => Some(said),
    }
}
