//! Many clients of one server in a process of their own, for the tests of what processes share: each with an
//! authorization of its own, over one folder for tokens.
//!
//! They connect, `ready` is printed, and with each line that is read every one of them calls the tool `echo` once, all
//! at the same time; what came of it is printed, one line of JSON. They end with the input.

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use bowline::auth::{FileStore, OAuth};
use bowline::http::HttpConnect;
use bowline::prelude::*;
use clap::Parser;
use futures_util::future::{join_all, try_join_all};
use serde_json::json;

#[derive(Parser)]
struct Options {
    /// The server's URL
    url: String,
    /// The folder that tokens are kept in
    store: String,
    /// How many clients
    clients: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let connecting = (0..options.clients).map(|_| async {
        let oauth = OAuth::builder(options.url.as_str()).store(FileStore::new(&options.store)).build()?;
        let way = HttpConnect::new(&options.url)?.authorize(Arc::new(oauth));
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Client::builder().connect(way).await?)
    });
    let clients = try_join_all(connecting).await?;
    say("ready")?;
    loop {
        let read = tokio::task::spawn_blocking(|| io::stdin().lock().read_line(&mut String::new())).await??;
        if read == 0 {
            break;
        }
        let calls = join_all(clients.iter().map(|client| client.call("echo").into_future())).await;
        let (done, failed): (Vec<_>, Vec<_>) = calls.into_iter().partition(Result::is_ok);
        let errors: Vec<_> = failed.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        say(&json!({ "done": done.len(), "errors": errors }).to_string())?;
    }
    join_all(clients.iter().map(Client::close)).await;
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
