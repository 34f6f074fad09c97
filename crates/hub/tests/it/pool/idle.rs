//! Connections that have nothing to do.

use std::time::Duration;

use bowline_hub::PoolSettings;
use tokio::time::{Instant, sleep_until};

use super::fleet::{Host, heard, pool, settle};

#[tokio::test(start_paused = true)]
async fn what_rests_is_closed_down_to_the_minimum_and_opened_again_when_needed() {
    let host = Host::new("only");
    let settings = PoolSettings::default()
        .with_connections(4)
        .with_min_connections(1)
        .with_calls_per_connection(1)
        .with_idle(Some(Duration::from_secs(30)));
    let pool = pool(std::slice::from_ref(&host), settings);
    assert_eq!(pool.next_idle(), None);
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(pool.acquire(None).await.unwrap());
        settle().await;
    }
    assert_eq!(pool.connected(), 4);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(pool.stop_idle().is_some(), "calls are open on all");
    assert_eq!(pool.connected(), 4);
    let began = Instant::now();
    held.clear();
    let next = pool.next_idle().unwrap();
    assert!(next <= began + Duration::from_secs(31) && next > began + Duration::from_secs(29));
    sleep_until(next).await;
    assert_eq!(pool.stop_idle(), None);
    assert_eq!(pool.connected(), 1);
    assert_eq!(pool.snapshot().replicas[0].losses, 0, "they were closed, not lost");
}

#[tokio::test(start_paused = true)]
async fn the_last_one_leaves_the_replica_idle_and_not_down() {
    let host = Host::new("only");
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default().with_idle(Some(Duration::from_secs(30))));
    let heard = heard(&pool);
    let leased = pool.acquire(None).await.unwrap();
    let client = leased.client().clone();
    drop(leased);
    sleep_until(pool.next_idle().unwrap()).await;
    assert_eq!((pool.stop_idle(), pool.connected()), (None, 0));
    assert_eq!(heard.lock().unwrap().last().unwrap(), "only idle");
    assert!(!client.is_closed(), "somebody holds it still");
    pool.acquire(None).await.unwrap();
    assert_eq!(host.connects(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lease_keeps_its_connection_however_long_it_rests() {
    let host = Host::new("only");
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default().with_idle(Some(Duration::from_secs(30))));
    let leased = pool.acquire(None).await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(pool.stop_idle().unwrap() > Instant::now());
    }
    assert!(!leased.is_closed());
    assert_eq!(pool.connected(), 1);
}
