//! Who is trusted, and who this side says it is.

use std::fs;
use std::path::PathBuf;

use bowline_http::{HttpClient, HttpClientBuilder, HttpConnect};
use bowline_testkit::http::{HttpServer, Reply};
use bowline_testkit::tls::{Acceptor, Authority};
use bowline_transport::{Sent, Transport, TransportErrorKind};

use crate::peer::{answering, call, connect, open_with, result, shake};
use crate::secure::before;

fn authority() -> Authority {
    Authority::new().unwrap()
}

/// The server's side for `127.0.0.1`.
fn front(authority: &Authority, clients: Option<&Authority>) -> Acceptor {
    authority.acceptor("127.0.0.1", clients, &[]).unwrap()
}

async fn plain() -> HttpServer {
    answering(|request| Reply::result(request, "{}")).await
}

fn settings(url: &str, client: HttpClientBuilder) -> HttpConnect {
    HttpConnect::new(url).unwrap().client(client.build().unwrap())
}

async fn works(transport: Box<dyn Transport>) {
    assert_eq!(result(call(&*transport, 2).await.unwrap()), "{}");
}

/// A file for one test.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn case_http_028_a_certificate_that_nobody_vouches_for_is_named_and_can_be_trusted() {
    let (plain, authority) = (plain().await, authority());
    let url = before(plain.address(), front(&authority, None)).await;

    let error = shake(&*connect(&HttpConnect::new(&url).unwrap()).await).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Connect, Sent::No));
    let text = error.to_string();
    assert!(text.contains("not trusted") && text.contains("add_root_certificate"), "{text}");
    assert!(plain.requests().is_empty());

    works(open_with(&settings(&url, HttpClient::builder().add_root_certificate(authority.pem().to_owned()))).await)
        .await;
}

#[tokio::test]
async fn case_http_028_an_authority_may_be_in_a_file_and_a_bad_file_is_named() {
    let (plain, authority) = (plain().await, authority());
    let url = before(plain.address(), front(&authority, None)).await;
    let (good, bad) = (file("ca.pem", authority.pem()), file("ca.txt", "no certificate"));
    let connect = settings(&url, HttpClient::builder().add_root_certificate_file(&good));
    // It was read when the client was built.
    fs::remove_file(&good).unwrap();
    works(open_with(&connect).await).await;

    let error = HttpClient::builder().add_root_certificate_file(&good).build().unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Config);
    assert!(error.to_string().contains("ca.pem"), "{error}");

    let error = HttpClient::builder().add_root_certificate_file(&bad).build().unwrap_err();
    fs::remove_file(bad).unwrap();
    assert!(error.to_string().contains("ca.txt") && error.to_string().contains("PEM"), "{error}");
}

#[tokio::test]
async fn case_http_028_checks_can_be_turned_off_for_this_machine_by_name() {
    let plain = plain().await;
    let url = before(plain.address(), front(&authority(), None)).await;
    for url in [url.clone(), url.replace("127.0.0.1", "localhost")] {
        let client = HttpClient::builder().danger_accept_any_certificate_on_loopback();
        works(open_with(&settings(&url, client)).await).await;
    }
}

#[tokio::test]
async fn case_http_028_checks_cannot_be_turned_off_for_others() {
    let client = HttpClient::builder().danger_accept_any_certificate_on_loopback();
    let transport = connect(&settings("https://host.invalid/mcp?key=SECRET", client)).await;
    let error = shake(&*transport).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Config, Sent::No));
    let text = error.to_string();
    assert!(text.contains("this machine's own addresses only") && text.contains("host.invalid"), "{text}");
    assert!(!text.contains("SECRET"), "{text}");
}

#[test]
fn case_http_028_a_certificate_that_cannot_be_read_is_an_error_at_once() {
    for pem in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAA\n"] {
        let error = HttpClient::builder().add_root_certificate(pem).build().unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Config);
        assert!(HttpClient::builder().client_certificate(pem).build().is_err());
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_from_one_that_nobody_signed() {
    let (plain, authority) = (plain().await, authority());
    let url = before(plain.address(), front(&authority, None)).await.replace("127.0.0.1", "localhost");
    let client = HttpClient::builder().add_root_certificate(authority.pem().to_owned());
    let error = shake(&*connect(&settings(&url, client)).await).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Connect, Sent::No));
    assert!(error.to_string().contains("not valid"), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_it() {
    let (plain, authority, clients) = (plain().await, authority(), authority());
    let url = before(plain.address(), front(&authority, Some(&clients))).await;
    let client = || HttpClient::builder().add_root_certificate(authority.pem().to_owned());
    works(open_with(&settings(&url, client().client_certificate(clients.issue("me").unwrap()))).await).await;

    let identity = file("me.pem", &clients.issue("me").unwrap());
    works(open_with(&settings(&url, client().client_certificate_file(&identity))).await).await;
    fs::remove_file(identity).unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_wanted_and_missing_is_said_so_and_nothing_was_read() {
    let (plain, authority, clients) = (plain().await, authority(), authority());
    let url = before(plain.address(), front(&authority, Some(&clients))).await;
    let client = || HttpClient::builder().add_root_certificate(authority.pem().to_owned());
    let error = shake(&*connect(&settings(&url, client())).await).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Connect, Sent::No));
    assert!(error.to_string().contains("wants a client certificate"), "{error}");

    let stranger = client().client_certificate(authority.issue("me").unwrap());
    let error = shake(&*connect(&settings(&url, stranger)).await).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Connect, Sent::No));
    assert!(error.to_string().contains("refused TLS"), "{error}");
    assert!(plain.requests().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_recognised() {
    let plain = plain().await;
    let error = shake(&*connect(&HttpConnect::new(&plain.url("/mcp").replace("http:", "https:")).unwrap()).await).await;
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::No));
    assert!(error.to_string().contains("speaks no TLS"), "{error}");
}
