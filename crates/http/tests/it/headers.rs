//! What the client's own requests look like.

use bowline_http::HttpConnect;
use bowline_testkit::http::Reply;

use crate::peer::{SESSION, answering, call, open, open_with};

// Duty: H-01, H-04, H-05
#[tokio::test]
async fn case_http_012_h_02_posts_are_plain_and_accept_both_kinds_of_answer() {
    let server = answering(|request| Reply::result(request, "{}")).await;
    let transport = open(&server).await;
    call(&*transport, 2).await.unwrap();
    let posts: Vec<_> = server.requests().into_iter().filter(|request| request.method == "POST").collect();
    assert_eq!(posts.len(), 3);
    for post in posts {
        assert_eq!(post.headers.get_all("content-type").iter().collect::<Vec<_>>(), ["application/json"]);
        assert_eq!(post.header("accept"), "application/json, text/event-stream");
        assert!(post.header("user-agent").starts_with("bowline/"), "{:?}", post.headers);
        assert!(post.json().is_object(), "one message a POST");
        assert_eq!(post.header("content-length"), post.body.len().to_string());
    }
}

#[tokio::test]
async fn h_08_h_33_session_and_version_go_with_everything_after_the_handshake() {
    let server = answering(|request| Reply::result(request, "{}")).await;
    let transport = open(&server).await;
    call(&*transport, 2).await.unwrap();
    server.wait_for(|request| request.method == "GET").await;
    transport.close().await.unwrap();
    let requests = server.requests();
    let (first, rest) = requests.split_first().unwrap();
    assert_eq!((first.header("mcp-session-id"), first.header("mcp-protocol-version")), ("", ""));
    assert_eq!(rest.len(), 4, "{rest:?}");
    for request in rest {
        assert_eq!(request.header("mcp-session-id"), SESSION, "{request:?}");
        assert_eq!(request.header("mcp-protocol-version"), "2025-11-25", "{request:?}");
    }
    let get = rest.iter().find(|request| request.method == "GET").unwrap();
    assert_eq!((get.header("accept"), get.header("content-type")), ("text/event-stream", ""));
}

// Duty: A-30
#[tokio::test]
async fn headers_of_the_protocol_cannot_be_overwritten_and_others_go_everywhere() {
    let server = answering(|request| Reply::result(request, "{}")).await;
    let settings = HttpConnect::new(&server.url("/mcp")).unwrap();
    let settings = settings.bearer("bearer t").unwrap();
    let settings = [("x-team", "a"), ("accept", "text/plain"), ("mcp-session-id", "mine")]
        .into_iter()
        .fold(settings, |settings, (name, value)| settings.header(name.parse().unwrap(), value.parse().unwrap()));
    let transport = open_with(&settings).await;
    server.wait_for(|request| request.method == "GET").await;
    transport.close().await.unwrap();
    for request in server.requests() {
        assert_eq!((request.header("x-team"), request.header("authorization")), ("a", "Bearer t"));
        assert_ne!(request.header("accept"), "text/plain");
        assert_ne!(request.header("mcp-session-id"), "mine");
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = answering(|request| match request.json()["id"].as_i64() {
        Some(id) if id % 2 == 0 => Reply::result(request, "{}"),
        id => Reply::events().data(format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{}}}}\n\n", id.unwrap())),
    })
    .await;
    let transport = open(&server).await;
    for id in 2..12 {
        call(&*transport, id).await.unwrap();
    }
    let connections = server.requests().iter().map(|request| request.connection).max();
    assert!(connections <= Some(4), "{connections:?}");
}

#[tokio::test]
async fn case_security_010_h_36_secrets_are_nowhere_shown() {
    let server = answering(|_| Reply::status(401).body("bad token").with("www-authenticate", "Bearer")).await;
    let url = server.url("/mcp?key=q-SECRET").replace("http://", "http://u:pw-SECRET@");
    let settings = HttpConnect::new(&url).unwrap().bearer("tok-SECRET").unwrap();
    let settings = settings.header("x-api-key".parse().unwrap(), "k-SECRET".parse().unwrap());
    let transport = open_with(&settings).await;
    let error = call(&*transport, 2).await.unwrap_err();
    use bowline_transport::Connect;
    let text = format!("{settings:?} {} {error} {error:?}", settings.describe());
    assert!(!text.contains("SECRET"), "{text}");
}
