//! Finding out which era a server is of (basic/versioning).

use std::sync::Arc;
use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::{Era, Revision};
use bowline::transport::{Connect, WrapConnect};
use bowline::{Eras, Target};
use bowline_testkit::Script;
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};
use serde_json::json;

use super::discovered;
use crate::support::{Child, everything, received, within};

/// An older server over HTTP that answers the newer question in some way of its own.
async fn older(answer: impl Fn(&HttpRequest) -> Reply + Send + Sync + 'static) -> HttpServer {
    let answer = Arc::new(answer);
    HttpServer::start(move |request: HttpRequest| {
        let answer = Arc::clone(&answer);
        async move {
            match request.rpc_method().as_str() {
                "server/discover" => answer(&request),
                "initialize" => Reply::result(
                    &request,
                    json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "o", "version": "1"}}),
                ),
                "ping" => Reply::result(&request, "{}"),
                _ if request.method == "POST" => Reply::status(202),
                _ => Reply::status(405),
            }
        }
    })
    .await
    .unwrap()
}

fn asked(server: &HttpServer, method: &str) -> usize {
    server.requests().iter().filter(|request| request.rpc_method() == method).count()
}

#[tokio::test]
async fn case_lifecycle_010() {
    type Answer = fn(&HttpRequest) -> Reply;
    let answers: [Answer; 5] = [
        |_| {
            Reply::json(
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Bad Request: Missing session ID"}}"#,
            )
            .code(400)
        },
        |_| Reply::json(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid params"}}"#).code(400),
        |_| Reply::status(400).body("Unsupported protocol version: 2026-07-28"),
        |_| Reply::status(404),
        |request| {
            let id = &request.json()["id"];
            Reply::json(json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "Method not found"}}))
        },
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let server = older(answer).await;
        let client = within(bowline::connect(&server.url("/mcp"))).await.unwrap();
        assert_eq!(client.server().revision, Revision::V2025_06_18, "answer {at}");
        within(client.ping()).await.unwrap();
        within(client.close()).await.unwrap();
        assert_eq!((asked(&server, "server/discover"), asked(&server, "initialize")), (1, 1), "answer {at}");
    }
}

#[tokio::test]
async fn l_18_a_400_with_an_error_of_the_newer_era_is_no_sign_of_an_older_server() {
    let server = older(|request| {
        let error = json!({"code": -32022, "message": "no", "data": {"supported": ["2031-01-01"]}});
        Reply::json(json!({"jsonrpc": "2.0", "id": request.json()["id"], "error": error})).code(400)
    })
    .await;
    let error = within(Client::builder().connect(Target::parse(&server.url("/mcp")).unwrap())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert!(error.to_string().contains("2031-01-01"), "{error}");
    assert_eq!(asked(&server, "initialize"), 0);
}

#[tokio::test(start_paused = true)]
async fn l_16_a_silent_server_is_asked_the_older_question_in_the_same_process() {
    let script =
        Script::new().expect("server/discover").handshake("2025-11-25", everything()).expect("ping").reply(json!({}));
    let (connector, journal) = script.connector();
    let client = within(Client::builder().connect(connector)).await.unwrap();
    assert_eq!(client.server().revision, Revision::V2025_11_25);
    within(client.ping()).await.unwrap();
    assert_eq!(journal.connections(), 1);
    let ids: Vec<_> = journal.lines().iter().filter_map(|line| line.id().cloned()).collect();
    assert_eq!(ids, [0, 1, 2].map(bowline::protocol::RequestId::from));
    assert!(received(&journal, "notifications/cancelled").is_empty(), "the handshake is never cancelled");
}

#[tokio::test(start_paused = true)]
async fn l_16_a_server_that_starts_slowly_is_found_to_be_a_newer_one() {
    let late = json!({"jsonrpc": "2.0", "id": 0, "result": discovered(everything())}).to_string();
    let script = Script::new()
        .expect("server/discover")
        .expect("initialize")
        .send(late)
        .reply_error(-32022, "connection is serving 2026-07-28")
        .expect("tools/list")
        .reply(json!({"resultType": "complete", "tools": []}));
    let (connector, journal) = script.connector();
    let client = within(Client::builder().connect(connector)).await.unwrap();
    assert_eq!(client.server().revision, Revision::V2026_07_28);
    assert!(within(client.tools().all()).await.unwrap().is_empty());
    assert!(received(&journal, "notifications/initialized").is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn l_16_a_server_that_ends_at_the_question_is_started_again_and_asked_the_older_one() {
    let child = Child::shell(
        r#"while read -r line; do
            case "$line" in
                *server/discover*) exit 1 ;;
                *initialize\"*) echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-03-26","capabilities":{},"serverInfo":{"name":"w","version":"1"}}}' ;;
            esac
        done"#,
    );
    let client = within(Client::builder().connect(child.connect.clone())).await.unwrap();
    assert_eq!(client.server().revision, Revision::V2025_03_26);
    within(client.close()).await.unwrap();
    child.gone().await;
}

// Such are servers of the first Python SDKs: the question breaks their reader, and they end at the line after it.
#[cfg(unix)]
#[tokio::test]
async fn l_16_a_server_that_ends_only_after_the_question_is_started_again_too() {
    let child = Child::shell(
        r#"read -r line
        case "$line" in
            *server/discover*) read -r line; exit 1 ;;
        esac
        echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"w","version":"1"}}}'
        while read -r line; do :; done"#,
    );
    let timeouts = Timeouts::default().with_probe(Duration::from_millis(20));
    let client = within(Client::builder().timeouts(timeouts).connect(child.connect.clone())).await.unwrap();
    assert_eq!(client.server().revision, Revision::V2024_11_05);
    within(client.close()).await.unwrap();
    child.gone().await;
}

/// A server with a name.
struct Named<C>(C, &'static str);

impl<C: Connect> WrapConnect for Named<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.0
    }

    fn identity(&self) -> Option<String> {
        Some(self.1.to_owned())
    }
}

#[tokio::test]
async fn l_19_the_second_connection_to_an_older_server_asks_no_question() {
    let eras = Eras::new();
    for probes in [1, 0] {
        let script = Script::new().handshake("2025-11-25", json!({})).expect("ping").reply(json!({}));
        let (connector, journal) = script.connector();
        let client = within(Client::builder().eras(eras.clone()).connect(Named(connector, "a"))).await.unwrap();
        within(client.ping()).await.unwrap();
        assert_eq!(received(&journal, "server/discover").len(), probes);
        assert_eq!(eras.entries(), [(String::from("a"), Era::Handshake)]);
    }
    // The server was replaced by a newer one.
    let script = Script::new()
        .expect("initialize")
        .reply_error(-32601, "no")
        .expect("server/discover")
        .reply(discovered(json!({})));
    let (connector, _) = script.connector();
    let client = within(Client::builder().eras(eras.clone()).connect(Named(connector, "a"))).await.unwrap();
    assert_eq!(client.server().revision, Revision::V2026_07_28);
    assert_eq!(eras.get("a"), Some(Era::Stateless));
}

#[tokio::test]
async fn l_15_a_revision_that_is_asked_for_is_spoken_or_none() {
    let script = Script::new().expect("server/discover").reply_error(-32601, "Method not found").hang();
    let (connector, journal) = script.connector();
    let error = within(Client::builder().revision(Revision::V2026_07_28).connect(connector)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert_eq!(journal.methods(), ["server/discover"]);

    let (connector, journal) = Script::new().handshake("2025-11-25", json!({})).connector();
    let _client = within(Client::builder().revision(Revision::V2025_11_25).connect(connector)).await.unwrap();
    within(journal.wait_for_method("notifications/initialized")).await;
    assert_eq!(journal.methods(), ["initialize", "notifications/initialized"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_neither_question_has_the_limit_of_any_connection() {
    let (connector, journal) = Script::new().hang().connector();
    let timeouts = Timeouts::default().with_connect(Duration::from_secs(20)).with_probe(Duration::from_secs(1));
    let error = Client::builder().timeouts(timeouts).connect(connector).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(journal.methods(), ["server/discover", "initialize"]);
}
