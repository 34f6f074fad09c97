//! Tasks of 2026-07-28.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline_client::{Client, ErrorKind, Outcome, RequestContext};
use bowline_protocol::{ElicitRequestParams, ElicitResult};
use bowline_transport::Sent;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::peer::*;

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Whether a request declares the extension.
fn declares(request: &Value) -> bool {
    request["params"]["_meta"][CAPABILITIES]["extensions"].get("io.modelcontextprotocol/tasks").is_some()
}

fn completed() -> Value {
    task("completed", json!({"resultType": "complete", "ttlMs": null, "result": text("done")}))
}

fn question(keys: &[&str]) -> Value {
    let ask = json!({"method": "elicitation/create", "params": {
        "mode": "form", "message": "who?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    }});
    let requests: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), ask.clone())).collect();
    task("input_required", json!({"resultType": "complete", "pollIntervalMs": 50, "inputRequests": requests}))
}

/// A client that says its name, and counts how often.
fn answering() -> (bowline_client::ClientBuilder, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let builder = Client::builder().on_elicitation(move |_: ElicitRequestParams, _: RequestContext| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(ElicitResult::accept([("name", "Ada".into())])) }
    });
    (builder, asked)
}

#[tokio::test(start_paused = true)]
async fn case_tasks_004_and_tx_05_a_call_becomes_a_task_and_its_question_is_answered_once() {
    let working = task("working", json!({"resultType": "complete", "pollIntervalMs": 50}));
    let states = [working.clone(), question(&["k"]), question(&["k"]), question(&["k"]), working, completed()];
    let (builder, asked) = answering();
    let (client, log) = extension(stepping(states)).connect_with(builder).await;
    let result = client.call("slow").as_task().await.unwrap();
    assert_eq!(result.joined_text(), "done");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let updates = log.of("tasks/update");
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0]["params"]["taskId"], "t1");
    assert_eq!(updates[0]["params"]["inputResponses"], json!({"k": {"action": "accept", "content": {"name": "Ada"}}}));
    let looks = log.timed("tasks/get");
    assert_eq!(looks.len(), 6);
    for pair in looks.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= Duration::from_millis(50));
    }
    // Every request about the task says that the client knows tasks.
    for method in ["tools/call", "tasks/get", "tasks/update"] {
        assert!(log.of(method).iter().all(declares), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn tx_05_later_questions_are_answered_by_themselves() {
    let states = [question(&["a"]), question(&["a", "b"]), question(&["b", "c"]), completed()];
    let (builder, asked) = answering();
    let (client, log) = extension(stepping(states)).connect_with(builder).await;
    client.call("slow").as_task().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let keys: Vec<Vec<String>> = log
        .of("tasks/update")
        .iter()
        .map(|update| update["params"]["inputResponses"].as_object().unwrap().keys().cloned().collect())
        .collect();
    assert_eq!(keys, [["a"], ["b"], ["c"]]);
}

#[tokio::test(start_paused = true)]
async fn ex_03_and_tx_01_nothing_is_declared_by_default_and_a_task_is_then_no_answer() {
    let (client, log) = extension(stepping([completed()])).connect().await;
    let error = client.call("slow").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Protocol, Sent::Yes));
    assert!(error.to_string().contains("\"task\""), "{error}");
    assert!(!declares(&log.of("tools/call")[0]));
    assert_eq!(log.count("tasks/get"), 0);
}

#[tokio::test(start_paused = true)]
async fn tx_01_a_client_that_takes_tasks_reads_plain_answers_and_tasks_alike() {
    let (client, log) = extension(stepping([completed()])).connect_with(Client::builder().tasks(true)).await;
    assert_eq!(client.call("slow").await.unwrap().joined_text(), "done");
    assert!(declares(&log.of("tools/call")[0]));

    let serve = |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => vec![ok(message, json!({"resultType": "complete", "content": []}))],
        "prompts/get" => vec![ok(message, json!({"resultType": "complete", "messages": []}))],
        _ => Vec::new(),
    };
    let (client, log) = extension(serve).connect_with(Client::builder().tasks(true)).await;
    assert!(client.call("quick").await.unwrap().content.is_empty());
    client.prompt("p").await.unwrap();
    // Where no task is acceptable none is declared.
    assert!(!declares(&log.of("prompts/get")[0]));
    assert_eq!(log.count("tasks/get"), 0);
}

#[tokio::test(start_paused = true)]
async fn tx_02_a_task_is_no_answer_to_anything_but_the_call_of_a_tool() {
    let serve = |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "prompts/get" => {
            vec![ok(message, json!({"resultType": "task", "taskId": "t1", "status": "working", "ttlMs": null}))]
        }
        _ => Vec::new(),
    };
    let (client, log) = extension(serve).connect_with(Client::builder().tasks(true)).await;
    let error = client.prompt("p").await.unwrap_err();
    assert_eq!((error.kind(), error.method()), (ErrorKind::Protocol, Some("prompts/get")));
    assert_eq!(log.count("tasks/get"), 0);
}

#[tokio::test(start_paused = true)]
async fn ex_02_a_server_without_the_extension_is_called_plainly() {
    let serve = |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => vec![ok(message, json!({"resultType": "complete", "content": []}))],
        _ => Vec::new(),
    };
    let peer = extension(serve).declaring(json!({"tools": {}}));
    let (client, log) = peer.connect_with(Client::builder().tasks(true)).await;
    client.call("slow").as_task().await.unwrap();
    assert!(!declares(&log.of("tools/call")[0]));
}

#[tokio::test(start_paused = true)]
async fn t_12_by_hand_a_call_has_three_outcomes() {
    let mut calls = 0;
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            calls += 1;
            let result = match calls {
                1 => json!({"resultType": "complete", "content": []}),
                2 => json!({"resultType": "input_required", "requestState": "s"}),
                _ => json!({"resultType": "task", "taskId": "t1", "status": "working", "ttlMs": null}),
            };
            vec![ok(message, result)]
        }
        "tasks/get" => vec![ok(message, completed())],
        _ => Vec::new(),
    };
    let (client, log) = extension(serve).connect().await;
    let call = || client.call("slow").as_task().by_hand();
    assert!(matches!(call().await.unwrap(), Outcome::Complete(_)));
    let Outcome::InputRequired(asks) = call().await.unwrap() else { panic!("it asks") };
    let Outcome::Task(mut task) = asks.send().await.unwrap() else { panic!("a task") };
    assert_eq!(task.result().await.unwrap().joined_text(), "done");
    assert!(log.of("tools/call").iter().all(declares));
}

#[tokio::test(start_paused = true)]
async fn tx_06_failed_is_an_error_and_completed_with_is_error_a_result() {
    let error = json!({"code": -32603, "message": "disc full", "data": {"disc": 7}});
    let failed = task("failed", json!({"resultType": "complete", "statusMessage": "no more discs", "error": error}));
    let (client, log) = extension(stepping([failed])).connect().await;
    let error = client.call("slow").as_task().await.unwrap_err();
    assert_eq!((error.kind(), error.method()), (ErrorKind::Server, Some("tools/call")));
    assert_eq!(error.server_error().unwrap().data.as_ref().unwrap().to_value(), json!({"disc": 7}));
    assert!(error.to_string().contains("disc full") && error.to_string().contains("no more discs"), "{error}");
    client.close().await.unwrap();
    assert_eq!(log.count("tasks/cancel"), 0);

    let result = json!({"content": [{"type": "text", "text": "full"}], "isError": true});
    let completed = task("completed", json!({"resultType": "complete", "result": result}));
    let (client, _) = extension(stepping([completed])).connect().await;
    let result = client.call("slow").as_task().await.unwrap();
    assert!(result.is_error() && result.joined_text() == "full");
}

#[tokio::test(start_paused = true)]
async fn c_07_a_call_that_is_dropped_has_its_task_cancelled_and_is_tracked_no_more() {
    let working = task("working", json!({"resultType": "complete", "pollIntervalMs": 1000}));
    let (client, log) = extension(stepping([working])).connect().await;
    let call = tokio::spawn(client.call("slow").as_task().into_future());
    log.wait_for("tasks/get", 2).await;
    call.abort();
    let cancel = log.wait_for("tasks/cancel", 1).await;
    assert!(declares(&cancel[0]) && cancel[0]["params"]["taskId"] == "t1");
    let looks = log.count("tasks/get");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(log.count("tasks/get"), looks);
    // What ends so is that the server tells of the task, and not the call.
    let listen = &log.of("subscriptions/listen")[0]["id"];
    assert!(log.of("notifications/cancelled").iter().all(|ended| ended["params"]["requestId"] == *listen));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_can_answer_ends_the_call_and_its_task() {
    let (client, log) = extension(stepping([question(&["k"])])).connect().await;
    let error = client.call("slow").as_task().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InputRefused);
    log.wait_for("tasks/cancel", 1).await;
    assert_eq!(log.count("tasks/update"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_answers_is_within_the_limit_of_the_task() {
    let builder = Client::builder()
        .on_elicitation(|_: ElicitRequestParams, _: RequestContext| std::future::pending::<Result<_, _>>());
    let (client, log) = extension(stepping([question(&["k"])])).connect_with(builder).await;
    let started = Instant::now();
    let error = client.call("slow").max_time(Duration::from_secs(700)).as_task().await.unwrap_err();
    assert!(error.is_timeout() && started.elapsed().as_secs() == 700, "{error}");
    log.wait_for("tasks/cancel", 1).await;
}
