//! Replicas that answer, fall ill, die, and come back as a test wants.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Client, ClientBuilder, Reconnect, Timeouts};
use bowline_hub::{Pool, PoolEvent, PoolSettings, Replica};
use bowline_protocol::{CallToolResult, ErrorCode, ErrorObject, Revision, Tool};
use bowline_testkit::{MockServer, ToolCall};
use bowline_transport::{BoxFuture, Connect, Transport, TransportError, TransportErrorKind};
use serde_json::json;

/// How a replica is, for its connector and its tools.
#[derive(Default)]
pub(super) struct Ward {
    /// Refuses connections.
    pub(super) is_dead: AtomicBool,
    /// Takes connections and answers none.
    pub(super) is_black_hole: AtomicBool,
    /// Answers no call of a tool.
    pub(super) is_ill: AtomicBool,
    /// How often it was connected to, or tried to.
    pub(super) connects: AtomicU64,
    /// How often each number was worked on.
    pub(super) done: Mutex<HashMap<u64, u32>>,
}

/// One replica.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) server: MockServer,
    pub(super) ward: Arc<Ward>,
}

impl Host {
    /// Speaks revisions with sessions.
    pub(super) fn new(name: &'static str) -> Self {
        Self::speaking(name, [Revision::V2025_11_25])
    }

    /// Speaks 2026-07-28.
    pub(super) fn stateless(name: &'static str) -> Self {
        Self::speaking(name, [Revision::V2026_07_28])
    }

    fn speaking(name: &'static str, revisions: [Revision; 1]) -> Self {
        let ward: Arc<Ward> = Arc::default();
        let schema = || json!({"type": "object"});
        let work = {
            let ward = Arc::clone(&ward);
            move |call: ToolCall| {
                let ward = Arc::clone(&ward);
                async move {
                    let (n, millis): (u64, u64) = (call.argument("n")?, call.argument("millis")?);
                    if ward.is_ill.load(Ordering::SeqCst) {
                        std::future::pending::<()>().await;
                    }
                    *ward.done.lock().unwrap().entry(n).or_default() += 1;
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    Ok(CallToolResult::text(name))
                }
            }
        };
        let server = MockServer::builder()
            .revisions(revisions)
            .tool(Tool::new("work", schema()), work)
            .tool(Tool::new("fails", schema()), |_| async { Ok(CallToolResult::error("no luck")) })
            .tool(Tool::new("refuses", schema()), |_| async {
                Err::<CallToolResult, _>(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "broken inside"))
            })
            .build();
        Self { name, server, ward }
    }

    /// The replica, as a pool takes it.
    pub(super) fn replica(&self) -> Replica {
        let inner = Box::new(self.server.connector());
        Replica::new(self.name, Door { inner, ward: Arc::clone(&self.ward) }).with_builder(builder)
    }

    /// Ends its connections and takes no others.
    pub(super) fn die(&self) {
        self.ward.is_dead.store(true, Ordering::SeqCst);
        self.server.disconnect();
    }

    pub(super) fn live(&self) {
        self.ward.is_dead.store(false, Ordering::SeqCst);
    }

    pub(super) fn set_ill(&self, is_ill: bool) {
        self.ward.is_ill.store(is_ill, Ordering::SeqCst);
    }

    pub(super) fn connects(&self) -> u64 {
        self.ward.connects.load(Ordering::SeqCst)
    }

    /// How many calls it worked on.
    pub(super) fn calls(&self) -> u64 {
        self.ward.done.lock().unwrap().values().map(|count| u64::from(*count)).sum()
    }
}

/// Short limits; and a wish to reconnect, which a pool has to look past.
fn builder() -> ClientBuilder {
    let timeouts = Timeouts::default().with_idle(Duration::from_secs(1)).with_connect(Duration::from_secs(10));
    Client::builder().timeouts(timeouts).reconnect(Reconnect::default())
}

/// The way to a replica.
struct Door {
    inner: Box<dyn Connect>,
    ward: Arc<Ward>,
}

impl Connect for Door {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        self.ward.connects.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            if self.ward.is_dead.load(Ordering::SeqCst) {
                return Err(TransportError::new(TransportErrorKind::Connect, "the replica refuses; start it"));
            }
            if self.ward.is_black_hole.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            self.inner.connect().await
        })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn server_lives_on(&self) -> bool {
        true
    }
}

/// A pool of these replicas, with draws that are the same each time.
pub(super) fn pool(hosts: &[Host], settings: PoolSettings) -> Pool {
    Pool::new("server \"fleet\"", hosts.iter().map(Host::replica), settings.with_seed(7)).unwrap()
}

/// The names of what a pool tells, in order.
pub(super) fn heard(pool: &Pool) -> Arc<Mutex<Vec<String>>> {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ear = Arc::clone(&heard);
    pool.on_event(move |event| {
        let line = match event {
            PoolEvent::Connected { replica, .. } => format!("{replica} connected"),
            PoolEvent::Health { replica, state } => format!("{replica} {}", state.name()),
            PoolEvent::Ejected { replica, time } => format!("{replica} ejected for {time:?}"),
            PoolEvent::Returned { replica } => format!("{replica} returned"),
            other => format!("{other:?}"),
        };
        ear.lock().unwrap().push(line);
    });
    heard
}

/// Lets what is ready run, without a step of the clock.
pub(super) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
