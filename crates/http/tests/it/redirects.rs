//! Where a request may be sent on to.

use bowline_http::HttpConnect;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{Sent, TransportErrorKind};

use crate::peer::{call, connect, dull, open_with, result, shake};

#[tokio::test]
async fn case_http_015_a_redirect_within_the_origin_keeps_method_body_and_headers() {
    for status in [307, 308] {
        let server = HttpServer::start(move |request| async move {
            if request.path == "/mcp" {
                return Reply::status(status).with("location", "/mcp/");
            }
            if (request.header("authorization"), request.header("x-team")) != ("Bearer t", "a") {
                return Reply::status(401);
            }
            dull(&request).unwrap_or_else(|| Reply::result(&request, "{}"))
        })
        .await
        .unwrap();
        let settings = HttpConnect::new(&server.url("/mcp")).unwrap().bearer("t").unwrap();
        let transport = open_with(&settings.header("x-team".parse().unwrap(), "a".parse().unwrap())).await;
        assert_eq!(result(call(&*transport, 2).await.unwrap()), "{}");
        let first: Vec<_> = server.requests().into_iter().filter(|request| request.path == "/mcp").collect();
        assert_eq!(first.len(), 1, "what follows goes to the new address");
        assert_eq!(first[0].body, server.requests()[1].body);
    }
}

#[tokio::test]
async fn case_security_001_h_38_another_origin_sees_nothing() {
    let other = HttpServer::start(|_| async { Reply::status(200) }).await.unwrap();
    let elsewhere = other.url("/mcp?key=SECRET");
    let server = HttpServer::start(move |_| {
        let elsewhere = elsewhere.clone();
        async move { Reply::status(307).with("location", elsewhere) }
    })
    .await
    .unwrap();
    let settings = HttpConnect::new(&server.url("/mcp")).unwrap().bearer("t").unwrap();
    let transport = connect(&settings.header("x-api-key".parse().unwrap(), "k".parse().unwrap())).await;
    let error = shake(&*transport).await.unwrap_err();
    assert_eq!((error.status(), error.sent()), (Some(307), Sent::No));
    let text = error.to_string();
    assert!(text.contains(&other.address().to_string()) && !text.contains("SECRET"), "{text}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_loop_of_redirects_ends() {
    let server = HttpServer::start(|_| async { Reply::status(308).with("location", "/mcp") }).await.unwrap();
    let transport = connect(&HttpConnect::new(&server.url("/mcp")).unwrap()).await;
    let error = shake(&*transport).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::No), "{error}");
    assert!(error.to_string().contains("more than 5 times"), "{error}");
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn a_redirect_that_loses_the_body_is_an_error_that_says_where_to() {
    for status in [301, 302, 303] {
        let server =
            HttpServer::start(move |_| async move { Reply::status(status).with("location", "/new") }).await.unwrap();
        let transport = connect(&HttpConnect::new(&server.url("/mcp")).unwrap()).await;
        let error = shake(&*transport).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.status(), error.sent()),
            (TransportErrorKind::Protocol, Some(status), Sent::No)
        );
        assert!(error.to_string().contains("/new"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[cfg(feature = "tls-aws-lc")]
#[tokio::test]
async fn case_security_001_nothing_goes_from_https_to_http_on_the_same_host() {
    use bowline_http::HttpClient;
    use bowline_testkit::tls::Authority;

    use crate::secure::before;

    let open = HttpServer::start(|_| async { Reply::status(200) }).await.unwrap();
    let elsewhere = open.url("/mcp?key=SECRET");
    let server = HttpServer::start(move |_| {
        let elsewhere = elsewhere.clone();
        async move { Reply::status(308).with("location", elsewhere) }
    })
    .await
    .unwrap();
    let authority = Authority::new().unwrap();
    let url = before(server.address(), authority.acceptor("127.0.0.1", None, &[]).unwrap()).await;
    let client = HttpClient::builder().add_root_certificate(authority.pem().to_owned()).build().unwrap();
    let settings = HttpConnect::new(&url).unwrap().client(client).bearer("t").unwrap();
    let transport = connect(&settings.header("x-api-key".parse().unwrap(), "k".parse().unwrap())).await;
    let error = shake(&*transport).await.unwrap_err();
    assert_eq!((error.status(), error.sent()), (Some(308), Sent::No), "{error}");
    let text = error.to_string();
    assert!(text.contains(&open.url("")) && !text.contains("SECRET"), "{text}");
    assert_eq!(server.requests().len(), 1);
    assert!(open.requests().is_empty(), "not even a request without credentials");
}
