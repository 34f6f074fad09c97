//! The servers behind the service. Your own stand here instead.

use bowline::hub::Member;
use bowline::prelude::*;
use bowline_testkit::{Misbehaviour, MockServer, MockServerBuilder, When};
use serde_json::json;

/// Two that work, and one that is down.
pub(crate) fn all() -> Vec<Member> {
    let down = docks().misbehave(When::always(), Misbehaviour::ExitBefore(1)).build();
    vec![
        Member::new("weather", weather().build().connector()),
        Member::new("docks", docks().build().connector()),
        Member::new("radar", down.connector()),
    ]
}

fn weather() -> MockServerBuilder {
    builder().tool(tool("wind"), |_| async { Ok(CallToolResult::text("north, 5 knots")) })
}

fn docks() -> MockServerBuilder {
    builder().tool(tool("unload"), |call| async move {
        for done in 1..=3 {
            call.progress(f64::from(done), Some(3.0), Some("a crate is ashore")).await;
        }
        Ok(CallToolResult::text("3 crates are ashore"))
    })
}

fn tool(name: &str) -> Tool {
    Tool::new(name, json!({ "type": "object" }))
}

/// A server that runs for long keeps little of what it was asked.
fn builder() -> MockServerBuilder {
    MockServer::builder().journal_lines(64)
}
