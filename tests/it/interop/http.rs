//! The same servers over the web: Streamable HTTP and HTTP+SSE, and what a kill and a restart do.

use std::net::SocketAddr;

use bowline::Event;

use super::listening::{Listening, free};
use super::*;

async fn everything(server: &Installed, address: SocketAddr, mode: &str) -> Listening {
    let script = "servers/everything/node_modules/@modelcontextprotocol/server-everything/dist/index.js";
    let mut command = Command::new("node");
    command.arg(server.directory.join(script)).arg(mode).env("PORT", address.port().to_string());
    Listening::start(address, &mut command).await
}

async fn fastmcp(server: &Installed, address: SocketAddr) -> Listening {
    let mut command = Command::new(server.directory.join("servers/fastmcp/bin/python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/demo.py")).arg(address.port().to_string());
    Listening::start(address, &mut command).await
}

async fn echo(client: &Client, message: &str) -> String {
    client.call("echo").arg("message", message).await.unwrap().joined_text()
}

#[tokio::test]
async fn everything_over_streamable_http_survives_a_restart() {
    let Some(server) = Installed::find_for("everything", "everything-http") else { return };
    let address = free();
    let first = everything(&server, address, "streamableHttp").await;
    let client = Client::builder().connect(first.target("http", "/mcp")).await.unwrap();
    let mut events = client.events();
    assert!(client.tools().all().await.unwrap().len() >= 13);
    assert_eq!(echo(&client, "before").await, "Echo: before");
    drop(first);
    let _second = everything(&server, address, "streamableHttp").await;
    assert_eq!(echo(&client, "after").await, "Echo: after");
    while !matches!(events.next().await.unwrap(), Event::Reconnected) {}
    client.close().await.unwrap();
}

#[tokio::test]
async fn everything_over_http_and_sse_is_found_by_the_fall_back() {
    let Some(server) = Installed::find_for("everything", "everything-sse") else { return };
    let listening = everything(&server, free(), "sse").await;
    let client = Client::builder().connect(listening.target("http", "/sse")).await.unwrap();
    assert!(client.tools().all().await.unwrap().len() >= 13);
    assert_eq!(echo(&client, "hi").await, "Echo: hi");
    client.close().await.unwrap();
}

#[tokio::test]
async fn fastmcp_over_streamable_http_serves_one_of_each_kind() {
    let Some(server) = Installed::find_for("fastmcp", "fastmcp-http") else { return };
    let listening = fastmcp(&server, free()).await;
    let client = Client::builder().connect(listening.target("http", "/mcp")).await.unwrap();
    assert_eq!(client.call("add").arg("a", 2).arg("b", 40).await.unwrap().joined_text(), "42");
    assert_eq!(read_text(&client, "demo://motto").await, "holds under load");
    assert_eq!(client.prompts().all().await.unwrap().len(), 1);
    client.close().await.unwrap();
}
