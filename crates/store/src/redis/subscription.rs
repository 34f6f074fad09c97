//! Hearing of changes over a connection of their own.

use std::time::Duration;

use ::redis::aio::{PubSubSink, PubSubStream};
use ::redis::{Client, RedisError};
use futures_util::StreamExt as _;

use super::failure;
use crate::error::StoreError;
use crate::watch::{Watch, WatchSender};

/// How often a silent connection is asked whether it lives.
const PING: Duration = Duration::from_secs(30);
/// How long to wait before connecting again, at first and in the end.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(10);

/// A watch of a channel, which is subscribed to when this is done.
pub(super) async fn watch(client: Client, channel: String, deadline: Duration) -> Result<Watch, StoreError> {
    let first = subscribe(&client, &channel, deadline).await?;
    let (sender, watch) = Watch::channel();
    // It ends with the watch.
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = hear(&client, &channel, deadline, first, &sender) => {}
        }
    });
    Ok(watch)
}

type Subscription = (PubSubSink, PubSubStream);

async fn subscribe(client: &Client, channel: &str, deadline: Duration) -> Result<Subscription, StoreError> {
    let work = async {
        let mut connection = client.get_async_pubsub().await?;
        connection.subscribe(channel).await?;
        Ok::<_, RedisError>(connection.split())
    };
    match tokio::time::timeout(deadline, work).await {
        Ok(done) => done.map_err(failure::of),
        Err(_) => Err(failure::late(deadline)),
    }
}

/// Hands changes on, and subscribes again whenever the connection is lost.
async fn hear(client: &Client, channel: &str, deadline: Duration, first: Subscription, sender: &WatchSender) {
    let mut subscription = first;
    loop {
        until_lost(&mut subscription, deadline, sender).await;
        let mut delay = FIRST_DELAY;
        subscription = loop {
            tokio::time::sleep(delay).await;
            match subscribe(client, channel, deadline).await {
                Ok(subscription) => break subscription,
                Err(error) => tracing::debug!(%error, "changes of the store cannot be watched; trying again"),
            }
            delay = (delay * 2).min(LAST_DELAY);
        };
        sender.missed();
    }
}

async fn until_lost((sink, stream): &mut Subscription, deadline: Duration, sender: &WatchSender) {
    loop {
        match tokio::time::timeout(PING, stream.next()).await {
            Ok(Some(message)) => match message.get_payload::<String>() {
                Ok(name) if !name.is_empty() => drop(sender.send(&name)),
                // Somebody else speaks on the channel.
                _ => drop(sender.missed()),
            },
            Ok(None) => return,
            Err(_) => {
                let alive = tokio::time::timeout(deadline, sink.ping::<()>()).await;
                if !matches!(alive, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}
