//! What pools and statistics allocate, in a program of its own whose allocator counts.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::time::Duration;

use bowline_client::Safety;
use bowline_hub::{Affinity, Outcome, Pool, PoolSettings, Replica, Stats};
use bowline_testkit::MockServer;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A pool of so many replicas that are all up.
fn pool(runtime: &Runtime, replicas: usize) -> Pool {
    let server = MockServer::builder().build();
    let all = (0..replicas).map(|n| Replica::new(format!("replica {n}"), server.connector()));
    let pool = Pool::new("", all, PoolSettings::default().with_sticky(true).with_seed(1)).unwrap();
    runtime.block_on(pool.warm()).unwrap();
    assert_eq!(pool.connected(), replicas);
    pool
}

#[test]
fn a_lease_allocates_nothing_neither_drawn_nor_kept_to() {
    let runtime = runtime();
    let _inside = runtime.enter();
    for replicas in [1, 2, 16] {
        let pool = pool(&runtime, replicas);
        let bound = pool.try_acquire(None).unwrap().affinity();
        for affinity in [None, Some(Affinity::key("caller")), Some(bound)] {
            let once = || {
                let mut leased = pool.try_acquire(affinity.as_ref()).unwrap();
                leased.finish(Ok(()), Safety::ReadOnly);
            };
            once();
            let info = allocation_counter::measure(|| (0..100).for_each(|_| once()));
            assert_eq!(info.count_total, 0, "{replicas} replicas, {affinity:?}");
        }
    }
}

#[test]
fn a_record_allocates_nothing_once_its_tool_is_known() {
    let stats = Stats::new();
    let server = stats.server("files");
    let record = |micros| server.record("read", Outcome::Answered, Duration::from_micros(micros));
    (1..100_000).step_by(50).for_each(record);
    let info = allocation_counter::measure(|| (1..100_000).step_by(33).for_each(record));
    assert_eq!(info.count_total, 0);
}

#[test]
fn twenty_thousand_tools_are_cheap() {
    let stats = Stats::new();
    let servers: Vec<_> = (0..1_000).map(|n| stats.server(&format!("server {n}"))).collect();
    let names: Vec<String> = (0..20).map(|n| format!("a_tool_of_some_length_{n}")).collect();
    let info = allocation_counter::measure(|| {
        for server in &servers {
            for name in &names {
                // Five doublings, which is more than most tools differ by.
                for millis in [5, 7, 9, 20, 150] {
                    server.record(name, Outcome::Answered, Duration::from_millis(millis));
                }
                server.record(name, Outcome::Failed(bowline_client::ErrorKind::Timeout), Duration::ZERO);
            }
        }
    });
    let each = info.bytes_current / 20_000;
    assert!((1..=640).contains(&each), "{each} bytes");
    println!("{each} bytes a tool");
}
