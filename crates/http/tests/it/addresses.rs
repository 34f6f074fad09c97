//! Addresses that must not be connected to.

use bowline_http::HttpClient;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{Sent, TransportErrorKind};
use http::{HeaderMap, Method};

async fn server() -> HttpServer {
    HttpServer::start(|_| async { Reply::status(204) }).await.unwrap()
}

#[tokio::test]
async fn se_05_a_name_is_judged_by_the_addresses_that_are_connected_to() {
    let server = server().await;
    let port = server.url("").rsplit(':').next().unwrap().to_owned();
    let open = HttpClient::builder().without_proxy().build().unwrap();
    let elsewhere = open.permit_addresses(|address| !address.is_loopback());
    let only_here = open.permit_addresses(|address| address.is_loopback());
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("http://{host}:{port}/").parse().unwrap();
        let error = elsewhere.send(Method::GET, &url, HeaderMap::new(), None).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Config, Sent::No), "{host}: {error}");
        assert!(error.to_string().contains("must not be connected to"), "{error}");
        assert!(only_here.send(Method::GET, &url, HeaderMap::new(), None).await.is_ok(), "{host}");
    }
    assert_eq!(server.requests().len(), 2);
}
