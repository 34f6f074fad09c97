//! Servers that answer with prepared bytes, on threads of their own.

use std::sync::mpsc;
use std::thread;

use bowline_protocol::frame::{Incoming, Message, Request, decode};
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{Connect, MemoryConnect};
use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::runtime::Builder;

const INITIALIZED: &str =
    r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#;
const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"},"ttlMs":0,"cacheScope":"private"}"#;
const HI: &str = r#"{"content":[{"type":"text","text":"hi"}]}"#;
const HI_COMPLETE: &str = r#"{"resultType":"complete","content":[{"type":"text","text":"hi"}]}"#;

/// A server of 2025-11-25 in this process. The tool `progress` tells as many pieces as it is asked for.
pub(crate) fn in_session() -> impl Connect {
    MemoryConnect::new(|pipe| {
        serve(pipe, |request| {
            let id = &request.id;
            match request.method.as_str() {
                "initialize" => answer(request, INITIALIZED),
                "tools/call" => {
                    let params: Value = request.params.as_ref().unwrap().parse().unwrap();
                    let token = &params["_meta"]["progressToken"];
                    let pieces = params["arguments"]["pieces"].as_u64().unwrap_or(0);
                    let progress = (0..pieces).map(|done| {
                    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\"progress\":{done}}}}}\n")
                });
                    progress.chain([answer(request, HI)]).collect()
                }
                _ => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"no\"}}}}\n"),
            }
        })
    })
}

/// A server of 2026-07-28 in this process.
pub(crate) fn stateless() -> impl Connect {
    MemoryConnect::new(|pipe| {
        serve(pipe, |request| answer(request, if request.method == "tools/call" { HI_COMPLETE } else { DISCOVERED }));
    })
}

fn answer(request: &Request, result: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{result}}}\n", request.id)
}

/// Answers each request until the pipe ends.
fn serve(pipe: DuplexStream, answer: fn(&Request) -> String) {
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (read, mut write) = tokio::io::split(pipe);
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(Incoming::Message(Message::Request(request))) = decode(&Bytes::from(line)) else { continue };
                if write.write_all(answer(&request).as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    });
}

/// A server of 2025-11-25 that answers with JSON, with or without a stream of what it has to say unasked. Gives its URL;
/// it lives as long as the process.
pub(crate) fn over_http(streams: bool) -> String {
    let (sender, url) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = HttpServer::start(move |request| async move {
                match (request.method.as_str(), request.rpc_method().as_str()) {
                    ("POST", "initialize") => Reply::result(&request, INITIALIZED),
                    ("POST", "tools/call") => Reply::result(&request, HI),
                    ("POST", _) => Reply::status(202),
                    ("GET", _) if streams => Reply::events().data(": here\n\n").hold(),
                    _ => Reply::status(405),
                }
            })
            .await
            .unwrap();
            sender.send(server.url("/mcp")).unwrap();
            std::future::pending::<()>().await;
        });
    });
    url.recv().unwrap()
}
