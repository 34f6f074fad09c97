//! What a pool's choice and a record of statistics cost a call, with allocations.

#![expect(clippy::unwrap_used, reason = "benchmarks may panic")]

use std::time::Duration;

use bowline_client::Safety;
use bowline_hub::{Affinity, Outcome, Pool, PoolSettings, Replica, Stats};
use bowline_testkit::MockServer;
use divan::{AllocProfiler, Bencher};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A pool of so many replicas that are all up, and what drives it.
fn pool(replicas: usize) -> (Runtime, Pool) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = MockServer::builder().build();
    let all = (0..replicas).map(|n| Replica::new(format!("replica {n}"), server.connector()));
    let pool = Pool::new("", all, PoolSettings::default().with_sticky(true).with_seed(1)).unwrap();
    runtime.block_on(pool.warm()).unwrap();
    (runtime, pool)
}

/// A lease, reported and given back: what a pool adds to a call.
fn lease(bencher: Bencher<'_, '_>, replicas: usize, affinity: impl Fn(&Pool) -> Option<Affinity>) {
    let (runtime, pool) = pool(replicas);
    let _inside = runtime.enter();
    let affinity = affinity(&pool);
    bencher.bench_local(|| {
        let mut leased = pool.try_acquire(affinity.as_ref()).unwrap();
        leased.finish(Ok(()), Safety::Unsafe)
    });
}

#[divan::bench(args = [1, 2, 16, 256])]
fn lease_among(bencher: Bencher<'_, '_>, replicas: usize) {
    lease(bencher, replicas, |_| None);
}

#[divan::bench(args = [2, 16, 256])]
fn lease_by_key_among(bencher: Bencher<'_, '_>, replicas: usize) {
    lease(bencher, replicas, |_| Some(Affinity::key("caller")));
}

#[divan::bench]
fn lease_of_where_it_began(bencher: Bencher<'_, '_>) {
    lease(bencher, 16, |pool| Some(pool.try_acquire(None).unwrap().affinity()));
}

#[divan::bench(threads = [1, 2])]
fn lease_from_threads(bencher: Bencher<'_, '_>) {
    let (runtime, pool) = pool(16);
    bencher.bench(|| {
        let _inside = runtime.enter();
        let mut leased = pool.try_acquire(None).unwrap();
        leased.finish(Ok(()), Safety::Unsafe)
    });
}

#[divan::bench(args = [1, 10_000])]
fn record_among(bencher: Bencher<'_, '_>, tools: usize) {
    let stats = Stats::new();
    let server = stats.server("files");
    let names: Vec<String> = (0..tools).map(|n| format!("a_tool_of_some_length_{n}")).collect();
    for name in &names {
        server.record(name, Outcome::Answered, Duration::from_millis(5));
    }
    let mut names = names.iter().cycle();
    bencher.bench_local(|| {
        let took = divan::black_box(Duration::from_millis(7));
        server.record(names.next().unwrap(), Outcome::Answered, took);
    });
}

#[divan::bench(sample_count = 10)]
fn snapshot_of_20_000_tools(bencher: Bencher<'_, '_>) {
    let stats = Stats::new();
    for server in 0..1_000 {
        let server = stats.server(&format!("server {server}"));
        for tool in 0..20 {
            server.record(&format!("a_tool_of_some_length_{tool}"), Outcome::Answered, Duration::from_millis(5));
        }
    }
    bencher.bench_local(|| stats.snapshot());
}
