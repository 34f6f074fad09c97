//! The handshake, and the end.

use std::time::Duration;

use bowline::prelude::*;
use bowline_testkit::Script;
use serde_json::{Value, json};

use crate::support::{
    Child, ScriptExt, answers, connect, connect_with, everything, received, server, text, until, with_handshake, within,
};

// Duty: L-01, L-03
#[tokio::test]
async fn case_lifecycle_001() {
    let result = r#"{"protocolVersion":"2025-06-18","capabilities":{"logging":null,"tools":{"listChanged":null},"resources":null},"serverInfo":{"name":"f","version":"1"},"instructions":null}"#;
    let script = Script::new()
        .expect("initialize")
        .send(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#))
        .expect("tools/list")
        .reply(json!({ "tools": [] }));
    let (client, journal) = connect(script).await;
    let info = client.server();
    assert_eq!((info.revision, info.info.name.as_str()), (Revision::V2025_06_18, "f"));
    assert_eq!(info.instructions, None);
    assert!(info.capabilities.tools.as_ref().is_some_and(|tools| !tools.list_changed()));
    assert!(info.capabilities.logging.is_none() && info.capabilities.resources.is_none());
    assert!(within(client.tools().all()).await.unwrap().is_empty());
    assert_eq!(client.set_level(LoggingLevel::Info).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(client.resources().all().await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(journal.methods(), ["initialize", "notifications/initialized", "tools/list"]);
}

// Duty: L-02, L-06, M-04
#[tokio::test]
async fn case_lifecycle_003() {
    let script = Script::new()
        .handshake("2024-11-05", everything())
        .expect("completion/complete")
        .reply(json!({ "completion": { "values": ["Oslo"] } }));
    let (client, journal) = connect(script).await;
    assert_eq!(received(&journal, "initialize")[0]["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(client.server().revision, Revision::V2024_11_05);

    // What is newer than the revision: tasks are refused, the context of a completion is left out.
    assert_eq!(client.tasks().all().await.unwrap_err().kind(), ErrorKind::Unsupported);
    let reference = bowline::protocol::CompletionReference::prompt("weather");
    let completed = client.complete(reference, "city", "O").context("country", "Norway");
    assert_eq!(within(completed.into_future()).await.unwrap().completion.values, ["Oslo"]);
    assert_eq!(received(&journal, "completion/complete")[0]["params"].get("context"), None);
}

// Duty: L-05, L-09
#[tokio::test]
async fn case_lifecycle_004() {
    for version in [json!("2031-01-01"), json!("1.0"), Value::Null] {
        let mut result = json!({ "capabilities": {}, "serverInfo": { "name": "s", "version": "1" } });
        if !version.is_null() {
            result["protocolVersion"] = version.clone();
        }
        let child = Child::script(&Script::new().ignore_eof().expect("initialize").reply(result).hang());
        let error = within(with_handshake().connect(child.connect.clone())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{version}: {error}");
        let message = error.to_string();
        assert!(message.contains(&format!("\"{}\"", version.as_str().unwrap_or_default())), "{message}");
        for ours in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
            assert!(message.contains(ours), "{message}");
        }
        child.gone().await;
        assert_eq!(child.methods(), ["initialize"]);
    }
}

#[tokio::test]
async fn case_lifecycle_005() {
    let script = Script::new()
        .expect("initialize")
        .send(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Bad Request: Unsupported protocol version (supported versions: 2025-06-18, 2025-03-26, 2024-11-05)"}}"#)
        .handshake("2025-06-18", json!({}))
        .pings(1);
    let child = Child::script(&script);
    let client = child.connect().await;
    assert_eq!(client.server().revision, Revision::V2025_06_18);
    within(client.ping()).await.unwrap();
    within(client.close()).await.unwrap();
    assert_eq!(child.methods(), ["initialize", "initialize", "notifications/initialized", "ping"]);
    let versions: Vec<_> =
        child.received().iter().take(2).map(|line| line["params"]["protocolVersion"].clone()).collect();
    assert_eq!(versions, ["2025-11-25", "2025-06-18"]);
}

// Duty: L-04, G-01
#[tokio::test]
async fn case_lifecycle_007() {
    let script = Script::new()
        .send(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#)
        .expect_answer(json!("p"))
        .send(r#"{"jsonrpc":"2.0","id":"q","method":"ping"}"#)
        .expect_answer(json!("q"))
        .message(json!({
            "jsonrpc": "2.0", "id": 1,
            "result": { "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "s", "version": "1" } },
        }))
        .expect("notifications/initialized")
        .pings(1);
    let (client, journal) = connect(script).await;
    within(client.ping()).await.unwrap();
    assert_eq!(
        answers(&journal),
        [json!({ "jsonrpc": "2.0", "id": "p", "result": {} }), json!({ "jsonrpc": "2.0", "id": "q", "result": {} })]
    );
}

// Duty: G-02
#[tokio::test(start_paused = true)]
async fn case_lifecycle_009() {
    let script =
        server().expect("ping").reply_error(-32601, "Method not found").expect("tools/call").reply(text("still here"));
    let builder = Client::builder().keep_alive(Duration::from_secs(5));
    let (client, journal) = connect_with(builder, script).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!client.is_closed());
    assert_eq!(client.call("work").await.unwrap().joined_text(), "still here");
    assert_eq!(received(&journal, "ping").len(), 1, "it is not asked again");

    // Any other error shows as well that the peer lives; it is asked again.
    let script = (0..3).fold(server(), |script, _| script.expect("ping").reply_error(-32603, "not now"));
    let (client, journal) = connect_with(Client::builder().keep_alive(Duration::from_secs(5)), script.pings(9)).await;
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert!(!client.is_closed());
    assert_eq!(received(&journal, "ping").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn case_lifecycle_013_in_memory() {
    for ended_by_server in [true, false] {
        let script = server().pings(1);
        let script = if ended_by_server { script.exit(0) } else { script };
        let builder = Client::builder().keep_alive(Duration::from_secs(1));
        let (connector, journal) = script.connector();
        let client = builder.connect(connector).await.unwrap();
        journal.wait_for_method("ping").await;
        if ended_by_server {
            journal.wait_ended().await;
        }
        client.close().await.unwrap();
        let lines = journal.lines().len();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!((journal.connections(), journal.lines().len()), (1, lines));
        client.close().await.unwrap();
        let error = client.ping().await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No));
    }
}

/// There is no reconnecting yet; this is what it must not change.
#[tokio::test]
async fn case_lifecycle_013() {
    for ended_by_server in [true, false] {
        let script = if ended_by_server { server().exit(1) } else { server() };
        let child = Child::script(&script);
        let builder = Client::builder().keep_alive(Duration::from_secs(3600));
        let client = within(builder.connect(child.connect.clone())).await.unwrap();
        if ended_by_server {
            until("the end is known", || client.is_closed()).await;
        }
        within(client.close()).await.unwrap();
        child.gone().await;
        let lines = child.received().len();

        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(10)).await;
        tokio::time::resume();
        assert!(child.processes().is_empty());
        assert_eq!(child.received().len(), lines);
        within(client.close()).await.unwrap();
        for error in [
            client.ping().await.unwrap_err(),
            client.call("x").await.unwrap_err(),
            client.tools().all().await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No), "{error}");
        }
    }
}
