//! Subscriptions of both eras: over a byte stream, over a transport whose streams break alone, and in a session.

mod session;
mod streams;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Call, Change, Client, Error, ErrorKind, Event, Events, Reconnect, SubscriptionEnd};
use bowline_protocol::{Resource, ResourceContents, Revision, SubscriptionFilter};
use bowline_testkit::{Journal, MockServer, Script};
use bowline_transport::{Fault, Sent};
use serde_json::{Value, json};
use tokio::time::Instant;

const LISTEN: &str = "subscriptions/listen";
const ID: &str = "io.modelcontextprotocol/subscriptionId";

/// A server with sessions and two resources.
fn session() -> MockServer {
    MockServer::builder()
        .resource(Resource::new("note://1", "one"), ResourceContents::text("note://1", "x"))
        .resource(Resource::new("note://2", "two"), ResourceContents::text("note://2", "x"))
        .subscriptions()
        .build()
}

fn discovered() -> Value {
    json!({
        "supportedVersions": ["2026-07-28"],
        "capabilities": {
            "tools": { "listChanged": true },
            "prompts": {},
            "resources": { "listChanged": true, "subscribe": true },
            "logging": {},
        },
    })
}

/// A server without sessions. Its first subscription has the id 2.
fn modern() -> Script {
    Script::new().expect("server/discover").reply(discovered())
}

fn notification(method: &str, id: &Value, mut params: Value) -> Value {
    params["_meta"] = json!({ ID: id });
    json!({ "jsonrpc": "2.0", "method": format!("notifications/{method}"), "params": params })
}

fn acknowledged(id: i64, granted: &Value) -> Value {
    notification("subscriptions/acknowledged", &json!(id), json!({ "notifications": granted }))
}

fn updated(id: i64, uri: &str) -> Value {
    notification("resources/updated", &json!(id), json!({ "uri": uri }))
}

fn ended(id: i64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "resultType": "complete", "_meta": { ID: id } } })
}

trait Says {
    /// Sends messages in one piece, so that they are read at once.
    fn says(self, messages: &[Value]) -> Self;
}

impl Says for Script {
    fn says(self, messages: &[Value]) -> Self {
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        self.send_raw(lines)
    }
}

async fn connect(script: Script) -> (Client, Journal) {
    let (connector, journal) = script.connector();
    (Client::builder().revision(Revision::V2026_07_28).connect(connector).await.unwrap(), journal)
}

fn tools() -> SubscriptionFilter {
    SubscriptionFilter::new().with_tools_list_changed(true)
}

fn with_resource(filter: SubscriptionFilter, uri: &str) -> SubscriptionFilter {
    filter.with_resource_subscriptions(vec![uri.to_owned()])
}

fn resource(uri: &str) -> Option<Change> {
    Some(Change::Resource { uri: uri.to_owned() })
}

/// Waits for a fault.
async fn fault(events: &mut Events) -> Fault {
    loop {
        match events.next().await.unwrap() {
            Event::Fault(fault) => return fault,
            Event::Closed(error) => panic!("{error}"),
            _ => {}
        }
    }
}

fn unasked(method: &str, count: u64) -> Fault {
    Fault::Unasked { method: format!("notifications/{method}"), count }
}

/// The frames of a method that were received.
fn received(journal: &Journal, method: &str) -> Vec<Value> {
    journal.lines().iter().filter(|line| line.method() == method).map(|line| line.to_value()).collect()
}

#[tokio::test(start_paused = true)]
async fn case_resources_005_su_02_su_05_what_is_not_granted_is_told_and_an_end_in_order_is_no_loss() {
    let script = modern().expect(LISTEN).says(&[
        acknowledged(2, &json!({ "toolsListChanged": true, "promptsListChanged": true })),
        notification("tools/list_changed", &json!(2), json!({})),
        ended(2),
    ]);
    let (client, journal) = connect(script).await;
    let mut events = client.events();
    let mut changes = client.listen(with_resource(tools(), "note://1")).await.unwrap();
    assert_eq!(changes.granted(), tools());
    assert_eq!(changes.refused(), with_resource(SubscriptionFilter::new(), "note://1"));
    assert_eq!(changes.next().await, Some(Change::Tools));
    assert_eq!(changes.next().await, None);
    assert_eq!(changes.next().await, None);
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Server)), "{changes:?}");
    assert!(matches!(events.next().await, Some(Event::ToolsChanged)));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    drop(changes);
    client.close().await.unwrap();
    assert_eq!(journal.methods(), ["server/discover", LISTEN], "neither a cancellation nor a second try");
    let asked = &received(&journal, LISTEN)[0]["params"];
    assert_eq!(asked["notifications"], json!({ "toolsListChanged": true, "resourceSubscriptions": ["note://1"] }));
    assert_eq!(asked["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
}

#[tokio::test]
async fn su_01_su_03_events_are_sorted_by_the_id_and_by_what_was_granted() {
    let script =
        modern().expect(LISTEN).says(&[acknowledged(2, &json!({ "toolsListChanged": true }))]).expect(LISTEN).says(&[
            updated(2, "note://not-asked"),
            notification("tools/list_changed", &json!("99"), json!({})),
            notification("tools/list_changed", &json!(99), json!({})),
            json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }),
            acknowledged(3, &json!({ "resourceSubscriptions": ["note://1"] })),
            updated(3, "note://1"),
            notification("tools/list_changed", &json!(3), json!({})),
            notification("tools/list_changed", &json!(2), json!({})),
            updated(3, "note://1/part"),
            ended(2),
            ended(3),
        ]);
    let (client, _) = connect(script).await;
    let mut events = client.events();
    let mut lists = client.listen(tools()).await.unwrap();
    let mut note = client.subscribe("note://1").await.unwrap();
    assert_eq!(lists.next().await, Some(Change::Tools));
    assert_eq!(lists.next().await, None);
    assert_eq!([note.next().await, note.next().await], [resource("note://1"), resource("note://1/part")]);
    assert_eq!(note.next().await, None);
    let mut told = Vec::new();
    client.close().await.unwrap();
    while let Some(event) = events.next().await {
        told.push(event);
    }
    let faults: Vec<_> =
        told.iter().filter_map(|e| if let Event::Fault(f) = e { Some(f.clone()) } else { None }).collect();
    let tools = "tools/list_changed";
    assert_eq!(faults, [unasked("resources/updated", 1), unasked(tools, 2), unasked(tools, 4)], "five in all");
    let changes = told.iter().filter(|e| matches!(e, Event::ToolsChanged | Event::ResourceUpdated { .. })).count();
    assert_eq!(changes, 3);
}

// Duty: SU-03
#[tokio::test]
async fn a_string_of_digits_is_the_integer_id_since_no_other_id_is_open() {
    let named = |method: &str, params: Value| notification(method, &json!("2"), params);
    let script = modern().expect(LISTEN).says(&[
        named("subscriptions/acknowledged", json!({ "notifications": { "toolsListChanged": true } })),
        named("tools/list_changed", json!({})),
        named("resources/updated", json!({ "uri": "note://not-asked" })),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "2" } }),
    ]);
    let (client, _) = connect(script).await;
    let mut events = client.events();
    let mut changes = client.listen(tools()).await.unwrap();
    assert_eq!((changes.next().await, changes.next().await), (Some(Change::Tools), None));
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Server)), "{:?}", changes.ended());
    client.close().await.unwrap();
    let mut faults = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Fault(fault) = event {
            faults.push(fault.to_string());
        }
    }
    let taken = "took a string of digits as the integer id, in what came for notifications";
    assert_eq!(
        faults,
        [
            format!("{taken}/subscriptions/acknowledged (1 so far)"),
            format!("{taken}/tools/list_changed (2 so far)"),
            String::from("ignored notifications/resources/updated that nobody asked for (1 so far)"),
            format!("{taken}/cancelled (4 so far)"),
        ]
    );
}

#[tokio::test]
async fn su_04_an_event_before_the_acknowledgement_is_a_fault_and_loses_nothing() {
    let script = modern().expect(LISTEN).says(&[
        notification("tools/list_changed", &json!(2), json!({})),
        acknowledged(2, &json!({ "toolsListChanged": true })),
        ended(2),
    ]);
    let (client, _) = connect(script).await;
    let mut events = client.events();
    let mut changes = client.listen(tools()).await.unwrap();
    let method = "notifications/tools/list_changed".to_owned();
    assert_eq!(fault(&mut events).await, Fault::Unacknowledged { method });
    assert_eq!((changes.next().await, changes.next().await), (Some(Change::Tools), None));
}

#[tokio::test]
async fn a_second_acknowledgement_and_logs_are_unasked_and_change_nothing_k_03() {
    let script = modern().expect(LISTEN).says(&[
        acknowledged(2, &json!({ "toolsListChanged": true })),
        acknowledged(2, &json!({})),
        notification("message", &json!(2), json!({ "level": "error", "data": 1 })),
        notification("tools/list_changed", &json!(2), json!({})),
        ended(2),
    ]);
    let (client, _) = connect(script).await;
    // Also where requests ask for log messages, this one does not.
    client.set_level(bowline_protocol::LoggingLevel::Debug).await.unwrap();
    let mut events = client.events();
    let mut changes = client.listen(tools()).await.unwrap();
    assert_eq!(fault(&mut events).await, unasked("subscriptions/acknowledged", 1));
    assert_eq!(fault(&mut events).await, unasked("message", 2));
    assert_eq!((changes.next().await, changes.next().await), (Some(Change::Tools), None));
    assert_eq!(changes.granted(), tools());
}

#[tokio::test]
async fn k_03_a_subscription_never_asks_for_log_messages() {
    let (client, journal) =
        connect(modern().expect(LISTEN).says(&[acknowledged(2, &json!({ "toolsListChanged": true }))])).await;
    client.set_level(bowline_protocol::LoggingLevel::Debug).await.unwrap();
    let _changes = client.changes().await.unwrap();
    let asked = received(&journal, LISTEN).remove(0);
    assert!(asked["params"]["_meta"].get("io.modelcontextprotocol/logLevel").is_none(), "{asked}");
    // What the server declared, and no more.
    let lists = json!({ "toolsListChanged": true, "resourcesListChanged": true });
    assert_eq!(asked["params"]["notifications"], lists);
}

#[tokio::test]
async fn su_06_a_drop_names_the_listen_request_to_the_server() {
    let script = modern()
        .expect(LISTEN)
        .says(&[acknowledged(2, &json!({ "toolsListChanged": true }))])
        .expect("notifications/cancelled")
        // They crossed: nobody's fault.
        .says(&[notification("tools/list_changed", &json!(2), json!({})), ended(2)])
        .expect("tools/list")
        .reply(json!({ "tools": [] }));
    let (client, journal) = connect(script).await;
    let mut events = client.events();
    drop(client.listen(tools()).await.unwrap());
    let cancelled = journal.wait_for_method("notifications/cancelled").await;
    assert_eq!(cancelled.to_value()["params"]["requestId"], 2);
    client.tools().all().await.unwrap();
    client.close().await.unwrap();
    assert!(matches!(events.next().await, Some(Event::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_listen_that_is_given_up_before_its_acknowledgement_is_cancelled() {
    let (client, journal) = connect(modern().hang()).await;
    let given_up = tokio::time::timeout(Duration::from_secs(1), client.listen(tools())).await;
    assert!(given_up.is_err());
    let cancelled = journal.wait_for_method("notifications/cancelled").await;
    assert_eq!(cancelled.to_value()["params"]["requestId"], 2);
}

#[tokio::test(start_paused = true)]
async fn su_07_a_subscription_may_be_silent_for_ever() {
    let script = modern()
        .expect(LISTEN)
        .says(&[acknowledged(2, &json!({ "toolsListChanged": true }))])
        .sleep(24 * 3600 * 1000)
        .says(&[notification("tools/list_changed", &json!(2), json!({}))]);
    let (client, journal) = connect(script).await;
    let started = Instant::now();
    let mut changes = client.listen(tools()).await.unwrap();
    assert_eq!(changes.next().await, Some(Change::Tools));
    assert!(started.elapsed() >= Duration::from_secs(24 * 3600));
    assert_eq!(journal.methods(), ["server/discover", LISTEN]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_acknowledgement_is_an_error_in_time() {
    let (client, journal) = connect(modern().hang()).await;
    let started = Instant::now();
    let error = client.listen(tools()).await.unwrap_err();
    assert_eq!((error.kind(), error.method()), (ErrorKind::Timeout, Some(LISTEN)), "{error}");
    assert_eq!(started.elapsed(), Duration::from_secs(60));
    assert_eq!(journal.wait_for_method("notifications/cancelled").await.to_value()["params"]["requestId"], 2);
}

#[tokio::test]
async fn what_the_server_refuses_is_an_error_that_says_so() {
    async fn refusal(script: Script) -> (Error, Journal) {
        let (client, journal) = connect(script).await;
        (client.listen(tools()).await.unwrap_err(), journal)
    }
    let (error, _) = refusal(modern().expect(LISTEN).reply_error(-32601, "no such method")).await;
    assert_eq!((error.kind(), error.method()), (ErrorKind::Server, Some(LISTEN)));
    let (error, journal) = refusal(modern().expect(LISTEN).says(&[acknowledged(2, &json!({}))])).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    journal.wait_for_method("notifications/cancelled").await;
    let (error, _) = refusal(modern().expect(LISTEN).says(&[acknowledged(2, &json!({})), ended(2)])).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let (error, _) = refusal(modern().expect(LISTEN).says(&[ended(2)])).await;
    assert!(error.to_string().contains("before it acknowledged"), "{error}");
    let unreadable = acknowledged(2, &json!({ "toolsListChanged": "yes" }));
    let (error, _) = refusal(modern().expect(LISTEN).says(&[unreadable])).await;
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn c_06_a_cancellation_by_the_server_ends_its_subscription_and_nothing_else() {
    let cancelled =
        |id: i64| json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    let script = modern()
        .expect(LISTEN)
        .says(&[acknowledged(2, &json!({ "toolsListChanged": true }))])
        .expect("tools/call")
        .says(&[cancelled(3), cancelled(99)])
        .reply(json!({ "content": [] }))
        .expect("tools/list")
        .says(&[cancelled(2), ended(2), cancelled(2)])
        .reply(json!({ "tools": [] }));
    let (client, journal) = connect(script).await;
    let mut events = client.events();
    let mut changes = client.listen(tools()).await.unwrap();
    client.call("x").await.unwrap();
    for _ in 0..2 {
        assert!(
            matches!(fault(&mut events).await, Fault::NotInRevision { method } if method == "notifications/cancelled")
        );
    }
    client.tools().all().await.unwrap();
    assert_eq!(changes.next().await, None);
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Server)));
    client.close().await.unwrap();
    assert!(received(&journal, "notifications/cancelled").is_empty(), "C-01: it is over already");
    assert!(matches!(events.next().await, Some(Event::Closed(_))), "the last one is no fault");
}

#[tokio::test]
async fn a_flood_before_a_slow_reader_is_bounded_and_told() {
    let flood: String = (0..5000).map(|n| format!("{}\n", updated(2, &format!("note://1/{n}")))).collect();
    let script = modern()
        .expect(LISTEN)
        .says(&[acknowledged(2, &json!({ "resourceSubscriptions": ["note://1"] }))])
        .send_raw(flood)
        .says(&[ended(2)]);
    let (client, _) = connect(script).await;
    let mut note = client.subscribe("note://1").await.unwrap();
    let mut events = client.events();
    while !matches!(events.next().await, Some(Event::ResourceUpdated { uri }) if uri == "note://1/4999") {}
    assert_eq!(note.next().await, Some(Change::Missed(5000 - 1024)));
    let mut rest = 0;
    while note.next().await.is_some() {
        rest += 1;
    }
    assert_eq!(rest, 1024);
}

#[tokio::test(start_paused = true)]
async fn s_09_a_fresh_connection_gets_the_same_subscription() {
    let script = modern()
        .expect(LISTEN)
        .says(&[
            acknowledged(2, &json!({ "toolsListChanged": true })),
            notification("tools/list_changed", &json!(2), json!({})),
        ])
        .sleep(20_000)
        .exit(1);
    let (client, journal) = connect(script).await;
    let mut changes = client.listen(tools()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(changes.next().await, Some(Change::Tools));
        assert_eq!(changes.next().await, Some(Change::Resumed));
    }
    let listens = received(&journal, LISTEN);
    assert!(listens.len() >= 4 && listens.iter().all(|l| l["params"] == listens[0]["params"]), "{listens:?}");
    assert!(journal.connections() >= 4);
    client.close().await.unwrap();
    while changes.next().await.is_some() {}
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_without_reconnects_ends_with_its_connection_and_says_why() {
    let (connector, _) = modern()
        .expect(LISTEN)
        .says(&[acknowledged(2, &json!({ "toolsListChanged": true }))])
        .sleep(1000)
        .exit(1)
        .connector();
    let client =
        Client::builder().revision(Revision::V2026_07_28).reconnect(Reconnect::NEVER).connect(connector).await.unwrap();
    let mut changes = client.changes().await.unwrap();
    assert_eq!(changes.next().await, None);
    assert!(
        matches!(changes.ended(), Some(SubscriptionEnd::Lost(error)) if error.kind() == ErrorKind::Closed),
        "{changes:?}"
    );
}

#[tokio::test]
async fn a_client_that_is_dropped_ends_its_subscriptions() {
    let (client, journal) =
        connect(modern().expect(LISTEN).says(&[acknowledged(2, &json!({ "toolsListChanged": true }))])).await;
    let mut changes = client.changes().await.unwrap();
    drop(client);
    journal.wait_ended().await;
    assert_eq!(changes.next().await, None);
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Closed)));
}

#[tokio::test]
async fn too_much_and_nothing_are_refused_before_anything_is_sent() {
    let (client, journal) = connect(modern().hang()).await;
    let many: Vec<String> = (0..1025).map(|n| format!("x://{n}")).collect();
    for filter in [
        SubscriptionFilter::new(),
        SubscriptionFilter::new().with_tools_list_changed(false).with_resource_subscriptions(Vec::new()),
        SubscriptionFilter::new().with_resource_subscriptions(many),
    ] {
        let error = client.listen(filter).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Config, Sent::No), "{error}");
    }
    // Prompts are there, and their changes are not told.
    let error = client.listen(SubscriptionFilter::new().with_prompts_list_changed(true)).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Unsupported, Sent::No), "{error}");
    assert_eq!(journal.methods(), ["server/discover"]);
}

#[tokio::test]
async fn subscriptions_have_a_bound_and_give_their_place_back() {
    let server = session();
    let client = Client::builder().connect(server.connector()).await.unwrap();
    let mut open = Vec::new();
    let error = loop {
        match client.changes().await {
            Ok(changes) => open.push(changes),
            Err(error) => break error,
        }
    };
    assert_eq!((open.len(), error.kind()), (128, ErrorKind::Config), "{error}");
    open.pop();
    open.push(client.changes().await.unwrap());
}

#[tokio::test]
async fn whoever_screens_subscriptions_decides_on_each_resource_before_the_server_is_asked() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let server = MockServer::builder()
            .revisions([revision])
            .resource(Resource::new("note://1", "one"), ResourceContents::text("note://1", "x"))
            .subscriptions()
            .build();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&asked);
        let builder = Client::builder().screen_subscriptions(move |call: Call| {
            let name = call.name().unwrap_or_default().to_owned();
            assert!(call.method() == "resources/subscribe" && call.server().is_some());
            let is_secret = name.starts_with("secret://");
            hears.lock().unwrap().push(name);
            async move { if is_secret { Err(Error::denied("it is secret")) } else { Ok(()) } }
        });
        let client = builder.connect(server.connector()).await.unwrap();
        let both = SubscriptionFilter::new().with_resource_subscriptions(["note://1", "secret://2"].map(String::from));
        assert_eq!(client.listen(both).await.unwrap_err().kind(), ErrorKind::Denied);
        let asks = |server: &MockServer| {
            let asks = server.received();
            asks.iter().filter(|request| ["resources/subscribe", LISTEN].contains(&request.method())).count()
        };
        assert_eq!(asks(&server), 0);
        let _watched = client.subscribe("note://1").await.unwrap();
        assert_eq!(asks(&server), 1);
        assert_eq!(*asked.lock().unwrap(), ["note://1", "secret://2", "note://1"]);
    }
}
