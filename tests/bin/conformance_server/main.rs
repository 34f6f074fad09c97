//! The server that the official conformance suite is run against: the mock server over HTTP, with the tools, prompts
//! and resources that the suite asks for.
//!
//! `conformance-server` listens on a free port of 127.0.0.1, writes its URL as one line, and ends with its input.

mod content;
mod rounds;
mod skills;
mod tasks;
mod tools;

use std::error::Error;
use std::time::Duration;

use bowline::protocol::Revision;
use bowline_testkit::MockServer;
use bowline_testkit::http::{HttpMode, MockHttp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = MockServer::builder().revisions(Revision::ALL).logging().subscriptions();
    let builder = skills::add(tasks::add(rounds::add(content::add(tools::add(builder)))));
    let front = MockHttp::new(builder.build())
        .mode(HttpMode::Stream)
        .polling(Duration::from_millis(500))
        .hang_up_on("test_reconnection");
    let server = front.start().await?;
    let mut output = tokio::io::stdout();
    output.write_all(format!("{}\n", server.url("/mcp")).as_bytes()).await?;
    output.flush().await?;
    // Whoever started this program ends it, or is gone.
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    std::process::exit(0)
}
