//! How connections come about, and what calls are told where they do not.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_client::{Client, ErrorKind, Safety, Timeouts};
use bowline_hub::{Affinity, Pool, PoolSettings, Replica, Restarts};
use bowline_protocol::{CallToolResult, Revision, TaskSupport, Tool, ToolExecution};
use bowline_testkit::MockServer;
use bowline_transport::Sent;
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::fleet::{Host, heard, pool, settle};

#[tokio::test(start_paused = true)]
async fn all_who_wait_share_one_attempt() {
    let host = Host::new("only");
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default().with_connections(8));
    assert!(pool.try_acquire(None).is_none());
    let all = join_all((0..100).map(|_| pool.acquire(None))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(host.server.journal().connections(), 1);
    assert_eq!(pool.snapshot().open, 100);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_the_attempt_to_the_others() {
    let host = Host::new("only");
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default());
    {
        let mut waits = Box::pin(pool.acquire(None));
        assert!(waits.as_mut().now_or_never().is_none());
    }
    pool.acquire(None).await.unwrap();
    assert_eq!(host.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_cannot_be_had_is_told_at_once_with_the_time_of_the_next_attempt() {
    let host = Host::new("only");
    host.die();
    let restarts = Restarts::default().with_base_delay(Duration::from_secs(4));
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default().with_restarts(restarts));
    let heard = heard(&pool);
    let first = pool.acquire(None).await.unwrap_err();
    assert_eq!((first.kind(), first.sent()), (ErrorKind::Connect, Sent::No), "{first}");
    let began = Instant::now();
    for _ in 0..100 {
        let error = pool.acquire(None).await.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(Duration::from_secs(4))));
        let text = error.to_string();
        assert!(text.contains("server \"fleet\", replica \"only\"") && text.contains("start it"), "{text}");
    }
    assert_eq!((began.elapsed(), host.connects()), (Duration::ZERO, 1));
    assert_eq!(heard.lock().unwrap().as_slice(), ["only connecting", "only waiting"]);

    host.live();
    tokio::time::sleep(Duration::from_secs(4)).await;
    pool.acquire(None).await.unwrap();
    assert_eq!(heard.lock().unwrap()[2..], ["only connecting", "only connected", "only up"]);
}

#[tokio::test(start_paused = true)]
async fn one_outage_is_one_failure_however_many_attempts_run_into_it() {
    let host = Host::new("only");
    host.die();
    let settings = PoolSettings::default().with_sticky(true).with_connections(16).with_patience(Duration::ZERO);
    let pool = pool(std::slice::from_ref(&host), settings);
    let keys: Vec<Affinity> = (0..64).map(|n| Affinity::key(&n.to_string())).collect();
    let refused = join_all(keys.iter().map(|key| pool.acquire(Some(key)))).await;
    assert!(refused.iter().all(Result::is_err));
    assert!(host.connects() > 8, "{}", host.connects());
    let error = pool.acquire(None).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Restarts::default().base_delay), "{error}");
    host.live();
    tokio::time::sleep(Restarts::default().base_delay).await;
    pool.acquire(None).await.unwrap();
}

#[test]
fn a_runtime_that_has_shut_down_holds_up_nobody_and_another_one_connects() {
    let (done, is_done) = std::sync::mpsc::channel();
    // In a thread of its own, so that one that hangs is told.
    std::thread::spawn(move || {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let host = Host::new("only");
        let pool = pool(std::slice::from_ref(&host), PoolSettings::default());
        let handle = runtime().handle().clone();
        {
            // What is spawned there is dropped at once.
            let _entered = handle.enter();
            assert!(pool.try_acquire(None).is_none());
        }
        assert_eq!(host.connects(), 0);
        let is_had = runtime().block_on(pool.acquire(None)).is_ok();
        done.send((is_had, host.connects())).unwrap();
    });
    assert_eq!(is_done.recv_timeout(Duration::from_secs(30)), Ok((true, 1)));
}

#[tokio::test(start_paused = true)]
async fn by_hand_it_is_tried_again_at_once() {
    let host = Host::new("only");
    host.die();
    let pool = pool(std::slice::from_ref(&host), PoolSettings::default().with_patience(Duration::ZERO));
    pool.acquire(None).await.unwrap_err();
    host.live();
    assert_eq!(pool.acquire(None).await.unwrap_err().kind(), ErrorKind::Unavailable);
    pool.retry_now();
    pool.reconnect().await.unwrap();
    assert_eq!((pool.connected(), host.connects()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn dead_and_deaf_replicas_hold_up_nobody_while_one_lives() {
    let hosts = ["dead", "deaf", "well"].map(Host::new);
    hosts[0].die();
    hosts[1].ward.is_black_hole.store(true, Ordering::SeqCst);
    for seed in 0..20 {
        let pool = Pool::new("", hosts.iter().map(Host::replica), PoolSettings::default().with_seed(seed)).unwrap();
        let began = Instant::now();
        for n in 0..20 {
            let call = pool.run(None, Safety::Unsafe, |client| client.call("work").arg("n", n).arg("millis", 0));
            call.await.unwrap();
        }
        assert!(began.elapsed() <= Duration::from_secs(1), "seed {seed}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_connection_is_waited_for_as_long_as_it_may_take() {
    let host = Host::new("slow");
    host.ward.is_black_hole.store(true, Ordering::SeqCst);
    let connect = Timeouts::default().with_connect(Duration::from_secs(100));
    let replica = host.replica().with_builder(move || Client::builder().timeouts(connect));
    let pool = Pool::new("", [replica], PoolSettings::default()).unwrap();
    let began = Instant::now();
    let error = pool.acquire(None).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::No), "{error}");
    assert!(began.elapsed().abs_diff(Duration::from_secs(100)) < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(host.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_replicas_are_not_connected_all_at_once() {
    let names: Vec<&'static str> = (0..100).map(|n| &*format!("replica {n}").leak()).collect();
    let hosts: Vec<Host> = names.into_iter().map(Host::new).collect();
    for host in &hosts {
        host.ward.is_black_hole.store(true, Ordering::SeqCst);
    }
    let pool = pool(&hosts, PoolSettings::default().with_sticky(true));
    let keys: Vec<Affinity> = (0..1_000).map(|n| Affinity::key(&n.to_string())).collect();
    {
        let waits = join_all(keys.iter().map(|key| pool.acquire(Some(key))));
        assert!(tokio::time::timeout(Duration::from_secs(5), waits).await.is_err());
    }
    assert_eq!(hosts.iter().map(Host::connects).sum::<u64>(), 16);
    for host in &hosts {
        host.ward.is_black_hole.store(false, Ordering::SeqCst);
    }
    let all = join_all(keys.iter().map(|key| pool.acquire(Some(key)))).await;
    assert!(all.iter().filter(|leased| leased.is_ok()).count() > 800);
    pool.retry_now();
    pool.warm().await.unwrap();
    assert_eq!(pool.connected(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_noticed_and_a_server_that_does_not_stay_is_tried_ever_more_seldom() {
    let host = Host::new("only");
    let restarts = Restarts::default().with_base_delay(Duration::from_secs(1)).with_attempts(3);
    let settings = PoolSettings::default().with_restarts(restarts).with_patience(Duration::ZERO);
    let pool = pool(std::slice::from_ref(&host), settings);
    for wait in [1, 2, 4] {
        pool.reconnect().await.unwrap();
        host.server.disconnect();
        settle().await;
        pool.notice();
        assert_eq!(pool.connected(), 0);
        let error = pool.reconnect().await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(wait)), "{error}");
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
    pool.reconnect().await.unwrap();
    host.server.disconnect();
    settle().await;
    let error = pool.acquire(None).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, None), "{error}");
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.replicas[0].health, snapshot.replicas[0].losses), ("failed", 4), "{snapshot:?}");
}

#[tokio::test(start_paused = true)]
async fn what_one_connection_was_told_of_tools_the_next_one_knows() {
    let slow = Tool::new("slow", json!({"type": "object"}))
        .with_execution(ToolExecution::new().with_task_support(TaskSupport::Required));
    let server = MockServer::builder()
        .revisions([Revision::V2025_11_25])
        .task_times(Some(Duration::from_secs(600)), Duration::from_secs(5))
        .tool(slow, |_| async { Ok(CallToolResult::text("done")) })
        .build();
    let pool = Pool::new("", [Replica::new("only", server.connector())], PoolSettings::default()).unwrap();
    assert_eq!(pool.acquire(None).await.unwrap().client().tools().all().await.unwrap().len(), 1);
    server.disconnect();
    settle().await;
    pool.notice();
    let leased = pool.acquire(None).await.unwrap();
    // As what the tool was listed with says, and without a list of its own.
    assert_eq!(leased.client().call("slow").await.unwrap().joined_text(), "done");
    let sent = server.received();
    let count = |method: &str| sent.iter().filter(|line| line.method() == method).count();
    assert_eq!((count("initialize"), count("tools/list")), (2, 1));
    let call = sent.iter().find(|line| line.method() == "tools/call").unwrap();
    assert!(call.params().unwrap().to_value().get("task").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_dropped_ends_its_attempts_and_connections() {
    let deaf = Host::new("deaf");
    deaf.ward.is_black_hole.store(true, Ordering::SeqCst);
    let well = Host::new("well");
    let pool = pool(&[deaf.clone(), well.clone()], PoolSettings::default());
    let warm = Box::pin(pool.warm());
    assert!(tokio::time::timeout(Duration::from_secs(1), warm).await.is_err());
    let leased = pool.acquire(None).await.unwrap();
    assert_eq!(&**leased.replica(), "well");
    let client = leased.client().clone();
    // The host, its tool, and who connects: the pool's connector.
    assert_eq!(Arc::strong_count(&deaf.ward), 3);
    drop((leased, pool));
    settle().await;
    assert!(!client.is_closed(), "a clone that somebody holds keeps it");
    assert_eq!(Arc::strong_count(&deaf.ward), 2, "the attempt that waited in the connector is gone");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_can_be_written() {
    let hosts = ["a", "b"].map(Host::new);
    hosts[1].die();
    let pool = pool(&hosts, PoolSettings::default());
    pool.warm().await.unwrap();
    let json = serde_json::to_value(pool.snapshot()).unwrap();
    assert_eq!(json["connections"], 1);
    assert_eq!(json["replicas"][0]["health"], "up");
    assert_eq!(json["replicas"][1]["health"], "waiting");
    assert!(json["replicas"][1]["why"].as_str().unwrap().contains("start it"), "{json}");
    assert!(format!("{pool:?}").contains("connections: 1"));
}
