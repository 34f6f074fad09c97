//! Subscriptions of 2026-07-28 over HTTP: a stream for each, and its end.

use bowline::http::HttpConnect;
use bowline::prelude::*;
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};
use serde_json::{Value, json};

use crate::support::within;

/// One event of a stream, with the id of the request that it answers.
fn event(request: &HttpRequest, method: &str, mut params: Value) -> String {
    params["_meta"] = json!({ "io.modelcontextprotocol/subscriptionId": request.json()["id"] });
    let message = json!({ "jsonrpc": "2.0", "method": format!("notifications/{method}"), "params": params });
    format!("data: {message}\n\n")
}

/// A server that says this much to the `n`-th subscription, from 1, and then does what the flag says: cut the stream
/// or hold it.
async fn server(stream: impl Fn(usize, &HttpRequest) -> (String, bool) + Send + Sync + 'static) -> HttpServer {
    let listens = std::sync::atomic::AtomicUsize::new(0);
    let started = HttpServer::start(move |request| {
        let reply = match request.rpc_method().as_str() {
            "server/discover" => Reply::result(
                &request,
                json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": { "listChanged": true } } }),
            ),
            "subscriptions/listen" => {
                let nth = listens.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                let (said, cut) = stream(nth, &request);
                let reply = Reply::events().data(said);
                if cut { reply.cut() } else { reply.hold() }
            }
            _ => Reply::result(&request, json!({ "tools": [] })),
        };
        async { reply }
    });
    started.await.unwrap()
}

fn acknowledged(request: &HttpRequest) -> String {
    event(request, "subscriptions/acknowledged", json!({ "notifications": { "toolsListChanged": true } }))
}

fn changed(request: &HttpRequest) -> String {
    event(request, "tools/list_changed", json!({}))
}

async fn client(server: &HttpServer) -> Client {
    let connect = HttpConnect::new(&server.url("/mcp")).unwrap();
    within(Client::builder().revision(Revision::V2026_07_28).connect(connect)).await.unwrap()
}

fn of<'r>(requests: &'r [HttpRequest], method: &str) -> Vec<&'r HttpRequest> {
    requests.iter().filter(|request| request.rpc_method() == method).collect()
}

#[tokio::test]
async fn su_05_r_02_a_stream_that_is_cut_is_opened_once_more_with_a_new_id() {
    let server = server(|nth, request| (acknowledged(request) + &changed(request), nth == 1)).await;
    let client = client(&server).await;
    let mut events = client.events();
    let mut changes = within(client.changes()).await.unwrap();
    for expected in [Change::Tools, Change::Resumed, Change::Tools] {
        assert_eq!(within(changes.next()).await, Some(expected));
    }
    for _ in 0..2 {
        assert!(matches!(within(events.next()).await, Some(Event::ToolsChanged)));
    }
    // The stream is open, and other calls go on beside it.
    assert!(within(client.tools().all()).await.unwrap().is_empty());
    within(client.close()).await.unwrap();
    let requests = server.requests();
    let listens = of(&requests, "subscriptions/listen");
    assert_eq!(listens.len(), 2);
    assert_ne!(listens[0].json()["id"], listens[1].json()["id"]);
    assert_eq!(listens[0].json()["params"], listens[1].json()["params"]);
    assert_eq!(listens[0].header("mcp-method"), "subscriptions/listen");
    assert!(requests.iter().all(|request| request.method == "POST"), "no GET for what comes unasked");
}

#[tokio::test]
async fn su_06_a_drop_closes_the_stream_and_sends_nothing() {
    let server = server(|_, request| (acknowledged(request), false)).await;
    let client = client(&server).await;
    drop(within(client.changes()).await.unwrap());
    assert!(within(client.tools().all()).await.unwrap().is_empty());
    within(client.close()).await.unwrap();
    assert!(of(&server.requests(), "notifications/cancelled").is_empty());
    assert_eq!(of(&server.requests(), "subscriptions/listen").len(), 1);
}

#[tokio::test]
async fn case_resources_005_over_http_an_answer_is_the_end_in_order() {
    let server = server(|_, request| {
        let ended = json!({ "jsonrpc": "2.0", "id": request.json()["id"], "result": { "resultType": "complete" } });
        (acknowledged(request) + &changed(request) + &format!("data: {ended}\n\n"), true)
    })
    .await;
    let client = client(&server).await;
    let filter = SubscriptionFilter::new().with_tools_list_changed(true);
    let mut changes = within(client.listen(filter.with_resource_subscriptions(["x://1".to_owned()]))).await.unwrap();
    assert_eq!(changes.refused().resource_subscriptions.as_deref(), Some(&["x://1".to_owned()][..]));
    assert_eq!(within(changes.next()).await, Some(Change::Tools));
    assert_eq!(within(changes.next()).await, None);
    assert!(matches!(changes.ended(), Some(bowline::SubscriptionEnd::Server)));
}

#[tokio::test]
async fn a_status_that_refuses_is_an_error() {
    let server = HttpServer::start(|request| async move {
        match request.rpc_method().as_str() {
            "server/discover" => {
                let capabilities = json!({ "tools": { "listChanged": true } });
                Reply::result(&request, json!({ "supportedVersions": ["2026-07-28"], "capabilities": capabilities }))
            }
            _ => Reply::status(401),
        }
    });
    let server = server.await.unwrap();
    let error = within(client(&server).await.changes()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
}
