//! HTTP+SSE keeps the contract.

use std::future::pending;

use bowline_sse::SseConnect;
use bowline_testkit::contract;
use bowline_testkit::http::MockHttp;
use bowline_transport::{Connect, Limits};
use tokio::net::TcpListener;

/// A connector whose server lives as long as the test.
fn connect(limits: Limits) -> Box<dyn Connect> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let server = MockHttp::new(contract::server()).on(listener).unwrap();
    let connect = SseConnect::new(&server.url("/sse")).unwrap().limits(limits);
    tokio::spawn(async move {
        let _server = server;
        pending::<()>().await;
    });
    Box::new(connect)
}

bowline_testkit::transport_contract!(sse, connect);
