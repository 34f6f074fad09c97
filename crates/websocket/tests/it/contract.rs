//! WebSocket keeps the contract, with and without TLS.

use bowline_testkit::contract;
use bowline_testkit::websocket::MockWebSocket;
use bowline_transport::{Connect, Limits};
use bowline_websocket::WebSocketConnect;

fn over_ws(limits: Limits) -> Box<dyn Connect> {
    let url = MockWebSocket::new(contract::server()).start().unwrap().leave_running("/mcp");
    Box::new(WebSocketConnect::new(url).limits(limits))
}

bowline_testkit::transport_contract!(websocket, over_ws);

#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
fn over_wss(limits: Limits) -> Box<dyn Connect> {
    let authority = bowline_testkit::tls::Authority::new().unwrap();
    let port = crate::tls::serve(crate::tls::front(&authority, None), contract::server());
    let connect = WebSocketConnect::new(format!("wss://localhost:{port}/mcp"));
    Box::new(connect.add_root_certificate(authority.pem()).limits(limits))
}

#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
bowline_testkit::transport_contract!(websocket_tls, over_wss);
