//! The routes.

mod observe;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use bowline::hub::Hub;
use bowline::resilience::{CallEvent, events};
use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};

use crate::admission::{AT_ONCE, Admission};
use crate::answer::Failure;

/// What a body may hold; arguments of tools are small.
const BODY_BYTES: usize = 256 * 1024;
/// How long a call may take in all, with progress or without.
const CALL: Duration = Duration::from_secs(30);

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Service {
    hub: Hub,
    admission: Admission,
    is_draining: Arc<AtomicBool>,
}

impl Service {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, admission: Admission::new(AT_ONCE), is_draining: Arc::default() }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// From now on the service is not ready: whoever balances load sends no more here.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}

/// All routes, with what is around them.
pub(crate) fn router(service: Service) -> Router {
    Router::new()
        .route("/tools", get(list))
        .route("/tools/{name}", post(call))
        .route("/tools/{name}/stream", post(stream))
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(observe::ready))
        .route("/metrics", get(observe::metrics))
        .fallback(|| async {
            Failure::new(StatusCode::NOT_FOUND, "no_route", "there is no such route; see the README")
        })
        .method_not_allowed_fallback(|| async {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "no_method", "the route has another method; see the README")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(observe::request_id))
        .with_state(service)
}

/// The tools of all servers that answer, and why the others did not.
async fn list(State(service): State<Service>) -> Result<Json<Value>, Failure> {
    let _place = service.admission.enter()?;
    let listing = service.hub.tools().await;
    let tools: Vec<_> = listing.items.iter().map(|offered| offered.to_tool()).collect();
    let failures: Vec<_> = listing.failures.iter().map(ToString::to_string).collect();
    Ok(Json(json!({ "tools": tools, "failures": failures })))
}

type Arguments = Result<Json<Map<String, Value>>, JsonRejection>;

/// Calls a tool. A result that says `isError` is a result: the tool ran.
async fn call(
    State(service): State<Service>,
    Path(name): Path<String>,
    arguments: Arguments,
) -> Result<Response, Failure> {
    let Json(arguments) = arguments?;
    let _place = service.admission.enter()?;
    // Where the caller goes away this is dropped, which cancels the call at its server.
    let result = service.hub.call(&name).args(arguments).max_time(CALL).await?;
    Ok(Json(result).into_response())
}

/// Calls a tool, and tells of its progress: events `progress`, and then one `result` or `error`.
async fn stream(
    State(service): State<Service>,
    Path(name): Path<String>,
    arguments: Arguments,
) -> Result<Response, Failure> {
    let Json(arguments) = arguments?;
    let place = service.admission.enter()?;
    let call = events(service.hub.call(&name).args(arguments).max_time(CALL));
    let told = call.filter_map(move |event| {
        // The place is taken until the stream has ended, not until it began.
        let _ = &place;
        let event = match event {
            CallEvent::Progress(progress) => Some(told("progress", &json!(progress))),
            CallEvent::Done(Ok(result)) => Some(told("result", &json!(result))),
            CallEvent::Done(Err(error)) => Some(told("error", &Failure::from(error).to_json())),
            _ => None,
        };
        async move { event.map(Ok::<_, Infallible>) }
    });
    Ok(Sse::new(told).keep_alive(KeepAlive::default()).into_response())
}

fn told(name: &str, data: &Value) -> Event {
    // Text of JSON has no line breaks, so it is one line of data.
    Event::default().event(name).data(data.to_string())
}
