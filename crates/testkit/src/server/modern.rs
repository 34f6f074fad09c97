//! Requests of 2026-07-28: each says of its client what the server has to know.

use bowline_protocol::frame::Request;
use bowline_protocol::method::{self, Method};
use bowline_protocol::{
    ClientCapabilities, Entries, Era, ErrorCode, ErrorObject, Implementation, LoggingLevel, Meta, RawJson, Revision,
    TASKS_EXTENSION,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::dispatch::{Answer, not_found};
use super::session::Session;
use crate::misbehave::Quirk;

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The results that say for how long they may be kept. Specification: server/utilities/caching.
const CACHEABLE: [&str; 8] = [
    method::SERVER_DISCOVER,
    method::TOOLS_LIST,
    method::PROMPTS_LIST,
    method::RESOURCES_LIST,
    method::RESOURCES_TEMPLATES_LIST,
    method::RESOURCES_READ,
    method::SKILLS_LIST,
    method::SKILLS_GET,
];

/// What a request says of its client.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) revision: Revision,
    pub(crate) client: ClientCapabilities,
    /// The least severe log messages that the client wants; none where it wants none.
    pub(crate) level: Option<LoggingLevel>,
}

impl Terms {
    /// Whether the client takes tasks for answers.
    pub(crate) fn has_tasks(&self) -> bool {
        self.client.extensions.as_ref().is_some_and(|extensions| extensions.contains_key(TASKS_EXTENSION))
    }
}

/// How a request is served.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// In the session that a handshake began, or has yet to begin.
    Handshake,
    /// By itself, if it says what it has to.
    Stateless(Result<Box<Terms>, ErrorObject>),
}

/// The `_meta` of a request.
pub(crate) fn meta_of(params: Option<&RawJson>) -> Option<Meta> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Option<Meta>,
    }

    params?.parse::<Params>().ok()?.meta
}

/// Whether a request is one of 2026-07-28 by what it carries.
pub(crate) fn is_stateless(meta: Option<&Meta>) -> bool {
    meta.is_some_and(|meta| meta.get(PROTOCOL_VERSION).is_some() || meta.get(CLIENT_CAPABILITIES).is_some())
}

/// An error that says what the client has to be able to do.
pub(crate) fn missing_capability(capabilities: &Value) -> ErrorObject {
    let names = capabilities.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>().join(", "));
    let text = format!("the client has to declare {} for this", names.unwrap_or_default());
    ErrorObject::new(ErrorCode::MISSING_CLIENT_CAPABILITY, text)
        .with_data(RawJson::from(json!({ "requiredCapabilities": capabilities })))
}

/// What a client lacks that cannot take a task for an answer.
pub(crate) fn missing_tasks() -> ErrorObject {
    missing_capability(&json!({ "extensions": { TASKS_EXTENSION: {} } }))
}

impl Shared {
    /// The revisions that are served, newest first.
    fn supported(&self) -> Vec<Revision> {
        self.config.revisions.iter().rev().copied().collect()
    }

    /// An error that names the revisions that are served.
    pub(crate) fn unsupported_version(&self, requested: &str) -> ErrorObject {
        let supported = self.supported();
        let names: Vec<_> = supported.iter().map(|revision| revision.as_str()).collect();
        let text = format!("Unsupported protocol version {requested}; this server speaks {}", names.join(", "));
        ErrorObject::new(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, text)
            .with_data(RawJson::from(json!({ "supported": supported, "requested": requested })))
    }

    /// Reads what a request says of its client. Specification: basic/index, section on `_meta`.
    pub(crate) fn terms(&self, meta: Option<&Meta>) -> Result<Terms, ErrorObject> {
        let meta = meta.ok_or_else(|| lacks("_meta"))?;
        let version = meta.get(PROTOCOL_VERSION).ok_or_else(|| lacks(PROTOCOL_VERSION))?;
        let version = version.as_str().ok_or_else(|| malformed(PROTOCOL_VERSION, "it is no string"))?;
        let client: ClientCapabilities = read(meta, CLIENT_CAPABILITIES)?.ok_or_else(|| lacks(CLIENT_CAPABILITIES))?;
        read::<Implementation>(meta, CLIENT_INFO)?;
        let level = read::<LoggingLevel>(meta, LOG_LEVEL)?;
        if level.as_ref().is_some_and(|level| level.severity().is_none()) {
            return Err(malformed(LOG_LEVEL, "it is no level"));
        }
        let revision = version.parse().ok().filter(|revision: &Revision| revision.era() == Era::Stateless);
        match revision.filter(|revision| self.config.revisions.contains(revision)) {
            Some(revision) => Ok(Terms { revision, client, level }),
            None => Err(self.unsupported_version(version)),
        }
    }

    /// Why a request is refused whatever it asks for, if it is.
    pub(crate) fn refusal(&self, request: &Request, terms: &Terms) -> Option<ErrorObject> {
        let method = request.method.as_str();
        if self.config.methods.contains_key(method) {
            return None;
        }
        let known = Method::of(method).is_some_and(|method| method.client_may_send(terms.revision));
        if method == method::INITIALIZE {
            let supported = self.supported();
            return Some(not_found(method).with_data(RawJson::from(json!({ "supported": supported }))));
        }
        if !known {
            return Some(not_found(method));
        }
        let declared = self.config.capabilities(&self.catalog(), terms.revision);
        let has = |path: &str| declared.pointer(path).is_some_and(|value| !value.is_null() && *value != json!(false));
        let served = match method.split_once('/') {
            Some(("completion", _)) => has("/completions"),
            Some((area @ ("tools" | "resources" | "prompts"), _)) => has(&format!("/{area}")),
            Some(("subscriptions", _)) => {
                has("/tools/listChanged")
                    || has("/prompts/listChanged")
                    || has("/resources/listChanged")
                    || has("/resources/subscribe")
                    || has("/extensions/io.modelcontextprotocol~1tasks")
            }
            Some(("skills", _)) => has("/extensions/io.modelcontextprotocol~1skills"),
            Some(("tasks", _)) => has("/extensions/io.modelcontextprotocol~1tasks"),
            _ => true,
        };
        if !served {
            return Some(not_found(method));
        }
        let asks_for_tasks = match method {
            method::SUBSCRIPTIONS_LISTEN => request
                .params
                .as_ref()
                .is_some_and(|params| params.to_value().pointer("/notifications/taskIds").is_some()),
            _ => method.starts_with("tasks/"),
        };
        (asks_for_tasks && !terms.has_tasks()).then(missing_tasks)
    }

    /// Completes a result with what every result of 2026-07-28 says.
    pub(crate) fn finish(&self, method: &str, result: &RawJson) -> RawJson {
        // What is no object was made so on purpose.
        let Ok(mut members) = result.parse::<Entries<RawJson>>() else { return result.clone() };
        let mut completed = Entries::new();
        let kind = members.get("resultType").cloned().unwrap_or_else(|| RawJson::from(json!("complete")));
        let is_complete = kind.as_str() == "\"complete\"";
        completed.insert("resultType", kind);
        if let Ok(meta) = self.identified(members.get("_meta")) {
            members.insert("_meta", meta);
        }
        for (name, value) in members.iter() {
            completed.insert(name, value.clone());
        }
        if is_complete && CACHEABLE.contains(&method) {
            let (ttl, scope) = &self.config.cache;
            let odd = self.config.quirk(|quirk| match quirk {
                Quirk::CacheTtl(ttl) => Some(*ttl),
                _ => None,
            });
            let ttl = odd.unwrap_or_else(|| i128::from(*ttl));
            let hints = [("ttlMs", RawJson::from_serialize(&ttl)), ("cacheScope", RawJson::from_serialize(scope))];
            for (name, hint) in hints {
                if let (None, Ok(hint)) = (completed.get(name), hint) {
                    completed.insert(name, hint);
                }
            }
        }
        RawJson::from_serialize(&completed).unwrap_or_else(|_| result.clone())
    }

    /// Says in the `_meta` of a result who gives it.
    fn identified(&self, meta: Option<&RawJson>) -> Result<RawJson, serde_json::Error> {
        let mut meta = meta.map_or_else(|| Ok(Meta::new()), RawJson::parse::<Meta>)?;
        if meta.get(SERVER_INFO).is_none() {
            meta.set_server_info(&self.config.info);
        }
        RawJson::from_serialize(&meta)
    }

    /// The answer to `server/discover`.
    fn discover(&self, terms: &Terms) -> RawJson {
        let mut result = json!({
            "supportedVersions": self.supported(),
            "capabilities": self.config.capabilities(&self.catalog(), terms.revision),
        });
        if let (Some(instructions), Some(members)) = (&self.config.instructions, result.as_object_mut()) {
            members.insert("instructions".to_owned(), json!(instructions));
        }
        RawJson::from(result)
    }
}

impl Session {
    /// How a request is to be served. Specification: basic/versioning, section on backward compatibility.
    pub(crate) fn way(&self, request: &Request, meta: Option<&Meta>) -> Way {
        let config = &self.server.config;
        if !config.speaks(Era::Stateless) {
            return Way::Handshake;
        }
        let modern_only = !config.speaks(Era::Handshake);
        let method = request.method.as_str();
        let asks = matches!(method, method::SERVER_DISCOVER | method::SUBSCRIPTIONS_LISTEN);
        if !(self.alone || modern_only || is_stateless(meta) || (asks && self.agreed().is_none())) {
            return Way::Handshake;
        }
        if method == method::INITIALIZE && !is_stateless(meta) {
            // A client that knows the handshake alone has nothing else to tell its user.
            let requested =
                request.params.as_ref().and_then(|params| params.to_value().get("protocolVersion").cloned());
            let requested = requested.as_ref().and_then(Value::as_str).unwrap_or_default();
            return Way::Stateless(Err(self.server.unsupported_version(requested)));
        }
        let terms = self.server.terms(meta);
        Way::Stateless(terms.and_then(|terms| match self.server.refusal(request, &terms) {
            Some(error) => Err(error),
            None => Ok(Box::new(terms)),
        }))
    }

    /// The answer of a request that needs no handler; `None` where a handler has to give it.
    pub(crate) fn at_once_stateless(&self, request: &Request, terms: &Terms) -> Option<Answer> {
        let answer = match request.method.as_str() {
            method::SERVER_DISCOVER => Ok(self.server.discover(terms)),
            _ => self.list(request, terms.revision)?,
        };
        Some(answer.map(|result| self.server.finish(&request.method, &result)))
    }
}

fn lacks(what: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("the request lacks {what}"))
}

fn malformed(key: &str, why: impl std::fmt::Display) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("{key} in _meta is malformed: {why}"))
}

fn read<T: serde::de::DeserializeOwned>(meta: &Meta, key: &str) -> Result<Option<T>, ErrorObject> {
    let Some(value) = meta.get(key) else { return Ok(None) };
    let object = key != LOG_LEVEL;
    if object && !value.is_object() {
        return Err(malformed(key, "it is no object"));
    }
    T::deserialize(value).map(Some).map_err(|error| malformed(key, error))
}
