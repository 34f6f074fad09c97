//! What a guard costs a call without arguments, over a service that answers at once.

#![expect(clippy::unwrap_used, reason = "benchmarks may panic")]

use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::{Call, Error, Reply};
use bowline_guard::{Audit, AuditError, AuditSink, Guard, GuardBuilder, Pins, Policy, Record};
use bowline_protocol::RawJson;
use bowline_transport::BoxFuture;
use divan::Bencher;
use tokio::runtime::Builder;
use tower_layer::Layer as _;
use tower_service::Service;

/// What only some calls fit, and the one that is made.
const POLICY: &str =
    "default = 'ask'\n[[rule]]\ntool = 'read_*'\naction = 'allow'\n[[rule]]\ntool = 'echo'\naction = 'allow'\n# end";

fn main() {
    divan::main();
}

/// Answers at once: lists with one tool, and all else with nothing.
#[derive(Clone)]
struct AtOnce;

impl Service<Call> for AtOnce {
    type Response = Reply;
    type Error = Error;
    type Future = Ready<Result<Reply, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let result = match call.method() {
            "tools/list" => r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#.parse().unwrap(),
            _ => RawJson::EMPTY_OBJECT,
        };
        ready(Ok(Reply::new(result)))
    }
}

#[derive(Debug)]
struct Nowhere;

impl AuditSink for Nowhere {
    fn write(&self, _: Vec<Record>) -> BoxFuture<'_, Result<(), AuditError>> {
        Box::pin(ready(Ok(())))
    }
}

fn guard() -> GuardBuilder {
    let policy: Policy = POLICY.parse().unwrap();
    Guard::builder().pins(Pins::in_memory()).policy(policy).definitions_for(Duration::from_secs(3600))
}

fn bench<S: Service<Call, Response = Reply>>(bencher: Bencher<'_, '_>, mut service: S) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let call = Call::new("tools/call").with_name("echo").with_total(Duration::from_secs(60));
    bencher.bench_local(|| {
        let went = runtime.block_on(async { service.call(call.clone()).await.is_ok() });
        assert!(went);
    });
}

#[divan::bench]
fn without_a_guard(bencher: Bencher<'_, '_>) {
    bench(bencher, AtOnce);
}

#[divan::bench]
fn with_pins_and_policy(bencher: Bencher<'_, '_>) {
    bench(bencher, guard().build().layer("server").layer(AtOnce));
}

#[divan::bench]
fn with_pins_policy_and_audit(bencher: Bencher<'_, '_>) {
    bench(bencher, guard().audit(Audit::new(Nowhere)).build().layer("server").layer(AtOnce));
}
