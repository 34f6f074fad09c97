//! Servers that end, or half of them, while they are needed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_transport::{Fault, InboundEvent, Limits, Sent, Transport, TransportErrorKind};

use crate::deaf::{DEAF, start};
use crate::support::{call, lives, request, sh, until, within};

#[tokio::test]
async fn case_stdio_023_a_crash_fails_all_open_calls_with_status_and_last_words() {
    for (death, exit) in [("exit 137", "exit status: 137"), ("kill -9 $$", "signal: 9 (SIGKILL)")] {
        let server = format!("read a; read b; read c; echo 'fatal: out of memory' >&2; {death}");
        let transport = sh(&server).spawn().unwrap();
        let mut open = Vec::new();
        for id in 1..=3 {
            open.push(transport.request(request(id)).await.unwrap());
        }
        for mut exchange in open {
            let error = within(exchange.next()).await.unwrap().expect_err("the server is dead");
            assert_eq!(error.kind(), TransportErrorKind::Closed);
            assert_eq!(error.sent(), Sent::Maybe);
            assert_eq!(error.exit(), Some(exit));
            assert_eq!(error.stderr(), Some("fatal: out of memory"));
        }
        let error = call(&transport, 4).await.expect_err("the server is dead");
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::No));
        assert_eq!(error.exit(), Some(exit));
        within(transport.close()).await.unwrap();
        assert!(!lives(transport.id().unwrap()));
    }
}

#[tokio::test]
async fn case_security_010_last_words_hide_what_the_server_was_given_in_confidence() {
    let death = r#"env | grep -E 'DB_|LEVEL' >&2; printf '%s\n' "$SERVICE_KEY" >&2; exit 1"#;
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEA\n-----END PRIVATE KEY-----";
    let seen = Arc::new(Mutex::new(Vec::new()));
    let connect = sh(death).env("DB_PASSWORD", "hunter2!").env("LEVEL", "verbose").env("SERVICE_KEY", key).on_stderr({
        let seen = Arc::clone(&seen);
        move |line| seen.lock().unwrap().push(line.to_owned())
    });
    let transport = connect.spawn().unwrap();
    let error = call(&transport, 1).await.expect_err("the server is dead");
    let mut lines: Vec<_> = error.stderr().unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["(a private key, hidden)", "DB_PASSWORD=(hidden)", "LEVEL=verbose"]);
    for text in [error.to_string(), format!("{error:?}"), transport.stderr_tail(), seen.lock().unwrap().join("\n")] {
        assert!(!text.contains("hunter2") && !text.contains("MIIE") && !text.contains("AQEF"), "{text}");
    }
}

#[tokio::test]
async fn a_last_line_that_was_cut_is_no_answer_however_it_ends() {
    let server = r#"read -r line; printf '{"jsonrpc":"2.0","id":1,"result":{"a":{}}'; exit 1"#;
    let transport = sh(server).spawn().unwrap();
    let error = call(&transport, 1).await.expect_err("a brace is missing");
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Maybe));
    assert_eq!(error.exit(), Some("exit status: 1"));
}

#[tokio::test]
async fn case_stdio_026_an_exit_before_the_first_answer_is_explained() {
    let transport = sh("echo 'usage: srv --port N' >&2; exit 2").spawn().unwrap();
    let error = call(&transport, 1).await.expect_err("the server is dead");
    assert_eq!(error.kind(), TransportErrorKind::Closed);
    assert_eq!(
        error.to_string(),
        "the server process `sh` ended on its own; run it by hand to see more (exit status: 2); its last words: usage: srv --port N"
    );
}

#[tokio::test]
async fn case_stdio_026_a_server_that_closes_its_stdout_is_ended_unasked() {
    for ending in [DEAF, "cat > /dev/null"] {
        let connect = sh(&format!("exec >&-; echo ready >&2; {ending}")).grace(Duration::from_millis(200));
        let (transport, ids) = start(&connect).await;
        let error = call(&transport, 1).await.expect_err("there is no stdout");
        assert_eq!(error.kind(), TransportErrorKind::Closed);
        assert!(error.to_string().contains("closed its stdout"), "{error}");
        until("the server is ended without a close", || !lives(ids[0])).await;
        within(transport.close()).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_closes_its_stdin_is_told_from_one_that_closes_its_stdout() {
    let connect = sh(&format!("exec <&-; echo ready >&2; {DEAF}")).grace(Duration::from_millis(200));
    let (transport, ids) = start(&connect).await;
    let error = call(&transport, 1).await.expect_err("it reads nothing");
    assert_eq!(error.kind(), TransportErrorKind::Closed);
    assert!(error.to_string().contains("closed its stdin"), "{error}");
    until("the server is ended without a close", || !lives(ids[0])).await;
    within(transport.close()).await.unwrap();
}

#[tokio::test]
async fn what_a_server_writes_after_its_stdin_ended_is_reported_and_in_no_error() {
    let garbage = r#"printf 'no message'; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; echo '{'"#;
    let connect = sh(&format!("echo ready >&2; cat > /dev/null; {garbage}")).grace(Duration::from_secs(30));
    let (transport, _) = start(&connect).await;
    let mut open = transport.request(request(1)).await.unwrap();
    let mut inbound = transport.take_inbound().unwrap();
    within(transport.close()).await.unwrap();
    let error = within(open.next()).await.unwrap().expect_err("it was closed");
    assert_eq!(error.to_string(), "the connection is closed");
    let mut faults = 0;
    let end = loop {
        match within(inbound.next()).await {
            Some(InboundEvent::Fault(Fault::NotAMessage { .. })) => faults += 1,
            Some(InboundEvent::Closed(error)) => break error,
            other => panic!("a fault or the end was due, but this came: {other:?}"),
        }
    };
    assert_eq!((faults, end.to_string().as_str()), (2, "the connection is closed"));
}

#[tokio::test]
async fn s_07_a_descendant_that_holds_stdout_does_not_hide_the_exit() {
    let server = format!("({DEAF}) & echo \"id $!\" >&2; echo ready >&2; read -r line; exit 3");
    let (transport, ids) = start(&sh(&server)).await;
    let error = call(&transport, 1).await.expect_err("the server is dead");
    assert_eq!(error.exit(), Some("exit status: 3"));
    until("the descendant is ended without a close", || !ids.iter().any(|id| lives(*id))).await;
}

#[tokio::test]
async fn what_a_server_wrote_before_it_exited_is_still_delivered() {
    let server = r#"read -r line; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; exit 1"#;
    let transport = sh(server).spawn().unwrap();
    call(&transport, 1).await.unwrap();
    let error = call(&transport, 2).await.expect_err("the server is dead");
    assert_eq!(error.exit(), Some("exit status: 1"));
}

#[tokio::test]
async fn case_stdio_019_a_server_that_sends_too_much_is_ended() {
    let server = "echo ready >&2; yes | tr -d '\\n'";
    let connect = sh(server).limits(Limits::default().with_max_frame_bytes(1 << 20)).grace(Duration::from_millis(200));
    let (transport, ids) = start(&connect).await;
    let error = call(&transport, 1).await.expect_err("there is no end of line");
    assert_eq!(error.kind(), TransportErrorKind::TooLarge);
    until("the server is ended without a close", || !lives(ids[0])).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn s_07_a_descendant_outside_the_group_that_never_stops_writing_does_not_hide_the_exit() {
    let server = r#"setsid yes "$(printf '%0100d' 7)" & echo "id $!" >&2; echo ready >&2; read -r line; exit 3"#;
    let (transport, ids) = start(&sh(server)).await;
    let error = call(&transport, 1).await.expect_err("the server is dead");
    assert_eq!(error.exit(), Some("exit status: 3"));
    within(transport.close()).await.unwrap();
    until("what writes finds its pipe closed", || !ids.iter().any(|id| lives(*id))).await;
}
