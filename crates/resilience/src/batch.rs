//! Many calls at once, within a bound, each with an outcome of its own.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use bowline_transport::BoxFuture;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream;

/// Many calls, of which so many run at once. Made by [`batch`].
///
/// One that fails is one outcome among others, and stops nothing.
#[must_use = "nothing is sent until the stream is polled"]
pub struct Batch<T> {
    calls: Vec<BoxFuture<'static, T>>,
    at_once: usize,
}

/// Takes many calls, to run some of them at once. Nothing is sent yet.
///
/// ```
/// use bowline_client::Client;
/// use bowline_resilience::batch;
/// use futures_util::StreamExt;
///
/// async fn look_up(client: &Client, words: &[&str]) {
///     let calls = words.iter().map(|word| client.call("define").arg("word", *word));
///     let mut outcomes = batch(calls).at_once(4).as_completed();
///     while let Some((index, outcome)) = outcomes.next().await {
///         match outcome {
///             Ok(result) => println!("{}: {}", words[index], result.joined_text()),
///             Err(error) => println!("{}: {error}", words[index]),
///         }
///     }
/// }
/// ```
pub fn batch<T: Send + 'static>(
    calls: impl IntoIterator<Item = impl IntoFuture<Output = T, IntoFuture: Send + 'static>>,
) -> Batch<T> {
    let boxed = |call: BoxFuture<'static, T>| call;
    let calls = calls.into_iter().map(|call| boxed(Box::pin(call.into_future()))).collect();
    Batch { calls, at_once: 16 }
}

impl<T: Send + 'static> Batch<T> {
    /// Sets how many run at once, at least 1. Default: 16.
    pub fn at_once(mut self, calls: usize) -> Self {
        self.at_once = calls.max(1);
        self
    }

    /// Runs them; outcomes come in the order of the calls, each with its number from 0. One that takes long holds back
    /// those behind it, of which no more than run at once are finished and kept.
    pub fn in_order(self) -> Outcomes<T> {
        let at_once = self.at_once;
        Outcomes(Box::pin(self.numbered().buffered(at_once)))
    }

    /// Runs them; outcomes come as the calls end, each with its number from 0.
    pub fn as_completed(self) -> Outcomes<T> {
        let at_once = self.at_once;
        Outcomes(Box::pin(self.numbered().buffer_unordered(at_once)))
    }

    fn numbered(self) -> impl Stream<Item = impl Future<Output = (usize, T)> + Send> + Send {
        stream::iter(self.calls.into_iter().enumerate().map(|(index, call)| async move { (index, call.await) }))
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("calls", &self.calls.len()).field("at_once", &self.at_once).finish()
    }
}

/// The outcomes of a [`Batch`]. Dropping it cancels the calls that are under way, and sends no others.
#[must_use = "nothing is sent until it is polled"]
pub struct Outcomes<T>(Pin<Box<dyn Stream<Item = (usize, T)> + Send>>);

impl<T> Stream for Outcomes<T> {
    type Item = (usize, T);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> fmt::Debug for Outcomes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outcomes").field(&self.0.size_hint()).finish()
    }
}
