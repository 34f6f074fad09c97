//! What changes at servers reaches the hub's lists and its readers.

use std::time::Duration;

use bowline_hub::{Change, Member};
use bowline_protocol::{CallToolResult, Resource, ResourceContents, Revision};
use bowline_testkit::MockServer;

use super::support::{hub, known, names, tool, until_tools, with_tool};

#[tokio::test(start_paused = true)]
async fn a_list_that_changed_is_read_again_by_itself_in_either_era() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let server = with_tool(MockServer::builder().revisions([revision]).subscriptions(), "x", "").build();
        let hub = hub([Member::new("m", server.connector())]);
        let mut changes = hub.changes();
        assert_eq!(names(&hub).await, ["m__x"]);
        // Until the subscription of the newer era stands.
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.add_tool(tool("y"), |_| async { Ok(CallToolResult::text("")) }).await;
        until_tools(&mut changes, "m").await;
        while known(&hub).len() < 2 {
            until_tools(&mut changes, "m").await;
        }
        assert_eq!(known(&hub), ["m__x", "m__y"], "{revision}");
        assert_eq!(hub.call("m__y").await.unwrap().joined_text(), "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_changes_has_the_list_read_once_in_a_while() {
    let server = with_tool(MockServer::builder().revisions([Revision::V2025_11_25]), "x", "").build();
    let hub = hub([Member::new("m", server.connector())]);
    assert_eq!(names(&hub).await.len(), 1);
    for _ in 0..1000 {
        server.notify("notifications/tools/list_changed", None).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lists = server.journal().methods().iter().filter(|method| *method == "tools/list").count();
    assert!((5..=13).contains(&lists), "{lists} lists in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn updates_of_resources_are_told_with_their_member_and_survive_a_loss() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let server = MockServer::builder()
            .revisions([revision])
            .subscriptions()
            .resource(Resource::new("note://1", "one"), ResourceContents::text("note://1", "first"))
            .build();
        let hub = hub([Member::new("m", server.connector())]);
        let mut changes = hub.changes();
        let watch = hub.subscribe("note://1").await.unwrap();
        assert_eq!((&**watch.member(), &**watch.uri()), ("m", "note://1"));
        let mut next = async || loop {
            if let Change::ResourceUpdated { member, uri } = changes.next().await.unwrap() {
                return (member.to_string(), uri);
            }
        };
        server.resource_updated("note://1").await;
        let told = ("m".to_owned(), "note://1".to_owned());
        assert_eq!(next().await, told);
        server.disconnect();
        assert_eq!(next().await, told, "taken up again: {revision}");
        server.resource_updated("note://1").await;
        assert_eq!(next().await, told);
        drop(watch);
    }
}
