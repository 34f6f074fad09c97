//! Spans by the conventions of OpenTelemetry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bowline_client::{Client, Error};
use bowline_protocol::{CallToolResult, Tool};
use bowline_resilience::{TraceLayer, recommended};
use bowline_testkit::MockServer;
use bowline_transport::{BoxFuture, Connect, Network, Transport, TransportError, WrapConnect};
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::script::{Script, Step, tool};

type Fields = BTreeMap<String, String>;

/// Keeps the fields of spans named `mcp.client`.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeMap<u64, Fields>>>);

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "mcp.client" {
            let mut spans = self.0.lock().unwrap();
            attributes.record(&mut Into(spans.entry(id.into_u64()).or_default()));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(fields) = self.0.lock().unwrap().get_mut(&id.into_u64()) {
            values.record(&mut Into(fields));
        }
    }
}

impl Spans {
    fn only(&self) -> Fields {
        let mut spans = self.0.lock().unwrap();
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.pop_first().unwrap().1
    }
}

#[tokio::test]
async fn a_span_says_what_was_called_and_how_it_went_and_nothing_that_is_secret() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let schema = json!({"type": "object"});
    let server = MockServer::builder()
        .tool(Tool::new("fails", schema.clone()), |_| async { Ok(CallToolResult::error("hush")) })
        .tool(Tool::new("works", schema), |_| async { Ok(CallToolResult::text("hush")) })
        .build();
    let client = Client::builder().layer(recommended()).connect(server.connector()).await.unwrap();
    client.call("works").arg("key", "hush").await.unwrap();
    let span = spans.only();
    for (field, value) in [
        ("otel.name", "tools/call works"),
        ("otel.kind", "client"),
        ("mcp.method.name", "tools/call"),
        ("gen_ai.tool.name", "works"),
        ("gen_ai.operation.name", "execute_tool"),
        ("bowline.attempts", "1"),
        ("mcp.protocol.version", client.server().revision.as_str()),
    ] {
        assert_eq!(span.get(field).map(String::as_str), Some(value), "{field} of {span:?}");
    }
    let id: i64 = span["jsonrpc.request.id"].parse().unwrap();
    assert!(!span.contains_key("network.transport"), "a server in memory has none: {span:?}");
    assert!(!span.contains_key("error.type") && !format!("{span:?}").contains("hush"), "{span:?}");
    client.call("fails").await.unwrap();
    let span = spans.only();
    assert_eq!((&*span["error.type"], &*span["otel.status_code"]), ("tool_error", "ERROR"));
    assert!(span["jsonrpc.request.id"].parse::<i64>().unwrap() > id, "each request has its own");
    client.call("absent").await.unwrap_err();
    let span = spans.only();
    assert_eq!((&*span["error.type"], &*span["rpc.response.status_code"]), ("-32602", "-32602"));
}

/// A way to a server that knows what it leads over, and gives sessions ids.
struct Over<C>(C);

impl<C: Connect> WrapConnect for Over<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.0
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async { Ok(Box::new(InSession(self.0.connect().await?)) as Box<dyn Transport>) })
    }

    fn network(&self) -> Option<Network> {
        Some(Network::new("tcp").with_protocol("http").with_server("mcp.example", Some(443)))
    }
}

struct InSession(Box<dyn Transport>);

impl bowline_transport::WrapTransport for InSession {
    type Inner = dyn Transport;

    fn inner(&self) -> &dyn Transport {
        &*self.0
    }

    fn session_id(&self) -> Option<Arc<str>> {
        Some("s-1".into())
    }
}

#[tokio::test]
async fn a_span_says_over_what_and_in_which_session_where_that_is_wanted() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let server = MockServer::builder().build();
    for (trace, session) in [(TraceLayer::new(), None), (TraceLayer::new().with_session_ids(), Some("s-1"))] {
        let builder = Client::builder().layer(recommended().with_trace(trace));
        let client = builder.connect(Over(server.connector())).await.unwrap();
        client.ping().await.unwrap();
        let span = spans.only();
        for (field, value) in [
            ("mcp.method.name", Some("ping")),
            ("network.transport", Some("tcp")),
            ("network.protocol.name", Some("http")),
            ("server.address", Some("mcp.example")),
            ("server.port", Some("443")),
            ("mcp.session.id", session),
        ] {
            assert_eq!(span.get(field).map(String::as_str), value, "{field} of {span:?}");
        }
        client.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_fails_on_this_side_has_a_name_that_stays() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let script = Script::of([Step::Fail(Error::breaker_open("x", None))]);
    TraceLayer::new().layer(script).call(tool("a")).await.unwrap_err();
    assert_eq!(spans.only()["error.type"], "breaker_open");
}
