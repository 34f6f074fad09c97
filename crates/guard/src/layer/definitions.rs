//! Lists that pass: held against the pins, with what is held back taken out.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bowline_client::{Call, Error, ErrorKind, ListsVersion, Reply};
use bowline_protocol::{
    ErrorCode, ListPromptsResult, ListResourceTemplatesResult, ListToolsResult, PaginatedRequestParams, RawJson,
    ToolAnnotations, excerpt, method,
};
use tower_service::Service;

use super::lists::{Held, Item, Lookup, Seat};
use super::meeting;
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::pins::{Definition, Edit, Judged as Standing, PinKind, Pins};
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
        // They come with the handshake.
        PinKind::Instructions => method::INITIALIZE,
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
        PinKind::Instructions => return Err(Error::refused_by_layer("instructions are in no list")),
    })
}

/// A page that things can be taken out of.
trait Without: Send {
    /// The page without these names, and without what stands at these places, as JSON.
    fn without(&mut self, names: &[String], places: &HashSet<usize>) -> Result<RawJson, serde_json::Error>;
}

macro_rules! without {
    ($($page:ident.$items:ident by $name:ident;)+) => {$(
        impl Without for $page {
            fn without(&mut self, names: &[String], places: &HashSet<usize>) -> Result<RawJson, serde_json::Error> {
                let names: HashSet<&str> = names.iter().map(String::as_str).collect();
                let mut place = 0;
                self.$items.retain(|item| {
                    place += 1;
                    !places.contains(&(place - 1)) && !names.contains(item.$name.as_str())
                });
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

/// What a page says, once it was held against the pins.
pub(super) struct Judged {
    /// The page, without what is held back.
    pub(super) reply: Reply,
    /// What is on it.
    pub(super) items: Vec<(String, Arc<Item>)>,
    /// Where the list goes on.
    pub(super) next: Option<String>,
}

/// Takes note of a page that came for a caller, and gives what of it may go on.
pub(super) async fn listed(
    core: &Core,
    seat: &Seat,
    kind: PinKind,
    asked: &Asked,
    reply: Reply,
) -> Result<Reply, Error> {
    let Judged { reply, items, next } = judged(core, seat, kind, asked, reply).await?;
    seat.note(kind, asked.version, items, (asked.is_first, next.is_none()));
    Ok(reply)
}

/// Holds a page against the pins, and pins what is new.
async fn judged(core: &Core, seat: &Seat, kind: PinKind, asked: &Asked, reply: Reply) -> Result<Judged, Error> {
    let (mut page, mut whole) = read(kind, &reply)?;
    let repeated = take_repeated(core, seat, kind, &mut page);
    let mut held_back = Vec::new();
    let mut items = Vec::with_capacity(page.definitions.len());
    let mut edits = Vec::new();
    let mut first_use = 0;
    if let Some(pins) = seat.pins(core) {
        // Asked once for all pages.
        let is_first = seat.is_first_use(kind, || !pins.table().knows_kind(&seat.settings.key, kind));
        edits.extend(meeting::renamed(core, seat, pins, asked));
        if kind == PinKind::Tool {
            tell_alike(core, seat, pins, &page);
        }
        for (definition, annotations) in page.definitions {
            let name = definition.name().to_owned();
            let hash = Some(definition.hash().to_owned());
            let held = judge(core, seat, pins, definition, is_first, &mut edits, &mut first_use);
            if held.is_some() {
                held_back.push(name.clone());
            }
            items.push((name, Arc::new(Item { hash, annotations, held })));
        }
        if page.next.is_none() {
            edits.extend(seat.ends_first_use(pins, kind));
        }
        meeting::keep(core, pins, edits).await;
        if first_use > 0 {
            core.tell(&GuardEvent::FirstUse { server: Arc::clone(&seat.settings.server), kind, count: first_use });
        }
    } else {
        let unpinned = page.definitions.into_iter().map(|(definition, annotations)| {
            let hash = Some(definition.hash().to_owned());
            (definition.name().to_owned(), Arc::new(Item { hash, annotations, held: None }))
        });
        items.extend(unpinned);
    }
    let next = page.next;
    if held_back.is_empty() && repeated.is_empty() {
        return Ok(Judged { reply, items, next });
    }
    let rest = whole.without(&held_back, &repeated);
    let rest = rest.map_err(|error| Error::refused_by_layer(format!("the list cannot be written again: {error}")))?;
    Ok(Judged { reply: reply.with_payload(rest), items, next })
}

/// Tells of new tools whose names look like those of other servers' tools.
fn tell_alike(core: &Core, seat: &Seat, pins: &Pins, page: &Page) {
    const MOST: usize = 20;
    let alike = {
        let table = pins.table();
        let names = page.definitions.iter().map(|(definition, _)| definition.name());
        let is_new = |name: &&str| table.pinned(&seat.settings.key, PinKind::Tool, name).is_none();
        table.alike(&seat.settings.key, names.filter(is_new), MOST)
    };
    for (tool, to) in alike {
        core.tell(&GuardEvent::Alike { server: Arc::clone(&seat.settings.server), tool: tool.to_owned(), to });
    }
}

/// Takes out what has the name of something before it on the page: one name cannot be pinned, nor called, as two things.
/// Gives their places.
fn take_repeated(core: &Core, seat: &Seat, kind: PinKind, page: &mut Page) -> HashSet<usize> {
    let mut seen = HashSet::with_capacity(page.definitions.len());
    let places = page.definitions.iter().enumerate();
    let repeated: HashSet<usize> =
        places.filter(|(_, (definition, _))| !seen.insert(definition.name())).map(|(place, _)| place).collect();
    if repeated.is_empty() {
        return repeated;
    }
    let names: BTreeSet<&str> =
        repeated.iter().filter_map(|place| Some(page.definitions.get(*place)?.0.name())).collect();
    for name in names {
        let (server, name) = (Arc::clone(&seat.settings.server), name.to_owned());
        core.tell(&GuardEvent::Repeated { server, kind, name });
    }
    let mut place = 0;
    page.definitions.retain(|_| {
        place += 1;
        !repeated.contains(&(place - 1))
    });
    repeated
}

/// How a list was asked for.
pub(super) struct Asked {
    pub(super) version: Option<ListsVersion>,
    pub(super) is_first: bool,
    pub(super) name: Option<String>,
    pub(super) server_version: Option<String>,
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

/// What becomes of a definition: held back or not, and what has to be pinned.
fn judge(
    core: &Core,
    seat: &Seat,
    pins: &Pins,
    definition: Definition,
    is_first: bool,
    edits: &mut Vec<Edit>,
    first_use: &mut usize,
) -> Option<Held> {
    let (server, key) = (&seat.settings.server, &seat.settings.key);
    let (kind, name) = (definition.kind(), definition.name().to_owned());
    let (judged, others, has_room) = {
        let table = pins.table();
        let judged = table.judge(key, &definition);
        // The first edit may be about the server itself.
        let pins = edits.len() - usize::from(matches!(edits.first(), Some(Edit::Server { .. })));
        let has_room = table.has_room_for(key, pins + 1);
        let is_new_tool = kind == PinKind::Tool && judged == Standing::New;
        let others = if is_new_tool { table.others_with(key, kind, &name) } else { Vec::new() };
        (judged, others, has_room)
    };
    if !others.is_empty() {
        core.tell(&GuardEvent::Shadowed { server: Arc::clone(server), tool: name.clone(), by: others });
    }
    match judged {
        Standing::Same => None,
        Standing::New if is_first && has_room => {
            *first_use += 1;
            edits.push(Pins::first(key, definition));
            None
        }
        Standing::New => {
            let on_new = core.policy.as_ref().map(Policy::on_new).unwrap_or_default();
            // What cannot be pinned could change unseen.
            let held = on_new != OnNew::Pin || !has_room;
            core.tell(&GuardEvent::New { server: Arc::clone(server), kind, name, held });
            if !held {
                edits.push(Pins::first(key, definition));
                return None;
            }
            Some(Held { definition, change: None, may_ask: on_new == OnNew::Ask })
        }
        Standing::Changed(change) => {
            core.counts.changed.add(1);
            let on_change = core.policy.as_ref().map(Policy::on_change).unwrap_or_default();
            let held = on_change != OnChange::Note;
            let told = Arc::new((*change).clone());
            core.tell(&GuardEvent::Changed { server: Arc::clone(server), change: told, held });
            if !held {
                edits.push(Pins::put(key, definition));
                return None;
            }
            Some(Held { definition, change: Some(*change), may_ask: on_change == OnChange::Ask })
        }
    }
}

/// What the server's lists say of a name; asks for them where they have to be read. None where it is not listed.
pub(super) async fn look_up<S>(
    core: &Core,
    seat: &Seat,
    call: &Call,
    kind: PinKind,
    inner: &S,
) -> Result<Option<Arc<Item>>, Error>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send,
    S::Future: Send,
{
    let name = call.name().unwrap_or_default();
    let known = || match seat.look_up(kind, name, call.lists_version(), core.life) {
        // What is there at a first use is pinned whole, also where somebody stopped listing in the middle.
        _ if seat.is_in_first_use(kind) => Lookup::Unknown,
        looked => looked,
    };
    match known() {
        Lookup::Listed(item) => return Ok(Some(item)),
        Lookup::Unlisted => return Ok(None),
        Lookup::Unknown => {}
    }
    // It is never closed, and where it were nothing would go.
    let _turn = seat.turn.acquire().await.map_err(|_| Error::refused_by_layer("the guard has ended; connect again"))?;
    match known() {
        Lookup::Listed(item) => Ok(Some(item)),
        Lookup::Unlisted => Ok(None),
        Lookup::Unknown => read_anew(core, seat, call, kind, inner).await,
    }
}

/// Reads the lists of a kind to their end, whatever is known, and gives what they say of the call's name. What is decided
/// is decided by the pages that were read here, whoever lists meanwhile.
pub(super) async fn read_anew<S>(
    core: &Core,
    seat: &Seat,
    call: &Call,
    kind: PinKind,
    inner: &S,
) -> Result<Option<Arc<Item>>, Error>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send,
    S::Future: Send,
{
    let name = call.name().unwrap_or_default();
    let mut asked = Asked::by(call);
    let mut all = Vec::new();
    let mut found = None;
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
        asked.is_first = cursor.is_none();
        let next = match service.call(list).await {
            Ok(reply) => {
                let Judged { items, next, .. } = judged(core, seat, kind, &asked, reply).await?;
                found = items.iter().find(|(its, _)| its == name).map(|(_, item)| Arc::clone(item)).or(found);
                all.extend(items);
                next
            }
            // It has none: then nothing is listed.
            Err(error)
                if error.kind() == ErrorKind::Unsupported || error.code() == Some(ErrorCode::METHOD_NOT_FOUND) =>
            {
                if let Some(pins) = seat.pins(core) {
                    meeting::keep(core, pins, seat.ends_first_use(pins, kind).into_iter().collect()).await;
                }
                None
            }
            Err(error) => return Err(error),
        };
        match next {
            None => {
                seat.note(kind, asked.version, all, (true, true));
                return Ok(found);
            }
            Some(next) if cursor.as_ref() == Some(&next) => break,
            next => cursor = next,
        }
    }
    Err(Error::refused_by_layer(format!(
        "{} of server \"{}\" does not end, so what is pinned cannot be checked; report it to whoever runs the server",
        listing(kind),
        excerpt(&seat.settings.server, 100)
    )))
}
