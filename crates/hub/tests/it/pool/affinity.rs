//! What has to come back to where it began.

use std::sync::Arc;
use std::time::Duration;

use bowline_client::{Client, ErrorKind};
use bowline_hub::{Affinity, Pool, PoolSettings};
use bowline_transport::Sent;

use super::fleet::{Host, pool, settle};

/// What tells one connection from another: each has an answer to its handshake of its own.
fn which(client: &Client) -> usize {
    Arc::as_ptr(&client.server()) as usize
}

async fn held(pool: &Pool, count: usize) -> Vec<bowline_hub::Leased> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(pool.acquire(None).await.unwrap());
        settle().await;
    }
    held
}

#[tokio::test(start_paused = true)]
async fn what_began_in_a_session_goes_on_there_or_not_at_all() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, PoolSettings::default().with_connections(3).with_calls_per_connection(2));
    let others = held(&pool, 40).await;
    for leased in &others {
        let affinity = leased.affinity();
        assert!(affinity.is_bound());
        let again = pool.acquire(Some(&affinity)).await.unwrap();
        assert_eq!((again.replica(), which(&again)), (leased.replica(), which(leased)));
    }
    let (bound, replica) = (others[0].affinity(), others[0].replica().to_string());
    hosts.iter().find(|host| host.name == replica).unwrap().server.disconnect();
    settle().await;
    assert!(pool.try_acquire(Some(&bound)).is_none());
    let error = pool.acquire(Some(&bound)).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No));
    assert!(error.to_string().contains("session"), "{error}");
    assert!(pool.acquire(None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_sessions_it_goes_back_while_it_can_and_elsewhere_otherwise() {
    let hosts = ["a", "b"].map(Host::stateless);
    let pool = pool(&hosts, PoolSettings::default());
    pool.warm().await.unwrap();
    let leased = pool.acquire(None).await.unwrap();
    let affinity = leased.affinity();
    assert!(!affinity.is_bound());
    for _ in 0..20 {
        assert_eq!(which(&pool.acquire(Some(&affinity)).await.unwrap()), which(&leased));
    }
    let first = leased.replica().to_string();
    hosts.iter().find(|host| host.name == first).unwrap().die();
    settle().await;
    let elsewhere = pool.acquire(Some(&affinity)).await.unwrap();
    assert_ne!(**elsewhere.replica(), *first);
}

#[tokio::test(start_paused = true)]
async fn a_caller_keeps_its_connection_while_others_come_and_go() {
    let hosts = ["a", "b", "c"].map(Host::new);
    let settings = PoolSettings::default().with_connections(4).with_calls_per_connection(2).with_sticky(true);
    let pool = pool(&hosts, settings);
    let callers: Vec<Affinity> = (0..100).map(|n| Affinity::key(&format!("caller {n}"))).collect();
    let mut homes = Vec::new();
    for caller in &callers {
        let leased = pool.acquire(Some(caller)).await.unwrap();
        homes.push((leased.replica().to_string(), which(&leased)));
    }
    let _load = held(&pool, 50).await;
    for (caller, home) in callers.iter().zip(&homes) {
        assert_eq!(which(&pool.acquire(Some(caller)).await.unwrap()), home.1);
    }
    let mut connections: Vec<usize> = homes.iter().map(|(_, which)| *which).collect();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(connections.len(), 12, "all connections of all replicas have callers");

    // One that leaves takes its callers along, and nobody else's.
    pool.remove("b", Duration::ZERO).await.unwrap();
    for (caller, (replica, before)) in callers.iter().zip(&homes) {
        let now = pool.acquire(Some(caller)).await.unwrap();
        assert_eq!(which(&now) == *before, replica != "b");
        assert_ne!(&**now.replica(), "b");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_looked_past_unless_the_pool_is_sticky() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, PoolSettings::default());
    pool.warm().await.unwrap();
    let caller = Affinity::key("caller");
    let mut names = Vec::new();
    for _ in 0..20 {
        names.push(pool.acquire(Some(&caller)).await.unwrap().replica().to_string());
    }
    assert!(names.iter().any(|name| name == "a") && names.iter().any(|name| name == "b"), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_replica_is_down_is_served_by_another() {
    let hosts = ["a", "b"].map(Host::new);
    let pool = pool(&hosts, PoolSettings::default().with_sticky(true));
    let caller = Affinity::key("caller");
    let home = pool.acquire(Some(&caller)).await.unwrap().replica().to_string();
    hosts.iter().find(|host| host.name == home).unwrap().die();
    settle().await;
    let now = pool.acquire(Some(&caller)).await.unwrap();
    assert_ne!(**now.replica(), *home);
}
