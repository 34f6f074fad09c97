//! What layers cost in allocations, in a program of its own whose allocator counts.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::future::IntoFuture;

use bowline_client::{Call, Client, ClientBuilder, Error, Safety};
use bowline_protocol::{CallToolResult, RawJson, Tool};
use bowline_resilience::{CacheLayer, recommended};
use bowline_testkit::MockServer;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn server(text: String) -> MockServer {
    MockServer::builder()
        .tool(Tool::new("echo", json!({"type": "object"})), move |_| {
            let result = CallToolResult::text(text.clone());
            async move { Ok(result) }
        })
        .build()
}

/// The fewest allocations that a call took: growing buffers and timers come now and then.
fn fewest<C: IntoFuture<Output = Result<CallToolResult, Error>>>(runtime: &Runtime, call: impl Fn() -> C) -> u64 {
    let one = || allocation_counter::measure(|| drop(runtime.block_on(call().into_future()).unwrap())).count_total;
    (0..200).map(|_| one()).min().unwrap()
}

#[test]
fn the_recommended_layers_add_two_allocations_to_a_call_that_succeeds() {
    let runtime = runtime();
    let server = server("hi".into());
    let connect = |builder: ClientBuilder| runtime.block_on(builder.connect(server.connector())).unwrap();
    let bare = connect(Client::builder());
    let layered = connect(Client::builder().layer(recommended()));
    let one_by_one =
        |client: &Client| fewest(&runtime, || client.call("echo").safety(Safety::ReadOnly).arg("text", "ahoy"));
    assert!(one_by_one(&bare) > 0, "the allocator counts");
    // One for the stack, and one for the session below it.
    assert_eq!(one_by_one(&layered) - one_by_one(&bare), 2);
    let arguments: RawJson = r#"{"text":"ahoy"}"#.parse().unwrap();
    let whole = |client: &Client| fewest(&runtime, || client.call("echo").safety(Safety::ReadOnly).args(&arguments));
    assert_eq!(whole(&layered) - whole(&bare), 2);
}

#[test]
fn what_a_kept_answer_allocates_does_not_grow_with_it() {
    let runtime = runtime();
    let bytes = |size: usize| {
        let server = server("x".repeat(size));
        let cache = CacheLayer::default();
        let builder = Client::builder().layer(cache.clone());
        let client = runtime.block_on(builder.connect(server.connector())).unwrap();
        let mut service = client.service();
        let params = || RawJson::from(json!({"name": "echo"}));
        let call = || {
            let call = Call::new("tools/call").with_params(params());
            call.with_safety(Safety::ReadOnly)
        };
        let mut ask = || runtime.block_on(service.call(call())).unwrap();
        drop(ask());
        let least = (0..50).map(|_| allocation_counter::measure(|| drop(ask())).bytes_total).min().unwrap();
        assert_eq!(cache.stats().hits, 50);
        least
    };
    let (small, large) = (bytes(100), bytes(1_000_000));
    assert!(small > 0 && large <= small + 256, "{small} and {large} bytes");
}
