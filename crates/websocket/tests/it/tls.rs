//! Certificates: trusted, not trusted, and not looked at.

use bowline_testkit::MockServer;
use bowline_testkit::tls::{Acceptor, Authority};
use bowline_testkit::websocket::MockWebSocket;
use bowline_transport::{Connect, TransportErrorKind};
use bowline_websocket::WebSocketConnect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{ping, refusal, within};

/// The server's side for `localhost`.
pub(crate) fn front(authority: &Authority, clients: Option<&Authority>) -> Acceptor {
    authority.acceptor("localhost", clients, &[]).unwrap()
}

/// The mock server with a certificate for `localhost`. Gives its port.
pub(crate) fn serve(acceptor: Acceptor, server: MockServer) -> u16 {
    let accept = move |tcp| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(tcp).await }
    };
    let server = MockWebSocket::new(server).start_over(accept).unwrap();
    let port = server.address().port();
    server.leave_running("/");
    port
}

fn server(acceptor: Acceptor) -> u16 {
    serve(acceptor, MockServer::builder().build())
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_refused_with_what_to_do() {
    let port = server(front(&Authority::new().unwrap(), None));
    let error = refusal(&WebSocketConnect::new(format!("wss://localhost:{port}/"))).await;
    assert_eq!(error.kind(), TransportErrorKind::Connect);
    assert!(error.to_string().contains("add_root_certificate"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new().unwrap();
    let port = server(front(&authority, None));
    let connect = WebSocketConnect::new(format!("wss://127.0.0.1:{port}/")).add_root_certificate(authority.pem());
    let error = refusal(&connect).await;
    assert_eq!(error.kind(), TransportErrorKind::Connect);
    assert!(error.to_string().contains("is not valid"), "{error}");
}

#[tokio::test]
async fn certificates_go_unchecked_on_this_machine_only() {
    let port = server(front(&Authority::new().unwrap(), None));
    for host in ["localhost", "127.0.0.1"] {
        let connect = WebSocketConnect::new(format!("wss://{host}:{port}/")).danger_accept_invalid_certs();
        let transport = within(connect.connect()).await.unwrap();
        ping(&*transport, 1).await.unwrap();
        within(transport.close()).await.unwrap();
    }
    let error = refusal(&WebSocketConnect::new("wss://host.invalid/").danger_accept_invalid_certs()).await;
    assert_eq!(error.kind(), TransportErrorKind::Config, "{error}");
    assert!(error.to_string().contains("this machine"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_is_presented() {
    let (authority, clients) = (Authority::new().unwrap(), Authority::new().unwrap());
    let port = server(front(&authority, Some(&clients)));
    let connect = WebSocketConnect::new(format!("wss://localhost:{port}/")).add_root_certificate(authority.pem());
    let transport = within(connect.clone().client_certificate(clients.issue("me").unwrap()).connect()).await.unwrap();
    ping(&*transport, 1).await.unwrap();
    within(transport.close()).await.unwrap();

    let error = refusal(&connect).await;
    assert_eq!(error.kind(), TransportErrorKind::Connect, "{error}");
}

#[tokio::test]
async fn what_is_no_certificate_is_a_configuration_error() {
    let connect = WebSocketConnect::new("wss://localhost:1/");
    for connect in [connect.clone().add_root_certificate("no certificate"), connect.client_certificate("no key")] {
        let error = refusal(&connect).await;
        assert_eq!(error.kind(), TransportErrorKind::Config, "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let error = refusal(&WebSocketConnect::new(format!("wss://localhost:{port}/"))).await;
    assert_eq!(error.kind(), TransportErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("speaks no TLS"), "{error}");
}
