//! The same one floor down: the exchanges of a mux, and a peer that reads and answers as the seed says.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bowline::protocol::RequestId;
use bowline::protocol::frame::{Message, encode_request};
use bowline::transport::{Exchange, Limits, Mux, Routing, Sent, Transport, TransportError, WireRequest};
use bowline_testkit::Seed;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::JoinSet;

use super::{NEVER, ORDERS, wait};
use crate::support::within;

/// What a peer has read.
#[derive(Clone, Default)]
struct Peer(Arc<Mutex<Read>>);

#[derive(Default)]
struct Read {
    requests: HashMap<u64, u32>,
    cancelled: HashSet<u64>,
}

impl Peer {
    /// Reads, and answers what it has read, until the stream ends.
    async fn serve(self, stream: DuplexStream, mut seed: Seed) {
        let (from, mut to) = tokio::io::split(stream);
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["method"] == "notifications/cancelled" {
                let id = message["params"]["requestId"].as_u64().unwrap();
                assert!(self.0.lock().unwrap().cancelled.insert(id), "{id} is cancelled twice");
                continue;
            }
            let id = message["id"].as_u64().unwrap();
            *self.0.lock().unwrap().requests.entry(id).or_default() += 1;
            if id == NEVER {
                continue;
            }
            wait(&mut seed).await;
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"n": id}});
            if to.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn count(&self, id: u64) -> u32 {
        self.0.lock().unwrap().requests.get(&id).copied().unwrap_or(0)
    }

    fn was_cancelled(&self, id: u64) -> bool {
        self.0.lock().unwrap().cancelled.contains(&id)
    }
}

/// A mux with few places and a short pipe, so that requests wait for both.
fn mux() -> (Arc<Mux>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(128);
    let (read, write) = tokio::io::split(ours);
    let limits = Limits::default().with_max_open_exchanges(4).with_max_unsent_bytes(256);
    (Arc::new(Mux::builder().limits(limits).spawn(read, write)), theirs)
}

async fn ask(mux: &Mux, id: u64) -> Result<Exchange, TransportError> {
    let id = RequestId::from(i64::try_from(id).unwrap());
    let frame = encode_request(&id, "add", None, None, None);
    mux.request(WireRequest::new(id, frame, Routing::new("add"))).await
}

/// The end of an exchange, which has no more than that.
async fn end(exchange: &mut Exchange, id: u64) -> Result<(), TransportError> {
    let end = exchange.next().await.expect("an end");
    assert!(exchange.next().await.is_none(), "something after the end of {id}");
    match end? {
        Message::Response(response) => {
            let result = response.outcome.unwrap().into_raw().unwrap();
            assert_eq!(result.to_value(), json!({ "n": id }));
            Ok(())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_and_the_response_meet_in_a_mux_and_one_of_them_counts() {
    for number in 0..ORDERS {
        let (mux, theirs) = mux();
        let peer = Peer::default();
        let serving = tokio::spawn(peer.clone().serve(theirs, Seed::new(number).at(&[7])));
        let mut asking = JoinSet::new();
        for id in (0..8).chain([NEVER]) {
            let (mux, mut seed) = (Arc::clone(&mux), Seed::new(number).at(&[8, id]));
            asking.spawn(async move {
                wait(&mut seed).await;
                let mut exchange = ask(&mux, id).await.unwrap();
                tokio::select! {
                    biased;
                    ended = end(&mut exchange, id) => {
                        ended.unwrap();
                        return (id, true);
                    }
                    // The first is left alone.
                    () = wait(&mut seed), if id > 0 => {}
                }
                match seed.below(2) {
                    0 => drop(exchange),
                    _ => exchange.cancel("changed my mind"),
                }
                (id, false)
            });
        }
        let mut answered = HashSet::new();
        while let Some(ended) = within(asking.join_next()).await {
            let (id, was_answered) = ended.unwrap();
            if was_answered {
                answered.insert(id);
            }
        }
        // All places are free again, and what was given up was told before this.
        let mut last = within(ask(&mux, 100)).await.unwrap();
        within(end(&mut last, 100)).await.unwrap();
        for id in (0..8).chain([NEVER]) {
            assert_eq!(peer.count(id), 1, "seed {number}: {id}");
            assert!(
                !answered.contains(&id) || !peer.was_cancelled(id),
                "seed {number}: {id} was answered and cancelled"
            );
        }
        assert!(answered.contains(&0) && peer.was_cancelled(NEVER), "seed {number}");
        within(mux.close()).await.unwrap();
        within(serving).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_meets_the_requests_of_a_mux_and_each_is_told_whether_it_may_have_left() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for number in 0..ORDERS {
        let (mux, theirs) = mux();
        let peer = Peer::default();
        let serving = tokio::spawn(peer.clone().serve(theirs, Seed::new(number).at(&[7])));
        let mut open = within(ask(&mux, NEVER)).await.unwrap();
        let mut asking = JoinSet::new();
        for id in 0..8 {
            let (mux, mut seed) = (Arc::clone(&mux), Seed::new(number).at(&[9, id]));
            asking.spawn(async move {
                wait(&mut seed).await;
                let outcome = match ask(&mux, id).await {
                    Ok(mut exchange) => end(&mut exchange, id).await,
                    Err(error) => Err(error),
                };
                (id, outcome)
            });
        }
        let mut seed = Seed::new(number).at(&[10]);
        for _ in 0..=seed.below(6) {
            wait(&mut seed).await;
        }
        match number % 4 {
            // A peer that reads on, or is gone, or does neither.
            0 => within(mux.close()).await.unwrap(),
            1 => mux.abort(&TransportError::closed()),
            2 => serving.abort(),
            _ => drop(within(mux.finish_writing()).await),
        }
        let error = within(end(&mut open, NEVER)).await.unwrap_err();
        // It may still be in the pipe.
        assert!(peer.count(NEVER) <= 1 && error.sent() != Sent::Yes, "seed {number}: {error}");
        while let Some(ended) = within(asking.join_next()).await {
            let (id, outcome) = ended.unwrap();
            let count = peer.count(id);
            match outcome {
                Ok(()) => assert_eq!(count, 1, "seed {number}: {id}"),
                Err(error) if error.sent() == Sent::No => assert_eq!(count, 0, "seed {number}: {id}: {error}"),
                Err(_) => assert!(count <= 1, "seed {number}: {id} was read {count} times"),
            }
        }
        let error = within(ask(&mux, 100)).await.unwrap_err();
        assert_eq!(error.sent(), Sent::No, "seed {number}: {error}");
        drop((mux, open));
        within(async {
            while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}
