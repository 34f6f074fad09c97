//! What the server asks of the client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::{
    ElicitRequestFormParams, ElicitationSchema, ErrorObject, Implementation, SamplingMessage, StringSchema, TextContent,
};
use bowline::refused;
use bowline_testkit::{MockServer, Script};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::{
    Flag, ScriptExt, answer, answers, connect, connect_with, ping_times, received, server, soon, within,
};

const REVISIONS: [Revision; 4] =
    [Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

fn question() -> CreateMessageRequestParams {
    CreateMessageRequestParams::new([SamplingMessage::user("capital of France?")]).with_max_tokens(10)
}

fn form() -> ElicitRequestParams {
    let schema = ElicitationSchema::new([("name", StringSchema::new().into())]).with_required(["name".to_owned()]);
    ElicitRequestFormParams::new("Name?", schema).into()
}

/// A request for sampling, as a server writes it.
fn sampling(id: &Value, token: Option<&str>) -> Value {
    let mut request = json!({
        "jsonrpc": "2.0", "id": id, "method": "sampling/createMessage",
        "params": { "messages": [{ "role": "user", "content": { "type": "text", "text": "?" } }], "maxTokens": 9 },
    });
    if let Some(token) = token {
        request["params"]["_meta"] = json!({ "progressToken": token });
    }
    request
}

/// A server with a tool that asks the client for everything that the revision has.
fn asking(revision: Revision) -> MockServer {
    let tool = Tool::new("ask", json!({ "type": "object" }));
    let asked = MockServer::builder().revisions([revision]).info(Implementation::new("asker", "7"));
    let asked = asked.tool(tool, move |call| async move {
        let sampled = call.sample(question()).await?;
        let roots = call.list_roots().await?;
        let mut words = vec![sampled.model, roots.roots[0].uri.clone()];
        if revision.has_elicitation() {
            let elicited = call.elicit(form()).await?;
            words.push(elicited.content.unwrap_or_default()["name"].as_str().unwrap_or_default().to_owned());
        } else {
            words.push(call.elicit(form()).await.unwrap_err().message);
        }
        call.ping().await?;
        Ok::<_, ErrorObject>(CallToolResult::text(words.join("|")))
    });
    asked.build()
}

// Duty: J-05, S-13
#[tokio::test]
async fn every_revision_lets_the_server_ask_what_it_has() {
    for revision in REVISIONS {
        let asker = asking(revision);
        let builder = Client::builder()
            .revision(revision)
            .on_sampling(|request: CreateMessageRequestParams, context: RequestContext| async move {
                assert_eq!(request.max_tokens, Some(10));
                assert_eq!(context.server().unwrap().name, "asker");
                Ok(CreateMessageResult::new("a-model", TextContent::new("Paris")))
            })
            .on_elicitation(|request: ElicitRequestParams, _: RequestContext| async move {
                assert_eq!(request.message(), Some("Name?"));
                Ok(ElicitResult::accept([("name", json!("Ada"))]))
            })
            .roots(vec![Root::new("file:///home/me")]);
        let client = within(builder.connect(asker.connector())).await.unwrap();
        assert_eq!(client.server().revision, revision);
        let words = within(client.call("ask")).await.unwrap().joined_text();
        let last =
            if revision.has_elicitation() { "Ada" } else { "the client did not declare elicitation of this mode" };
        assert_eq!(words, format!("a-model|file:///home/me|{last}"), "{revision}");
        assert_eq!(answers(asker.journal()).len(), if revision.has_elicitation() { 4 } else { 3 });
    }
}

// Duty: J-05, Q-10
#[tokio::test]
async fn an_error_of_a_handler_is_answered_as_it_is() {
    let script = server().message(sampling(&json!(1), None)).expect_answer(json!(1)).pings(1);
    let builder =
        Client::builder().on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async { Err(refused()) });
    let (client, journal) = connect_with(builder, script).await;
    let answer = answer(&journal, 1).await;
    assert_eq!(answer["error"], json!({ "code": -1, "message": "User rejected sampling request" }));
    ping_times(&client, 1).await;
}

// Duty: J-05
#[tokio::test]
async fn a_handler_that_panics_is_answered_and_the_session_goes_on() {
    let script = server()
        .message(sampling(&json!("first"), None))
        .expect_answer(json!("first"))
        .message(sampling(&json!("second"), None))
        .expect_answer(json!("second"))
        .pings(1);
    let count = AtomicU32::new(0);
    let builder = Client::builder().on_sampling(move |_: CreateMessageRequestParams, _: RequestContext| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            assert!(!first, "on purpose");
            Ok(CreateMessageResult::new("m", TextContent::new("x")))
        }
    });
    let (client, journal) = connect_with(builder, script).await;
    assert_eq!(answer(&journal, "second").await["result"]["model"], "m");
    ping_times(&client, 1).await;
    let answers = answers(&journal);
    assert_eq!(answers.len(), 2);
    assert_eq!((&answers[0]["id"], &answers[0]["error"]["code"]), (&json!("first"), &json!(-32603)));
}

#[tokio::test]
async fn a_closure_that_panics_before_its_future_is_answered_too() {
    let script = server().message(sampling(&json!(1), None)).expect_answer(json!(1)).pings(1);
    fn panics(
        _: CreateMessageRequestParams,
        _: RequestContext,
    ) -> std::future::Ready<Result<CreateMessageResult, ErrorObject>> {
        panic!("on purpose")
    }
    let (client, journal) = connect_with(Client::builder().on_sampling(panics), script).await;
    assert_eq!(answer(&journal, 1).await["error"]["code"], -32603);
    ping_times(&client, 1).await;
}

// Duty: C-04
#[tokio::test]
async fn a_request_that_the_server_takes_back_is_dropped_and_not_answered() {
    let mock = MockServer::builder().build();
    let (dropped, running) = (Flag::default(), Arc::new(Semaphore::new(0)));
    let builder = Client::builder().on_elicitation({
        let (dropped, running) = (dropped.clone(), Arc::clone(&running));
        move |_: ElicitRequestParams, _: RequestContext| {
            let (guard, running) = (dropped.on_drop(), Arc::clone(&running));
            async move {
                let _guard = guard;
                running.add_permits(1);
                std::future::pending().await
            }
        }
    });
    let client = within(builder.connect(mock.connector())).await.unwrap();
    let params = RawJson::from_serialize(&form()).unwrap();
    tokio::select! {
        answer = mock.request("elicitation/create", Some(params)) => panic!("an answer: {answer:?}"),
        _ = within(running.acquire()) => {}
    }
    // A message that is read after the cancellation shows that nothing came in between.
    within(mock.request("ping", None)).await.unwrap();
    within(async {
        while !dropped.is_set() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within(mock.request("ping", None)).await.unwrap();
    assert_eq!(answers(mock.journal()).len(), 2, "the two pings");
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn p_05_a_handler_reports_progress_that_grows_under_the_servers_token() {
    let script = server()
        .message(sampling(&json!(1), Some("mine")))
        .expect_answer(json!(1))
        .message(sampling(&json!(2), None))
        .expect_answer(json!(2));
    let builder = Client::builder().on_sampling(|_: CreateMessageRequestParams, context: RequestContext| async move {
        for (progress, total) in [(1.0, Some(3.0)), (1.0, None), (0.5, None), (f64::NAN, None), (2.5, None)] {
            context.report_progress(progress, total).await;
        }
        Ok(CreateMessageResult::new("m", TextContent::new("x")))
    });
    let (_client, journal) = connect_with(builder, script).await;
    answer(&journal, 2).await;
    let params: Vec<_> =
        received(&journal, "notifications/progress").into_iter().map(|line| line["params"].clone()).collect();
    assert_eq!(
        params,
        [
            json!({ "progressToken": "mine", "progress": 1, "total": 3 }),
            json!({ "progressToken": "mine", "progress": 2.5 }),
        ]
    );
    let lines = journal.lines();
    let first = lines.iter().position(|line| line.is_answer()).unwrap();
    let last = lines.iter().rposition(|line| line.method() == "notifications/progress").unwrap();
    assert!(last < first, "all of it comes before the answer");
}

#[tokio::test]
async fn sixty_four_requests_are_served_at_once_and_pings_beside_them() {
    let script = (1..=65).fold(server(), |script, id| script.message(sampling(&json!(id), None)));
    let script = script
        .message(json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" }))
        .expect_answer(json!("p"))
        .expect("notifications/go")
        .expect_answer(json!(64))
        .message(sampling(&json!("more"), None));
    let permits = Arc::new(Semaphore::new(0));
    let builder = Client::builder().asks_per_minute(1000).on_sampling({
        let permits = Arc::clone(&permits);
        move |_: CreateMessageRequestParams, _: RequestContext| {
            let permits = Arc::clone(&permits);
            async move {
                permits.acquire().await.unwrap().forget();
                Ok(CreateMessageResult::new("m", TextContent::new("x")))
            }
        }
    });
    let (client, journal) = connect_with(builder, script).await;
    assert_eq!(answer(&journal, "p").await["result"], json!({}));
    let answered = answers(&journal);
    assert_eq!(answered.len(), 2, "the ping and the one too many: {answered:?}");
    let refused = answer(&journal, 65).await;
    assert_eq!(refused["error"]["code"], -32603);
    assert!(refused["error"]["message"].as_str().unwrap().contains("64"), "{refused}");
    client.notify("notifications/go", ()).await.unwrap();
    permits.add_permits(65);
    for id in 1..=64 {
        assert_eq!(answer(&journal, id).await["result"]["model"], "m");
    }
    assert_eq!(answer(&journal, "more").await["result"]["model"], "m");
}

#[tokio::test]
async fn a_second_request_with_an_id_that_is_being_served_is_refused() {
    let script = server()
        .message(sampling(&json!(1), None))
        .message(sampling(&json!(1), None))
        .message(sampling(&json!("1"), None));
    let running = Arc::new(AtomicU32::new(0));
    let builder = Client::builder().on_sampling({
        let running = Arc::clone(&running);
        move |_: CreateMessageRequestParams, _: RequestContext| {
            running.fetch_add(1, Ordering::SeqCst);
            std::future::pending()
        }
    });
    let (_client, journal) = connect_with(builder, script).await;
    assert_eq!(answer(&journal, 1).await["error"]["code"], -32600);
    // A string is another id than the number.
    within(async {
        while running.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(answers(&journal).len(), 1);
}

// Duty: G-01
#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_a_handler_sleeps() {
    let script = (1..=5).fold(server().message(sampling(&json!("slow"), None)), |script, n| {
        script.message(json!({ "jsonrpc": "2.0", "id": n, "method": "ping" })).expect_answer(json!(n)).sleep(1000)
    });
    let builder = Client::builder().on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(CreateMessageResult::new("m", TextContent::new("x")))
    });
    let (_client, journal) = connect_with(builder, script.expect_answer(json!("slow"))).await;
    journal.wait_for(|line| line.id() == Some(&"slow".into())).await;
    let ids: Vec<_> = answers(&journal).into_iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!(2), json!(3), json!(4), json!(5), json!("slow")]);
}

// Duty: J-05, J-15
#[tokio::test]
async fn ids_of_the_server_are_echoed_exactly() {
    let ids = [
        "0",
        "-1",
        "9007199254740993",
        "\"\"",
        "\"5\"",
        "5",
        "\"é🐙\"",
        r#""a\"b\\""#,
        r#""0c4a-\u0000""#,
        "-9223372036854775808",
    ];
    let script = ids.iter().fold(server(), |script, id| {
        let answered = serde_json::from_str(id).unwrap();
        script.send(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)).expect_answer(answered)
    });
    let (client, journal) = connect(script.pings(1)).await;
    within(journal.wait_for(|line| line.id() == Some(&i64::MIN.into()))).await;
    ping_times(&client, 1).await;
    let lines: Vec<_> = journal.lines().into_iter().filter(|line| line.is_answer()).collect();
    let texts: Vec<_> = lines.iter().map(|line| std::str::from_utf8(&line.frame).unwrap()).collect();
    let expected: Vec<_> = ids.iter().map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)).collect();
    assert_eq!(texts, expected);
}

// Duty: J-07
#[tokio::test]
async fn what_nobody_knows_is_answered_with_method_not_found() {
    let script = server()
        .send(r#"{"jsonrpc":"2.0","id":1,"method":"vendor/ask","params":{"a":1}}"#)
        .expect_answer(json!(1))
        .send(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#)
        .expect_answer(json!(2))
        .pings(1);
    let (client, journal) = connect(script).await;
    assert_eq!(answer(&journal, 1).await["error"]["code"], -32601);
    assert_eq!(soon(answer(&journal, 2)).await["error"]["code"], -32601);
    ping_times(&client, 1).await;
}

#[tokio::test]
async fn q_04_and_q_05_limit_and_hints_reach_the_handler_as_they_came() {
    let mut request = sampling(&json!(1), None);
    let params = json!({
        "messages": request["params"]["messages"], "maxTokens": 9, "systemPrompt": "be short", "includeContext": "none",
        "temperature": 0.5, "stopSequences": ["."], "metadata": { "vendor": [1] },
        "modelPreferences": { "hints": [{ "name": "b" }, { "name": "a" }], "costPriority": 0.25 },
    });
    request["params"] = params.clone();
    let asked = Arc::new(std::sync::Mutex::new(Value::Null));
    let builder = Client::builder().on_sampling({
        let asked = Arc::clone(&asked);
        move |request: CreateMessageRequestParams, _: RequestContext| {
            *asked.lock().unwrap() = serde_json::to_value(&request).unwrap();
            async { Ok(CreateMessageResult::new("another model", TextContent::new("x"))) }
        }
    });
    let (_client, journal) = connect_with(builder, server().message(request)).await;
    assert_eq!(answer(&journal, 1).await["result"]["model"], "another model");
    assert_eq!(*asked.lock().unwrap(), params);
}

#[tokio::test]
async fn er_02_and_er_05_no_answer_has_a_code_that_is_reserved() {
    let mut unread = sampling(&json!(3), None);
    unread["params"]["messages"] = json!(7);
    let script = server()
        .message(json!({ "jsonrpc": "2.0", "id": 1, "method": "vendor/ask" }))
        .message(json!({ "jsonrpc": "2.0", "id": 2, "method": "elicitation/create", "params": {} }))
        .message(unread)
        .message(sampling(&json!("refuse"), None))
        .expect_answer(json!("refuse"))
        .message(sampling(&json!("panic"), None))
        .expect_answer(json!("panic"))
        .message(json!({ "jsonrpc": "2.0", "id": 6, "method": "roots/list" }))
        .expect_answer(json!(6));
    let count = AtomicU32::new(0);
    let builder = Client::builder().roots(vec![Root::new("https://example.com")]).on_sampling(
        move |_: CreateMessageRequestParams, _: RequestContext| {
            let refuses = count.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                assert!(refuses, "on purpose");
                Err(refused())
            }
        },
    );
    let (_client, journal) = connect_with(builder, script).await;
    answer(&journal, 6).await;
    let mut codes: Vec<_> = answers(&journal).iter().map(|answer| answer["error"]["code"].as_i64().unwrap()).collect();
    codes.sort_unstable();
    // JSON-RPC's own, and that of client/sampling, which is outside of its range.
    assert_eq!(codes, [-32603, -32603, -32602, -32601, -32601, -1]);
}

#[tokio::test]
async fn parameters_of_the_wrong_shape_are_refused_with_their_place() {
    let script = server()
        .message(json!({
            "jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage",
            "params": { "messages": [{ "role": "user", "content": 7 }], "maxTokens": 1 },
        }))
        .expect_answer(json!(1))
        .pings(1);
    let builder = Client::builder().on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async {
        Ok(CreateMessageResult::new("m", TextContent::new("x")))
    });
    let (client, journal) = connect_with(builder, script).await;
    let answer = answer(&journal, 1).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert!(answer["error"]["message"].as_str().unwrap().contains("messages"), "{answer}");
    ping_times(&client, 1).await;
}

// Duty: O-05
#[tokio::test]
async fn changed_roots_are_told_only_where_roots_were_declared() {
    let (client, journal) = connect(server()).await;
    assert_eq!(client.roots_changed().await.unwrap_err().kind(), ErrorKind::Unsupported);
    within(client.close()).await.unwrap();
    assert_eq!(journal.methods(), ["initialize", "notifications/initialized"]);

    let script = server()
        .expect("notifications/roots/list_changed")
        .message(json!({ "jsonrpc": "2.0", "id": 1, "method": "roots/list" }));
    let (client, journal) = connect_with(Client::builder().roots(vec![Root::new("file:///a")]), script).await;
    client.roots_changed().await.unwrap();
    assert_eq!(answer(&journal, 1).await["result"], json!({ "roots": [{ "uri": "file:///a" }] }));
}

// Duty: O-02, O-07
#[tokio::test]
async fn roots_that_are_no_file_uris_never_leave() {
    let ask = || {
        let ask: Script = server().message(json!({ "jsonrpc": "2.0", "id": 1, "method": "roots/list" }));
        ask.expect_answer(json!(1)).pings(1)
    };
    for bad in ["https://example.com", "file:///home/../etc", "/home"] {
        let (client, journal) = connect_with(Client::builder().roots(vec![Root::new(bad)]), ask()).await;
        assert_eq!(answer(&journal, 1).await["error"]["code"], -32603, "{bad}");
        ping_times(&client, 1).await;
    }
}

#[tokio::test]
async fn handlers_end_with_the_connection() {
    for by_close in [true, false] {
        let (dropped, running) = (Flag::default(), Arc::new(Semaphore::new(0)));
        let builder = Client::builder().on_sampling({
            let (dropped, running) = (dropped.clone(), Arc::clone(&running));
            move |_: CreateMessageRequestParams, _: RequestContext| {
                let (guard, running) = (dropped.on_drop(), Arc::clone(&running));
                async move {
                    let _guard = guard;
                    running.add_permits(1);
                    std::future::pending().await
                }
            }
        });
        let (client, journal) = connect_with(builder, server().message(sampling(&json!(1), None))).await;
        let _running = within(running.acquire()).await;
        if by_close {
            within(client.close()).await.unwrap();
            assert!(dropped.is_set());
        } else {
            drop(client);
        }
        within(journal.wait_ended()).await;
        within(async {
            while !dropped.is_set() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(answers(&journal).is_empty());
    }
}
