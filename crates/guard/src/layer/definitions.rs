//! Lists that pass: held against the pins, with what is held back taken out.

use std::sync::Arc;

use bowline_client::{Call, Error, ErrorKind, ListsVersion, Reply};
use bowline_protocol::{
    ErrorCode, ListPromptsResult, ListResourceTemplatesResult, ListToolsResult, PaginatedRequestParams, RawJson,
    ToolAnnotations, method,
};
use tower_service::Service;

use super::lists::{Held, Item, Lookup, Seat};
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::pins::{Definition, Edit, Judged, PinKind, Pins};
use crate::policy::{OnChange, OnNew, Policy};

/// How many pages a list may have.
const MAX_PAGES: usize = 1_000;

/// The kind of what a method lists.
pub(super) fn kind_listed(method: &str) -> Option<PinKind> {
    match method {
        method::TOOLS_LIST => Some(PinKind::Tool),
        method::PROMPTS_LIST => Some(PinKind::Prompt),
        method::RESOURCES_TEMPLATES_LIST => Some(PinKind::Template),
        _ => None,
    }
}

const fn listing(kind: PinKind) -> &'static str {
    match kind {
        PinKind::Tool => method::TOOLS_LIST,
        PinKind::Prompt => method::PROMPTS_LIST,
        PinKind::Template => method::RESOURCES_TEMPLATES_LIST,
    }
}

/// A page of a list: what is on it, and where it goes on.
struct Page {
    definitions: Vec<(Definition, Option<ToolAnnotations>)>,
    next: Option<String>,
}

/// Reads a page; with it the page without those that are held back.
fn read(kind: PinKind, reply: &Reply) -> Result<(Page, Box<dyn Without>), Error> {
    Ok(match kind {
        PinKind::Tool => {
            let page: ListToolsResult = reply.decode()?;
            let definitions = page.tools.iter().map(|tool| (Definition::of_tool(tool), tool.annotations.clone()));
            (Page { definitions: definitions.collect(), next: page.next_cursor.clone() }, Box::new(page))
        }
        PinKind::Prompt => {
            let page: ListPromptsResult = reply.decode()?;
            let definitions = page.prompts.iter().map(|prompt| (Definition::of_prompt(prompt), None));
            (Page { definitions: definitions.collect(), next: page.next_cursor.clone() }, Box::new(page))
        }
        PinKind::Template => {
            let page: ListResourceTemplatesResult = reply.decode()?;
            let definitions = page.resource_templates.iter().map(|it| (Definition::of_template(it), None));
            (Page { definitions: definitions.collect(), next: page.next_cursor.clone() }, Box::new(page))
        }
    })
}

/// A page that things can be taken out of.
trait Without: Send {
    /// The page without these, as JSON.
    fn without(&mut self, names: &[String]) -> Result<RawJson, serde_json::Error>;
}

macro_rules! without {
    ($($page:ident.$items:ident by $name:ident;)+) => {$(
        impl Without for $page {
            fn without(&mut self, names: &[String]) -> Result<RawJson, serde_json::Error> {
                self.$items.retain(|item| !names.contains(&item.$name));
                RawJson::from_serialize(self)
            }
        }
    )+};
}

without! {
    ListToolsResult.tools by name;
    ListPromptsResult.prompts by name;
    ListResourceTemplatesResult.resource_templates by uri_template;
}

/// Takes note of a page that came, and gives what of it may go on.
pub(super) async fn listed(
    core: &Core,
    seat: &Seat,
    kind: PinKind,
    asked: &Asked,
    reply: Reply,
) -> Result<(Reply, Option<String>), Error> {
    let (page, mut whole) = read(kind, &reply)?;
    let mut held_back = Vec::new();
    let mut items = Vec::with_capacity(page.definitions.len());
    let mut edits = Vec::new();
    if let Some(pins) = &core.pins {
        edits.extend(introduce(core, seat, pins, asked));
    }
    let mut first_use = 0;
    for (definition, annotations) in page.definitions {
        let name = definition.name().to_owned();
        let hash = Some(definition.hash().to_owned());
        let held = core.pins.as_ref().and_then(|pins| judge(core, seat, pins, definition, &mut edits, &mut first_use));
        if held.is_some() {
            held_back.push(name.clone());
        }
        items.push((name, Item { hash, annotations, held }));
    }
    let is_last = page.next.is_none();
    seat.note(kind, asked.version, items, (asked.is_first, is_last));
    if let Some(pins) = &core.pins {
        if let Err(error) = pins.keep(edits).await {
            core.tell(GuardEvent::PinsFailed { why: error.to_string() });
        }
        if first_use > 0 {
            core.tell(GuardEvent::FirstUse { server: Arc::clone(&seat.settings.server), kind, count: first_use });
        }
    }
    if held_back.is_empty() {
        return Ok((reply, page.next));
    }
    let rest = whole.without(&held_back);
    let rest = rest.map_err(|error| Error::refused_by_layer(format!("the list cannot be written again: {error}")))?;
    Ok((reply.with_payload(rest), page.next))
}

/// How a list was asked for.
pub(super) struct Asked {
    pub(super) version: Option<ListsVersion>,
    pub(super) is_first: bool,
    name: Option<String>,
    server_version: Option<String>,
}

impl Asked {
    pub(super) fn by(call: &Call) -> Self {
        let server = call.server();
        Self {
            version: call.lists_version(),
            is_first: call.params().is_none(),
            name: server.map(|server| server.info.name.clone()),
            server_version: server.map(|server| server.info.version.clone()),
        }
    }
}

/// Tells where a server says to be another than was pinned; what has to be pinned of it.
fn introduce(core: &Core, seat: &Seat, pins: &Pins, asked: &Asked) -> Option<Edit> {
    let server = &seat.settings.server;
    let (is_new, differences) = {
        let table = pins.table();
        let known = table.servers().get(&**server);
        let mut differences = Vec::new();
        for (what, old, new) in [
            ("the way to it is", known.and_then(|known| known.identity.as_ref()), seat.settings.identity.as_ref()),
            ("its name is", known.and_then(|known| known.name.as_ref()), asked.name.as_ref()),
            ("its version is", known.and_then(|known| known.version.as_ref()), asked.server_version.as_ref()),
        ] {
            if let (Some(old), Some(new)) = (old, new)
                && old != new
            {
                differences.push(format!("{what} \"{new}\", and was \"{old}\" when it was pinned"));
            }
        }
        (known.is_none(), differences)
    };
    let tells = !differences.is_empty();
    for what in differences {
        core.tell(GuardEvent::ServerChanged { server: Arc::clone(server), what });
    }
    (is_new || tells).then(|| Edit::Server {
        key: server.to_string(),
        identity: seat.settings.identity.clone(),
        name: asked.name.clone(),
        version: asked.server_version.clone(),
    })
}

/// What becomes of a definition: held back or not, and what has to be pinned.
fn judge(
    core: &Core,
    seat: &Seat,
    pins: &Pins,
    definition: Definition,
    edits: &mut Vec<Edit>,
    first_use: &mut usize,
) -> Option<Held> {
    let server = &seat.settings.server;
    let (kind, name) = (definition.kind(), definition.name().to_owned());
    let (judged, is_known, others) = {
        let table = pins.table();
        let judged = table.judge(server, &definition);
        let is_known =
            table.servers().get(&**server).is_some_and(|known| known.pins.keys().any(|(its, _)| *its == kind));
        let is_new_tool = kind == PinKind::Tool && judged == Judged::New;
        let others = if is_new_tool { table.others_with(server, kind, &name) } else { Vec::new() };
        (judged, is_known, others)
    };
    if !others.is_empty() {
        core.tell(GuardEvent::Shadowed { server: Arc::clone(server), tool: name.clone(), by: others });
    }
    match judged {
        Judged::Same => None,
        Judged::New if !is_known => {
            *first_use += 1;
            edits.push(Pins::first(server, definition));
            None
        }
        Judged::New => {
            let on_new = core.policy.as_ref().map(Policy::on_new).unwrap_or_default();
            let held = on_new != OnNew::Pin;
            core.tell(GuardEvent::New { server: Arc::clone(server), kind, name, held });
            if !held {
                edits.push(Pins::first(server, definition));
                return None;
            }
            Some(Held { definition, change: None, may_ask: on_new == OnNew::Ask })
        }
        Judged::Changed(change) => {
            core.counts.changed.add(1);
            let on_change = core.policy.as_ref().map(Policy::on_change).unwrap_or_default();
            let held = on_change != OnChange::Note;
            let told = Arc::new((*change).clone());
            core.tell(GuardEvent::Changed { server: Arc::clone(server), change: told, held });
            if !held {
                edits.push(Pins::put(server, definition));
                return None;
            }
            Some(Held { definition, change: Some(*change), may_ask: on_change == OnChange::Ask })
        }
    }
}

/// What the server's lists say of a name; asks for them where they have to be read.
pub(super) async fn look_up<S>(core: &Core, seat: &Seat, call: &Call, kind: PinKind, inner: &S) -> Result<Lookup, Error>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send,
    S::Future: Send,
{
    let name = call.name().unwrap_or_default();
    let known = || seat.look_up(kind, name, call.lists_version(), core.life);
    let looked = known();
    if !matches!(looked, Lookup::Unknown) {
        return Ok(looked);
    }
    // It is never closed.
    let Ok(_turn) = seat.turn.acquire().await else { return Ok(Lookup::Unlisted) };
    let looked = known();
    if !matches!(looked, Lookup::Unknown) {
        return Ok(looked);
    }
    read_lists(core, seat, call, kind, inner).await?;
    Ok(match known() {
        // It changed while it was read, which the next call finds.
        Lookup::Unknown => Lookup::Unlisted,
        looked => looked,
    })
}

async fn read_lists<S>(core: &Core, seat: &Seat, call: &Call, kind: PinKind, inner: &S) -> Result<(), Error>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send,
    S::Future: Send,
{
    let mut asked = Asked::by(call);
    asked.is_first = true;
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut list = Call::new(listing(kind));
        if let Some(cursor) = &cursor {
            let params = RawJson::from_serialize(&PaginatedRequestParams::new().with_cursor(cursor.as_str()));
            list =
                list.with_params(params.map_err(|error| Error::config(format!("the cursor cannot be json: {error}")))?);
        }
        if let Some(deadline) = call.deadline() {
            list = list.with_total(deadline.saturating_duration_since(tokio::time::Instant::now()));
        }
        let mut service = inner.clone();
        std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
        let reply = match service.call(list).await {
            Ok(reply) => reply,
            // It has none: then nothing is listed.
            Err(error)
                if error.kind() == ErrorKind::Unsupported || error.code() == Some(ErrorCode::METHOD_NOT_FOUND) =>
            {
                seat.note(kind, asked.version, Vec::new(), (true, true));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (_, next) = listed(core, seat, kind, &asked, reply).await?;
        asked.is_first = false;
        match next {
            None => return Ok(()),
            Some(next) if cursor.as_ref() == Some(&next) => break,
            next => cursor = next,
        }
    }
    Err(Error::refused_by_layer(format!(
        "{} of server \"{}\" does not end, so what is pinned cannot be checked; report it to whoever runs the server",
        listing(kind),
        bowline_protocol::excerpt(&seat.settings.server, 100)
    )))
}
