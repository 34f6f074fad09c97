//! A server in memory whose answers a closure makes, and what it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bowline_transport::MemoryConnect;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::mpsc;

/// What the server was asked, over all connections: whole requests.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<Value>>>);

impl Asked {
    /// The requests of a method.
    pub(crate) fn of(&self, method: &str) -> Vec<Value> {
        self.0.lock().unwrap().iter().filter(|request| request["method"] == method).cloned().collect()
    }

    pub(crate) fn count(&self, method: &str) -> usize {
        self.of(method).len()
    }

    /// The cursors with which a list was asked for.
    pub(crate) fn cursors(&self, method: &str) -> Vec<Value> {
        self.of(method).into_iter().map(|request| request["params"]["cursor"].clone()).collect()
    }
}

/// What is written to one request.
#[derive(Default)]
pub(crate) struct Answer {
    /// Lines that come first.
    before: Vec<Value>,
    /// `result` or `error`, and what it is; neither ends the connection.
    body: Option<(&'static str, Value)>,
}

impl Answer {
    pub(crate) fn result(result: Value) -> Self {
        Self { before: Vec::new(), body: Some(("result", result)) }
    }

    pub(crate) fn error(code: i64) -> Self {
        Self { before: Vec::new(), body: Some(("error", json!({ "code": code, "message": "no" }))) }
    }

    /// The end of the connection.
    pub(crate) fn end() -> Self {
        Self::default()
    }

    /// Sends notifications first.
    pub(crate) fn after(mut self, method: &str, times: usize) -> Self {
        self.before = vec![json!({ "jsonrpc": "2.0", "method": method }); times];
        self
    }
}

/// A server of 2026-07-28 that declares everything, and answers with what `answer` makes of a request.
pub(crate) fn modern(
    answer: impl Fn(&Value) -> Answer + Send + Sync + 'static,
) -> (MemoryConnect<impl Fn(DuplexStream) + Send + Sync + 'static>, Asked) {
    serve(move |request| match request["method"].as_str() {
        Some("server/discover") => discovered(),
        _ => answer(request),
    })
}

fn discovered() -> Answer {
    Answer::result(json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": everything(),
        "ttlMs": 3_600_000, "cacheScope": "public",
    }))
}

/// As [`modern`], where each answer to `method` waits for the test to let it go. Answers are by their number.
pub(crate) fn gated(
    method: &'static str,
    answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
) -> (MemoryConnect<impl Fn(DuplexStream) + Send + Sync + 'static>, Asked, mpsc::Sender<()>) {
    let (gate, opened) = mpsc::channel(64);
    let count = AtomicUsize::new(0);
    let (connect, asked) = serve_gated(
        move |request| match request["method"].as_str() {
            Some("server/discover") => discovered(),
            _ => answer(count.fetch_add(1, Ordering::SeqCst)),
        },
        Some((method, opened)),
    );
    (connect, asked, gate)
}

/// A server of 2025-11-25 that declares everything.
pub(crate) fn older(
    answer: impl Fn(&Value) -> Answer + Send + Sync + 'static,
) -> (MemoryConnect<impl Fn(DuplexStream) + Send + Sync + 'static>, Asked) {
    serve(move |request| match request["method"].as_str() {
        Some("server/discover") => Answer::error(-32601),
        Some("initialize") => Answer::result(json!({
            "protocolVersion": "2025-11-25", "capabilities": everything(), "serverInfo": { "name": "s", "version": "1" },
        })),
        _ => answer(request),
    })
}

fn everything() -> Value {
    json!({
        "tools": { "listChanged": true }, "prompts": { "listChanged": true },
        "resources": { "listChanged": true, "subscribe": true },
    })
}

fn serve(
    answer: impl Fn(&Value) -> Answer + Send + Sync + 'static,
) -> (MemoryConnect<impl Fn(DuplexStream) + Send + Sync + 'static>, Asked) {
    serve_gated(answer, None)
}

fn serve_gated(
    answer: impl Fn(&Value) -> Answer + Send + Sync + 'static,
    gate: Option<(&'static str, mpsc::Receiver<()>)>,
) -> (MemoryConnect<impl Fn(DuplexStream) + Send + Sync + 'static>, Asked) {
    let (asked, answer) = (Asked::default(), Arc::new(answer));
    let gate = Arc::new(tokio::sync::Mutex::new(gate));
    let connect = MemoryConnect::new({
        let asked = asked.clone();
        move |pipe| {
            let (asked, answer, gate) = (asked.clone(), Arc::clone(&answer), Arc::clone(&gate));
            tokio::spawn(async move {
                let (read, mut write) = tokio::io::split(pipe);
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let request: Value = serde_json::from_str(&line).unwrap();
                    if request.get("id").is_none() {
                        continue;
                    }
                    asked.0.lock().unwrap().push(request.clone());
                    if let Some((method, opened)) = &mut *gate.lock().await
                        && request["method"] == *method
                        && opened.recv().await.is_none()
                    {
                        return;
                    }
                    let Answer { before, body } = answer(&request);
                    let Some((member, value)) = body else { return };
                    let body = json!({ "jsonrpc": "2.0", "id": request["id"], member: value });
                    for line in before.into_iter().chain([body]) {
                        if write.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    (connect, asked)
}

/// A page of tools.
pub(crate) fn tools(names: &[&str], next: Option<&str>) -> Value {
    let tools: Vec<_> = names.iter().map(|name| json!({ "name": name, "inputSchema": { "type": "object" } })).collect();
    let mut page = json!({ "resultType": "complete", "tools": tools });
    if let Some(next) = next {
        page["nextCursor"] = json!(next);
    }
    page
}

/// A result with hints.
pub(crate) fn hinted(mut result: Value, ttl_ms: Value, scope: &str) -> Value {
    result["ttlMs"] = ttl_ms;
    result["cacheScope"] = json!(scope);
    result
}
