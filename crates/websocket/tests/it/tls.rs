//! Certificates: trusted, not trusted, and not looked at.

use std::sync::Arc;

use bowline_testkit::MockServer;
use bowline_testkit::websocket::MockWebSocket;
use bowline_transport::{Connect, TransportErrorKind};
use bowline_websocket::WebSocketConnect;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{ping, refusal, within};

/// A certificate authority that nobody knows.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate and its key, in PEM.
    fn issue(&self, name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        format!("{}{}", certificate.pem(), key.serialize_pem())
    }

    /// The server's side for `localhost`, which asks for client certificates of `clients`.
    pub(crate) fn acceptor(&self, clients: Option<&Self>) -> TlsAcceptor {
        let identity = self.issue("localhost");
        let chain = vec![CertificateDer::from_pem_slice(identity.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(identity.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = match clients {
            None => builder.unwrap().with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(clients.pem.as_bytes()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.unwrap().with_client_cert_verifier(verifier)
            }
        };
        TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
    }
}

/// The mock server with a certificate for `localhost`. Gives its port.
pub(crate) fn serve(acceptor: TlsAcceptor, server: MockServer) -> u16 {
    let accept = move |tcp| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(tcp).await }
    };
    let server = MockWebSocket::new(server).start_over(accept).unwrap();
    let port = server.address().port();
    server.leave_running("/");
    port
}

fn server(acceptor: TlsAcceptor) -> u16 {
    serve(acceptor, MockServer::builder().build())
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_refused_with_what_to_do() {
    let port = server(Authority::new().acceptor(None));
    let error = refusal(&WebSocketConnect::new(format!("wss://localhost:{port}/"))).await;
    assert_eq!(error.kind(), TransportErrorKind::Connect);
    assert!(error.to_string().contains("add_root_certificate"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let port = server(authority.acceptor(None));
    let connect = WebSocketConnect::new(format!("wss://127.0.0.1:{port}/")).add_root_certificate(authority.pem());
    let error = refusal(&connect).await;
    assert_eq!(error.kind(), TransportErrorKind::Connect);
    assert!(error.to_string().contains("is not valid"), "{error}");
}

#[tokio::test]
async fn certificates_go_unchecked_on_this_machine_only() {
    let port = server(Authority::new().acceptor(None));
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
    let (authority, clients) = (Authority::new(), Authority::new());
    let port = server(authority.acceptor(Some(&clients)));
    let connect = WebSocketConnect::new(format!("wss://localhost:{port}/")).add_root_certificate(authority.pem());
    let transport = within(connect.clone().client_certificate(clients.issue("me")).connect()).await.unwrap();
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
