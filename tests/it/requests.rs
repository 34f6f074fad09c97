//! What a request has of its own, and how its end reaches the caller.

use std::collections::HashSet;
use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::frame::Message;
use bowline::protocol::{ErrorCode, ErrorObject, RequestId};
use bowline_testkit::{MockServer, Script};
use serde_json::json;

use crate::support::{Child, ScriptExt, connect, ping_times, received, server, text, with_handshake, within};

// Duty: J-02
#[tokio::test(start_paused = true)]
async fn j_03_no_id_is_used_twice_also_after_a_timeout() {
    let never = Tool::new("never", json!({ "type": "object" }));
    let mock = MockServer::builder()
        .tool(never, |_| async { std::future::pending::<Result<CallToolResult, ErrorObject>>().await })
        .build();
    let client = with_handshake().connect(mock.connector()).await.unwrap();
    for _ in 0..10 {
        assert!(client.call("never").max_time(Duration::from_millis(1)).await.unwrap_err().is_timeout());
        ping_times(&client, 1000).await;
    }
    let lines = mock.received();
    let ids: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.message {
            Some(Message::Request(request)) => Some(&request.id),
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), 1 + 10 + 10_000);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert!(ids.iter().all(|id| matches!(id, RequestId::Number(_))));
}

#[tokio::test]
async fn c_01_what_was_answered_is_not_cancelled() {
    let script = server().expect("tools/call").reply(text("done")).expect("tools/call").reply_error(-32603, "no");
    let (client, journal) = connect(script.pings(1)).await;
    let mut call = Box::pin(client.call("good").into_future());
    within(&mut call).await.unwrap();
    drop(call);
    let mut call = Box::pin(client.call("bad").into_future());
    within(&mut call).await.unwrap_err();
    drop(call);
    ping_times(&client, 1).await;
    within(client.close()).await.unwrap();
    within(journal.wait_ended()).await;
    assert_eq!(received(&journal, "notifications/cancelled"), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn t_09_names_of_tools_are_sent_as_they_are() {
    let names = ["Get", "get", "a/b c.\u{fc}\n", ""];
    let tools: Vec<_> = names.iter().map(|name| json!({ "name": name, "inputSchema": { "type": "object" } })).collect();
    let listed = server().expect("tools/list").reply(json!({ "tools": tools }));
    let script = names.iter().fold(listed, |script, name| script.expect("tools/call").reply(text(name)));
    let (client, journal) = connect(script).await;
    let tools = within(client.tools().all()).await.unwrap();
    assert_eq!(tools.len(), names.len(), "those that differ by case alone are two");
    for (tool, name) in tools.iter().zip(names) {
        assert_eq!(within(client.call(&tool.name)).await.unwrap().joined_text(), name);
    }
    let calls = received(&journal, "tools/call");
    assert_eq!(calls.iter().map(|call| call["params"]["name"].as_str().unwrap()).collect::<Vec<_>>(), names);
}

// Duty: T-06, ER-03, ER-04
#[tokio::test(start_paused = true)]
async fn j_14_errors_of_the_server_are_told_apart_from_those_made_here() {
    let script = server()
        .expect("tools/call")
        .reply_error(-32602, "no such tool")
        .expect("tools/call")
        .send(r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32001,"message":"Request Timeout","data":{"a":[null]}}}"#)
        .expect("tools/call")
        .hang();
    let (client, _) = connect(script).await;
    let unknown = client.call("x").await.unwrap_err();
    assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::Server, Some(ErrorCode::INVALID_PARAMS)));

    // A code without a shared meaning stays what it is, whatever the text says.
    let odd = client.call("x").await.unwrap_err();
    assert_eq!((odd.kind(), odd.code()), (ErrorKind::Server, Some(ErrorCode(-32001))));
    assert!(!odd.is_timeout() && !odd.is_resource_not_found());
    let object = odd.server_error().unwrap();
    assert_eq!((object.code.name(), object.message.as_str()), (None, "Request Timeout"));
    assert_eq!(object.data.as_ref().unwrap().as_str(), r#"{"a":[null]}"#);

    let late = client.call("x").await.unwrap_err();
    client.close().await.unwrap();
    let closed = client.call("x").await.unwrap_err();
    for (error, kind) in [(late, ErrorKind::Timeout), (closed, ErrorKind::Closed)] {
        assert_eq!((error.kind(), error.code()), (kind, None));
        assert!(error.server_error().is_none(), "{error}");
    }
}

#[tokio::test]
async fn r_04_both_codes_say_that_a_resource_is_not_found() {
    let script = server()
        .expect("resources/read")
        .reply_error(-32002, "Resource not found")
        .expect("resources/read")
        .reply_error(-32602, "Resource not found")
        .expect("tools/call")
        .reply_error(-32602, "Unknown tool");
    let (client, _) = connect(script).await;
    for _ in 0..2 {
        let error = within(client.read("x://1")).await.unwrap_err();
        assert!(error.is_resource_not_found(), "{error}");
    }
    assert!(!within(client.call("x")).await.unwrap_err().is_resource_not_found());
}

#[tokio::test]
async fn l_20_a_process_serves_whoever_has_a_clone_and_outlives_each() {
    let script = Script::new().expect("server/discover").reply(json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
        "ttlMs": 0, "cacheScope": "private",
    }));
    let script = (0..3).fold(script, |script, n| {
        let mut result = text(&n.to_string());
        result["resultType"] = json!("complete");
        script.expect("tools/call").reply(result)
    });
    let child = Child::script(&script);
    let client = within(Client::builder().connect(child.connect.clone())).await.unwrap();
    let before = child.processes();
    for n in 0..3 {
        let client = client.clone();
        let conversation = tokio::spawn(async move { client.call("x").await });
        assert_eq!(within(conversation).await.unwrap().unwrap().joined_text(), n.to_string());
    }
    assert_eq!(child.processes(), before, "the same process");
    assert_eq!(child.methods(), ["server/discover", "tools/call", "tools/call", "tools/call"]);
    within(client.close()).await.unwrap();
    child.gone().await;
}
