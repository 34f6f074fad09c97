//! What a protected server is to do.

use std::collections::HashMap;

use serde_json::Value;

use super::super::answer::Answer;
use super::super::layout::{ChallengeWith, ResourceMetadataAt};
use super::super::overwrites::Overwrites;

/// What a [`ProtectedServer`](super::ProtectedServer) is to do: at first, and by [`ProtectedServer::change`](super::ProtectedServer::change) from then on.
///
/// By default it wants a token for itself with every request, has its metadata at the well-known place with its path
/// inserted, and says so in its challenges.
#[derive(Debug, Clone)]
pub struct ProtectedSettings {
    pub(super) path: String,
    pub(super) metadata_at: Vec<ResourceMetadataAt>,
    pub(super) metadata: Overwrites,
    pub(super) metadata_answer: Option<Answer>,
    pub(super) challenge: ChallengeWith,
    pub(super) challenge_scope: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) needs: HashMap<String, Vec<String>>,
    pub(super) open: Vec<String>,
    pub(super) is_open: bool,
    pub(super) refuses_all: bool,
    pub(super) demands_nonce: bool,
    pub(super) hosts: bool,
}

impl Default for ProtectedSettings {
    fn default() -> Self {
        Self {
            path: "/mcp".to_owned(),
            metadata_at: vec![ResourceMetadataAt::Inserted],
            metadata: Overwrites::default(),
            metadata_answer: None,
            challenge: ChallengeWith::MetadataUrl,
            challenge_scope: None,
            scopes: Vec::new(),
            needs: HashMap::new(),
            open: Vec::new(),
            is_open: false,
            refuses_all: false,
            demands_nonce: false,
            hosts: false,
        }
    }
}

impl ProtectedSettings {
    /// Sets the path of the server. Default `/mcp`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Sets where its metadata is; nowhere if empty.
    #[must_use]
    pub fn metadata_at(mut self, places: &[ResourceMetadataAt]) -> Self {
        self.metadata_at = places.to_vec();
        self
    }

    /// Writes a member of its metadata over, such as `resource` or `authorization_servers`. `{origin}` stands for its
    /// origin.
    ///
    /// Tokens are then for the resource that is written here, as far as it is a text.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.write(name, value);
        self
    }

    /// Leaves a member of its metadata out.
    #[must_use]
    pub fn without_metadata(mut self, name: &str) -> Self {
        self.metadata.leave_out(name);
        self
    }

    /// Answers this in place of its metadata.
    #[must_use]
    pub fn metadata_answer(mut self, answer: Answer) -> Self {
        self.metadata_answer = Some(answer);
        self
    }

    /// Sets what its challenges say of its metadata.
    #[must_use]
    pub fn challenge(mut self, with: ChallengeWith) -> Self {
        self.challenge = with;
        self
    }

    /// Names these scopes in the challenge of a 401, with spaces between them.
    #[must_use]
    pub fn challenge_scope(mut self, scopes: &str) -> Self {
        self.challenge_scope = Some(scopes.to_owned());
        self
    }

    /// Says these scopes in its metadata (`scopes_supported`).
    #[must_use]
    pub fn scopes_supported(self, scopes: &[&str]) -> Self {
        self.metadata("scopes_supported", scopes.to_vec())
    }

    /// Answers 403 to tokens without these scopes, whatever is asked.
    #[must_use]
    pub fn needs(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    /// Answers 403 to tokens without these scopes where this JSON-RPC method is asked for.
    #[must_use]
    pub fn needs_for(mut self, method: &str, scopes: &[&str]) -> Self {
        self.needs.insert(method.to_owned(), scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self
    }

    /// Wants no token for this JSON-RPC method.
    #[must_use]
    pub fn open_for(mut self, method: &str) -> Self {
        self.open.push(method.to_owned());
        self
    }

    /// Wants no token at all, and has its metadata nonetheless.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// Answers 401 to every token, whether it is good or not.
    #[must_use]
    pub fn refuse_all(mut self, refuses: bool) -> Self {
        self.refuses_all = refuses;
        self
    }

    /// Wants proofs of possession with a nonce that it gives.
    #[must_use]
    pub fn demand_nonce(mut self) -> Self {
        self.demands_nonce = true;
        self
    }

    /// Answers for the authorization server too, at its own origin, as servers of 2025-03-26 do.
    #[must_use]
    pub fn host_authorization(mut self) -> Self {
        self.hosts = true;
        self
    }
}
