//! Streamable HTTP keeps the contract, whichever way the server answers.

use std::future::pending;

use bowline_http::HttpConnect;
use bowline_testkit::contract;
use bowline_testkit::http::{HttpMode, MockHttp};
use bowline_transport::{Connect, Limits};
use tokio::net::TcpListener;

/// A connector whose server lives as long as the test.
fn serve(mode: HttpMode, limits: Limits) -> Box<dyn Connect> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let server = MockHttp::new(contract::server()).mode(mode).on(listener).unwrap();
    let connect = HttpConnect::new(&server.url("/mcp")).unwrap().limits(limits);
    tokio::spawn(async move {
        let _server = server;
        pending::<()>().await;
    });
    Box::new(connect)
}

fn json(limits: Limits) -> Box<dyn Connect> {
    serve(HttpMode::Json, limits)
}

fn stream(limits: Limits) -> Box<dyn Connect> {
    serve(HttpMode::Stream, limits)
}

bowline_testkit::transport_contract!(http_json, json);
bowline_testkit::transport_contract!(http_stream, stream);
