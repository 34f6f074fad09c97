//! Proxies that are asked for a way to a server (CONNECT), that want credentials, and that cannot be spoken to.

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use bowline_http::{HttpClient, HttpConnect};
use bowline_testkit::http::{HttpServer, Reply};
use bowline_testkit::tls::Authority;
use bowline_transport::{Sent, TransportErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::peer::{answering, connect, shake};
use crate::secure::before;

/// Set for the child that has the proxy in its environment: the URL, and the authority to trust.
const CHILD: &str = "BOWLINE_TEST_TUNNEL_URL";
const AUTHORITY: &str = "BOWLINE_TEST_TUNNEL_CA";

/// Runs one of these tests in a process of its own, with these variables alone as proxies.
async fn child(test: &str, url: &str, variables: &[(&str, &str)]) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("proxy_tunnel::{test}")]).env(CHILD, url);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        child.env_remove(name).env_remove(name.to_lowercase());
    }
    child.envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap()
}

/// A proxy that leads everybody to one place. Gives its address, and the heads that it saw.
async fn tunnel(answer: &'static str, to: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heads = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (heads, to) = (Arc::clone(&heads), to.clone());
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                heads.lock().unwrap().push(String::from_utf8(head).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.contains("200") {
                    let mut server = TcpStream::connect(to).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut server).await;
                }
            });
        }
    });
    (address, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn case_http_027_https_goes_through_a_tunnel_and_nothing_is_shown_to_the_proxy() {
    if let Ok(url) = std::env::var(CHILD) {
        let client = HttpClient::builder().add_root_certificate(std::env::var(AUTHORITY).unwrap()).build().unwrap();
        let settings = HttpConnect::new(&url).unwrap().client(client).bearer("tok-SECRET-1").unwrap();
        shake(&*connect(&settings).await).await.unwrap();
        return;
    }
    let plain = answering(|request| Reply::result(request, "{}")).await;
    let authority = Authority::new().unwrap();
    let front = before(plain.address(), authority.acceptor("mcp.test.example", None, &[]).unwrap()).await;
    let front = front.trim_start_matches("https://").trim_end_matches("/mcp").to_owned();
    let (proxy, heads) = tunnel("HTTP/1.1 200 Connected\r\n\r\n", front).await;
    let proxy = format!("http://me:pw-SECRET-4@{proxy}");
    let done = child(
        "case_http_027_https_goes_through_a_tunnel_and_nothing_is_shown_to_the_proxy",
        "https://mcp.test.example/mcp",
        &[("HTTPS_PROXY", &proxy), (AUTHORITY, authority.pem())],
    )
    .await;
    assert!(done.status.success(), "{done:?}");
    let heads = heads.lock().unwrap().clone();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(head.starts_with("CONNECT mcp.test.example:443 HTTP/1.1\r\n"), "{head}");
        // me:pw-SECRET-4
        assert!(head.contains("Basic bWU6cHctU0VDUkVULTQ="), "{head}");
        assert!(!head.contains("tok-SECRET-1"), "{head}");
    }
    let requests = plain.requests();
    assert!(requests.iter().any(|request| request.rpc_method() == "initialize"));
    assert!(requests.iter().all(|request| request.header("proxy-authorization").is_empty()));
    assert!(requests.iter().all(|request| request.header("authorization") == "Bearer tok-SECRET-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn case_http_027_a_proxy_that_wants_credentials_is_an_error_and_nothing_was_sent() {
    if let Ok(url) = std::env::var(CHILD) {
        let error = shake(&*connect(&HttpConnect::new(&url).unwrap()).await).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Connect, Sent::No), "{error}");
        assert!(error.to_string().contains("proxy authorization required"), "{error}");
        return;
    }
    let (proxy, heads) = tunnel("HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n", String::new()).await;
    let done = child(
        "case_http_027_a_proxy_that_wants_credentials_is_an_error_and_nothing_was_sent",
        "https://mcp.test.example/mcp",
        &[("HTTPS_PROXY", &format!("http://{proxy}"))],
    )
    .await;
    assert!(done.status.success(), "{done:?}");
    assert!(!heads.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_http_027_a_proxy_that_reads_requests_gets_its_credentials_with_each() {
    if let Ok(url) = std::env::var(CHILD) {
        shake(&*connect(&HttpConnect::new(&url).unwrap()).await).await.unwrap();
        return;
    }
    let proxy = HttpServer::start(|request| async move { Reply::result(&request, "{}") }).await.unwrap();
    let address = proxy.url("").replace("http://", "http://me:pw-SECRET-4@");
    let done = child(
        "case_http_027_a_proxy_that_reads_requests_gets_its_credentials_with_each",
        "http://mcp.test.example/mcp",
        &[("HTTP_PROXY", &address), ("http_proxy", &address)],
    )
    .await;
    assert!(done.status.success(), "{done:?}");
    let requests = proxy.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request.header("proxy-authorization"), "Basic bWU6cHctU0VDUkVULTQ=");
        assert_eq!(request.header("host"), "mcp.test.example");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_http_027_a_proxy_of_another_kind_is_an_error_that_says_which_are_spoken_to() {
    if let Ok(url) = std::env::var(CHILD) {
        let error = shake(&*connect(&HttpConnect::new(&url).unwrap()).await).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Config, Sent::No), "{error}");
        let text = error.to_string();
        assert!(text.contains("socks5") && text.contains("NO_PROXY") && !text.contains("SECRET"), "{text}");
        return;
    }
    let done = child(
        "case_http_027_a_proxy_of_another_kind_is_an_error_that_says_which_are_spoken_to",
        "https://mcp.test.example/mcp",
        &[("ALL_PROXY", "socks5://me:pw-SECRET-4@127.0.0.1:1")],
    )
    .await;
    assert!(done.status.success(), "{done:?}");
}
