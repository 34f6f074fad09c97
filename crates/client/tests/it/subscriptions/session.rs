//! In a session.

use super::*;

#[tokio::test]
async fn a_session_holds_each_resource_once_and_gives_it_back_with_its_last_subscription() {
    let server = session();
    let client = Client::builder().connect(server.connector()).await.unwrap();
    let both = SubscriptionFilter::new().with_resource_subscriptions(["note://1", "note://2"].map(String::from));
    let mut first = client.subscribe("note://1").await.unwrap();
    let mut second = client.listen(both).await.unwrap();
    server.resource_updated("note://1").await;
    server.resource_updated("note://2").await;
    assert_eq!(first.next().await, resource("note://1"));
    assert_eq!([second.next().await, second.next().await], [resource("note://1"), resource("note://2")]);
    drop(first);
    server.resource_updated("note://1").await;
    assert_eq!(second.next().await, resource("note://1"));
    drop(second);
    for uri in ["note://1", "note://2"] {
        server
            .journal()
            .wait_for(|line| line.method() == "resources/unsubscribe" && line.to_value()["params"]["uri"] == uri)
            .await;
    }
    let again = client.subscribe("note://1").await.unwrap();
    client.close().await.unwrap();
    drop(again);
    let journal = server.journal();
    let uris = |method: &str| {
        let mut uris: Vec<_> =
            received(journal, method).iter().map(|l| l["params"]["uri"].as_str().unwrap().to_owned()).collect();
        uris.sort();
        uris
    };
    assert_eq!(uris("resources/subscribe"), ["note://1", "note://1", "note://2"]);
    assert_eq!(uris("resources/unsubscribe"), ["note://1", "note://2"]);
}

#[tokio::test]
async fn r_01_in_a_session_nothing_is_sent_for_lists_and_for_what_was_not_declared() {
    let script = Script::new()
        .handshake("2025-11-25", json!({ "tools": { "listChanged": true }, "resources": {} }))
        .expect("ping")
        .reply(json!({}))
        .send(r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#)
        .send(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    let (connector, journal) = script.connector();
    let client = Client::builder().revision(Revision::V2025_11_25).connect(connector).await.unwrap();
    let mut events = client.events();
    let mut changes = client.listen(with_resource(tools().with_prompts_list_changed(true), "note://1")).await.unwrap();
    assert_eq!(changes.granted(), tools());
    assert_eq!(changes.refused(), with_resource(SubscriptionFilter::new().with_prompts_list_changed(true), "note://1"));
    let error = client.subscribe("note://1").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Unsupported, Sent::No), "{error}");
    client.ping().await.unwrap();
    assert_eq!(changes.next().await, Some(Change::Tools));
    assert!(matches!(events.next().await, Some(Event::PromptsChanged)));
    assert!(matches!(events.next().await, Some(Event::ToolsChanged)));
    drop(changes);
    client.close().await.unwrap();
    assert_eq!(journal.methods(), ["initialize", "notifications/initialized", "ping"]);
}

#[tokio::test]
async fn a_resource_that_a_session_refuses_is_told_and_the_rest_stands() {
    let script = Script::new()
        .handshake("2025-11-25", json!({ "resources": { "subscribe": true } }))
        .expect("resources/subscribe")
        .reply_error(-32002, "no such resource")
        .expect("resources/subscribe")
        .reply_error(-32002, "no such resource")
        .expect("resources/subscribe")
        .reply(json!({}));
    let (connector, _) = script.connector();
    let client = Client::builder().revision(Revision::V2025_11_25).connect(connector).await.unwrap();
    let error = client.subscribe("note://0").await.unwrap_err();
    assert!(error.is_resource_not_found() && error.sent() == Sent::Yes, "{error}");
    let both = SubscriptionFilter::new().with_resource_subscriptions(["note://1", "note://2"].map(String::from));
    let changes = client.listen(both).await.unwrap();
    assert_eq!(changes.refused(), with_resource(SubscriptionFilter::new(), "note://1"));
}

#[tokio::test(start_paused = true)]
async fn s_09_a_fresh_session_is_asked_for_the_same_resources() {
    let server = session();
    let client = Client::builder().reconnect(Reconnect::default()).connect(server.connector()).await.unwrap();
    let mut note = client.subscribe("note://1").await.unwrap();
    for connection in 1..4 {
        server.disconnect();
        assert_eq!(note.next().await, Some(Change::Resumed));
        server.resource_updated("note://1").await;
        assert_eq!(note.next().await, resource("note://1"));
        let again =
            server.received().into_iter().filter(|r| r.connection == connection && r.method() == "resources/subscribe");
        assert_eq!(again.count(), 1);
    }
}
