//! Sessions: how they begin, and what becomes of one that the server forgot.

use bowline_protocol::ErrorCode;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{InboundEvent, Sent, Transport, TransportErrorKind};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::peer::{answering, call, connect, count, dull, open, request, shake};

#[tokio::test]
async fn case_http_001_h_34_a_session_that_is_gone_ends_the_transport_and_nothing_was_done() {
    let bodies = [
        "",
        "Not Found",
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32600,"message":"Session not found"}}"#,
    ];
    for body in bodies {
        let server = answering(move |_| Reply::status(404).body(body)).await;
        let transport = open(&server).await;
        let error = call(&*transport, 2).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.sent(), error.status()),
            (TransportErrorKind::SessionGone, Sent::No, Some(404))
        );
        let error = transport.request(request(3, "tools/call")).await.err().unwrap();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::SessionGone, Sent::No));
        let mut inbound = transport.take_inbound().unwrap();
        let Some(InboundEvent::Closed(error)) = inbound.next().await else { panic!("the end was due") };
        assert_eq!(error.kind(), TransportErrorKind::SessionGone);
        transport.close().await.unwrap();
        assert_eq!(count(&server, "DELETE"), 0, "there is nothing to end");
    }
}

#[tokio::test]
async fn h_07_a_method_that_is_not_found_is_no_lost_session() {
    let server = answering(|_| {
        Reply::status(404).body(r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no such method"}}"#)
    })
    .await;
    let transport = open(&server).await;
    let error = call(&*transport, 2).await.unwrap().outcome.unwrap_err();
    assert_eq!(error.code, ErrorCode::METHOD_NOT_FOUND);
    assert!(transport.request(request(3, "tools/call")).await.is_ok());
}

#[tokio::test]
async fn a_404_without_a_session_says_that_no_server_is_at_this_address() {
    for status in [404, 410] {
        let server = HttpServer::start(move |_| async move { Reply::status(status) }).await.unwrap();
        let transport = connect(&bowline_http::HttpConnect::new(&server.url("/wrong")).unwrap()).await;
        let error = shake(&*transport).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (TransportErrorKind::NotFound, Some(status)));
        assert!(error.to_string().contains("/wrong"), "{error}");
    }
}

#[tokio::test]
async fn a_session_id_with_bad_characters_is_refused() {
    for id in ["two words", "na\u{ef}ve", "tab\there"] {
        let server = HttpServer::start(move |request| async move {
            match request.rpc_method().as_str() {
                "initialize" => {
                    Reply::result(&request, r#"{"protocolVersion":"2025-11-25"}"#).with("mcp-session-id", id)
                }
                _ => dull(&request).unwrap(),
            }
        })
        .await
        .unwrap();
        let transport = connect(&bowline_http::HttpConnect::new(&server.url("/mcp")).unwrap()).await;
        let error = shake(&*transport).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::Yes), "{id:?}");
        assert!(error.to_string().contains("session id"), "{error}");
    }
}

#[tokio::test]
async fn a_second_handshake_begins_without_the_session_of_the_first() {
    let server = answering(|request| Reply::result(request, "{}")).await;
    let transport = open(&server).await;
    shake(&*transport).await.unwrap();
    let handshakes: Vec<_> =
        server.requests().into_iter().filter(|request| request.rpc_method() == "initialize").collect();
    assert_eq!(handshakes.len(), 2);
    assert!(handshakes.iter().all(|request| request.header("mcp-session-id").is_empty()));
    let _: &dyn Transport = &*transport;
}

/// Answers with header names in capitals, and gives the session id of each call.
async fn loud(listener: TcpListener, sessions: mpsc::Sender<String>) {
    while let Ok((stream, _)) = listener.accept().await {
        let sessions = sessions.clone();
        tokio::spawn(async move {
            let (read, mut write) = tokio::io::split(stream);
            let mut read = BufReader::new(read);
            loop {
                let (mut length, mut session) = (0, String::new());
                loop {
                    let mut line = String::new();
                    if read.read_line(&mut line).await.unwrap() == 0 {
                        return;
                    }
                    let Some((name, value)) = line.trim_end().split_once(": ") else {
                        if line == "\r\n" {
                            break;
                        }
                        continue;
                    };
                    match name.to_ascii_lowercase().as_str() {
                        "content-length" => length = value.parse().unwrap(),
                        "mcp-session-id" => value.clone_into(&mut session),
                        _ => {}
                    }
                }
                let mut body = vec![0; length];
                read.read_exact(&mut body).await.unwrap();
                let request: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                let answer = serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "result": {} }).to_string();
                let (head, body) = match request["method"].as_str() {
                    Some("initialize") => {
                        ("200 OK\r\nMCP-SESSION-ID: AbC-x\r\nCONTENT-TYPE: Application/JSON", answer.as_str())
                    }
                    Some("tools/call") => ("200 OK\r\nCONTENT-TYPE: application/json", answer.as_str()),
                    Some(_) => ("202 Accepted", ""),
                    None => ("405 Method Not Allowed", ""),
                };
                let reply = format!("HTTP/1.1 {head}\r\nCONTENT-LENGTH: {}\r\n\r\n{body}", body.len());
                write.write_all(reply.as_bytes()).await.unwrap();
                if request["method"] == "tools/call" {
                    sessions.send(session).await.unwrap();
                }
            }
        });
    }
}

#[tokio::test]
async fn h_21_names_of_headers_have_no_case_and_their_values_have() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let (sender, mut sessions) = mpsc::channel(4);
    let server = tokio::spawn(loud(listener, sender));
    let transport = connect(&bowline_http::HttpConnect::new(&url).unwrap()).await;
    shake(&*transport).await.unwrap();
    call(&*transport, 2).await.unwrap();
    assert_eq!(sessions.recv().await.as_deref(), Some("AbC-x"));
    server.abort();
}

#[tokio::test]
async fn a_session_id_that_is_empty_is_none() {
    let server = HttpServer::start(|request| async move {
        match request.rpc_method().as_str() {
            "initialize" => Reply::result(&request, r#"{"protocolVersion":"2025-11-25"}"#).with("mcp-session-id", " "),
            _ => dull(&request).unwrap_or_else(|| Reply::result(&request, "{}")),
        }
    })
    .await
    .unwrap();
    let transport = open(&server).await;
    call(&*transport, 2).await.unwrap();
    assert_eq!(transport.session_id(), None);
    transport.close().await.unwrap();
    assert!(server.requests().iter().all(|request| request.header("mcp-session-id").is_empty()));
    assert!(server.requests().iter().all(|request| request.method != "DELETE"), "there is no session to end");
}

#[tokio::test]
async fn h_34_a_session_that_is_gone_is_known_by_other_words_too() {
    for (status, body) in [(400, "Invalid session ID\n"), (410, ""), (400, r#"{"error":"session terminated"}"#)] {
        let server = answering(move |_| Reply::status(status).with("content-type", "text/plain").body(body)).await;
        let error = call(&*open(&server).await, 2).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::SessionGone, "{status} {body}: {error}");
    }
    let server = answering(|_| Reply::status(400).body("Bad Request")).await;
    assert_eq!(call(&*open(&server).await, 2).await.unwrap_err().kind(), TransportErrorKind::Protocol);
}
