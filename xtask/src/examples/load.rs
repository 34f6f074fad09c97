//! `cargo xtask examples --load`: the HTTP service of `examples/microservice` under load, from this machine alone.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::context::Context;
use crate::listening::Listening;

/// How long the load goes on, in seconds; then once more, and in the middle of that the service is stopped.
const SECONDS: u64 = 10;
/// When the memory is looked at first: by then connections and caches are there.
const WARM: Duration = Duration::from_secs(3);
/// What the service may grow after that, in KiB. A leak of a few bytes a request would be more.
const MAX_GROWTH: u64 = 4 << 10;
/// How long the service may take to stop under load.
const MAX_STOP: Duration = Duration::from_secs(10);

/// Loads the service with `wrk`, looks at errors, memory and the stop, and prints what came of it.
pub fn run(context: &Context) -> Result<bool> {
    if Command::new("wrk").arg("-v").output().is_err() {
        bail!("wrk is missing; install it with `apt-get install wrk`");
    }
    let status =
        context.command("cargo", &["build", "--release", "--package", "bowline-example-microservice"]).status()?;
    if !status.success() {
        bail!("the example does not compile");
    }
    let folder = context.target.join("examples");
    fs::create_dir_all(&folder)?;
    let script = folder.join("post.lua");
    fs::write(
        &script,
        "wrk.method = \"POST\"\nwrk.body = \"{}\"\nwrk.headers[\"content-type\"] = \"application/json\"\n",
    )?;
    let program = context.target.join("release/bowline-example-microservice");
    let mut service = Listening::start(Command::new(program).arg("127.0.0.1:0"), "listening at ")?;

    let load = wrk(service.address(), &script)?;
    thread::sleep(WARM);
    let before = memory(&service)?;
    let told = load.wait_with_output()?;
    let after = memory(&service)?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    print!("{told}");
    let faults: Vec<&str> =
        told.lines().filter(|line| line.contains("Socket errors") || line.contains("Non-2xx")).collect();

    // Once more, and the stop comes in the middle of it.
    let mut load = wrk(service.address(), &script)?;
    thread::sleep(WARM);
    let (stopped, took) = stop(&mut service)?;
    load.kill()?;
    load.wait()?;

    let is_flat = after.saturating_sub(before) <= MAX_GROWTH;
    let is_stopped = stopped && took <= MAX_STOP;
    println!("errors: {}", if faults.is_empty() { "none".to_owned() } else { faults.join("; ") });
    println!("memory: {before} KiB after {} s, {after} KiB at the end", WARM.as_secs());
    println!(
        "stop under load: {} after {:.1} s",
        if stopped { "exit code 0" } else { "it failed" },
        took.as_secs_f64()
    );
    Ok(faults.is_empty() && is_flat && is_stopped)
}

fn wrk(url: &str, script: &Path) -> Result<Child> {
    let mut command = Command::new("wrk");
    command.args(["-t2", "-c32", &format!("-d{SECONDS}s"), "-s"]).arg(script);
    command.arg(format!("{url}/tools/weather__wind")).stdout(Stdio::piped());
    command.spawn().context("cannot start wrk")
}

/// What a process has in memory, in KiB.
fn memory(service: &Listening) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", service.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context("the system does not tell its memory")
}

/// Asks the service to stop; whether it ended well, and how long that took.
fn stop(service: &mut Listening) -> Result<(bool, Duration)> {
    let started = Instant::now();
    Command::new("kill").args(["-TERM", &service.id().to_string()]).status()?;
    let status = service.wait()?;
    Ok((status.success(), started.elapsed()))
}
