//! Replicas that come and go.

use std::time::Duration;

use bowline_client::{ErrorKind, Safety};
use bowline_hub::{Pool, PoolSettings};
use bowline_transport::Sent;
use tokio::task::JoinHandle;

use super::fleet::{Host, pool, settle};

/// A call that takes so long, under way.
async fn long(pool: &Pool, n: u64, seconds: u64) -> JoinHandle<Result<String, bowline_client::Error>> {
    let pool = pool.clone();
    let call = tokio::spawn(async move {
        let call = pool.run(None, Safety::Unsafe, |client| {
            client.call("work").arg("n", n).arg("millis", seconds * 1_000).idle_timeout(Duration::from_secs(3600))
        });
        call.await.map(|result| result.joined_text())
    });
    settle().await;
    call
}

#[tokio::test(start_paused = true)]
async fn one_that_leaves_takes_no_calls_and_ends_those_it_has() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, PoolSettings::default());
    pool.warm().await.unwrap();
    let mut calls = Vec::new();
    for n in 0..10 {
        calls.push(long(&pool, n, 5).await);
    }
    let on_b = pool.snapshot().replicas[1].open;
    assert!(on_b > 0);
    let (drained, ()) = tokio::join!(pool.remove("b", Duration::from_secs(60)), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(pool.snapshot().replicas[1].is_draining);
        for n in 100..120 {
            let call = pool.run(None, Safety::Unsafe, |client| client.call("work").arg("n", n).arg("millis", 0));
            assert_eq!(call.await.unwrap().joined_text(), "a");
        }
    });
    let drained = drained.unwrap();
    assert_eq!((drained.ended, drained.cut, drained.connections), (u64::from(on_b), 0, 1), "{drained:?}");
    assert!(drained.took < Duration::from_secs(6), "{drained:?}");
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(pool.snapshot().replicas.len(), 1);
    let error = pool.remove("b", Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownName);
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_its_time_is_cut_off_and_told() {
    let host = Host::new("only");
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default());
    let (short, long_one) = (long(&pool, 1, 1).await, long(&pool, 2, 600).await);
    let drained = pool.close(Duration::from_secs(10)).await;
    assert_eq!((drained.ended, drained.cut), (1, 1), "{drained:?}");
    assert_eq!(drained.disorderly, [""; 0]);
    assert!(short.await.unwrap().is_ok());
    let error = long_one.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent() == Sent::No), (ErrorKind::Closed, false), "{error}");
    let late = pool.acquire(None).await.unwrap_err();
    assert_eq!((late.kind(), late.sent()), (ErrorKind::Closed, Sent::No));
    assert_eq!(pool.add(Host::new("other").replica()).unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_a_session_goes_on_while_its_replica_leaves() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, PoolSettings::default());
    pool.warm().await.unwrap();
    let leased = loop {
        let leased = pool.acquire(None).await.unwrap();
        if &**leased.replica() == "b" {
            break leased;
        }
    };
    let affinity = leased.affinity();
    let (drained, ()) = tokio::join!(pool.remove("b", Duration::from_secs(60)), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let more = pool.acquire(Some(&affinity)).await.unwrap();
        more.call("work").arg("n", 1).arg("millis", 0).await.unwrap();
        drop((leased, more));
    });
    assert_eq!(drained.unwrap().cut, 0);
    assert!(pool.acquire(Some(&affinity)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_added_gets_its_part() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts[..1], PoolSettings::default());
    pool.warm().await.unwrap();
    pool.add(hosts[1].replica().with_weight(3)).unwrap();
    assert_eq!(pool.add(hosts[1].replica()).unwrap_err().kind(), ErrorKind::Config);
    for n in 0..400 {
        let call = pool.run(None, Safety::Unsafe, |client| client.call("work").arg("n", n).arg("millis", 0));
        call.await.unwrap();
    }
    assert!((260..=340).contains(&hosts[1].calls()), "{}", hosts[1].calls());
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_given_up_can_be_taken_up_again() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, PoolSettings::default());
    pool.warm().await.unwrap();
    let mut calls = Vec::new();
    for n in 0..6 {
        calls.push(long(&pool, n, 30).await);
    }
    let first = tokio::time::timeout(Duration::from_secs(1), pool.remove("b", Duration::from_secs(60))).await;
    assert!(first.is_err());
    assert!(pool.snapshot().replicas[1].is_draining);
    let drained = pool.remove("b", Duration::from_secs(60)).await.unwrap();
    assert_eq!(drained.cut, 0);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_rests_on_a_connection_keeps_it_and_holds_up_nobody_who_closes_it() {
    let host = Host::new("only");
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default().with_idle(Some(Duration::from_secs(30))));
    let mut leased = pool.acquire(None).await.unwrap();
    leased.rest();
    leased.rest();
    assert_eq!(pool.snapshot().open, 0);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(pool.stop_idle().is_some());
    assert_eq!(pool.connected(), 1);
    let drained = pool.close(Duration::from_secs(60)).await;
    assert_eq!((drained.ended, drained.cut, drained.connections), (0, 0, 1));
    assert!(drained.took < Duration::from_secs(1), "{drained:?}");
    assert!(leased.is_closed());
}
