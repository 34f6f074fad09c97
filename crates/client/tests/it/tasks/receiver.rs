//! A server that would have the client run tasks.

use bowline_client::{Client, RequestContext};
use bowline_protocol::{
    CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, TextContent,
};
use serde_json::{Value, json};

use super::peer::*;

#[tokio::test(start_paused = true)]
async fn tk_01_nothing_is_declared_and_a_request_with_a_task_runs_as_any_other() {
    let serve = |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "ping" => vec![
            json!({"jsonrpc": "2.0", "id": "sample", "method": "sampling/createMessage", "params": {
                "messages": [{"role": "user", "content": {"type": "text", "text": "?"}}], "maxTokens": 9,
                "task": {"ttl": 60_000}}}),
            json!({"jsonrpc": "2.0", "id": "ask", "method": "elicitation/create", "params": {
                "message": "who?", "requestedSchema": {"type": "object", "properties": {}}, "task": {}}}),
            json!({"jsonrpc": "2.0", "id": "odd", "method": "elicitation/create", "params": {
                "message": "who?", "requestedSchema": {"type": "object", "properties": {}}, "task": 7}}),
            json!({"jsonrpc": "2.0", "id": "get", "method": "tasks/get", "params": {"taskId": "1"}}),
            json!({"jsonrpc": "2.0", "id": "list", "method": "tasks/list"}),
            ok(message, json!({})),
        ],
        _ => Vec::new(),
    };
    let builder = Client::builder()
        .tasks(true)
        .on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async {
            Ok(CreateMessageResult::new("m", TextContent::new("!")))
        })
        .on_elicitation(|_: ElicitRequestParams, _: RequestContext| async { Ok(ElicitResult::decline()) });
    let (client, log) = session(serve).connect_with(builder).await;
    assert!(log.of("initialize")[0]["params"]["capabilities"].get("tasks").is_none());
    client.ping().await.unwrap();
    let sampled = log.answer_to("sample").await;
    assert_eq!(sampled["result"]["model"], "m");
    assert!(sampled["result"].get("task").is_none());
    assert_eq!(log.answer_to("ask").await["result"], json!({"action": "decline"}));
    assert_eq!(log.answer_to("odd").await["result"], json!({"action": "decline"}));
    // What is not declared does not exist.
    assert_eq!(log.answer_to("get").await["error"]["code"], -32601);
    assert_eq!(log.answer_to("list").await["error"]["code"], -32601);
}
