//! Failures as a caller over HTTP sees them.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bowline::{Error, ErrorKind};
use serde_json::{Value, json};

/// A request without a result.
pub(crate) struct Failure {
    status: StatusCode,
    kind: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), retry_after: None }
    }

    pub(crate) fn busy() -> Self {
        let message = "too many calls are open; try again later";
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "error": { "kind": self.kind, "message": self.message } })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::UnknownName => StatusCode::NOT_FOUND,
            ErrorKind::Denied | ErrorKind::DefinitionChanged => StatusCode::FORBIDDEN,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            _ if error.status() == Some(429) => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::BreakerOpen | ErrorKind::Closed | ErrorKind::Connect | ErrorKind::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            // The fault is behind this service, and none of its caller.
            _ => StatusCode::BAD_GATEWAY,
        };
        // A server whose next attempt has no time yet is worth asking again soon.
        let soon = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(1));
        let retry_after = error.retry_after().or(soon);
        Self { retry_after, ..Self::new(status, error.kind().name(), error.to_string()) }
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), "bad_request", rejection.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.to_json())).into_response();
        if let Some(after) = self.retry_after {
            // Whole seconds, and never fewer than it takes.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
