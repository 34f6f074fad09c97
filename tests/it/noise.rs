//! What a server says that is of no use to anybody stands in the errors of those who waited for an answer.

use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::ErrorCode;
use bowline::transport::Fault;
use bowline_testkit::Script;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Child, ScriptExt, connect, faults, ping_times, rest, server, soon, text, with_handshake, within};

const UNREADABLE: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;

fn initialized() -> serde_json::Value {
    json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" } })
}

/// The error of a connection that does not come about.
async fn refused(script: Script) -> Error {
    let (connector, _) = script.connector();
    within(with_handshake().connect(connector)).await.expect_err("there is no answer")
}

// Duty: J-13
#[tokio::test(start_paused = true)]
async fn an_error_without_an_id_ends_the_handshake_at_once() {
    let began = Instant::now();
    for unreadable in [UNREADABLE, r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"}}"#] {
        let script = Script::new().expect("initialize").send(unreadable).hang();
        // One question and no other.
        let builder = Client::builder().revision(Revision::V2025_11_25);
        let error = within(builder.connect(script.connector().0)).await.expect_err("it reads nothing");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(ErrorCode::PARSE_ERROR)));
        assert_eq!(error.method(), Some("initialize"));
    }
    // Both questions, one after the other.
    let script = Script::new().expect("server/discover").send(UNREADABLE).expect("initialize").send(UNREADABLE).hang();
    let error = within(Client::builder().connect(script.connector().0)).await.expect_err("it reads nothing");
    assert_eq!(error.code(), Some(ErrorCode::PARSE_ERROR));
    assert!(began.elapsed() < Duration::from_secs(1), "nobody waited for a limit");
}

#[tokio::test(start_paused = true)]
async fn an_error_without_an_id_is_an_answer_to_the_newer_question_too() {
    let began = Instant::now();
    let script = Script::new()
        .expect("server/discover")
        .send(UNREADABLE)
        .expect("initialize")
        .reply(initialized())
        .expect("notifications/initialized")
        .pings(1);
    let (connector, journal) = script.connector();
    let client = within(Client::builder().connect(connector)).await.unwrap();
    let mut events = client.events();
    assert!(began.elapsed() < Duration::from_secs(1), "nobody waited for silence");
    ping_times(&client, 1).await;
    within(client.close()).await.unwrap();
    assert_eq!(journal.methods(), ["server/discover", "initialize", "notifications/initialized", "ping"]);
    drop(rest(&mut events).await);
}

#[tokio::test(start_paused = true)]
async fn of_two_questions_that_are_open_an_error_without_an_id_ends_neither() {
    // The server is silent for as long as the newer question has; then both are open.
    let script = Script::new()
        .expect("server/discover")
        .expect("initialize")
        .send(UNREADABLE)
        .reply(initialized())
        .expect("notifications/initialized")
        .pings(1);
    let (client, _) = {
        let (connector, journal) = script.connector();
        (within(Client::builder().connect(connector)).await.unwrap(), journal)
    };
    ping_times(&client, 1).await;

    let script = Script::new().expect("server/discover").expect("initialize").send(UNREADABLE).hang();
    let error = within(Client::builder().connect(script.connector().0)).await.expect_err("there is no answer");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("for no request in particular: "), "{error}");
    assert!(error.to_string().contains("Parse error"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_error_without_an_id_to_a_notification_ends_no_call() {
    let script = Script::new()
        .expect("initialize")
        .reply(initialized())
        .expect("notifications/initialized")
        .expect("tools/call")
        .send(UNREADABLE)
        .reply(text("done"))
        .expect("tools/call")
        .send(UNREADABLE)
        .hang();
    let (client, _) = connect(script).await;
    let mut events = client.events();
    assert_eq!(within(client.call("work")).await.unwrap().joined_text(), "done");
    // One that ends otherwise tells of it.
    let error = within(client.call("work").idle_timeout(Duration::from_secs(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("for no request in particular: "), "{error}");
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let told = faults(&events).into_iter().filter(|fault| matches!(fault, Fault::ErrorWithoutId { .. })).count();
    assert_eq!(told, 2, "{events:?}");
}

/// An answer in a form that nobody reads, and what the error says of it.
fn unread() -> Vec<(Vec<u8>, &'static str)> {
    let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": initialized() });
    let line = answer.to_string();
    let laid_out = serde_json::to_string_pretty(&answer).unwrap();
    let wide: Vec<u8> = format!("\u{feff}{line}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        (format!("{laid_out}\n").into_bytes(), "one message is one line, and this is one over several"),
        (format!("Content-Length: {}\r\n\r\n{line}", line.len()).into_bytes(), "as lsp does, by Content-Length"),
        (wide, "that is utf-16"),
        (format!("\u{1b}[32m{line}\u{1b}[0m\n").into_bytes(), "without prefix or colours"),
        (format!("INFO {line}\n").into_bytes(), "without prefix or colours"),
        (format!("{line}\0\n").into_bytes(), "nul characters"),
        (format!("{line}\r").into_bytes(), "\\r alone ends none"),
        (line.clone().into_bytes(), "it lacks the newline that ends each message"),
        (b"Server listening on port 3000\n".to_vec(), "have it log to stderr"),
        (format!("{}\n", line.replace("\"id\":1", "\"id\":99")).into_bytes(), "answered request 99, which is not open"),
    ]
}

// Duty: S-05
#[tokio::test(start_paused = true)]
async fn a_handshake_that_times_out_tells_what_came_in_place_of_an_answer() {
    for (bytes, told) in unread() {
        let error = refused(Script::new().expect("initialize").send_raw(&bytes).hang()).await;
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let text = error.to_string();
        assert!(text.contains(told), "{text}");
        assert!(text.len() < 1000 && !text.contains(|c: char| c.is_control()), "{text:?}");
        assert!(error.noise().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_times_out_tells_what_came_since_it_had_begun() {
    let script =
        server().send("Content-Length: 8").pings(1).expect("tools/call").sleep(10).send("working on it").hang();
    let (client, _) = connect(script).await;
    ping_times(&client, 1).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let error = within(client.call("work").idle_timeout(Duration::from_secs(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("2 lines so far were no messages, such as `working on it`"), "{error}");
    let error = within(client.call("work").idle_timeout(Duration::from_secs(1))).await.unwrap_err();
    assert_eq!((error.kind(), error.noise()), (ErrorKind::Timeout, None), "{error}");
}

#[tokio::test]
async fn a_server_that_ends_tells_what_it_said_last_on_stdout() {
    let child = Child::script(&Script::new().send("Error: no API key").exit(2));
    let error = soon(with_handshake().connect(child.connect.clone())).await.expect_err("it ended");
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("a line came that is no message: `Error: no API key`"), "{error}");
    assert!(error.to_string().contains("exit status: 2"), "{error}");
    assert_eq!(error.noise().and_then(|noise| noise.line()), Some("Error: no API key"));
}

#[tokio::test]
async fn what_a_server_was_given_in_confidence_is_not_quoted() {
    let child = Child::shell("echo \"the key is $KEY, the token $4\"; echo 'and that is all' >&2; exit 1");
    let connector = child.connect.clone().env("KEY", "k-SECRET-2").args(["--token", "t-SECRET-3"]);
    let error = soon(with_handshake().connect(connector)).await.expect_err("it ended");
    assert!(error.to_string().contains("`the key is (hidden), the token (hidden)`"), "{error}");
    assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
}

#[tokio::test]
async fn messages_on_one_line_are_taken() {
    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"a"}}"#;
    let answer = json!({ "jsonrpc": "2.0", "id": 2, "result": text("done") });
    // As serde_json writes it, and in the usual form, with the log on either side.
    let usual = format!(r#"{{"jsonrpc":"2.0","id":2,"result":{}}}"#, text("done"));
    for line in [format!("{log}{answer}"), format!("{log}{usual}"), format!("{usual}{log}"), format!("{usual} {log}")] {
        let (client, _) = connect(server().expect("tools/call").send(&line).pings(1)).await;
        let mut events = client.events();
        assert_eq!(within(client.call("work")).await.unwrap().joined_text(), "done", "{line}");
        ping_times(&client, 1).await;
        within(client.close()).await.unwrap();
        let events = rest(&mut events).await;
        assert!(matches!(faults(&events)[..], [Fault::OnOneLine { len: 2 }]), "{events:?}");
        assert!(events.iter().any(|event| matches!(event, Event::Log(_))), "{events:?}");
    }
}

#[tokio::test]
async fn answers_on_one_line_end_both_calls() {
    let answer = |id: i64| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, text(&format!("done {id}")));
    let line = format!("{}{}", answer(2), answer(3));
    let (client, _) = connect(server().expect("tools/call").expect("tools/call").send(line)).await;
    let (first, second) = within(async { tokio::join!(client.call("a"), client.call("b")) }).await;
    assert_eq!((first.unwrap().joined_text(), second.unwrap().joined_text()), ("done 2".into(), "done 3".into()));
}
