//! Several streams as one.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// In which order several streams are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// One after another, each as often as the others: one that always has something keeps none waiting.
    #[default]
    RoundRobin,
    /// The first that has something, in the order in which they were given. One that always has something keeps those
    /// behind it waiting.
    Priority,
    /// As they come: the one that has just had something is asked again, until it has nothing; then the next.
    AsTheyCome,
}

/// Several streams as one, each item with the number of its stream; made by [`merge`]. It ends when all have ended.
#[must_use = "streams do nothing until they are polled"]
pub struct Merge<S> {
    /// None where one has ended.
    streams: Vec<Option<Pin<Box<S>>>>,
    order: Order,
    next: usize,
}

/// Merges streams into one.
///
/// ```
/// use bowline_client::Client;
/// use bowline_resilience::{Order, events, merge};
/// use futures_util::StreamExt;
///
/// async fn both(client: &Client) {
///     let calls = ["dig", "saw"].map(|tool| events(client.call(tool)));
///     let mut all = merge(calls, Order::RoundRobin);
///     while let Some((which, event)) = all.next().await {
///         println!("{which}: {event:?}");
///     }
/// }
/// ```
pub fn merge<S: Stream>(streams: impl IntoIterator<Item = S>, order: Order) -> Merge<S> {
    let streams = streams.into_iter().map(|stream| Some(Box::pin(stream))).collect();
    Merge { streams, order, next: 0 }
}

impl<S: Stream> Stream for Merge<S> {
    type Item = (usize, S::Item);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let count = this.streams.len();
        let start = if this.order == Order::Priority { 0 } else { this.next };
        let mut are_open = false;
        for index in (0..count).map(|offset| (start + offset) % count) {
            let Some(slot) = this.streams.get_mut(index) else { continue };
            let Some(stream) = slot else { continue };
            match stream.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    this.next = if this.order == Order::RoundRobin { (index + 1) % count } else { index };
                    return Poll::Ready(Some((index, item)));
                }
                Poll::Ready(None) => *slot = None,
                Poll::Pending => are_open = true,
            }
        }
        if are_open { Poll::Pending } else { Poll::Ready(None) }
    }
}

impl<S> fmt::Debug for Merge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.streams.iter().flatten().count();
        f.debug_struct("Merge").field("open", &open).field("order", &self.order).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::{StreamExt, iter};

    async fn numbers(order: Order) -> Vec<usize> {
        merge([iter(0..3), iter(0..2), iter(0..0)], order).map(|(which, _)| which).collect().await
    }

    #[tokio::test]
    async fn each_order_asks_in_its_own_way_and_none_loses_anything() {
        assert_eq!(numbers(Order::RoundRobin).await, [0, 1, 0, 1, 0]);
        assert_eq!(numbers(Order::Priority).await, [0, 0, 0, 1, 1]);
        assert_eq!(numbers(Order::AsTheyCome).await, [0, 0, 0, 1, 1]);
        assert_eq!(
            merge(Vec::<futures_util::stream::Iter<std::ops::Range<i32>>>::new(), Order::Priority).next().await,
            None
        );
    }

    #[tokio::test]
    async fn what_comes_late_is_waited_for_and_priority_goes_first() {
        let (low, high) = (tokio::sync::mpsc::channel(4), tokio::sync::mpsc::channel(4));
        let stream = |mut receiver: tokio::sync::mpsc::Receiver<u32>| {
            futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx))
        };
        let mut merged = merge([stream(high.1), stream(low.1)], Order::Priority);
        low.0.send(1).await.unwrap();
        high.0.send(2).await.unwrap();
        assert_eq!(merged.next().await, Some((0, 2)));
        high.0.send(3).await.unwrap();
        assert_eq!(merged.next().await, Some((0, 3)));
        assert_eq!(merged.next().await, Some((1, 1)));
        let waits = tokio::spawn(async move { merged.next().await });
        tokio::task::yield_now().await;
        low.0.send(4).await.unwrap();
        assert_eq!(waits.await.unwrap(), Some((1, 4)));
    }
}
