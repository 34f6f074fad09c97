//! Lists across pages (server/utilities/pagination).

use bowline::prelude::*;
use bowline::transport::MemoryConnect;
use bowline_testkit::{Misbehaviour, MockServer, Quirk, When};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use crate::support::{ScriptExt, connect, ping_times, received, server, within};

fn tools(count: usize) -> bowline_testkit::MockServerBuilder {
    (0..count).fold(MockServer::builder(), |builder, n| {
        builder.tool(Tool::new(format!("tool-{n}"), json!({ "type": "object" })), |_| async {
            Ok(CallToolResult::text("done"))
        })
    })
}

fn page(name: &str, cursor: Option<&str>) -> Value {
    let mut page = json!({ "tools": [{ "name": name, "inputSchema": { "type": "object" } }] });
    if let Some(cursor) = cursor {
        page["nextCursor"] = json!(cursor);
    }
    page
}

// Duty: N-03
#[tokio::test]
async fn all_pages_are_fetched_in_order() {
    for (page_size, requests) in [(1, 10), (3, 4), (10, 1), (100, 1)] {
        let server = tools(10).page_size(page_size).build();
        let client = within(Client::builder().connect(server.connector())).await.unwrap();
        let tools = within(client.tools().all()).await.unwrap();
        let names: Vec<_> = tools.into_iter().map(|tool| tool.name).collect();
        assert_eq!(names, (0..10).map(|n| format!("tool-{n}")).collect::<Vec<_>>());
        assert_eq!(received(server.journal(), "tools/list").len(), requests);
    }
}

#[tokio::test]
async fn a_page_is_fetched_when_it_is_needed() {
    let server = tools(4).page_size(2).build();
    let client = within(Client::builder().connect(server.connector())).await.unwrap();
    let mut pages = client.tools();
    within(pages.next()).await.unwrap().unwrap();
    within(pages.next()).await.unwrap().unwrap();
    assert_eq!(received(server.journal(), "tools/list").len(), 1);
    within(pages.next()).await.unwrap().unwrap();
    assert_eq!(received(server.journal(), "tools/list").len(), 2);
}

// Duty: M-01
#[tokio::test]
async fn every_list_has_pages() {
    let demo = bowline_testkit::demo::builder().page_size(1).build();
    let client = within(Client::builder().connect(demo.connector())).await.unwrap();
    assert!(within(client.tools().all()).await.unwrap().len() > 1);
    assert!(!within(client.resources().all()).await.unwrap().is_empty());
    assert!(!within(client.resource_templates().all()).await.unwrap().is_empty());
    assert!(!within(client.prompts().all()).await.unwrap().is_empty());
}

// Duty: N-01
#[tokio::test]
async fn cursors_are_sent_back_byte_for_byte() {
    let cursors = ["", " ", "null", "a\"b\\c\n\t\u{0}\u{7f}", "é🐙\u{2028}", "0", "%7B\\u0041"];
    let script = cursors
        .iter()
        .enumerate()
        .fold(server(), |script, (n, cursor)| script.expect("tools/list").reply(page(&n.to_string(), Some(cursor))))
        .expect("tools/list")
        .reply(page("last", None));
    let (client, journal) = connect(script).await;
    assert_eq!(within(client.tools().all()).await.unwrap().len(), cursors.len() + 1);
    let requests = received(&journal, "tools/list");
    assert_eq!(requests[0].get("params"), None);
    let sent: Vec<_> = requests[1..].iter().map(|request| request["params"]["cursor"].as_str().unwrap()).collect();
    assert_eq!(sent, cursors);
}

// Duty: N-01, N-02
#[tokio::test]
async fn a_single_page_takes_and_gives_cursors_as_they_are() {
    let script =
        server().expect("tools/list").reply(page("a", Some(""))).expect("tools/list").reply(page("b", Some("")));
    let (client, journal) = connect(script).await;
    let first = within(client.list_page::<Tool>(None)).await.unwrap();
    assert_eq!(first.next_cursor.as_deref(), Some(""));
    let second = within(client.list_page::<Tool>(first.next_cursor.as_deref())).await.unwrap();
    assert_eq!((second.tools[0].name.as_str(), second.next_cursor.as_deref()), ("b", Some("")));
    assert_eq!(received(&journal, "tools/list")[1]["params"]["cursor"], "");
}

// Duty: N-02
#[tokio::test]
async fn a_null_cursor_is_the_end() {
    let mut last = page("a", None);
    last["nextCursor"] = json!(null);
    let (client, _) = connect(server().expect("tools/list").reply(last)).await;
    assert_eq!(within(client.tools().all()).await.unwrap().len(), 1);
}

// Duty: N-05
#[tokio::test]
async fn a_cursor_that_comes_again_later_ends_the_list_with_an_error() {
    let script = ["p", "q", "p"]
        .iter()
        .fold(server(), |script, cursor| script.expect("tools/list").reply(page(cursor, Some(cursor))));
    let (client, journal) = connect(script.pings(1)).await;
    let error = within(client.tools().all()).await.unwrap_err();
    assert_eq!((error.kind(), error.method()), (ErrorKind::Protocol, Some("tools/list")));
    assert_eq!(received(&journal, "tools/list").len(), 3);
    ping_times(&client, 1).await;

    let server = tools(4).page_size(2).quirk(Quirk::CursorLoop).build();
    let client = within(Client::builder().connect(server.connector())).await.unwrap();
    assert_eq!(within(client.tools().all()).await.unwrap_err().kind(), ErrorKind::Protocol);
}

/// Gives every page another cursor, for ever.
async fn endless(pipe: DuplexStream) {
    let (read, mut write) = tokio::io::split(pipe);
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let request: Value = serde_json::from_str(&line).unwrap();
        let result = match request["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" },
            }),
            Some("tools/list") => json!({ "tools": [], "nextCursor": request["id"].to_string() }),
            _ => continue,
        };
        let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
        write.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
    }
}

// Duty: N-03, N-05
#[tokio::test]
async fn a_list_without_end_is_given_up_after_ten_thousand_pages() {
    let connector = MemoryConnect::new(|pipe| {
        tokio::spawn(endless(pipe));
    });
    let client = within(Client::builder().connect(connector)).await.unwrap();
    let error = within(client.tools().all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("10000 pages"), "{error}");
}

#[tokio::test]
async fn problems_of_all_pages_are_kept_beside_the_good_items() {
    let good = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
    let script = server()
        .expect("tools/list")
        .reply(json!({ "tools": [good("a"), 7], "nextCursor": "next" }))
        .expect("tools/list")
        .reply(json!({ "tools": ["x", good("b")] }));
    let (client, _) = connect(script).await;
    let mut pages = client.tools();
    let mut names = Vec::new();
    while let Some(tool) = within(pages.next()).await {
        names.push(tool.unwrap().name);
    }
    assert_eq!(names, ["a", "b"]);
    let problems: Vec<_> = pages.problems().iter().map(|problem| (problem.index, problem.raw.to_value())).collect();
    assert_eq!(problems, [(1, json!(7)), (0, json!("x"))]);
}

#[tokio::test]
async fn a_page_that_fails_ends_the_list_after_what_came_before() {
    let server = tools(4).page_size(2).misbehave(When::method("tools/list").nth(2), Misbehaviour::WrongShape).build();
    let client = within(Client::builder().connect(server.connector())).await.unwrap();
    let mut pages = client.tools();
    assert!(within(pages.next()).await.unwrap().is_ok() && within(pages.next()).await.unwrap().is_ok());
    assert_eq!(within(pages.next()).await.unwrap().unwrap_err().kind(), ErrorKind::Protocol);
    assert!(within(pages.next()).await.is_none());
}

#[tokio::test]
async fn dropping_a_list_cancels_the_page_that_is_under_way() {
    let (client, journal) = connect(server().expect("tools/list").expect("notifications/cancelled").pings(1)).await;
    let mut pages = client.tools();
    tokio::select! {
        biased;
        item = pages.next() => panic!("it is not answered: {item:?}"),
        _ = journal.wait_for_method("tools/list") => {}
    }
    drop(pages);
    ping_times(&client, 1).await;
    assert_eq!(received(&journal, "notifications/cancelled")[0]["params"]["requestId"], 2);
}
