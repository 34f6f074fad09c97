//! A server that would have the client run tasks.

#![expect(clippy::needless_pass_by_value, reason = "values are written down where they are used")]

use std::sync::Arc;

use bowline_client::{Client, ReceivedTasks, RequestContext};
use bowline_protocol::{
    CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, TextContent,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

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

/// Requests of the server, by what the test asks for with `step` and its number.
fn asking(
    steps: impl Fn(u64, &Value) -> Vec<Value> + Send + 'static,
) -> impl FnMut(&Value) -> Vec<Value> + Send + 'static {
    let mut id = Value::Null;
    move |message| {
        if let Some(task) = message["result"].get("task") {
            id = task["taskId"].clone();
        }
        match message["method"].as_str().unwrap_or_default() {
            "tools/call" => {
                let step = message["params"]["arguments"]["step"].as_u64().unwrap();
                let mut lines = steps(step, &id);
                lines.push(ok(message, json!({"content": []})));
                lines
            }
            _ => Vec::new(),
        }
    }
}

fn request(id: &str, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn about(id: &str, method: &str, task: &Value) -> Value {
    request(id, method, json!({"taskId": task}))
}

fn sample(id: &str, task: Value) -> Value {
    let messages = json!([{"role": "user", "content": {"type": "text", "text": "?"}}]);
    request(id, "sampling/createMessage", json!({"messages": messages, "maxTokens": 9, "task": task}))
}

async fn step(client: &Client, step: u64) {
    client.call("t").arg("step", step).await.unwrap();
}

/// A client that takes tasks, whose model answers once it is let.
async fn receiving(
    settings: ReceivedTasks,
    steps: impl Fn(u64, &Value) -> Vec<Value> + Send + 'static,
) -> (Client, Log, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    let builder = Client::builder().receive_tasks(settings).on_sampling(
        move |_: CreateMessageRequestParams, context: RequestContext| {
            let open = Arc::clone(&open);
            async move {
                context.report_progress(1.0, None).await;
                open.acquire().await.unwrap().forget();
                Ok(CreateMessageResult::new("m", TextContent::new("!")))
            }
        },
    );
    let (client, log) = session(asking(steps)).connect_with(builder).await;
    (client, log, gate)
}

#[tokio::test(start_paused = true)]
async fn tk_07_a_request_runs_as_a_task_from_its_beginning_to_its_result() {
    let (client, log, gate) = receiving(ReceivedTasks::default(), |step, id| match step {
        1 => {
            let mut asked = sample("ask", json!({"ttl": 60_000}));
            asked["params"]["_meta"] = json!({"progressToken": "p"});
            vec![asked]
        }
        2 => vec![
            about("get", "tasks/get", id),
            about("result", "tasks/result", id),
            request("list", "tasks/list", json!({})),
            request("page", "tasks/list", json!({"cursor": "x"})),
            about("unknown", "tasks/get", &json!("nobody's")),
            about("odd", "tasks/cancel", &json!(7)),
            request("other", "tasks/update", json!({"taskId": id})),
        ],
        _ => {
            vec![about("after", "tasks/get", id), about("again", "tasks/result", id), about("late", "tasks/cancel", id)]
        }
    })
    .await;
    let declared = &log.of("initialize")[0]["params"]["capabilities"];
    assert_eq!(declared["tasks"], json!({"list": {}, "cancel": {}, "requests": {"sampling": {"createMessage": {}}}}));
    step(&client, 1).await;
    let created = log.answer_to("ask").await["result"]["task"].clone();
    assert_eq!((&created["status"], &created["ttl"]), (&json!("working"), &json!(60_000)));
    assert_eq!(created["pollInterval"], 1000);
    let id = created["taskId"].clone();
    let related = json!({"io.modelcontextprotocol/related-task": {"taskId": id}});
    let progress = &log.wait_for("notifications/progress", 1).await[0]["params"];
    assert_eq!((&progress["progressToken"], &progress["_meta"]), (&json!("p"), &related));

    step(&client, 2).await;
    assert_eq!(log.answer_to("get").await["result"], created, "and no word on which task it belongs to");
    assert_eq!(log.answer_to("list").await["result"]["tasks"], json!([created]));
    for refused in ["page", "unknown", "odd"] {
        assert_eq!(log.answer_to(refused).await["error"]["code"], -32602, "{refused}");
    }
    assert_eq!(log.answer_to("other").await["error"]["code"], -32601);
    assert_eq!(log.count("notifications/tasks/status"), 0);

    gate.add_permits(1);
    let result = log.answer_to("result").await["result"].clone();
    assert_eq!((&result["model"], &result["_meta"]), (&json!("m"), &related));
    let told = &log.wait_for("notifications/tasks/status", 1).await[0]["params"];
    assert_eq!((&told["taskId"], &told["status"]), (&id, &json!("completed")));
    step(&client, 3).await;
    assert_eq!(log.answer_to("after").await["result"]["status"], "completed");
    assert_eq!(log.answer_to("again").await["result"], result);
    assert_eq!(log.answer_to("late").await["error"]["code"], -32602);
}

#[tokio::test(start_paused = true)]
async fn tk_07_a_cancelled_task_stops_and_stays_so_and_whoever_waits_is_told() {
    let (client, log, gate) = receiving(ReceivedTasks::default().max_tasks(1), |step, id| match step {
        1 => vec![sample("ask", json!({}))],
        2 => vec![
            sample("second", json!({})),
            sample("malformed", json!({"ttl": {}})),
            sample("plain", Value::Null),
            about("result", "tasks/result", id),
            about("cancel", "tasks/cancel", id),
        ],
        _ => vec![about("after", "tasks/get", id), sample("third", json!({}))],
    })
    .await;
    step(&client, 1).await;
    log.answer_to("ask").await;
    step(&client, 2).await;
    assert_eq!(log.answer_to("second").await["error"]["code"], -32603, "one is kept");
    assert_eq!(log.answer_to("cancel").await["result"]["status"], "cancelled");
    assert_eq!(log.answer_to("result").await["error"]["message"], "the task was cancelled");
    // Without a task a request is served as ever, and the handler of the cancelled one takes nothing any more.
    gate.add_permits(1);
    assert_eq!(log.answer_to("plain").await["result"]["model"], "m");
    step(&client, 3).await;
    assert_eq!(log.answer_to("after").await["result"]["status"], "cancelled");
    assert_eq!(log.answer_to("third").await["result"]["task"]["status"], "working", "it makes room");
    assert_eq!(log.count("notifications/tasks/status"), 0);
}

#[tokio::test(start_paused = true)]
async fn tk_07_and_tk_08_after_its_time_a_task_is_over_and_gone() {
    let (client, log, _gate) = receiving(ReceivedTasks::default(), |step, id| match step {
        1 => vec![sample("ask", json!({"ttl": 5_000}))],
        2 => vec![about("result", "tasks/result", id)],
        _ => vec![about("after", "tasks/get", id), request("list", "tasks/list", json!({}))],
    })
    .await;
    step(&client, 1).await;
    log.answer_to("ask").await;
    step(&client, 2).await;
    let started = Instant::now();
    assert_eq!(log.answer_to("result").await["error"]["message"], "the time of the task is over");
    assert_eq!(started.elapsed().as_secs(), 5);
    step(&client, 3).await;
    assert_eq!(log.answer_to("after").await["error"]["code"], -32602);
    assert_eq!(log.answer_to("list").await["result"]["tasks"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn tk_07_a_handler_that_fails_or_panics_fails_its_task_with_what_it_would_have_been_answered() {
    let builder = Client::builder().receive_tasks(ReceivedTasks::default()).on_elicitation(
        |ask: ElicitRequestParams, _: RequestContext| async move {
            match ask.message() {
                Some("panic") => panic!("a handler that fails"),
                _ => Err(bowline_client::refused()),
            }
        },
    );
    let steps = |step, id: &Value| match step {
        1 | 2 => {
            let message = if step == 1 { "refuse" } else { "panic" };
            let form = json!({"type": "object", "properties": {}});
            vec![request(
                message,
                "elicitation/create",
                json!({"message": message, "requestedSchema": form, "task": {}}),
            )]
        }
        step => vec![about(&format!("get {step}"), "tasks/get", id), about(&step.to_string(), "tasks/result", id)],
    };
    let (client, log) = session(asking(steps)).connect_with(builder).await;
    for (ask, message, then, code) in [(1, "refuse", 3, -1), (2, "panic", 4, -32603)] {
        step(&client, ask).await;
        log.answer_to(message).await;
        log.wait_for("notifications/tasks/status", usize::try_from(ask).unwrap()).await;
        step(&client, then).await;
        let task = log.answer_to(&format!("get {then}")).await["result"].clone();
        assert_eq!(task["status"], "failed");
        let error = log.answer_to(&then.to_string()).await["error"].clone();
        assert_eq!((&error["code"], &error["message"]), (&json!(code), &task["statusMessage"]));
    }
}
