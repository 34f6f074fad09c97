//! The ways to a server.

use std::error::Error;
use std::future::Future;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bowline::Target;
use bowline::protocol::{CallToolResult, ErrorCode, ErrorObject, Revision, Tool};
use bowline::stdio::StdioConnect;
use bowline::transport::{BoxFuture, Connect, Transport, TransportError};
use bowline_testkit::{FaultPlan, Faults, MockServer};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;

use crate::hub;
use crate::kill;
use crate::ledger::{Counts, File};
use crate::load::Load;
use crate::system;
use crate::table::Table;

/// How many clients there are at a time.
const GROUPS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum World {
    Memory,
    Stdio,
    Http,
    Hub,
    KillStdio,
    KillHttp,
}

type Outcome = Result<(), Box<dyn Error>>;

impl World {
    pub(crate) const ALL: [Self; 6] =
        [Self::Memory, Self::Stdio, Self::Http, Self::Hub, Self::KillStdio, Self::KillHttp];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::Hub => "hub",
            Self::KillStdio => "kill stdio",
            Self::KillHttp => "kill http",
        }
    }

    /// How many calls the long form makes.
    pub(crate) const fn calls(self) -> usize {
        match self {
            Self::Memory => 1_000_000,
            Self::Hub => 500_000,
            Self::Stdio | Self::Http => 100_000,
            // Short already: the short form makes as many.
            Self::KillStdio | Self::KillHttp => 20_000,
        }
    }

    pub(crate) fn run(self, calls: usize, seed: u64, table: &mut Table) -> Outcome {
        let kills = 1_000;
        match self {
            // Nothing in it waits for the system, so its clock can be one that moves when all sleep.
            Self::Memory => paused()?.block_on(memory(calls, seed, table)),
            Self::Hub => paused()?.block_on(many(calls, seed, table)),
            Self::Stdio => threads()?.block_on(stdio(calls, seed, table)),
            Self::Http => threads()?.block_on(http(calls, seed, table)),
            Self::KillStdio => threads()?.block_on(kill::stdio(kills, table)),
            Self::KillHttp => threads()?.block_on(kill::http(kills, table)),
        }
    }
}

fn paused() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()
}

fn threads() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// What goes wrong on the way.
fn faults(seed: u64) -> Faults {
    let there = FaultPlan::new()
        .cut(0.0002)
        .drop(0.0005)
        .garble(0.0003)
        .duplicate(0.001)
        .reorder(0.005)
        .delay(0.01, Duration::from_millis(20));
    let back = there.garble(0.0005).duplicate(0.002).reorder(0.01);
    Faults::seeded(seed).to_server(there).to_client(back)
}

/// Runs what a world is, and sees that nothing is left of it.
async fn clean(world: &str, table: &mut Table, run: impl Future<Output = Outcome>) -> Outcome {
    // What the runtime opens for its first process stays.
    let warm = tokio::process::Command::new("true").stdin(Stdio::null()).status().await;
    drop(warm);
    let (tasks, descriptors, children) = (system::tasks(), system::descriptors(), system::children());
    run.await?;
    table.never(world, "tasks left", system::left(tasks, system::tasks).await);
    table.never(world, "descriptors left", system::left(descriptors, system::descriptors).await);
    table.never(world, "processes left", system::left(children, system::children).await);
    Ok(())
}

/// Groups of both eras.
async fn groups<C: Connect + Clone>(load: &Arc<Load>, connect: impl Fn() -> C) -> Outcome {
    let mut groups = JoinSet::new();
    for n in 0..GROUPS {
        let revision = if n % 2 == 0 { Revision::LATEST_HANDSHAKE } else { Revision::V2026_07_28 };
        groups.spawn(Arc::clone(load).group(connect(), Some(revision)));
    }
    while let Some(group) = groups.join_next().await {
        group??;
    }
    Ok(())
}

/// A connector that can be handed to many clients, to a server that lives on.
struct Shared<C>(Arc<C>, bool);

impl<C> Clone for Shared<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1)
    }
}

impl<C: Connect> bowline::transport::WrapConnect for Shared<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.0
    }

    fn server_lives_on(&self) -> bool {
        self.1
    }
}

async fn memory(calls: usize, seed: u64, table: &mut Table) -> Outcome {
    let world = World::Memory.name();
    let counts = Counts::new(calls);
    let counting = counts.clone();
    let server = MockServer::builder()
        .revisions(Revision::ALL)
        .journal_lines(1)
        .tool(Tool::new("add", json!({"type": "object"})), move |call| {
            let counting = counting.clone();
            async move {
                let n: u64 = call.argument("n")?;
                if !counting.add(n) {
                    return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, "no such number"));
                }
                Ok(CallToolResult::text(n.to_string()))
            }
        })
        .build();
    let faults = faults(seed);
    let load = Load::new(calls, Duration::from_secs(5));
    clean(world, table, async { groups(&load, || Shared(Arc::new(faults.wrap(server.connector())), true)).await })
        .await?;
    load.judge(world, &counts, table);
    // Time moves by itself here, and never while something runs.
    load.judge_wire(world, faults.counts().garbled, Duration::from_millis(100), table);
    load.judge_memory(world, table);
    table.fact(world, &faults);
    Ok(())
}

/// Two hundred servers behind one handle.
async fn many(calls: usize, seed: u64, table: &mut Table) -> Outcome {
    let world = World::Hub.name();
    let counts = Counts::new(calls);
    let faults = faults(seed);
    let load = Load::new(calls, Duration::from_secs(5));
    clean(world, table, hub::run(&load, &counts, &faults, seed)).await?;
    load.judge(world, &counts, table);
    // Beside the call itself: connecting, and the wait for another attempt at it.
    load.judge_wire(world, faults.counts().garbled, Duration::from_secs(12), table);
    load.judge_memory(world, table);
    table.fact(world, &faults);
    Ok(())
}

/// The program that counts, beside this one.
pub(crate) fn program() -> std::io::Result<std::path::PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(format!("counting-server{}", std::env::consts::EXE_SUFFIX)))
}

/// How long calls may take on a machine that does something else: far more than they need.
pub(crate) const SLACK: Duration = Duration::from_secs(20);

async fn stdio(calls: usize, seed: u64, table: &mut Table) -> Outcome {
    let world = World::Stdio.name();
    let ledger = File::new("stdio")?;
    let connect = StdioConnect::new(program()?).arg("--ledger").arg(ledger.path()).grace(Duration::from_millis(500));
    let faults = faults(seed);
    let load = Load::new(calls, Duration::from_secs(1));
    clean(world, table, groups(&load, || Shared(Arc::new(faults.wrap(connect.clone())), false))).await?;
    finish(world, &load, &ledger, calls, &faults, table)
}

async fn http(calls: usize, seed: u64, table: &mut Table) -> Outcome {
    let world = World::Http.name();
    let ledger = File::new("http")?;
    let faults = faults(seed);
    let load = Load::new(calls, Duration::from_secs(1));
    clean(world, table, async {
        let server = Served::start(&ledger, None).await?;
        // Bytes may be late and connections may break; bytes that change would make other calls of these.
        let plan = FaultPlan::new().cut(0.0005).delay(0.005, Duration::from_millis(10));
        let broken = Faults::seeded(seed).to_server(plan).to_client(plan);
        let proxy = broken.proxy(server.address()?).await?;
        groups(&load, || {
            let target = Target::parse(&proxy.url("/mcp"));
            Shared(Arc::new(faults.wrap(Late(target))), true)
        })
        .await?;
        drop(proxy);
        server.end().await
    })
    .await?;
    finish(world, &load, &ledger, calls, &faults, table)
}

/// A target whose name is looked at when it is connected to.
struct Late(Result<Target, bowline::Error>);

impl Connect for Late {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        match &self.0 {
            Ok(target) => target.connect(),
            Err(error) => {
                let error = TransportError::new(bowline::transport::TransportErrorKind::Config, error.to_string());
                Box::pin(async { Err(error) })
            }
        }
    }

    fn describe(&self) -> String {
        self.0.as_ref().map_or_else(ToString::to_string, Connect::describe)
    }

    fn server_lives_on(&self) -> bool {
        true
    }
}

fn finish(world: &str, load: &Load, ledger: &File, calls: usize, faults: &Faults, table: &mut Table) -> Outcome {
    let (counts, strange) = ledger.read(calls)?;
    load.judge(world, &counts, table);
    table.never(world, "entries of the ledger that are of no call", strange);
    load.judge_wire(world, faults.counts().garbled, SLACK, table);
    load.judge_memory(world, table);
    table.fact(world, faults);
    Ok(())
}

/// A counting server behind HTTP.
pub(crate) struct Served {
    child: tokio::process::Child,
    pub(crate) url: String,
}

impl Served {
    pub(crate) async fn start(ledger: &File, kill_after: Option<usize>) -> Result<Self, Box<dyn Error>> {
        let mut command = tokio::process::Command::new(program()?);
        command.arg("--http").arg("--ledger").arg(ledger.path());
        if let Some(number) = kill_after {
            command.arg("--kill-after").arg(number.to_string());
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let mut url = String::new();
        tokio::time::timeout(SLACK, BufReader::new(output).read_line(&mut url)).await??;
        Ok(Self { child, url: url.trim().to_owned() })
    }

    fn address(&self) -> Result<std::net::SocketAddr, Box<dyn Error>> {
        let address = self.url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        Ok(address.ok_or("the server told no address")?.parse()?)
    }

    /// Ends the server in order.
    pub(crate) async fn end(mut self) -> Outcome {
        drop(self.child.stdin.take());
        tokio::time::timeout(SLACK, self.child.wait()).await??;
        Ok(())
    }
}
