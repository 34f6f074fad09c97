//! What was asked, without what nobody may see.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::answer::Endpoint;

/// What stands for a secret in a log.
const HIDDEN: &str = "\u{2026}";

/// Parameters that are no secrets.
const SHOWN: [&str; 19] = [
    "actor_token_type",
    "application_type",
    "audience",
    "client_assertion_type",
    "client_id",
    "client_name",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "grant_type",
    "grant_types",
    "redirect_uri",
    "redirect_uris",
    "requested_token_type",
    "resource",
    "response_type",
    "scope",
    "subject_token_type",
    "token_endpoint_auth_method",
];

/// One request, as far as it may be shown: secrets are `…`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// Where.
    pub endpoint: Endpoint,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The parameters of the query or of the body. `state`, codes, tokens, assertions and secrets are `…`.
    pub params: BTreeMap<String, String>,
    /// The scheme of the `Authorization` header, such as `Basic`, `Bearer` or `DPoP`; empty where there was none.
    pub scheme: String,
    /// The `MCP-Protocol-Version` header; empty where there was none.
    pub protocol_version: String,
    /// The JSON-RPC method, at the protected server.
    pub rpc_method: String,
    /// The status of the answer; 0 where there was none.
    pub status: u16,
    /// The `error` of the answer; empty where all was well.
    pub error: String,
}

impl Asked {
    pub(super) fn new(endpoint: Endpoint, request: &crate::http::HttpRequest) -> Self {
        let path = request.path.split('?').next().unwrap_or_default();
        let scheme = request.header("authorization").split(' ').next().unwrap_or_default();
        Self {
            endpoint,
            method: request.method.to_string(),
            path: path.to_owned(),
            params: BTreeMap::new(),
            scheme: scheme.to_owned(),
            protocol_version: request.header("mcp-protocol-version").to_owned(),
            rpc_method: String::new(),
            status: 0,
            error: String::new(),
        }
    }

    pub(super) fn with_params<'a>(mut self, params: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        for (name, value) in params {
            let value = if SHOWN.contains(&name) || value.is_empty() { value } else { HIDDEN };
            self.params.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    pub(super) fn with_json(mut self, body: &Value) -> Self {
        for (name, value) in body.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self = self.with_params([(name.as_str(), text.as_str())]);
        }
        self
    }

    /// A parameter; empty where it lacks.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether the parameter was there, also where it was empty or is hidden.
    pub fn has(&self, name: &str) -> bool {
        self.params.contains_key(name)
    }
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthCounts {
    /// Requests for metadata of the authorization server, those that found none included.
    pub metadata: u64,
    /// Clients that were registered.
    pub registrations: u64,
    /// Codes that were given out.
    pub codes: u64,
    /// Token requests, whatever came of them.
    pub token_requests: u64,
    /// Token answers with a token in them.
    pub tokens: u64,
    /// Refreshes that gave a token.
    pub refreshes: u64,
    /// Refreshes that were refused.
    pub refused_refreshes: u64,
    /// Refresh tokens and codes that were used once more than once. All tokens that came of them are void.
    pub reuses: u64,
    /// Tokens that were revoked by a client.
    pub revocations: u64,
}

/// The requests of a server, in their order.
pub(super) struct Log {
    asked: Mutex<Vec<Asked>>,
    count: watch::Sender<usize>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { asked: Mutex::default(), count: watch::Sender::new(0) }
    }

    pub(super) fn push(&self, asked: Asked) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        self.count.send_modify(|count| *count += 1);
    }

    pub(super) fn all(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn wait_for(&self, wanted: impl Fn(&Asked) -> bool) -> Asked {
        let mut count = self.count.subscribe();
        loop {
            if let Some(asked) = self.all().into_iter().find(|asked| wanted(asked)) {
                return asked;
            }
            // The sender lives as long as the log.
            let _ = count.changed().await;
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("count", &*self.count.borrow()).finish_non_exhaustive()
    }
}
