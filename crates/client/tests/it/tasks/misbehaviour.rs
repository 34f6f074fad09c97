//! Servers that break the rules of tasks: each costs a bounded time, and ends in an error that says so.

use std::time::Duration;

use bowline_client::{Client, ErrorKind};
use bowline_protocol::TaskSupport;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::peer::*;

fn state(status: &str, members: Value) -> Value {
    let mut state = task(status, members);
    state["resultType"] = "complete".into();
    state
}

/// Calls `slow` as a task of 2026-07-28 that goes through states, which must fail.
async fn failing(states: impl IntoIterator<Item = Value>) -> (bowline_client::Error, Log) {
    let (client, log) = extension(stepping(states)).connect().await;
    let error = client.call("slow").as_task().await.unwrap_err();
    client.close().await.unwrap();
    (error, log)
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_ends_ends_with_the_limit() {
    for status in ["working", "paused", "", "COMPLETED", "input_required"] {
        let started = Instant::now();
        let (error, log) = failing([state(status, json!({}))]).await;
        assert_eq!((error.kind(), started.elapsed().as_secs()), (ErrorKind::Timeout, 3600), "{status}");
        // The waits grow to five seconds where the server names none.
        assert!(log.count("tasks/get") < 3600 / 5 + 10, "{} looks", log.count("tasks/get"));
        assert_eq!(log.count("tasks/cancel"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn intervals_of_nothing_less_than_nothing_and_centuries_are_bounded() {
    for (interval, most) in [(json!(0), 30), (json!(-1), 30), (json!("x"), 30), (json!(1), 1_210)] {
        let (client, log) =
            extension(stepping([state("working", json!({"pollIntervalMs": interval}))])).connect().await;
        let error = client.call("slow").max_time(Duration::from_secs(60)).as_task().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(log.count("tasks/get") < most, "{} looks at {interval}", log.count("tasks/get"));
    }
    let centuries = state("working", json!({"pollIntervalMs": u64::MAX, "ttlMs": u64::MAX}));
    let done = state("completed", json!({"result": text("done")}));
    let (client, _) = extension(stepping([centuries, done])).connect().await;
    let started = Instant::now();
    assert_eq!(client.call("slow").as_task().await.unwrap().joined_text(), "done");
    assert!(started.elapsed() < Duration::from_secs(601));
}

#[tokio::test(start_paused = true)]
async fn case_tasks_003_an_unknown_status_is_no_end_and_no_limit_is_none() {
    let states = [
        state("paused", json!({"ttlMs": null})),
        state("working", json!({"ttlMs": null})),
        state("completed", json!({"ttlMs": null, "result": text("done")})),
    ];
    let (client, _) = extension(stepping(states)).connect().await;
    assert_eq!(client.call("slow").as_task().await.unwrap().joined_text(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_vanishes_is_gone_at_once() {
    for (code, message) in
        [(-32602, "Task not found"), (-32602, "nope"), (-32603, "unknown task"), (-32000, "Task expired")]
    {
        let serve = move |message_in: &Value| match message_in["method"].as_str().unwrap_or_default() {
            "tools/call" => {
                vec![ok(message_in, json!({"resultType": "task", "taskId": "t1", "status": "working", "ttlMs": 1}))]
            }
            "tasks/get" => vec![refuse(message_in, code, message)],
            _ => Vec::new(),
        };
        let (client, log) = extension(serve).connect().await;
        let error = client.call("slow").as_task().await.unwrap_err();
        assert_eq!((error.kind(), error.code().unwrap().0), (ErrorKind::TaskGone, code), "{message}");
        assert!(error.to_string().contains("call the tool again"), "{error}");
        assert_eq!((log.count("tasks/get"), log.count("tasks/cancel")), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_begins_again_after_its_end_is_not_believed() {
    let mut looks = 0;
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => vec![ok(message, json!({"task": task("working", json!({"ttl": null}))}))],
        "tasks/get" => {
            looks += 1;
            vec![ok(message, task(if looks == 1 { "completed" } else { "working" }, json!({"ttl": null})))]
        }
        // It never comes.
        _ => Vec::new(),
    };
    let (client, _) = session(serve).connect().await;
    let error = client.call("slow").as_task().support(TaskSupport::Required).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("was completed and is working now"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_never_comes_is_not_waited_for_for_ever() {
    let mut states = States::new([task("completed", json!({"ttl": null}))]);
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => vec![ok(message, json!({"task": task("working", json!({"ttl": null}))}))],
        "tasks/get" => vec![ok(message, states.next())],
        _ => Vec::new(),
    };
    let (client, log) = session(serve).connect().await;
    let started = Instant::now();
    let error = client.call("slow").as_task().support(TaskSupport::Required).await.unwrap_err();
    assert_eq!((error.kind(), error.method()), (ErrorKind::Timeout, Some("tasks/result")));
    assert!(started.elapsed() < Duration::from_secs(400), "{:?}", started.elapsed());
    assert_eq!(log.count("tasks/result"), 5);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_given_up_and_told() {
    let serve = |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            vec![ok(message, json!({"resultType": "task", "taskId": "t1", "status": "working", "ttlMs": null}))]
        }
        _ => Vec::new(),
    };
    let (client, log) = extension(serve).connect().await;
    let started = Instant::now();
    let error = client.call("slow").as_task().await.unwrap_err();
    assert_eq!((error.kind(), error.method()), (ErrorKind::Timeout, Some("tasks/get")));
    assert_eq!(log.count("tasks/get"), 5);
    assert!(started.elapsed() < Duration::from_secs(320), "{:?}", started.elapsed());
    log.wait_for("tasks/cancel", 1).await;
}

#[tokio::test(start_paused = true)]
async fn results_of_the_wrong_shape_are_errors_that_say_what_came() {
    let broken = [
        (state("completed", json!({})), "gave no result"),
        (state("completed", json!({"result": {"content": 7}})), "content"),
        (state("completed", json!({"result": [1]})), "wrong shape"),
        (state("completed", json!({"result": {"resultType": "task", "taskId": "t2"}})), "another kind"),
        (state("failed", json!({"statusMessage": "bad luck"})), "bad luck"),
        (json!({"resultType": "complete", "status": "working"}), "taskId"),
        (json!({"resultType": "complete", "taskId": "t1", "status": 7}), "status"),
        (json!({"resultType": "complete", "taskId": "t2", "status": "working"}), "another"),
        (json!([]), "wrong shape"),
        (state("input_required", json!({"inputRequests": {"k": {"method": "elicitation/create"}}})), "inputRequests"),
    ];
    for (state, says) in broken {
        let (error, _) = failing([state.clone()]).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{state}: {error}");
        assert!(error.to_string().contains(says), "{state}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_read_or_named_is_an_error() {
    for created in [
        json!({"resultType": "task"}),
        json!({"resultType": "task", "taskId": "", "status": "working"}),
        json!({"resultType": "task", "taskId": 7, "status": "working"}),
    ] {
        let answer = created.clone();
        let serve = move |message: &Value| vec![ok(message, answer.clone())];
        let (client, log) = extension(serve).connect().await;
        let error = client.call("slow").as_task().await.unwrap_err();
        assert_eq!((error.kind(), error.method()), (ErrorKind::Protocol, Some("tools/call")), "{created}");
        assert_eq!(log.count("tasks/get"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn thousands_of_questions_reach_no_handler() {
    let ask = json!({"method": "roots/list"});
    let many: serde_json::Map<_, _> = (0..5_000).map(|n| (n.to_string(), ask.clone())).collect();
    let states = [state("input_required", json!({"inputRequests": many}))];
    let (client, log) = extension(stepping(states)).connect_with(Client::builder().roots(Vec::new())).await;
    let error = client.call("slow").as_task().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("5000 questions at once"), "{error}");
    log.wait_for("tasks/cancel", 1).await;
    assert_eq!(log.count("tasks/update"), 0);
}

#[tokio::test(start_paused = true)]
async fn questions_without_end_end() {
    let mut looks = 0;
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            vec![ok(message, json!({"resultType": "task", "taskId": "t1", "status": "working", "ttlMs": null}))]
        }
        "tasks/get" => {
            looks += 1;
            let requests: serde_json::Map<_, _> =
                (0..60).map(|n| (format!("{looks}-{n}"), json!({"method": "roots/list"}))).collect();
            vec![ok(message, state("input_required", json!({"pollIntervalMs": 50, "inputRequests": requests})))]
        }
        _ => vec![ok(message, json!({"resultType": "complete"}))],
    };
    let (client, log) = extension(serve).connect_with(Client::builder().roots(Vec::new())).await;
    let error = client.call("slow").as_task().await.unwrap_err();
    assert!(error.to_string().contains("questions in all"), "{error}");
    assert_eq!(log.count("tasks/update"), 16);
}

#[tokio::test(start_paused = true)]
async fn an_end_of_the_connection_is_the_end_of_the_wait() {
    let working = state("working", json!({"pollIntervalMs": 1000}));
    let (client, log) = extension(stepping([working])).connect().await;
    let call = tokio::spawn(client.call("slow").as_task().into_future());
    log.wait_for("tasks/get", 2).await;
    client.close().await.unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}
