//! Tasks of 2025-11-25.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Client, ErrorKind, RequestContext, Timeouts};
use bowline_protocol::{ElicitRequestParams, ElicitResult, TaskSupport};
use bowline_transport::Sent;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::peer::*;

#[tokio::test(start_paused = true)]
async fn t_11_a_task_is_asked_for_where_server_and_tool_allow_it_and_never_else() {
    // Whether the server has tasks, what the tool says, whether the caller wants one: whether one is asked for.
    let matrix = [
        (true, Some("required"), true, true),
        (true, Some("required"), false, true),
        (true, Some("optional"), true, true),
        (true, Some("optional"), false, false),
        (true, Some("forbidden"), true, false),
        (true, Some("some_day"), true, false),
        (true, None, true, false),
        (false, Some("required"), true, false),
        (false, Some("required"), false, false),
        (false, Some("optional"), true, false),
    ];
    for (server_has, says, wants, asks) in matrix {
        let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
            "tools/list" => {
                let mut tool = json!({"name": "slow", "inputSchema": {"type": "object"}});
                if let Some(says) = says {
                    tool["execution"] = json!({"taskSupport": says});
                }
                vec![ok(message, json!({"tools": [tool]}))]
            }
            "tools/call" if message["params"].get("task").is_some() => {
                vec![ok(message, json!({"task": task("completed", json!({"ttl": null}))}))]
            }
            "tools/call" | "tasks/result" => vec![ok(message, text("done"))],
            _ => Vec::new(),
        };
        let capabilities = if server_has { session_capabilities() } else { json!({"tools": {}, "tasks": {}}) };
        let (client, log) = session(serve).declaring(capabilities).connect().await;
        client.tools().all().await.unwrap();
        let result =
            if wants { client.call("slow").as_task().await.unwrap() } else { client.call("slow").await.unwrap() };
        assert_eq!(result.joined_text(), "done");
        let asked = log.of("tools/call")[0]["params"].get("task").is_some();
        assert_eq!(asked, asks, "server {server_has}, tool {says:?}, caller {wants}");
        assert_eq!(log.count("tasks/result"), usize::from(asks));
    }
}

#[tokio::test(start_paused = true)]
async fn t_11_a_tool_that_was_not_listed_is_looked_for_unless_the_caller_knows() {
    let states = || [task("completed", json!({"ttl": null}))];
    let (client, log) = session(stepping_session(states(), text("done"))).connect().await;
    assert_eq!(client.call("slow").as_task().await.unwrap().joined_text(), "done");
    assert_eq!(log.count("tools/list"), 1);
    client.call("slow").as_task().await.unwrap();
    assert_eq!(log.count("tools/list"), 1);

    let (client, log) = session(stepping_session(states(), text("done"))).connect().await;
    let ttl = Duration::from_secs(90);
    client.call("slow").arg("n", 1).as_task().support(TaskSupport::Optional).ttl(ttl).await.unwrap();
    assert_eq!(log.count("tools/list"), 0);
    let params = &log.of("tools/call")[0]["params"];
    assert_eq!((&params["task"], &params["arguments"]), (&json!({"ttl": 90_000}), &json!({"n": 1})));
}

#[tokio::test(start_paused = true)]
async fn tk_02_and_tk_04_looks_follow_the_interval_as_it_changes_and_need_no_notification() {
    let states = [
        task("working", json!({"ttl": null, "pollInterval": 1000})),
        task("working", json!({"ttl": null, "pollInterval": 3000})),
        task("completed", json!({"ttl": null})),
    ];
    let (client, log) = session(stepping_session(states, text("done"))).connect().await;
    assert_eq!(client.call("slow").as_task().await.unwrap().joined_text(), "done");
    let looks: Vec<Instant> = log.timed("tasks/get").into_iter().map(|(at, _)| at).collect();
    let created = log.timed("tools/call")[0].0;
    let waits: Vec<u128> = [created].iter().chain(&looks).zip(&looks).map(|(a, b)| (*b - *a).as_millis()).collect();
    for (wait, interval) in waits.iter().zip([50, 1000, 3000]) {
        assert!((interval..interval + 100).contains(wait), "{waits:?}");
    }
    assert_eq!(waits.len(), 3);
    for get in log.of("tasks/get") {
        // TK-05: not in these requests.
        assert!(get["params"].get("_meta").is_none(), "{get}");
    }
}

#[tokio::test(start_paused = true)]
async fn tk_04_a_notification_of_a_change_may_save_a_wait() {
    let mut looks = 0;
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            vec![ok(message, json!({"task": task("working", json!({"ttl": null, "pollInterval": 300_000}))}))]
        }
        "ping" => vec![
            ok(message, json!({})),
            json!({"jsonrpc": "2.0", "method": "notifications/tasks/status",
                "params": task("completed", json!({"ttl": null}))}),
        ],
        "tasks/get" => {
            looks += 1;
            vec![ok(message, task("completed", json!({"ttl": null})))]
        }
        "tasks/result" => vec![ok(message, text(&format!("after {looks}")))],
        _ => Vec::new(),
    };
    let (client, _log) = session(serve).connect().await;
    let started = Instant::now();
    let (seen, mut states) = mpsc::channel(9);
    let call = client.call("slow").as_task().support(TaskSupport::Required);
    let call = tokio::spawn(call.on_status(move |task| seen.try_send(task.status.clone()).unwrap()).into_future());
    states.recv().await.unwrap();
    tokio::task::yield_now().await;
    client.ping().await.unwrap();
    assert_eq!(call.await.unwrap().unwrap().joined_text(), "after 1");
    assert!(started.elapsed() < Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn tk_04_a_flood_of_notifications_makes_no_flood_of_looks() {
    let mut looks = 0;
    let flood: Vec<Value> = (0..200)
        .map(
            |_| json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("working", json!({}))}),
        )
        .collect();
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => vec![ok(message, json!({"task": task("working", json!({"ttl": null}))}))],
        "tasks/get" => {
            looks += 1;
            let status = if looks == 20 { "completed" } else { "working" };
            let mut messages = flood.clone();
            messages.push(ok(message, task(status, json!({"ttl": null, "pollInterval": 60_000}))));
            messages
        }
        "tasks/result" => vec![ok(message, text("done"))],
        _ => Vec::new(),
    };
    let (client, log) = session(serve).connect().await;
    client.call("slow").as_task().support(TaskSupport::Required).await.unwrap();
    let looks = log.timed("tasks/get");
    for pair in looks.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= Duration::from_millis(50));
    }
}

/// A server that asks for input while `tasks/result` waits.
fn asking() -> impl FnMut(&Value) -> Vec<Value> + Send + 'static {
    let mut waiting = Value::Null;
    let mut looks = States::new([
        task("working", json!({"ttl": null, "pollInterval": 100})),
        task("input_required", json!({"ttl": null})),
    ]);
    move |message| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            vec![ok(message, json!({"task": task("working", json!({"ttl": null, "pollInterval": 100}))}))]
        }
        "tasks/get" => vec![ok(message, looks.next())],
        "tasks/result" => {
            waiting = message["id"].clone();
            vec![json!({"jsonrpc": "2.0", "id": "ask", "method": "elicitation/create", "params": {
                "message": "who?",
                "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
                "_meta": {"io.modelcontextprotocol/related-task": {"taskId": "t1"}},
            }})]
        }
        "" if message["id"] == "ask" => {
            let name = message["result"]["content"]["name"].as_str().unwrap_or("nobody").to_owned();
            vec![ok(&json!({"id": waiting}), text(&format!("hello {name}")))]
        }
        _ => Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn case_tasks_001_and_tk_03_input_required_fetches_the_result_and_serves_what_comes() {
    let builder = Client::builder().on_elicitation(|_: ElicitRequestParams, _: RequestContext| async {
        Ok(ElicitResult::accept([("name", "Ada".into())]))
    });
    let (client, log) = session(asking()).connect_with(builder).await;
    let result = client.call("slow").as_task().support(TaskSupport::Required).await.unwrap();
    assert_eq!(result.joined_text(), "hello Ada");
    assert_eq!((log.count("tasks/get"), log.count("tasks/result")), (2, 1));
    // TK-05: the answer says which task it belongs to.
    let answer = log.answer_to("ask").await;
    assert_eq!(answer["result"]["_meta"]["io.modelcontextprotocol/related-task"], json!({"taskId": "t1"}));
}

#[tokio::test(start_paused = true)]
async fn tk_03_a_person_may_take_longer_than_a_server_may_be_silent() {
    let builder = Client::builder().on_elicitation(|_: ElicitRequestParams, _: RequestContext| async {
        tokio::time::sleep(Duration::from_secs(900)).await;
        Ok(ElicitResult::accept([("name", "Ada".into())]))
    });
    let (client, log) = session(asking()).connect_with(builder).await;
    let result = client.call("slow").as_task().support(TaskSupport::Required).await;
    assert_eq!(result.unwrap().joined_text(), "hello Ada");
    assert_eq!(log.count("notifications/cancelled"), 0);
}

#[tokio::test(start_paused = true)]
async fn tk_03_a_result_that_is_long_in_coming_is_asked_for_again_after_a_look() {
    let mut fetched = 0;
    let mut states = States::new(
        ["input_required", "working", "working", "completed"]
            .map(|s| task(s, json!({"ttl": null, "pollInterval": 1000}))),
    );
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => vec![ok(message, json!({"task": task("working", json!({"ttl": null}))}))],
        "tasks/get" => vec![ok(message, states.next())],
        "tasks/result" => {
            fetched += 1;
            if fetched == 1 { Vec::new() } else { vec![ok(message, text("done"))] }
        }
        _ => Vec::new(),
    };
    let (client, log) = session(serve).connect().await;
    let result = client.call("slow").as_task().support(TaskSupport::Required).await.unwrap();
    assert_eq!(result.joined_text(), "done");
    assert_eq!(log.count("tasks/cancel"), 0);
}

#[tokio::test(start_paused = true)]
async fn tk_06_and_tx_06_a_failed_task_is_what_its_call_would_have_been() {
    let failed = || [task("failed", json!({"ttl": null, "statusMessage": "no more discs"}))];
    // A tool that failed is a result; in this revision the task has failed as well.
    let result = json!({"content": [{"type": "text", "text": "full"}], "isError": true});
    let (client, _) = session(stepping_session(failed(), result)).connect().await;
    let result = client.call("slow").as_task().await.unwrap();
    assert!(result.is_error() && result.joined_text() == "full");

    let error = json!({"code": -32603, "message": "disc full"});
    let (client, log) = session(stepping_session(failed(), error)).connect().await;
    let error = client.call("slow").as_task().await.unwrap_err();
    assert_eq!((error.kind(), error.code().unwrap().0, error.sent()), (ErrorKind::Server, -32603, Sent::Yes));
    assert_eq!(error.method(), Some("tools/call"));
    assert!(error.to_string().contains("disc full") && error.to_string().contains("no more discs"), "{error}");
    client.close().await.unwrap();
    assert_eq!(log.count("tasks/cancel"), 0);
}

#[tokio::test(start_paused = true)]
async fn case_tasks_003_and_tk_08_cancelled_and_gone_are_told_apart() {
    let cancelled = [task("cancelled", json!({"ttl": null, "statusMessage": "by the operator"}))];
    let (client, log) = session(stepping_session(cancelled, text("never"))).connect().await;
    let error = client.call("slow").as_task().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskCancelled);
    assert!(error.to_string().contains("by the operator"), "{error}");
    assert_eq!(log.count("tasks/result"), 0);

    let completed = [task("completed", json!({"ttl": 1}))];
    let gone = json!({"code": -32602, "message": "Failed to retrieve task: Task has expired"});
    let (client, log) = session(stepping_session(completed, gone)).connect().await;
    let error = client.call("slow").as_task().await.unwrap_err();
    assert_eq!((error.kind(), error.code().unwrap().0), (ErrorKind::TaskGone, -32602));
    assert!(error.to_string().contains("the task is gone") && error.to_string().contains("expired"), "{error}");
    client.close().await.unwrap();
    assert_eq!(log.count("tasks/cancel"), 0);
}

#[tokio::test(start_paused = true)]
async fn p_06_progress_under_the_token_of_the_call_is_told_until_the_task_ends() {
    let mut looks = 0;
    let mut token = Value::Null;
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            token = message["params"]["_meta"]["progressToken"].clone();
            vec![
                progress(&token, 1),
                ok(message, json!({"task": task("working", json!({"ttl": null, "pollInterval": 100}))})),
                progress(&token, 2),
            ]
        }
        "tasks/get" => {
            looks += 1;
            let status = if looks == 3 { "completed" } else { "working" };
            vec![progress(&token, 2 + looks), ok(message, task(status, json!({"ttl": null, "pollInterval": 100})))]
        }
        "tasks/result" => vec![ok(message, text("done"))],
        "ping" => vec![progress(&token, 99), ok(message, json!({}))],
        _ => Vec::new(),
    };
    let (client, _) = session(serve).connect().await;
    let seen: Arc<Mutex<Vec<f64>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let call = client.call("slow").on_progress(move |p| keep.lock().unwrap().push(p.progress));
    call.as_task().support(TaskSupport::Optional).await.unwrap();
    // The last one comes with the last look; it may be on its way still.
    let told = seen.lock().unwrap().clone();
    assert!(told.starts_with(&[1.0, 2.0, 3.0, 4.0]), "{told:?}");
    client.ping().await.unwrap();
    client.ping().await.unwrap();
    assert!(!seen.lock().unwrap().contains(&99.0));
}

#[tokio::test(start_paused = true)]
async fn c_07_a_call_that_is_dropped_has_its_task_cancelled() {
    let states = [task("working", json!({"ttl": null, "pollInterval": 1000}))];
    let (client, log) = session(stepping_session(states, text("never"))).connect().await;
    let call = tokio::spawn(client.call("slow").as_task().into_future());
    log.wait_for("tasks/get", 2).await;
    call.abort();
    assert_eq!(log.wait_for("tasks/cancel", 1).await[0]["params"]["taskId"], "t1");
    client.close().await.unwrap();
    assert_eq!((log.count("tasks/cancel"), log.count("notifications/cancelled")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn c_07_a_call_that_is_dropped_before_it_is_a_task_has_that_cancelled_too() {
    let mut asked = Value::Null;
    let serve = move |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            asked = message.clone();
            Vec::new()
        }
        "ping" => {
            vec![ok(message, json!({})), ok(&asked, json!({"task": task("working", json!({"ttl": null}))}))]
        }
        "tasks/cancel" => vec![ok(message, task("cancelled", json!({})))],
        _ => Vec::new(),
    };
    let (client, log) = session(serve).connect().await;
    let call = tokio::spawn(client.call("slow").as_task().support(TaskSupport::Required).into_future());
    log.wait_for("tools/call", 1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    client.ping().await.unwrap();
    assert_eq!(log.wait_for("tasks/cancel", 1).await[0]["params"]["taskId"], "t1");
    assert_eq!(log.count("notifications/cancelled"), 0);
}

#[tokio::test(start_paused = true)]
async fn c_07_a_close_tells_the_server_of_tasks_that_were_dropped_just_before() {
    let states = [task("working", json!({"ttl": null, "pollInterval": 1000}))];
    let (client, log) = session(stepping_session(states, text("never"))).connect().await;
    {
        let call = client.call("slow").as_task().into_future();
        tokio::select! {
            _ = call => panic!("it never ends"),
            _ = log.wait_for("tasks/get", 1) => {}
        }
    }
    client.close().await.unwrap();
    assert_eq!(log.count("tasks/cancel"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_has_one_limit_and_is_cancelled_when_it_has_passed() {
    let states = || [task("working", json!({"ttl": null, "pollInterval": 60_000}))];
    let (client, log) = session(stepping_session(states(), text("never"))).connect().await;
    let started = Instant::now();
    let error = client.call("slow").as_task().await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::Yes));
    assert!(error.to_string().contains("the task did not end within 3600s"), "{error}");
    assert_eq!(started.elapsed().as_secs(), Timeouts::default().task.as_secs());
    log.wait_for("tasks/cancel", 1).await;

    let (client, log) = session(stepping_session(states(), text("never"))).connect().await;
    let started = Instant::now();
    let error = client.call("slow").max_time(Duration::from_secs(90)).as_task().await.unwrap_err();
    assert!(error.is_timeout() && started.elapsed().as_secs() == 90, "{error}");
    log.wait_for("tasks/cancel", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_may_answer_plainly_all_the_same() {
    let serve = |message: &Value| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => vec![ok(message, text("at once"))],
        _ => Vec::new(),
    };
    let (client, log) = session(serve).connect().await;
    let result = client.call("slow").as_task().support(TaskSupport::Required).await.unwrap();
    assert_eq!(result.joined_text(), "at once");
    assert_eq!(log.count("tasks/get"), 0);
}
