//! What layers cost a call: over a service that answers at once, and over a server in memory.

#![expect(clippy::unwrap_used, reason = "benchmarks may panic")]

use std::future::{IntoFuture, Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::{Call, Client, ClientBuilder, Error, Reply, Safety};
use bowline_protocol::{CallToolResult, RawJson, Tool};
use bowline_resilience::{BreakerLayer, CacheLayer, recommended};
use bowline_testkit::MockServer;
use divan::{AllocProfiler, Bencher};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tower_layer::Layer;
use tower_service::Service;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Answers at once.
#[derive(Clone)]
struct AtOnce;

impl Service<Call> for AtOnce {
    type Response = Reply;
    type Error = Error;
    type Future = Ready<Result<Reply, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Call) -> Self::Future {
        ready(Ok(Reply::new(RawJson::EMPTY_OBJECT)))
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn call() -> Call {
    Call::new("tools/call").with_name("echo").with_total(Duration::from_secs(60))
}

fn bench_service<S: Service<Call>>(bencher: Bencher<'_, '_>, mut service: S) {
    let runtime = runtime();
    let call = call();
    bencher.bench_local(|| runtime.block_on(async { service.call(call.clone()).await.is_ok() }));
}

#[divan::bench]
fn service_without_layers(bencher: Bencher<'_, '_>) {
    bench_service(bencher, AtOnce);
}

#[divan::bench]
fn service_with_recommended_layers(bencher: Bencher<'_, '_>) {
    bench_service(bencher, recommended().layer(AtOnce));
}

#[divan::bench]
fn service_behind_an_open_breaker(bencher: Bencher<'_, '_>) {
    let breaker = BreakerLayer::default();
    breaker.open();
    bench_service(bencher, breaker.layer(AtOnce));
}

/// Answers with so many bytes.
#[derive(Clone)]
struct AnswerOf(RawJson);

impl Service<Call> for AnswerOf {
    type Response = Reply;
    type Error = Error;
    type Future = Ready<Result<Reply, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Call) -> Self::Future {
        ready(Ok(Reply::new(self.0.clone())))
    }
}

#[divan::bench(args = [100, 1_000_000])]
fn service_with_a_kept_answer(bencher: Bencher<'_, '_>, bytes: usize) {
    let cache = CacheLayer::default();
    let mut service = cache.layer(AnswerOf(RawJson::from(json!({ "text": "x".repeat(bytes) }))));
    let runtime = runtime();
    let call = call().with_params(RawJson::from(json!({ "name": "echo" }))).with_safety(Safety::ReadOnly);
    // The first one is asked for.
    assert!(runtime.block_on(async { service.call(call.clone()).await.is_ok() }));
    bencher.bench_local(|| runtime.block_on(async { service.call(call.clone()).await.is_ok() }));
    assert_eq!(cache.stats().misses, 1);
}

fn bench_client(bencher: Bencher<'_, '_>, builder: ClientBuilder) {
    let runtime = runtime();
    let server = MockServer::builder()
        .tool(Tool::new("echo", json!({"type": "object"})), |_| async { Ok(CallToolResult::text("hi")) })
        .build();
    let client = runtime.block_on(builder.connect(server.connector())).unwrap();
    bencher.bench_local(|| runtime.block_on(client.call("echo").arg("text", "ahoy").into_future()).unwrap());
}

#[divan::bench]
fn client_without_layers(bencher: Bencher<'_, '_>) {
    bench_client(bencher, Client::builder());
}

#[divan::bench]
fn client_with_recommended_layers(bencher: Bencher<'_, '_>) {
    bench_client(bencher, Client::builder().layer(recommended()));
}
