//! What a server says of itself when it is connected to.

use std::sync::Arc;

use bowline_client::ServerInfo;
use bowline_protocol::{Implementation, Payload, RawJson, method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lists::Seat;
use super::meeting;
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::inspect::Inspected;

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
    if meeting::is_held_back(core, seat) {
        *instructions = None;
    }
    if let Some(text) = instructions.take() {
        *instructions = seen(core, server, Instructions { instructions: text }).map(|seen| seen.instructions);
    }
    let itself = seen(core, server, Itself { server_info: std::mem::take(info) });
    // As one that does not name itself.
    *info = itself.map_or_else(|| Implementation::new("unnamed", ""), |seen| seen.server_info);
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
