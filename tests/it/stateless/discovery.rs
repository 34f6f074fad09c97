//! What a server says of itself, and what that may change.

use bowline::prelude::*;
use bowline::protocol::{SamplingMessage, TextContent};
use bowline_testkit::Script;
use serde_json::{Value, json};

use super::{connect, connect_with, text};
use crate::support::{everything, received, within};

/// A script of a server that calls itself so, up to where the client knows it.
fn server(name: &str) -> Script {
    Script::new().expect("server/discover").reply(json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28", "2031-01-01"], "capabilities": everything(),
        "instructions": "ask for knots", "ttlMs": 0, "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": name, "version": "1" } },
    }))
}

#[tokio::test]
async fn l_14_the_discovery_tells_versions_capabilities_and_instructions() {
    let (client, journal) = connect(server("knots")).await;
    let info = client.server();
    assert_eq!((info.revision, info.info.name.as_str()), (Revision::V2026_07_28, "knots"));
    assert_eq!(info.supported_versions, ["2026-07-28", "2031-01-01"]);
    assert_eq!(info.instructions.as_deref(), Some("ask for knots"));
    assert!(info.capabilities.tools.is_some() && info.capabilities.completions.is_some());
    assert_eq!(journal.methods(), ["server/discover"]);
}

/// What a client sends to a server that calls itself so.
async fn sent_to(name: &str) -> Vec<Value> {
    let tool = json!({ "name": "t", "inputSchema": { "type": "object" } });
    let script = server(name)
        .expect("tools/list")
        .reply(json!({ "resultType": "complete", "tools": [tool], "ttlMs": 0, "cacheScope": "private" }))
        .expect("tools/call")
        .reply(text("x"))
        .expect("prompts/get")
        .reply(json!({ "resultType": "complete", "messages": [] }));
    let (client, journal) = connect(script).await;
    within(client.tools().all()).await.unwrap();
    within(client.call("t").arg("a", 1)).await.unwrap();
    within(client.prompt("p")).await.unwrap();
    journal.lines().iter().map(bowline_testkit::Recorded::to_value).collect()
}

#[tokio::test]
async fn l_21_a_server_is_treated_the_same_whatever_it_calls_itself() {
    let plain = sent_to("scripted-peer").await;
    assert_eq!(plain.len(), 4, "{plain:?}");
    for forged in ["github", "bowline", "claude-code", "mcp-everything", ""] {
        assert_eq!(sent_to(forged).await, plain, "{forged}");
    }
}

#[tokio::test]
async fn p_07_a_handler_that_reports_progress_sends_none_without_a_session() {
    let question = CreateMessageRequestParams::new([SamplingMessage::user("?")]).with_max_tokens(9);
    let mut question = serde_json::to_value(question).unwrap();
    question["_meta"] = json!({ "progressToken": "t" });
    let asks = json!({
        "resultType": "input_required", "requestState": "s",
        "inputRequests": { "q": { "method": "sampling/createMessage", "params": question } },
    });
    let script = server("knots").expect("tools/call").reply(asks).expect("tools/call").reply(text("done"));
    let builder = Client::builder().on_sampling(|_: CreateMessageRequestParams, context: RequestContext| async move {
        context.report_progress(1.0, None).await;
        context.report_progress(2.0, Some(2.0)).await;
        Ok(CreateMessageResult::new("m", TextContent::new("x")))
    });
    let (client, journal) = connect_with(builder, script).await;
    assert_eq!(within(client.call("ask")).await.unwrap().joined_text(), "done");
    assert_eq!(received(&journal, "tools/call")[1]["params"]["inputResponses"]["q"]["model"], "m");
    assert_eq!(journal.methods(), ["server/discover", "tools/call", "tools/call"]);
}
