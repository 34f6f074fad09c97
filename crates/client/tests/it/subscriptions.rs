//! Subscriptions of both eras: over a byte stream, over a transport whose streams break alone, and in a session.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::{Change, Client, Error, ErrorKind, Event, Events, Reconnect, Subscription, SubscriptionEnd};
use bowline_protocol::frame::{Incoming, Message, decode};
use bowline_protocol::{Resource, ResourceContents, Revision, SubscriptionFilter};
use bowline_testkit::{Journal, MockServer, Script};
use bowline_transport::{
    BoxFuture, Connect, Exchange, ExchangeSource, Fault, Inbound, InboundSender, Sent, Transport, TransportError,
    TransportErrorKind, WireMessage, WireRequest,
};
use serde_json::{Value, json};
use tokio::time::Instant;

const LISTEN: &str = "subscriptions/listen";
const ID: &str = "io.modelcontextprotocol/subscriptionId";

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
async fn su_01_su_03_events_are_sorted_by_the_id_with_its_type_and_by_what_was_granted() {
    let script =
        modern().expect(LISTEN).says(&[acknowledged(2, &json!({ "toolsListChanged": true }))]).expect(LISTEN).says(&[
            updated(2, "note://not-asked"),
            notification("tools/list_changed", &json!("2"), json!({})),
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

// A transport whose streams break alone, as those of HTTP do.

/// What the `n`-th subscription gets, by its id; after that its stream stays open.
type Stream = dyn Fn(usize, i64) -> Vec<Result<Value, TransportError>> + Send + Sync;

#[derive(Clone)]
struct Web {
    stream: Arc<Stream>,
    seen: Arc<Mutex<Vec<i64>>>,
    dropped: Arc<Mutex<Vec<i64>>>,
}

impl Web {
    fn new(stream: impl Fn(usize, i64) -> Vec<Result<Value, TransportError>> + Send + Sync + 'static) -> Self {
        Self { stream: Arc::new(stream), seen: Arc::default(), dropped: Arc::default() }
    }

    async fn client(&self) -> Client {
        Client::builder().revision(Revision::V2026_07_28).connect(self.clone()).await.unwrap()
    }

    fn seen(&self) -> Vec<i64> {
        self.seen.lock().unwrap().clone()
    }
}

impl Connect for Web {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        let (sender, inbound) = Inbound::channel(8);
        let line = Line { web: self.clone(), inbound: Mutex::new(Some(inbound)), sender: Mutex::new(Some(sender)) };
        Box::pin(async { Ok(Box::new(line) as Box<dyn Transport>) })
    }

    fn describe(&self) -> String {
        "the web".into()
    }
}

struct Line {
    web: Web,
    inbound: Mutex<Option<Inbound>>,
    sender: Mutex<Option<InboundSender>>,
}

struct Said {
    id: i64,
    messages: VecDeque<Result<Message, TransportError>>,
    dropped: Arc<Mutex<Vec<i64>>>,
}

impl ExchangeSource for Said {
    fn poll_message(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
        self.messages.pop_front().map_or(Poll::Pending, |message| Poll::Ready(Some(message)))
    }

    fn cancel(&mut self, _: &str) {
        self.dropped.lock().unwrap().push(self.id);
    }
}

impl Transport for Line {
    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        let bowline_protocol::RequestId::Number(id) = request.id else { panic!("{:?}", request.id) };
        let said = if request.routing.method == LISTEN {
            let mut seen = self.web.seen.lock().unwrap();
            seen.push(id);
            (self.web.stream)(seen.len(), id)
        } else {
            vec![Ok(json!({ "jsonrpc": "2.0", "id": id, "result": discovered() }))]
        };
        let message = |value: Value| match decode(&value.to_string().into()).unwrap() {
            Incoming::Message(message) => message,
            Incoming::Batch(_) => panic!("a batch"),
        };
        let messages = said.into_iter().map(|item| item.map(message)).collect();
        let said = Said { id, messages, dropped: Arc::clone(&self.web.dropped) };
        Box::pin(async { Ok(Exchange::new(said)) })
    }

    fn send(&self, message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>> {
        panic!("over this transport nothing is sent but requests: {message:?}")
    }

    fn take_inbound(&self) -> Option<Inbound> {
        self.inbound.lock().unwrap().take()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        self.sender.lock().unwrap().take();
        Box::pin(async { Ok(()) })
    }
}

fn broken() -> TransportError {
    TransportError::new(TransportErrorKind::Closed, "the stream broke").with_sent(Sent::Yes)
}

#[tokio::test(start_paused = true)]
async fn su_05_a_stream_that_breaks_is_asked_for_once_more_with_a_new_id() {
    let web = Web::new(|nth, id| match nth {
        1 => vec![
            Ok(acknowledged(id, &json!({ "toolsListChanged": true, "resourceSubscriptions": ["note://1"] }))),
            // Inside of the exchange the id may be missing, and may not be another.
            Ok(json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" })),
            Ok(updated(id + 1, "note://1")),
            Err(broken()),
        ],
        _ => vec![Ok(acknowledged(id, &json!({ "toolsListChanged": true }))), Ok(updated(id, "note://1"))],
    });
    let client = web.client().await;
    let mut events = client.events();
    let mut changes = client.listen(with_resource(tools(), "note://1")).await.unwrap();
    assert!(changes.refused().is_empty());
    assert_eq!((changes.next().await, changes.next().await), (Some(Change::Tools), Some(Change::Resumed)));
    assert_eq!(changes.refused(), with_resource(SubscriptionFilter::new(), "note://1"), "less than before");
    assert_eq!(fault(&mut events).await, unasked("resources/updated", 1));
    assert_eq!(fault(&mut events).await, unasked("resources/updated", 2));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(web.seen(), [2, 3]);
    // SU-06: the stream is closed, and no message says so: `send` would panic.
    drop(changes);
    tokio::task::yield_now().await;
    assert_eq!(*web.dropped.lock().unwrap(), [3]);
}

#[tokio::test(start_paused = true)]
async fn su_05_a_result_is_not_followed_by_another_request() {
    let web = Web::new(|_, id| vec![Ok(acknowledged(id, &json!({ "toolsListChanged": true }))), Ok(ended(id))]);
    let client = web.client().await;
    let mut changes = client.listen(tools()).await.unwrap();
    assert_eq!(changes.next().await, None);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(web.seen(), [2]);
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Server)));
}

/// How many requests a kind of end leads to in an hour, and the subscription after it.
async fn hour(
    stream: impl Fn(usize, i64) -> Vec<Result<Value, TransportError>> + Send + Sync + 'static,
) -> (usize, Subscription) {
    let web = Web::new(stream);
    let client = web.client().await;
    let changes = client.listen(tools()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let seen = web.seen();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    (seen.len(), changes)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_the_stream_at_once_for_ever_is_not_stormed() {
    let granted = |id| Ok(acknowledged(id, &json!({ "toolsListChanged": true })));
    let (count, mut changes) = hour(move |_, id| vec![granted(id), Err(broken())]).await;
    assert!((100..300).contains(&count), "{count} requests in an hour");
    assert_eq!(changes.next().await, Some(Change::Resumed), "and told once, however often");

    let error = |code: i64| {
        move |id: i64| Ok(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": "no" } }))
    };
    let busy = error(-32603);
    let (count, _) =
        hour(move |nth, id| if nth == 1 { vec![granted(id), Err(broken())] } else { vec![busy(id)] }).await;
    assert!((100..300).contains(&count), "{count} requests in an hour");

    // What another try would not change is the end.
    let unknown = error(-32601);
    let (count, mut changes) =
        hour(move |nth, id| if nth == 1 { vec![granted(id), Err(broken())] } else { vec![unknown(id)] }).await;
    assert_eq!((count, changes.next().await), (2, None));
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Refused(error)) if error.kind() == ErrorKind::Server));

    // No acknowledgement the second time: each try takes its minute.
    let (count, _) = hour(move |nth, id| if nth == 1 { vec![granted(id), Err(broken())] } else { Vec::new() }).await;
    assert!((30..70).contains(&count), "{count} requests in an hour");
}

// In a session.

fn session() -> MockServer {
    MockServer::builder()
        .resource(Resource::new("note://1", "one"), ResourceContents::text("note://1", "x"))
        .resource(Resource::new("note://2", "two"), ResourceContents::text("note://2", "x"))
        .subscriptions()
        .build()
}

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
