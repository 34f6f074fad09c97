//! A call that finds the breaker half-open, and lets a ping go first.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::{Call, Error, ErrorKind, Reply};
use bowline_protocol::method;
use tower_service::Service;

use super::future::Pass;
use super::layer::Shared;
use super::machine::End;

/// Makes the call once pings have closed the breaker; where they open it again, the call is refused and not sent.
///
/// The service is ready, and the pass is one to try the server out.
pub(super) async fn first<S>(
    shared: Arc<Shared>,
    key: Option<Arc<str>>,
    mut pass: Pass,
    patience: Duration,
    mut inner: S,
    call: Call,
) -> Result<Reply, Error>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    while pass.is_probe() {
        let outcome = ping(&mut inner, patience).await;
        let end = shared.judge(&outcome);
        poll_fn(|cx| inner.poll_ready(cx)).await?;
        if end == End::Nothing {
            // It could not be asked, so the call itself is what tries it out.
            break;
        }
        pass.end(end);
        pass = Pass::ask(&shared, key.clone())?;
    }
    let outcome = inner.call(call).await;
    let end = shared.judge(&outcome);
    pass.end(end);
    outcome
}

/// What every server must answer: a ping, and in revisions without one (2026-07-28) the question for its versions.
async fn ping<S>(inner: &mut S, patience: Duration) -> Result<Reply, Error>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    let ask = |method: &'static str| Call::new(method).with_idle(patience).with_total(patience);
    match inner.call(ask(method::PING)).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            poll_fn(|cx| inner.poll_ready(cx)).await?;
            inner.call(ask(method::SERVER_DISCOVER)).await
        }
        outcome => outcome,
    }
}
