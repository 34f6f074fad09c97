//! What becomes of calls when replicas die.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::{Attempt, Error, ErrorKind, Outcome, Safety, Started};
use bowline_hub::{Hub, Member, Pool, PoolSettings, Replica, Verdict};
use bowline_transport::{
    BoxFuture, Connect, Exchange, Sent, Transport, TransportError, TransportErrorKind, WireRequest, WrapConnect,
    WrapTransport,
};
use futures_util::stream::{self, StreamExt};

use super::fleet::{Host, pool};

const CALLS: u64 = 1_000;

/// A thousand calls, thirty at a time, in the middle of which one replica dies.
async fn a_thousand_calls(pool: &Pool, hosts: &[Host], safety: Safety) -> Vec<(u64, Result<(), Error>)> {
    let over = Arc::new(AtomicU64::new(0));
    let calls = stream::iter(0..CALLS).map(|n| {
        let (pool, over) = (pool.clone(), Arc::clone(&over));
        async move {
            let call = pool
                .run(None, safety, |client| client.call("work").arg("n", n).arg("millis", 1 + n % 7).safety(safety));
            let outcome = call.await.map(drop);
            if over.fetch_add(1, Ordering::SeqCst) == 300 {
                hosts[1].die();
            }
            (n, outcome)
        }
    });
    calls.buffer_unordered(30).collect().await
}

fn hosts() -> Vec<Host> {
    ["a", "b", "c"].map(Host::new).into()
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_dies_in_the_middle_loses_no_call_that_only_reads() {
    let hosts = hosts();
    let pool = pool(&hosts, PoolSettings::default());
    let outcomes = a_thousand_calls(&pool, &hosts, Safety::ReadOnly).await;
    assert_eq!(outcomes.len() as u64, CALLS);
    for (n, outcome) in outcomes {
        assert!(outcome.is_ok(), "call {n}: {outcome:?}");
    }
    let snapshot = pool.snapshot();
    assert!(snapshot.replicas[1].moved > 0, "{snapshot:?}");
    assert_eq!((snapshot.replicas[1].connections, snapshot.replicas[1].health), (0, "waiting"));
    assert_eq!(snapshot.open, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_goes_on_and_what_may_have_been_is_told_and_not_repeated() {
    let hosts = hosts();
    let pool = pool(&hosts, PoolSettings::default());
    let outcomes = a_thousand_calls(&pool, &hosts, Safety::Unsafe).await;
    assert_eq!(outcomes.len() as u64, CALLS);
    let mut lost = 0;
    for (n, outcome) in outcomes {
        let times: u32 = hosts.iter().map(|host| host.ward.done.lock().unwrap().get(&n).copied().unwrap_or(0)).sum();
        match outcome {
            Ok(()) => assert_eq!(times, 1, "call {n}"),
            Err(error) => {
                assert_eq!((error.kind(), error.sent() != Sent::No), (ErrorKind::Closed, true), "call {n}: {error:?}");
                assert!(times <= 1, "call {n} was worked on {times} times");
                lost += 1;
            }
        }
    }
    // Those that the dead one was working on, and no others.
    assert!((1..=30).contains(&lost), "{lost}");
}

#[tokio::test(start_paused = true)]
async fn one_replica_alone_is_connected_again_for_a_call_that_never_left() {
    let host = Host::new("only");
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default().with_patience(Duration::ZERO));
    let work = || pool.run(None, Safety::Unsafe, |client| client.call("work").arg("n", 1).arg("millis", 0));
    work().await.unwrap();
    // It stayed up for long enough to be taken up again with little delay.
    tokio::time::sleep(Duration::from_secs(60)).await;
    host.server.disconnect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let error = work().await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Unavailable, Sent::No), "{error}");
    tokio::time::sleep(error.retry_after().unwrap()).await;
    work().await.unwrap();
    assert_eq!(host.connects(), 2);
}

#[tokio::test(start_paused = true)]
async fn with_patience_a_call_waits_for_the_next_attempt() {
    let host = Host::new("only");
    let settings = PoolSettings::default().with_patience(Duration::from_secs(2));
    let pool = pool(std::slice::from_ref(&host), settings);
    let work = || pool.run(None, Safety::Unsafe, |client| client.call("work").arg("n", 1).arg("millis", 0));
    work().await.unwrap();
    host.server.disconnect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    work().await.unwrap();
    host.die();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let began = tokio::time::Instant::now();
    let error = work().await.unwrap_err();
    assert_eq!(error.sent(), Sent::No, "{error}");
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_a_layer_gave_up_on_a_dead_connection_goes_on_where_it_never_left() {
    let host = Host::new("only");
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default());
    let exhausted = |sent| {
        let lost = Error::shutting_down(sent);
        let history = vec![Attempt::new(&lost, Duration::ZERO), Attempt::new(&lost, Duration::from_secs(1))];
        lost.exhausted("2 attempts", history)
    };
    let mut leased = pool.acquire(None).await.unwrap();
    // The same connection would be tried as often again.
    assert_eq!(leased.finish(Err(&exhausted(Sent::No)), Safety::Unsafe), Verdict::Done);
    host.server.disconnect();
    while !leased.client().is_closed() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(leased.finish(Err(&exhausted(Sent::No)), Safety::Unsafe), Verdict::GoOn);
    assert_eq!(leased.finish(Err(&exhausted(Sent::Maybe)), Safety::Unsafe), Verdict::Done);
}

/// A way on which each request makes a connection, as over HTTP, and none of a tool can any more.
struct EachRefused<C>(C, Arc<AtomicU64>);

struct Refusing(Box<dyn Transport>, Arc<AtomicU64>);

impl<C: Connect> WrapConnect for EachRefused<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.0
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async {
            let inner = Connect::connect(&self.0).await?;
            Ok(Box::new(Refusing(inner, Arc::clone(&self.1))) as Box<dyn Transport>)
        })
    }
}

impl WrapTransport for Refusing {
    type Inner = dyn Transport;

    fn inner(&self) -> &dyn Transport {
        &*self.0
    }

    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        if request.routing.method != "tools/call" {
            return Transport::request(&*self.0, request);
        }
        self.1.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Err(TransportError::new(TransportErrorKind::Connect, "refused")) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_each_request_is_asked_once_a_call_while_it_is_the_only_one() {
    let refused = Arc::default();
    let way = EachRefused(Host::new("a").server.connector(), Arc::clone(&refused));
    let pool = Pool::new("server \"a\"", [Replica::new("", way)], PoolSettings::default()).unwrap();
    let call = pool.run(None, Safety::ReadOnly, |client| client.call("work").arg("n", 1).safety(Safety::ReadOnly));
    let error = call.await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Connect, Sent::No));
    assert_eq!(refused.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_by_hand_and_a_task_go_on_to_another_replica_where_they_never_left() {
    let refused: Arc<AtomicU64> = Arc::default();
    let (bad, good) = (Host::new("bad"), Host::new("good"));
    // Which of the two it is that is drawn differs; the bad one stays in, so that it is.
    let settings = PoolSettings::default().with_seed(7).with_ejection(None);
    let way = EachRefused(bad.server.connector(), Arc::clone(&refused));
    let member = Member::new("m", way).replica("good", good.server.connector(), 1).pool(settings).circuit(None);
    let hub = Hub::builder().member(member).build().unwrap();
    let call = || hub.call("m.work").arg("n", 1).arg("millis", 0);
    for _ in 0..20 {
        let Outcome::Complete(by_hand) = call().by_hand().await.unwrap() else { panic!("it asks nothing") };
        assert_eq!(by_hand.joined_text(), "good");
        let Started::Complete(started) = call().as_task().start().await.unwrap() else { panic!("it has no tasks") };
        assert_eq!(started.joined_text(), "good");
        assert_eq!(call().as_task().await.unwrap().joined_text(), "good");
    }
    assert!(refused.load(Ordering::SeqCst) > 0);
    assert_eq!((bad.calls(), good.calls()), (0, 60));
}
