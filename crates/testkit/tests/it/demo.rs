//! The demonstration server has one of everything.

use bowline_testkit::demo;
use serde_json::{Value, json};

use crate::peer::Peer;

async fn peer(capabilities: Value) -> Peer {
    Peer::ready(&demo::server(), "2025-11-25", capabilities).await
}

async fn called(peer: &mut Peer, tool: &str, arguments: Value) -> Value {
    peer.call(tool, tool, arguments).await;
    loop {
        let message = peer.next().await;
        if message["id"] == tool {
            return message["result"].clone();
        }
    }
}

#[tokio::test]
async fn everything_is_listed() {
    let mut peer = peer(json!({})).await;
    for (method, member, wanted) in [
        ("tools/list", "tools", vec!["echo", "add", "countdown", "ask-name", "summarise", "roots", "fail"]),
        ("resources/list", "resources", vec!["log-book", "pennant.png"]),
        ("resources/templates/list", "resourceTemplates", vec!["knot"]),
        ("prompts/list", "prompts", vec!["greet", "review"]),
    ] {
        let result = peer.ask(1, method, json!({})).await["result"].clone();
        let names: Vec<_> =
            result[member].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, wanted);
    }
}

#[tokio::test]
async fn tools_answer_as_described() {
    let mut peer = peer(json!({})).await;
    assert_eq!(called(&mut peer, "echo", json!({ "message": "ahoy" })).await["content"][0]["text"], "ahoy");
    assert_eq!(called(&mut peer, "add", json!({ "a": 2, "b": 3 })).await["structuredContent"], json!({ "sum": 5 }));
    assert_eq!(called(&mut peer, "add", json!({ "a": 0.5, "b": 1 })).await["structuredContent"], json!({ "sum": 1.5 }));
    let failed = called(&mut peer, "fail", json!({})).await;
    assert_eq!(
        (&failed["isError"], &failed["content"][0]["text"]),
        (&json!(true), &json!("It failed: the anchor dragged."))
    );
}

#[tokio::test(start_paused = true)]
async fn the_countdown_reports_each_step() {
    let mut peer = peer(json!({})).await;
    let params = json!({ "name": "countdown", "arguments": { "from": 3 }, "_meta": { "progressToken": 1 } });
    peer.request(1, "tools/call", params).await;
    for step in 1..=3 {
        let params = peer.next().await["params"].clone();
        assert_eq!((params["progress"].as_f64(), params["total"].as_f64()), (Some(f64::from(step)), Some(3.0)));
    }
    assert_eq!(peer.next().await["result"]["content"][0]["text"], "Counted down from 3.");
    peer.call(2, "countdown", json!({ "from": 0 })).await;
    assert_eq!(peer.next().await["error"]["code"], -32602);
}

#[tokio::test]
async fn the_server_asks_back() {
    let mut peer = peer(json!({ "sampling": {}, "elicitation": {}, "roots": {} })).await;
    let message = json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "In short." } });
    for (tool, arguments, result, wanted) in [
        ("ask-name", json!({}), json!({ "action": "accept", "content": { "name": "Ada" } }), "Welcome aboard, Ada."),
        ("ask-name", json!({}), json!({ "action": "decline" }), "Welcome aboard, whoever you are."),
        ("ask-name", json!({}), json!({ "action": "cancel" }), "Nobody answered."),
        ("summarise", json!({ "text": "long" }), message, "In short."),
        (
            "roots",
            json!({}),
            json!({ "roots": [{ "uri": "file:///a", "name": "a" }, { "uri": "file:///b" }] }),
            "a: file:///a\nfile:///b",
        ),
    ] {
        peer.call(1, tool, arguments).await;
        let question = peer.next().await;
        peer.send(json!({ "jsonrpc": "2.0", "id": question["id"], "result": result })).await;
        assert_eq!(peer.next().await["result"]["content"][0]["text"], wanted, "{tool}");
    }
}

#[tokio::test]
async fn resources_prompts_and_completion_answer() {
    let mut peer = peer(json!({})).await;
    let book = peer.ask(1, "resources/read", json!({ "uri": "demo://log-book" })).await;
    assert!(book["result"]["contents"][0]["text"].as_str().unwrap().starts_with("# Log book"));
    let pennant = peer.ask(2, "resources/read", json!({ "uri": "demo://pennant.png" })).await;
    assert!(pennant["result"]["contents"][0]["blob"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    let knot = peer.ask(3, "resources/read", json!({ "uri": "demo://knots/reef-knot" })).await;
    assert!(knot["result"]["contents"][0]["text"].as_str().unwrap().contains("two ends"));
    assert_eq!(peer.ask(4, "resources/read", json!({ "uri": "demo://knots/granny" })).await["error"]["code"], -32002);
    let review = peer
        .ask(5, "prompts/get", json!({ "name": "review", "arguments": { "code": "x = 1", "language": "python" } }))
        .await;
    assert!(review["result"]["messages"][0]["content"]["text"].as_str().unwrap().starts_with("Review python code"));
    let params =
        json!({ "ref": { "type": "ref/prompt", "name": "review" }, "argument": { "name": "language", "value": "ru" } });
    assert_eq!(
        peer.ask(6, "completion/complete", params).await["result"]["completion"]["values"],
        json!(["rust", "ruby"])
    );
}
