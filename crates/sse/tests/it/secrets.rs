//! What was given in confidence stays so, in logs too.

use std::time::Duration;

use bowline_sse::SseConnect;
use bowline_testkit::Captured;
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};
use bowline_transport::Connect;

use crate::cases::{failure, ping};

/// All that was given in confidence.
fn with_secrets(url: &str) -> SseConnect {
    let url = format!("{url}?key=q-SECRET-5").replace("http://", "http://u:pw-SECRET-4@");
    let settings = SseConnect::new(&url).unwrap().bearer("tok-SECRET-1").unwrap();
    settings.header("x-api-key".parse().unwrap(), "k-SECRET-2".parse().unwrap())
}

/// A refusal that echoes all that came with the request.
fn refusal(request: &HttpRequest, status: u16) -> Reply {
    let echo = format!("{} u:pw-SECRET-4 {:?}", request.path, request.headers);
    Reply::status(status).with("content-type", "text/tok-SECRET-1").with("location", "/x?key=SECRET").body(echo)
}

#[tokio::test]
async fn case_security_010_what_was_confided_is_hidden_in_what_the_stream_brings_and_is_no_message() {
    let server = HttpServer::start(|request| async move {
        if request.method == "POST" {
            return Reply::status(202);
        }
        let said = "token tok-SECRET-1 is unknown, and so are u:pw-SECRET-4, k-SECRET-2, q-SECRET-5, s SECRET-6";
        let events = format!("event: endpoint\ndata: /message?sessionId=s%20SECRET-6\n\ndata: {said}\n\n");
        Reply::events().data(events).hold()
    })
    .await
    .unwrap();
    let transport = with_secrets(&server.url("/sse")).connect().await.unwrap();
    let fault = format!("{:?}", transport.take_inbound().unwrap().next().await);
    let noise = transport.noise(None).unwrap();
    for text in [fault, noise.to_string(), format!("{noise:?}")] {
        assert!(text.contains("token (hidden) is unknown") && !text.contains("SECRET"), "{text}");
    }
}

#[tokio::test]
async fn case_security_010_h_36_no_secret_is_in_logs_errors_or_debug() {
    let log = Captured::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.writer()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut shown = Vec::new();

    // A session whose id is a secret as well: a message is accepted, one is refused, and the stream breaks.
    for status in [202, 307, 401, 404, 500] {
        let server = HttpServer::start(move |request| async move {
            if request.method == "POST" {
                return refusal(&request, status);
            }
            let endpoint = Reply::events().data("event: endpoint\ndata: /message?sessionId=s-SECRET-6\n\n");
            if status == 202 { endpoint.wait(Duration::from_millis(100)).cut() } else { endpoint.hold() }
        })
        .await
        .unwrap();
        let settings = with_secrets(&server.url("/sse"));
        let transport = settings.connect().await.unwrap();
        let error = failure(ping(&*transport, 1).await.unwrap()).await;
        transport.close().await.unwrap();
        shown.push(format!("{settings:?} {} {error} {error:?}", settings.describe()));
    }

    // Servers that give no stream, or lead elsewhere with it.
    for status in [200, 307, 401, 404, 500] {
        let server = HttpServer::start(move |request| async move { refusal(&request, status) }).await.unwrap();
        let error = with_secrets(&server.url("/sse")).connect().await.err().unwrap();
        shown.push(format!("{error} {error:?}"));
    }
    let server = HttpServer::start(|_| async {
        Reply::events().data("event: endpoint\ndata: http://u:pw-SECRET-7@evil.example/m?key=SECRET\n\n").hold()
    })
    .await
    .unwrap();
    let error = with_secrets(&server.url("/sse")).connect().await.err().unwrap();
    assert!(error.to_string().contains("evil.example"), "{error}");
    shown.push(format!("{error} {error:?}"));
    let url = server.url("/sse");
    drop(server);
    let error = with_secrets(&url).connect().await.err().unwrap();
    shown.push(format!("{error} {error:?}"));

    for text in shown {
        assert!(!text.contains("SECRET"), "{text}");
    }
    let log = log.text();
    // The log is not just empty.
    assert!(log.contains("bowline_"), "{log}");
    let lines: Vec<_> = log.lines().filter(|line| line.contains("SECRET")).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}
