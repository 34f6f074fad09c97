//! What lives on a member's connection for longer than a call: held clients, watches, and the ear for changes.

use std::time::Duration;

use bowline_client::{ErrorKind, Timeouts};
use bowline_hub::{Change, Circuit, Member};
use bowline_protocol::{CallToolResult, ErrorCode, ErrorObject, Resource, ResourceContents, Revision};
use bowline_testkit::{Misbehaviour, MockServer, When};
use tokio::time::Instant;

use super::support::{hub, known, names, tool, with_tool};

#[tokio::test(start_paused = true)]
async fn a_client_that_is_held_keeps_no_trial_from_the_calls() {
    let server = with_tool(MockServer::builder(), "x", "hi")
        .tool(tool("hang"), |_| async {
            std::future::pending::<()>().await;
            Ok(CallToolResult::text(""))
        })
        .build();
    let hub = hub([Member::new("m", server.connector())
        .circuit(Some(Circuit::default().with_failures(1)))
        .client(|builder| builder.timeouts(Timeouts::default().with_idle(Duration::from_secs(1))))]);
    assert_eq!(hub.call("m.hang").await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(hub.call("m.x").await.unwrap_err().kind(), ErrorKind::Unavailable);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let _held = hub.client("m").await.unwrap();
    assert_eq!(hub.call("m.x").await.unwrap().joined_text(), "hi");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_the_server_ends_at_once_is_asked_for_with_pauses_that_grow() {
    let server = notes();
    let hub = hub([Member::new("m", server.connector())]);
    let _watch = hub.subscribe("note://1").await.unwrap();
    for _ in 0..600 {
        server.end_subscriptions();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // At 0, 1, 3, 7, 15, 31 and 63 seconds; the keeper's own are for lists.
    let asked = server.journal().methods().iter().filter(|method| *method == "subscriptions/listen").count();
    assert!((5..=14).contains(&asked), "{asked} times in a minute");
}

fn notes() -> MockServer {
    MockServer::builder()
        .revisions([Revision::V2026_07_28])
        .subscriptions()
        .resource(Resource::new("note://1", "one"), ResourceContents::text("note://1", "first"))
        .build()
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_over_the_member_that_replaces_its_own_and_holds_up_no_end() {
    let (old, new) = (notes(), notes());
    let hub = hub([Member::new("m", old.connector())]);
    let watch = hub.subscribe("note://1").await.unwrap();
    hub.reload([Member::new("m", new.connector())]).unwrap();
    let mut changes = hub.changes();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut next = async || loop {
        if let Change::ResourceUpdated { member, uri } = changes.next().await.unwrap() {
            return (member.to_string(), uri);
        }
    };
    let told = ("m".to_owned(), "note://1".to_owned());
    let limit = Duration::from_secs(1);
    assert_eq!(tokio::time::timeout(limit, next()).await.unwrap(), told, "what was missed may have been a change");
    new.resource_updated("note://1").await;
    assert_eq!(tokio::time::timeout(limit, next()).await.unwrap(), told);
    let began = Instant::now();
    let drained = hub.remove("m").await.unwrap();
    assert_eq!((drained.cut, began.elapsed()), (0, Duration::ZERO));
    drop(watch);
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_stream_of_changes_ended_alone_is_heard_again() {
    let server = with_tool(MockServer::builder().revisions([Revision::V2026_07_28]), "x", "").build();
    let hub = hub([Member::new("m", server.connector())]);
    assert_eq!(names(&hub).await, ["m__x"]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    for end in [MockServer::end_subscriptions, MockServer::cancel_subscriptions] {
        end(&server);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let listens = server.journal().methods().iter().filter(|method| *method == "subscriptions/listen").count();
        let name = format!("y{listens}");
        server.add_tool(tool(&name), |_| async { Ok(CallToolResult::text("")) }).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(known(&hub).contains(&format!("m__{name}")), "{:?}", known(&hub));
    }
}

#[tokio::test(start_paused = true)]
async fn the_lists_of_a_server_that_refuses_to_tell_of_changes_live_for_their_time() {
    let error = ErrorObject::new(ErrorCode::INTERNAL_ERROR, "too many");
    let server = with_tool(MockServer::builder().revisions([Revision::V2026_07_28]), "x", "")
        .misbehave(When::method("subscriptions/listen"), Misbehaviour::Refuse(error))
        .build();
    let hub = hub([Member::new("m", server.connector()).list_life(Duration::from_secs(20))]);
    assert_eq!(names(&hub).await, ["m__x"]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(names(&hub).await, ["m__x"]);
    server.add_tool(tool("y"), |_| async { Ok(CallToolResult::text("")) }).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(names(&hub).await, ["m__x", "m__y"]);
}
