//! Servers that go away, or send what they must not.

use std::time::Duration;

use bowline_socket::TcpConnect;
#[cfg(unix)]
use bowline_socket::UnixConnect;
use bowline_testkit::socket::{MockSocket, SocketMisbehaviour, SocketServer};
use bowline_testkit::{Misbehaviour, MockServer, When};
use bowline_transport::{Connect, InboundEvent, Limits, Sent, TransportErrorKind};
use tokio::net::TcpListener;

use crate::support::{ping, within};

fn mock() -> MockSocket {
    MockSocket::new(MockServer::builder().build())
}

/// The same over every kind of socket.
fn everywhere(mock: impl Fn() -> MockSocket) -> Vec<SocketServer> {
    vec![
        mock().tcp().unwrap(),
        #[cfg(unix)]
        mock().unix().unwrap(),
        #[cfg(target_os = "linux")]
        mock().unix_abstract().unwrap(),
    ]
}

fn connector(server: &SocketServer, limits: Limits) -> Box<dyn Connect> {
    #[cfg(unix)]
    if server.target().starts_with("unix:") {
        return Box::new(UnixConnect::parse(server.target()).unwrap().limits(limits));
    }
    Box::new(TcpConnect::parse(server.target()).unwrap().limits(limits))
}

#[tokio::test]
async fn a_peer_that_closes_in_mid_message_fails_open_calls_by_name() {
    // The second cut leaves a line that ends as an answer does.
    let all = br#"{"jsonrpc":"2.0","id":1,"result":{}}"#.len();
    let cuts = [25, all - 1].map(|at| everywhere(move || mock().misbehave(SocketMisbehaviour::CutAfter(at))));
    for server in cuts.into_iter().flatten() {
        let connect = connector(&server, Limits::default());
        let transport = within(connect.connect()).await.unwrap();
        let mut inbound = transport.take_inbound().unwrap();
        let error = ping(&*transport, 1).await.expect_err("half an answer is none");
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Maybe));
        assert!(error.to_string().contains(&connect.describe()), "{error}");
        assert!(matches!(within(inbound.next()).await, Some(InboundEvent::Fault(_))));
        assert!(matches!(within(inbound.next()).await, Some(InboundEvent::Closed(_))));
        let error = ping(&*transport, 2).await.expect_err("the connection has ended");
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::No));
    }
}

#[tokio::test]
async fn a_message_that_never_ends_ends_the_connection() {
    for server in everywhere(|| mock().misbehave(SocketMisbehaviour::Endless)) {
        let connect = connector(&server, Limits::default().with_max_frame_bytes(64 << 10));
        let transport = within(connect.connect()).await.unwrap();
        let error = ping(&*transport, 1).await.expect_err("there is no end of line");
        assert_eq!(error.kind(), TransportErrorKind::TooLarge);
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_or_reset_ends_its_calls() {
    for what in [SocketMisbehaviour::CloseAtOnce, SocketMisbehaviour::Reset] {
        for server in everywhere(|| mock().misbehave(what)) {
            let connect = connector(&server, Limits::default());
            let transport = within(connect.connect()).await.unwrap();
            let error = ping(&*transport, 1).await.expect_err("nobody answers");
            assert_eq!(error.kind(), TransportErrorKind::Closed, "{what:?} {}: {error}", server.target());
            assert!(error.to_string().contains(&connect.describe()), "{error}");
        }
    }
}

#[tokio::test]
async fn the_next_connection_reaches_a_server_that_is_well_again() {
    for server in everywhere(|| mock().misbehave_on(1, SocketMisbehaviour::CutAfter(0))) {
        let connect = connector(&server, Limits::default());
        let transport = within(connect.connect()).await.unwrap();
        ping(&*transport, 1).await.expect_err("the first connection ends");
        let again = within(connect.connect()).await.unwrap();
        ping(&*again, 1).await.unwrap();
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn the_next_connection_reaches_the_server_that_took_the_place_of_the_last() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let first = MockServer::builder().misbehave(When::method("ping"), Misbehaviour::ExitAfter(0)).build();
    let first = MockSocket::new(first).on_tcp(listener).unwrap();
    let connect = TcpConnect::parse(first.target()).unwrap();
    let transport = within(connect.connect()).await.unwrap();
    let mut inbound = transport.take_inbound().unwrap();
    ping(&*transport, 1).await.unwrap();
    assert!(matches!(within(inbound.next()).await, Some(InboundEvent::Closed(_))));
    ping(&*transport, 2).await.expect_err("the first connection has ended");
    drop(first);
    // The port is free once the task that held it has ended.
    let listener = within(async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let _second = mock().on_tcp(listener).unwrap();
    let again = within(connect.connect()).await.unwrap();
    ping(&*again, 1).await.unwrap();
}

#[tokio::test]
async fn what_a_silent_server_was_sent_is_in_its_journal() {
    let server = MockServer::builder().build();
    let listening = MockSocket::new(server.clone()).misbehave(SocketMisbehaviour::Mute).tcp().unwrap();
    let transport = within(connector(&listening, Limits::default()).connect()).await.unwrap();
    tokio::select! {
        answer = ping(&*transport, 1) => panic!("no answer was due: {answer:?}"),
        line = within(server.journal().wait_for_method("ping")) => assert_eq!(line.id(), Some(&1.into())),
    }
    within(transport.close()).await.unwrap();
}

#[tokio::test]
async fn a_close_waits_for_a_silent_server_no_longer_than_the_grace() {
    for what in [SocketMisbehaviour::Deaf, SocketMisbehaviour::Linger] {
        let server = mock().misbehave(what).tcp().unwrap();
        let connect = TcpConnect::parse(server.target()).unwrap().grace(Duration::from_millis(100));
        let transport = within(connect.connect()).await.unwrap();
        within(transport.close()).await.unwrap();
    }
}
