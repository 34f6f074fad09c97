//! A server that wants a token, and a client that gets one, keeps it fresh and gives it back. No browser is needed: the
//! authorization server of the testkit asks nobody anything.
//!
//! ```sh
//! cargo run -p bowline --example oauth --features auth
//! ```

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::sync::Arc;

use bowline::auth::{Headless, OAuth};
use bowline::http::HttpClient;
use bowline::prelude::*;
use bowline::{Target, TargetOptions};
use bowline_testkit::MockServer;
use bowline_testkit::authority::{AuthServer, ProtectedSettings};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let authority = AuthServer::builder().start().await?;
    let tie = |_| async { Ok(CallToolResult::text("tied")) };
    let server = MockServer::builder().tool(Tool::new("tie", json!({ "type": "object" })), tie).build();
    let settings = ProtectedSettings::default().challenge_scope("ropes:read").needs_for("tools/call", &["ropes:tie"]);
    let server = authority.protect(server, settings).await?;

    let oauth = OAuth::builder(server.url())
        .client_name("oauth example")
        .visitor(Headless::new(HttpClient::builder().build()?))
        .build()?;
    let options = TargetOptions::default().with_authorize(Arc::new(oauth.clone()));
    let client = Client::builder().connect(Target::parse_with(&server.url(), &options)?).await?;
    println!("connected, with the scopes {:?}", oauth.status().await?.scopes);

    println!("the call: {}", client.call("tie").await?.joined_text());
    println!("after the call, which wanted more: {:?}", oauth.status().await?.scopes);

    authority.expire_tokens();
    println!("the token has ended; the call: {}", client.call("tie").await?.joined_text());
    println!("refreshes: {}", authority.counts().refreshes);

    println!("revoked: {}", oauth.logout().await?.revoked);
    client.close().await?;
    Ok(())
}
