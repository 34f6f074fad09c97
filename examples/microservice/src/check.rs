//! The service, started here and asked over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use axum::http::{Method, Request, Response, StatusCode};
use bowline::hub::Hub;
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

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
    let hub = Hub::builder().members(servers::all()).build()?;
    let (stop, stopped) = oneshot::channel();
    let service = Service::new(hub);
    let serving = tokio::spawn(serve(listener, service, async { stopped.await.unwrap_or_default() }));

    routes(&caller).await?;
    refusals(&caller).await?;

    // Each call is on its way or taken when the stop comes; what was taken is answered whole.
    let calls = join_all((0..OPEN).map(|_| caller.ask(Method::POST, "/tools/docks__unload", "{}")));
    let (answers, ()) = tokio::join!(calls, async {
        // A first answer says that calls are being taken.
        let first = caller.ask(Method::POST, "/tools/weather__wind", "{}").await;
        drop(first);
        let _ = stop.send(());
    });
    let mut answered = 0;
    for answer in answers {
        // A connection that was not accepted is an error of its caller, never half an answer.
        let Ok(answer) = answer else { continue };
        ensure!(answer.status() == StatusCode::OK, "a call was cut with {}: {}", answer.status(), text(&answer));
        ensure!(text(&answer).contains("3 crates are ashore"), "half an answer: {}", text(&answer));
        answered += 1;
    }
    ensure!(answered > 0, "no call was answered");
    tokio::time::timeout(ANSWER, serving).await.context("the service did not stop")???;
    ensure!(caller.ask(Method::GET, "/live", "").await.is_err(), "it still answers after its end");
    println!("stopped in the middle of calls: none was cut");
    Ok(())
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
    let down = caller.expect(Method::POST, "/tools/radar__unload", "{}", 503, "unavailable").await?;
    ensure!(down.headers().contains_key("retry-after"), "it is not told when the server is tried again");
    Ok(())
}

struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Caller {
    fn new(base: String) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), base }
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> Result<Response<Bytes>> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json").body(Full::from(body.to_owned()))?;
        let answer = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            anyhow::Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        };
        tokio::time::timeout(ANSWER, answer).await.context("no answer came in time")?
    }

    /// Asks, and holds the answer against what it has to be.
    async fn expect(&self, method: Method, path: &str, body: &str, status: u16, has: &str) -> Result<Response<Bytes>> {
        let name = format!("{method} {path}");
        let answer = self.ask(method, path, body).await.with_context(|| name.clone())?;
        if answer.status().as_u16() != status || !text(&answer).contains(has) {
            bail!("{name} is to be {status} with `{has}`, and is {}: {}", answer.status(), text(&answer));
        }
        ensure!(answer.headers().contains_key("x-request-id"), "{name} has no id");
        println!("{status} {name}");
        Ok(answer)
    }
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}
