//! What was given in confidence stays so.

use std::io::Write;
use std::thread::{self, ThreadId};

use bowline_testkit::websocket::MockWebSocket;
use bowline_testkit::{Captured, MockServer};
use bowline_transport::Connect;
use bowline_websocket::WebSocketConnect;

use crate::support::{literal, ping, refusal, within};

/// What libraries log on this test's thread by the older way.
struct Log(Captured, ThreadId);

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if thread::current().id() == self.1 {
            let _ = writeln!(self.0.clone(), "{} {}", record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn case_security_010_no_secret_is_in_logs_errors_or_debug() {
    let captured = Captured::default();
    log::set_boxed_logger(Box::new(Log(captured.clone(), thread::current().id()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(captured.writer()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let server = MockWebSocket::new(MockServer::builder().build()).start().unwrap();
    let with_secrets =
        |url: String| WebSocketConnect::new(url).bearer_token("tok-SECRET-1").header("x-api-key", "k-SECRET-2");
    let connect = with_secrets(server.url("/mcp?key=q-SECRET-5"));
    let transport = within(connect.connect()).await.unwrap();
    ping(&*transport, 1).await.unwrap();
    within(transport.close()).await.unwrap();

    let echo = "no: tok-SECRET-1, Bearer tok-SECRET-1, k-SECRET-2, q-SECRET-5";
    let answer = format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n{echo}", echo.len());
    let error = refusal(&with_secrets(literal(answer))).await;
    let bad = WebSocketConnect::new("ws://u:pw-SECRET-4@h/mcp");
    let shown = [
        format!("{connect:?} {}", connect.describe()),
        format!("{transport:p} {error} {error:?}"),
        format!("{bad:?} {} {}", bad.describe(), refusal(&bad).await),
    ];
    for text in shown {
        assert!(!text.contains("SECRET"), "{text}");
    }
    let log = captured.text();
    // The log is not just empty: the codec tells much.
    assert!(log.contains("tungstenite"), "{log}");
    let lines: Vec<_> = log.lines().filter(|line| line.contains("SECRET")).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}
