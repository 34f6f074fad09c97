//! The hook for credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bowline_http::{AuthRequest, Authorize, Challenge, HttpConnect, Retry};
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{BoxFuture, Sent, TransportError, TransportErrorKind};
use http::{HeaderMap, HeaderValue};

use crate::peer::{call, connect, dull, open_with, result, shake};

/// Gives a new token for each challenge.
#[derive(Debug, Default)]
struct Fresh {
    tokens: AtomicU32,
    answers: AtomicU32,
    accepted: AtomicU32,
}

impl Authorize for Fresh {
    fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            let token = format!("Bearer {}", self.tokens.load(Ordering::Relaxed));
            request.headers.insert("authorization", token.parse().unwrap());
            Ok(())
        })
    }

    fn challenged<'a>(&'a self, challenge: Challenge<'a>) -> BoxFuture<'a, Result<Retry, TransportError>> {
        Box::pin(async move {
            assert_eq!(challenge.www_authenticate().collect::<Vec<_>>(), ["Bearer scope=\"knots\""]);
            let before = self.tokens.fetch_add(1, Ordering::Relaxed);
            assert_eq!(challenge.sent.unwrap(), &format!("Bearer {before}"));
            Ok(Retry::Again)
        })
    }

    fn answered(&self, _: &HeaderMap) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    fn accepted(&self, sent: &HeaderValue) {
        assert_eq!(sent, "Bearer 2");
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }
}

async fn server(wanted: &'static str) -> HttpServer {
    HttpServer::start(move |request| async move {
        if request.header("authorization") != wanted {
            return Reply::status(401).with("www-authenticate", "Bearer scope=\"knots\"").body("who are you");
        }
        dull(&request).unwrap_or_else(|| Reply::result(&request, "{}"))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_challenge_is_answered_and_the_request_sent_again() {
    let server = server("Bearer 2").await;
    let hook = Arc::new(Fresh::default());
    let settings = HttpConnect::new(&server.url("/mcp")).unwrap().authorize(hook.clone());
    let transport = open_with(&settings).await;
    assert_eq!(result(call(&*transport, 2).await.unwrap()), "{}");
    assert_eq!(server.requests().iter().filter(|request| request.rpc_method() == "initialize").count(), 3);
    let (answers, accepted) = (hook.answers.load(Ordering::Relaxed), hook.accepted.load(Ordering::Relaxed));
    // The two refusals are answers, and no acceptance.
    assert!(answers >= 5 && accepted >= 3 && accepted <= answers - 2, "{answers} {accepted}");
}

#[tokio::test]
async fn a_server_that_is_never_content_is_given_up() {
    let server = server("Bearer of all").await;
    let settings = HttpConnect::new(&server.url("/mcp")).unwrap().authorize(Arc::new(Fresh::default()));
    let error = shake(&*connect(&settings).await).await.unwrap_err();
    assert_eq!((error.kind(), error.status(), error.sent()), (TransportErrorKind::Unauthorized, Some(401), Sent::No));
    assert!(error.to_string().contains("who are you"), "{error}");
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn nobody_is_asked_for_credentials_for_the_end_of_a_session() {
    let server = HttpServer::start(|request| async move {
        if request.method == "DELETE" || request.header("authorization") != "Bearer 2" {
            return Reply::status(401).with("www-authenticate", "Bearer scope=\"knots\"").body("who are you");
        }
        dull(&request).unwrap()
    })
    .await
    .unwrap();
    let hook = Arc::new(Fresh::default());
    let transport = open_with(&HttpConnect::new(&server.url("/mcp")).unwrap().authorize(hook.clone())).await;
    transport.close().await.unwrap();
    assert_eq!(server.requests().iter().filter(|request| request.method == "DELETE").count(), 1);
    assert_eq!(hook.tokens.load(Ordering::Relaxed), 2, "the login of the beginning is the only one");
}

/// Has a token at first, then none until somebody logs in again.
#[derive(Debug, Default)]
struct LoggedOut {
    asked: AtomicU32,
    token: AtomicU32,
}

impl Authorize for LoggedOut {
    fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            let token = format!("Bearer {}", self.token.load(Ordering::Relaxed));
            request.headers.insert("authorization", token.parse().unwrap());
            Ok(())
        })
    }

    fn challenged<'a>(&'a self, _: Challenge<'a>) -> BoxFuture<'a, Result<Retry, TransportError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Err(TransportError::new(TransportErrorKind::Unauthorized, "the person said no"))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_refused_a_login_is_not_asked_again_for_a_stream_that_nobody_waits_for() {
    let server = HttpServer::start(|request| async move {
        match (request.method.as_str(), request.header("authorization")) {
            ("GET", "Bearer 1") => Reply::events().data(": here\n\n").hold(),
            ("GET", _) => Reply::status(401),
            _ => dull(&request).unwrap(),
        }
    })
    .await
    .unwrap();
    let hook = Arc::new(LoggedOut::default());
    let transport = open_with(&HttpConnect::new(&server.url("/mcp")).unwrap().authorize(hook.clone())).await;
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    let gets = server.requests().iter().filter(|request| request.method == "GET").count();
    assert!((3..=60).contains(&gets), "{gets}");
    assert_eq!(hook.asked.load(Ordering::Relaxed), 1);
    // What a call brought does for the stream as well.
    hook.token.store(1, Ordering::Relaxed);
    server.wait_for(|request| request.method == "GET" && request.header("authorization") == "Bearer 1").await;
    transport.close().await.unwrap();
}
