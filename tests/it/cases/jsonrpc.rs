//! Messages that are late, odd, or not asked for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::{ErrorCode, TextContent};
use bowline::transport::{Fault, Limits};
use bowline_testkit::{MockServer, Script};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::support::{
    Flag, LONG, ScriptExt, answers, connect, connect_with, faults, ping_times, received, rest, server, text, watched,
    with_handshake, within,
};

// Duty: C-03
#[tokio::test]
async fn case_jsonrpc_001() {
    let script = server()
        .pings(1)
        .expect("tools/call")
        .expect("notifications/cancelled")
        .send(r#"{"jsonrpc":"2.0","id":3,"error":{"code":0,"message":"Request cancelled"}}"#)
        .pings(1);
    let (client, journal) = connect(script).await;
    let mut events = client.events();
    ping_times(&client, 1).await;
    tokio::select! {
        result = client.call("slow") => panic!("it is not answered: {result:?}"),
        call = within(journal.wait_for_method("tools/call")) => assert_eq!(call.id(), Some(&3.into())),
    }
    within(client.ping()).await.unwrap();
    assert!(!client.is_closed());
    within(client.close()).await.unwrap();
    assert!(rest(&mut events).await.is_empty(), "a late answer is no event");
}

// Duty: L-10, L-24, C-02
#[tokio::test(start_paused = true)]
async fn case_jsonrpc_002() {
    for by_timeout in [true, false] {
        // One exchange at a time: a pending entry that leaks would block the ping.
        let (connector, journal) =
            server().pings(2).expect("tools/call").expect("notifications/cancelled").pings(1).connector();
        let connector = connector.with_limits(Limits::default().with_max_open_exchanges(1));
        let client = with_handshake().connect(connector).await.unwrap();
        ping_times(&client, 2).await;
        let call = client.call("slow").idle_timeout(Duration::from_millis(200));
        if by_timeout {
            let error = call.await.unwrap_err();
            assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::Maybe));
        } else {
            tokio::select! {
                biased;
                result = call => panic!("it is not answered: {result:?}"),
                _ = journal.wait_for_method("tools/call") => {}
            }
        }
        ping_times(&client, 1).await;
        let told = received(&journal, "notifications/cancelled");
        let [told] = told.as_slice() else { panic!("once, not {told:?}") };
        assert_eq!(told["params"]["requestId"], 4);
        assert!(told["params"]["reason"].is_string());
    }

    for by_timeout in [true, false] {
        let (connector, journal) = Script::new().expect("initialize").hang().connector();
        let timeouts = Timeouts::default().with_connect(Duration::from_millis(200));
        let connect = with_handshake().timeouts(timeouts).connect(connector);
        if by_timeout {
            assert_eq!(connect.await.unwrap_err().kind(), ErrorKind::Timeout);
        } else {
            tokio::select! {
                biased;
                result = connect => panic!("it is not answered: {result:?}"),
                _ = journal.wait_for_method("initialize") => {}
            }
        }
        journal.wait_ended().await;
        assert_eq!(journal.methods(), ["initialize"]);
    }
}

// Duty: C-04
#[tokio::test(start_paused = true)]
async fn case_jsonrpc_003() {
    let script = server()
        .pings(7)
        .expect("tools/call")
        .send(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9,"reason":"shutting down"}}"#,
        )
        .pings(1);
    let (connector, journal) = script.connector();
    let connector = connector.with_limits(Limits::default().with_max_open_exchanges(1));
    let client = with_handshake().connect(connector).await.unwrap();
    let mut events = client.events();
    ping_times(&client, 7).await;
    // The notification goes to the application; the call ends with its deadline (see `Event::Cancelled`).
    let error = client.call("slow").idle_timeout(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let Some(Event::Cancelled(cancelled)) = events.next().await else { panic!("the cancellation") };
    assert_eq!(cancelled.request_id, Some(9.into()));
    assert_eq!(cancelled.reason.as_deref(), Some("shutting down"));
    // With one exchange at a time, a pending entry that leaks would block this.
    ping_times(&client, 1).await;
    assert!(answers(&journal).is_empty());
}

// Duty: C-04
#[tokio::test(start_paused = true)]
async fn case_jsonrpc_005() {
    let sampling = json!({
        "jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage",
        "params": { "messages": [{ "role": "user", "content": { "type": "text", "text": "?" } }], "maxTokens": 9 },
    });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } });
    let script = server()
        .message(sampling)
        .expect("notifications/running")
        .message(cancel)
        .sleep(1000)
        .message(json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" }))
        .expect_answer(json!("p"))
        .send("seen");
    let (started, running) = oneshot::channel();
    let started = Arc::new(Mutex::new(Some(started)));
    let (dropped, finished) = (Flag::default(), Flag::default());
    let builder = Client::builder().on_sampling({
        let (dropped, finished) = (dropped.clone(), finished.clone());
        move |_: CreateMessageRequestParams, _: RequestContext| {
            let (guard, finished, started) = (dropped.on_drop(), finished.clone(), started.lock().unwrap().take());
            async move {
                let _guard = guard;
                started.unwrap().send(()).unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                finished.set();
                Ok(CreateMessageResult::new("m", TextContent::new("late")))
            }
        }
    });
    let (client, journal) = connect_with(builder, script).await;
    running.await.unwrap();
    client.notify("notifications/running", ()).await.unwrap();
    within(journal.wait_for(|line| line.is_answer())).await;
    assert!(dropped.is_set() && !finished.is_set(), "the handler was told to stop");
    assert_eq!(answers(&journal), [json!({ "jsonrpc": "2.0", "id": "p", "result": {} })]);
}

// Duty: P-02
#[tokio::test]
async fn case_jsonrpc_007() {
    let script = server()
        .pings(2)
        .expect("tools/call")
        .send(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"tool-call-4","progress":0,"total":1}}"#)
        .reply(text("done"));
    let (client, journal) = connect(script).await;
    let mut events = client.events();
    ping_times(&client, 2).await;
    let seen = Flag::default();
    let call = client.call("work").on_progress({
        let seen = seen.clone();
        move |_| seen.set()
    });
    assert_eq!(within(call).await.unwrap().joined_text(), "done");
    assert!(!seen.is_set(), "it is not this call's progress");
    assert_eq!(received(&journal, "tools/call")[0]["params"]["_meta"]["progressToken"], 4);
    assert!(!client.is_closed());
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    assert!(matches!(events.as_slice(), [Event::StrayProgress(_)]), "{events:?}");
}

// Duty: P-01, P-03
#[tokio::test]
async fn case_jsonrpc_008() {
    let progress = |token: Value, progress: f64| {
        json!({
            "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": token, "progress": progress },
        })
    };
    let script = server()
        .expect("tools/call")
        .expect("tools/call")
        .message(progress(json!("job-α"), 0.5))
        .message(progress(json!(3), 0.5))
        .message(progress(json!(3), 1.0))
        .message(progress(json!("job-α"), 1.0))
        .message(json!({ "jsonrpc": "2.0", "id": 3, "result": text("three") }))
        .message(json!({ "jsonrpc": "2.0", "id": 2, "result": text("two") }));
    let (client, journal) = connect(script).await;
    let seen = [Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new()))];
    let watch = |at: usize| {
        let seen = Arc::clone(&seen[at]);
        move |progress: bowline::protocol::ProgressNotificationParams| {
            seen.lock().unwrap().push((progress.progress_token, progress.progress));
        }
    };
    let own = client.call("a").progress_token("job-α").on_progress(watch(0)).into_future();
    let chosen = client.call("b").on_progress(watch(1)).into_future();
    let (own, chosen) = within(async { tokio::join!(own, chosen) }).await;
    assert_eq!((own.unwrap().joined_text(), chosen.unwrap().joined_text()), ("two".into(), "three".into()));
    assert_eq!(*seen[0].lock().unwrap(), [("job-α".into(), 0.5), ("job-α".into(), 1.0)]);
    assert_eq!(*seen[1].lock().unwrap(), [(3.into(), 0.5), (3.into(), 1.0)]);
    let calls = received(&journal, "tools/call");
    assert_eq!(calls[0]["params"]["_meta"]["progressToken"], "job-α");
    assert_eq!(calls[1]["params"]["_meta"]["progressToken"], 3);
}

// Duty: L-25
#[tokio::test(start_paused = true)]
async fn case_jsonrpc_009() {
    let script = (1..=8).fold(server().expect("tools/call"), |script, n| {
        script.sleep(150).message(json!({
            "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": 2, "progress": n },
        }))
    });
    let (client, journal) = connect(script.clone().reply(text("done"))).await;
    let call = client.call("long").idle_timeout(Duration::from_millis(300));
    assert_eq!(call.await.unwrap().joined_text(), "done");
    assert_eq!(received(&journal, "tools/call")[0]["params"]["_meta"]["progressToken"], 2);

    let (client, _) = connect(script.reply(text("done"))).await;
    let started = Instant::now();
    let call = client.call("long").idle_timeout(Duration::from_millis(300)).max_time(Duration::from_millis(600));
    assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Timeout);
    let elapsed = started.elapsed().as_millis();
    assert!((600..=610).contains(&elapsed), "after {elapsed} ms");
}

// Duty: J-06
#[tokio::test]
async fn case_jsonrpc_011() {
    // This client begins with id 1, for `initialize`; the case's ids 0 and 1 are 2 and 3 here. It has no string ids
    // of its own; that `"5"` is never taken for another request's 5 beside them is tested with the mux.
    let script = server()
        .expect("ping")
        .send(r#"{"jsonrpc":"2.0","id":"2","result":{}}"#)
        .expect("ping")
        .send(r#"{"jsonrpc":"2.0","id":"3","error":{"code":-32000,"message":"x"}}"#);
    let (client, journal) = connect(script).await;
    let mut events = client.events();
    within(client.ping()).await.unwrap();
    let error = within(client.ping()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(ErrorCode(-32000))));
    assert_eq!(received(&journal, "ping").iter().map(|ping| ping["id"].clone()).collect::<Vec<_>>(), [2, 3]);
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    assert!(matches!(faults(&events)[..], [Fault::IdEchoedAsString { .. }, Fault::IdEchoedAsString { .. }]));
}

// Duty: K-01
#[tokio::test]
async fn case_jsonrpc_013() {
    let script = Script::new()
        .expect("initialize")
        .reply(json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "s", "version": "1" } }))
        .send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"debug","data":{"a":1}}}"#)
        .expect("notifications/initialized")
        .pings(1);
    let (client, _) = connect(script.clone()).await;
    ping_times(&client, 1).await;

    // One with a log handler gets the message.
    let (builder, mut events) = watched(Client::builder());
    let (client, _) = connect_with(builder, script).await;
    ping_times(&client, 1).await;
    assert!(matches!(within(events.recv()).await, Some(Event::Log(_))));
}

// Duty: J-13
#[tokio::test]
async fn case_jsonrpc_015() {
    let script = server()
        .pings(2)
        .expect("tools/call")
        .send(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#)
        .reply(text("done"));
    let (client, _) = connect(script).await;
    let mut events = client.events();
    ping_times(&client, 2).await;
    assert_eq!(within(client.call("work")).await.unwrap().joined_text(), "done");
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let [Fault::ErrorWithoutId { error }] = faults(&events)[..] else { panic!("one fault, not {events:?}") };
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::PARSE_ERROR, "Parse error"));
}

// Duty: S-03, S-05
#[tokio::test]
async fn case_jsonrpc_017() {
    let script = Script::new()
        .expect("initialize")
        .send("INFO got a line: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"")
        .reply(json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" } }))
        .expect("notifications/initialized")
        .send("INFO got a line: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"")
        .expect("tools/call")
        .send("{\"level\":\"info\",\"msg\":\"got a line\"")
        .send("{\"level\":\"info\",\"msg\":\"got a line\"}")
        .reply(text("done"));
    let (client, journal) = connect(script).await;
    assert_eq!(within(client.call("work")).await.unwrap().joined_text(), "done");
    within(client.close()).await.unwrap();
    within(journal.wait_ended()).await;
    assert_eq!(journal.methods(), ["initialize", "notifications/initialized", "tools/call"]);
    assert_eq!(journal.lines().len(), 3, "nothing else was written");
}

/// The case has pings every 100 ms beside a handler that blocks for 500 ms. Here the handler blocks until five pings
/// were answered, which is as long as it takes and no longer.
// Duty: G-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_jsonrpc_019() {
    let (answered, waiting) = std::sync::mpsc::channel();
    let server = MockServer::builder()
        .tool(Tool::new("work", json!({ "type": "object" })), move |call| {
            let answered = answered.clone();
            async move {
                call.progress(1.0, None, None).await;
                for _ in 0..5 {
                    call.ping().await?;
                }
                answered.send(()).unwrap();
                call.ping().await?;
                Ok(CallToolResult::text("done"))
            }
        })
        .build();
    let client = within(Client::builder().connect(server.connector())).await.unwrap();
    let call = client.call("work").on_progress(move |_| waiting.recv_timeout(LONG).unwrap());
    assert_eq!(within(call).await.unwrap().joined_text(), "done");
    assert_eq!(answers(server.journal()).len(), 6);
    within(client.close()).await.unwrap();
}

// Duty: J-08, J-10
#[tokio::test]
async fn case_jsonrpc_020() {
    let batch = r#"[{"jsonrpc":"2.0","id":2,"result":{}},{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}]"#;
    for revision in ["2025-03-26", "2025-11-25"] {
        let script = Script::new().handshake(revision, json!({})).expect("ping").send(batch).send("[]").pings(1);
        let (client, journal) = connect(script).await;
        assert_eq!(client.server().revision.as_str(), revision);
        let mut events = client.events();
        ping_times(&client, 2).await;
        within(client.close()).await.unwrap();
        assert!(answers(&journal).is_empty());
        let events = rest(&mut events).await;
        let logs = events.iter().filter(|event| matches!(event, Event::Log(_))).count();
        assert_eq!(logs, 1, "{events:?}");
        let empty = faults(&events).into_iter().filter(|fault| matches!(fault, Fault::NotAMessage { .. })).count();
        assert_eq!(empty, 1, "{events:?}");
        let odd = faults(&events).into_iter().filter(|fault| matches!(fault, Fault::Batch { .. })).count();
        assert_eq!(odd, usize::from(revision != "2025-03-26"), "{events:?}");
    }
}

#[tokio::test]
async fn case_jsonrpc_022() {
    let script = (0..5)
        .fold(server().pings(2), |script, _| script.expect("ping"))
        .send(r#"{"id":4,"result":{}}"#)
        .send(r#"{"jsonrpc":"2.0","id":5,"result":{},"error":null}"#)
        .send(r#"{"jsonrpc":"2.0","id":6,"error":{"code":-32000}}"#)
        .send(r#"{"jsonrpc":"2.0","id":7,"error":"boom"}"#)
        .send(r#"{"jsonrpc":"2.0","id":8,"error":{"code":"E1","message":"m"}}"#);
    let (client, _) = connect(script).await;
    ping_times(&client, 2).await;
    let ping = || client.ping();
    let (four, five, six, seven, eight) = within(async { tokio::join!(ping(), ping(), ping(), ping(), ping()) }).await;
    four.unwrap();
    five.unwrap();
    let error = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        error.server_error().unwrap().clone()
    };
    let six = error(six);
    assert_eq!((six.code.0, six.message.as_str()), (-32000, ""));
    let seven = error(seven);
    assert_eq!((seven.message.as_str(), seven.data.unwrap().as_str()), ("boom", r#""boom""#));
    let eight = error(eight);
    assert_eq!((eight.message.as_str(), eight.data.unwrap().as_str()), ("m", r#"{"code":"E1","message":"m"}"#));
}

// Duty: K-04
#[tokio::test]
async fn case_jsonrpc_023() {
    let log = |params: Value| json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params });
    let data = [
        ("warning", json!("a string")),
        ("notice", json!({ "an": "object" })),
        ("trace", json!("a level that nobody knows")),
        ("info", json!(null)),
        ("debug", json!("x".repeat(1 << 20))),
    ];
    let script = data.iter().fold(server().expect("notifications/ready"), |script, (level, data)| {
        script.message(log(json!({ "level": level, "data": data })))
    });
    let script = script.send(r#"{"jsonrpc":"2.0","method":"notifications/x.y"}"#).pings(1);

    let calls = Arc::new(AtomicU32::new(0));
    let builder = Client::builder().on_event({
        let calls = Arc::clone(&calls);
        move |event| {
            if matches!(event, Event::Log(_)) && calls.fetch_add(1, Ordering::SeqCst) == 2 {
                panic!("on purpose, on the third log message");
            }
        }
    });
    let (client, _) = connect_with(builder, script).await;
    let mut events = client.events();
    client.notify("notifications/ready", ()).await.unwrap();
    ping_times(&client, 1).await;
    within(client.close()).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 5, "the handler is called again after it panicked");

    let events = rest(&mut events).await;
    assert_eq!(events.len(), 6);
    for (event, (level, data)) in events.iter().zip(&data) {
        let Event::Log(log) = event else { panic!("a log message, not {event:?}") };
        assert_eq!(serde_json::to_value(&log.level).unwrap(), *level);
        assert!(log.data.to_value() == *data);
        assert_eq!(log.logger, None);
    }
    let Event::Notification { method, params } = &events[5] else { panic!("{:?}", events[5]) };
    assert_eq!((method.as_str(), params), ("notifications/x.y", &None));
}

#[tokio::test(start_paused = true)]
async fn case_jsonrpc_024() {
    let sampling = json!({
        "jsonrpc": "2.0", "id": "s", "method": "sampling/createMessage",
        "params": { "messages": [{ "role": "user", "content": { "type": "text", "text": "?" } }], "maxTokens": 9 },
    });
    let log = |n: u32| json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": n } });
    let script = server()
        .expect("tools/call")
        .message(sampling)
        .message(log(1))
        .message(json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" }))
        .message(log(2))
        .reply(text("done"))
        .message(log(3));
    let builder = Client::builder().on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(CreateMessageResult::new("m", TextContent::new("slow")))
    });
    let (client, journal) = connect_with(builder, script).await;
    let mut events = client.events();
    let started = Instant::now();
    assert_eq!(client.call("work").await.unwrap().joined_text(), "done");
    journal.wait_for(|line| line.id() == Some(&"p".into())).await;
    assert!(started.elapsed() < Duration::from_millis(200));
    journal.wait_for(|line| line.id() == Some(&"s".into())).await;
    assert!(started.elapsed() >= Duration::from_secs(3));
    for n in 1..=3 {
        let Some(Event::Log(log)) = events.next().await else { panic!("log message {n}") };
        assert_eq!(log.data.to_value(), n);
    }
}
