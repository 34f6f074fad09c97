//! Upgrades that lead nowhere.

use std::net::TcpListener;
use std::time::Duration;

use bowline_testkit::websocket::Upgrade;
use bowline_transport::TransportErrorKind;
use bowline_websocket::WebSocketConnect;

use crate::support::{literal, refusal, upgrading};

#[tokio::test]
async fn case_websocket_003_a_refused_upgrade_gives_its_status_and_what_to_do() {
    use TransportErrorKind::{Connect, NotFound, Protocol, Unauthorized};

    for (line, kind, says) in [
        ("401 Unauthorized", Unauthorized, "bearer_token"),
        ("403 Forbidden", Unauthorized, "do not suffice"),
        ("404 Not Found", NotFound, "correct the URL"),
        ("426 Upgrade Required", Protocol, "status 426"),
        ("200 OK", Protocol, "no WebSocket"),
        ("503 Service Unavailable", Connect, "try again later"),
    ] {
        let body = "<html>\u{1b}[2Jtoken tok-SECRET-1 is unknown</html>";
        let answer =
            format!("HTTP/1.1 {line}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let connect = WebSocketConnect::new(literal(answer)).bearer_token("tok-SECRET-1");
        let error = refusal(&connect).await;
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(says) && text.contains("is unknown"), "{text}");
        assert!(!text.contains(['\u{1b}', '\n']) && !text.contains("SECRET"), "{text}");
        assert_eq!(error.status(), line.split(' ').next().unwrap().parse().ok());
    }
    let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    let error = refusal(&WebSocketConnect::new(literal(answer))).await;
    assert_eq!((error.kind(), error.retry_after()), (Connect, Some(Duration::from_secs(7))));
    assert!(error.to_string().ends_with("try again in 7 s"), "{error}");
}

#[tokio::test]
async fn a_page_without_an_end_is_cut() {
    let page = format!("HTTP/1.1 500 Oops\r\nContent-Length: 100000000\r\n\r\n{}", "page ".repeat(20_000));
    let error = refusal(&WebSocketConnect::new(literal(page))).await;
    assert_eq!(error.status(), Some(500));
    assert!(error.to_string().len() < 600, "{error}");
    // One that stops coming is not waited for.
    let error =
        refusal(&WebSocketConnect::new(literal("HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf of"))).await;
    assert!(error.to_string().contains("half of"), "{error}");
}

#[tokio::test]
async fn case_security_001_a_redirect_is_shown_and_not_followed() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: ws://u:p-SECRET@{address}/x?k=SECRET\r\nContent-Length: 0\r\n\r\n"
    );
    let error = refusal(&WebSocketConnect::new(literal(answer)).header("x-api-key", "k-SECRET-2")).await;
    assert_eq!(error.status(), Some(307));
    let text = error.to_string();
    assert!(text.contains(&format!("ws://{address}")) && !text.contains("SECRET"), "{text}");
    // Nobody has come to the other place.
    other.set_nonblocking(true).unwrap();
    other.accept().expect_err("the redirect was followed");
}

#[tokio::test]
async fn case_http_015_a_redirect_to_another_path_is_named() {
    let answer = "HTTP/1.1 308 Permanent Redirect\r\nLocation: /v2/mcp?key=SECRET\r\nContent-Length: 0\r\n\r\n";
    let text = refusal(&WebSocketConnect::new(literal(answer))).await.to_string();
    assert!(text.contains("the path /v2/mcp of this server") && !text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_recognised() {
    let error = refusal(&WebSocketConnect::new(literal("SSH-2.0-OpenSSH_9.9\r\n\r\n"))).await;
    assert_eq!(error.kind(), TransportErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("no HTTP"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_named() {
    let error = refusal(&WebSocketConnect::new(upgrading(Upgrade::HangUp))).await;
    assert_eq!(error.kind(), TransportErrorKind::Connect, "{error}");
    assert!(error.to_string().contains("hung up"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_the_upgrade_is_a_timeout() {
    let connect = WebSocketConnect::new(upgrading(Upgrade::Never)).connect_timeout(Duration::from_millis(200));
    let error = refusal(&connect).await;
    assert_eq!(error.kind(), TransportErrorKind::Timeout);
    assert!(error.to_string().contains("within 200ms"), "{error}");
}

#[tokio::test]
async fn a_switch_to_something_else_is_no_upgrade() {
    for headers in [
        "",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: b3RoZXI=\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n",
    ] {
        let error = refusal(&WebSocketConnect::new(literal(format!("HTTP/1.1 101 Switching\r\n{headers}\r\n")))).await;
        assert_eq!(error.kind(), TransportErrorKind::Protocol, "{headers}: {error}");
    }
}

#[tokio::test]
async fn a_subprotocol_that_was_not_offered_is_no_upgrade() {
    let error = refusal(&WebSocketConnect::new(upgrading(Upgrade::Subprotocol("graphql-ws".to_owned())))).await;
    assert_eq!(error.kind(), TransportErrorKind::Protocol);
    assert!(error.to_string().contains("not offered"), "{error}");
}

#[tokio::test]
async fn a_head_without_an_end_is_refused() {
    let error =
        refusal(&WebSocketConnect::new(literal(format!("HTTP/1.1 101 Switching\r\nX: {}", "x".repeat(1 << 20))))).await;
    assert_eq!(error.kind(), TransportErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_said_at_the_connect() {
    let connect = WebSocketConnect::new("ws://127.0.0.1:1/");
    for connect in [
        WebSocketConnect::new("http://127.0.0.1:1/"),
        connect.clone().header("sec-websocket-key", "x"),
        connect.clone().header("host", "other"),
        connect.clone().header("a name", "x"),
        connect.clone().bearer_token("two\nlines-SECRET"),
        connect.clone().bearer_token("t").bearer_token(" "),
    ] {
        let error = refusal(&connect).await;
        assert_eq!(error.kind(), TransportErrorKind::Config, "{error}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
    }
    assert_eq!(refusal(&connect).await.kind(), TransportErrorKind::Connect);
}
