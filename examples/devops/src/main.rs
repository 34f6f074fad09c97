//! A rollout that fails in the middle, and is taken back.

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

mod cluster;
mod guarded;
mod rollout;

use std::process::ExitCode;

use anyhow::{Result, bail};
use bowline::guard::verify;
use bowline::hub::{Hub, Member, PoolSettings};

use crate::cluster::Cluster;
use crate::rollout::{Ended, Rollout};

const SERVICES: [&str; 3] = ["api", "worker", "web"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let asks = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--ask") => true,
        Some(word) => bail!("`{word}` is not known; --ask is"),
    };
    let folder = tempfile::tempdir()?;
    let record = folder.path().join("audit.jsonl");
    let guard = guarded::guard(&record, asks)?;

    // Both replicas speak for one cluster, as they would for one database behind them.
    let cluster = Cluster::new();
    let layer = guard.clone();
    let deploy = Member::new("deploy", cluster.server().connector())
        .replica("deploy/2", cluster.server().connector(), 1)
        .pool(PoolSettings::default().with_connections(2))
        .client(move |client| layer.around(client, "deploy"));
    let hub = Hub::builder().member(deploy).build()?;

    let rollout = Rollout::new(hub.clone(), "2.4.0");
    for line in rollout.plan(&SERVICES).await? {
        println!("plan: {line}");
    }
    let ended = rollout.apply(&SERVICES).await?;
    match &ended {
        Ended::Done => println!("all services are at the new version"),
        Ended::RolledBack { failed, why, back } => {
            println!("{failed} failed: {why}");
            println!("taken back: {}", back.join(", "));
        }
    }
    hub.close().await;
    guard.flush().await?;

    let report = verify(&record)?;
    println!(
        "the record has {} lines, and {}",
        report.lines,
        if report.broken.is_none() { "verifies" } else { "is broken" }
    );
    let faults = cluster.faults();
    for fault in &faults {
        println!("wrong: {fault}");
    }
    let is_as_told = matches!(&ended, Ended::RolledBack { failed, .. } if failed == "worker") && cluster.is_as_before();
    Ok(if report.broken.is_none() && faults.is_empty() && is_as_told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
