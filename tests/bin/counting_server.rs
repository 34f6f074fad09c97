//! A server that writes down what it carries out, so that it can be counted after its death.
//!
//! `counting-server --ledger PATH [--http] [--kill-after N]`: its tool `add` takes a number `n` and appends its eight
//! bytes to the ledger before it answers. With `--http` it prints its URL and runs until its input ends. After the N-th
//! number it kills itself as `kill -9` does.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bowline::protocol::{CallToolResult, ErrorCode, ErrorObject, Revision, Tool};
use bowline_testkit::MockServer;
use bowline_testkit::http::MockHttp;
use serde_json::json;
use tokio::io::AsyncReadExt;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut ledger, mut is_http, mut kill_after) = (None, false, u64::MAX);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--ledger" => ledger = args.next(),
            "--http" => is_http = true,
            "--kill-after" => kill_after = args.next().ok_or("--kill-after needs a number")?.parse()?,
            other => return Err(format!("no option {other}").into()),
        }
    }
    let ledger = OpenOptions::new().create(true).append(true).open(ledger.ok_or("--ledger is needed")?)?;
    let server = server(ledger, kill_after);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(async {
        if !is_http {
            return server.serve_stdio().await;
        }
        let listening = MockHttp::new(server).start().await?;
        println!("{}", listening.url("/mcp"));
        // The end of the input is the end of the parent.
        tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
        Ok(ExitCode::SUCCESS)
    });
    // A read of standard input cannot be interrupted; the process must not wait for it.
    runtime.shutdown_background();
    Ok(code?)
}

fn server(ledger: File, kill_after: u64) -> MockServer {
    let (ledger, done) = (Arc::new(ledger), Arc::new(AtomicU64::new(0)));
    MockServer::builder()
        .revisions(Revision::ALL)
        .journal_lines(1)
        .tool(Tool::new("add", json!({"type": "object"})), move |call| {
            let (ledger, done) = (Arc::clone(&ledger), Arc::clone(&done));
            async move {
                let n: u64 = call.argument("n")?;
                // Appended in one piece, and kept by the system whatever becomes of this process.
                (&*ledger)
                    .write_all(&n.to_le_bytes())
                    .map_err(|error| ErrorObject::new(ErrorCode::INTERNAL_ERROR, format!("the ledger: {error}")))?;
                if done.fetch_add(1, Ordering::SeqCst) + 1 == kill_after {
                    kill();
                }
                Ok(CallToolResult::text(n.to_string()))
            }
        })
        .build()
}

/// What `kill -9` of this process does, at once and in the middle of what other threads do. A program started for it would
/// come too late on a machine that is busy.
#[cfg(unix)]
fn kill() {
    let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    if let Err(error) = killed {
        eprintln!("cannot kill this process: {error}");
    }
}

#[cfg(not(unix))]
fn kill() {
    std::process::abort();
}
