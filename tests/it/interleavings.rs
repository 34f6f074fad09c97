//! What happens at the same time, in an order that a seed decides.
//!
//! One thread, a clock that moves when all sleep, and everything in memory: whatever the seed chooses happens again
//! with the same seed. Model checkers want their own primitives in the place of tokio's, down to the channels; this
//! needs none. What a test claims to have met (an answer, a cancel, a loss) it brings about in every order, so that no
//! assertion is left to the seeds.

mod mux;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::Revision;
use bowline::transport::{BoxFuture, Sent, Transport, TransportError, TransportErrorKind};
use bowline_testkit::{MockServer, Seed};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{received, within};

/// How many orders are tried of each.
const ORDERS: u64 = 200;

/// The number of a call that is never answered.
const NEVER: u64 = 1000;

/// Lets others go first: for some turns, and for some time.
async fn wait(seed: &mut Seed) {
    for _ in 0..seed.below(8) {
        tokio::task::yield_now().await;
    }
    match seed.below(4) {
        0 => {}
        n => tokio::time::sleep(Duration::from_millis(n)).await,
    }
}

/// A server that counts what it carries out, by number, and takes its time as the seed says.
#[derive(Clone)]
struct Counting {
    server: MockServer,
    counts: Arc<Mutex<HashMap<u64, u32>>>,
}

impl Counting {
    fn new(seed: u64) -> Self {
        let counts: Arc<Mutex<HashMap<u64, u32>>> = Arc::default();
        let counting = Arc::clone(&counts);
        let server = MockServer::builder()
            .revisions(Revision::ALL)
            .logging()
            .tool(Tool::new("add", json!({"type": "object"})), move |call| {
                let counting = Arc::clone(&counting);
                async move {
                    let n: u64 = call.argument("n")?;
                    let mut seed = Seed::new(seed).at(&[n]);
                    wait(&mut seed).await;
                    *counting.lock().unwrap().entry(n).or_default() += 1;
                    if n == NEVER {
                        std::future::pending::<()>().await;
                    }
                    call.progress(1.0, None, None).await;
                    wait(&mut seed).await;
                    Ok(CallToolResult::text(n.to_string()))
                }
            })
            .build();
        Self { server, counts }
    }

    fn count(&self, n: u64) -> u32 {
        self.counts.lock().unwrap().get(&n).copied().unwrap_or(0)
    }

    /// Waits until the call that is never answered is being carried out.
    async fn never_begun(&self) {
        within(async {
            while self.count(NEVER) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// Holds an outcome against what was counted.
    fn agrees(&self, n: u64, outcome: &Result<CallToolResult, Error>, what: &str) {
        let count = self.count(n);
        assert!(count <= 1, "{what}: call {n} was carried out {count} times");
        match outcome {
            Ok(result) => assert_eq!((result.joined_text(), count), (n.to_string(), 1), "{what}: call {n}"),
            Err(error) if error.sent() == Sent::No => assert_eq!(count, 0, "{what}: call {n}: {error}"),
            Err(_) => {}
        }
    }
}

/// Connects in memory to a server that lives on when its connections end: the first time at once, and then as the seed
/// says, which may be late or not at all.
struct LivesOn {
    server: MockServer,
    seed: u64,
    attempts: AtomicU64,
}

impl Connect for LivesOn {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        let connector = self.server.connector();
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
        let mut seed = Seed::new(self.seed).at(&[6, attempt]);
        Box::pin(async move {
            if attempt > 0 {
                wait(&mut seed).await;
                if seed.below(4) == 0 {
                    return Err(TransportError::new(TransportErrorKind::Connect, "the way is closed"));
                }
            }
            connector.connect().await
        })
    }

    fn describe(&self) -> String {
        "a server that lives on".into()
    }

    fn server_lives_on(&self) -> bool {
        true
    }
}

async fn client(counting: &Counting, seed: u64) -> Client {
    let revision = if seed.is_multiple_of(2) { Revision::LATEST_HANDSHAKE } else { Revision::V2026_07_28 };
    let way = LivesOn { server: counting.server.clone(), seed, attempts: AtomicU64::new(0) };
    within(Client::builder().revision(revision).connect(way)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cancel_and_the_response_meet_and_one_of_them_counts() {
    for number in 0..ORDERS {
        let counting = Counting::new(number);
        let client = client(&counting, number).await;
        let mut calls = JoinSet::new();
        for n in (0..6).chain([NEVER]) {
            let (client, mut seed) = (client.clone(), Seed::new(number).at(&[1, n]));
            calls.spawn(async move {
                let call = client.call("add").arg("n", n).into_future();
                tokio::select! {
                    // So that each is sent.
                    biased;
                    outcome = call => Some((n, outcome)),
                    // The first is left alone.
                    () = async { wait(&mut seed).await; wait(&mut seed).await }, if n > 0 => None,
                }
            });
        }
        let mut answered = 0;
        while let Some(ended) = calls.join_next().await {
            let Some((n, outcome)) = ended.unwrap() else { continue };
            assert!(outcome.is_ok(), "seed {number}: {outcome:?}");
            counting.agrees(n, &outcome, &format!("seed {number}"));
            answered += 1;
        }
        // The connection is as good as before, and what was answered was not cancelled.
        let outcome = within(client.call("add").arg("n", 100)).await;
        counting.agrees(100, &outcome, &format!("seed {number}"));
        assert!(outcome.is_ok(), "seed {number}: {outcome:?}");
        let cancelled = received(counting.server.journal(), "notifications/cancelled").len();
        assert!(answered >= 1 && cancelled >= 1, "seed {number}: {answered} answered, {cancelled} cancelled");
        assert!(answered + cancelled <= 7, "seed {number}: {answered} answered, {cancelled} cancelled");
        within(client.close()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_lost_and_replaced_while_calls_leave() {
    for number in 0..ORDERS {
        let counting = Counting::new(number);
        let client = client(&counting, number).await;
        let mut calls = JoinSet::new();
        let lost = tokio::spawn(client.call("add").arg("n", NEVER).into_future());
        counting.never_begun().await;
        for n in 0..8 {
            let (client, mut seed) = (client.clone(), Seed::new(number).at(&[2, n]));
            calls.spawn(async move {
                wait(&mut seed).await;
                if n % 4 == 3 {
                    // Whether it leaves or not, it is over.
                    let _ = client.notify("notifications/roots/list_changed", json!({})).await;
                    client.retry_now();
                }
                (n, client.call("add").arg("n", n).await)
            });
        }
        let mut seed = Seed::new(number).at(&[3]);
        for _ in 0..=seed.below(3) {
            wait(&mut seed).await;
            counting.server.disconnect();
        }
        while let Some(ended) = within(calls.join_next()).await {
            let (n, outcome) = ended.unwrap();
            counting.agrees(n, &outcome, &format!("seed {number}"));
        }
        let error = within(lost).await.unwrap().unwrap_err();
        assert_ne!(error.sent(), Sent::No, "seed {number}: {error}");
        assert_eq!(counting.count(NEVER), 1, "seed {number}");
        // Sooner or later the way is open: what fails until then was not sent.
        within(async {
            for n in 100.. {
                let outcome = client.call("add").arg("n", n).await;
                counting.agrees(n, &outcome, &format!("seed {number}"));
                match outcome {
                    Ok(_) => break,
                    Err(error) => assert!(!error.is_closed() || error.sent() == Sent::No, "seed {number}: {error}"),
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
        .await;
        // A connection that was lost just then has nothing to flush.
        let _ = within(client.close()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_meets_everything_and_nothing_is_left() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for number in 0..ORDERS {
        let counting = Counting::new(number);
        let client = client(&counting, number).await;
        let outcome = within(client.call("add").arg("n", 200)).await;
        assert!(outcome.is_ok(), "seed {number}: {outcome:?}");
        let open = tokio::spawn(client.call("add").arg("n", NEVER).into_future());
        counting.never_begun().await;
        let mut work = JoinSet::new();
        for n in 0..8_u64 {
            let (client, server) = (client.clone(), counting.server.clone());
            let mut seed = Seed::new(number).at(&[4, n]);
            work.spawn(async move {
                wait(&mut seed).await;
                let outcome = match n {
                    0..4 => Some(client.call("add").arg("n", n).on_progress(|_| {}).await),
                    4 => {
                        // Ends with the connection, or was refused since it had ended.
                        if let Ok(mut changes) = client.changes().await {
                            while changes.next().await.is_some() {}
                        }
                        None
                    }
                    5 => {
                        let _ = client.notify("notifications/roots/list_changed", json!({})).await;
                        None
                    }
                    6 => {
                        server.notify("notifications/message", Some(json!({"level": "info", "data": 1}).into())).await;
                        None
                    }
                    _ => {
                        // Late enough that many calls have ended well by then.
                        wait(&mut seed).await;
                        wait(&mut seed).await;
                        server.disconnect();
                        client.retry_now();
                        None
                    }
                };
                outcome.map(|outcome| (n, outcome))
            });
        }
        let mut seed = Seed::new(number).at(&[5]);
        for _ in 0..=seed.below(12) {
            wait(&mut seed).await;
        }
        // A connection that was lost just then has nothing to flush.
        let _ = within(client.close()).await;
        while let Some(ended) = within(work.join_next()).await {
            let Some((n, outcome)) = ended.unwrap() else { continue };
            counting.agrees(n, &outcome, &format!("seed {number}"));
        }
        let error = within(open).await.unwrap().unwrap_err();
        assert!(error.is_closed() && error.sent() != Sent::No, "seed {number}: {error}");
        assert_eq!(counting.count(NEVER), 1, "seed {number}");
        let error = client.call("add").arg("n", 100).await.unwrap_err();
        assert!(error.is_closed() && error.sent() == Sent::No, "seed {number}: {error}");
        drop(client);
        // What ends by itself does so without the clock; a minute of it is more than any grace.
        within(async {
            while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}
