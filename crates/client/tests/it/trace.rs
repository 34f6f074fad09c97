//! Which trace a request belongs to (basic/index, `_meta`).

use bowline_client::{Client, ErrorKind};
use bowline_protocol::{Meta, TraceContext};
use bowline_transport::Sent;
use serde_json::json;

use crate::peer::{Answer, modern};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
const OWN: &str = "00-11111111111111111111111111111111-1111111111111111-00";

#[tokio::test]
async fn me_03_each_request_names_its_trace_and_malformed_values_are_left_out() {
    let (connect, asked) = modern(|_| Answer::result(json!({ "resultType": "complete", "content": [] })));
    let provider =
        || TraceContext::new().with_traceparent(PARENT).with_tracestate("a=1").with_baggage("this is no baggage");
    let client = Client::builder().trace_context(provider).connect(connect).await.unwrap();
    client.call("t").await.unwrap();
    client.call("t").meta(Meta::new().with("traceparent", OWN).with("com.example/k", 7)).await.unwrap();
    let sent: Vec<_> = asked.of("tools/call").into_iter().map(|request| request["params"]["_meta"].clone()).collect();
    assert_eq!((&sent[0]["traceparent"], &sent[0]["tracestate"]), (&json!(PARENT), &json!("a=1")));
    assert!(sent[0].get("baggage").is_none());
    assert_eq!((&sent[1]["traceparent"], &sent[1]["com.example/k"]), (&json!(OWN), &json!(7)));
    assert!(sent[1].get("tracestate").is_none(), "traces are not mixed");
    let first = "io.modelcontextprotocol/protocolVersion";
    assert!(sent.iter().all(|meta| meta[first] == "2026-07-28"), "{sent:?}");
}

#[tokio::test]
async fn me_03_a_malformed_trace_of_the_callers_is_not_sent() {
    let (connect, asked) = modern(|_| Answer::result(json!({ "resultType": "complete", "content": [] })));
    let client = Client::builder().connect(connect).await.unwrap();
    let error = client.call("t").meta(Meta::new().with("traceparent", "00-x")).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Config, Sent::No));
    assert_eq!(asked.count("tools/call"), 0);
}
