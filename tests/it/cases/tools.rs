//! Lists of tools and their calls.

use bowline::prelude::*;
use bowline_testkit::{Journal, Script};
use serde_json::{Value, json};

use crate::support::{ScriptExt, connect, received, server, within};

fn names(tools: &[Tool]) -> Vec<&str> {
    tools.iter().map(|tool| tool.name.as_str()).collect()
}

/// The cursors that were sent; null where there was none.
fn cursors(journal: &Journal) -> Vec<Value> {
    received(journal, "tools/list").iter().map(|line| line["params"]["cursor"].clone()).collect()
}

/// Answers `tools/list` and one `tools/call`.
fn tool(tool: Value, result: Value) -> Script {
    server().expect("tools/list").reply(json!({ "tools": [tool] })).expect("tools/call").reply(result)
}

/// Lists, then calls the only tool.
async fn call_listed(client: &Client) -> CallToolResult {
    let tools = within(client.tools().all()).await.unwrap();
    let [tool] = tools.as_slice() else { panic!("one tool, not {tools:?}") };
    within(client.call(&tool.name)).await.unwrap()
}

// Duty: N-05
#[tokio::test]
async fn case_tools_001() {
    let schema = json!({ "type": "object" });
    let page = json!({
        "tools": [{ "name": "a", "inputSchema": schema }, { "name": "b", "inputSchema": schema }],
        "nextCursor": "p1",
    });
    let script = (0..4).fold(server(), |script, _| script.expect("tools/list").reply(page.clone()));
    let (client, journal) = connect(script).await;
    let mut pages = client.tools();
    let mut tools = Vec::new();
    let error = loop {
        match within(pages.next()).await {
            Some(Ok(tool)) => tools.push(tool),
            Some(Err(error)) => break error,
            None => panic!("the end of a list that has none"),
        }
    };
    assert_eq!(names(&tools), ["a", "b"], "nothing is handed on twice");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("\"p1\""), "{error}");
    assert!(within(pages.next()).await.is_none());
    assert_eq!(cursors(&journal), [json!(null), json!("p1")]);
    assert_eq!(within(client.tools().all()).await.unwrap_err().kind(), ErrorKind::Protocol);
}

// Duty: N-02
#[tokio::test]
async fn case_tools_002() {
    let script = server()
        .expect("tools/list")
        .reply(json!({ "tools": [{ "name": "a", "inputSchema": { "type": "object" } }], "nextCursor": "" }))
        .expect("tools/list")
        .reply(json!({ "tools": [{ "name": "b", "inputSchema": { "type": "object" } }] }));
    let (client, journal) = connect(script).await;
    assert_eq!(names(&within(client.tools().all()).await.unwrap()), ["a", "b"]);
    assert_eq!(cursors(&journal), [json!(null), json!("")]);
}

// Results are not validated yet. What these three hold already: no schema ever hides a result.

// Duty: T-06
#[tokio::test]
async fn case_tools_005() {
    let schema = json!({ "type": "object", "properties": { "t": { "type": "number" } }, "required": ["t"] });
    let script = tool(
        json!({ "name": "t", "inputSchema": { "type": "object" }, "outputSchema": schema }),
        json!({ "content": [{ "type": "text", "text": "quota used up" }], "isError": true }),
    );
    let (client, _) = connect(script).await;
    let result = call_listed(&client).await;
    assert!(result.is_error());
    assert_eq!(result.joined_text(), "quota used up");
}

#[tokio::test]
async fn case_tools_007() {
    let schema = json!({
        "type": "object", "properties": { "tags": { "type": "array" } }, "required": ["tags"], "additionalProperties": false,
    });
    let script = tool(
        json!({ "name": "t", "inputSchema": { "type": "object" }, "outputSchema": schema }),
        json!({
            "content": [{ "type": "text", "text": "{}" }], "structuredContent": { "tags": [] },
            "isError": false, "_meta": { "x": 1 },
        }),
    );
    let (client, _) = connect(script).await;
    let result = call_listed(&client).await;
    assert!(!result.is_error());
    assert_eq!(result.structured_content.unwrap().to_value(), json!({ "tags": [] }));
    assert_eq!(result.meta.unwrap().get("x"), Some(&json!(1)));
}

#[tokio::test]
async fn case_tools_008() {
    let schema = json!({ "type": "object", "properties": { "t": { "type": "number" } }, "required": ["t"] });
    let script = tool(
        json!({ "name": "t", "inputSchema": { "type": "object" }, "outputSchema": schema }),
        json!({ "content": [{ "type": "text", "text": "{\"t\":3}" }] }),
    );
    let (client, _) = connect(script).await;
    let result = call_listed(&client).await;
    assert_eq!((result.joined_text().as_str(), result.structured_content), ("{\"t\":3}", None));
}

#[tokio::test]
async fn case_tools_009() {
    let script = server().expect("tools/list").reply(json!({ "tools": [
        { "name": "good", "inputSchema": { "type": "object" } },
        { "name": "odd", "inputSchema": { "type": "object" }, "outputSchema": { "$id": "x" } },
        { "inputSchema": { "type": "object" } },
    ] }));
    let (client, _) = connect(script).await;
    let mut pages = client.tools();
    let mut tools = Vec::new();
    while let Some(tool) = within(pages.next()).await {
        tools.push(tool.unwrap());
    }
    assert_eq!(names(&tools), ["good", "odd"]);
    assert_eq!(tools[1].output_schema.as_ref().unwrap().as_str(), r#"{"$id":"x"}"#);
    let [problem] = pages.problems() else { panic!("one problem, not {:?}", pages.problems()) };
    assert_eq!(problem.index, 2);
    assert!(problem.error.contains("name"), "{problem}");
    assert_eq!(problem.raw.to_value(), json!({ "inputSchema": { "type": "object" } }));
}

// Duty: T-13
#[tokio::test]
async fn case_tools_010() {
    let result = r#"{"content":[{"type":"text","text":"a"},{"type":"hologram","mesh":"AAEC","_meta":{"k":1}},{"type":"audio","data":"AAEC","mimeType":"audio/wav"},{"type":"resource_link","uri":"file:///x","name":"x"}]}"#;
    let script = server().expect("tools/call").send(format!(r#"{{"jsonrpc":"2.0","id":2,"result":{result}}}"#));
    let (client, _) = connect(script).await;
    let result = within(client.call("show")).await.unwrap();
    let [
        ContentBlock::Text(text),
        ContentBlock::Other(other),
        ContentBlock::Audio(audio),
        ContentBlock::ResourceLink(link),
    ] = result.content.as_slice()
    else {
        panic!("four blocks in order, not {:?}", result.content)
    };
    assert_eq!(text.text, "a");
    let raw = r#"{"type":"hologram","mesh":"AAEC","_meta":{"k":1}}"#;
    assert_eq!(other.as_str(), raw);
    assert_eq!(serde_json::to_string(&result.content[1]).unwrap(), raw);
    assert_eq!(audio.decode().unwrap(), [0, 1, 2]);
    assert_eq!(link.uri, "file:///x");
}

#[tokio::test]
async fn case_tools_014() {
    let script = (0..5).fold(server(), |script, _| script.expect("tools/call").reply(json!({ "content": [] })));
    let (client, journal) = connect(script).await;
    within(client.call("t")).await.unwrap();
    within(client.call("t").args(None::<Value>)).await.unwrap();
    within(client.call("t").args(Value::Null)).await.unwrap();
    within(client.call("t").args("")).await.unwrap();
    within(client.call("t").args(json!({}))).await.unwrap();
    let calls = received(&journal, "tools/call");
    assert_eq!(calls.len(), 5);
    for call in calls {
        // The server of the case refuses null and nothing else.
        let arguments = call["params"].get("arguments");
        assert!(arguments.is_none_or(|arguments| *arguments == json!({})), "{call}");
    }
}

#[tokio::test]
async fn case_tools_016() {
    let results = [
        r#"{}"#,
        r#"{"content":null}"#,
        r#"{"structuredContent":{"a":1}}"#,
        r#"{"content":[],"isError":null}"#,
        r#"{"toolResult":{"content":[]}}"#,
    ];
    let script = results.iter().zip(2..).fold(server(), |script, (result, id)| {
        script.expect("tools/call").send(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
    });
    let (client, _) = connect(script).await;
    for n in 1..=5 {
        let result = within(client.call("t")).await.unwrap();
        assert!(result.content.is_empty() && !result.is_error());
        assert_eq!(result.structured_content.is_some(), n == 3);
        if n == 3 {
            assert_eq!(result.structured_content.as_ref().unwrap().to_value(), json!({ "a": 1 }));
        }
        if n == 5 {
            let written = serde_json::to_value(&result).unwrap();
            assert_eq!(written["toolResult"], json!({ "content": [] }));
        }
    }
}

#[tokio::test]
async fn case_tools_019() {
    let schema = json!({ "type": "object" });
    let script = server().expect("tools/list").reply(json!({ "tools": [
        { "name": "analyze", "description": "one", "inputSchema": schema },
        { "name": "analyze", "description": "two", "inputSchema": schema },
        { "name": "other", "inputSchema": schema },
    ] }));
    let (client, _) = connect(script.pings(1)).await;
    let tools = within(client.tools().all()).await.unwrap();
    assert_eq!(names(&tools), ["analyze", "analyze", "other"], "the raw list shows both");
    assert_eq!((tools[0].description.as_deref(), tools[1].description.as_deref()), (Some("one"), Some("two")));
}
