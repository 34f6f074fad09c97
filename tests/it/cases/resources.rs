//! Resources, their changes, and roots.

use bowline::prelude::*;
use bowline_testkit::Script;
use serde_json::json;

use crate::support::{ScriptExt, connect, received, server, within};

// Duty: R-05
#[tokio::test]
async fn case_resources_001() {
    let contents = r#"{"contents":[{"uri":"x://1","blob":"/wD+gA=="},{"uri":"x://2","text":"hi"},{"uri":"x://3","text":"","mimeType":null}]}"#;
    let script = server().expect("resources/read").send(format!(r#"{{"jsonrpc":"2.0","id":2,"result":{contents}}}"#));
    let (client, _) = connect(script).await;
    let result = within(client.read("x://1")).await.unwrap();
    let [ResourceContents::Blob(blob), ResourceContents::Text(hi), ResourceContents::Text(empty)] =
        result.contents.as_slice()
    else {
        panic!("bytes and two texts, not {:?}", result.contents)
    };
    assert_eq!((blob.uri.as_str(), blob.decode().unwrap()), ("x://1", vec![0xff, 0x00, 0xfe, 0x80]));
    assert_eq!((hi.uri.as_str(), hi.text.as_str()), ("x://2", "hi"));
    assert_eq!((empty.uri.as_str(), empty.text.as_str(), empty.mime_type.as_deref()), ("x://3", "", None));
}

#[tokio::test]
async fn case_resources_004() {
    let script = Script::new()
        .handshake("2025-11-25", json!({ "resources": {} }))
        .expect("resources/list")
        .reply(json!({ "resources": [{ "uri": "x://1", "name": "one" }] }))
        .expect("resources/templates/list")
        .reply_error(-32601, "Method not found");
    let (client, _) = connect(script).await;
    let resources = within(client.resources().all()).await.unwrap();
    assert_eq!(resources.iter().map(|r| r.uri.as_str()).collect::<Vec<_>>(), ["x://1"]);
    assert!(within(client.resource_templates().all()).await.unwrap().is_empty());
}

/// The paths of Windows are tested with the pure function, in `bowline-protocol`.
#[cfg(unix)]
#[tokio::test]
async fn case_resources_007() {
    let script = server()
        .message(json!({ "jsonrpc": "2.0", "id": "r", "method": "roots/list" }))
        .expect_answer(json!("r"))
        .pings(1);
    let root = Root::from_path("/home/u/a b#c?d%e".as_ref()).unwrap();
    let (client, journal) = crate::support::connect_with(Client::builder().roots(vec![root]), script).await;
    let answer = crate::support::answer(&journal, "r").await;
    within(client.ping()).await.unwrap();
    assert_eq!(answer["result"]["roots"][0]["uri"], "file:///home/u/a%20b%23c%3Fd%25e");
}

// Duty: R-03
#[tokio::test]
async fn case_resources_009() {
    let updated =
        |uri: &str| json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri } });
    let script = server()
        .expect("resources/subscribe")
        .reply(json!({}))
        .message(updated("note://1"))
        .message(updated("note://2"))
        .message(updated("note://1/part"));
    let (client, journal) = connect(script).await;
    let mut events = client.events();
    let mut note = within(client.subscribe("note://1")).await.unwrap();
    assert_eq!(received(&journal, "resources/subscribe")[0]["params"], json!({ "uri": "note://1" }));
    // All are delivered to the one who listens to everything, in order; there is no cache that could be stale.
    for expected in ["note://1", "note://2", "note://1/part"] {
        let Some(Event::ResourceUpdated { uri }) = within(events.next()).await else { panic!("{expected}") };
        assert_eq!(uri, expected);
    }
    // The subscription itself tells of its resource and of parts of it.
    for expected in ["note://1", "note://1/part"] {
        assert_eq!(within(note.next()).await, Some(Change::Resource { uri: expected.into() }));
    }
}
