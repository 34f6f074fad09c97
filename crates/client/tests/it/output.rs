//! Structured results, and the schemas that tools promise for them.

use bowline_client::{Client, ClientBuilder, Error, ErrorKind, Event, Outcome, OutputSchemas, Started};
use bowline_protocol::{CallToolResult, ListRootsResult, Revision, Tool};
use bowline_testkit::MockServer;
use bowline_transport::Sent;
use serde_json::{Value, json};

fn result(value: Value) -> CallToolResult {
    serde_json::from_value(value).unwrap()
}

/// A server with one tool, `t`, that answers every call with `answer`.
fn server(schema: Value, answer: &Value) -> MockServer {
    let answer = result(answer.clone());
    let tool = Tool::new("t", json!({"type": "object"})).with_output_schema(schema);
    MockServer::builder()
        .tool(tool, move |_| {
            let answer = answer.clone();
            async { Ok(answer) }
        })
        .build()
}

fn number() -> Value {
    json!({"type": "object", "properties": {"t": {"type": "number"}}, "required": ["t"]})
}

/// Lists the tools, calls `t`, and tells the outcome and what was told of it.
async fn called(
    builder: ClientBuilder,
    schema: Value,
    answer: &Value,
) -> (Result<CallToolResult, Error>, Option<String>) {
    let server = server(schema, answer);
    let client = builder.connect(server.connector()).await.unwrap();
    let mut events = client.events();
    client.tools().all().await.unwrap();
    let outcome = client.call("t").await;
    client.close().await.unwrap();
    let mut told = None;
    while let Some(event) = events.next().await {
        if let Event::Output { tool, problem } = event {
            assert_eq!((tool.as_str(), told.is_none()), ("t", true));
            told = Some(problem);
        }
    }
    (outcome, told)
}

fn with(policy: OutputSchemas) -> ClientBuilder {
    Client::builder().output_schemas(policy)
}

#[tokio::test]
async fn t_03_a_result_that_does_not_fit_is_told_refused_or_let_through() {
    let answer = json!({"content": [{"type": "text", "text": "kept"}], "structuredContent": {"t": "secret"}});
    let (outcome, told) = called(Client::builder(), number(), &answer).await;
    assert_eq!(outcome.unwrap().joined_text(), "kept");
    let told = told.unwrap();
    assert!(told.contains("at /t") && told.contains("number") && !told.contains("secret"), "{told}");

    let (outcome, told) = called(with(OutputSchemas::Ignore), number(), &answer).await;
    assert_eq!((outcome.unwrap().joined_text().as_str(), told), ("kept", None));

    let (outcome, told) = called(with(OutputSchemas::Reject), number(), &answer).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.sent(), told), (ErrorKind::Output, Sent::Yes, None));
    assert!(error.to_string().starts_with("tools/call: the tool \"t\" broke its promise: "), "{error}");
    assert!(!error.is_retryable() && !error.to_string().contains("secret"), "{error}");
    // T-07: the caller can still look at all of it.
    assert_eq!(error.tool_result().unwrap().joined_text(), "kept");
}

#[tokio::test]
async fn t_06_case_tools_005_what_failed_is_not_checked() {
    let answer = json!({"content": [{"type": "text", "text": "quota used up"}], "isError": true});
    let (outcome, told) = called(with(OutputSchemas::Reject), number(), &answer).await;
    let result = outcome.unwrap();
    assert!(result.is_error());
    assert_eq!((result.joined_text().as_str(), told), ("quota used up", None));
}

#[tokio::test]
async fn case_tools_007_only_the_structured_part_is_looked_at() {
    let schema = json!({"type": "object", "properties": {"tags": {"type": "array"}}, "required": ["tags"], "additionalProperties": false});
    let answer = json!({"content": [{"type": "text", "text": "{}"}], "structuredContent": {"tags": []}, "isError": false, "_meta": {"x": 1}});
    let (outcome, told) = called(with(OutputSchemas::Reject), schema, &answer).await;
    assert!(outcome.is_ok() && told.is_none(), "{told:?}");
}

#[tokio::test]
async fn case_tools_008_a_missing_structured_part_loses_no_content() {
    let answer = json!({"content": [{"type": "text", "text": "{\"t\":3}"}]});
    let (outcome, told) = called(Client::builder(), number(), &answer).await;
    assert_eq!(outcome.unwrap().joined_text(), "{\"t\":3}");
    assert!(told.unwrap().contains("no structuredContent"));
    let (outcome, _) = called(with(OutputSchemas::Reject), number(), &answer).await;
    assert_eq!(outcome.unwrap_err().tool_result().unwrap().joined_text(), "{\"t\":3}");
}

#[tokio::test]
async fn t_04_an_array_before_2026_07_28_is_no_structured_content() {
    let answer = json!({"content": [], "structuredContent": [1]});
    for revision in [Revision::V2025_06_18, Revision::V2025_11_25] {
        let (outcome, told) = called(with(OutputSchemas::Reject).revision(revision), json!({}), &answer).await;
        assert_eq!((outcome.unwrap_err().kind(), told), (ErrorKind::Output, None));
        let (outcome, told) = called(Client::builder().revision(revision), json!({}), &answer).await;
        assert!(outcome.is_ok() && told.unwrap().contains("an array"));
    }
}

#[tokio::test]
async fn js_03_js_05_a_schema_that_cannot_be_used_loses_no_result() {
    let answer = json!({"content": [{"type": "text", "text": "kept"}], "structuredContent": {}});
    for (schema, named) in [
        (json!({"$ref": "http://127.0.0.1:9/x"}), "http://127.0.0.1:9/x"),
        (json!({"$schema": "x:y"}), "x:y"),
        (json!({"type": "thing"}), "/type"),
    ] {
        let (outcome, told) = called(with(OutputSchemas::Reject), schema, &answer).await;
        assert_eq!(outcome.unwrap().joined_text(), "kept");
        assert!(told.as_ref().is_some_and(|told| told.contains(named)), "{told:?}");
    }
}

#[tokio::test]
async fn a_tool_that_was_not_listed_is_not_checked() {
    let server = server(number(), &json!({"content": [], "structuredContent": {}}));
    let client = with(OutputSchemas::Reject).connect(server.connector()).await.unwrap();
    assert!(client.call("t").await.is_ok());
    assert!(client.output_schema("t").is_none());
    client.list_page::<Tool>(None).await.unwrap();
    assert_eq!(client.call("t").await.unwrap_err().kind(), ErrorKind::Output);
    // By hand.
    let schema = client.output_schema("t").unwrap();
    assert_eq!(schema.as_raw().to_value(), number());
    assert!(schema.check(&result(json!({"structuredContent": {"t": 1}}))).await.is_ok());
    let error = schema.check(&result(json!({"structuredContent": {"t": null}}))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output);
    assert!(client.output_schema("other").is_none());
}

#[tokio::test]
async fn schemas_are_forgotten_when_the_tools_change() {
    let tool = Tool::new("t", json!({"type": "object"})).with_output_schema(number());
    let server = MockServer::builder()
        .capabilities(json!({"tools": {"listChanged": true}}))
        .tool(tool, |call: bowline_testkit::ToolCall| async move {
            call.notify("notifications/tools/list_changed", None).await;
            Ok(CallToolResult::text("changed"))
        })
        .build();
    let client = with(OutputSchemas::Ignore).connect(server.connector()).await.unwrap();
    let mut events = client.events();
    client.tools().all().await.unwrap();
    assert!(client.output_schema("t").is_some());
    client.call("t").await.unwrap();
    while let Some(event) = events.next().await {
        if matches!(event, Event::ToolsChanged) {
            assert!(client.output_schema("t").is_none());
            return;
        }
    }
    panic!("the change was not told");
}

/// Every way to the result of a tool, by name.
const WAYS: [&str; 5] = ["plain", "by hand", "a round by hand", "as a task", "a task in hand"];

/// Calls a tool in one of the [`WAYS`].
async fn by(client: &Client, way: &str) -> Result<CallToolResult, Error> {
    let complete = |outcome| match outcome {
        Outcome::Complete(result) => result,
        other => panic!("{way}: {other:?}"),
    };
    match way {
        "plain" => client.call("t").await,
        "by hand" => client.call("t").by_hand().await.map(complete),
        "a round by hand" => match client.call("t").arg("asks", true).by_hand().await? {
            Outcome::InputRequired(asks) => {
                let key = asks.keys().remove(0);
                asks.answer(key, ListRootsResult::new(Vec::new())).send().await.map(complete)
            }
            // In a session the server asks by a request.
            Outcome::Complete(result) => Ok(result),
            other => panic!("{other:?}"),
        },
        "as a task" => client.call("job").as_task().await,
        _ => match client.call("job").as_task().start().await? {
            Started::Task(mut task) => task.result().await,
            other => panic!("{other:?}"),
        },
    }
}

#[tokio::test(start_paused = true)]
async fn t_03_the_same_verdict_stands_by_hand_after_rounds_and_for_tasks() {
    let unfit = || {
        let content = json!({"content": [{"type": "text", "text": "kept"}], "structuredContent": {"t": "x"}});
        std::future::ready(Ok(result(content)))
    };
    let job = json!({"name": "job", "inputSchema": {"type": "object"}, "outputSchema": number(),
        "execution": {"taskSupport": "optional"}});
    let server = MockServer::builder()
        .revisions([Revision::V2025_11_25, Revision::V2026_07_28])
        .tool(Tool::new("t", json!({"type": "object"})).with_output_schema(number()), move |call| async move {
            if call.arguments().to_value().get("asks").is_some() {
                call.list_roots().await?;
            }
            unfit().await
        })
        .tool(serde_json::from_value(job).unwrap(), move |_| unfit())
        .build();
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        for policy in [OutputSchemas::Reject, OutputSchemas::Warn, OutputSchemas::Ignore] {
            for way in WAYS {
                let builder = with(policy).roots(Vec::new()).revision(revision);
                let client = builder.connect(server.connector()).await.unwrap();
                let mut events = client.events();
                client.tools().all().await.unwrap();
                let outcome = by(&client, way).await;
                client.close().await.unwrap();
                let mut told = false;
                while let Some(event) = events.next().await {
                    told |= matches!(event, Event::Output { .. });
                }
                assert_eq!(told, policy == OutputSchemas::Warn, "{revision}, {policy:?}, {way}");
                match outcome {
                    Ok(result) => assert_eq!(result.joined_text(), "kept"),
                    Err(error) => {
                        assert_eq!((error.kind(), policy), (ErrorKind::Output, OutputSchemas::Reject), "{way}");
                        assert_eq!(error.tool_result().unwrap().joined_text(), "kept");
                        continue;
                    }
                }
                assert_ne!(policy, OutputSchemas::Reject, "{revision}, {way}");
            }
        }
    }
}
