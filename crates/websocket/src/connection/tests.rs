//! Both ends in memory, time paused.

use bowline_protocol::{RequestId, frame};
use bowline_transport::{InboundEvent, Routing, Sent, Transport, TransportErrorKind, WireMessage, WireRequest};
use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;

const KEEP_ALIVE: KeepAlive = KeepAlive { every: Duration::from_secs(30), deadline: Duration::from_secs(10) };

type Server = WebSocketStream<DuplexStream>;

/// An open connection, as if an upgrade had led to it.
async fn pair(limits: Limits) -> (Mux, Server) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let ours = Watched::new(Box::new(ours));
    let client = WebSocketStream::from_raw_socket(ours, Role::Client, Some(config(limits))).await;
    let server = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    let settings = Settings {
        limits,
        grace: Duration::from_secs(5),
        keep_alive: Some(KEEP_ALIVE),
        peer: "`ws://test/`".to_owned(),
        secrets: Secrets::default(),
    };
    (transport(client, settings), server)
}

fn ping(id: i64) -> WireRequest {
    let id = RequestId::from(id);
    let frame = frame::encode_request(&id, "ping", None, None, None);
    WireRequest::new(id, frame, Routing::new("ping"))
}

/// Waits for the error that ends an open call, while the server does `serve`.
async fn failure(limits: Limits, serve: impl AsyncFnOnce(Server)) -> TransportError {
    let (mux, mut server) = pair(limits).await;
    let mut exchange = mux.request(ping(1)).await.unwrap();
    let request = server.next().await.unwrap().unwrap();
    assert!(request.is_text(), "{request:?}");
    let (error, ()) = tokio::join!(async { exchange.next().await.unwrap().unwrap_err() }, serve(server));
    assert_ne!(error.sent(), Sent::No);
    assert!(error.to_string().contains("ws://test/"), "{error}");
    error
}

#[tokio::test(start_paused = true)]
async fn a_server_that_no_longer_answers_pings_ends_the_connection() {
    let begin = Instant::now();
    let error = failure(Limits::default(), async |server| {
        // Neither read nor closed: as a machine that was switched off.
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(server);
    })
    .await;
    assert_eq!(error.kind(), TransportErrorKind::Timeout);
    assert!(begin.elapsed() >= Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_pings_may_think_for_hours() {
    let (mux, mut server) = pair(Limits::default()).await;
    let mut exchange = mux.request(ping(1)).await.unwrap();
    let mut pings = 0;
    let serve = async {
        let end = tokio::time::sleep(Duration::from_secs(4 * 3600));
        tokio::pin!(end);
        loop {
            tokio::select! {
                message = server.next() => pings += u32::from(message.unwrap().unwrap().is_ping()),
                () = &mut end => break,
            }
        }
        server.send(Message::text(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await.unwrap();
    };
    let (answer, ()) = tokio::join!(exchange.next(), serve);
    assert!(answer.unwrap().is_ok());
    assert!(pings >= 400, "{pings} pings came in four hours");
}

#[tokio::test(start_paused = true)]
async fn case_websocket_001_line_breaks_are_blanks_pings_are_answered_and_binary_is_reported() {
    let (mux, mut server) = pair(Limits::default()).await;
    let mut inbound = mux.take_inbound().unwrap();
    let pretty = "{\r\n  \"jsonrpc\": \"2.0\",\n\n  \"method\": \"notifications/message\",\n  \"params\": {\"data\": \"a\\nb\"}\n}\n";
    server.send(Message::text(pretty)).await.unwrap();
    server.send(Message::binary(&b"{}"[..])).await.unwrap();
    server.send(Message::binary(&b"\xff\xfe\n\x00"[..])).await.unwrap();
    server.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();

    let Some(InboundEvent::Message(frame::Message::Notification(log))) = inbound.next().await else {
        panic!("a pretty-printed message is one message");
    };
    let params = log.params.unwrap().to_value();
    assert_eq!(params.pointer("/data").and_then(|data| data.as_str()), Some("a\nb"));
    for _ in 0..2 {
        assert!(matches!(inbound.next().await, Some(InboundEvent::Fault(_))));
    }
    assert_eq!(server.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"there?")));
    // All that was no reason to end.
    server.send(Message::binary(&br#"{"jsonrpc":"2.0","method":"notifications/message"}"#[..])).await.unwrap();
    assert!(matches!(inbound.next().await, Some(InboundEvent::Message(_))));
}

#[tokio::test(start_paused = true)]
async fn empty_messages_are_nothing() {
    let (mux, mut server) = pair(Limits::default()).await;
    let mut inbound = mux.take_inbound().unwrap();
    for text in ["", " ", "\n\n", r#"{"jsonrpc":"2.0","method":"notifications/message"}"#] {
        server.send(Message::text(text)).await.unwrap();
    }
    assert!(matches!(inbound.next().await, Some(InboundEvent::Message(_))));
}

#[tokio::test(start_paused = true)]
async fn close_codes_become_errors() {
    use TransportErrorKind::{Closed, Connect, Protocol, TooLarge, Unauthorized};

    for (code, kind, says) in [
        (1000, Closed, "closed the connection (close code 1000, the reason); connect again"),
        (1001, Closed, "going away"),
        (1002, Protocol, "did not understand"),
        (1003, Protocol, "did not understand"),
        (1008, Connect, "policy (close code 1008, the reason)"),
        (1009, TooLarge, "takes no message of that size"),
        (1011, Closed, "failed inside"),
        (1012, Closed, "going away"),
        (1013, Closed, "overloaded"),
        (3000, Unauthorized, "credentials"),
        (4711, Closed, "close code 4711, the reason"),
    ] {
        let frame = CloseFrame { code: code.into(), reason: "the reason".into() };
        let error = failure(Limits::default(), async move |mut server: Server| {
            server.close(Some(frame)).await.unwrap();
            // The client answers with the same code.
            let answer = server.next().await;
            assert!(matches!(answer, Some(Ok(Message::Close(_)))), "{answer:?}");
        })
        .await;
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert!(error.to_string().contains(says), "{code}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_without_a_code_and_a_cut_are_told_apart() {
    let error = failure(Limits::default(), async |mut server| server.close(None).await.unwrap()).await;
    assert_eq!(error.kind(), TransportErrorKind::Closed);
    assert!(error.to_string().contains("closed the connection; connect again"), "{error}");
    let error = failure(Limits::default(), async |server| drop(server)).await;
    assert_eq!(error.kind(), TransportErrorKind::Closed);
    assert!(error.to_string().contains("vanished"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn control_characters_in_a_close_reason_are_escaped() {
    let frame = CloseFrame { code: CloseCode::Library(4000), reason: "a\u{1b}[2J\nb".into() };
    let error = failure(Limits::default(), async move |mut server| server.close(Some(frame)).await.unwrap()).await;
    assert!(!error.to_string().contains(['\u{1b}', '\n']), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_message_beyond_the_limit_is_refused_with_1009() {
    let limits = Limits::default().with_max_frame_bytes(1000);
    let whole = Message::text("x".repeat(1001));
    let parts = |size: usize| {
        let first = Frame::message("x".repeat(size), OpCode::Data(Data::Text), false);
        let second = Frame::message("x".repeat(size), OpCode::Data(Data::Continue), true);
        vec![Message::Frame(first), Message::Frame(second)]
    };
    for messages in [vec![whole], parts(501)] {
        let error = failure(limits, async move |mut server| {
            for message in messages {
                server.send(message).await.unwrap();
            }
            let answer = server.next().await.unwrap().unwrap();
            assert!(matches!(&answer, Message::Close(Some(frame)) if frame.code == CloseCode::Size), "{answer:?}");
        })
        .await;
        assert_eq!(error.kind(), TransportErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains("more than 1000 bytes"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_violation_of_the_protocol_is_refused_with_1002() {
    let error = failure(Limits::default(), async |mut server| {
        // Nothing was begun that this could continue.
        let frame = Frame::message("x", OpCode::Data(Data::Continue), true);
        server.send(Message::Frame(frame)).await.unwrap();
        let answer = server.next().await.unwrap().unwrap();
        assert!(matches!(&answer, Message::Close(Some(frame)) if frame.code == CloseCode::Protocol), "{answer:?}");
    })
    .await;
    assert_eq!(error.kind(), TransportErrorKind::Protocol);
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf_8_is_refused_with_1007() {
    let error = failure(Limits::default(), async |mut server| {
        let frame = Frame::message(&b"\xff\xfe"[..], OpCode::Data(Data::Text), true);
        server.send(Message::Frame(frame)).await.unwrap();
        let answer = server.next().await.unwrap().unwrap();
        assert!(matches!(&answer, Message::Close(Some(frame)) if frame.code == CloseCode::Invalid), "{answer:?}");
    })
    .await;
    assert_eq!(error.kind(), TransportErrorKind::Protocol);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_leaves_in_fragments_and_a_small_one_whole() {
    let (mux, mut server) = pair(Limits::default()).await;
    // Counted in bytes, a fragment ends within a character.
    let text = "\u{1f419}".repeat(MAX_FRAGMENT / 2);
    let params = serde_json::json!({ "data": text });
    let large = frame::encode_notification("notifications/large", Some(&params.into()), None);
    let small = frame::encode_notification("notifications/small", None, None);
    let send = async {
        for frame in [&large, &small] {
            mux.send(WireMessage::new(frame.clone(), Routing::default())).await.unwrap();
        }
    };
    let receive = async {
        for frame in [&large, &small] {
            let message = server.next().await.unwrap().unwrap();
            assert!(message.is_text());
            assert!(message.into_data() == *frame, "a message came changed");
        }
    };
    tokio::join!(send, receive);
}

#[tokio::test(start_paused = true)]
async fn an_upload_on_a_slow_line_is_no_silence() {
    let (mux, server) = pair(Limits::default()).await;
    let params = serde_json::json!({ "data": "x".repeat(800 << 10) });
    let large = frame::encode_notification("notifications/large", Some(&params.into()), None);
    mux.send(WireMessage::new(large, Routing::default())).await.unwrap();
    let mut exchange = mux.request(ping(1)).await.unwrap();
    let serve = async {
        let mut stream = server.into_inner();
        let mut chunk = vec![0; 8 << 10];
        let mut left = 800 << 10;
        // It takes 50 s until the ping is there.
        while left > 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            left -= tokio::io::AsyncReadExt::read(&mut stream, &mut chunk).await.unwrap().min(left);
        }
        let mut server = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        server.send(Message::text(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await.unwrap();
        server
    };
    let (answer, _server) = tokio::join!(exchange.next(), serve);
    assert!(answer.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_close_says_goodbye_with_1000_and_waits_for_the_answer() {
    let (mux, mut server) = pair(Limits::default()).await;
    let mut inbound = mux.take_inbound().unwrap();
    let serve = async {
        let goodbye = server.next().await.unwrap().unwrap();
        assert!(matches!(&goodbye, Message::Close(Some(frame)) if frame.code == CloseCode::Normal), "{goodbye:?}");
        assert!(server.next().await.is_none());
    };
    let (closed, ()) = tokio::join!(mux.close(), serve);
    closed.unwrap();
    let Some(InboundEvent::Closed(error)) = inbound.next().await else { panic!("the end was due") };
    assert_eq!(error.to_string(), TransportError::closed().to_string());
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_no_longer_than_the_grace_for_a_server_that_hangs() {
    let (mux, server) = pair(Limits::default()).await;
    let begin = Instant::now();
    mux.close().await.unwrap();
    assert!(begin.elapsed() <= Duration::from_secs(10));
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_much_and_reads_nothing_costs_bounded_memory() {
    let (mux, mut server) = pair(Limits::default()).await;
    let mut exchange = mux.request(ping(1)).await.unwrap();
    // As many pongs would be 13 MiB.
    for _ in 0..100_000 {
        server.feed(Message::Ping(Bytes::from_static(&[b'x'; 125]))).await.unwrap();
    }
    let last = Bytes::from_static(b"last");
    server.send(Message::Ping(last.clone())).await.unwrap();
    let mut kept = 0;
    while server.next().await.unwrap().unwrap() != Message::Pong(last.clone()) {
        kept += 125;
    }
    assert!(kept <= 3 * MAX_FRAGMENT, "{kept} bytes of pongs were kept");
    server.send(Message::text(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await.unwrap();
    assert!(exchange.next().await.unwrap().is_ok());
}
