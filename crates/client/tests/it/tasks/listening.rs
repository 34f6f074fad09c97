//! Tasks of which the server tells by itself (2026-07-28).

use std::time::Duration;

use bowline_client::{Client, Event, Started};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::peer::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A notification of a subscription.
fn told(listen: &Value, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({"io.modelcontextprotocol/subscriptionId": listen["id"]});
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// What a server says of a task in a subscription.
fn state(listen: &Value, state: Value) -> Value {
    told(listen, "notifications/tasks", state)
}

/// A server that is to be asked once an hour, and says `lines` when it is asked to tell. Looks show the task as done
/// from the second on.
fn telling(lines: impl Fn(&Value) -> Vec<Value> + Send + 'static) -> impl FnMut(&Value) -> Vec<Value> + Send + 'static {
    let mut looks = 0;
    move |message| match message["method"].as_str().unwrap_or_default() {
        "tools/call" => {
            let mut created = task("working", json!({"pollIntervalMs": 600_000, "ttlMs": null}));
            created["resultType"] = "task".into();
            vec![ok(message, created)]
        }
        "subscriptions/listen" => lines(message),
        "tasks/get" => {
            looks += 1;
            let state = match looks {
                1 => task("working", json!({"pollIntervalMs": 600_000})),
                _ => task("completed", json!({"result": text("looked")})),
            };
            vec![ok(message, state)]
        }
        "tasks/update" | "tasks/cancel" => vec![ok(message, json!({"resultType": "complete"}))],
        _ => Vec::new(),
    }
}

fn granted(listen: &Value) -> Value {
    let asked = json!({"notifications": listen["params"]["notifications"]});
    told(listen, "notifications/subscriptions/acknowledged", asked)
}

async fn call(client: &Client) -> String {
    client.call("slow").max_time(24 * HOUR).as_task().await.unwrap().joined_text()
}

#[tokio::test(start_paused = true)]
async fn tx_07_a_state_that_is_told_ends_the_wait_without_a_look() {
    let serve = telling(|listen| {
        vec![
            granted(listen),
            state(listen, json!({"taskId": "other", "status": "failed", "error": {"code": 1, "message": "m"}})),
            state(listen, task("working", json!({"statusMessage": "half"}))),
            state(listen, task("completed", json!({"result": text("told")}))),
        ]
    });
    let (client, log) = extension(serve).connect().await;
    let started = Instant::now();
    assert_eq!(call(&client).await, "told");
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(log.count("tasks/get"), 0);
    let listens = log.of("subscriptions/listen");
    assert_eq!(listens.len(), 1);
    assert_eq!(listens[0]["params"]["notifications"], json!({"taskIds": ["t1"]}));
    // It is over with the task.
    let ends = log.wait_for("notifications/cancelled", 1).await;
    assert_eq!(ends[0]["params"]["requestId"], listens[0]["id"]);
}

#[tokio::test(start_paused = true)]
async fn tx_07_what_is_told_in_part_leads_to_a_look() {
    let serve = telling(|listen| {
        // The first look comes of the first of these; the second shows what the task came to.
        vec![granted(listen), state(listen, task("completed", json!({})))]
    });
    let (client, log) = extension(serve).connect().await;
    let started = Instant::now();
    assert_eq!(call(&client).await, "looked");
    let looks = log.timed("tasks/get");
    assert_eq!(looks.len(), 2);
    assert!(looks[0].0 - started < Duration::from_secs(1));
    // Looking goes on at the server's interval while it is listened to.
    assert_eq!((looks[1].0 - looks[0].0).as_secs(), 600);
}

#[tokio::test(start_paused = true)]
async fn tx_07_a_question_that_is_told_is_answered_once() {
    let question = json!({"inputRequests": {"k": {"method": "elicitation/create", "params": {
        "mode": "form", "message": "?", "requestedSchema": {"type": "object", "properties": {}}}}}});
    let serve = telling(move |listen| vec![granted(listen), state(listen, task("input_required", question.clone()))]);
    let builder = Client::builder().on_elicitation(
        |_: bowline_protocol::ElicitRequestParams, _: bowline_client::RequestContext| async {
            Ok(bowline_protocol::ElicitResult::decline())
        },
    );
    let (client, log) = extension(serve).connect_with(builder).await;
    call(&client).await;
    assert_eq!(log.of("tasks/update")[0]["params"]["inputResponses"], json!({"k": {"action": "decline"}}));
    assert_eq!((log.count("tasks/update"), log.count("tasks/get")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn tx_07_a_server_without_subscriptions_is_asked_for_one_once_and_looked_at() {
    let serve = telling(|listen| vec![refuse(listen, -32601, "unknown method")]);
    let (client, log) = extension(serve).connect().await;
    let started = Instant::now();
    assert_eq!(call(&client).await, "looked");
    assert_eq!(started.elapsed().as_secs(), 1200);
    assert_eq!(call(&client).await, "looked");
    assert_eq!(log.count("subscriptions/listen"), 1);
}

#[tokio::test(start_paused = true)]
async fn tx_07_whoever_grants_nothing_or_says_nothing_or_ends_it_is_looked_at() {
    let nothing =
        |listen: &Value| told(listen, "notifications/subscriptions/acknowledged", json!({"notifications": {}}));
    let ways: [fn(&Value) -> Vec<Value>; 3] = [
        |_| Vec::new(),
        |listen| vec![granted(listen), ok(listen, json!({"resultType": "complete"}))],
        |listen| vec![granted(listen)],
    ];
    for lines in ways {
        let (client, log) = extension(telling(lines)).connect().await;
        assert_eq!(call(&client).await, "looked");
        assert_eq!((log.count("tasks/get"), log.count("subscriptions/listen")), (2, 1));
    }
    let (client, log) = extension(telling(move |listen| vec![nothing(listen)])).connect().await;
    assert_eq!(call(&client).await, "looked");
    assert_eq!((log.count("tasks/get"), log.count("subscriptions/listen")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn tx_07_a_task_that_is_looked_at_often_is_not_listened_to() {
    let done = task("completed", json!({"resultType": "complete", "result": text("done")}));
    let working = task("working", json!({"resultType": "complete", "pollIntervalMs": 999}));
    let (client, log) = extension(stepping([working.clone(), working, done])).connect().await;
    client.call("slow").as_task().await.unwrap();
    assert_eq!(log.count("subscriptions/listen"), 0);
}

#[tokio::test(start_paused = true)]
async fn tx_07_the_holder_of_a_handle_is_told_as_well_and_others_still_hear_of_it() {
    let serve =
        telling(|listen| vec![granted(listen), state(listen, task("completed", json!({"result": text("told")})))]);
    let (client, log) = extension(serve).connect().await;
    let mut events = client.events();
    let Started::Task(mut handle) = client.call("slow").as_task().start().await.unwrap() else { panic!("a task") };
    assert_eq!(log.count("subscriptions/listen"), 0, "nothing is asked unless somebody waits");
    handle.next_state().await.unwrap().unwrap();
    let state = handle.next_state().await.unwrap().unwrap();
    assert_eq!(state.result.unwrap().to_value(), text("told"));
    assert!(handle.next_state().await.is_none());
    let Some(Event::Notification { method, .. }) = events.next().await else { panic!("a notification") };
    assert_eq!(method, "notifications/tasks");
    assert_eq!(log.count("tasks/get"), 0);
    drop(handle);
    log.wait_for("notifications/cancelled", 1).await;
}

#[tokio::test(start_paused = true)]
async fn tx_07_a_flood_of_states_makes_no_flood_of_looks_and_few_tasks_are_listened_to_at_once() {
    let serve = telling(|listen| {
        let odd = state(listen, task("input_required", json!({})));
        std::iter::once(granted(listen)).chain(std::iter::repeat_n(odd, 2000)).collect()
    });
    let (client, log) = extension(serve).connect().await;
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { call(&client).await })
        })
        .collect();
    log.wait_for("tools/call", 40).await;
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(log.count("subscriptions/listen"), 16);
    assert!(log.count("tasks/get") <= 80, "{}", log.count("tasks/get"));
}
