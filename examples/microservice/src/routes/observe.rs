//! What those see who run the service: health, figures, requests.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bowline::hub::HealthState;
use serde_json::{Map, Value, json};
use tracing::Instrument as _;

use super::Service;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Ready while it takes calls and any server may answer: one that is down does not take the others out of service.
pub(super) async fn ready(State(service): State<Service>) -> Response {
    let members = service.hub().status();
    let is_down = |state: &HealthState| matches!(state, HealthState::Waiting { .. } | HealthState::Failed { .. });
    let is_ready = !service.is_draining() && members.iter().any(|member| !is_down(&member.state));
    let states: Map<_, _> =
        members.iter().map(|member| (member.name.to_string(), Value::from(member.state.to_string()))).collect();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": is_ready, "draining": service.is_draining(), "servers": states }))).into_response()
}

/// The hub's statistics, for a scraper.
pub(super) async fn metrics(State(service): State<Service>) -> Response {
    let text = service.hub().stats().prometheus().to_string();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Names each request, in the log and in its answer: as the caller did, or by a number.
pub(super) async fn request_id(request: Request, next: Next) -> Response {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let given = request.headers().get(REQUEST_ID).filter(|id| is_sane(id)).cloned();
    let id = given.unwrap_or_else(|| HeaderValue::from(NEXT.fetch_add(1, Ordering::Relaxed)));
    let span = tracing::info_span!("request", ?id, method = %request.method(), path = request.uri().path());
    let mut response = async {
        let response = next.run(request).await;
        tracing::info!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// What a caller sends goes into logs: short, and of letters, digits and `-` alone.
fn is_sane(id: &HeaderValue) -> bool {
    (1..=64).contains(&id.len()) && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}
