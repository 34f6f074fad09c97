//! Forms, visits to URLs, and limits on what a server asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::{ElicitAction, ErrorObject, RequestId, TextContent};
use bowline::{ClientBuilder, ElicitationSupport, Folders, RootsProvider, Supporting};
use bowline_testkit::{Journal, MockServer, Script, ToolCall};
use serde_json::{Value, json};

use crate::support::{ScriptExt, answer, answers, connect_with, received, server, text, watched, within};

fn form(id: &str, schema: &Value) -> Value {
    json!({
        "jsonrpc": "2.0", "id": id, "method": "elicitation/create",
        "params": { "message": "?", "requestedSchema": schema },
    })
}

fn url(id: &str, url: &str) -> Value {
    json!({
        "jsonrpc": "2.0", "id": id, "method": "elicitation/create",
        "params": { "mode": "url", "message": "?", "elicitationId": "e-1", "url": url },
    })
}

fn completed(id: &str) -> Value {
    json!({
        "jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": { "elicitationId": id },
    })
}

/// A handler of URLs and forms that does the same with all.
fn with_urls(result: ElicitResult) -> ClientBuilder {
    let handler = move |_: ElicitRequestParams, _: RequestContext| std::future::ready(Ok(result.clone()));
    Client::builder().on_elicitation(Supporting(handler, ElicitationSupport::default().with_url()))
}

fn error_of(answer: &Value) -> (i64, &str) {
    (answer["error"]["code"].as_i64().unwrap(), answer["error"]["message"].as_str().unwrap())
}

#[tokio::test]
async fn elicitation_sep1034_client_defaults() {
    let schema = json!({ "type": "object", "required": [], "properties": {
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
        "verified": { "type": "boolean", "default": true },
        "note": { "type": "string" },
    }});
    let defaults = json!({ "name": "John Doe", "age": 30, "score": 95.5, "status": "active", "verified": true });
    for (accepted, expected) in [
        (ElicitResult::accept_url(), defaults.clone()),
        (ElicitResult::accept::<String>([]), defaults.clone()),
        (ElicitResult::accept([("age", json!(31))]), {
            let mut changed = defaults.clone();
            changed["age"] = json!(31);
            changed
        }),
    ] {
        let (_client, journal) = connect_with(with_urls(accepted), server().message(form("f", &schema))).await;
        let answer = answer(&journal, "f").await;
        assert_eq!(answer["result"], json!({ "action": "accept", "content": expected }));
    }
}

#[tokio::test]
async fn d_09_content_goes_only_with_the_acceptance_of_a_form() {
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    let with_content = |mut result: ElicitResult| {
        result.content = ElicitResult::accept([("name", json!("Ada"))]).content;
        result
    };
    for (result, of_form, of_url) in [
        (
            ElicitResult::accept_url(),
            json!({ "action": "accept", "content": { "name": "Ada" } }),
            json!({ "action": "accept" }),
        ),
        (ElicitResult::decline(), json!({ "action": "decline" }), json!({ "action": "decline" })),
        (ElicitResult::cancel(), json!({ "action": "cancel" }), json!({ "action": "cancel" })),
    ] {
        let script = server().message(form("f", &schema)).message(url("u", "https://x.example/"));
        let (_client, journal) = connect_with(with_urls(with_content(result)), script).await;
        assert_eq!(answer(&journal, "f").await["result"], of_form);
        assert_eq!(answer(&journal, "u").await["result"], of_url);
    }
}

#[tokio::test]
async fn d_07_and_se_06_what_may_not_be_asked_is_refused_before_the_handler() {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let handler = move |_: ElicitRequestParams, _: RequestContext| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(ElicitResult::accept_url()))
    };
    let builder = Client::builder().on_elicitation(Supporting(handler, ElicitationSupport::default().with_url()));
    let deep = format!(
        "{}{}",
        r#"{"type":"object","properties":{"x":"#.repeat(10_000),
        "{}".to_owned() + &"}}".repeat(10_000)
    );
    let script = server()
        .message(form("nested", &json!({ "type": "object", "properties": { "home": { "type": "object" } } })))
        .message(form("ref", &json!({ "type": "object", "properties": { "self": { "$ref": "#" } } })))
        .send(format!(r#"{{"jsonrpc":"2.0","id":"deep","method":"elicitation/create","params":{{"message":"?","requestedSchema":{deep}}}}}"#))
        .message(url("script", "javascript:alert(1)"))
        .message(url("http", "http://x.example/"))
        .message(url("quote", "https://x.example/'"))
        .message(url("good", "https://x.example/?a=1&b=2"))
        .expect_answer(json!("good"))
        .pings(1);
    let (client, journal) = connect_with(builder, script).await;
    for (id, word) in [
        ("nested", "\"home\""),
        ("ref", "\"self\""),
        ("deep", ""),
        ("script", "scheme"),
        ("http", "another machine"),
        ("quote", "character"),
    ] {
        let answer = answer(&journal, id).await;
        let (code, message) = error_of(&answer);
        assert!(code == -32602 && message.contains(word), "{answer}");
    }
    assert_eq!(answer(&journal, "good").await["result"], json!({ "action": "accept" }), "no content for a url");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    within(client.ping()).await.unwrap();
}

#[tokio::test]
async fn d_14_completions_are_told_once_and_only_of_known_visits() {
    let script = server()
        .message(completed("e-1"))
        .message(url("u", "https://x.example/"))
        .expect_answer(json!("u"))
        .message(completed("E-1"))
        .message(completed("e-1"))
        .message(completed("e-1"))
        .pings(1);
    let (builder, mut events) = watched(with_urls(ElicitResult::accept_url()));
    let (client, journal) = connect_with(builder, script).await;
    answer(&journal, "u").await;
    within(client.elicitation_completed("e-1")).await.unwrap();
    assert_eq!(within(client.elicitation_completed("other")).await.unwrap_err().kind(), ErrorKind::Config);
    assert!(!client.finish_elicitation("e-1"), "it is over");
    within(client.ping()).await.unwrap();
    within(client.close()).await.unwrap();
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        match event {
            Event::ElicitationComplete { elicitation_id } => told.push(elicitation_id),
            Event::Closed(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, ["e-1"]);
}

#[tokio::test]
async fn d_14_a_refused_visit_is_none_and_a_wait_ends_with_the_client() {
    let script = server().message(url("u", "https://x.example/")).expect_answer(json!("u"));
    let (client, journal) = connect_with(with_urls(ElicitResult::decline()), script).await;
    answer(&journal, "u").await;
    assert!(client.elicitation_completed("e-1").await.is_err());

    let script = server().message(url("u", "https://x.example/")).expect_answer(json!("u"));
    let (client, journal) = connect_with(with_urls(ElicitResult::accept_url()), script).await;
    answer(&journal, "u").await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.elicitation_completed("e-1").await }
    });
    within(client.close()).await.unwrap();
    assert_eq!(within(waiting).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

/// A call that is refused until a URL was visited, `times` times over.
fn requiring(times: usize, before_retry: impl Fn(Script) -> Script) -> Script {
    let data = json!({ "elicitations": [
        { "mode": "url", "elicitationId": "e-1", "url": "https://x.example/connect", "message": "Connect" },
    ]});
    let refusal = |id: u64| {
        let error = json!({ "code": -32042, "message": "Visit first", "data": data });
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    };
    let mut script = server();
    for n in 0..times {
        // The first request after the handshake has id 2.
        script = before_retry(script.expect("tools/call").message(refusal(2 + n as u64)));
    }
    script.expect("tools/call").reply(text("done"))
}

fn calls(journal: &Journal) -> usize {
    received(journal, "tools/call").len()
}

/// Accepts after it has told that the person was asked.
fn telling(asked: &Arc<AtomicU32>, go_on: bool) -> ClientBuilder {
    let asked = Arc::clone(asked);
    let handler = move |request: ElicitRequestParams, context: RequestContext| {
        let ElicitRequestParams::Url(url) = request else { panic!("a url") };
        assert_eq!(url.visit().unwrap().host().to_string(), "x.example");
        assert!(context.is_awaited() && *context.id() == RequestId::String("e-1".into()));
        assert!(context.server().is_some());
        asked.fetch_add(1, Ordering::SeqCst);
        if go_on {
            context.go_on();
        }
        std::future::ready(Ok(ElicitResult::accept_url()))
    };
    Client::builder().on_elicitation(Supporting(handler, ElicitationSupport::default().with_url()))
}

#[tokio::test]
async fn d_15_a_call_goes_on_once_the_server_tells_that_the_visit_is_over() {
    let asked = Arc::new(AtomicU32::new(0));
    let script = requiring(1, |script| script.expect("notifications/visited").message(completed("e-1")));
    let (client, journal) = connect_with(telling(&asked, false), script).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call("t").arg("n", 1).await }
    });
    within(async {
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(calls(&journal), 1, "it is not sent again before the visit is over");
    client.notify("notifications/visited", ()).await.unwrap();
    assert_eq!(within(call).await.unwrap().unwrap().joined_text(), "done");
    let calls = received(&journal, "tools/call");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["params"]["arguments"], calls[1]["params"]["arguments"]);
    assert_ne!(calls[0]["id"], calls[1]["id"], "the second is a request of its own");
}

#[tokio::test]
async fn d_16_the_person_can_say_that_the_visit_is_over() {
    let asked = Arc::new(AtomicU32::new(0));
    let (client, journal) = connect_with(telling(&asked, true), requiring(1, |script| script)).await;
    assert_eq!(within(client.call("t")).await.unwrap().joined_text(), "done");
    assert_eq!((calls(&journal), asked.load(Ordering::SeqCst)), (2, 1));

    // From outside of the handler as well.
    let asked = Arc::new(AtomicU32::new(0));
    let (client, journal) = connect_with(telling(&asked, false), requiring(1, |script| script)).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call("t").await }
    });
    within(async {
        while !client.finish_elicitation("e-1") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(within(call).await.unwrap().unwrap().joined_text(), "done");
    assert_eq!(calls(&journal), 2);
}

#[tokio::test]
async fn d_15_a_call_is_sent_again_once_and_no_more() {
    let asked = Arc::new(AtomicU32::new(0));
    let (client, journal) = connect_with(telling(&asked, true), requiring(2, |script| script)).await;
    let error = within(client.call("t")).await.unwrap_err();
    assert_eq!(error.code().unwrap().0, -32042);
    assert_eq!((calls(&journal), asked.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn d_15_without_consent_a_handler_or_the_callers_wish_the_error_is_the_result() {
    let asked = Arc::new(AtomicU32::new(0));
    let forms_only =
        Client::builder().on_elicitation(|_: ElicitRequestParams, _: RequestContext| async { panic!("not asked") });
    for (builder, visit) in [
        (with_urls(ElicitResult::decline()), true),
        (with_urls(ElicitResult::cancel()), true),
        (Client::builder(), true),
        (forms_only, true),
        (telling(&asked, true), false),
    ] {
        let (client, journal) = connect_with(builder, requiring(1, |script| script)).await;
        let error = within(client.call("t").visit_urls(visit)).await.unwrap_err();
        assert_eq!((error.kind(), calls(&journal)), (ErrorKind::Server, 1));
        let urls = error.url_elicitations();
        assert_eq!(urls.len(), 1);
        assert_eq!(
            (urls[0].url.as_str(), urls[0].elicitation_id.as_deref()),
            ("https://x.example/connect", Some("e-1"))
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn d_15_where_one_url_may_not_be_opened_nobody_is_asked() {
    let data = json!({ "elicitations": [
        { "mode": "url", "elicitationId": "e-1", "url": "https://x.example/", "message": "Connect" },
        { "mode": "url", "elicitationId": "e-2", "url": "file:///etc/passwd", "message": "Connect" },
    ]});
    let error = json!({ "code": -32042, "message": "Visit first", "data": data });
    let script = server().expect("tools/call").message(json!({ "jsonrpc": "2.0", "id": 2, "error": error }));
    let asked = Arc::new(AtomicU32::new(0));
    let (client, _) = connect_with(telling(&asked, true), script).await;
    assert_eq!(within(client.call("t")).await.unwrap_err().url_elicitations().len(), 2);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn d_16_a_visit_that_nobody_ends_fails_the_call_at_its_limit() {
    let asked = Arc::new(AtomicU32::new(0));
    let (client, journal) = connect_with(telling(&asked, false), requiring(1, |script| script)).await;
    let error = client.call("t").max_time(Duration::from_secs(90)).await.unwrap_err();
    assert_eq!((error.code().unwrap().0, calls(&journal)), (-32042, 1));
}

#[tokio::test]
async fn d_15_a_handler_that_panics_fails_its_call_alone() {
    let handler = |_: ElicitRequestParams, _: RequestContext| async { panic!("on purpose") };
    let builder = Client::builder().on_elicitation(Supporting(handler, ElicitationSupport::default().with_url()));
    let (client, _) = connect_with(builder, requiring(1, |script| script)).await;
    assert_eq!(within(client.call("t")).await.unwrap_err().code().unwrap().0, -32042);
    assert_eq!(within(client.call("t")).await.unwrap().joined_text(), "done");
}

fn sampling(id: u64) -> Value {
    json!({
        "jsonrpc": "2.0", "id": id, "method": "sampling/createMessage",
        "params": { "messages": [{ "role": "user", "content": { "type": "text", "text": "?" } }], "maxTokens": 9 },
    })
}

fn model()
-> impl Fn(CreateMessageRequestParams, RequestContext) -> std::future::Ready<Result<CreateMessageResult, ErrorObject>> {
    |_, _| std::future::ready(Ok(CreateMessageResult::new("m", TextContent::new("x"))))
}

#[tokio::test(start_paused = true)]
async fn d_17_and_q_11_a_flood_of_questions_ends_in_refusals() {
    let mut script = (1..=3).fold(server(), |script, id| script.message(sampling(id)).expect_answer(json!(id)));
    script = script.message(form("f", &json!({ "properties": {} }))).expect_answer(json!("f"));
    script = script.message(json!({ "jsonrpc": "2.0", "id": "r", "method": "roots/list" })).expect_answer(json!("r"));
    // One grows back in 20 s.
    script = script.sleep(20_000).message(sampling(4)).expect_answer(json!(4)).pings(1);
    let builder = with_urls(ElicitResult::decline()).on_sampling(model()).roots(Vec::<Root>::new()).asks_per_minute(3);
    let (client, journal) = connect_with(builder, script).await;
    let refused = answer(&journal, "f").await;
    let (code, message) = error_of(&refused);
    assert!(code == -32603 && message.contains("too many requests: this client serves 3 a minute"), "{refused}");
    assert_eq!(answer(&journal, "r").await["result"], json!({ "roots": [] }), "roots are not counted");
    answer(&journal, 4).await;
    client.ping().await.unwrap();
    let served: Vec<_> = answers(&journal).into_iter().filter(|answer| answer["result"]["model"] == "m").collect();
    assert_eq!(served.len(), 4);
}

#[tokio::test]
async fn q_11_a_conversation_with_too_many_rounds_of_tools_is_refused() {
    let mut messages = vec![json!({ "role": "user", "content": { "type": "text", "text": "?" } })];
    for n in 0..3 {
        let used = json!({ "type": "tool_use", "id": n.to_string(), "name": "t", "input": {} });
        let result = json!({ "type": "tool_result", "toolUseId": n.to_string(), "content": [] });
        messages.push(json!({ "role": "assistant", "content": [used] }));
        messages.push(json!({ "role": "user", "content": [result] }));
    }
    let ask = |id: u64, messages: &[Value]| {
        json!({
            "jsonrpc": "2.0", "id": id, "method": "sampling/createMessage",
            "params": { "messages": messages, "maxTokens": 9, "tools": [{ "name": "t", "inputSchema": { "type": "object" } }] },
        })
    };
    let script = server().message(ask(1, &messages[..5])).message(ask(2, &messages));
    let handler = Supporting(model(), bowline::SamplingSupport::default().with_tools());
    let (_client, journal) = connect_with(Client::builder().on_sampling(handler).max_tool_rounds(2), script).await;
    assert_eq!(answer(&journal, 1).await["result"]["model"], "m");
    let refused = answer(&journal, 2).await;
    assert!(error_of(&refused).1.contains("3 rounds of tools"), "{refused}");
}

#[tokio::test]
async fn q_08_content_goes_both_ways_as_one_block_and_as_several() {
    for (revision, several) in [(Revision::V2025_06_18, false), (Revision::V2025_11_25, true)] {
        let mock = MockServer::builder()
            .revisions([revision])
            .tool(Tool::new("ask", json!({ "type": "object" })), |call: ToolCall| async move {
                let params: RawJson = r#"{"maxTokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#.parse().unwrap();
                Ok::<_, ErrorObject>(CallToolResult::text(match call.request("sampling/createMessage", Some(params)).await {
                    Ok(result) => result.to_value()["content"].to_string(),
                    Err(error) => error.code.to_string(),
                }))
            })
            .build();
        let builder = Client::builder().revision(revision).on_sampling(
            |request: CreateMessageRequestParams, _: RequestContext| async move {
                // What came goes back, in the shape in which it came.
                Ok(CreateMessageResult::new("m", request.messages[0].content.clone()))
            },
        );
        let client = within(builder.connect(mock.connector())).await.unwrap();
        let said = within(client.call("ask")).await.unwrap().joined_text();
        let both = r#"[{"text":"a","type":"text"},{"text":"b","type":"text"}]"#;
        let expected = if several { serde_json::from_str::<Value>(both).unwrap() } else { json!(-32602) };
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), expected, "{revision}");
    }
}

#[tokio::test]
async fn o_03_and_o_07_roots_that_are_gone_are_left_out_and_failures_are_told() {
    let ask = || server().message(json!({ "jsonrpc": "2.0", "id": 1, "method": "roots/list" }));
    let here = std::env::temp_dir();
    let folders = Folders::new([here.clone(), here.join("bowline-not-there")]).unwrap();
    let (_client, journal) = connect_with(Client::builder().roots(folders), ask()).await;
    let roots = answer(&journal, 1).await["result"]["roots"].clone();
    assert_eq!(roots.as_array().unwrap().len(), 1, "{roots}");

    struct Broken;
    impl RootsProvider for Broken {
        fn roots(&self, _: RequestContext) -> bowline::transport::BoxFuture<'_, Result<Vec<Root>, ErrorObject>> {
            Box::pin(async { panic!("on purpose") })
        }
    }
    let (_client, journal) = connect_with(Client::builder().roots(Broken), ask()).await;
    assert_eq!(error_of(&answer(&journal, 1).await).0, -32603);
    let (_client, journal) = connect_with(Client::builder(), ask()).await;
    assert_eq!(error_of(&answer(&journal, 1).await).0, -32601);
}

#[tokio::test]
async fn d_10_no_url_is_fetched() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/connect", listener.local_addr().unwrap());
    let script = server().message(url("u", &address)).expect_answer(json!("u")).message(completed("e-1")).pings(1);
    let (client, journal) = connect_with(with_urls(ElicitResult::accept_url()), script).await;
    assert_eq!(answer(&journal, "u").await["result"]["action"], json!(ElicitAction::Accept));
    within(client.elicitation_completed("e-1")).await.unwrap();
    within(client.ping()).await.unwrap();
    within(client.close()).await.unwrap();
    tokio::select! {
        biased;
        visitor = listener.accept() => panic!("{visitor:?}"),
        () = std::future::ready(()) => {}
    }
}
