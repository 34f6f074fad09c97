//! Only what was negotiated is sent, in the form of the negotiated revision (basic/lifecycle, operation).

mod schema;

use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::{CompletionReference, ErrorCode, Meta, TextContent};
use bowline::{ElicitationHandler, ElicitationSupport, HandlerResult};
use bowline_testkit::{Journal, MockServer, demo};
use serde_json::{Value, json};

use crate::support::{connect, with_handshake, within};

const REVISIONS: [Revision; 4] =
    [Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

/// How everything that needs a capability ends, with the method.
async fn everything(client: &Client) -> Vec<(&'static str, Error)> {
    let uri = json!({ "uri": "x://1" });
    vec![
        ("tools/list", client.tools().all().await.unwrap_err()),
        ("tools/call", client.call("x").await.unwrap_err()),
        ("resources/list", client.resources().all().await.unwrap_err()),
        ("resources/read", client.read("x://1").await.unwrap_err()),
        ("resources/subscribe", client.subscribe("x://1").await.unwrap_err()),
        ("resources/unsubscribe", client.request("resources/unsubscribe").params(uri).await.unwrap_err()),
        ("prompts/list", client.prompts().all().await.unwrap_err()),
        ("prompts/get", client.prompt("x").await.unwrap_err()),
        ("logging/setLevel", client.set_level(LoggingLevel::Info).await.unwrap_err()),
        ("completion/complete", client.complete(CompletionReference::prompt("x"), "a", "b").await.unwrap_err()),
        ("tasks/list", client.tasks().all().await.unwrap_err()),
        ("tasks/get", client.task("1").await.unwrap_err()),
        ("tasks/result", client.task_result("1").await.unwrap_err()),
        ("tasks/cancel", client.cancel_task("1").await.unwrap_err()),
    ]
}

// Duty: L-07, L-09, M-01, M-06, R-01
#[tokio::test]
async fn what_was_not_declared_fails_and_is_not_sent() {
    let server = MockServer::builder().build();
    let client = within(with_handshake().connect(server.connector())).await.unwrap();
    for (method, error) in within(everything(&client)).await {
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Unsupported, Sent::No), "{error}");
        assert_eq!(error.method(), Some(method));
        let capability = method.split('/').next().unwrap().trim_end_matches('s').replace("completion", "completions");
        assert!(error.to_string().contains(&format!("\"{capability}")), "{error}");
        assert!(error.to_string().contains("allow_undeclared"), "{error}");
    }
    let error = within(client.resource_templates().all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = within(client.request("tools/call").params(json!({ "name": "x" }))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "the raw request is checked too");
    within(client.ping()).await.unwrap();
    assert_eq!(server.journal().methods(), ["initialize", "notifications/initialized", "ping"]);
}

// Duty: R-01
#[tokio::test]
async fn a_subscription_needs_more_than_resources() {
    let server = MockServer::builder().capabilities(json!({ "resources": {} })).build();
    let client = within(with_handshake().connect(server.connector())).await.unwrap();
    let error = within(client.subscribe("x://1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("resources.subscribe"), "{error}");
    assert!(within(client.resources().all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn undeclared_requests_are_sent_where_that_is_allowed() {
    let server = MockServer::builder().build();
    let client = within(with_handshake().allow_undeclared(true).connect(server.connector())).await.unwrap();
    let ends = within(everything(&client)).await;
    for (method, error) in &ends {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(ErrorCode::METHOD_NOT_FOUND)), "{method}");
    }
    let sent = server.journal().methods();
    assert_eq!(sent[2..], ends.iter().map(|(method, _)| *method).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_method_that_the_revision_lacks_fails_and_is_not_sent() {
    for (revision, methods) in [
        (Revision::V2024_11_05, ["tasks/list", "tasks/get", "server/discover", "subscriptions/listen"]),
        (Revision::V2025_06_18, ["tasks/list", "tasks/cancel", "server/discover", "subscriptions/listen"]),
        (Revision::V2025_11_25, ["server/discover", "subscriptions/listen", "tasks/update", "server/discover"]),
    ] {
        let server = demo::builder().revisions([revision]).build();
        let client = within(with_handshake().connect(server.connector())).await.unwrap();
        for method in methods {
            let error = within(client.request(method)).await.unwrap_err();
            assert_eq!((error.kind(), error.sent()), (ErrorKind::Unsupported, Sent::No), "{method}");
            assert!(error.to_string().contains(revision.as_str()), "{error}");
        }
        // Methods outside of the specification are the caller's business.
        let error = within(client.request("vendor/own")).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::METHOD_NOT_FOUND));
        assert_eq!(server.journal().methods(), ["initialize", "notifications/initialized", "vendor/own"]);
    }
}

#[tokio::test]
async fn null_and_odd_capabilities_count_as_their_specification_says() {
    let capabilities = json!({ "tools": true, "prompts": false, "resources": [], "logging": null, "vendor": 7 });
    let script = bowline_testkit::Script::new()
        .handshake("2025-11-25", capabilities)
        .expect("tools/list")
        .reply(json!({ "tools": [] }))
        .expect("resources/list")
        .reply(json!({ "resources": [] }));
    let (client, _) = connect(script).await;
    assert!(within(client.tools().all()).await.unwrap().is_empty());
    assert!(within(client.resources().all()).await.unwrap().is_empty());
    assert_eq!(client.prompts().all().await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(client.set_level(LoggingLevel::Info).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

/// Accepts forms and URLs.
struct Accepting;

impl ElicitationHandler for Accepting {
    fn elicit(
        &self,
        request: ElicitRequestParams,
        _: RequestContext,
    ) -> bowline::transport::BoxFuture<'_, HandlerResult<ElicitResult>> {
        Box::pin(async move {
            Ok(match request {
                ElicitRequestParams::Form(_) => ElicitResult::accept([("name", json!("Ada"))]),
                _ => ElicitResult::accept_url(),
            })
        })
    }

    fn support(&self) -> ElicitationSupport {
        ElicitationSupport::default().with_url()
    }
}

/// Does everything that a client can do with the demonstration server, and gives what that received.
async fn tour(revision: Revision) -> Journal {
    let server = demo::builder().revisions([revision]).page_size(2).build();
    let builder = Client::builder()
        .revision(revision)
        .allow_undeclared(true)
        .roots(vec![Root::from_path(&std::env::current_dir().unwrap()).unwrap()])
        .on_sampling(|_: CreateMessageRequestParams, context: RequestContext| async move {
            context.report_progress(0.5, Some(1.0)).await;
            Ok(CreateMessageResult::new("a-model", TextContent::new("short")).with_stop_reason("endTurn"))
        })
        .on_elicitation(Accepting);
    let client = builder.connect(server.connector()).await.unwrap();

    client.tools().all().await.unwrap();
    let resources = client.resources().all().await.unwrap();
    client.resource_templates().all().await.unwrap();
    let prompts = client.prompts().all().await.unwrap();

    client.call("echo").arg("message", "ahoy").await.unwrap();
    let with_all = client.call("add").args(json!({ "a": 1, "b": 2 })).progress_token("job-α");
    with_all.meta(Meta::new().with("vendor/key", json!({ "deep": [1] }))).await.unwrap();
    client.call("countdown").arg("from", 2).arg("pauseMs", 0).on_progress(|_| {}).await.unwrap();
    client.call("summarise").arg("text", "a long text").await.unwrap();
    client.call("roots").await.unwrap();
    let named = client.call("ask-name").await;
    assert_eq!(named.is_ok(), revision.has_elicitation());

    client.read(&resources[0].uri).await.unwrap();
    let prompt = prompts[0]
        .arguments
        .iter()
        .flatten()
        .fold(client.prompt(&prompts[0].name), |request, argument| request.arg(&argument.name, "bowline"));
    prompt.await.unwrap();
    let reference = CompletionReference::prompt(&prompts[0].name);
    // Whether the demonstration can complete this is not the point.
    let _ = client.complete(reference, "knot", "b").context("language", "en").await;
    let _ = client.complete(CompletionReference::resource("log://{day}"), "day", "m").await;
    client.ping().await.unwrap();
    client.set_level(LoggingLevel::Warning).await.unwrap();
    drop(client.subscribe(&resources[0].uri).await.unwrap());
    server.journal().wait_for_method("resources/unsubscribe").await;
    client.roots_changed().await.unwrap();
    if revision.has_tasks() {
        let _ = client.tasks().all().await.unwrap_err();
        let _ = client.list_page::<bowline::protocol::Task>(Some("after-1")).await.unwrap_err();
        let _ = client.task("t").await.unwrap_err();
        let _ = client.task_result("t").await.unwrap_err();
        let _ = client.cancel_task("t").await.unwrap_err();
    }

    // What the server asks by itself: what exists, with progress, and what does not.
    server.request("ping", None).await.unwrap();
    let sampling = json!({
        "messages": [{ "role": "user", "content": { "type": "text", "text": "?" } }], "maxTokens": 1,
        "_meta": { "progressToken": "p" },
    });
    server.request("sampling/createMessage", Some(sampling.into())).await.unwrap();
    if revision.has_url_elicitation() {
        let url = json!({ "mode": "url", "message": "Visit", "url": "https://example.com/a", "elicitationId": "e1" });
        server.request("elicitation/create", Some(url.into())).await.unwrap();
    }
    server.request("sampling/createMessage", Some(json!({ "messages": 7 }).into())).await.unwrap_err();
    server.request("vendor/ask", None).await.unwrap_err();

    // A call that is dropped, and one whose time is up.
    let slow = || client.call("countdown").arg("from", 10_000).arg("pauseMs", 10_000);
    let before = server.received().len();
    tokio::select! {
        biased;
        result = slow() => panic!("an answer: {result:?}"),
        () = async { while server.received().len() == before { tokio::task::yield_now().await } } => {}
    }
    slow().max_time(Duration::from_millis(1)).await.unwrap_err();
    client.close().await.unwrap();
    server.journal().wait_ended().await;
    server.journal().clone()
}

/// The definition of a message that was sent, and of its result where it is an answer.
fn definitions(frame: &Value, revision: Revision) -> Vec<(&'static str, Value)> {
    let definition = match frame["method"].as_str() {
        Some("initialize") => "InitializeRequest",
        Some("notifications/initialized") => "InitializedNotification",
        Some("notifications/cancelled") => "CancelledNotification",
        Some("notifications/progress") => "ProgressNotification",
        Some("notifications/roots/list_changed") => "RootsListChangedNotification",
        Some("ping") => "PingRequest",
        Some("tools/list") => "ListToolsRequest",
        Some("tools/call") => "CallToolRequest",
        Some("resources/list") => "ListResourcesRequest",
        Some("resources/templates/list") => "ListResourceTemplatesRequest",
        Some("resources/read") => "ReadResourceRequest",
        Some("resources/subscribe") => "SubscribeRequest",
        Some("resources/unsubscribe") => "UnsubscribeRequest",
        Some("prompts/list") => "ListPromptsRequest",
        Some("prompts/get") => "GetPromptRequest",
        Some("completion/complete") => "CompleteRequest",
        Some("logging/setLevel") => "SetLevelRequest",
        Some("tasks/list") => "ListTasksRequest",
        Some("tasks/get") => "GetTaskRequest",
        Some("tasks/result") => "GetTaskPayloadRequest",
        Some("tasks/cancel") => "CancelTaskRequest",
        Some(other) => panic!("a method that is not looked at: {other}"),
        None => "JSONRPCMessage",
    };
    let mut found = vec![("JSONRPCMessage", frame.clone()), (definition, frame.clone())];
    if frame["method"].is_string() {
        let union = if frame.get("id").is_some() { "ClientRequest" } else { "ClientNotification" };
        found.push((union, frame.clone()));
    } else if let Some(result) = frame.get("result") {
        let definition = if result.get("roots").is_some() {
            "ListRootsResult"
        } else if result.get("action").is_some() {
            "ElicitResult"
        } else if result.get("model").is_some() {
            "CreateMessageResult"
        } else {
            "EmptyResult"
        };
        found.extend([(definition, result.clone()), ("ClientResult", result.clone())]);
    } else {
        let error = if revision >= Revision::V2025_11_25 { "JSONRPCErrorResponse" } else { "JSONRPCError" };
        found.push((error, frame.clone()));
    }
    found
}

// Duty: J-01, J-02, J-05, J-09, J-10, K-01, O-01, Q-01
#[tokio::test]
async fn all_that_is_sent_in_a_revision_fits_its_schema() {
    for revision in REVISIONS {
        let journal = within(tour(revision)).await;
        let lines = journal.lines();
        let count = |method: &str| lines.iter().filter(|line| line.method() == method).count();
        assert_eq!(count("notifications/cancelled"), 2, "{revision}");
        assert_eq!(count("tools/call"), 8, "{revision}");
        assert!(count("tools/list") > 1 && count("notifications/progress") > 0, "{revision}");
        let Some(mut schema) = schema::Schema::load(revision) else { continue };
        for line in &lines {
            let frame = line.to_value();
            assert!(frame.is_object(), "one message a line: {:?}", line.frame);
            for (definition, value) in definitions(&frame, revision) {
                schema.check(definition, &value);
            }
        }
    }
}

// Duty: L-06, L-08, D-01, M-04
#[tokio::test]
async fn what_a_revision_does_not_have_is_left_out_of_its_frames() {
    for revision in REVISIONS {
        let journal = within(tour(revision)).await;
        let first = |method: &str| journal.lines().iter().find(|line| line.method() == method).unwrap().to_value();
        let initialize = first("initialize");
        assert_eq!(initialize["params"]["protocolVersion"], revision.as_str());
        let capabilities = initialize["params"]["capabilities"].as_object().unwrap();
        assert_eq!(capabilities.contains_key("elicitation"), revision.has_elicitation(), "{revision}");
        if revision.has_url_elicitation() {
            assert_eq!(capabilities["elicitation"], json!({ "form": {}, "url": {} }));
        } else if revision.has_elicitation() {
            assert_eq!(capabilities["elicitation"], json!({}));
        }
        let complete = first("completion/complete");
        assert_eq!(complete["params"].get("context").is_some(), revision.has_completion_context(), "{revision}");
    }
}
