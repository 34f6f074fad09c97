//! What a call costs at the client's side, against a server in this process that answers with prepared bytes.
//!
//! `cargo bench -p bowline-tests` prints times and allocations. Compare ratios within one run only.

#[path = "../page.rs"]
mod page;

use std::sync::Arc;

use bowline::Client;
use bowline_protocol::frame::{Incoming, Message, decode};
use bowline_transport::MemoryConnect;
use bytes::Bytes;
use divan::Bencher;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

const INITIALIZED: &str =
    r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}"#;

fn main() {
    divan::main();
}

/// Answers `initialize`, and everything else with `result`.
async fn serve(pipe: DuplexStream, result: Arc<str>) {
    let (read, mut write) = tokio::io::split(pipe);
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(Incoming::Message(Message::Request(request))) = decode(&Bytes::from(line)) else { continue };
        let result = if request.method == "initialize" { INITIALIZED } else { &result };
        let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{result}}}\n", request.id);
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn client(result: String) -> (Runtime, Client) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let result: Arc<str> = result.into();
    let connector = MemoryConnect::new(move |pipe| {
        tokio::spawn(serve(pipe, Arc::clone(&result)));
    });
    let client = runtime.block_on(Client::builder().connect(connector)).expect("a client");
    (runtime, client)
}

fn text(text: &str) -> String {
    serde_json::json!({ "content": [{ "type": "text", "text": text }] }).to_string()
}

#[divan::bench]
fn small_call(bencher: Bencher<'_, '_>) {
    let (runtime, client) = client(text("hi"));
    bencher.bench_local(|| runtime.block_on(async { client.call("echo").arg("text", "hi").await }).expect("a result"));
}

#[divan::bench]
fn small_calls_64_at_once(bencher: Bencher<'_, '_>) {
    let (runtime, client) = client(text("hi"));
    bencher.counter(64_u32).bench_local(|| {
        runtime.block_on(async {
            let calls = (0..64).map(|_| async { client.call("echo").arg("text", "hi").await });
            futures_util::future::try_join_all(calls).await.expect("results")
        })
    });
}

#[divan::bench(sample_count = 20)]
fn text_of_10_mib(bencher: Bencher<'_, '_>) {
    let line = "a line of some \"quoted\" text\n";
    let (runtime, client) = client(text(&line.repeat((10 << 20) / line.len())));
    bencher.bench_local(|| runtime.block_on(async { client.call("blob").await }).expect("a result"));
}

#[divan::bench(sample_count = 50)]
fn list_of_1000_tools(bencher: Bencher<'_, '_>) {
    let (runtime, client) = client(page::of_tools(1000).to_string());
    bencher.bench_local(|| runtime.block_on(async { client.tools().all().await }).expect("tools"));
}
