//! Servers of 2026-07-28: no session, and everything said with each request.

mod discovery;
mod era;
mod requests;
mod rounds;

use bowline::prelude::*;
use bowline::{ClientBuilder, protocol::Revision};
use bowline_testkit::{Journal, Script};
use serde_json::{Value, json};

use crate::support::{everything, within};

/// The result of `server/discover`.
fn discovered(capabilities: Value) -> Value {
    let mut result = json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "scripted-peer", "version": "1" } },
    });
    result["capabilities"] = capabilities;
    result
}

/// A script of a server that declares everything, up to where the client knows it.
fn server() -> Script {
    Script::new().expect("server/discover").reply(discovered(everything()))
}

/// Connects to a script in memory.
async fn connect(script: Script) -> (Client, Journal) {
    connect_with(Client::builder(), script).await
}

/// Connects to a script in memory, with the settings of a builder.
async fn connect_with(builder: ClientBuilder, script: Script) -> (Client, Journal) {
    let (connector, journal) = script.connector();
    let client = within(builder.connect(connector)).await.unwrap();
    assert_eq!(client.server().revision, Revision::V2026_07_28);
    (client, journal)
}

/// A complete result of a tool.
fn text(text: &str) -> Value {
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
}
