//! Lists across members: complete, bounded, and the same whoever is faster.

use std::sync::Arc;
use std::time::Duration;

use bowline_client::ErrorKind;
use bowline_hub::{Change, Filter, Member, Oddity};
use bowline_protocol::{
    CallToolResult, Prompt, ReadResourceResult, Resource, ResourceContents, ResourceTemplate, ToolAnnotations,
};
use bowline_testkit::{Misbehaviour, MockServer, When};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::support::{Gated, builder, hub, known, names, server, tool, with_tool};

#[tokio::test]
async fn case_tools_019_a_tool_that_is_listed_twice_is_given_out_once_and_told() {
    let twice = json!({"tools": [
        {"name": "a", "inputSchema": {}, "description": "first"},
        {"name": "b", "inputSchema": {}},
        {"name": "a", "inputSchema": {}, "description": "second"},
    ]});
    let server = MockServer::builder()
        .tool(tool("a"), |_| async { Ok(CallToolResult::text("")) })
        .misbehave(When::method("tools/list"), Misbehaviour::Answer(twice.into()))
        .build();
    let listing = hub([Member::new("m", server.connector())]).tools().await;
    assert_eq!(listing.items.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["m__a", "m__b"]);
    assert_eq!(listing.items[0].item.description.as_deref(), Some("first"));
    assert_eq!(listing.findings.len(), 1);
    assert_eq!(listing.findings[0].what, Oddity::Twice { name: "a".to_owned(), times: 2 });
    assert_eq!(listing.findings[0].to_string(), "m: \"a\" is 2 times among the tools; the first is used");
}

#[tokio::test]
async fn fifty_thousand_tools_are_cut_and_told() {
    let mut builder = MockServer::builder().page_size(1000);
    for n in 0..50_000 {
        builder = with_tool(builder, &format!("t{n}"), "");
    }
    let server = builder.build();
    let listing = hub([Member::new("many", server.connector())]).tools().await;
    assert_eq!(listing.items.len(), 10_000);
    assert_eq!(listing.findings[0].what, Oddity::TooLong { kept: 10_000 });
    // What is beyond the bound was not asked for.
    assert!(server.journal().methods().iter().filter(|method| *method == "tools/list").count() <= 11);
}

#[tokio::test(start_paused = true)]
async fn members_are_asked_at_once_and_so_many_as_is_said() {
    let members = |at_once: usize| {
        let members = (0..20).map(|n| {
            let slow = with_tool(MockServer::builder(), "x", "")
                .misbehave(When::method("tools/list"), Misbehaviour::Delay(Duration::from_secs(1)))
                .build();
            Member::new(format!("m{n:02}"), slow.connector())
        });
        builder(members).at_once(at_once).build().unwrap()
    };
    for (at_once, seconds) in [(20, 1), (5, 4), (1, 20)] {
        let hub = members(at_once);
        let began = Instant::now();
        assert_eq!(hub.tools().await.items.len(), 20);
        assert_eq!(began.elapsed().as_secs(), seconds, "{at_once} at once");
        assert_eq!(hub.tools().await.items.len(), 20);
        assert_eq!(began.elapsed().as_secs(), seconds, "the second time nobody was asked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_too_slow_is_a_failure_and_the_next_time_it_is_there() {
    let (gated, gate) = Gated::new(&server("x", ""));
    gate.hangs.store(true, std::sync::atomic::Ordering::SeqCst);
    let hub = hub([
        Member::new("slow", gated).connect_deadline(Duration::from_secs(20)),
        Member::new("fast", server("y", "").connector()),
    ]);
    let listing = hub.tools().deadline(Duration::from_secs(1)).await;
    assert_eq!((listing.items.len(), listing.failures[0].error.kind()), (1, ErrorKind::Timeout));
    let mut by_member = hub.tools().deadline(Duration::from_secs(1)).by_member();
    assert_eq!(&*by_member.next().await.unwrap().member, "fast");
    let slow = by_member.next().await.unwrap();
    assert!(&*slow.member == "slow" && slow.error.is_some());
    assert!(by_member.next().await.is_none());
    assert_eq!(gate.connects(), 1, "one attempt for all who wait");
}

#[tokio::test]
async fn filters_hide_tools_and_refuse_their_calls() {
    let server = MockServer::builder()
        .tool(tool("look").with_annotations(ToolAnnotations::new().with_read_only_hint(true)), |_| async {
            Ok(CallToolResult::text("seen"))
        })
        .tool(tool("erase"), |_| async { Ok(CallToolResult::text("gone")) })
        .build();
    let member = || Member::new("m", server.connector());
    for hub in [
        hub([member().filter(Filter::new().deny(["er*"]))]),
        hub([member().filter(Filter::new().read_only())]),
        builder([member()]).filter(Filter::new().allow(["look"])).build().unwrap(),
    ] {
        // Also where nothing was listed yet.
        let error = hub.call("m.erase").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert_eq!(hub.call("m__erase").await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(names(&hub).await, ["m__look"]);
        assert_eq!(hub.call("m__look").await.unwrap().joined_text(), "seen");
    }
    assert!(
        !server
            .received()
            .iter()
            .any(|line| line.method() == "tools/call" && line.params().unwrap().as_str().contains("erase"))
    );
}

#[tokio::test]
async fn filters_hide_prompts_and_resources_and_refuse_their_use() {
    let prompt = |name: &str| (Prompt::new(name), [bowline_protocol::PromptMessage::user("x")]);
    let server = ["plan", "plot"].into_iter().fold(MockServer::builder(), |builder, name| {
        let (prompt, messages) = prompt(name);
        builder.prompt(prompt, move |_| {
            let messages = messages.to_vec();
            async move { Ok(bowline_protocol::GetPromptResult::new(messages)) }
        })
    });
    let server = server
        .resource(Resource::new("note://open", "open"), ResourceContents::text("note://open", "read me"))
        .resource(Resource::new("note://shut", "shut"), ResourceContents::text("note://shut", "secret"))
        .template(ResourceTemplate::new("log://{day}", "log"), |read| async move {
            Ok(ReadResourceResult::new([ResourceContents::text(&read.params.uri, "quiet")]))
        })
        .build();
    let member = || Member::new("m", server.connector());
    let filter =
        || Filter::new().deny_prompts(["plot"]).allow_resources(["note://*", "log://{*"]).deny_resources(["*shut"]);
    for hub in [hub([member().filter(filter())]), builder([member()]).filter(filter()).build().unwrap()] {
        // Whether the lists are known or not.
        for _ in 0..2 {
            for (kind, denied) in [
                ("prompt \"m__plot\"", hub.prompt("m__plot").await.unwrap_err()),
                ("prompt \"plot\"", hub.prompt("m.plot").await.unwrap_err()),
                ("resource \"note://shut\"", hub.read("note://shut").await.unwrap_err()),
                ("resource \"note://shut\"", hub.read_from("m", "note://shut").await.unwrap_err()),
                ("resource \"log://monday\"", hub.read("log://monday").await.unwrap_err()),
                ("resource \"note://shut\"", hub.subscribe("note://shut").await.unwrap_err()),
            ] {
                assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");
                assert!(denied.to_string().contains(kind), "{denied}");
            }
            assert_eq!(hub.prompts().await.items.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["m__plan"]);
            assert_eq!(hub.resources().await.items.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["note://open"]);
            assert_eq!(hub.resource_templates().await.items.len(), 1);
        }
        assert!(hub.prompt("m__plan").await.is_ok());
        assert_eq!(hub.read("note://open").await.unwrap().contents.len(), 1);
    }
    let sent = server.received();
    let used = |method: &str| sent.iter().filter(|line| line.method() == method).count();
    assert_eq!((used("prompts/get"), used("resources/read"), used("resources/subscribe")), (2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn whose_an_unknown_uri_is_does_not_depend_on_who_is_fastest() {
    let lists = |uri: &'static str, says: &'static str, delay: u64| {
        MockServer::builder()
            .resource(Resource::new(uri, "one"), ResourceContents::text(uri, says))
            .misbehave(When::method("resources/list"), Misbehaviour::Delay(Duration::from_secs(delay)))
            .build()
    };
    let fits = MockServer::builder()
        .template(ResourceTemplate::new("note://{id}", "note"), |read| async move {
            Ok(ReadResourceResult::new([ResourceContents::text(&read.params.uri, "by a template")]))
        })
        .build();
    let (hanging, gate) = Gated::new(&server("x", ""));
    gate.hangs.store(true, std::sync::atomic::Ordering::SeqCst);
    let members = || {
        [
            Member::new("a", fits.connector()),
            Member::new("b", lists("note://1", "the slower", 3).connector()),
            Member::new("c", lists("note://1", "the faster", 0).connector()),
            Member::new("d", lists("other://1", "else", 5).connector()),
        ]
    };
    let text = |read: ReadResourceResult| match &read.contents[0] {
        ResourceContents::Text(contents) => contents.text.clone(),
        other => panic!("{other:?}"),
    };
    let first = hub(members());
    let began = Instant::now();
    assert_eq!(text(first.read("note://1").await.unwrap()), "the slower");
    assert_eq!(began.elapsed().as_secs(), 3, "those behind it by name are not waited for");
    // A template counts only where nobody lists it, which has to be known of all.
    let second = hub(members());
    assert_eq!(text(second.read("note://2").await.unwrap()), "by a template");
    assert_eq!(began.elapsed().as_secs(), 8);
    // One that hangs is waited for as long as it may take, and then has no say.
    let third = hub([Member::new("0", hanging).connect_deadline(Duration::from_secs(10))].into_iter().chain(members()));
    assert_eq!(text(third.read("note://1").await.unwrap()), "the slower");
    assert_eq!(began.elapsed().as_secs(), 18);
}

#[tokio::test]
async fn groups_and_names_choose_members() {
    let member = |name: &'static str| Member::new(name, server("x", name).connector());
    let hub = hub([member("a").group("left"), member("b").group("left").group("right"), member("c")]);
    let of = |listing: bowline_hub::Listing<_>| {
        let listing: bowline_hub::Listing<bowline_protocol::Tool> = listing;
        listing.items.iter().map(|tool| tool.member.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(hub.tools().group("left").await), ["a", "b"]);
    assert_eq!(of(hub.tools().group("right").await), ["b"]);
    assert_eq!(of(hub.tools().of(["c", "a"]).await), ["a", "c"]);
    let unknown = hub.tools().of(["nobody"]).await;
    assert_eq!(unknown.failures[0].error.kind(), ErrorKind::UnknownName);
}

#[tokio::test]
async fn prompts_are_renamed_and_resources_are_not() {
    let server = MockServer::builder()
        .prompt(Prompt::new("greet"), |_| async {
            Ok(bowline_protocol::GetPromptResult::new(vec![bowline_protocol::PromptMessage::user("hello")]))
        })
        .resource(Resource::new("note://1", "one"), ResourceContents::text("note://1", "first"))
        .template(ResourceTemplate::new("log://{day}", "log"), |read| async move {
            Ok(ReadResourceResult::new([ResourceContents::text(&read.params.uri, "quiet")]))
        })
        .build();
    let hub =
        hub([Member::new("m", server.connector()), Member::new("empty", MockServer::builder().build().connector())]);
    // Nothing was listed: all are asked who has it.
    let read = hub.read("log://monday").await.unwrap();
    assert_eq!(read.contents.len(), 1);
    assert_eq!(&*hub.prompts().await.items[0].name, "m__greet");
    assert_eq!(&*hub.resources().await.items[0].name, "note://1");
    assert_eq!(&*hub.resource_templates().await.items[0].name, "log://{day}");
    assert_eq!(hub.prompt("m__greet").await.unwrap().messages.len(), 1);
    assert_eq!(hub.read_from("m", "note://1").await.unwrap().contents.len(), 1);
    let error = hub.read("other://1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownName, "{error}");
    assert_eq!(hub.read_from("empty", "note://1").await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn lists_are_the_same_in_whatever_order_members_came() {
    let member = |name: &str| Member::new(name, server("a.b", "").connector());
    let forward = names(&hub([member("my.server"), member("my_server"), member("z")])).await;
    let back = names(&hub([member("z"), member("my_server"), member("my.server")])).await;
    assert_eq!(forward.iter().collect::<std::collections::BTreeSet<_>>(), back.iter().collect());
    assert_eq!(forward, back);
    // One that comes later, and takes the name that was given out before.
    let hub = hub([member("my.server")]);
    assert_eq!(names(&hub).await, ["my_server__a_b"]);
    hub.add(member("my_server")).unwrap();
    let both: Arc<[String]> = names(&hub).await.into();
    assert_eq!(both.len(), 2);
    assert!(both.contains(&"my_server__a_b".to_owned()));
    assert_eq!(hub.resolve("my_server__a_b").unwrap().0.as_ref(), "my_server");
}

#[tokio::test]
async fn a_name_that_is_another_members_now_names_nothing_until_somebody_lists_again() {
    let member = |name: &str, says: &'static str| Member::new(name, server("x", says).connector());
    let hub = hub([member("my.server", "the first"), member("z", "")]);
    assert_eq!(names(&hub).await, ["my_server__x", "z__x"]);
    let call = || hub.call("my_server__x");
    assert_eq!(call().await.unwrap().joined_text(), "the first");
    hub.add(member("my_server", "the second")).unwrap();
    let error = call().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownName);
    assert!(error.to_string().contains("another server") && error.to_string().contains("list them again"), "{error}");
    // By its member a tool is called all the same, and others by their names.
    assert_eq!(hub.call("my.server.x").await.unwrap().joined_text(), "the first");
    assert!(hub.call("z__x").await.is_ok());
    assert_eq!(names(&hub).await.len(), 3);
    assert_eq!(call().await.unwrap().joined_text(), "the second");
    // The same the other way round.
    hub.remove("my_server").await.unwrap();
    assert_eq!(call().await.unwrap_err().kind(), ErrorKind::UnknownName);
    assert_eq!(known(&hub), ["my_server__x", "z__x"]);
    assert_eq!(call().await.unwrap().joined_text(), "the first");
}

#[tokio::test]
async fn whose_tools_have_other_names_as_a_member_comes_or_goes_is_told() {
    let member = |name: &str| Member::new(name, server("x", "").connector());
    let hub = hub([member("my.server"), member("z")]);
    let mut changes = hub.changes();
    hub.add(member("my_server")).unwrap();
    hub.remove("my_server").await.unwrap();
    hub.add(member("end")).unwrap();
    let mut told = Vec::new();
    loop {
        match changes.next().await.unwrap() {
            Change::Added { member } if &*member == "end" => break,
            Change::Tools { member } => told.push(format!("tools of {member}")),
            Change::Prompts { member } => told.push(format!("prompts of {member}")),
            _ => {}
        }
    }
    assert_eq!(told, ["tools of my.server", "prompts of my.server"].repeat(2));
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_for_a_list_that_never_comes_wait_for_one_deadline() {
    let server = with_tool(MockServer::builder(), "x", "")
        .misbehave(When::method("tools/list"), Misbehaviour::NeverAnswer)
        .build();
    let hub = hub([Member::new("m", server.connector()).list_deadline(Duration::from_secs(5)).circuit(None)]);
    let began = Instant::now();
    let listings = join_all((0..10).map(|_| hub.tools().into_future())).await;
    assert!(listings.iter().all(|listing| listing.failures.len() == 1));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(hub.tools().await.failures.len(), 1);
    assert!(began.elapsed() >= Duration::from_secs(10), "who asks later asks the server");
}
