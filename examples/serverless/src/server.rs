//! Which server is called; where none is named, this program is one.

use std::env;
use std::io;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use bowline_testkit::demo;
use bowline_testkit::http::MockHttp;
use tokio::io::AsyncReadExt as _;

/// A URL or a command line. By default this program itself, started as a server.
pub(crate) fn name() -> Result<String> {
    if let Ok(name) = env::var("MCP_SERVER") {
        return Ok(name);
    }
    let program = env::current_exe().context("where this program is cannot be told; name a server in MCP_SERVER")?;
    Ok(format!("'{}' serve", program.display()))
}

/// Serves, where that is what the program was started for: over standard input and output, or over HTTP until standard
/// input ends.
pub(crate) fn asked(word: &str) -> Option<ExitCode> {
    let over_http = match word {
        "serve" => false,
        "serve-http" => true,
        _ => return None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.and_then(|runtime| {
        let code = runtime.block_on(if over_http { Served::Http } else { Served::Stdio }.run());
        // A thread that still reads standard input must not keep the program from ending.
        runtime.shutdown_background();
        code
    });
    Some(served.unwrap_or(ExitCode::FAILURE))
}

enum Served {
    Stdio,
    Http,
}

impl Served {
    async fn run(self) -> io::Result<ExitCode> {
        match self {
            Self::Stdio => demo::server().serve_stdio().await,
            Self::Http => {
                let server = MockHttp::new(demo::server()).start().await?;
                println!("{}", server.url("/mcp"));
                tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
