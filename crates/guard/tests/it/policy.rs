//! Calls that a policy decides on.

use bowline_client::{Client, ErrorKind};
use bowline_guard::{Guard, Pins, Policy, Refusal};
use bowline_protocol::{RawJson, Resource, ResourceContents, ToolAnnotations};
use bowline_testkit::MockServer;

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
    let guard = Guard::builder().policy(Policy::all(bowline_guard::Action::Deny)).pins(Pins::in_memory()).build();
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

#[test]
fn the_policy_of_the_book_is_one() {
    let chapter = include_str!("../../../../docs/src/guard.md");
    let (_, behind) = chapter.split_once("```toml\n").unwrap();
    let policy: Policy = behind.split_once("```").unwrap().0.parse().unwrap();
    assert!(policy.trusts("ours-1") && policy.requires_audit());
}
