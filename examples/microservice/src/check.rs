//! The service, started here and asked over HTTP.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use axum::http::{Method, Request, Response};
use bowline::hub::{Hub, Member};
use bowline::prelude::*;
use bowline_testkit::MockServer;
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::{Barrier, oneshot};

use crate::routes::Service;
use crate::{serve, servers};

/// What any answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Calls that are open when the service is told to stop.
const OPEN: usize = 64;

/// Asks each route, and stops the service in the middle of calls.
pub(crate) async fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let caller = Caller::new(format!("http://{}", listener.local_addr()?));
    let (arrived, go) = (Arc::new(Barrier::new(OPEN + 1)), Arc::new(Barrier::new(OPEN + 1)));
    let hub = Hub::builder().members(servers::all()).member(gate(Arc::clone(&arrived), Arc::clone(&go))).build()?;
    let (stop, stopped) = oneshot::channel();
    let service = Service::new(hub);
    let serving = tokio::spawn(serve(listener, service, async { stopped.await.unwrap_or_default() }));

    routes(&caller).await?;
    println!("each route answers");
    refusals(&caller).await?;
    println!("each refusal has its status");

    let calls = join_all((0..OPEN).map(|_| caller.expect(Method::POST, "/tools/gate__pass", "{}", 200, "passed")));
    let (answers, ()) = tokio::join!(calls, async {
        // Where a call never arrives the others wait in vain, and end with their deadline.
        arrived.wait().await;
        let _ = stop.send(());
        go.wait().await;
    });
    for answer in answers {
        answer.context("a call that was taken was cut")?;
    }
    tokio::time::timeout(ANSWER, serving).await.context("the service did not stop")???;
    ensure!(caller.ask(Method::GET, "/live", "").await.is_err(), "it still answers after its end");
    println!("stopped in the middle of {OPEN} calls: none was cut");
    Ok(())
}

/// A server whose calls are all open at the same time, and end when they are let go.
fn gate(arrived: Arc<Barrier>, go: Arc<Barrier>) -> Member {
    let pass = Tool::new("pass", serde_json::json!({ "type": "object" }));
    let server = MockServer::builder().tool(pass, move |_| {
        let (arrived, go) = (Arc::clone(&arrived), Arc::clone(&go));
        async move {
            arrived.wait().await;
            go.wait().await;
            Ok(CallToolResult::text("passed"))
        }
    });
    Member::new("gate", server.build().connector())
}

async fn routes(caller: &Caller) -> Result<()> {
    caller.expect(Method::GET, "/live", "", 200, "alive").await?;
    let tools = caller.expect(Method::GET, "/tools", "", 200, "weather__wind").await?;
    ensure!(text(&tools).contains("radar"), "the server that is down is not told of: {}", text(&tools));
    caller.expect(Method::POST, "/tools/weather__wind", "{}", 200, "north, 5 knots").await?;
    let stream = caller.expect(Method::POST, "/tools/docks__unload/stream", "{}", 200, "event: result").await?;
    ensure!(text(&stream).contains("event: progress"), "no progress was told: {}", text(&stream));
    caller.expect(Method::GET, "/ready", "", 200, "\"ready\":true").await?;
    caller.expect(Method::GET, "/metrics", "", 200, "wind").await?;
    Ok(())
}

async fn refusals(caller: &Caller) -> Result<()> {
    caller.expect(Method::GET, "/nowhere", "", 404, "no_route").await?;
    caller.expect(Method::GET, "/tools/weather__wind", "", 405, "no_method").await?;
    caller.expect(Method::POST, "/tools/weather__sail", "{}", 404, "unknown_name").await?;
    caller.expect(Method::POST, "/tools/weather__wind", "{", 400, "bad_request").await?;
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(300 * 1024));
    caller.expect(Method::POST, "/tools/weather__wind", &long, 413, "bad_request").await?;
    let down = caller.expect(Method::POST, "/tools/radar__unload", "{}", 503, "kind").await?;
    ensure!(down.headers().contains_key("retry-after"), "it is not told when the server is tried again");
    Ok(())
}

type Answer = Response<Bytes>;

struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Caller {
    fn new(base: String) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), base }
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> Result<Answer> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json").body(Full::from(body.to_owned()))?;
        let answer = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            anyhow::Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        };
        tokio::time::timeout(ANSWER, answer).await.context("no answer came in time")?
    }

    /// Asks, and holds the answer against what it has to be.
    async fn expect(&self, method: Method, path: &str, body: &str, status: u16, has: &str) -> Result<Answer> {
        let name = format!("{method} {path}");
        let answer = self.ask(method, path, body).await.with_context(|| name.clone())?;
        if answer.status().as_u16() != status || !text(&answer).contains(has) {
            bail!("{name} is to be {status} with `{has}`, and is {}: {}", answer.status(), text(&answer));
        }
        ensure!(answer.headers().contains_key("x-request-id"), "{name} has no id");
        Ok(answer)
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}
