//! What the mock server does right.

use bowline_protocol::{
    AudioContent, CallToolResult, CompleteResult, Completion, CreateMessageRequestParams, ElicitRequestFormParams,
    ElicitationSchema, ErrorCode, ErrorObject, GetPromptResult, Icon, LoggingLevel, Prompt, PromptMessage,
    ReadResourceResult, Resource, ResourceContents, ResourceTemplate, Revision, SamplingMessage, StringSchema, Tool,
    ToolAnnotations,
};
use bowline_testkit::{MockServer, MockServerBuilder, ResourceRead};
use serde_json::{Value, json};

use crate::peer::Peer;

fn tool(name: &str) -> Tool {
    Tool::new(name, json!({ "type": "object" }))
}

fn echo(builder: MockServerBuilder) -> MockServerBuilder {
    builder.tool(tool("echo"), |call| async move { Ok(CallToolResult::text(call.argument::<String>("text")?)) })
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn l_02_the_revision_is_the_clients_if_it_is_served_or_else_the_newest() {
    let server = MockServer::builder().revisions([Revision::V2025_06_18, Revision::V2024_11_05]).build();
    for (asked, got) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-06-18"),
        ("1.0", "2025-06-18"),
    ] {
        let result = Peer::connect(&server).handshake(asked, json!({})).await;
        assert_eq!(result["protocolVersion"], got, "{asked}");
        assert_eq!(result["serverInfo"]["name"], "mock-server");
        assert_eq!(result["capabilities"], json!({}));
    }
}

#[tokio::test]
async fn before_initialize_only_ping_is_answered() {
    let server = echo(MockServer::builder()).build();
    let mut peer = Peer::connect(&server);
    assert_eq!(peer.ask(1, "ping", json!({})).await["result"], json!({}));
    assert_eq!(peer.ask(2, "tools/list", json!({})).await["error"]["code"], -32600);
    peer.handshake("2025-11-25", json!({})).await;
    assert_eq!(peer.ask(3, "tools/list", json!({})).await["result"]["tools"][0]["name"], "echo");
    let again =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } });
    assert_eq!(peer.ask(4, "initialize", again).await["error"]["code"], -32600);
}

#[tokio::test]
async fn methods_without_their_capability_are_not_found() {
    let server = echo(MockServer::builder()).build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    for method in [
        "resources/list",
        "resources/subscribe",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "no/such",
        "ping2",
    ] {
        assert_eq!(peer.ask(1, method, json!({})).await["error"]["code"], -32601, "{method}");
    }
    let server =
        MockServer::builder().resource(Resource::new("x://1", "one"), ResourceContents::text("x://1", "one")).build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    assert_eq!(peer.ask(1, "resources/subscribe", json!({ "uri": "x://1" })).await["error"]["code"], -32601);
}

#[tokio::test]
async fn capabilities_may_be_declared_by_hand() {
    let odd = json!({ "logging": null, "tools": { "listChanged": null } });
    let server = echo(MockServer::builder()).capabilities(odd.clone()).build();
    let mut peer = Peer::connect(&server);
    assert_eq!(peer.handshake("2025-06-18", json!({})).await["capabilities"], odd);
    assert!(peer.ask(1, "tools/list", json!({})).await["result"].is_object());
    assert_eq!(peer.ask(2, "logging/setLevel", json!({ "level": "info" })).await["error"]["code"], -32601);
}

#[tokio::test]
async fn unknown_names_and_bad_parameters_are_invalid() {
    let server = echo(MockServer::builder())
        .resource(Resource::new("x://1", "one"), ResourceContents::text("x://1", "one"))
        .prompt(
            Prompt::new("p").with_arguments([bowline_protocol::PromptArgument::new("a").with_required(true)]),
            |_| async { Ok(GetPromptResult::new([PromptMessage::user("hi")])) },
        )
        .build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    for (method, params, code) in [
        ("tools/call", json!({ "name": "nope" }), -32602),
        ("tools/call", json!({ "name": "echo", "arguments": { "text": 7 } }), -32602),
        ("tools/call", json!({ "arguments": {} }), -32602),
        ("prompts/get", json!({ "name": "nope" }), -32602),
        ("prompts/get", json!({ "name": "p" }), -32602),
        ("resources/read", json!({ "uri": "x://2" }), -32002),
        ("tools/list", json!({ "cursor": "made up" }), -32602),
    ] {
        let answer = peer.ask(1, method, params.clone()).await;
        assert_eq!(answer["error"]["code"], code, "{method} {params}: {answer}");
    }
}

#[tokio::test]
async fn unreadable_lines_are_answered_without_an_id() {
    let server = MockServer::builder().build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    peer.write(b"nonsense\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]\n{}\n").await;
    for code in [-32700, -32600, -32600] {
        let error = peer.next().await;
        assert_eq!((&error["id"], &error["error"]["code"]), (&Value::Null, &json!(code)));
    }
    let mut peer = Peer::ready(&server, "2025-03-26", json!({})).await;
    peer.write(
        b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}]\n",
    )
    .await;
    assert_eq!((peer.next().await["id"].clone(), peer.next().await["id"].clone()), (json!(1), json!(2)));
}

#[tokio::test]
async fn pg_01_all_four_lists_come_in_pages() {
    let mut builder = MockServer::builder().page_size(2);
    for n in 0..5 {
        let uri = format!("x://{n}");
        builder = builder
            .tool(tool(&format!("t{n}")), |_| async { Ok(CallToolResult::text("")) })
            .resource(Resource::new(uri.as_str(), format!("r{n}")), ResourceContents::text(uri, ""))
            .template(ResourceTemplate::new(format!("y{n}://{{a}}"), format!("m{n}")), |_| async {
                Ok(ReadResourceResult::new([]))
            })
            .prompt(Prompt::new(format!("p{n}")), |_| async { Ok(GetPromptResult::new([])) });
    }
    let server = builder.build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    for (method, member, prefix) in [
        ("tools/list", "tools", "t"),
        ("resources/list", "resources", "r"),
        ("resources/templates/list", "resourceTemplates", "m"),
        ("prompts/list", "prompts", "p"),
    ] {
        let (mut names, mut pages, mut params) = (Vec::new(), 0, json!({}));
        loop {
            let result = peer.ask(1, method, params).await["result"].clone();
            names.extend(
                result[member].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()),
            );
            pages += 1;
            match result.get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => break,
            }
        }
        assert_eq!((pages, names), (3, (0..5).map(|n| format!("{prefix}{n}")).collect()), "{method}");
    }
}

#[tokio::test]
async fn a_slow_tool_holds_up_nothing_and_a_cancelled_one_is_told_and_not_answered() {
    let server = echo(MockServer::builder())
        .tool(tool("wait"), |call| async move {
            call.cancelled().await;
            assert!(call.is_cancelled());
            call.notify("notifications/x/told", None).await;
            Ok(CallToolResult::text("late"))
        })
        .build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    peer.call(1, "wait", json!({})).await;
    assert_eq!(peer.ask(2, "ping", json!({})).await["result"], json!({}));
    peer.send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } })).await;
    assert_eq!(peer.next().await["method"], "notifications/x/told");
    peer.call(3, "echo", json!({ "text": "next" })).await;
    let answer = peer.next().await;
    assert_eq!((&answer["id"], text(&answer)), (&json!(3), "next"));
}

#[tokio::test]
async fn beyond_the_bound_requests_are_refused_and_not_queued() {
    let server = MockServer::builder().tool(tool("wait"), |call| async move {
        call.cancelled().await;
        Ok(CallToolResult::text(""))
    });
    let server = server.max_running(1).build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    peer.call(1, "wait", json!({})).await;
    peer.call(2, "wait", json!({})).await;
    let answer = peer.next().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(2), &json!(-32000)));
    assert!(peer.ask(3, "ping", json!({})).await["result"].is_object());
}

#[tokio::test]
async fn a_handler_that_panics_or_fails_is_an_error_of_its_own_call() {
    let server = MockServer::builder()
        .tool(tool("panic"), |call| async move {
            assert!(call.arguments().is_null(), "an argument that no one expected");
            Ok(CallToolResult::text(""))
        })
        .tool(tool("fail"), |_| async { Err(ErrorObject::new(ErrorCode(-32050), "out of rope")) })
        .build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    peer.call(1, "panic", json!({})).await;
    assert_eq!(peer.next().await["error"]["code"], -32603);
    peer.call(2, "fail", json!({})).await;
    assert_eq!(peer.next().await["error"], json!({ "code": -32050, "message": "out of rope" }));
}

#[tokio::test]
async fn p_02_progress_is_sent_only_where_it_was_asked_for() {
    let server = MockServer::builder()
        .tool(tool("work"), |call| async move {
            call.progress(1.0, Some(2.0), Some("half way")).await;
            Ok(CallToolResult::text("done"))
        })
        .build();
    for (revision, message) in [("2025-11-25", json!("half way")), ("2024-11-05", Value::Null)] {
        let mut peer = Peer::ready(&server, revision, json!({})).await;
        peer.call(1, "work", json!({})).await;
        assert_eq!(text(&peer.next().await), "done");
        peer.request(2, "tools/call", json!({ "name": "work", "_meta": { "progressToken": "t" } })).await;
        let progress = peer.next().await;
        assert_eq!(progress["method"], "notifications/progress");
        assert_eq!(progress["params"]["progressToken"], "t");
        assert_eq!(progress["params"]["message"], message);
        assert_eq!(text(&peer.next().await), "done");
    }
}

#[tokio::test]
async fn lg_02_logs_obey_the_level() {
    let server = MockServer::builder()
        .logging()
        .tool(tool("talk"), |call| async move {
            call.log(LoggingLevel::Debug, "small").await;
            call.log(LoggingLevel::Error, json!({ "code": 7 })).await;
            Ok(CallToolResult::text("done"))
        })
        .build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    peer.call(1, "talk", json!({})).await;
    assert_eq!(peer.next().await["params"], json!({ "level": "debug", "data": "small" }));
    assert_eq!(peer.next().await["params"], json!({ "level": "error", "data": { "code": 7 } }));
    peer.next().await;
    assert_eq!(peer.ask(2, "logging/setLevel", json!({ "level": "warning" })).await["result"], json!({}));
    peer.call(3, "talk", json!({})).await;
    assert_eq!(peer.next().await["params"]["level"], "error");
    assert_eq!(peer.next().await["id"], 3);
}

#[tokio::test]
async fn changes_of_lists_and_resources_are_announced_to_those_concerned() {
    let server = echo(MockServer::builder())
        .subscriptions()
        .resource(Resource::new("x://1", "one"), ResourceContents::text("x://1", "one"))
        .build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    let mut other = Peer::ready(&server, "2025-11-25", json!({})).await;
    assert!(peer.ask(1, "resources/subscribe", json!({ "uri": "x://1" })).await["result"].is_object());
    server.resource_updated("x://1").await;
    let updated = peer.next().await;
    assert_eq!(
        (&updated["method"], &updated["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!("x://1"))
    );
    assert!(peer.ask(2, "resources/unsubscribe", json!({ "uri": "x://1" })).await["result"].is_object());
    server.resource_updated("x://1").await;
    assert!(other.ask(2, "ping", json!({})).await["result"].is_object());
    server.add_tool(tool("more"), |_| async { Ok(CallToolResult::text("")) }).await;
    for peer in [&mut peer, &mut other] {
        assert_eq!(peer.next().await["method"], "notifications/tools/list_changed");
        assert_eq!(peer.ask(3, "tools/list", json!({})).await["result"]["tools"].as_array().unwrap().len(), 2);
    }
    assert!(server.remove_tool("more").await && !server.remove_tool("more").await);
    assert_eq!(peer.next().await["method"], "notifications/tools/list_changed");
    server.add_resource(Resource::new("x://2", "two"), ResourceContents::blob("x://2", b"\x00")).await;
    assert_eq!(peer.next().await["method"], "notifications/resources/list_changed");
    // No prompts were declared, so nobody is told of one.
    server.add_prompt(Prompt::new("p"), |_| async { Ok(GetPromptResult::new([])) }).await;
    assert!(peer.ask(4, "ping", json!({})).await["result"].is_object());
}

#[tokio::test]
async fn templates_and_completion_reach_their_handlers() {
    let server = MockServer::builder()
        .template(ResourceTemplate::new("notes://{folder}/{name}", "note"), |read: ResourceRead| async move {
            let text =
                format!("{} in {}", read.variable("name").unwrap_or("?"), read.variable("folder").unwrap_or("?"));
            Ok(ReadResourceResult::new([ResourceContents::text(read.params.uri.as_str(), text)]))
        })
        .completion(|call| async move {
            Ok(CompleteResult::new(Completion::new([format!("{}!", call.params.argument.value)])))
        })
        .build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    let read = peer.ask(1, "resources/read", json!({ "uri": "notes://trips/kiel" })).await;
    assert_eq!(read["result"]["contents"][0]["text"], "kiel in trips");
    let params = json!({ "ref": { "type": "ref/prompt", "name": "p" }, "argument": { "name": "a", "value": "ru" } });
    assert_eq!(
        peer.ask(2, "completion/complete", params.clone()).await["result"]["completion"]["values"],
        json!(["ru!"])
    );
    // 2024-11-05 has completion, but no capability for it.
    let mut old = Peer::connect(&server);
    assert_eq!(old.handshake("2024-11-05", json!({})).await["capabilities"].get("completions"), None);
    assert_eq!(old.ask(2, "completion/complete", params).await["result"]["completion"]["values"], json!(["ru!"]));
}

#[tokio::test]
async fn older_revisions_get_no_newer_fields() {
    let full = tool("full")
        .with_title("Full")
        .with_output_schema(json!({ "type": "object" }))
        .with_annotations(ToolAnnotations::new().with_read_only_hint(true))
        .with_icons([Icon::new("https://example.com/i.png")]);
    let server = MockServer::builder()
        .tool(full, |_| async {
            let mut result = CallToolResult::text("a").with_structured_content(json!({ "a": 1 }));
            result.content.push(AudioContent::from_bytes(b"RIFF", "audio/wav").into());
            Ok(result)
        })
        .build();
    for (revision, fields, structured, blocks) in [
        ("2024-11-05", [false, false, false, false], false, 1),
        ("2025-03-26", [false, false, true, false], false, 2),
        ("2025-06-18", [true, true, true, false], true, 2),
        ("2025-11-25", [true, true, true, true], true, 2),
    ] {
        let mut peer = Peer::ready(&server, revision, json!({})).await;
        let listed = peer.ask(1, "tools/list", json!({})).await["result"]["tools"][0].clone();
        let has = ["title", "outputSchema", "annotations", "icons"].map(|field| listed.get(field).is_some());
        assert_eq!(has, fields, "{revision}");
        peer.call(2, "full", json!({})).await;
        let result = peer.next().await["result"].clone();
        assert_eq!(result.get("structuredContent").is_some(), structured, "{revision}");
        assert_eq!(result["content"].as_array().unwrap().len(), blocks, "{revision}");
    }
}

fn asking() -> MockServer {
    MockServer::builder()
        .tool(tool("sample"), |call| async move {
            let params = CreateMessageRequestParams::new([SamplingMessage::user("hi")]).with_max_tokens(5);
            Ok(CallToolResult::text(call.sample(params).await?.model))
        })
        .tool(tool("elicit"), |call| async move {
            let form = ElicitationSchema::new([("name", StringSchema::new().into())]);
            let answer = call.elicit(ElicitRequestFormParams::new("who?", form).into()).await?;
            Ok(CallToolResult::text(answer.action.as_str()))
        })
        .tool(tool("roots"), |call| async move {
            Ok(CallToolResult::text(call.list_roots().await?.roots.len().to_string()))
        })
        .tool(tool("ping"), |call| async move { call.ping().await.map(|()| CallToolResult::text("pong")) })
        .tool(tool("impatient"), |call| async move {
            tokio::select! {
                biased;
                _ = call.ping() => {}
                () = call.cancelled() => {}
            }
            Ok(CallToolResult::text("gave up"))
        })
        .build()
}

#[tokio::test]
async fn the_server_asks_only_what_the_client_declared() {
    let server = asking();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    for name in ["sample", "elicit", "roots"] {
        peer.call(1, name, json!({})).await;
        assert_eq!(peer.next().await["error"]["code"], -32601, "{name}");
    }
    let all = json!({ "sampling": {}, "elicitation": {}, "roots": {} });
    let mut peer = Peer::ready(&server, "2025-11-25", all).await;
    let message = json!({ "role": "assistant", "model": "tiny", "content": { "type": "text", "text": "ho" } });
    for (name, method, result, wanted) in [
        ("sample", "sampling/createMessage", message, "tiny"),
        ("elicit", "elicitation/create", json!({ "action": "decline" }), "decline"),
        ("roots", "roots/list", json!({ "roots": [{ "uri": "file:///a" }, { "uri": "file:///b" }] }), "2"),
        ("ping", "ping", json!({}), "pong"),
    ] {
        peer.call(name, name, json!({})).await;
        let question = peer.next().await;
        assert_eq!(question["method"], method);
        peer.send(json!({ "jsonrpc": "2.0", "id": question["id"], "result": result })).await;
        let answer = peer.next().await;
        assert_eq!((answer["id"].as_str(), text(&answer)), (Some(name), wanted));
    }
    // What the client refuses, the handler sees.
    peer.call(9, "sample", json!({})).await;
    let question = peer.next().await;
    peer.send(json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": -1, "message": "no" } })).await;
    assert_eq!(peer.next().await["error"], json!({ "code": -1, "message": "no" }));
}

#[tokio::test]
async fn a_question_that_is_given_up_is_cancelled() {
    let server = asking();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    peer.call(1, "impatient", json!({})).await;
    let question = peer.next().await;
    peer.send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } })).await;
    let cancelled = peer.next().await;
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], question["id"]);
}

#[tokio::test]
async fn the_server_asks_notifies_and_leaves_from_outside_of_a_call() {
    let server = echo(MockServer::builder()).build();
    assert_eq!(server.request("ping", None).await.unwrap_err().code, ErrorCode::INTERNAL_ERROR);
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    server.journal().wait_for_method("notifications/initialized").await;
    let asked = tokio::spawn({
        let server = server.clone();
        async move { server.request("ping", None).await }
    });
    let question = peer.next().await;
    peer.send(json!({ "jsonrpc": "2.0", "id": question["id"], "result": {} })).await;
    assert!(asked.await.unwrap().is_ok());
    peer.ask(1, "ping", json!({})).await;
    server.notify("notifications/x/y", Some(json!({ "n": 1 }).into())).await;
    assert_eq!(peer.next().await["params"], json!({ "n": 1 }));
    server.send_line("just a line").await;
    assert_eq!(peer.line().await, "just a line\n");
    server.disconnect();
    assert_eq!(peer.rest().await, "");
    server.journal().wait_ended().await;
    let methods = server.journal().methods();
    assert_eq!(methods, ["initialize", "notifications/initialized", "ping"]);
    assert_eq!(server.received().iter().filter(|line| line.is_answer()).count(), 1);
}

#[tokio::test]
async fn what_is_about_to_be_answered_is_answered_when_the_client_closes_its_side() {
    use tokio::io::AsyncWriteExt;
    let server = echo(MockServer::builder()).build();
    let mut peer = Peer::ready(&server, "2025-11-25", json!({})).await;
    peer.call(1, "echo", json!({ "text": "last words" })).await;
    peer.writer.shutdown().await.unwrap();
    assert!(peer.rest().await.contains("last words"));
    server.journal().wait_ended().await;
}
