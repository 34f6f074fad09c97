//! The end of servers: polite, slow and deaf ones, with all that they started.

use std::time::{Duration, Instant};

use bowline_stdio::StdioTransport;
use bowline_transport::{Routing, Sent, Transport, TransportErrorKind, WireMessage};

use crate::deaf::{DEAF, start};
use crate::support::{ECHO, LONG, call, lives, request, sh, until, within};

const STEP: Duration = Duration::from_millis(300);

/// What a server said, without what its shell says of the commands that it ran.
fn said(transport: &StdioTransport) -> Vec<String> {
    transport.stderr_tail().lines().filter(|line| !line.contains("Terminated")).map(str::to_owned).collect()
}

#[tokio::test]
async fn s_06_a_polite_server_ends_with_its_stdin() {
    let connect = sh("echo ready >&2; cat > /dev/null; echo 'saw the end' >&2").grace(2 * LONG);
    let (transport, ids) = start(&connect).await;
    within(transport.close()).await.unwrap();
    assert!(!lives(ids[0]));
    assert_eq!(transport.stderr_tail(), "ready\nsaw the end");
}

#[tokio::test]
async fn s_06_a_slow_server_ends_with_sigterm() {
    let connect = sh(&format!("trap 'echo term >&2; exit' TERM; echo ready >&2; {DEAF}")).grace(STEP);
    let (transport, ids) = start(&connect).await;
    let began = Instant::now();
    within(transport.close()).await.unwrap();
    assert!(began.elapsed() >= STEP);
    assert!(!lives(ids[0]));
    assert_eq!(said(&transport), ["ready", "term"]);
}

#[tokio::test]
async fn case_stdio_021_a_deaf_server_is_ended_step_by_step() {
    let server =
        format!("trap 'echo term >&2' TERM; exec 3<&0; (cat <&3 > /dev/null; echo eof >&2) & echo ready >&2; {DEAF}");
    let (transport, ids) = start(&sh(&server).grace(STEP)).await;
    let began = Instant::now();
    within(transport.close()).await.unwrap();
    // Two steps of 300 ms; the bound is for a loaded machine.
    assert!(began.elapsed() >= 2 * STEP);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(!lives(ids[0]));
    assert_eq!(said(&transport), ["ready", "eof", "term"]);
}

/// Wrappers whose real server ignores the end of stdin, and SIGTERM in half of them.
fn wrappers() -> Vec<String> {
    let mut wrappers = Vec::new();
    for ears in ["", "trap '' TERM;"] {
        // Waits for the server, and leaves it alone, each once asked to end.
        for then in ["wait", "cat > /dev/null"] {
            wrappers.push(format!("({ears} {DEAF}) & echo \"id $!\" >&2; echo ready >&2; {then}"));
        }
    }
    wrappers
}

#[tokio::test]
async fn case_stdio_012_a_close_ends_what_a_wrapper_started() {
    for wrapper in wrappers() {
        let (transport, ids) = start(&sh(&wrapper).grace(STEP)).await;
        assert_eq!(ids.len(), 2);
        within(transport.close()).await.unwrap();
        assert!(!ids.iter().any(|id| lives(*id)), "{wrapper}");
    }
}

#[tokio::test]
async fn case_stdio_012_a_drop_ends_what_a_wrapper_started() {
    for wrapper in wrappers() {
        let (transport, ids) = start(&sh(&wrapper).grace(STEP)).await;
        drop(transport);
        until("all are gone", || !ids.iter().any(|id| lives(*id))).await;
    }
}

#[tokio::test]
async fn case_stdio_011_a_server_that_refuses_and_sleeps_is_ended() {
    let server = format!(
        r#"read -r line; echo '{{"jsonrpc":"2.0","id":1,"error":{{"code":-32603,"message":"no licence"}}}}'; echo ready >&2; {DEAF}"#
    );
    let connect = sh(&server).grace(STEP);
    let mut lines = connect.stderr_lines();
    let transport = connect.spawn().unwrap();
    let answer = format!("{:?}", call(&transport, 1).await.unwrap());
    assert!(answer.contains("-32603") && answer.contains("no licence"), "{answer}");
    within(lines.next()).await;
    let id = transport.id().unwrap();
    drop(transport);
    until("it is gone", || !lives(id)).await;
}

#[test]
fn the_end_of_the_runtime_ends_the_servers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (transport, ids) = runtime.block_on(start(&sh(&wrappers()[2])));
    drop(runtime);
    assert!(!lives(ids[0]));
    // A descendant is killed with it; that it is gone takes the system a moment.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        until("the descendant is gone", || !lives(ids[1])).await;
        within(transport.close()).await.unwrap();
        assert_eq!(call(&transport, 1).await.expect_err("it is over").kind(), TransportErrorKind::Closed);
    });
}

#[tokio::test]
async fn a_panic_of_the_owner_ends_the_server() {
    let (transport, ids) = start(&sh(&format!("echo ready >&2; {DEAF}")).grace(STEP)).await;
    let owner = tokio::spawn(async move {
        let _transport = transport;
        panic!("on purpose");
    });
    assert!(owner.await.is_err());
    until("it is gone", || !lives(ids[0])).await;
}

#[tokio::test]
async fn all_who_close_wait_for_the_same_end() {
    let (transport, ids) = start(&sh(&format!("echo ready >&2; {DEAF}")).grace(STEP)).await;
    let gone = async {
        transport.close().await.unwrap();
        assert!(!lives(ids[0]));
    };
    let too = async {
        transport.close().await.unwrap();
        assert!(!lives(ids[0]));
    };
    within(async { tokio::join!(gone, too) }).await;
    within(transport.close()).await.unwrap();
}

#[tokio::test]
async fn a_close_that_is_not_awaited_to_its_end_goes_on() {
    let (transport, ids) = start(&sh(&format!("echo ready >&2; {DEAF}")).grace(STEP)).await;
    assert!(tokio::time::timeout(Duration::from_millis(1), transport.close()).await.is_err());
    until("it is gone", || !lives(ids[0])).await;
}

#[tokio::test]
async fn open_calls_end_when_the_connection_is_closed() {
    let connect = sh("read -r line; echo got it >&2; cat > /dev/null");
    let mut lines = connect.stderr_lines();
    let transport = connect.spawn().unwrap();
    let mut open = transport.request(request(1)).await.unwrap();
    within(lines.next()).await;
    within(transport.close()).await.unwrap();
    let error = within(open.next()).await.unwrap().expect_err("it was closed");
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Maybe));
    assert_eq!(error.to_string(), "the connection is closed");
    let error = call(&transport, 2).await.expect_err("it was closed");
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::No));
}

#[tokio::test]
async fn what_was_accepted_is_written_before_the_end() {
    let connect = sh("while read -r line; do echo \"got $line\" >&2; done");
    let transport = connect.spawn().unwrap();
    let mut expected = Vec::new();
    for n in 0..50 {
        let frame = format!(r#"{{"jsonrpc":"2.0","method":"n{n}"}}"#);
        expected.push(format!("got {frame}"));
        transport.send(WireMessage::new(frame.into(), Routing::new("n"))).await.unwrap();
    }
    within(transport.close()).await.unwrap();
    assert_eq!(transport.stderr_tail(), expected.join("\n"));
}

#[tokio::test]
async fn a_server_that_does_not_read_cannot_hold_up_the_end() {
    let (transport, ids) = start(&sh(&format!("echo ready >&2; {DEAF}")).grace(STEP)).await;
    let frame = format!(r#"{{"jsonrpc":"2.0","method":"{}"}}"#, "x".repeat(900 << 10));
    transport.send(WireMessage::new(frame.into(), Routing::new("x"))).await.unwrap();
    // Whether the flush or the kill comes first decides whether the loss is an error.
    let _ = within(transport.close()).await;
    assert!(!lives(ids[0]));
}

#[tokio::test]
async fn a_server_that_ended_by_itself_is_reaped_without_a_close() {
    let transport = sh(ECHO).spawn().unwrap();
    let id = transport.id().unwrap();
    call(&transport, 1).await.unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(id.cast_signed()), nix::sys::signal::SIGKILL).unwrap();
    until("it is reaped", || !lives(id)).await;
}
