//! An HTTP service in front of a hub.
//!
//! With an address it serves there until SIGTERM or Ctrl-C; without one it checks itself on a port that is free.

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

mod admission;
mod answer;
mod check;
mod routes;
mod servers;
mod stop;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bowline::hub::Hub;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::routes::Service;

/// What requests have to end once no more are taken: a little more than the longest call.
const DRAIN: Duration = Duration::from_secs(35);

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let Some(address) = std::env::args().nth(1) else { return check::run().await };
    let listener = TcpListener::bind(&address).await;
    let listener =
        listener.with_context(|| format!("cannot listen at {address}; name another, such as 127.0.0.1:8080"))?;
    println!("listening at http://{}", listener.local_addr()?);
    let hub = Hub::builder().members(servers::all()).build()?;
    serve(listener, Service::new(hub), stop::asked()?).await
}

/// Serves until `stop`, then until all requests that were taken are answered, and closes the servers.
///
/// # Errors
/// Where requests were still open after [`DRAIN`].
async fn serve(listener: TcpListener, service: Service, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let (told, is_told) = tokio::sync::oneshot::channel();
    let draining = service.clone();
    let stop = async move {
        stop.await;
        draining.drain();
        // Nobody listens any more where serving failed by itself.
        let _ = told.send(());
    };
    let router = routes::router(service.clone());
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop).into_future();
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        // The time to end begins when it is asked for, not when it was started.
        () = async { let _ = is_told.await; tokio::time::sleep(DRAIN).await; } => None,
    };
    // The servers are told as well, also where a request had to be cut.
    let closed = timeout(DRAIN, service.hub().close()).await;
    match ended {
        None => bail!("requests were still open {} s after the stop, and were cut", DRAIN.as_secs()),
        Some(ended) => ended?,
    }
    closed.context("the servers did not close in time")?;
    Ok(())
}
