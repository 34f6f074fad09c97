//! How a connection ends.

use std::time::Duration;

use bowline_http::HttpConnect;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{Sent, TransportErrorKind};

use crate::peer::{SESSION, answering, count, dull, open, open_with, request, server};

#[tokio::test]
async fn case_http_023_h_35_whatever_the_server_says_to_the_delete_the_close_is_fine() {
    for status in [200, 204, 404, 405, 500, 501] {
        let server = HttpServer::start(move |request| async move {
            if request.method == "DELETE" { Reply::status(status) } else { dull(&request).unwrap() }
        })
        .await
        .unwrap();
        let transport = open(&server).await;
        transport.close().await.unwrap();
        transport.close().await.unwrap();
        let deletes: Vec<_> = server.requests().into_iter().filter(|request| request.method == "DELETE").collect();
        assert_eq!(deletes.len(), 1);
        assert_eq!(deletes[0].header("mcp-session-id"), SESSION);
        assert_eq!(deletes[0].header("mcp-protocol-version"), "2025-11-25");
    }
}

#[tokio::test]
async fn case_http_023_a_server_that_is_gone_or_does_not_answer_holds_up_no_close() {
    let server = answering(|_| Reply::status(500)).await;
    let transport = open(&server).await;
    drop(server);
    transport.close().await.unwrap();

    let silent = HttpServer::start(|request| async move {
        if request.method == "DELETE" {
            std::future::pending::<()>().await;
        }
        dull(&request).unwrap()
    })
    .await
    .unwrap();
    let settings = HttpConnect::new(&silent.url("/mcp")).unwrap().grace(Duration::from_millis(50));
    let transport = open_with(&settings).await;
    tokio::time::timeout(Duration::from_secs(30), transport.close()).await.unwrap().unwrap();
}

#[tokio::test]
async fn case_http_023_without_a_session_id_nothing_is_deleted() {
    let server = HttpServer::start(|request| async move {
        match request.rpc_method().as_str() {
            "initialize" => Reply::result(&request, r#"{"protocolVersion":"2025-11-25"}"#),
            _ => dull(&request).unwrap(),
        }
    })
    .await
    .unwrap();
    open(&server).await.close().await.unwrap();
    assert_eq!(count(&server, "DELETE"), 0);
}

// Duty: H-30
#[tokio::test]
async fn a_server_that_never_answers_can_be_given_up() {
    let server = server(|_| std::future::pending()).await;
    let transport = open(&server).await;
    let open = transport.request(request(2, "tools/call")).await.unwrap();
    let given_up = transport.request(request(3, "tools/call")).await.unwrap();
    given_up.cancel("enough");
    let told = server.wait_for(|request| request.rpc_method() == "notifications/cancelled").await;
    assert_eq!(told.json()["params"]["requestId"], 3, "h_30: the server is told in a message of its own");
    assert_eq!(told.json()["params"]["reason"], "enough");
    transport.close().await.unwrap();
    let error = crate::peer::answer(open).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Maybe));
}

#[tokio::test]
async fn notifications_keep_their_order() {
    let server = HttpServer::start(|request| async move {
        if request.rpc_method() == "notifications/one" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        dull(&request).unwrap()
    })
    .await
    .unwrap();
    let transport = open(&server).await;
    let (one, two) = tokio::join!(
        crate::peer::notify(&*transport, "notifications/one"),
        crate::peer::notify(&*transport, "notifications/two")
    );
    one.unwrap();
    two.unwrap();
    let methods: Vec<_> = server.requests().iter().map(|request| request.rpc_method()).collect();
    let place = |method: &str| methods.iter().position(|m| m == method).unwrap();
    assert!(place("notifications/one") < place("notifications/two"));
}

#[tokio::test]
async fn a_notification_that_is_refused_is_an_error() {
    let server = HttpServer::start(|request| async move {
        if request.rpc_method() == "notifications/odd" {
            return Reply::status(400)
                .body(r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"what is this"},"id":null}"#);
        }
        dull(&request).unwrap()
    })
    .await
    .unwrap();
    let error = crate::peer::notify(&*open(&server).await, "notifications/odd").await.unwrap_err();
    assert_eq!(error.status(), Some(400));
    assert!(error.to_string().contains("what is this") && error.to_string().contains("-32600"), "{error}");
}
