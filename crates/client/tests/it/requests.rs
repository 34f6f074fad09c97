//! What leaves the client, and what does not.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Client, ErrorKind, RequestContext};
use bowline_protocol::{
    CallToolResult, CreateMessageRequestParams, CreateMessageResult, Meta, SamplingMessage, TextContent, Tool,
};
use bowline_testkit::{MockServer, ToolCall};
use bowline_transport::Sent;
use serde_json::json;

fn server() -> MockServer {
    let schema = json!({"type": "object"});
    MockServer::builder()
        .tool(Tool::new("echo", schema.clone()), |_| async { Ok(CallToolResult::text("hi")) })
        .tool(Tool::new("ask", schema), |call: ToolCall| async move {
            let mut params = CreateMessageRequestParams::new([SamplingMessage::user("?")]).with_max_tokens(9);
            let mut meta = Meta::new();
            meta.set_progress_token(&"asked".into());
            params.meta = Some(meta);
            call.sample(params).await?;
            Ok(CallToolResult::text("answered"))
        })
        .build()
}

#[tokio::test]
async fn j_01_parameters_of_a_notification_are_an_object_or_nothing() {
    let server = server();
    let client = Client::builder().connect(server.connector()).await.unwrap();
    for refused in [json!(5), json!([1]), json!("x")] {
        let error = client.notify("notifications/x", refused).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Config, Sent::No));
    }
    client.notify("notifications/nothing", ()).await.unwrap();
    client.notify("notifications/null", json!(null)).await.unwrap();
    client.notify("notifications/object", json!({"a": 1})).await.unwrap();
    server.journal().wait_for_method("notifications/object").await;
    let sent: Vec<_> = server.received().iter().map(|r| r.to_value()).filter(|v| v.get("id").is_none()).collect();
    assert!(sent.contains(&json!({"jsonrpc": "2.0", "method": "notifications/nothing"})), "{sent:?}");
    assert!(sent.contains(&json!({"jsonrpc": "2.0", "method": "notifications/null"})));
    assert!(sent.contains(&json!({"jsonrpc": "2.0", "method": "notifications/object", "params": {"a": 1}})));
}

#[tokio::test]
async fn p_01_a_token_of_the_callers_never_meets_one_of_the_clients() {
    let server = server();
    let client = Client::builder().connect(server.connector()).await.unwrap();
    let error = client.call("echo").progress_token(7).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Config, Sent::No));
    assert!(client.call("echo").progress_token("seven").await.is_ok());
    assert!(client.call("echo").progress_token(-7).await.is_ok());
}

#[tokio::test]
async fn a_request_may_be_moved_into_a_task_of_its_own() {
    let client = Client::builder().connect(server().connector()).await.unwrap();
    let calls: Vec<_> = (0..8).map(|n| tokio::spawn(client.call("echo").arg("n", n).into_future())).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().joined_text(), "hi");
    }
}

#[tokio::test]
async fn limits_without_end_are_limits() {
    let timeouts = bowline_client::Timeouts::default()
        .with_connect(Duration::MAX)
        .with_idle(Duration::MAX)
        .with_total(Duration::MAX);
    let client = Client::builder().timeouts(timeouts).connect(server().connector()).await.unwrap();
    assert!(client.call("echo").await.is_ok());
}

#[tokio::test]
async fn p_05_a_context_that_outlives_its_request_reports_nothing() {
    let kept: Arc<Mutex<Option<RequestContext>>> = Arc::default();
    let server = server();
    let client = Client::builder()
        .on_sampling({
            let kept = Arc::clone(&kept);
            move |_: CreateMessageRequestParams, context: RequestContext| {
                *kept.lock().unwrap() = Some(context.clone());
                async move {
                    context.report_progress(1.0, Some(f64::NAN)).await;
                    context.report_progress(f64::INFINITY, None).await;
                    Ok(CreateMessageResult::new("m", TextContent::new("a")))
                }
            }
        })
        .connect(server.connector())
        .await
        .unwrap();
    assert_eq!(client.call("ask").await.unwrap().joined_text(), "answered");
    let context = kept.lock().unwrap().take().unwrap();
    context.report_progress(2.0, None).await;
    client.ping().await.unwrap();
    let reports: Vec<_> =
        server.received().iter().filter(|r| r.method() == "notifications/progress").map(|r| r.to_value()).collect();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(reports[0]["params"], json!({"progressToken": "asked", "progress": 1}));
}
