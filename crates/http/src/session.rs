//! What the handshake settled, as the headers that say so.

use std::borrow::Cow;

use bowline_protocol::{Payload, Revision};
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use crate::client::{HttpResponse, Target};
use crate::endpoint::Endpoint;
use crate::header::{PROTOCOL_VERSION, SESSION_ID};

/// How long a session id may be, in bytes.
const MAX_ID: usize = 4096;

/// The session of a 2025 revision, or the time before it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Where the endpoint is, as far as redirects within its origin told.
    pub(crate) target: Target,
    /// Headers of a POST.
    pub(crate) post: HeaderMap,
    has_id: bool,
}

impl Session {
    /// Before the handshake, and in revisions without one.
    pub(crate) fn fresh(endpoint: &Endpoint) -> Self {
        let mut post = endpoint.headers().clone();
        post.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        post.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        post.remove(SESSION_ID);
        post.remove(PROTOCOL_VERSION);
        let target = endpoint.http().target(endpoint.url().clone());
        let mut post = Cow::Owned(post);
        endpoint.http().write_headers(&mut post, &target);
        // A copy has no more room than it needs.
        Self { target, post: HeaderMap::clone(&post), has_id: false }
    }

    /// Headers of a GET, made when one is due: there are few.
    pub(crate) fn get(&self) -> HeaderMap {
        let mut get = self.post.clone();
        get.remove(CONTENT_TYPE);
        get.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        get.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        get
    }

    /// Whether the server gave a session id.
    pub(crate) const fn has_id(&self) -> bool {
        self.has_id
    }

    /// The id that the server gave.
    pub(crate) fn id(&self) -> Option<&str> {
        self.post.get(SESSION_ID)?.to_str().ok()
    }

    /// The same session at another address of its server.
    pub(crate) fn at(&self, target: Target) -> Self {
        Self { target, ..self.clone() }
    }

    /// Takes the session id of the answer to `initialize`.
    ///
    /// Specification: 2025-11-25, basic/transports, session management.
    pub(crate) fn take_id(&mut self, response: &HttpResponse) -> Result<(), TransportError> {
        let Some(id) = response.headers().get(SESSION_ID) else { return Ok(()) };
        let bytes = id.as_bytes().trim_ascii();
        // Servers without sessions send the header all the same, with nothing in it.
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.len() > MAX_ID || !bytes.iter().all(|byte| matches!(byte, 0x21..=0x7e)) {
            let message = format!(
                "{} gave a session id that is too long or has characters other than visible ASCII",
                response.shown()
            );
            return Err(TransportError::new(TransportErrorKind::Protocol, message).with_sent(Sent::Yes));
        }
        // A copy of its own: the one of the answer keeps the buffer that the answer was read into.
        let Ok(mut id) = HeaderValue::from_bytes(bytes) else { return Ok(()) };
        id.set_sensitive(true);
        self.post.insert(SESSION_ID, id);
        self.has_id = true;
        Ok(())
    }

    /// Takes the revision from the result of `initialize`.
    pub(crate) fn take_version(&mut self, result: &Payload) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Agreed {
            protocol_version: String,
        }
        // What is odd about a result is the session's to say.
        let Ok(result) = result.clone().into_raw() else { return };
        let Ok(agreed) = result.parse::<Agreed>() else { return };
        // The header came with 2025-06-18; without it servers assume the revision before that.
        if agreed.protocol_version.parse().is_ok_and(|revision: Revision| revision < Revision::V2025_06_18) {
            return;
        }
        if let Ok(version) = HeaderValue::try_from(agreed.protocol_version) {
            self.post.insert(PROTOCOL_VERSION, version);
        }
    }
}
