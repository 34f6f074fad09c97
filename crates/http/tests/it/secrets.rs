//! What was given in confidence stays so, in logs too.

use bowline_http::{AuthRequest, Authorize, Challenge, HttpConnect, Retry};
use bowline_testkit::Captured;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{BoxFuture, Connect, TransportError};

use crate::peer::{answering, call, connect, dull, open_with, shake};

/// All that was given in confidence, and the session id, which the tests' server gives as a secret too.
fn with_secrets(url: &str) -> HttpConnect {
    let url = format!("{url}?key=q-SECRET-5").replace("http://", "http://u:pw-SECRET-4@");
    let settings = HttpConnect::new(&url).unwrap().bearer("tok-SECRET-1").unwrap();
    settings.header("x-api-key".parse().unwrap(), "k-SECRET-2".parse().unwrap())
}

#[tokio::test]
async fn case_security_010_h_36_no_secret_is_in_logs_errors_or_debug() {
    let log = Captured::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.writer()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    // A session with an answer, a stream that breaks and is resumed, a stream of its own, and an end.
    let server = HttpServer::start(|request| async move {
        match (request.method.as_str(), request.header("last-event-id"), request.json()["id"].as_i64()) {
            ("GET", "e1", _) => Reply::events().data("data: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n\n"),
            ("GET", ..) => Reply::events().hold(),
            ("POST", _, Some(3)) => Reply::events().data("retry: 1\nid: e1\ndata:\n\n").cut(),
            _ => dull(&request).unwrap_or_else(|| Reply::result(&request, "{}")),
        }
    })
    .await
    .unwrap();
    let settings = with_secrets(&server.url("/mcp"));
    let transport = open_with(&settings).await;
    server.wait_for(|request| request.method == "GET").await;
    call(&*transport, 2).await.unwrap();
    call(&*transport, 3).await.unwrap();
    transport.close().await.unwrap();
    let mut shown = vec![format!("{settings:?} {}", settings.describe())];

    // Servers that refuse, forget, redirect and vanish, and echo all that came with the request.
    for (status, echoes) in
        [(200, true), (307, false), (401, true), (403, true), (404, false), (429, true), (500, true)]
    {
        let server = answering(move |request| {
            let echo = format!("you sent {} u:pw-SECRET-4 {:?}", request.path, request.headers);
            let reply = Reply::status(status).with("content-type", "text/tok-SECRET-1");
            reply.with("location", "/tok-SECRET-1?key=SECRET").body(echo)
        })
        .await;
        let transport = open_with(&with_secrets(&server.url("/mcp"))).await;
        let error = call(&*transport, 2).await.unwrap_err();
        assert_eq!(error.to_string().contains("you sent /mcp?key=(hidden) (hidden) "), echoes, "{error}");
        shown.push(format!("{error} {error:?}"));
        transport.close().await.unwrap();
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let error = shake(&*connect(&with_secrets(&url)).await).await.unwrap_err();
    shown.push(format!("{error} {error:?}"));

    for text in shown {
        assert!(!text.contains("SECRET"), "{text}");
    }
    let log = log.text();
    // The log is not just empty.
    assert!(log.contains("bowline_http"), "{log}");
    let lines: Vec<_> = log.lines().filter(|line| line.contains("SECRET")).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}

#[tokio::test]
async fn case_security_010_a_stream_that_echoes_secrets_shows_none_in_its_error() {
    let server = answering(|request| {
        let echo = format!("event: error\ndata: you sent {} {:?}\n\n", request.path, request.headers);
        Reply::events().data(echo)
    })
    .await;
    for settings in [
        with_secrets(&server.url("/mcp")),
        // A token that is given for each request.
        HttpConnect::new(&server.url("/mcp")).unwrap().authorize(std::sync::Arc::new(Token)),
    ] {
        let error = call(&*open_with(&settings).await, 2).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("you sent /mcp") && !text.contains("SECRET"), "{text}");
    }
}

#[derive(Debug)]
struct Token;

impl Authorize for Token {
    fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            request.headers.insert("authorization", "Bearer tok-SECRET-9".parse().unwrap());
            Ok(())
        })
    }

    fn challenged<'a>(&'a self, _: Challenge<'a>) -> BoxFuture<'a, Result<Retry, TransportError>> {
        Box::pin(async { Ok(Retry::GiveUp) })
    }
}
