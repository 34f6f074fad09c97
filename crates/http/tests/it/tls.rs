//! Who is trusted.

use std::sync::Arc;

use bowline_http::{HttpClient, HttpConnect};
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{Sent, TransportErrorKind};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::peer::{answering, call, connect, open_with, result, shake};

/// Serves TLS with a certificate of its own making, before a plain server. Gives the URL and the certificate.
async fn serve(plain: &HttpServer) -> (String, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/mcp", listener.local_addr().unwrap());
    let address = plain.address();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut secure) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(address).await.unwrap();
                let _ = copy_bidirectional(&mut secure, &mut plain).await;
            });
        }
    });
    (url, cert.pem())
}

#[tokio::test]
async fn case_http_028_a_certificate_that_nobody_vouches_for_is_named_and_can_be_trusted() {
    let plain = answering(|request| Reply::result(request, "{}")).await;
    let (url, pem) = serve(&plain).await;

    let error = shake(&*connect(&HttpConnect::new(&url).unwrap()).await).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Connect, Sent::No));
    let text = error.to_string();
    assert!(text.contains("not trusted") && text.contains("add_root_certificate"), "{text}");
    assert!(plain.requests().is_empty());

    let client = HttpClient::builder().add_root_certificate(pem).build().unwrap();
    let transport = open_with(&HttpConnect::new(&url).unwrap().client(client)).await;
    assert_eq!(result(call(&*transport, 2).await.unwrap()), "{}");
}

#[tokio::test]
async fn case_http_028_checks_can_be_turned_off_for_this_machine_by_name() {
    let plain = answering(|request| Reply::result(request, "{}")).await;
    let (url, _) = serve(&plain).await;
    let client = HttpClient::builder().danger_accept_any_certificate_on_loopback().build().unwrap();
    let transport = open_with(&HttpConnect::new(&url).unwrap().client(client)).await;
    assert_eq!(result(call(&*transport, 2).await.unwrap()), "{}");
}

#[test]
fn case_http_028_a_certificate_that_cannot_be_read_is_an_error_at_once() {
    for pem in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAA\n"] {
        let error = HttpClient::builder().add_root_certificate(pem).build().unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Config);
        assert!(HttpClient::builder().client_certificate(pem).build().is_err());
    }
}
