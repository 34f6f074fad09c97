//! A server of a few lines: what it answers is a closure of the test's.

#![expect(clippy::needless_pass_by_value, reason = "values are written down where they are used")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bowline_client::{Client, ClientBuilder};
use bowline_protocol::Revision;
use bowline_transport::MemoryConnect;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::watch;
use tokio::time::Instant;

/// What a server received, and when.
#[derive(Clone)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<(Instant, Value)>>>,
    changed: watch::Sender<()>,
}

impl Log {
    fn push(&self, line: Value) {
        self.lines.lock().unwrap().push((Instant::now(), line));
        self.changed.send_replace(());
    }

    /// All that came of a method.
    pub(crate) fn of(&self, method: &str) -> Vec<Value> {
        self.timed(method).into_iter().map(|(_, line)| line).collect()
    }

    pub(crate) fn timed(&self, method: &str) -> Vec<(Instant, Value)> {
        self.lines.lock().unwrap().iter().filter(|(_, line)| line["method"] == method).cloned().collect()
    }

    pub(crate) fn count(&self, method: &str) -> usize {
        self.of(method).len()
    }

    /// The answer to a request of the server.
    pub(crate) async fn answer_to(&self, id: &str) -> Value {
        let found = || {
            let lines = self.lines.lock().unwrap();
            lines.iter().map(|(_, line)| line).find(|line| line["id"] == id && line.get("method").is_none()).cloned()
        };
        self.until(found).await
    }

    /// Waits until so many of a method have come.
    pub(crate) async fn wait_for(&self, method: &str, count: usize) -> Vec<Value> {
        self.until(|| Some(self.of(method)).filter(|lines| lines.len() >= count)).await
    }

    async fn until<T>(&self, found: impl Fn() -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = found() {
                return found;
            }
            changed.changed().await.unwrap();
        }
    }
}

/// Answers a request.
pub(crate) fn ok(request: &Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": request["id"], "result": result})
}

/// Refuses a request.
pub(crate) fn refuse(request: &Value, code: i64, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}})
}

/// A notification of progress.
pub(crate) fn progress(token: &Value, progress: u32) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/progress",
        "params": {"progressToken": token, "progress": progress}})
}

/// The result of a tool.
pub(crate) fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

/// Everything of tasks that a server of 2025-11-25 may declare.
pub(crate) fn session_capabilities() -> Value {
    json!({"tools": {}, "prompts": {}, "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}})
}

/// The same of 2026-07-28.
pub(crate) fn extension_capabilities() -> Value {
    json!({"tools": {}, "prompts": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}})
}

/// A server that answers each message with what `serve` says.
pub(crate) struct Peer<S> {
    pub(crate) revision: Revision,
    pub(crate) capabilities: Value,
    pub(crate) serve: S,
}

/// A server of 2025-11-25 with tasks.
pub(crate) fn session<S: FnMut(&Value) -> Vec<Value> + Send + 'static>(serve: S) -> Peer<S> {
    Peer { revision: Revision::V2025_11_25, capabilities: session_capabilities(), serve }
}

/// A server of 2026-07-28 with tasks.
pub(crate) fn extension<S: FnMut(&Value) -> Vec<Value> + Send + 'static>(serve: S) -> Peer<S> {
    Peer { revision: Revision::V2026_07_28, capabilities: extension_capabilities(), serve }
}

impl<S: FnMut(&Value) -> Vec<Value> + Send + 'static> Peer<S> {
    pub(crate) fn declaring(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    pub(crate) async fn connect(self) -> (Client, Log) {
        self.connect_with(Client::builder()).await
    }

    pub(crate) async fn connect_with(self, builder: ClientBuilder) -> (Client, Log) {
        let log = Log { lines: Arc::default(), changed: watch::Sender::new(()) };
        let Self { revision, capabilities, serve } = self;
        let mut state = Some((serve, capabilities, log.clone()));
        let state = Mutex::new(state.take());
        let connector = MemoryConnect::new(move |pipe| {
            let (serve, capabilities, log) = state.lock().unwrap().take().unwrap();
            tokio::spawn(run(pipe, revision, capabilities, log, serve));
        });
        (builder.revision(revision).connect(connector).await.unwrap(), log)
    }
}

async fn run(
    pipe: DuplexStream,
    revision: Revision,
    capabilities: Value,
    log: Log,
    mut serve: impl FnMut(&Value) -> Vec<Value>,
) {
    let (read, mut write) = tokio::io::split(pipe);
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        log.push(message.clone());
        let answers = match message["method"].as_str().unwrap_or_default() {
            "initialize" => vec![ok(
                &message,
                json!({"protocolVersion": revision.as_str(), "capabilities": capabilities,
                    "serverInfo": {"name": "peer", "version": "1"}}),
            )],
            "server/discover" => vec![ok(
                &message,
                json!({"resultType": "complete", "supportedVersions": [revision.as_str()],
                    "capabilities": capabilities, "ttlMs": 0, "cacheScope": "private"}),
            )],
            _ => serve(&message),
        };
        for answer in answers {
            write.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
        }
    }
}

/// States that a server goes through, one a look; it stays at the last.
pub(crate) struct States(VecDeque<Value>);

impl States {
    pub(crate) fn new(states: impl IntoIterator<Item = Value>) -> Self {
        Self(states.into_iter().collect())
    }

    pub(crate) fn next(&mut self) -> Value {
        let state = self.0.front().unwrap().clone();
        if self.0.len() > 1 {
            self.0.pop_front();
        }
        state
    }
}

/// A task `t1` with a status and further members.
pub(crate) fn task(status: &str, members: Value) -> Value {
    let mut task = json!({"taskId": "t1", "status": status, "createdAt": "2026-01-01T00:00:00Z",
        "lastUpdatedAt": "2026-01-01T00:00:00Z"});
    task.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    task
}

/// A server of 2026-07-28 whose tools become tasks that go through states.
pub(crate) fn stepping(states: impl IntoIterator<Item = Value>) -> impl FnMut(&Value) -> Vec<Value> + Send + 'static {
    let mut states = States::new(states);
    move |message| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            let mut created = task("working", json!({"pollIntervalMs": 50, "ttlMs": 60_000}));
            created["resultType"] = "task".into();
            vec![ok(message, created)]
        }
        "tasks/get" => vec![ok(message, states.next())],
        "tasks/update" | "tasks/cancel" => vec![ok(message, json!({"resultType": "complete"}))],
        _ => Vec::new(),
    }
}

/// A server of 2025-11-25 whose tool `slow` becomes a task that goes through states and has a result.
pub(crate) fn stepping_session(
    states: impl IntoIterator<Item = Value>,
    result: Value,
) -> impl FnMut(&Value) -> Vec<Value> + Send + 'static {
    let mut states = States::new(states);
    move |message| match message["method"].as_str().unwrap_or_default() {
        "tools/list" => vec![ok(message, tools("optional"))],
        "tools/call" => vec![ok(message, json!({"task": task("working", json!({"ttl": null, "pollInterval": 50}))}))],
        "tasks/get" => vec![ok(message, states.next())],
        "tasks/result" => match result.get("code") {
            Some(code) => vec![refuse(message, code.as_i64().unwrap(), result["message"].as_str().unwrap())],
            None => vec![ok(message, result.clone())],
        },
        "tasks/cancel" => vec![ok(message, task("cancelled", json!({})))],
        _ => Vec::new(),
    }
}

/// A list with the tool `slow`, and one that is no task.
pub(crate) fn tools(support: &str) -> Value {
    json!({"tools": [
        {"name": "plain", "inputSchema": {"type": "object"}},
        {"name": "slow", "inputSchema": {"type": "object"}, "execution": {"taskSupport": support}},
    ]})
}
