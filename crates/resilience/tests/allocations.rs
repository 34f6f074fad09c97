//! What layers cost in allocations, in a program of its own whose allocator counts.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::future::IntoFuture;

use bowline_client::{Call, Client, ClientBuilder, Safety};
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
fn fewest(runtime: &Runtime, client: &Client) -> u64 {
    let arguments: RawJson = r#"{"text":"ahoy"}"#.parse().unwrap();
    let one = || {
        let call = client.call("echo").safety(Safety::ReadOnly).args(&arguments);
        allocation_counter::measure(|| drop(runtime.block_on(call.into_future()).unwrap())).count_total
    };
    (0..200).map(|_| one()).min().unwrap()
}

#[test]
fn the_recommended_layers_add_three_allocations_to_a_call_that_succeeds() {
    let runtime = runtime();
    let server = server("hi".into());
    let connect = |builder: ClientBuilder| runtime.block_on(builder.connect(server.connector())).unwrap();
    let bare = connect(Client::builder());
    let layered = connect(Client::builder().layer(recommended()));
    let (without, with) = (fewest(&runtime, &bare), fewest(&runtime, &layered));
    assert!(without > 0, "the allocator counts");
    // One for the stack, one for the session below it, and one that makes the parameters shared: a second attempt may
    // need them.
    assert!(with <= without + 3, "{without} without layers, {with} with them");
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
