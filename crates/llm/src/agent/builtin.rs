//! The agent's own tools: a search, a call of anything that was found, and the reading of artifacts.

use std::sync::Arc;

use bowline_protocol::{RawJson, excerpt};
use serde_json::{Value, json};

use super::Inner;
use crate::ToolSpec;
use crate::artifacts::{Artifacts, Page, gone};
use crate::selection::Catalog;

/// How much of a description a search shows, in bytes.
const SHOWN_OF_DESCRIPTION: usize = 600;
/// How large a schema may be that a search shows, in bytes. Of a larger one the top alone is shown.
const SHOWN_OF_SCHEMA: usize = 6_000;
/// How many tools of one server are listed.
const MOST_LISTED: usize = 100;

/// The agent's own tools, under names that no other tool has.
#[derive(Debug)]
pub(super) struct Builtins {
    pub(super) search: Arc<ToolSpec>,
    pub(super) call: Arc<ToolSpec>,
    pub(super) read: Arc<ToolSpec>,
}

/// Which of the agent's own tools is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    Search,
    Call,
    Read,
}

impl Builtins {
    pub(super) fn of(catalog: &Catalog, found: usize) -> Self {
        let name = |wanted: &str| {
            let mut name = wanted.to_owned();
            while catalog.get(&name).is_some() {
                name.push('_');
            }
            name
        };
        let spec = |wanted: &str, about: String, schema: Value| {
            let schema = RawJson::from_serialize(&schema).unwrap_or(RawJson::EMPTY_OBJECT);
            Arc::new(ToolSpec::new(name(wanted), schema).with_description(about))
        };
        let call = name("call_tool");
        let search = format!(
            "Searches all {} tools; you are shown only some of them. Brings up to {found} tools with what they take; call one \
             that you are not shown with {call}. Search before you say that something cannot be done. Servers: {}",
            catalog.len(),
            catalog.told_servers(),
        );
        Self {
            search: spec(
                "search_tools",
                search,
                json!({"type": "object", "properties": {
                    "query": {"type": "string", "description": "What the tool is to do, in a few words; left out, all tools of the server are listed"},
                    "server": {"type": "string", "description": "Only tools of this server"},
                }}),
            ),
            call: spec(
                "call_tool",
                "Calls any tool by the name that a search brought".to_owned(),
                json!({"type": "object", "properties": {
                    "name": {"type": "string", "description": "The tool"},
                    "arguments": {"type": "object", "description": "Its arguments, as its own schema asks for them"},
                }, "required": ["name", "arguments"]}),
            ),
            read: spec(
                "read_artifact",
                "Reads on in a result that was too long, by the handle that stood at its end".to_owned(),
                json!({"type": "object", "properties": {
                    "handle": {"type": "string", "description": "As it stood at the end of the result"},
                    "offset": {"type": "integer", "minimum": 0, "description": "The byte to begin at; 0 if left out"},
                    "find": {"type": "string", "description": "Shows the lines that hold these words instead"},
                }, "required": ["handle"]}),
            ),
        }
    }

    pub(super) fn of_name(&self, name: &str) -> Option<Builtin> {
        let all = [(&self.search, Builtin::Search), (&self.call, Builtin::Call), (&self.read, Builtin::Read)];
        all.into_iter().find(|(spec, _)| spec.name == name).map(|(_, builtin)| builtin)
    }
}

/// What a search brings.
///
/// # Errors
/// What to tell the model.
pub(super) async fn search(agent: &Inner, catalog: &Catalog, arguments: &Value) -> Result<String, String> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let (query, server) = (text("query"), text("server"));
    if let Some(server) = server.filter(|server| catalog.servers().iter().all(|(name, _)| name != server)) {
        return Err(format!("no server is called {}; there are: {}", excerpt(server, 80), catalog.told_servers()));
    }
    match (query, server) {
        (None, None) => Err("say what the tool is to do, as query, or name a server".to_owned()),
        (None, Some(server)) => Ok(listed(catalog, server)),
        (Some(query), server) => {
            let (ranked, _) = catalog.search(query, server, agent.embedder.as_ref()).await;
            let found: Vec<String> =
                ranked.iter().take(agent.selection.found).filter_map(|at| shown(catalog, *at)).collect();
            if found.is_empty() {
                return Err(format!(
                    "no tool fits; use other words, or list a server's tools. Servers: {}",
                    catalog.told_servers()
                ));
            }
            Ok(found.join("\n\n"))
        }
    }
}

/// The tools of a server, a line each.
fn listed(catalog: &Catalog, server: &str) -> String {
    let all = catalog.of_server(server);
    let lines = all.iter().take(MOST_LISTED).filter_map(|at| {
        let spec = catalog.at(*at)?;
        let about = spec.description.lines().next().unwrap_or_default();
        Some(format!("{}: {}", spec.name, excerpt(about, 120)))
    });
    let mut lines: Vec<String> = lines.collect();
    if all.len() > MOST_LISTED {
        lines.push(format!("and {} more; search for them by words", all.len() - MOST_LISTED));
    }
    lines.join("\n")
}

/// A tool as a search shows it.
fn shown(catalog: &Catalog, at: usize) -> Option<String> {
    let spec = catalog.at(at)?;
    let about = &spec.description;
    let cut = about.get(..about.floor_char_boundary(SHOWN_OF_DESCRIPTION)).unwrap_or_default();
    let mark = if cut.len() < about.len() { "…" } else { "" };
    Some(format!("{}\n{cut}{mark}\narguments: {}", spec.name, schema(&spec.input_schema)))
}

fn schema(schema: &RawJson) -> String {
    if schema.as_str().len() <= SHOWN_OF_SCHEMA {
        return schema.as_str().to_owned();
    }
    let Ok(Value::Object(whole)) = schema.parse() else { return "an object, too large to be shown".to_owned() };
    let properties = whole.get("properties").and_then(Value::as_object);
    let names: Vec<&str> = properties.into_iter().flat_map(|map| map.keys()).take(100).map(String::as_str).collect();
    format!(
        "an object, whose schema is too large to be shown; members: {}; required: {}",
        excerpt(&names.join(", "), 3_000),
        excerpt(&whole.get("required").unwrap_or(&Value::Null).to_string(), 1_000)
    )
}

/// A page of what was kept aside of this conversation.
///
/// # Errors
/// What to tell the model.
pub(super) fn read(artifacts: &Artifacts, own: &[String], arguments: &Value) -> Result<String, String> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let handle = text("handle").ok_or("say which, as handle")?;
    // Other conversations may be kept in the same place.
    if !own.iter().any(|known| known == handle) {
        return Err(gone(handle));
    }
    if let Some(words) = text("find") {
        let Page { text, total, next } = artifacts.find(handle, words)?;
        let more = next.map(|at| format!("(more lines from byte {at} on; use more words)")).unwrap_or_default();
        return Ok(match text.is_empty() {
            true => format!("no line of the {total} bytes holds these words"),
            false => format!("lines of {handle}, each behind the byte where it begins:\n{text}{more}"),
        });
    }
    let offset = arguments.get("offset").and_then(Value::as_u64).unwrap_or_default();
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let Page { text, total, next } = artifacts.page(handle, offset)?;
    let rest = match next {
        Some(next) => format!("[bytes {offset} to {next} of {total}; go on with offset {next}]"),
        None => format!("[to the end at byte {total}]"),
    };
    Ok(format!("{text}\n{rest}"))
}
