//! Tasks of the mock server: the experiment of 2025-11-25, and the extension of 2026-07-28.

use std::time::Duration;

use bowline_protocol::{
    CallToolResult, ElicitRequestFormParams, ElicitationSchema, ErrorCode, ErrorObject, Revision, StringSchema,
    TaskSupport, Tool, ToolExecution,
};
use bowline_testkit::{MockServer, MockServerBuilder, Quirk, ToolCall};
use serde_json::{Value, json};

use crate::peer::Peer;

const EXTENSION: &str = "io.modelcontextprotocol/tasks";

fn tool(name: &str, support: TaskSupport) -> Tool {
    Tool::new(name, json!({ "type": "object" })).with_execution(ToolExecution::new().with_task_support(support))
}

fn builder() -> MockServerBuilder {
    MockServer::builder()
        .revisions(Revision::ALL)
        .tool(tool("quick", TaskSupport::Optional), |_| async { Ok(CallToolResult::text("done")) })
        .tool(tool("wait", TaskSupport::Optional), |call| async move {
            call.cancelled().await;
            Ok(CallToolResult::text("late"))
        })
        .tool(tool("wrong", TaskSupport::Required), |_| async { Ok(CallToolResult::error("no")) })
        .tool(tool("broken", TaskSupport::Optional), |_| async {
            Err(ErrorObject::new(ErrorCode(-32050), "out of rope"))
        })
        .tool(tool("plain", TaskSupport::Forbidden), |_| async { Ok(CallToolResult::text("plain")) })
        .tool(tool("ask", TaskSupport::Optional), ask)
        .tool(Tool::new("late", json!({ "type": "object" })), |call| async move {
            let roots = call.list_roots().await?.roots.len();
            let task = |_| async move { Ok(CallToolResult::text(format!("{roots} roots"))) };
            Err(call.become_task(task).await)
        })
}

async fn ask(call: ToolCall) -> Result<CallToolResult, ErrorObject> {
    let question = |text: &str| {
        ElicitRequestFormParams::new(text, ElicitationSchema::new([("note", StringSchema::new().into())])).into()
    };
    let (first, second) = tokio::join!(call.elicit(question("one?")), call.elicit(question("two?")));
    Ok(CallToolResult::text(format!("{} {}", first?.action, second?.action)))
}

fn params(mut params: Value, capabilities: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    params
}

/// Parameters of a client that knows the extension.
fn able(given: Value) -> Value {
    params(given, json!({ "elicitation": {}, "roots": {}, "extensions": { EXTENSION: {} } }))
}

/// Begins a task and gives its id.
async fn begin(peer: &mut Peer, name: &str) -> String {
    let result = peer.ask(1, "tools/call", able(json!({ "name": name }))).await["result"].clone();
    assert_eq!((&result["resultType"], &result["status"]), (&json!("task"), &json!("working")), "{result}");
    assert_eq!((&result["ttlMs"], &result["pollIntervalMs"]), (&json!(600_000), &json!(50)));
    assert!(result["createdAt"].as_str().unwrap().ends_with('Z'));
    assert!(["task", "result", "requestState", "ttl"].iter().all(|member| result.get(member).is_none()));
    result["taskId"].as_str().unwrap().to_owned()
}

async fn get(peer: &mut Peer, id: &str) -> Value {
    peer.ask(2, "tasks/get", able(json!({ "taskId": id }))).await
}

/// Looks until the task stands so.
async fn reach(peer: &mut Peer, id: &str, status: &str) -> Value {
    loop {
        let answer = get(peer, id).await["result"].clone();
        assert_eq!(answer["resultType"], "complete");
        if answer["status"] == status {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_server_makes_tasks_of_calls_for_those_who_can_take_them() {
    let mut peer = Peer::connect(&builder().build());
    let found = peer.ask(1, "server/discover", able(json!({}))).await["result"]["capabilities"].clone();
    assert_eq!((&found["extensions"], found.get("tasks")), (&json!({ EXTENSION: {} }), None));
    let id = begin(&mut peer, "quick").await;
    let done = reach(&mut peer, &id, "completed").await;
    assert_eq!(done["result"]["content"][0]["text"], "done");
    assert_eq!(done["result"]["resultType"], "complete");
    let id = begin(&mut peer, "wrong").await;
    assert_eq!(reach(&mut peer, &id, "completed").await["result"]["isError"], true);
    let id = begin(&mut peer, "broken").await;
    let failed = reach(&mut peer, &id, "failed").await;
    assert_eq!((&failed["error"]["code"], failed.get("result")), (&json!(-32050), None));
    // A tool that is none, and clients that cannot.
    let plain = peer.ask(1, "tools/call", able(json!({ "name": "plain", "task": { "ttl": 1 } }))).await;
    assert_eq!(plain["result"]["resultType"], "complete");
    let unable = |given| params(given, json!({}));
    assert_eq!(peer.ask(1, "tools/call", unable(json!({ "name": "quick" }))).await["result"]["resultType"], "complete");
    for (method, given) in [
        ("tools/call", json!({ "name": "wrong" })),
        ("tasks/get", json!({ "taskId": id })),
        ("tasks/update", json!({ "taskId": id, "inputResponses": {} })),
        ("tasks/cancel", json!({ "taskId": id })),
        ("subscriptions/listen", json!({ "notifications": { "taskIds": [id] } })),
    ] {
        let error = peer.ask(1, method, unable(given)).await["error"].clone();
        let needed = json!({ "requiredCapabilities": { "extensions": { EXTENSION: {} } } });
        assert_eq!((&error["code"], &error["data"]), (&json!(-32021), &needed), "{method}");
    }
    for method in ["tasks/get", "tasks/cancel"] {
        assert_eq!(peer.ask(1, method, able(json!({ "taskId": "nope" }))).await["error"]["code"], -32602);
    }
    for method in ["tasks/list", "tasks/result"] {
        assert_eq!(peer.ask(1, method, able(json!({ "taskId": id }))).await["error"]["code"], -32601);
    }
}

#[tokio::test]
async fn a_cancelled_task_is_acknowledged_and_stays_cancelled() {
    let server = builder().build();
    let mut peer = Peer::connect(&server);
    let id = begin(&mut peer, "wait").await;
    for _ in 0..2 {
        let acknowledged = peer.ask(3, "tasks/cancel", able(json!({ "taskId": id }))).await["result"].clone();
        assert_eq!((&acknowledged["resultType"], acknowledged.get("status")), (&json!("complete"), None));
    }
    assert_eq!(get(&mut peer, &id).await["result"]["status"], "cancelled");
    // Another connection knows it too, until the server forgets it.
    let mut other = Peer::connect(&server);
    assert_eq!(get(&mut other, &id).await["result"]["status"], "cancelled");
    server.forget_tasks();
    assert_eq!(get(&mut other, &id).await["error"]["code"], -32602);
}

#[tokio::test]
async fn a_task_asks_and_goes_on_when_all_is_answered() {
    let mut peer = Peer::connect(&builder().build());
    let id = begin(&mut peer, "ask").await;
    let update = |answers: Value| able(json!({ "taskId": id, "inputResponses": answers }));
    let asking = reach(&mut peer, &id, "input_required").await;
    assert_eq!(asking["inputRequests"]["input-2"]["params"]["message"], "two?");
    let partly = json!({ "input-1": { "action": "accept" }, "odd": 7 });
    assert_eq!(peer.ask(3, "tasks/update", update(partly)).await["result"]["resultType"], "complete");
    let asking = get(&mut peer, &id).await["result"].clone();
    assert_eq!(asking["status"], "input_required");
    assert_eq!(asking["inputRequests"].as_object().unwrap().keys().collect::<Vec<_>>(), ["input-2"]);
    peer.ask(4, "tasks/update", update(json!({ "input-2": { "action": "decline" } }))).await;
    assert_eq!(reach(&mut peer, &id, "completed").await["result"]["content"][0]["text"], "accept decline");
}

#[tokio::test]
async fn rounds_come_before_a_task_and_their_answers_go_with_it() {
    let mut peer = Peer::connect(&builder().build());
    let asked = peer.ask(1, "tools/call", able(json!({ "name": "late" }))).await["result"].clone();
    assert_eq!((&asked["resultType"], asked.get("taskId")), (&json!("input_required"), None));
    let again = json!({ "name": "late", "inputResponses": { "ask-1": { "roots": [] } } });
    let task = peer.ask(2, "tools/call", able(again)).await["result"].clone();
    assert_eq!(task["resultType"], "task");
    let done = reach(&mut peer, task["taskId"].as_str().unwrap(), "completed").await;
    assert_eq!(done["result"]["content"][0]["text"], "0 roots");
}

#[tokio::test]
async fn a_subscription_tells_how_its_tasks_stand() {
    let mut peer = Peer::connect(&builder().build());
    let id = begin(&mut peer, "ask").await;
    reach(&mut peer, &id, "input_required").await;
    let filter = json!({ "notifications": { "taskIds": [id, "nope"] } });
    peer.request(7, "subscriptions/listen", able(filter)).await;
    assert_eq!(peer.next().await["params"]["notifications"], json!({ "taskIds": [id] }));
    let answers = json!({ "input-1": { "action": "accept" }, "input-2": { "action": "accept" } });
    peer.request(8, "tasks/update", able(json!({ "taskId": id, "inputResponses": answers }))).await;
    loop {
        let message = peer.next().await;
        if message["params"]["status"] == "completed" {
            assert_eq!(message["method"], "notifications/tasks");
            assert_eq!(message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
            assert_eq!(message["params"]["result"]["content"][0]["text"], "accept accept");
            break;
        }
    }
}

#[tokio::test]
async fn tasks_misbehave() {
    let mut peer = Peer::connect(&builder().quirk(Quirk::TaskVanishes).build());
    let id = begin(&mut peer, "wait").await;
    assert_eq!(get(&mut peer, &id).await["result"]["status"], "working");
    assert_eq!(get(&mut peer, &id).await["error"]["code"], -32602);

    let mut peer = Peer::connect(&builder().quirk(Quirk::TaskGoesBackwards).build());
    let id = begin(&mut peer, "quick").await;
    reach(&mut peer, &id, "completed").await;
    let back = get(&mut peer, &id).await["result"].clone();
    assert_eq!((&back["status"], back.get("result")), (&json!("working"), None));

    let mut peer = Peer::connect(&builder().quirk(Quirk::TaskNeverEnds).build());
    let id = begin(&mut peer, "quick").await;
    for _ in 0..100 {
        assert_eq!(get(&mut peer, &id).await["result"]["status"], "working");
    }
    for ttl in [-5, i128::from(u64::MAX) * 2] {
        let mut peer = Peer::connect(&builder().quirk(Quirk::TaskTtl(ttl)).build());
        peer.request(1, "tools/call", able(json!({ "name": "quick" }))).await;
        assert!(peer.line().await.contains(&format!("\"ttlMs\":{ttl},")));
    }
}

/// A session of 2025-11-25.
async fn session(server: &MockServer) -> Peer {
    Peer::ready(server, "2025-11-25", json!({ "elicitation": {}, "roots": {} })).await
}

async fn begin_old(peer: &mut Peer, name: &str) -> Value {
    peer.ask(1, "tools/call", json!({ "name": name, "task": { "ttl": 5000 } })).await["result"]["task"].clone()
}

/// The answer to a request; what is told meanwhile is left out.
async fn ask_past_notes(peer: &mut Peer, id: i64, method: &str, params: Value) -> Value {
    peer.request(id, method, params).await;
    loop {
        let message = peer.next().await;
        if message["id"] == id {
            return message;
        }
        assert_eq!(message["method"], "notifications/tasks/status");
    }
}

#[tokio::test]
async fn in_2025_11_25_the_client_asks_for_tasks_and_fetches_their_results() {
    let server = builder().build();
    let mut peer = Peer::connect(&server);
    let capabilities = peer.handshake("2025-11-25", json!({})).await["capabilities"].clone();
    assert_eq!(
        (&capabilities["tasks"]["requests"], capabilities.get("extensions")),
        (&json!({ "tools": { "call": {} } }), None)
    );
    let task = begin_old(&mut peer, "quick").await;
    assert_eq!((&task["status"], &task["ttl"], &task["pollInterval"]), (&json!("working"), &json!(5000), &json!(50)));
    let id = json!({ "taskId": task["taskId"] });
    let result = ask_past_notes(&mut peer, 2, "tasks/result", id.clone()).await["result"].clone();
    assert_eq!(result["content"][0]["text"], "done");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/related-task"], id);
    assert_eq!(ask_past_notes(&mut peer, 3, "tasks/get", id.clone()).await["result"]["status"], "completed");
    assert_eq!(ask_past_notes(&mut peer, 4, "tasks/cancel", id.clone()).await["error"]["code"], -32602);
    let listed = ask_past_notes(&mut peer, 5, "tasks/list", json!({})).await["result"].clone();
    assert_eq!(listed["tasks"][0]["taskId"], id["taskId"]);
    // A result that says that it is an error is a failure here.
    let wrong = ask_past_notes(&mut peer, 6, "tools/call", json!({ "name": "wrong", "task": {} })).await;
    let id = json!({ "taskId": wrong["result"]["task"]["taskId"] });
    assert_eq!(ask_past_notes(&mut peer, 7, "tasks/result", id.clone()).await["result"]["isError"], true);
    assert_eq!(ask_past_notes(&mut peer, 8, "tasks/get", id.clone()).await["result"]["status"], "failed");
    // What the tool does not allow is not found; another session knows nothing.
    for given in [json!({ "name": "plain", "task": {} }), json!({ "name": "wrong" })] {
        assert_eq!(ask_past_notes(&mut peer, 9, "tools/call", given).await["error"]["code"], -32601);
    }
    let mut other = session(&server).await;
    assert_eq!(other.ask(2, "tasks/get", id).await["error"]["code"], -32602);
    // Older revisions have none of it.
    let mut old = Peer::ready(&server, "2025-06-18", json!({})).await;
    let plain = old.ask(1, "tools/call", json!({ "name": "wrong", "task": {} })).await;
    assert_eq!(plain["result"]["isError"], true);
    assert_eq!(old.ask(2, "tasks/list", json!({})).await["error"]["code"], -32601);
}

#[tokio::test]
async fn in_2025_11_25_a_task_asks_by_requests_that_name_it_and_is_cancelled_at_once() {
    let mut peer = session(&builder().build()).await;
    let task = begin_old(&mut peer, "ask").await;
    let id = task["taskId"].clone();
    peer.request(2, "tasks/result", json!({ "taskId": id })).await;
    let (mut statuses, mut asked) = (Vec::new(), 0);
    let result = loop {
        let message = peer.next().await;
        match message["method"].as_str() {
            Some("elicitation/create") => {
                asked += 1;
                assert_eq!(message["params"]["_meta"]["io.modelcontextprotocol/related-task"], json!({ "taskId": id }));
                let result = json!({ "action": "cancel" });
                peer.send(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result })).await;
            }
            Some("notifications/tasks/status") => statuses.push(message["params"]["status"].clone()),
            _ => break message["result"].clone(),
        }
    };
    assert_eq!((asked, &result["content"][0]["text"]), (2, &json!("cancel cancel")));
    assert_eq!(statuses.first(), Some(&json!("input_required")));

    let waiting = ask_past_notes(&mut peer, 3, "tools/call", json!({ "name": "wait", "task": {} })).await;
    let id = json!({ "taskId": waiting["result"]["task"]["taskId"] });
    let cancelled = ask_past_notes(&mut peer, 4, "tasks/cancel", id.clone()).await["result"].clone();
    assert_eq!(cancelled["status"], "cancelled");
    assert!(ask_past_notes(&mut peer, 5, "tasks/result", id).await["error"].is_object());
}

#[tokio::test(start_paused = true)]
async fn a_task_is_gone_when_its_time_is_over() {
    let server = builder().task_times(Some(Duration::from_secs(5)), Duration::from_secs(1)).build();
    let mut peer = Peer::connect(&server);
    let begun = peer.ask(1, "tools/call", able(json!({ "name": "wait" }))).await["result"].clone();
    assert_eq!((&begun["ttlMs"], &begun["pollIntervalMs"]), (&json!(5000), &json!(1000)));
    let id = begun["taskId"].as_str().unwrap().to_owned();
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(get(&mut peer, &id).await["error"]["code"], -32602);
}
