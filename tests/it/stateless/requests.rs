//! What each request says, what is no longer sent, and what is no longer served.

use bowline::prelude::*;
use bowline::protocol::{CompletionReference, LoggingLevel, Meta, PromptReference};
use bowline::transport::Fault;
use bowline_testkit::Script;
use serde_json::{Value, json};

use super::{connect, connect_with, server, text};
use crate::support::{Child, ScriptExt as _, answers, everything, faults, received, rest, watched, within};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const LEVEL: &str = "io.modelcontextprotocol/logLevel";

#[tokio::test]
async fn l_11_and_l_12_every_request_says_revision_capabilities_and_name() {
    let script = server()
        .expect("tools/list")
        .reply(json!({"resultType": "complete", "tools": []}))
        .expect("tools/call")
        .reply(text("x"))
        .expect("resources/read")
        .reply(json!({"resultType": "complete", "contents": []}))
        .expect("prompts/get")
        .reply(json!({"resultType": "complete", "messages": []}))
        .expect("completion/complete")
        .reply(json!({"resultType": "complete", "completion": {"values": []}}))
        .expect("vendor/own")
        .reply(json!({}));
    let (client, journal) = connect(script).await;
    within(client.tools().all()).await.unwrap();
    within(client.call("t").arg("a", 1)).await.unwrap();
    within(client.read("x:y")).await.unwrap();
    within(client.prompt("p")).await.unwrap();
    within(client.complete(CompletionReference::from(PromptReference::new("p")), "a", "b")).await.unwrap();
    within(client.request("vendor/own").params(json!({"k": 1}))).await.unwrap();
    let lines: Vec<Value> = journal.lines().iter().map(bowline_testkit::Recorded::to_value).collect();
    assert_eq!(lines.len(), 7);
    let mut ids = Vec::new();
    for line in lines {
        let meta = &line["params"]["_meta"];
        assert_eq!(meta[VERSION], "2026-07-28", "{line}");
        assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({}), "{line}");
        assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "bowline", "{line}");
        assert!(meta.get(LEVEL).is_none(), "{line}");
        assert!(!ids.contains(&line["id"]), "{line}");
        ids.push(line["id"].clone());
    }
}

#[tokio::test]
async fn l_12_a_client_may_leave_its_name_out() {
    let script = server().expect("tools/call").reply(text("x"));
    let (client, journal) = connect_with(Client::builder().name_in_requests(false), script).await;
    within(client.call("t")).await.unwrap();
    for line in journal.lines() {
        assert!(line.to_value()["params"]["_meta"].get("io.modelcontextprotocol/clientInfo").is_none());
    }
}

#[tokio::test]
async fn ex_01_extensions_are_declared_by_choice_and_by_the_rules_for_their_names() {
    let script = server().expect("tools/call").reply(text("x"));
    let builder = Client::builder().extension("com.example/charts", json!({"colors": 16})).unwrap();
    let (client, journal) = connect_with(builder, script).await;
    within(client.call("t")).await.unwrap();
    for line in journal.lines() {
        let capabilities = &line.to_value()["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        assert_eq!(*capabilities, json!({"extensions": {"com.example/charts": {"colors": 16}}}));
    }
    for bad in ["charts", "com..example/x", "/x", "com.example/"] {
        assert_eq!(Client::builder().extension(bad, json!({})).unwrap_err().kind(), ErrorKind::Config, "{bad}");
    }
    assert!(Client::builder().extension("com.example/x", 7).is_err());
}

#[tokio::test]
async fn me_04_what_the_client_says_of_itself_is_not_for_the_caller_to_say() {
    let script = server().expect("tools/call").reply(text("x"));
    let (client, journal) = connect(script).await;
    for key in [VERSION, LEVEL, "io.modelcontextprotocol/clientInfo", "io.modelcontextprotocol/clientCapabilities"] {
        let error = within(client.call("t").meta(Meta::new().with(key, "x"))).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Config, Sent::No), "{key}");
        let raw = client.request("tools/call").params(json!({"name": "t", "_meta": {key: "x"}}));
        assert_eq!(within(raw).await.unwrap_err().kind(), ErrorKind::Config, "{key}");
    }
    within(client.call("t").meta(Meta::new().with("com.example/trace", "abc"))).await.unwrap();
    let calls = received(&journal, "tools/call");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["params"]["_meta"]["com.example/trace"], "abc");
}

#[tokio::test]
async fn g_04_k_02_and_o_06_what_needs_a_session_is_refused_or_done_without_one() {
    let script = server().expect("tools/call").reply(text("x")).expect("tools/call").reply(text("x"));
    let builder = Client::builder().roots(vec![bowline::protocol::Root::new("file:///a")]);
    let (client, journal) = connect_with(builder, script).await;
    for error in [
        within(client.ping()).await.unwrap_err(),
        within(client.roots_changed()).await.unwrap_err(),
        within(client.notify("notifications/initialized", ())).await.unwrap_err(),
        within(client.notify("notifications/progress", json!({"progressToken": 1, "progress": 1}))).await.unwrap_err(),
        within(client.request("logging/setLevel").params(json!({"level": "info"}))).await.unwrap_err(),
        within(client.request("resources/subscribe").params(json!({"uri": "x:y"}))).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Unsupported, Sent::No), "{error}");
    }
    within(client.call("t").log_level(LoggingLevel::Debug)).await.unwrap();
    within(client.set_level(LoggingLevel::Warning)).await.unwrap();
    within(client.call("t")).await.unwrap();
    let levels: Vec<Value> =
        received(&journal, "tools/call").iter().map(|call| call["params"]["_meta"][LEVEL].clone()).collect();
    assert_eq!(levels, ["debug", "warning"]);
    assert_eq!(journal.methods(), ["server/discover", "tools/call", "tools/call"]);
}

#[tokio::test]
async fn k_03_log_messages_that_nobody_asked_for_are_counted_and_not_told() {
    let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hi"}});
    let script = server()
        .message(log.clone())
        .expect("tools/call")
        .reply(text("x"))
        .expect("tools/call")
        .message(log)
        .reply(text("x"));
    let (client, _) = connect(script).await;
    let mut events = client.events();
    within(client.call("t")).await.unwrap();
    within(client.call("t").log_level(LoggingLevel::Info)).await.unwrap();
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let logs = events.iter().filter(|event| matches!(event, Event::Log(_))).count();
    assert_eq!(logs, 1);
    assert!(matches!(&*faults(&events), [Fault::Unasked { count: 1, .. }]), "{events:?}");
}

#[tokio::test]
async fn j_11_j_12_and_c_06_requests_and_cancellations_of_the_server_are_faults_and_not_served() {
    let script = server()
        .message(json!({"jsonrpc": "2.0", "id": 7, "method": "ping"}))
        .message(json!({"jsonrpc": "2.0", "id": 8, "method": "roots/list"}))
        .expect("tools/call")
        .message(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
        .reply(text("undisturbed"));
    let builder = Client::builder().roots(vec![bowline::protocol::Root::new("file:///a")]);
    let (client, journal) = connect_with(builder, script).await;
    let mut events = client.events();
    assert_eq!(within(client.call("t")).await.unwrap().joined_text(), "undisturbed");
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let odd: Vec<String> = faults(&events).iter().map(ToString::to_string).collect();
    assert!(odd.iter().any(|fault| fault.contains("notifications/cancelled")), "{odd:?}");
    assert!(answers(&journal).is_empty());
}

#[tokio::test]
async fn l_23_a_result_of_an_unknown_kind_is_an_error() {
    for kind in ["banana", "task"] {
        let script = server()
            .expect("tools/call")
            .reply(json!({"resultType": kind, "content": [], "taskId": "1", "status": "working"}));
        let (client, _) = connect(script).await;
        let error = within(client.call("t")).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Protocol, Sent::Yes));
        assert!(error.to_string().contains(kind), "{error}");
    }
    // Without a word it is complete, as from an older server.
    let (client, _) = connect(server().expect("tools/call").reply(json!({"content": []}))).await;
    within(client.call("t")).await.unwrap();
}

#[tokio::test]
async fn er_06_a_missing_capability_is_told_and_the_call_is_not_sent_again() {
    let error = r#"{"code":-32021,"message":"no","data":{"requiredCapabilities":{"sampling":{}}}}"#;
    let script = server().expect("tools/call").send(format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#));
    let (client, journal) = connect(script).await;
    let error = within(client.call("t")).await.unwrap_err();
    let needed = error.server_error().unwrap().missing_client_capability().unwrap();
    assert!(needed.required_capabilities.sampling.is_some());
    assert_eq!(received(&journal, "tools/call").len(), 1);
}

#[tokio::test]
async fn s_10_a_call_that_is_dropped_is_cancelled_by_its_id() {
    let (client, journal) = connect(server().expect("tools/call").hang()).await;
    let call = tokio::spawn(std::future::IntoFuture::into_future(client.call("t")));
    let id = within(journal.wait_for_method("tools/call")).await.id().cloned().unwrap();
    call.abort();
    let cancelled = within(journal.wait_for_method("notifications/cancelled")).await.to_value();
    assert_eq!(cancelled["params"]["requestId"], serde_json::to_value(id).unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn s_08_a_server_that_died_is_started_again_for_the_next_call() {
    let once = Script::new()
        .expect("server/discover")
        .reply(super::discovered(everything()))
        .expect("tools/call")
        .reply_process()
        .exit(3);
    let child = Child::script(&once);
    let (builder, mut events) = watched(Client::builder());
    let client = within(builder.connect(child.connect.clone())).await.unwrap();
    let mut processes = Vec::new();
    for _ in 0..2 {
        let process = within(client.request("tools/call").params(json!({"name": "t"}))).await.unwrap();
        processes.push(process.to_value()["pid"].clone());
        while !matches!(within(events.recv()).await.unwrap(), Event::Disconnected(_)) {}
    }
    assert_ne!(processes[0], processes[1]);
    within(client.close()).await.unwrap();
    child.gone().await;
}
