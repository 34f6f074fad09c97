//! HTTP/2, where the server offers it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bowline_http::{HttpClient, HttpConnect};
use bowline_testkit::tls::Authority;
use bowline_transport::{Sent, TransportErrorKind};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

use crate::peer::{call, open_with, result};

/// What the tests' server does with a call; `None` resets its stream.
type Answer = Arc<dyn Fn(i64) -> futures_util::future::BoxFuture<'static, Option<Value>> + Send + Sync>;

/// A server of HTTP/2 alone.
struct Server {
    connect: HttpConnect,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start<F>(answer: impl Fn(i64) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<Value>> + Send + 'static,
    {
        let authority = Authority::new().unwrap();
        let acceptor = authority.acceptor("127.0.0.1", None, &[b"h2"]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = HttpClient::builder().add_root_certificate(authority.pem().to_owned()).build().unwrap();
        let url = format!("https://{}/mcp", listener.local_addr().unwrap());
        let connect = HttpConnect::new(&url).unwrap().client(client);
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, answer): (_, Answer) = (Arc::clone(&connections), Arc::new(move |id| Box::pin(answer(id))));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.unwrap();
                    let service = service_fn(move |request| serve(request, Arc::clone(&answer)));
                    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { connect, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(request: Request<Incoming>, answer: Answer) -> Result<Response<Full<Bytes>>, io::Error> {
    assert_eq!(request.version(), Version::HTTP_2);
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let reply = Response::builder().header("content-type", "application/json");
    let result = match message["method"].as_str() {
        Some("initialize") => json!({ "protocolVersion": "2025-11-25" }),
        Some("tools/call") => match answer(message["id"].as_i64().unwrap()).await {
            Some(result) => result,
            None => return Err(io::Error::other("reset on purpose")),
        },
        Some(_) => return Ok(reply.status(202).body(Full::default()).unwrap()),
        None => return Ok(reply.status(405).body(Full::default()).unwrap()),
    };
    let body = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string();
    Ok(reply.body(Full::from(body)).unwrap())
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    const CALLS: usize = 100;
    // None is answered before all are there.
    let together = Arc::new(Barrier::new(CALLS));
    let server = Server::start(move |id| {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
            Some(json!({ "id": id }))
        }
    })
    .await;
    let transport = open_with(&server.connect).await;
    let answers = join_all((2..).take(CALLS).map(|id| call(&*transport, id))).await;
    for (id, answer) in (2..).zip(answers) {
        assert_eq!(result(answer.unwrap()), json!({ "id": id }).to_string());
    }
    transport.close().await.unwrap();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_stream_that_the_server_resets_fails_its_call_alone() {
    let server = Server::start(|id| async move { (id != 2).then(|| json!({})) }).await;
    let transport = open_with(&server.connect).await;
    let (reset, other) = tokio::join!(call(&*transport, 2), call(&*transport, 3));
    let error = reset.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Maybe), "{error}");
    assert_eq!(result(other.unwrap()), "{}");
    assert_eq!(result(call(&*transport, 4).await.unwrap()), "{}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_is_larger_than_the_limit_fails_its_call_alone() {
    let server =
        Server::start(|id| async move { Some(if id == 2 { json!("x".repeat(1 << 20)) } else { json!({}) }) }).await;
    let limits = bowline_transport::Limits::default().with_max_frame_bytes(64 << 10);
    let transport = open_with(&server.connect.clone().limits(limits)).await;
    let error = call(&*transport, 2).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::TooLarge, Sent::Yes));
    assert_eq!(result(call(&*transport, 3).await.unwrap()), "{}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_nobody_used_for_too_long_is_replaced() {
    let server = Server::start(|_| async move { Some(json!({})) }).await;
    let transport = open_with(&server.connect).await;
    for id in 2..4 {
        assert_eq!(result(call(&*transport, id).await.unwrap()), "{}");
        tokio::time::pause();
        tokio::time::sleep(std::time::Duration::from_secs(91)).await;
        tokio::time::resume();
    }
    assert_eq!(result(call(&*transport, 4).await.unwrap()), "{}");
    assert_eq!(server.connections(), 3);
}
