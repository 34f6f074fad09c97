//! Tasks in their holder's hand.

use std::time::Duration;

use bowline_client::{Client, ErrorKind, Started, TaskHandle, TaskTicket};
use bowline_protocol::{ElicitResult, Revision, TaskStatus};
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::peer::*;

async fn start(client: &Client) -> TaskHandle {
    match client.call("slow").as_task().start().await.unwrap() {
        Started::Task(task) => task,
        other => panic!("a task, not {other:?}"),
    }
}

fn state(status: &str, members: Value) -> Value {
    let mut state = task(status, members);
    state["resultType"] = "complete".into();
    state
}

#[tokio::test(start_paused = true)]
async fn a_handle_tells_each_new_state_once_and_then_the_result() {
    let states = [
        state("working", json!({})),
        state("working", json!({"statusMessage": "half"})),
        state("working", json!({"statusMessage": "half"})),
        state("completed", json!({"result": text("done")})),
    ];
    let (client, log) = extension(stepping(states)).connect().await;
    let mut task = start(&client).await;
    assert_eq!((task.id(), task.last_seen().unwrap().status.clone()), ("t1", TaskStatus::Working));
    let seen: Vec<String> = task
        .states()
        .map(|state| {
            let task = state.unwrap().task;
            format!("{} {}", task.status, task.status_message.unwrap_or_default())
        })
        .collect()
        .await;
    assert_eq!(seen, ["working ", "working half", "completed "]);
    assert!(task.next_state().await.is_none());
    assert_eq!(task.result().await.unwrap().joined_text(), "done");
    assert_eq!(task.result().await.unwrap().joined_text(), "done");
    assert_eq!(log.count("tasks/cancel"), 0);
}

#[tokio::test(start_paused = true)]
async fn tx_05_a_holder_answers_by_hand_each_key_once() {
    let mut answered = false;
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => vec![ok(message, json!({"resultType": "task", "taskId": "t1", "status": "input_required"}))],
        "tasks/get" if answered => vec![ok(message, state("completed", json!({"result": text("done")})))],
        "tasks/get" => {
            let ask = json!({"method": "elicitation/create", "params": {"mode": "form", "message": "who?",
                "requestedSchema": {"type": "object", "properties": {}}}});
            vec![ok(message, state("input_required", json!({"inputRequests": {"k": ask}})))]
        }
        "tasks/update" => {
            answered = true;
            vec![ok(message, json!({"resultType": "complete"}))]
        }
        _ => Vec::new(),
    };
    let (client, log) = extension(serve).connect().await;
    let mut task = start(&client).await;
    while let Some(state) = task.next_state().await {
        for (key, _) in state.unwrap().input_requests.unwrap_or_default() {
            task.update(key, ElicitResult::decline()).await.unwrap();
        }
    }
    let error = task.update("k", ElicitResult::decline()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(task.result().await.unwrap().joined_text(), "done");
    assert_eq!(log.of("tasks/update")[0]["params"]["inputResponses"], json!({"k": {"action": "decline"}}));
    assert_eq!(log.count("tasks/update"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_dropped_leaves_its_task_and_one_that_cancels_ends_it() {
    let states = || [state("working", json!({"pollIntervalMs": 1000}))];
    let (client, log) = extension(stepping(states())).connect().await;
    let mut task = start(&client).await;
    assert!(tokio::time::timeout(Duration::from_secs(5), task.result()).await.is_err());
    drop(task);
    client.close().await.unwrap();
    assert_eq!(log.count("tasks/cancel"), 0);

    let (client, log) = extension(stepping(states())).connect().await;
    start(&client).await.cancel().await.unwrap();
    assert_eq!(log.of("tasks/cancel")[0]["params"]["taskId"], "t1");
}

#[tokio::test(start_paused = true)]
async fn tx_03_another_client_takes_a_task_up_from_what_was_written_down() {
    let completed = || [state("completed", json!({"result": text("done")}))];
    let (client, _) = extension(stepping([state("working", json!({}))])).connect().await;
    let ticket = start(&client).await.ticket();
    let written = serde_json::to_string(&ticket).unwrap();
    assert_eq!(written, r#"{"taskId":"t1","method":"tools/call","name":"slow","revision":"2026-07-28"}"#);
    client.close().await.unwrap();

    let (client, log) = extension(stepping(completed())).connect().await;
    let ticket: TaskTicket = serde_json::from_str(&written).unwrap();
    let mut task = client.resume_task(ticket).unwrap();
    assert!(task.last_seen().is_none());
    assert_eq!(log.count("tasks/get"), 0);
    assert_eq!(task.result().await.unwrap().joined_text(), "done");
    assert_eq!(log.count("tools/call"), 0);

    let (client, _) = session(stepping_session([task_of_session()], text("done"))).connect().await;
    let mut task = client.resume_task(TaskTicket::new("t1", "slow", Revision::V2025_11_25)).unwrap();
    assert_eq!(task.next_state().await.unwrap().unwrap().task.status, TaskStatus::Completed);
    assert!(task.next_state().await.is_none());
    assert_eq!(task.result().await.unwrap().joined_text(), "done");
}

fn task_of_session() -> Value {
    task("completed", json!({"ttl": null}))
}

#[tokio::test(start_paused = true)]
async fn a_ticket_of_another_revision_or_for_nothing_is_refused_before_anything_is_sent() {
    let (client, log) = extension(stepping([state("working", json!({}))])).connect().await;
    let error = client.resume_task(TaskTicket::new("t1", "slow", Revision::V2025_11_25)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("2025-11-25"), "{error}");
    let error = client.resume_task(TaskTicket::new("", "slow", Revision::V2026_07_28)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(log.count("tasks/get"), 0);

    let peer = extension(stepping([state("working", json!({}))])).declaring(json!({"tools": {}}));
    let (client, _) = peer.connect().await;
    let error = client.resume_task(TaskTicket::new("t1", "slow", Revision::V2026_07_28)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test(start_paused = true)]
async fn tk_08_a_task_that_was_forgotten_is_gone() {
    let serve = |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tasks/get" => vec![refuse(message, -32602, "Failed to retrieve task: Task not found")],
        "tasks/cancel" => vec![refuse(message, -32600, "unknown task")],
        _ => Vec::new(),
    };
    let (client, _) = extension(serve).connect().await;
    let mut task = client.resume_task(TaskTicket::new("t1", "slow", Revision::V2026_07_28)).unwrap();
    assert_eq!(task.status().await.unwrap_err().kind(), ErrorKind::TaskGone);
    assert_eq!(task.result().await.unwrap_err().kind(), ErrorKind::TaskGone);
    assert_eq!(task.cancel().await.unwrap_err().kind(), ErrorKind::TaskGone);
    assert_eq!(task.next_state().await.unwrap().unwrap_err().kind(), ErrorKind::TaskGone);
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_of_a_task_is_too_little_to_ask_for_it() {
    let id = "786512e2-9e0d-44bd-8f29-789f320fe840";
    let (client, _) = extension(stepping([state("working", json!({}))])).connect().await;
    let ticket = TaskTicket::new(id, "slow", Revision::V2026_07_28);
    let shown = format!("{ticket:?} {:?}", client.resume_task(ticket.clone()).unwrap());
    assert!(shown.contains("786512e2") && !shown.contains("9e0d"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn what_a_server_suggests_to_tell_a_model_is_there() {
    let serve = |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/list" => vec![ok(message, tools("required"))],
        "tools/call" => vec![ok(
            message,
            json!({"task": task("working", json!({"ttl": null})),
            "_meta": {"io.modelcontextprotocol/model-immediate-response": "It is cooking."}}),
        )],
        _ => Vec::new(),
    };
    let (client, _) = session(serve).connect().await;
    assert_eq!(start(&client).await.immediate_response(), Some("It is cooking."));
}

#[tokio::test(start_paused = true)]
async fn a_handle_goes_between_threads_and_so_does_what_it_waits_for() {
    const fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    fn sent<F: Future + Send + 'static>(future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F::Output: Send,
    {
        tokio::spawn(future)
    }
    let states = [state("working", json!({})), state("completed", json!({"result": text("done")}))];
    let (client, log) = extension(stepping(states)).connect().await;
    // Callbacks that are `Send` alone.
    let mut count = std::cell::Cell::new(0);
    let call = client.call("slow").as_task().on_status(move |_| *count.get_mut() += 1);
    let Started::Task(task) = sent(call.start()).await.unwrap().unwrap() else { panic!("a task") };
    let task = std::sync::Arc::new(shared(task));
    let held = std::sync::Arc::clone(&task);
    sent(async move { held.cancel().await }).await.unwrap().unwrap();
    let mut task = std::sync::Arc::into_inner(task).unwrap();
    let done = sent(async move {
        task.status().await?;
        while let Some(state) = task.states().next().await {
            state?;
        }
        task.result().await
    });
    assert_eq!(done.await.unwrap().unwrap().joined_text(), "done");
    assert_eq!(log.count("tasks/cancel"), 1);
}
