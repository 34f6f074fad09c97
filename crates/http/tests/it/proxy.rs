//! Proxies from the environment, which only a process of its own can have.

use std::process::Command;

use bowline_http::HttpConnect;
use bowline_testkit::http::{HttpServer, Reply};

use crate::peer::{connect, dull, shake};

const CHILD: &str = "BOWLINE_TEST_PROXY_CHILD";

/// What the child does: shakes hands with each of the servers, or fails to.
async fn visit(urls: &str, proxy: bool) {
    for url in urls.split(' ') {
        let mut client = bowline_http::HttpClient::builder();
        if !proxy {
            client = client.without_proxy();
        }
        let settings = HttpConnect::new(url).unwrap().client(client.build().unwrap());
        let _ = shake(&*connect(&settings).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_this_machine_is_asked_through_no_proxy_whatever_the_environment_says() {
    if let Ok(urls) = std::env::var(CHILD) {
        return visit(&urls, true).await;
    }
    let answer = |request: bowline_testkit::http::HttpRequest| async move {
        dull(&request).unwrap_or_else(|| Reply::status(404))
    };
    let (proxy, local) = (HttpServer::start(answer).await.unwrap(), HttpServer::start(answer).await.unwrap());
    let url = local.url("/mcp");
    let named = url.replace("127.0.0.1", "localhost");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "proxy::what_is_on_this_machine_is_asked_through_no_proxy_whatever_the_environment_says"])
        .env(CHILD, format!("{url} {named}"));
    for name in ["HTTP_PROXY", "ALL_PROXY"] {
        child.env(name, proxy.url("")).env(name.to_lowercase(), proxy.url(""));
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let done = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(proxy.requests().is_empty());
    assert!(!local.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_http_027_proxies_are_used_except_where_the_environment_says_not() {
    if let Ok(urls) = std::env::var(CHILD) {
        return visit(&urls, true).await;
    }
    let answer = |request: bowline_testkit::http::HttpRequest| async move {
        dull(&request).unwrap_or_else(|| Reply::status(404))
    };
    let (proxy, local) = (HttpServer::start(answer).await.unwrap(), HttpServer::start(answer).await.unwrap());
    let urls = ["http://mcp.test.example/mcp", "http://x.corp.example/mcp", &local.url("/mcp")].join(" ");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "proxy::case_http_027_proxies_are_used_except_where_the_environment_says_not"])
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy")
        .env(CHILD, urls)
        .env("HTTP_PROXY", proxy.url(""))
        .env("http_proxy", proxy.url(""))
        .env("NO_PROXY", "127.0.0.1,localhost,.corp.example")
        .env("no_proxy", "127.0.0.1,localhost,.corp.example");
    let done = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(done.status.success(), "{done:?}");
    let hosts: Vec<_> = proxy.requests().iter().map(|request| request.header("host").to_owned()).collect();
    assert!(!hosts.is_empty() && hosts.iter().all(|host| host == "mcp.test.example"), "{hosts:?}");
    assert!(!local.requests().is_empty());
}
