//! Calls through the hub are those of a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::{ErrorKind, Outcome, Started};
use bowline_hub::{Hub, Member, PoolSettings};
use bowline_protocol::{
    CallToolResult, CompleteResult, Completion, CompletionReference, Prompt, Revision, TaskSupport, ToolExecution,
};
use bowline_testkit::MockServer;
use bowline_transport::Sent;
use futures_util::future::join_all;
use serde_json::json;

use super::support::{Gated, hub, server, tool, with_tool};

#[tokio::test(start_paused = true)]
async fn a_hundred_calls_of_a_cold_member_make_one_connection() {
    let (gated, gate) = Gated::new(&server("x", "hi"));
    let hub = hub([Member::new("m", gated)]);
    let calls = (0..100).map(|n| hub.call(if n % 2 == 0 { "m__x" } else { "m.x" }).into_future());
    let results = join_all(calls).await;
    assert!(results.iter().all(|result| result.as_ref().unwrap().joined_text() == "hi"));
    assert_eq!(gate.connects(), 1);
}

#[tokio::test]
async fn arguments_progress_limits_and_hands_are_those_of_a_client() {
    let server = MockServer::builder()
        .tool(tool("add"), |call| async move {
            call.progress(1.0, Some(2.0), None).await;
            let (a, b): (i64, i64) = (call.argument("a")?, call.argument("b")?);
            Ok(CallToolResult::text((a + b).to_string()))
        })
        .tool(tool("hang"), |_| async {
            std::future::pending::<()>().await;
            Ok(CallToolResult::text(""))
        })
        .build();
    let hub = hub([Member::new("sums", server.connector())]);
    let heard = Arc::new(AtomicU64::new(0));
    let hears = Arc::clone(&heard);
    // The name is found out only when it is sent, and the arguments are kept until then.
    let call = hub.call("sums__add").arg("a", 2).args(json!({"b": 3, "a": 9}));
    let result = call
        .on_progress(move |_| {
            hears.fetch_add(1, Ordering::SeqCst);
        })
        .await
        .unwrap();
    assert_eq!((result.joined_text().as_str(), heard.load(Ordering::SeqCst)), ("5", 1));
    let timeout = hub.call("sums__hang").max_time(Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(timeout.kind(), ErrorKind::Timeout);
    let by_hand = hub.call("sums__add").arg("a", 1).arg("b", 1).by_hand().await.unwrap();
    assert!(matches!(by_hand, Outcome::Complete(result) if result.joined_text() == "2"));
    let started = hub.call("sums.add").arg("a", 1).arg("b", 2).as_task().start().await.unwrap();
    assert!(matches!(started, Started::Complete(result) if result.joined_text() == "3"));
}

#[tokio::test]
async fn names_that_nobody_has_are_told_apart_and_not_sent() {
    let server = server("x", "hi");
    let hub = hub([Member::new("m", server.connector())]);
    for name in ["nothing", "other__x", "other.x", "m__y", "", ".", "m.", "__", "m__"] {
        let error = hub.call(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownName, "{name}: {error}");
    }
    assert!(!server.journal().methods().contains(&"tools/call".to_owned()));
    // By member and its own name a tool is called that is in no list: the server decides.
    let error = hub.call("m.unlisted").await;
    assert!(error.is_err() || error.unwrap().is_error());
    assert!(server.journal().methods().contains(&"tools/call".to_owned()));
}

#[tokio::test]
async fn a_tool_that_came_without_a_word_is_found_once_the_list_is_old() {
    tokio::time::pause();
    let server = with_tool(MockServer::builder().capabilities(json!({"tools": {}})), "x", "").build();
    let hub = hub([Member::new("m", server.connector())]);
    assert_eq!(hub.call("m__y").await.unwrap_err().kind(), ErrorKind::UnknownName);
    server.add_tool(tool("y"), |_| async { Ok(CallToolResult::text("new")) }).await;
    assert_eq!(hub.call("m__y").await.unwrap_err().kind(), ErrorKind::UnknownName, "just listed");
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(hub.call("m__y").await.unwrap().joined_text(), "new");
}

#[tokio::test]
async fn completion_and_raw_requests_go_to_their_member() {
    let server = MockServer::builder()
        .prompt(Prompt::new("greet"), |_| async {
            Ok(bowline_protocol::GetPromptResult::new(vec![bowline_protocol::PromptMessage::user("x")]))
        })
        .completion(|call| async move {
            let value = format!("{}!", call.params.argument.value);
            Ok(CompleteResult::new(Completion::new([value])))
        })
        .build();
    let hub = hub([Member::new("m", server.connector())]);
    let done = hub.complete(CompletionReference::prompt("m__greet"), "who", "w").await.unwrap();
    assert_eq!(done.completion.values, ["w!"]);
    let sent = server.received().into_iter().find(|line| line.method() == "completion/complete").unwrap();
    assert_eq!(sent.params().unwrap().to_value()["ref"]["name"], "greet");
    assert!(hub.request("m", "prompts/list").await.unwrap().as_str().contains("greet"));
    assert_eq!(hub.request("nobody", "ping").await.unwrap_err().kind(), ErrorKind::UnknownName);
}

#[tokio::test(start_paused = true)]
async fn an_idle_member_is_closed_and_opened_again_when_it_is_needed() {
    let (gated, gate) = Gated::new(&server("x", "hi"));
    let hub = hub([Member::new("m", gated).idle(Some(Duration::from_secs(30)))]);
    hub.call("m__x").await.unwrap();
    assert_eq!(hub.status_of("m").unwrap().state.name(), "up");
    let held = hub.client("m").await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(hub.status_of("m").unwrap().state.name(), "up", "somebody has it");
    drop(held);
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(hub.status_of("m").unwrap().state.name(), "idle");
    assert_eq!(hub.call("m__x").await.unwrap().joined_text(), "hi");
    assert_eq!(gate.connects(), 2);
}

#[tokio::test]
async fn a_call_that_never_left_goes_on_to_another_replica() {
    let (dead, gate) = Gated::new(&server("x", "one"));
    gate.set_refuses(true);
    let member = Member::new("m", dead).replica("second", server("x", "two").connector(), 1);
    let hub = Hub::builder().member(member.pool(PoolSettings::default().with_seed(1))).build().unwrap();
    for _ in 0..20 {
        assert_eq!(hub.call("m.x").await.unwrap().joined_text(), "two");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_became_a_task_is_not_made_again_when_its_connection_is_lost() {
    let runs = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&runs);
    let slow = tool("slow").with_execution(ToolExecution::new().with_task_support(TaskSupport::Required));
    let server = MockServer::builder()
        .revisions([Revision::V2025_11_25])
        .task_times(Some(Duration::from_secs(600)), Duration::from_secs(5))
        .tool(slow, move |_| {
            counts.fetch_add(1, Ordering::SeqCst);
            std::future::pending()
        })
        .build();
    let hub = hub([Member::new("m", server.connector())]);
    // What is listed over the connection says that the tool runs as a task.
    assert_eq!(hub.tools().await.items.len(), 1);
    let call = tokio::spawn(hub.call("m__slow").into_future());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    server.disconnect();
    let error = tokio::time::timeout(Duration::from_secs(60), call).await.unwrap().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::Yes), "{error}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn calls_are_counted_by_member_and_own_name() {
    let server = MockServer::builder()
        .tool(tool("fine"), |_| async { Ok(CallToolResult::text("")) })
        .tool(tool("fails"), |_| async { Ok(CallToolResult::error("no")) })
        .build();
    let hub = hub([Member::new("m", server.connector())]);
    hub.call("m__fine").await.unwrap();
    hub.call("m.fine").await.unwrap();
    hub.call("m__fails").await.unwrap();
    let snapshot = hub.stats().snapshot();
    let server = &snapshot.servers[0];
    let counted: Vec<_> =
        server.tools.iter().map(|tool| (tool.name.as_str(), tool.stats.calls, tool.stats.tool_failures)).collect();
    assert_eq!((server.name.as_str(), counted), ("m", vec![("fails", 1, 1), ("fine", 2, 0)]));
    assert_eq!(server.methods[0].name, "tools/list");
    hub.remove("m").await.unwrap();
    assert!(hub.stats().snapshot().servers.is_empty(), "what is gone is forgotten");
}
