//! Why a request is refused.

use serde_json::json;

use crate::http::Reply;

/// An error of OAuth, with its status.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) error: &'static str,
    pub(super) description: String,
    /// The nonce that the next proof is to have.
    pub(super) nonce: Option<String>,
}

impl Refusal {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { status: 400, error, description: description.into(), nonce: None }
    }

    pub(super) const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn nonce(mut self, nonce: String) -> Self {
        self.nonce = Some(nonce);
        self
    }

    pub(super) fn reply(self) -> Reply {
        let reply = Reply::json(json!({ "error": self.error, "error_description": self.description }));
        let reply = reply.code(self.status).with("cache-control", "no-store");
        match self.nonce {
            Some(nonce) => reply.with("dpop-nonce", nonce),
            None => reply,
        }
    }
}
