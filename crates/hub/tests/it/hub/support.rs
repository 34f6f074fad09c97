//! Servers that do as a test wants, and connectors that do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bowline_hub::{Change, Changes, HealthState, Hub, HubBuilder, Member, Restarts};
use bowline_protocol::{CallToolResult, Tool};
use bowline_testkit::{MockServer, MockServerBuilder};
use bowline_transport::{BoxFuture, Connect, Transport, TransportError, TransportErrorKind};
use serde_json::json;

/// A tool without arguments.
pub(super) fn tool(name: &str) -> Tool {
    Tool::new(name, json!({"type": "object"}))
}

/// A server with one tool that says where it is.
pub(super) fn server(tool_name: &str, says: &'static str) -> MockServer {
    with_tool(MockServer::builder(), tool_name, says).build()
}

pub(super) fn with_tool(builder: MockServerBuilder, name: &str, says: &'static str) -> MockServerBuilder {
    builder.tool(tool(name), move |_| async move { Ok(CallToolResult::text(says)) })
}

/// How a way to a server is.
#[derive(Default)]
pub(super) struct Gate {
    /// Refuses connections.
    pub(super) refuses: AtomicBool,
    /// Never answers.
    pub(super) hangs: AtomicBool,
    /// How long a connection lasts, in milliseconds; 0 is for ever.
    pub(super) lasts: AtomicU64,
    /// How often it was tried.
    pub(super) connects: AtomicU64,
}

impl Gate {
    pub(super) fn connects(&self) -> u64 {
        self.connects.load(Ordering::SeqCst)
    }

    pub(super) fn set_refuses(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }
}

/// A way to a server through a gate.
pub(super) struct Gated {
    server: MockServer,
    gate: Arc<Gate>,
    inner: Box<dyn Connect>,
}

impl Gated {
    pub(super) fn new(server: &MockServer) -> (Self, Arc<Gate>) {
        let gate: Arc<Gate> = Arc::default();
        let gated = Self { server: server.clone(), gate: Arc::clone(&gate), inner: Box::new(server.connector()) };
        (gated, gate)
    }
}

impl Connect for Gated {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            self.gate.connects.fetch_add(1, Ordering::SeqCst);
            if self.gate.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.gate.refuses.load(Ordering::SeqCst) {
                return Err(TransportError::new(TransportErrorKind::Connect, "the gate is shut"));
            }
            let transport = self.inner.connect().await?;
            let lasts = self.gate.lasts.load(Ordering::SeqCst);
            if lasts > 0 {
                let server = self.server.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(lasts)).await;
                    server.disconnect();
                });
            }
            Ok(transport)
        })
    }

    fn describe(&self) -> String {
        "a gated server".to_owned()
    }
}

/// A hub of these members.
pub(super) fn hub(members: impl IntoIterator<Item = Member>) -> Hub {
    builder(members).build().unwrap()
}

pub(super) fn builder(members: impl IntoIterator<Item = Member>) -> HubBuilder {
    Hub::builder().members(members)
}

/// A member that is not tried again by itself.
pub(super) fn left_alone(member: Member) -> Member {
    member.restarts(Restarts::default().by_itself(false))
}

/// The names that are given out.
pub(super) async fn names(hub: &Hub) -> Vec<String> {
    hub.tools().await.items.iter().map(|tool| tool.name.to_string()).collect()
}

pub(super) fn known(hub: &Hub) -> Vec<String> {
    hub.tools().known().items.iter().map(|tool| tool.name.to_string()).collect()
}

/// Waits until a member is so.
pub(super) async fn until_health(changes: &mut Changes, member: &str, is: fn(&HealthState) -> bool) -> HealthState {
    loop {
        match changes.next().await.unwrap() {
            Change::Health { member: whose, state } if &*whose == member && is(&state) => return state,
            _ => {}
        }
    }
}

/// Waits for news of a member's tools.
pub(super) async fn until_tools(changes: &mut Changes, member: &str) {
    loop {
        if matches!(changes.next().await.unwrap(), Change::Tools { member: whose } if &*whose == member) {
            return;
        }
    }
}
