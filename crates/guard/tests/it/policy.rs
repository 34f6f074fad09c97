//! Calls that a policy decides on.

use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Client, ErrorKind};
use bowline_guard::{
    Action, Answer, Audit, AuditError, AuditSink, Guard, Outcome, Pins, Policy, Question, Record, Refusal, Stage,
};
use bowline_protocol::{RawJson, Resource, ResourceContents, Revision, SubscriptionFilter, ToolAnnotations};
use bowline_testkit::MockServer;
use bowline_transport::BoxFuture;

use crate::support::{connect, count, says, server, tool};

fn guard(policy: &str) -> Guard {
    Guard::builder().policy(format!("{policy}\n# end").parse().unwrap()).build()
}

#[tokio::test]
async fn what_is_denied_is_not_sent_and_says_by_which_rule() {
    let server = server([tool("read", ""), tool("erase", "")]);
    let guard =
        guard("default = 'allow'\n[[rule]]\nname = 'no-loss'\ntool = 'erase'\naction = 'deny'\nreason = 'ask Ann'");
    let client = connect(&guard, "files", &server).await;
    client.call("read").await.unwrap();
    let error = client.call("erase").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(
        error.to_string(),
        "tools/call: tool \"erase\" of server \"files\" is denied by rule \"no-loss\": ask Ann; change the policy if it \
         should go"
    );
    assert_eq!(Refusal::of(&error).unwrap().rule(), Some("no-loss"));
    assert_eq!(count(&server, "tools/call"), 1);
    assert_eq!((guard.stats().let_go, guard.stats().refused), (1, 1));
    // Without pins, and without trust, nobody lists.
    assert_eq!(count(&server, "tools/list"), 0);
}

#[tokio::test]
async fn a_name_that_cannot_be_told_hides_no_tool_from_a_rule() {
    let server = server([tool("read", ""), tool("erase", "")]);
    let guard = guard("default = 'allow'\n[[rule]]\ntool = 'erase'\naction = 'deny'");
    let client = connect(&guard, "files", &server).await;
    for params in [
        r#"{"name":"erase","uri":5}"#,
        r#"{"name":"erase","name":"read"}"#,
        r#"{"name":"read","n\u0061me":"erase"}"#,
        r#"{"name":["erase"]}"#,
        "{}",
        // Some servers look past the case.
        r#"{"name":"read","Name":"erase"}"#,
        r#"{"name":"read","arguments":{"q":"a"},"Arguments":{"q":"b"}}"#,
        r#"{"name":"read","argument\u017f":{"q":"b"}}"#,
    ] {
        let params: RawJson = params.parse().unwrap();
        let error = client.request("tools/call").params(&params).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{}", params.as_str());
    }
    assert_eq!(count(&server, "tools/call"), 0);
    let params: RawJson = r#"{"uri":5,"name":"read"}"#.parse().unwrap();
    client.request("tools/call").params(&params).await.unwrap();
}

#[tokio::test]
async fn a_record_that_is_required_and_has_no_place_lets_nothing_go() {
    let server = server([tool("read", "")]);
    let guard = guard("default = 'allow'\n[audit]\nrequired = true");
    let client = connect(&guard, "files", &server).await;
    let error = client.call("read").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.to_string().contains("GuardBuilder::audit"), "{error}");
    assert_eq!(count(&server, "tools/call"), 0);
}

#[tokio::test]
async fn arguments_decide_and_are_not_told() {
    let server = server([tool("find", "")]);
    let guard =
        guard("default = 'allow'\n[[rule]]\naction = 'deny'\nargument = [{ pointer = '/q', regex = 'hunter' }]");
    let client = connect(&guard, "files", &server).await;
    client.call("find").arg("q", "knots").await.unwrap();
    let error = client.call("find").arg("q", "hunter2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn annotations_of_a_trusted_server_decide_and_others_do_not() {
    let reads = tool("read", "").with_annotations(ToolAnnotations::new().with_read_only_hint(true));
    let server = server([reads.clone(), tool("write", "")]);
    let guard = Guard::builder().policy(Policy::read_only()).build();
    let trusted = Client::builder().layer(guard.layer("files").trust(true));
    let trusted = trusted.connect(server.connector()).await.unwrap();
    trusted.call("read").await.unwrap();
    assert_eq!(trusted.call("write").await.unwrap_err().kind(), ErrorKind::Denied);
    let client = connect(&guard, "files", &server).await;
    let error = client.call("read").await.unwrap_err();
    assert!(Refusal::of(&error).unwrap().needs_approval());
    // What says nothing any more is not read-only any more.
    let silent = tool("read", "");
    server.add_tool(silent.clone(), says(&silent)).await;
    trusted.ping().await.unwrap();
    assert_eq!(trusted.call("read").await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn reading_goes_by_the_method_and_what_is_of_the_protocol_goes_at_all() {
    let server = MockServer::builder()
        .resource(Resource::new("file:///a", "a"), ResourceContents::text("file:///a", "text"))
        .build();
    let client = connect(&Guard::builder().policy(Policy::read_only()).build(), "files", &server).await;
    client.read("file:///a").await.unwrap();
    let guard = Guard::builder().policy(Policy::all(Action::Deny)).pins(Pins::in_memory()).build();
    let client = connect(&guard, "files", &server).await;
    client.ping().await.unwrap();
    assert_eq!(client.resources().all().await.unwrap().len(), 1);
    assert_eq!(client.read("file:///a").await.unwrap_err().kind(), ErrorKind::Denied);
    for method in ["com.example/do", "resources/subscribe", "tasks/cancel"] {
        assert_eq!(client.request(method).await.unwrap_err().kind(), ErrorKind::Denied, "{method}");
    }
}

#[tokio::test]
async fn callers_are_told_apart() {
    let server = server([tool("read", "")]);
    let guard = guard("default = 'deny'\n[[rule]]\ncaller = 'ann'\naction = 'allow'");
    for (caller, goes) in [("ann", true), ("bob", false)] {
        let client = connect(&guard.for_caller(caller), "files", &server).await;
        assert_eq!(client.call("read").await.is_ok(), goes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_says_when_the_next_call_goes() {
    let server = server([tool("read", "")]);
    let guard = guard("default = 'deny'\n[[rule]]\naction = 'allow'\nlimit = { calls = 1, per = 'minute' }");
    let client = connect(&guard, "files", &server).await;
    client.call("read").await.unwrap();
    let error = client.call("read").await.unwrap_err();
    assert!(
        error.to_string().ends_with("its limit of 1 calls in 60s is reached; the next one goes in 60 s"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_counts_what_goes() {
    let server = server([tool("read", "")]);
    let policy = "default = 'deny'\n[[rule]]\naction = 'ask'\nlimit = { calls = 2, per = 'hour' }\n# end";
    let says = Arc::new(Mutex::new(vec![Answer::Allow, Answer::Allow, Answer::Deny]));
    let guard = Guard::builder().policy(policy.parse().unwrap()).approver(move |_: Question| {
        let answer = says.lock().unwrap().pop();
        async move { answer.expect("nobody is asked about a call over the limit") }
    });
    let client = connect(&guard.build(), "files", &server).await;
    client.call("read").await.unwrap_err();
    client.call("read").await.unwrap();
    tokio::time::advance(Duration::from_secs(1_800)).await;
    client.call("read").await.unwrap();
    let error = client.call("read").await.unwrap_err();
    assert!(error.to_string().ends_with("the next one goes in 1800 s"), "{error}");
}

/// A server with two resources that can be watched.
fn notes(revision: Revision) -> MockServer {
    let note = |uri: &str| (Resource::new(uri, "note"), ResourceContents::text(uri, "text"));
    let ((a, text), (b, secret)) = (note("note://a"), note("note://secret/b"));
    MockServer::builder().revisions([revision]).resource(a, text).resource(b, secret).subscriptions().build()
}

#[tokio::test]
async fn rules_about_resources_are_about_their_subscriptions_too() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let server = notes(revision);
        let guard =
            guard("default = 'allow'\n[[rule]]\nname = 'secret'\nresource = 'note://secret/*'\naction = 'deny'");
        let client = connect(&guard, "notes", &server).await;
        let watched = client.subscribe("note://a").await.unwrap();
        let asks = count(&server, "resources/subscribe") + count(&server, "subscriptions/listen");
        assert_eq!(asks, 1);
        let both =
            SubscriptionFilter::new().with_resource_subscriptions(["note://a", "note://secret/b"].map(String::from));
        for error in [client.subscribe("note://secret/b").await.unwrap_err(), client.listen(both).await.unwrap_err()] {
            assert_eq!((error.kind(), Refusal::of(&error).unwrap().rule()), (ErrorKind::Denied, Some("secret")));
            assert!(error.to_string().contains("changes of resource \"note://secret/b\""), "{error}");
        }
        // By hand as well, however it is written.
        let by_hand = if revision == Revision::V2025_11_25 {
            ["resources/subscribe"; 3].into_iter().zip([
                r#"{"uri":"note://secret/b"}"#,
                r#"{"uri":"note://a","uri":"note://secret/b"}"#,
                "{}",
            ])
        } else {
            ["subscriptions/listen"; 3].into_iter().zip([
                r#"{"notifications":{"resourceSubscriptions":["note://a","note://secret/b"]}}"#,
                r#"{"notifications":{"resourceSubscriptions":["note://secret/b"],"resourceSubscriptions":[]}}"#,
                r#"{"notifications":{"resourceSubscriptions":"note://secret/b"}}"#,
            ])
        };
        for (method, params) in by_hand {
            let params: RawJson = params.parse().unwrap();
            let error = client.request(method).params(&params).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{method} {}: {error}", params.as_str());
        }
        assert_eq!(count(&server, "resources/subscribe") + count(&server, "subscriptions/listen"), asks);
        drop(watched);
    }
}

#[tokio::test]
async fn whoever_is_asked_decides_on_a_subscription_and_it_is_on_record() {
    let (sink, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(vec![Answer::Deny, Answer::Allow])));
    let audit = Audit::new(Kept(Arc::clone(&sink)));
    let guard = Guard::builder()
        .policy(Policy::all(Action::Ask))
        .audit(audit.clone())
        .approver(move |question: Question| {
            assert_eq!(question.title(), "watch notes.note://a");
            let answer = answers.lock().unwrap().pop().unwrap();
            async move { answer }
        })
        .build();
    let server = notes(Revision::V2026_07_28);
    let client = connect(&guard, "notes", &server).await;
    let watched = client.subscribe("note://a").await.unwrap();
    assert_eq!(client.subscribe("note://a").await.unwrap_err().kind(), ErrorKind::Denied);
    // Lists and tasks are of the protocol itself.
    client
        .changes()
        .await
        .map(drop)
        .or_else(|error| if error.kind() == ErrorKind::Unsupported { Ok(()) } else { Err(error) })
        .unwrap();
    drop(watched);
    audit.flush().await.unwrap();
    let said: Vec<_> = sink.lock().unwrap().iter().map(|record: &Record| (record.stage, record.name.clone())).collect();
    let name = Some("note://a".to_owned());
    assert_eq!(said, [(Stage::Begin, name.clone()), (Stage::Refused, name)]);
}

/// Keeps records in memory.
#[derive(Debug)]
struct Kept(Arc<Mutex<Vec<Record>>>);

impl AuditSink for Kept {
    fn write(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), AuditError>> {
        self.0.lock().unwrap().extend(records);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_while_somebody_is_asked_is_on_record() {
    let sink = Arc::new(Mutex::new(Vec::new()));
    let audit = Audit::new(Kept(Arc::clone(&sink)));
    let guard = Guard::builder().policy(Policy::all(Action::Ask)).audit(audit.clone());
    let guard = guard.approver(|_: Question| std::future::pending()).build();
    let client = connect(&guard, "files", &server([tool("write", "")])).await;
    client.call("write").arg("q", "x").max_time(Duration::from_secs(5)).await.unwrap_err();
    assert!(tokio::time::timeout(Duration::from_secs(1), client.call("write").into_future()).await.is_err());
    audit.flush().await.unwrap();
    let sink = sink.lock().unwrap();
    let said: Vec<_> = sink.iter().map(|record| (record.stage, record.outcome.clone())).collect();
    assert_eq!(said, [(Stage::Refused, Some(Outcome::Dropped)), (Stage::Refused, Some(Outcome::Dropped))]);
    assert!(sink[0].arguments.is_some() && sink[0].micros == Some(5_000_000), "{:?}", sink[0]);
}

#[test]
fn the_policy_of_the_book_is_one() {
    let chapter = include_str!("../../../../docs/src/guard.md");
    let (_, behind) = chapter.split_once("```toml\n").unwrap();
    let policy: Policy = behind.split_once("```").unwrap().0.parse().unwrap();
    assert!(policy.trusts("ours-1") && policy.requires_audit());
}
