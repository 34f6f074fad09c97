//! Replicas whose calls fail get none for a while.

use std::time::Duration;

use bowline_client::{Error, ErrorKind, Safety};
use bowline_hub::{Ejection, Pool, PoolSettings};
use bowline_transport::Sent;

use super::fleet::{Host, heard, pool, settle};

fn settings() -> PoolSettings {
    let ejection = Ejection::default()
        .with_consecutive(3)
        .with_time(Duration::from_secs(10), Duration::from_secs(60))
        .with_max_ejected(0.5);
    PoolSettings::default().with_ejection(Some(ejection))
}

async fn calls(pool: &Pool, count: u64) -> u64 {
    let mut failed = 0;
    for n in 0..count {
        let call = pool.run(None, Safety::Unsafe, |client| client.call("work").arg("n", n).arg("millis", 1));
        failed += u64::from(call.await.is_err());
    }
    failed
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_falls_ill_is_left_out_asked_and_let_in_again() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, settings());
    pool.warm().await.unwrap();
    let heard = heard(&pool);
    hosts[1].set_ill(true);
    assert_eq!(calls(&pool, 40).await, 3, "three in a row, and then it is out");
    assert_eq!(heard.lock().unwrap().as_slice(), ["b ejected for 10s"]);
    let left = pool.snapshot().replicas[1].ejected_for.unwrap();
    assert!(left <= Duration::from_secs(10), "{left:?}");

    // It answers a ping, so it gets calls again; one that fails is enough to take it out for twice as long.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(calls(&pool, 40).await, 1);
    assert_eq!(heard.lock().unwrap()[1..], ["b returned", "b ejected for 20s"]);

    hosts[1].set_ill(false);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(calls(&pool, 200).await, 0);
    assert_eq!(heard.lock().unwrap()[3..], ["b returned"]);
    assert!((70..=130).contains(&hosts[1].calls()), "{}", hosts[1].calls());
    assert_eq!(pool.snapshot().replicas[1].ejections, 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_answer_the_question_stays_out() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, settings());
    pool.warm().await.unwrap();
    hosts[1].set_ill(true);
    calls(&pool, 40).await;
    let when = bowline_testkit::When::method("ping");
    hosts[1].server.misbehave(when, bowline_testkit::Misbehaviour::NeverAnswer);
    let heard = heard(&pool);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(calls(&pool, 1).await, 0);
    assert_eq!(pool.snapshot().replicas[1].ejected_for, Some(Duration::ZERO), "it is being asked");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(pool.snapshot().replicas[1].ejected_for.unwrap() > Duration::from_secs(10));
    assert_eq!(heard.lock().unwrap().as_slice(), [""; 0]);
}

#[test]
fn outside_a_runtime_it_is_not_asked_and_within_the_next_one_it_is() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hosts = ["a", "b"].map(Host::new);
    let soon = Duration::from_nanos(1);
    let ejection = Ejection::default().with_consecutive(1).with_time(soon, soon).with_max_ejected(0.5);
    let pool = pool(&hosts, PoolSettings::default().with_ejection(Some(ejection)));
    let first = runtime();
    first.block_on(async {
        pool.warm().await.unwrap();
        let mut leased = pool.acquire(None).await.unwrap();
        while &**leased.replica() != "b" {
            leased = pool.acquire(None).await.unwrap();
        }
        leased.finish(Err(&Error::shutting_down(Sent::Maybe)), Safety::Unsafe);
    });
    drop(pool.try_acquire(None));
    let is_out = |pool: &Pool| pool.snapshot().replicas[1].ejected_for.is_some();
    assert!(is_out(&pool));
    {
        // What is asked there is not answered any more.
        let handle = runtime().handle().clone();
        let _entered = handle.enter();
        drop(pool.try_acquire(None));
    }
    assert!(is_out(&pool));
    let back = async {
        while is_out(&pool) {
            calls(&pool, 1).await;
        }
    };
    first.block_on(async { tokio::time::timeout(Duration::from_secs(30), back).await.unwrap() });
}

#[tokio::test(start_paused = true)]
async fn however_many_are_ill_a_part_of_them_stays_in() {
    let hosts = ["a", "b", "c", "d"].map(Host::new);
    let pool = pool(&hosts, settings());
    pool.warm().await.unwrap();
    for host in &hosts {
        host.set_ill(true);
    }
    calls(&pool, 60).await;
    let out = |pool: &Pool| pool.snapshot().replicas.iter().filter(|one| one.ejected_for.is_some()).count();
    assert_eq!(out(&pool), 2);
}

#[tokio::test(start_paused = true)]
async fn when_those_that_are_in_die_those_that_are_out_get_the_calls() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, settings());
    pool.warm().await.unwrap();
    hosts[1].set_ill(true);
    calls(&pool, 40).await;
    hosts[1].set_ill(false);
    hosts[0].die();
    settle().await;
    assert_eq!(calls(&pool, 10).await, 0);
    assert_eq!(hosts[1].calls(), 10 + pool.snapshot().replicas[1].calls - 13);
}

#[tokio::test(start_paused = true)]
async fn tools_that_fail_and_errors_of_the_protocol_eject_nobody() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, settings());
    for _ in 0..40 {
        let result = pool.run(None, Safety::Unsafe, |client| client.call("fails")).await.unwrap();
        assert_eq!(result.is_error, Some(true));
        let error = pool.run(None, Safety::Unsafe, |client| client.call("refuses")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
    }
    let snapshot = pool.snapshot();
    for replica in &snapshot.replicas {
        assert_eq!((replica.failures, replica.ejections, replica.ejected_for), (0, 0, None), "{snapshot:?}");
        assert!(replica.calls > 10);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_given_up_say_nothing() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, settings());
    pool.warm().await.unwrap();
    for host in &hosts {
        host.set_ill(true);
    }
    for n in 0..40 {
        let call = pool.run(None, Safety::Unsafe, |client| client.call("work").arg("n", n).arg("millis", 1));
        assert!(tokio::time::timeout(Duration::from_millis(10), call).await.is_err());
    }
    let snapshot = pool.snapshot();
    assert_eq!(snapshot.open, 0);
    assert!(snapshot.replicas.iter().all(|one| one.calls == 0 && one.ejections == 0), "{snapshot:?}");
}
