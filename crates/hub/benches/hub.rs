//! What a hub costs: listing a thousand servers from cold, a call through it against a direct one, a reload with one
//! change.

#![expect(clippy::unwrap_used, reason = "benchmarks may panic")]

use bowline_client::Client;
use bowline_hub::{Hub, Member};
use bowline_protocol::{CallToolResult, Tool};
use bowline_testkit::MockServer;
use divan::{AllocProfiler, Bencher};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// How many servers a large configuration has.
const SERVERS: usize = 1000;
/// How many tools each has.
const TOOLS: usize = 20;

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A server with so many tools that answer at once.
fn server(tools: usize) -> MockServer {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    let tool = |n: usize| Tool::new(format!("tool_{n}"), schema.clone()).with_description("Does one thing, and well");
    let all = (0..tools)
        .fold(MockServer::builder(), |builder, n| builder.tool(tool(n), |_| async { Ok(CallToolResult::text("hi")) }));
    all.journal_lines(1).build()
}

fn member(n: usize, server: &MockServer, version: u64) -> Member {
    Member::new(format!("server{n:04}"), server.connector()).fingerprint((n, version))
}

/// All servers connected and listed, with nothing known of them before.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn list_1000_servers_from_cold(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    bencher
        .with_inputs(|| {
            let servers: Vec<_> = (0..SERVERS).map(|_| server(TOOLS)).collect();
            let members = servers.iter().enumerate().map(|(n, server)| member(n, server, 0));
            (Hub::builder().members(members).build().unwrap(), servers)
        })
        .bench_local_values(|(hub, servers)| {
            let listing = runtime.block_on(async { hub.tools().await });
            assert_eq!((listing.items.len(), listing.failures.len()), (SERVERS * TOOLS, 0));
            (hub, servers)
        });
}

/// The same once more, when all is known.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn list_1000_servers_once_more(bencher: Bencher<'_, '_>) {
    let (runtime, hub) = large();
    bencher.bench_local(|| runtime.block_on(async { hub.tools().await }));
}

/// A hub of all servers, listed.
fn large() -> (Runtime, Hub) {
    let runtime = runtime();
    let members = (0..SERVERS).map(|n| member(n, &server(TOOLS), 0));
    let hub = Hub::builder().members(members).build().unwrap();
    let listing = runtime.block_on(async { hub.tools().await });
    assert_eq!(listing.items.len(), SERVERS * TOOLS);
    (runtime, hub)
}

#[divan::bench]
fn call_direct(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let server = server(TOOLS);
    let client = runtime.block_on(Client::builder().connect(server.connector())).unwrap();
    bencher.bench_local(|| runtime.block_on(async { client.call("tool_7").arg("text", "hi").await }).unwrap());
}

/// One of a thousand servers, by the name that is given out.
#[divan::bench]
fn call_through_the_hub(bencher: Bencher<'_, '_>) {
    let (runtime, hub) = large();
    bencher.bench_local(|| runtime.block_on(async { hub.call("server0500__tool_7").arg("text", "hi").await }).unwrap());
}

/// A thousand members, of which one is another.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn reload_1000_with_one_change(bencher: Bencher<'_, '_>) {
    let (runtime, hub) = large();
    let server = server(TOOLS);
    let mut version = 0;
    bencher
        .with_inputs(|| {
            version += 1;
            (0..SERVERS).map(|n| member(n, &server, if n == 500 { version } else { 0 })).collect::<Vec<_>>()
        })
        .bench_local_values(|members| {
            let _runtime = runtime.enter();
            let reloaded = hub.reload(members).unwrap();
            assert_eq!((reloaded.replaced.len(), reloaded.unchanged), (1, SERVERS - 1));
        });
}
