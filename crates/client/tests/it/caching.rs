//! Kept results (2026-07-28, server/utilities/caching).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bowline_client::{Cache, Client, ErrorKind, Event};
use bowline_protocol::Tool;
use bowline_transport::Connect;
use serde_json::{Value, json};

use crate::peer::{Answer, hinted, modern, older, tools};

async fn caching(connect: impl Connect) -> Client {
    Client::builder().cache(Cache::default()).connect(connect).await.unwrap()
}

async fn names(client: &Client) -> Vec<String> {
    client.tools().all().await.unwrap().into_iter().map(|tool| tool.name).collect()
}

/// Lets time pass without anything else happening.
async fn pass(milliseconds: u64) {
    tokio::time::advance(Duration::from_millis(milliseconds)).await;
}

/// Two pages: the first fresh for a minute, the second for a second.
fn two_pages(request: &Value) -> Answer {
    Answer::result(match request["params"]["cursor"].as_str() {
        None => hinted(tools(&["a"], Some("2")), json!(60_000), "public"),
        Some(_) => hinted(tools(&["b"], None), json!(1000), "private"),
    })
}

#[tokio::test(start_paused = true)]
async fn case_tools_020_ca_01_ca_05_ca_08_each_page_is_fresh_for_its_own_time() {
    let told = Arc::new(AtomicBool::new(false));
    let (connect, asked) = modern({
        let told = Arc::clone(&told);
        move |request| match request["method"].as_str() {
            Some("tools/list") => two_pages(request),
            _ => {
                let first = !told.swap(true, Ordering::SeqCst);
                Answer::result(json!({ "resultType": "complete", "content": [] }))
                    .after("notifications/tools/list_changed", usize::from(first))
            }
        }
    });
    let client = caching(connect).await;
    let cursors = || asked.cursors("tools/list");
    assert_eq!(names(&client).await, ["a", "b"]);
    pass(500).await;
    assert_eq!(names(&client).await, ["a", "b"]);
    assert_eq!(cursors(), [json!(null), json!("2")], "fresh: nothing is sent");
    pass(1500).await;
    let mut pages = client.tools();
    while pages.next().await.is_some() {}
    assert_eq!(cursors()[2..], [json!("2")], "the page that is stale is fetched by its cursor, and no other");
    let hints = pages.hints().unwrap();
    assert_eq!((hints.ttl_ms, hints.is_public), (1000, false), "the strictest counts for the whole list");

    let mut events = client.events();
    client.call("a").await.unwrap();
    assert!(matches!(events.next().await, Some(Event::Fault(_))), "nobody subscribed to it");
    assert_eq!(names(&client).await, ["a", "b"]);
    assert_eq!(cursors()[3..], [json!(null), json!("2")], "a change drops them all");
    let stats = client.cache_stats().unwrap();
    assert_eq!((stats.hits, stats.misses, stats.dropped, stats.entries), (3, 5, 2, 2), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn case_tools_020_absent_and_bad_hints_mean_stale() {
    for ttl in [json!(null), json!(0), json!(-5), json!("x"), json!(1e300), json!([1])] {
        let (connect, asked) = modern({
            let ttl = ttl.clone();
            move |_| Answer::result(hinted(tools(&["a"], None), ttl.clone(), "public"))
        });
        let client = caching(connect).await;
        for times in 1..=2 {
            assert_eq!(names(&client).await, ["a"]);
            assert_eq!(asked.count("tools/list"), times, "{ttl}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hints_of_centuries_hold_for_the_callers_limit() {
    let (connect, asked) = modern(|_| Answer::result(hinted(tools(&["a"], None), json!(u64::MAX), "public")));
    let client = caching(connect).await;
    for (after, times) in [(0, 1), (3_599, 1), (1, 2)] {
        tokio::time::sleep(Duration::from_secs(after)).await;
        assert_eq!(names(&client).await, ["a"]);
        assert_eq!(asked.count("tools/list"), times, "after {after} s");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_unless_that_is_wanted() {
    let (connect, asked) = modern(two_pages);
    let client = Client::builder().connect(connect).await.unwrap();
    names(&client).await;
    names(&client).await;
    assert_eq!(asked.count("tools/list"), 4);
    assert_eq!(client.cache_stats(), None);
}

#[tokio::test(start_paused = true)]
async fn ca_06_nothing_is_fetched_without_a_reader() {
    let (connect, asked) = modern(two_pages);
    let client = caching(connect).await;
    names(&client).await;
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(asked.count("tools/list"), 2);
}

#[tokio::test(start_paused = true)]
async fn who_wants_it_fresh_gets_it_fresh_and_the_new_one_is_kept() {
    let count = AtomicUsize::new(0);
    let (connect, asked) = modern(move |request| {
        let text = count.fetch_add(1, Ordering::SeqCst).to_string();
        let contents = json!([{ "uri": "note://1", "text": text }]);
        Answer::result(match request["method"].as_str() {
            Some("tools/list") => hinted(tools(&["a"], None), json!(60_000), "private"),
            _ => hinted(json!({ "resultType": "complete", "contents": contents }), json!(60_000), "private"),
        })
    });
    let client = caching(connect).await;
    let first = client.read("note://1").await.unwrap();
    assert_eq!(client.read("note://1").await.unwrap(), first);
    let second = client.read("note://1").fresh().await.unwrap();
    assert_ne!(second, first);
    assert_eq!(client.read("note://1").await.unwrap(), second);
    client.read("note://2").await.unwrap();
    assert_eq!(asked.count("resources/read"), 3);

    client.tools().all().await.unwrap();
    client.tools().fresh().all().await.unwrap();
    client.list_page::<Tool>(None).await.unwrap();
    client.tools().all().await.unwrap();
    assert_eq!(asked.count("tools/list"), 3);
    client.discover().await.unwrap();
    client.discover().await.unwrap();
    assert_eq!(asked.count("server/discover"), 3, "whoever asks for it wants to know it now");
}

#[tokio::test(start_paused = true)]
async fn ca_03_what_one_client_keeps_no_other_is_given() {
    let (connect, asked) = modern(two_pages);
    let connect = Arc::new(connect);
    for times in 1..=2 {
        let client = caching(Arc::clone(&connect)).await;
        names(&client).await;
        names(&client).await;
        assert_eq!(asked.count("tools/list"), 2 * times);
        client.clear_cache();
        assert_eq!(client.cache_stats().unwrap().entries, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn ca_04_what_came_of_more_than_one_round_is_not_kept() {
    let (connect, asked) = modern(|request| {
        let answer = match &request["params"]["requestState"] {
            Value::Null => json!({ "resultType": "input_required", "requestState": "s", "ttlMs": 60_000 }),
            _ => hinted(json!({ "resultType": "complete", "contents": [] }), json!(60_000), "public"),
        };
        Answer::result(answer)
    });
    let client = caching(connect).await;
    client.read("note://1").await.unwrap();
    client.read("note://1").await.unwrap();
    assert_eq!(asked.count("resources/read"), 4, "two rounds each");
    assert_eq!(client.cache_stats().unwrap().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn ca_08_a_refused_cursor_of_a_kept_page_begins_the_list_anew_once() {
    for (recovers, wanted) in [(true, vec!["a", "b", "c"]), (false, vec!["a"])] {
        let changed = Arc::new(AtomicBool::new(false));
        let (connect, asked) = modern({
            let changed = Arc::clone(&changed);
            move |request| {
                let page = match (request["params"]["cursor"].as_str(), changed.load(Ordering::SeqCst)) {
                    (None, false) => hinted(tools(&["a"], Some("old")), json!(60_000), "private"),
                    (Some("old"), false) => hinted(tools(&["b"], None), json!(1000), "private"),
                    (None, true) => hinted(tools(&["a", "b"], Some("new")), json!(60_000), "private"),
                    (Some("new"), true) if recovers => hinted(tools(&["c"], None), json!(60_000), "private"),
                    _ => return Answer::error(-32602),
                };
                Answer::result(page)
            }
        });
        let client = caching(connect).await;
        names(&client).await;
        changed.store(true, Ordering::SeqCst);
        pass(2000).await;
        let (mut pages, mut given, mut refusal) = (client.tools(), Vec::new(), None);
        while let Some(item) = pages.next().await {
            match item {
                Ok(tool) => given.push(tool.name),
                Err(error) => refusal = Some(error),
            }
        }
        assert_eq!(asked.cursors("tools/list")[2..], [json!("old"), json!(null), json!("new")]);
        assert_eq!(refusal.is_none(), recovers);
        assert_eq!(given.iter().filter(|name| *name == "a").count(), 1, "nothing is given twice");
        assert!(wanted.iter().all(|name| given.contains(&(*name).to_owned())), "{given:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ca_08_a_refused_cursor_of_a_list_that_was_not_kept_is_an_error() {
    let (connect, asked) = modern(|request| match request["params"]["cursor"].as_str() {
        None => Answer::result(hinted(tools(&["a"], Some("2")), json!(60_000), "private")),
        Some(_) => Answer::error(-32602),
    });
    let client = caching(connect).await;
    let error = client.tools().fresh().all().await.unwrap_err();
    assert_eq!((error.kind(), asked.count("tools/list")), (ErrorKind::Server, 2));
}

#[tokio::test(start_paused = true)]
async fn ca_07_where_the_server_is_away_stale_pages_stand_in_if_that_is_wanted() {
    for wanted in [false, true] {
        let away = Arc::new(AtomicBool::new(false));
        let (connect, _) = modern({
            let away = Arc::clone(&away);
            move |request| if away.load(Ordering::SeqCst) { Answer::end() } else { two_pages(request) }
        });
        let limit = Duration::from_secs(if wanted { 600 } else { 0 });
        let cache = Cache::default().stale_on_error(limit);
        let client = Client::builder().cache(cache).connect(connect).await.unwrap();
        names(&client).await;
        away.store(true, Ordering::SeqCst);
        pass(120_000).await;
        assert_eq!(client.tools().all().await.is_ok(), wanted);
        assert_eq!(client.cache_stats().unwrap().stale, if wanted { 2 } else { 0 });
        client.close().await.unwrap();
        assert_eq!(client.tools().all().await.unwrap_err().kind(), ErrorKind::Closed, "closed is closed");
    }
}

#[tokio::test(start_paused = true)]
async fn t_08_in_a_session_a_list_is_kept_until_it_changes() {
    let (connect, asked) = older(|request| match request["method"].as_str() {
        Some("tools/list") => Answer::result(tools(&["a"], None)),
        _ => Answer::result(json!({})).after("notifications/tools/list_changed", 1),
    });
    let client = caching(connect).await;
    let mut events = client.events();
    for _ in 0..3 {
        names(&client).await;
    }
    assert_eq!(asked.count("tools/list"), 1);
    client.ping().await.unwrap();
    while !matches!(events.next().await, Some(Event::ToolsChanged)) {}
    names(&client).await;
    assert_eq!(asked.count("tools/list"), 2);
}

#[tokio::test(start_paused = true)]
async fn case_tools_011_a_burst_of_changes_makes_few_requests_and_the_newest_list_stays() {
    let asked_before = Arc::new(AtomicUsize::new(0));
    let (connect, asked) = older({
        let count = Arc::clone(&asked_before);
        move |request| match request["method"].as_str() {
            // The last change comes while the first list is on its way: what that has is old.
            Some("tools/list") if count.fetch_add(1, Ordering::SeqCst) == 0 => {
                Answer::result(tools(&["old"], None)).after("notifications/tools/list_changed", 1)
            }
            Some("tools/list") => Answer::result(tools(&["new"], None)),
            _ => Answer::result(json!({})).after("notifications/tools/list_changed", 199),
        }
    });
    let client = caching(connect).await;
    let mut events = client.events();
    client.ping().await.unwrap();
    let mut last = Vec::new();
    for _ in 0..200 {
        assert!(matches!(events.next().await, Some(Event::ToolsChanged)));
        last = names(&client).await;
    }
    assert_eq!(last, ["new"]);
    assert!(asked.count("tools/list") <= 3, "{} requests", asked.count("tools/list"));
}

#[tokio::test(start_paused = true)]
async fn n_02_n_05_in_the_modern_era_an_empty_cursor_is_one_and_a_repeated_one_ends_the_list() {
    let (connect, asked) = modern(|request| {
        Answer::result(match request["params"]["cursor"].as_str() {
            None => tools(&["a"], Some("")),
            Some("") => tools(&["b"], Some("x")),
            Some(_) => tools(&["c"], Some("")),
        })
    });
    let client = caching(connect).await;
    let error = client.tools().all().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(asked.cursors("tools/list"), [json!(null), json!(""), json!("x")]);
}

#[tokio::test(start_paused = true)]
async fn n_04_a_cursor_outlives_a_connection_only_where_there_is_no_session() {
    // A server that ends its connection after the first page, at the next request.
    let ends = |request: &Value, ended: &AtomicBool| match request["method"].as_str() {
        Some("tools/list") if request["params"]["cursor"].is_null() => Answer::result(tools(&["a"], Some("2"))),
        Some("tools/list") => Answer::result(tools(&["b"], None)),
        _ if ended.swap(true, Ordering::SeqCst) => Answer::result(json!({ "resultType": "complete" })),
        _ => Answer::end(),
    };
    let reconnect = bowline_client::Reconnect::default();

    let ended = AtomicBool::new(false);
    let (connect, asked) = modern(move |request| ends(request, &ended));
    let client = Client::builder().reconnect(reconnect).connect(connect).await.unwrap();
    let mut pages = client.tools();
    assert_eq!(pages.next().await.unwrap().unwrap().name, "a");
    client.request("vendor/end").await.unwrap_err();
    assert_eq!(pages.next().await.unwrap().unwrap().name, "b");
    assert_eq!(asked.cursors("tools/list"), [json!(null), json!("2")]);

    let ended = AtomicBool::new(false);
    let (connect, asked) = older(move |request| ends(request, &ended));
    let client = Client::builder().reconnect(reconnect).connect(connect).await.unwrap();
    let mut pages = client.tools();
    assert_eq!(pages.next().await.unwrap().unwrap().name, "a");
    client.request("vendor/end").await.unwrap_err();
    assert_eq!(pages.next().await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(asked.cursors("tools/list"), [json!(null)]);
}

/// A server whose answers to `tools/list` wait for the test, and a client with a cache.
async fn gated(
    answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
) -> (Client, crate::peer::Asked, tokio::sync::mpsc::Sender<()>) {
    let (connect, asked, gate) = crate::peer::gated("tools/list", answer);
    (caching(connect).await, asked, gate)
}

fn list(client: &Client) -> tokio::task::JoinHandle<Result<Vec<Tool>, bowline_client::Error>> {
    let client = client.clone();
    tokio::spawn(async move { client.tools().all().await })
}

/// Lets everything run that can.
async fn idle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_want_the_same_at_once_share_one_request() {
    let (client, asked, gate) = gated(|_| Answer::result(hinted(tools(&["a"], None), json!(60_000), "public"))).await;
    let lists: Vec<_> = (0..20).map(|_| list(&client)).collect();
    idle().await;
    gate.send(()).await.unwrap();
    for list in lists {
        assert_eq!(list.await.unwrap().unwrap()[0].name, "a");
    }
    assert_eq!(asked.count("tools/list"), 1);
    let stats = client.cache_stats().unwrap();
    assert_eq!((stats.hits, stats.misses, stats.shared), (0, 20, 19), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_dropped_or_fails_hands_on_to_the_next() {
    let (client, asked, gate) = gated(|n| match n {
        0 | 1 => Answer::error(-32603),
        _ => Answer::result(hinted(tools(&["a"], None), json!(60_000), "public")),
    })
    .await;
    let dropped = list(&client);
    idle().await;
    let fails = list(&client);
    idle().await;
    let others: Vec<_> = (0..5).map(|_| list(&client)).collect();
    idle().await;
    assert_eq!(asked.count("tools/list"), 1);
    dropped.abort();
    idle().await;
    assert_eq!(asked.count("tools/list"), 1, "the server reads one after the other");
    for _ in 0..3 {
        gate.send(()).await.unwrap();
    }
    assert_eq!(fails.await.unwrap().unwrap_err().kind(), ErrorKind::Server);
    for other in others {
        assert_eq!(other.await.unwrap().unwrap()[0].name, "a");
    }
    assert_eq!(asked.count("tools/list"), 3);
    assert_eq!(client.cache_stats().unwrap().shared, 4);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_kept_is_not_shared_either_and_holds_nobody_up() {
    let (client, asked, gate) = gated(|_| Answer::result(hinted(tools(&["a"], None), json!(0), "private"))).await;
    let lists: Vec<_> = (0..4).map(|_| list(&client)).collect();
    idle().await;
    assert_eq!(asked.count("tools/list"), 1);
    for _ in 0..4 {
        gate.send(()).await.unwrap();
    }
    for list in lists {
        list.await.unwrap().unwrap();
    }
    assert_eq!((asked.count("tools/list"), client.cache_stats().unwrap().shared), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_others_longer_than_for_an_answer() {
    let (client, asked, _gate) = gated(|_| Answer::end()).await;
    let started = tokio::time::Instant::now();
    let lists: Vec<_> = (0..6).map(|_| list(&client)).collect();
    for list in lists {
        assert!(list.await.unwrap().unwrap_err().is_timeout());
    }
    // The leader's minute; then whoever had its turn, or enough of waiting, has a minute of its own.
    assert!(started.elapsed() <= Duration::from_secs(121), "{:?}", started.elapsed());
    assert!(asked.count("tools/list") >= 1);
}
