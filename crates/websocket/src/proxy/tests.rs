use std::process::Command;
use std::sync::{Arc, Mutex};

use bowline_protocol::{RequestId, frame};
use bowline_transport::{Connect, Routing, Sent, Transport, WireRequest};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::WebSocketConnect;

/// Set for the child that has the proxy in its environment.
const CHILD: &str = "BOWLINE_TEST_WS_URL";

/// A server that answers one ping a connection, over what `wrap` makes of it.
async fn serve<S: Bytestream + 'static>(stream: S) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() {
            let _ = socket.send(Message::text(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await;
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A proxy that leads everybody to one port of this machine. Gives its address, and the heads that it saw.
async fn proxy(answer: &'static str, to: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heads = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heads = Arc::clone(&heads);
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                heads.lock().unwrap().push(head);
                stream.write_all(answer.as_bytes()).await.unwrap();
                if let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await {
                    let _ = copy_bidirectional(&mut stream, &mut server).await;
                }
            });
        }
    });
    (address, seen)
}

fn with_secrets(url: &str) -> WebSocketConnect {
    WebSocketConnect::new(url).bearer_token("tok-SECRET-1").header("x-api-key", "k-SECRET-2")
}

async fn ping(transport: &dyn Transport) {
    let id = RequestId::from(1);
    let frame = frame::encode_request(&id, "ping", None, None, None);
    let mut exchange = transport.request(WireRequest::new(id, frame, Routing::new("ping"))).await.unwrap();
    assert!(exchange.next().await.unwrap().is_ok());
    transport.close().await.unwrap();
}

/// Runs this very test again, with these variables alone as to proxies.
async fn child(test: &str, variables: &[(&str, String)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        child.env_remove(name);
    }
    child.env_remove("no_proxy").envs(variables.iter().map(|(name, value)| (name, value)));
    let done = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_http_027_the_proxy_of_the_environment_leads_to_the_server_and_learns_none_of_its_secrets() {
    if let Ok(urls) = std::env::var(CHILD) {
        for url in urls.split(' ') {
            ping(&*with_secrets(url).connect().await.unwrap()).await;
        }
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let (address, seen) = proxy("HTTP/1.1 200 Connection established\r\n\r\n", port).await;
    let urls = format!("ws://mcp.test.example/mcp?key=q-SECRET-5 ws://127.0.0.1:{port}/mcp");
    let test =
        "proxy::tests::case_http_027_the_proxy_of_the_environment_leads_to_the_server_and_learns_none_of_its_secrets";
    let proxied = format!("http://me:pass@{address}");
    child(test, &[(CHILD, urls), ("HTTP_PROXY", proxied), ("NO_PROXY", "127.0.0.1".to_owned())]).await;
    let heads = seen.lock().unwrap().clone();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(heads[0].starts_with("CONNECT mcp.test.example:80 HTTP/1.1\r\n"), "{heads:?}");
    assert!(heads[0].contains("Proxy-Authorization: Basic bWU6cGFzcw=="), "{heads:?}");
    assert!(!heads[0].contains("SECRET") && !heads[0].contains("\r\nAuthorization"), "{heads:?}");
}

#[cfg(feature = "tls-aws-lc")]
#[tokio::test(flavor = "multi_thread")]
async fn case_http_027_tls_goes_through_the_proxy_to_the_server_itself() {
    const ROOT: &str = "BOWLINE_TEST_WS_ROOT";

    if let (Ok(url), Ok(root)) = (std::env::var(CHILD), std::env::var(ROOT)) {
        return ping(&*with_secrets(&url).add_root_certificate(root).connect().await.unwrap()).await;
    }
    let authority = bowline_testkit::tls::Authority::new().unwrap();
    let acceptor = authority.acceptor("mcp.test.example", None, &[]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(acceptor.accept(stream).await.unwrap()).await;
        }
    });
    let (address, seen) = proxy("HTTP/1.1 200 OK\r\n\r\n", port).await;
    let test = "proxy::tests::case_http_027_tls_goes_through_the_proxy_to_the_server_itself";
    let url = "wss://mcp.test.example/mcp".to_owned();
    child(test, &[(CHILD, url), (ROOT, authority.pem().to_owned()), ("ALL_PROXY", format!("http://{address}"))]).await;
    let heads = seen.lock().unwrap().clone();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(heads[0].starts_with("CONNECT mcp.test.example:443 HTTP/1.1\r\n"), "{heads:?}");
}

/// Why no tunnel comes about.
async fn refusal(proxy: &str) -> TransportError {
    let target = Target::parse("wss://mcp.test.example/mcp?key=q-SECRET-5").unwrap();
    let matcher = Matcher::builder().all(proxy.to_owned()).build();
    let error = match Proxy::of(&target, &matcher) {
        Ok(found) => found.unwrap().tunnel(&target, Duration::from_secs(30)).await.err().unwrap(),
        Err(error) => error,
    };
    let text = format!("{error} {error:?}");
    assert!(!text.contains("SECRET") && !error.to_string().contains('\n'), "{text}");
    assert_eq!(error.sent(), Sent::No);
    error
}

#[tokio::test]
async fn a_proxy_that_does_not_lead_there_is_named_with_what_to_do() {
    for (answer, says) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "credentials"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "status 403"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "no HTTP"),
        ("", "hung up"),
    ] {
        // Nobody listens at the port behind it, so what comes after the answer is the end.
        let (address, _) = proxy(answer, 1).await;
        let error = refusal(&format!("http://me:pw-SECRET-4@{address}")).await;
        assert_eq!(error.kind(), TransportErrorKind::Connect, "{error}");
        assert!(error.to_string().contains(says) && error.to_string().contains(&address), "{error}");
        assert!(error.to_string().contains("NO_PROXY"), "{error}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    assert!(refusal(&format!("http://{free}")).await.to_string().contains("nothing listens"));
}

#[tokio::test]
async fn a_proxy_of_another_kind_is_a_configuration_error() {
    for proxy in ["socks5://me:pw-SECRET-4@127.0.0.1:1", "https://me:pw-SECRET-4@127.0.0.1:1"] {
        let error = refusal(proxy).await;
        assert_eq!(error.kind(), TransportErrorKind::Config, "{error}");
        assert!(error.to_string().contains(proxy.split(':').next().unwrap()), "{error}");
    }
}

#[test]
fn the_rules_tell_which_servers_are_reached_directly() {
    let matcher = Matcher::builder().http("http://p:1").https("http://p:2").no("127.0.0.1,.corp.example").build();
    let found = |url: &str| Proxy::of(&Target::parse(url).unwrap(), &matcher).unwrap().map(|proxy| proxy.address);
    assert_eq!(found("ws://mcp.example/"), Some("p:1".to_owned()));
    assert_eq!(found("wss://mcp.example:9000/"), Some("p:2".to_owned()));
    assert_eq!(found("wss://x.corp.example/"), None);
    assert_eq!(found("ws://127.0.0.1:1/"), None);
}
