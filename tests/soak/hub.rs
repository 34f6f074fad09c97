//! Two hundred servers behind one handle, with faults on the way to each, while members come, go and are replaced.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline::hub::{Hub, Member, Restarts};
use bowline::protocol::{CallToolResult, ErrorCode, ErrorObject, Revision, Tool};
use bowline_testkit::{Faults, MockServer, Seed};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::ledger::Counts;
use crate::load::{Load, timeouts};

/// How many members there are.
const MEMBERS: usize = 200;
/// How many callers there are at a time.
const CALLERS: usize = 64;
/// How many calls are made between two changes of the members.
const CALLS_PER_CHANGE: usize = 500;

/// A server that counts what it carries out.
fn server(n: usize, counts: &Counts) -> MockServer {
    let counts = counts.clone();
    let revision = if n.is_multiple_of(2) { Revision::LATEST_HANDSHAKE } else { Revision::V2026_07_28 };
    MockServer::builder()
        .revisions([revision])
        .journal_lines(1)
        .tool(Tool::new("add", json!({"type": "object"})), move |call| {
            let counts = counts.clone();
            async move {
                let n: u64 = call.argument("n")?;
                if !counts.add(n) {
                    return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, "no such number"));
                }
                Ok(CallToolResult::text(n.to_string()))
            }
        })
        .build()
}

fn member(n: usize, version: usize, server: &MockServer, faults: &Faults, idle: Duration) -> Member {
    let restarts = Restarts::default().with_attempts(0).with_max_delay(Duration::from_secs(2));
    Member::new(format!("s{n:03}"), faults.wrap(server.connector()))
        .client(move |builder| builder.timeouts(timeouts(idle)))
        .connect_deadline(idle * 2)
        .idle(Some(Duration::from_secs(20)))
        .restarts(restarts)
        .fingerprint((n, version))
}

/// A lot among so many.
fn below(lots: &mut Seed, many: usize) -> usize {
    usize::try_from(lots.below(many as u64)).unwrap_or_default()
}

/// Makes all calls, each to a member by lot, and changes the members meanwhile.
pub(crate) async fn run(load: &Arc<Load>, counts: &Counts, faults: &Faults, seed: u64) -> Result<(), Box<dyn Error>> {
    let idle = load.idle();
    let servers: Arc<[MockServer]> = (0..MEMBERS).map(|n| server(n, counts)).collect();
    let members = servers.iter().enumerate().map(|(n, server)| member(n, 0, server, faults, idle));
    let hub = Hub::builder().members(members).drain(idle * 3).build()?;
    let (next, due) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (hub, load, next, due) = (hub.clone(), Arc::clone(load), Arc::clone(&next), Arc::clone(&due));
        let mut lots = Seed::new(seed).at(&[caller as u64]);
        callers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n.is_multiple_of(CALLS_PER_CHANGE) || n >= load.len() {
                    due.notify_one();
                }
                if n >= load.len() {
                    return;
                }
                let whose = below(&mut lots, MEMBERS);
                load.end_of(hub.call(format!("s{whose:03}.add")).arg("n", n), n).await;
            }
        });
    }
    let mut versions = vec![0; MEMBERS];
    let mut lots = Seed::new(seed).at(&[CALLERS as u64]);
    loop {
        due.notified().await;
        if next.load(Ordering::Relaxed) >= load.len() {
            break;
        }
        let n = below(&mut lots, MEMBERS);
        let (Some(version), Some(server)) = (versions.get_mut(n), servers.get(n)) else { continue };
        *version += 1;
        match below(&mut lots, 4) {
            // It goes, and another comes by its name.
            0 => {
                hub.remove(&format!("s{n:03}")).await?;
                hub.add(member(n, *version, server, faults, idle))?;
            }
            // All is read again, and one is another.
            1 => {
                let members = servers.iter().zip(&versions).enumerate();
                let reloaded =
                    hub.reload(members.map(|(n, (server, version))| member(n, *version, server, faults, idle)))?;
                if reloaded.replaced.len() != 1 || reloaded.unchanged != MEMBERS - 1 {
                    return Err(format!("a reload with one change replaced {:?}", reloaded.replaced).into());
                }
            }
            // It dies.
            2 => {
                *version -= 1;
                server.disconnect();
            }
            // Everybody is asked what there is.
            _ => {
                *version -= 1;
                let listing = hub.tools().deadline(idle * 4).await;
                if listing.items.len() + listing.failures.len() != MEMBERS {
                    let (tools, failures) = (listing.items.len(), listing.failures.len());
                    return Err(format!("{tools} tools and {failures} failures of {MEMBERS} members").into());
                }
            }
        }
    }
    while let Some(ended) = callers.join_next().await {
        ended?;
    }
    hub.close().await;
    Ok(())
}
