//! Who gets how many calls.

use bowline_client::{Error, ErrorKind, Safety};
use bowline_hub::{Pool, PoolSettings};

use super::fleet::{Host, pool, settle};

fn weighted(weights: &[(&'static str, u32)]) -> Pool {
    let replicas = weights.iter().map(|(name, weight)| Host::new(name).replica().with_weight(*weight));
    Pool::new("", replicas, PoolSettings::default().with_seed(11)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_call_after_another_goes_by_weight() {
    let pool = weighted(&[("a", 1), ("b", 3), ("c", 6)]);
    pool.warm().await.unwrap();
    for _ in 0..10_000 {
        let mut leased = pool.acquire(None).await.unwrap();
        leased.finish(Ok(()), Safety::Unsafe);
    }
    let snapshot = pool.snapshot();
    for (replica, wanted) in snapshot.replicas.iter().zip([1_000_u64, 3_000, 6_000]) {
        assert!(replica.calls.abs_diff(wanted) < 200, "{snapshot:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_are_spread_by_weight() {
    let pool = weighted(&[("a", 1), ("b", 3), ("c", 6)]);
    pool.warm().await.unwrap();
    let mut held = Vec::new();
    for _ in 0..1_000 {
        held.push(pool.acquire(None).await.unwrap());
    }
    let snapshot = pool.snapshot();
    assert_eq!(snapshot.open, 1_000);
    for (replica, wanted) in snapshot.replicas.iter().zip([100_u32, 300, 600]) {
        assert!(replica.open.abs_diff(wanted) < 20, "{snapshot:?}");
    }
    drop(held);
    assert_eq!(pool.snapshot().open, 0);
}

#[tokio::test(start_paused = true)]
async fn connections_are_added_while_the_open_calls_are_many_and_share_them() {
    let host = Host::new("only");
    let settings = PoolSettings::default().with_connections(4).with_calls_per_connection(10);
    let pool = pool(std::slice::from_ref(&host), settings);
    let mut held = Vec::new();
    for (calls, connections) in [(10, 1), (11, 2), (20, 2), (21, 3), (31, 4), (400, 4)] {
        while held.len() < calls {
            held.push(pool.acquire(None).await.unwrap());
            settle().await;
        }
        assert_eq!(pool.connected(), connections, "with {calls} calls");
    }
    let mut open = [0_u32; 4];
    let clients = pool.clients();
    for leased in &held {
        let affinity = leased.affinity();
        let again = pool.try_acquire(Some(&affinity)).unwrap();
        let which = clients.iter().position(|(_, client)| std::ptr::eq(&*client.server(), &*again.server()));
        open[which.unwrap()] += 1;
    }
    assert!(open.iter().all(|open| (90..=110).contains(open)), "{open:?}");
    assert_eq!(host.connects(), 4);
}

#[tokio::test(start_paused = true)]
async fn settings_and_replicas_that_make_no_sense_are_refused() {
    let refused = |replicas: Vec<bowline_hub::Replica>, settings: PoolSettings| -> Error {
        Pool::new("", replicas, settings).unwrap_err()
    };
    let one = || Host::new("a").replica();
    for (error, name) in [
        (refused(vec![], PoolSettings::default()), "no replica"),
        (refused(vec![one(), one()], PoolSettings::default()), "two replicas \"a\""),
        (refused(vec![one().with_weight(0)], PoolSettings::default()), "the weight of replica \"a\" is 0"),
        (refused(vec![one()], PoolSettings::default().with_connections(0)), "connections is 0"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(name), "{error}");
    }
}
