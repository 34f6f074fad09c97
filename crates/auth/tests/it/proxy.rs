//! Behind a company's proxy: what is asked of authorization servers takes the same way as all else.

use std::process::Command;
use std::sync::{Arc, Mutex};

use bowline_auth::{AuthErrorKind, OAuth};
use bowline_http::HttpClient;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_testkit::tls::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Set for the child that has the proxy in its environment: the authority to trust, and whether proxies are ignored.
const AUTHORITY: &str = "BOWLINE_TEST_PROXY_CA";
const IGNORED: &str = "BOWLINE_TEST_PROXY_IGNORED";
const TEST: &str = "proxy::case_http_027_discovery_and_token_requests_go_through_the_proxy_of_the_environment";

/// A proxy that leads to these two hosts, both spoken to by TLS. Gives its address, and the heads that it saw.
async fn proxy(authority: &Authority, hosts: [&'static str; 2]) -> (String, Arc<Mutex<Vec<String>>>) {
    let server = HttpServer::start(|request| async move {
        match request.path.as_str() {
            "/.well-known/oauth-protected-resource/mcp" => Reply::json(
                r#"{"resource":"https://mcp.test.example/mcp","authorization_servers":["https://as.test.example"]}"#,
            ),
            "/.well-known/oauth-authorization-server" => {
                Reply::json(r#"{"issuer":"https://as.test.example","token_endpoint":"https://as.test.example/token"}"#)
            }
            "/token" => Reply::json(r#"{"access_token":"tok-SECRET","token_type":"Bearer"}"#),
            _ => Reply::status(401),
        }
    });
    let server = server.await.unwrap();
    let acceptors = hosts.map(|host| (host, authority.acceptor(host, None, &[]).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heads = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let found = acceptors.iter().find(|(host, _)| head.starts_with(&format!("CONNECT {host}:443 ")));
            let acceptor = found.map(|(_, acceptor)| acceptor.clone());
            heads.lock().unwrap().push(head);
            let (Some(acceptor), plain) = (acceptor, server.address()) else { continue };
            tokio::spawn(async move {
                stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
                if let Ok(mut secure) = acceptor.accept(stream).await {
                    let mut plain = TcpStream::connect(plain).await.unwrap();
                    let _ = copy_bidirectional(&mut secure, &mut plain).await;
                }
            });
        }
    });
    (address, seen)
}

/// Logs in, in a process with these variables alone as proxies.
async fn login(authority: &Authority, variables: &[(&str, &str)]) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", TEST]).env(AUTHORITY, authority.pem());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        child.env_remove(name).env_remove(name.to_lowercase());
    }
    child.envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap().status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn case_http_027_discovery_and_token_requests_go_through_the_proxy_of_the_environment() {
    let hosts = ["mcp.test.example", "as.test.example"];
    if let Ok(authority) = std::env::var(AUTHORITY) {
        let http = HttpClient::builder().add_root_certificate(authority);
        let http = if std::env::var(IGNORED).is_ok() { http.without_proxy() } else { http };
        let oauth = OAuth::builder("https://mcp.test.example/mcp").http_client(http.build().unwrap());
        let oauth = oauth.issuer("https://as.test.example").client_id("bot").client_secret("s-SECRET");
        match oauth.client_credentials().build().unwrap().login().await {
            Ok(status) => assert!(status.authorized),
            // Nobody knows these hosts but the proxy.
            Err(error) => {
                assert_eq!(error.kind(), AuthErrorKind::Network, "{error}");
                panic!("the hosts are not reached: {error}");
            }
        }
        return;
    }
    let authority = Authority::new().unwrap();
    let (proxy, heads) = proxy(&authority, hosts).await;
    let asked = |host: &str| {
        let start = format!("CONNECT {host}:443 ");
        heads.lock().unwrap().iter().filter(|head| head.starts_with(&start)).count()
    };
    assert!(login(&authority, &[("HTTPS_PROXY", &proxy)]).await);
    let through = hosts.map(asked);
    assert!(through.iter().all(|count| *count > 0), "{:?}", heads.lock().unwrap());
    assert!(!format!("{:?}", heads.lock().unwrap()).contains("SECRET"));
    // What is left out of the proxy is not asked through it, and with the option nothing is.
    assert!(!login(&authority, &[("HTTPS_PROXY", &proxy), ("NO_PROXY", "as.test.example")]).await);
    assert!(hosts.map(asked)[0] > through[0] && asked(hosts[1]) == through[1], "{:?}", heads.lock().unwrap());
    let before = hosts.map(asked);
    assert!(!login(&authority, &[("HTTPS_PROXY", &proxy), (IGNORED, "1")]).await);
    assert_eq!(hosts.map(asked), before);
}
