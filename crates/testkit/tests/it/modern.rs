//! What the mock server does in 2026-07-28, over a byte stream.

use bowline_protocol::{
    CallToolResult, ElicitRequestFormParams, ElicitationSchema, GetPromptResult, InputRequest, InputRequests,
    InputRequiredResult, ListRootsRequest, LoggingLevel, Prompt, PromptMessage, ReadResourceResult, Resource,
    ResourceContents, Revision, StringSchema, Tool,
};
use bowline_testkit::{Misbehaviour, MockServer, MockServerBuilder, Quirk, When};
use serde_json::{Value, json};

use crate::peer::Peer;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

fn tool(name: &str) -> Tool {
    Tool::new(name, json!({ "type": "object" }))
}

fn echo(builder: MockServerBuilder) -> MockServerBuilder {
    builder.tool(tool("echo"), |call| async move { Ok(CallToolResult::text(call.argument::<String>("text")?)) })
}

fn modern_only() -> MockServerBuilder {
    MockServer::builder().revisions([Revision::V2026_07_28])
}

/// Parameters with the `_meta` of a client that can do so much.
fn with_meta(mut params: Value, capabilities: Value) -> Value {
    params["_meta"][VERSION] = json!("2026-07-28");
    params["_meta"][CAPABILITIES] = capabilities;
    params
}

fn plain(params: Value) -> Value {
    with_meta(params, json!({}))
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_server_says_what_it_is_without_a_handshake() {
    let server = echo(MockServer::builder().revisions(Revision::ALL)).instructions("mind the gap").build();
    let mut peer = Peer::connect(&server);
    let found = peer.ask(1, "server/discover", plain(json!({}))).await["result"].clone();
    assert_eq!(
        found["supportedVersions"],
        json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
    );
    assert_eq!(found["capabilities"], json!({ "tools": { "listChanged": true } }));
    assert_eq!((&found["resultType"], &found["instructions"]), (&json!("complete"), &json!("mind the gap")));
    assert_eq!(found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "mock-server");
    assert_eq!((&found["ttlMs"], &found["cacheScope"]), (&json!(0), &json!("private")));
    // Both eras on one connection, each request in its own.
    peer.handshake("2025-06-18", json!({})).await;
    let modern = peer.ask(2, "tools/list", plain(json!({}))).await;
    assert_eq!(modern["result"]["resultType"], "complete");
    let old = peer.ask(3, "tools/list", json!({})).await;
    assert_eq!((old["result"].get("resultType"), &old["result"]["tools"][0]["name"]), (None, &json!("echo")));
}

#[tokio::test]
async fn each_request_says_what_it_has_to_or_is_refused() {
    let server = echo(modern_only()).build();
    let mut peer = Peer::connect(&server);
    let meta = |meta: Value| json!({ "_meta": meta });
    for (params, code) in [
        (json!({}), -32602),
        (json!({ "_meta": 7 }), -32602),
        (meta(json!({ VERSION: "2026-07-28" })), -32602),
        (meta(json!({ CAPABILITIES: {} })), -32602),
        (meta(json!({ VERSION: 2026, CAPABILITIES: {} })), -32602),
        (meta(json!({ VERSION: "2026-07-28", CAPABILITIES: [] })), -32602),
        (meta(json!({ VERSION: "2026-07-28", CAPABILITIES: {}, "io.modelcontextprotocol/clientInfo": "me" })), -32602),
        (meta(json!({ VERSION: "2026-07-28", CAPABILITIES: {}, "io.modelcontextprotocol/logLevel": "loud" })), -32602),
        (meta(json!({ VERSION: "2031-01-01", CAPABILITIES: {} })), -32022),
        (meta(json!({ VERSION: "2025-11-25", CAPABILITIES: {} })), -32022),
    ] {
        let answer = peer.ask(1, "tools/list", params.clone()).await;
        assert_eq!(answer["error"]["code"], code, "{params}: {answer}");
        if code == -32022 {
            let data = json!({ "supported": ["2026-07-28"], "requested": params["_meta"][VERSION] });
            assert_eq!(answer["error"]["data"], data);
        }
    }
    assert!(peer.ask(2, "tools/list", plain(json!({}))).await["result"].is_object());
}

#[tokio::test]
async fn what_was_removed_is_not_found_and_a_handshake_is_told_the_versions() {
    let server = echo(MockServer::builder().revisions(Revision::ALL).logging()).build();
    let mut peer = Peer::connect(&server);
    for method in
        ["initialize", "ping", "logging/setLevel", "resources/subscribe", "prompts/list", "tasks/get", "no/such"]
    {
        let answer = peer.ask(1, method, plain(json!({ "taskId": "t" }))).await;
        assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
    }
    let mut old = Peer::connect(&echo(modern_only()).build());
    let params =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } });
    let error = old.ask(1, "initialize", params).await["error"].clone();
    assert_eq!(error["data"], json!({ "supported": ["2026-07-28"], "requested": "2025-11-25" }));
    assert!(error["message"].as_str().unwrap().contains("2026-07-28"));
    // Who knows the handshake alone knows nothing of this.
    let mut legacy =
        Peer::connect(&echo(MockServer::builder().revisions(Revision::ALL)).revisions([Revision::V2025_11_25]).build());
    assert_eq!(legacy.ask(1, "server/discover", plain(json!({}))).await["error"]["code"], -32600);
    legacy.handshake("2025-11-25", json!({})).await;
    assert_eq!(legacy.ask(2, "server/discover", plain(json!({}))).await["error"]["code"], -32601);
}

#[tokio::test]
async fn results_say_for_how_long_they_may_be_kept() {
    let server = MockServer::builder()
        .revisions(Revision::ALL)
        .revisions(Revision::ALL)
        .cache(5000, bowline_protocol::CacheScope::Public)
        .resource(Resource::new("x://1", "one"), ResourceContents::text("x://1", "one"))
        .resource_with(Resource::new("x://2", "two"), |_| async {
            Ok(ReadResourceResult::new([]).with_cache(7, bowline_protocol::CacheScope::Private))
        })
        .build();
    let mut peer = Peer::connect(&server);
    for (method, params, ttl, scope) in [
        ("resources/list", json!({}), 5000, "public"),
        ("resources/templates/list", json!({}), 5000, "public"),
        ("resources/read", json!({ "uri": "x://1" }), 5000, "public"),
        ("resources/read", json!({ "uri": "x://2" }), 7, "private"),
    ] {
        let result = peer.ask(1, method, plain(params)).await["result"].clone();
        assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(ttl), &json!(scope)), "{method}");
    }
    let missing = peer.ask(2, "resources/read", plain(json!({ "uri": "x://3" }))).await["error"].clone();
    assert_eq!((&missing["code"], &missing["data"]), (&json!(-32602), &json!({ "uri": "x://3" })));
    for (ttl, sent) in [(-1_i128, "-1"), (i128::from(u64::MAX) + 1, "18446744073709551616")] {
        let odd = echo(MockServer::builder().revisions(Revision::ALL).quirk(Quirk::CacheTtl(ttl))).build();
        let mut peer = Peer::connect(&odd);
        peer.request(1, "tools/list", plain(json!({}))).await;
        assert!(peer.line().await.contains(&format!("\"ttlMs\":{sent},")));
    }
}

#[tokio::test]
async fn logs_come_where_the_request_asks_for_them_and_progress_where_it_has_a_token() {
    let server = MockServer::builder()
        .revisions(Revision::ALL)
        .revisions(Revision::ALL)
        .logging()
        .tool(tool("talk"), |call| async move {
            call.log(LoggingLevel::Debug, "small").await;
            call.log(LoggingLevel::Error, "large").await;
            call.progress(1.0, Some(2.0), Some("half way")).await;
            Ok(CallToolResult::text("done"))
        })
        .build();
    let mut peer = Peer::connect(&server);
    assert_eq!(text(&peer.ask(1, "tools/call", plain(json!({ "name": "talk" }))).await), "done");
    let meta = json!({ "io.modelcontextprotocol/logLevel": "info", "progressToken": "t" });
    peer.request(2, "tools/call", plain(json!({ "name": "talk", "_meta": meta }))).await;
    assert_eq!(peer.next().await["params"]["data"], "large");
    assert_eq!(peer.next().await["params"]["message"], "half way");
    assert_eq!(text(&peer.next().await), "done");
}

#[tokio::test]
async fn a_cancelled_request_is_not_answered() {
    let server = echo(MockServer::builder().revisions(Revision::ALL))
        .tool(tool("wait"), |call| async move {
            call.cancelled().await;
            Ok(CallToolResult::text("late"))
        })
        .build();
    let mut peer = Peer::connect(&server);
    peer.request(1, "tools/call", plain(json!({ "name": "wait" }))).await;
    peer.send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } })).await;
    let next = peer.ask(2, "tools/call", plain(json!({ "name": "echo", "arguments": { "text": "next" } }))).await;
    assert_eq!(text(&next), "next");
}

#[tokio::test]
async fn a_handler_asks_in_rounds_and_the_client_answers_in_the_next() {
    let form = || ElicitationSchema::new([("name", StringSchema::new().into())]);
    let server = MockServer::builder()
        .revisions(Revision::ALL)
        .revisions(Revision::ALL)
        .tool(tool("greet"), move |call| async move {
            let roots = call.list_roots().await?.roots.len();
            let who = call.elicit(ElicitRequestFormParams::new("who?", form()).into()).await?;
            let name = who.content.and_then(|content| content.get("name").cloned()).unwrap_or_default();
            Ok(CallToolResult::text(format!("{name} with {roots} roots")))
        })
        .build();
    let mut peer = Peer::connect(&server);
    let all = json!({ "roots": {}, "elicitation": {} });
    let call = |more: Value| {
        let mut params = json!({ "name": "greet" });
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        with_meta(params, all.clone())
    };
    let first = peer.ask(1, "tools/call", call(json!({}))).await["result"].clone();
    assert_eq!(first["resultType"], "input_required");
    assert_eq!(first["inputRequests"], json!({ "ask-1": { "method": "roots/list" } }));
    assert_eq!((first.get("requestState"), first.get("ttlMs")), (None, None));
    let roots = json!({ "ask-1": { "roots": [{ "uri": "file:///a" }] } });
    let second = peer.ask(2, "tools/call", call(json!({ "inputResponses": roots }))).await["result"].clone();
    assert_eq!(second["inputRequests"]["ask-2"]["params"]["message"], "who?");
    let name = json!({ "ask-2": { "action": "accept", "content": { "name": "Ann" } } });
    let last = json!({ "inputResponses": name, "requestState": second["requestState"] });
    assert_eq!(text(&peer.ask(3, "tools/call", call(last.clone())).await), "\"Ann\" with 1 roots");
    // The same again, but not with a state of another making.
    let mut tampered = last;
    tampered["requestState"] = json!("0000000000000000.{}");
    assert_eq!(peer.ask(4, "tools/call", call(tampered)).await["error"]["code"], -32602);
    // What the client cannot do is not asked.
    let refused = peer.ask(5, "tools/call", plain(json!({ "name": "greet" }))).await["error"].clone();
    assert_eq!(refused["code"], -32021);
    assert_eq!(refused["data"], json!({ "requiredCapabilities": { "roots": {} } }));
}

#[tokio::test]
async fn tools_prompts_and_resources_may_say_themselves_what_they_ask() {
    let round = || {
        let mut asks = InputRequests::new();
        asks.insert("mine", InputRequest::from(ListRootsRequest::new()));
        InputRequiredResult::new().with_input_requests(asks).with_request_state("as it was")
    };
    let server = MockServer::builder()
        .revisions(Revision::ALL)
        .revisions(Revision::ALL)
        .tool(tool("t"), move |call| async move {
            match &call.params.request_state {
                Some(state) => Ok(CallToolResult::text(state)),
                None => Err(call.input_required(&round())),
            }
        })
        .prompt(Prompt::new("p"), move |call| async move {
            match &call.params.request_state {
                Some(state) => Ok(GetPromptResult::new([PromptMessage::user(state.as_str())])),
                None => Err(call.input_required(&round())),
            }
        })
        .resource_with(Resource::new("x://1", "one"), move |read| async move {
            match &read.params.request_state {
                Some(state) => Ok(ReadResourceResult::new([ResourceContents::text("x://1", state.as_str())])),
                None => Err(read.input_required(&round())),
            }
        })
        .build();
    let mut peer = Peer::connect(&server);
    for (method, params) in [
        ("tools/call", json!({ "name": "t" })),
        ("prompts/get", json!({ "name": "p" })),
        ("resources/read", json!({ "uri": "x://1" })),
    ] {
        let asked = peer.ask(1, method, plain(params.clone())).await["result"].clone();
        assert_eq!(asked["resultType"], "input_required", "{method}");
        assert_eq!((&asked["requestState"], asked.get("ttlMs")), (&json!("as it was"), None));
        assert_eq!(asked["inputRequests"]["mine"]["method"], "roots/list");
        let mut again = params;
        again["requestState"] = asked["requestState"].clone();
        let answer = peer.ask(2, method, plain(again)).await["result"].clone();
        assert_eq!(answer["resultType"], "complete");
        assert!(answer.to_string().contains("as it was"), "{answer}");
    }
}

async fn listen(peer: &mut Peer, id: i64, filter: Value) -> Value {
    peer.request(id, "subscriptions/listen", plain(json!({ "notifications": filter }))).await;
    let acknowledged = peer.next().await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["_meta"][SUBSCRIPTION], id);
    acknowledged["params"]["notifications"].clone()
}

#[tokio::test]
async fn subscriptions_bring_what_they_asked_for_under_their_ids() {
    let server = echo(MockServer::builder().revisions(Revision::ALL))
        .subscriptions()
        .resource(Resource::new("x://1", "one"), ResourceContents::text("x://1", "one"))
        .build();
    let mut peer = Peer::connect(&server);
    let both = json!({ "toolsListChanged": true, "promptsListChanged": true });
    // There are no prompts, so nothing can change there.
    assert_eq!(listen(&mut peer, 1, both).await, json!({ "toolsListChanged": true }));
    let uris = json!({ "resourceSubscriptions": ["x://1"] });
    assert_eq!(listen(&mut peer, 2, uris.clone()).await, uris);
    server.add_tool(tool("more"), |_| async { Ok(CallToolResult::text("")) }).await;
    let event = peer.next().await;
    assert_eq!(event["method"], "notifications/tools/list_changed");
    assert_eq!(event["params"]["_meta"], json!({ SUBSCRIPTION: 1 }));
    server.resource_updated("x://2").await;
    server.resource_updated("x://1").await;
    let event = peer.next().await;
    assert_eq!(event["params"], json!({ "uri": "x://1", "_meta": { SUBSCRIPTION: 2 } }));
    // One is cancelled by the client, the other ended by the server.
    peer.send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 2 } })).await;
    assert!(peer.ask(3, "tools/list", plain(json!({}))).await["result"].is_object());
    server.resource_updated("x://1").await;
    server.end_subscriptions();
    let end = peer.next().await;
    assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!(1), &json!("complete")));
    assert_eq!(end["result"]["_meta"][SUBSCRIPTION], 1);
    listen(&mut peer, 4, json!({ "toolsListChanged": true })).await;
    server.cancel_subscriptions();
    let cancelled = peer.next().await;
    assert_eq!(
        (&cancelled["method"], &cancelled["params"]["requestId"]),
        (&json!("notifications/cancelled"), &json!(4))
    );
    assert!(peer.ask(5, "tools/list", plain(json!({}))).await["result"].is_object());
}

#[tokio::test]
async fn subscriptions_end_with_the_connection() {
    use tokio::io::AsyncWriteExt;
    let server = echo(MockServer::builder().revisions(Revision::ALL)).build();
    let mut peer = Peer::connect(&server);
    listen(&mut peer, 1, json!({ "toolsListChanged": true })).await;
    server.notify("notifications/x/y", None).await;
    assert_eq!(peer.next().await["method"], "notifications/x/y");
    peer.writer.shutdown().await.unwrap();
    assert_eq!(peer.rest().await, "");
    server.journal().wait_ended().await;
}

#[tokio::test]
async fn subscriptions_misbehave() {
    let server = echo(MockServer::builder().revisions(Revision::ALL))
        .misbehave(When::method("subscriptions/listen").nth(1), Misbehaviour::EarlyEvent)
        .misbehave(When::method("subscriptions/listen").nth(2), Misbehaviour::NoAcknowledgement)
        .misbehave(When::method("tools/list"), Misbehaviour::ForeignSubscription)
        .build();
    let mut peer = Peer::connect(&server);
    let params = || plain(json!({ "notifications": { "toolsListChanged": true } }));
    peer.request(1, "subscriptions/listen", params()).await;
    let early = peer.next().await;
    assert_eq!(
        (&early["method"], &early["params"]["_meta"][SUBSCRIPTION]),
        (&json!("notifications/tools/list_changed"), &json!(1))
    );
    assert_eq!(peer.next().await["method"], "notifications/subscriptions/acknowledged");
    peer.request(2, "subscriptions/listen", params()).await;
    peer.request(3, "tools/list", plain(json!({}))).await;
    assert_eq!(peer.next().await["params"]["_meta"][SUBSCRIPTION], "nobody-asked");
    assert_eq!(peer.next().await["id"], 3);
}

#[tokio::test]
async fn results_misbehave() {
    let state = "abcdefghijklmnopqrstuvwxyzabcd";
    let server = echo(MockServer::builder().revisions(Revision::ALL))
        .misbehave(When::method("tools/call").nth(1), Misbehaviour::ResultType("maybe".to_owned()))
        .misbehave(When::method("tools/call").nth(2), Misbehaviour::InputRequired)
        .misbehave(When::method("tools/call").nth(3), Misbehaviour::InputRequired)
        .misbehave(When::method("tools/call").nth(4), Misbehaviour::RequestState(state.len()))
        .misbehave(When::method("tools/call").nth(5), Misbehaviour::RequestState(state.len()))
        .misbehave(When::method("tools/call").nth(6), Misbehaviour::RequestState(3))
        .misbehave(When::method("server/discover").nth(1), Misbehaviour::unsupported(["2026-07-28"]))
        .misbehave(When::method("server/discover").nth(2), Misbehaviour::header_mismatch())
        .build();
    let mut peer = Peer::connect(&server);
    let call = |state: Option<&str>, capabilities: Value| {
        let mut params = json!({ "name": "echo", "arguments": { "text": "hi" } });
        if let Some(state) = state {
            params["requestState"] = json!(state);
        }
        with_meta(params, capabilities)
    };
    let mut kinds = Vec::new();
    for (state, capabilities) in [
        (None, json!({})),
        (None, json!({ "elicitation": {} })),
        (None, json!({})),
        (None, json!({})),
        (Some(state), json!({})),
        (Some(state), json!({})),
    ] {
        let answer = peer.ask(1, "tools/call", call(state, capabilities)).await;
        kinds.push(match answer.get("error") {
            Some(error) => error["code"].to_string(),
            None => {
                format!("{} {}", answer["result"]["resultType"], answer["result"]["inputRequests"]["again"]["method"])
            }
        });
    }
    assert_eq!(
        kinds,
        [
            r#""maybe" null"#,
            r#""input_required" "elicitation/create""#,
            r#""input_required" null"#,
            r#""input_required" null"#,
            r#""complete" null"#,
            "-32602"
        ]
    );
    assert_eq!(peer.ask(2, "server/discover", plain(json!({}))).await["error"]["code"], -32022);
    assert_eq!(peer.ask(3, "server/discover", plain(json!({}))).await["error"]["code"], -32020);
    assert!(peer.ask(4, "server/discover", plain(json!({}))).await["result"].is_object());
}

#[tokio::test]
async fn a_server_may_have_methods_and_extensions_of_its_own() {
    let server = MockServer::builder()
        .revisions(Revision::ALL)
        .revisions(Revision::ALL)
        .extension("com.example/knots", json!({ "max": 3 }))
        .method("knots/tie", |call| async move { Ok(json!({ "tied": call.params.to_value()["name"] }).into()) })
        .build();
    let mut peer = Peer::connect(&server);
    let found = peer.ask(1, "server/discover", plain(json!({}))).await["result"].clone();
    assert_eq!(found["capabilities"], json!({ "extensions": { "com.example/knots": { "max": 3 } } }));
    let tied = peer.ask(2, "knots/tie", plain(json!({ "name": "bowline" }))).await["result"].clone();
    assert_eq!((&tied["tied"], &tied["resultType"]), (&json!("bowline"), &json!("complete")));
    assert_eq!(peer.handshake("2025-11-25", json!({})).await["capabilities"], json!({}));
    assert_eq!(peer.ask(3, "knots/tie", json!({ "name": "reef" })).await["result"], json!({ "tied": "reef" }));
}
