//! The service.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bowline_client::{Call, Error, Reply};
use bowline_transport::BoxFuture;
use tokio::time::Instant;
use tower_service::Service;

use super::store::{Entry, Store};
use crate::keep::{Kept, Key};

/// Calls whose answers are kept; made by [`CacheLayer`](crate::CacheLayer).
#[derive(Debug, Clone)]
pub struct Cache<S> {
    pub(super) inner: S,
    pub(super) store: Arc<Store>,
}

impl<S> Service<Call> for Cache<S>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // A kept answer needs nothing of what is inside.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (mut inner, store) = (self.inner.clone(), Arc::clone(&self.store));
        match Key::of(&call) {
            Some(key) => Box::pin(async move { look_up(&store, inner, key, call.begun()).await }),
            None => Box::pin(async move { ask(&mut inner, call).await }),
        }
    }
}

/// The answer that is kept, or that which comes.
async fn look_up<S>(store: &Store, inner: S, key: Key, call: Call) -> Result<Reply, Error>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    let kept = store.get(&key).await;
    if let Some(entry) = kept.as_ref().filter(|entry| Instant::now() < entry.fresh_until) {
        store.counters.hits.fetch_add(1, Ordering::Relaxed);
        store.saved(entry);
        return Ok(Reply::new(entry.raw.clone()));
    }
    // On the heap by itself: an answer that is kept has no room for the wait for one.
    Box::pin(fetch(store, inner, key, call, kept)).await
}

/// The answer that comes, once for all who ask for it; `kept` is one that is no longer fresh.
async fn fetch<S>(store: &Store, mut inner: S, key: Key, call: Call, kept: Option<Entry>) -> Result<Reply, Error>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    let counters = &store.counters;
    counters.misses.fetch_add(1, Ordering::Relaxed);
    // Who makes the call gets the reply as it came, all others what may be shared of it.
    let (mut own, mut found): (Option<Reply>, Option<Entry>) = (None, None);
    let flight = store.flights.try_get_with_by_ref(&key, async {
        let epoch = store.epoch();
        if let Some(entry) = store.of_others(&key, epoch).await {
            found = Some(entry.clone());
            return Ok(Some(entry));
        }
        let reply = ask(&mut inner, call.clone()).await?;
        let entry = match Kept::of(&reply) {
            Some(good) => Some(store.put(&key, good, reply.elapsed(), epoch).await),
            None => None,
        };
        own = Some(reply);
        Ok::<Option<Entry>, Error>(entry)
    });
    let outcome = flight.await;
    if let Some(entry) = found {
        store.flights.invalidate(&key).await;
        return Ok(Reply::new(entry.raw));
    }
    match (own, outcome) {
        (Some(reply), _) => {
            store.flights.invalidate(&key).await;
            Ok(reply)
        }
        (None, Ok(Some(entry))) if Instant::now() < entry.fresh_until => {
            counters.shared.fetch_add(1, Ordering::Relaxed);
            store.saved(&entry);
            Ok(Reply::new(entry.raw))
        }
        // It is not to be shared, or of a flight that is long over.
        (None, Ok(_)) => {
            store.flights.invalidate(&key).await;
            ask(&mut inner, call).await
        }
        (None, Err(error)) => match store.in_place_of(kept, &error) {
            Some(entry) => {
                counters.stale.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, "the server cannot be had; a kept answer that is no longer fresh stands in");
                store.saved(&entry);
                Ok(Reply::new(entry.raw))
            }
            None => Err(Error::clone(&error)),
        },
    }
}

async fn ask<S>(inner: &mut S, call: Call) -> Result<Reply, Error>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    poll_fn(|cx| inner.poll_ready(cx)).await?;
    inner.call(call).await
}
