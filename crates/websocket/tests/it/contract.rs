//! WebSocket keeps the contract, with and without TLS.

use bowline_testkit::contract;
use bowline_transport::{Connect, Limits};
use bowline_websocket::WebSocketConnect;

use crate::support::{bridge, listen, serve_each};

fn over_ws(limits: Limits) -> Box<dyn Connect> {
    let (listener, address) = listen();
    let server = contract::server();
    serve_each(listener, move |stream| bridge(stream, server.clone()));
    Box::new(WebSocketConnect::new(format!("ws://{address}/mcp")).limits(limits))
}

bowline_testkit::transport_contract!(websocket, over_ws);

#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
fn over_wss(limits: Limits) -> Box<dyn Connect> {
    let authority = crate::tls::Authority::new();
    let (listener, address) = listen();
    let server = contract::server();
    let acceptor = authority.acceptor(None);
    serve_each(listener, move |stream| {
        let (server, acceptor) = (server.clone(), acceptor.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                bridge(stream, server).await;
            }
        }
    });
    let connect = WebSocketConnect::new(format!("wss://localhost:{}/mcp", address.port()));
    Box::new(connect.add_root_certificate(authority.pem()).limits(limits))
}

#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
bowline_testkit::transport_contract!(websocket_tls, over_wss);
