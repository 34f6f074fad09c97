//! Answers from elsewhere.

use bowline_client::{Client, ErrorKind, Reply, Safety};
use bowline_protocol::{CallToolResult, RawJson, Tool};
use bowline_resilience::FallbackLayer;
use bowline_testkit::MockServer;
use bowline_transport::Sent;
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

use crate::script::{Script, Step, lost, tool};

fn text(reply: &Reply) -> String {
    reply.decode::<CallToolResult>().unwrap().joined_text()
}

#[tokio::test]
async fn another_server_answers_unless_the_call_might_be_carried_out_twice() {
    let other = MockServer::builder()
        .tool(Tool::new("a", json!({"type": "object"})), |_| async { Ok(CallToolResult::text("from elsewhere")) })
        .build();
    let other_client = Client::builder().connect(other.connector()).await.unwrap();
    let layer = FallbackLayer::elsewhere(other_client.service());
    let script = Script::of([lost(Sent::No), lost(Sent::Maybe), lost(Sent::Maybe)].map(Step::Fail));
    let mut service = layer.layer(script);
    assert_eq!(text(&service.call(tool("a")).await.unwrap()), "from elsewhere");
    assert_eq!(text(&service.call(tool("a").with_safety(Safety::Idempotent)).await.unwrap()), "from elsewhere");
    assert_eq!(service.call(tool("a")).await.unwrap_err().sent(), Sent::Maybe);
    assert_eq!(text(&service.call(tool("a")).await.unwrap()), "done");
    assert_eq!((layer.stats().outages, layer.stats().answered), (3, 2));
    assert_eq!(other.journal().methods().iter().filter(|method| *method == "tools/call").count(), 2);
}

#[tokio::test]
async fn the_last_good_answer_stands_in_for_what_only_reads() {
    let layer = FallbackLayer::last_good(1 << 20).unwrap();
    let script = Script::of([Step::Answer, Step::Fail(lost(Sent::Maybe)), Step::Fail(lost(Sent::Maybe))]);
    let mut service = layer.layer(script);
    let read = tool("a").with_safety(Safety::ReadOnly);
    service.call(read.clone()).await.unwrap();
    assert_eq!(text(&service.call(read).await.unwrap()), "done");
    assert_eq!(service.call(tool("a")).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn the_caller_makes_an_answer_or_leaves_the_error_and_what_the_server_says_stands() {
    let layer = FallbackLayer::answer(|call, error| {
        assert_eq!(error.kind(), ErrorKind::Closed);
        let answer = CallToolResult::text(format!("no {}", call.name()?));
        (call.name() == Some("a")).then(|| Reply::new(RawJson::from_serialize(&answer).unwrap()))
    });
    let script = Script::of([Step::Fail(lost(Sent::No)), Step::Fail(lost(Sent::No))]);
    let mut service = layer.layer(script);
    assert_eq!(text(&service.call(tool("a")).await.unwrap()), "no a");
    service.call(tool("b")).await.unwrap_err();
    let server = MockServer::builder().build();
    let client = Client::builder().allow_undeclared(true).layer(layer).connect(server.connector()).await.unwrap();
    assert_eq!(client.call("a").await.unwrap_err().kind(), ErrorKind::Server);
}

#[test]
fn room_for_nothing_is_refused_with_the_reason() {
    assert!(FallbackLayer::last_good(0).unwrap_err().to_string().contains("max_bytes is 0"));
}
