//! Members that come, go, and are others, without the rest noticing.

use std::time::Duration;

use bowline_client::ErrorKind;
use bowline_hub::{Change, Hub, Member, Restarts};
use bowline_protocol::CallToolResult;
use bowline_testkit::MockServer;
use tokio::time::Instant;

use super::support::{Gated, hub, left_alone, names, server, tool, until_health, with_tool};

#[tokio::test]
async fn a_reload_of_a_thousand_with_one_change_touches_one() {
    let members = |changed: u64| {
        (0..1000_u64).map(move |n| {
            let version = if n == 500 { changed } else { 0 };
            Member::new(format!("m{n:03}"), server("x", "").connector()).fingerprint((n, version))
        })
    };
    let hub = hub(members(0));
    assert_eq!(hub.tools().await.items.len(), 1000);
    let mut changes = hub.changes();
    let reloaded = hub.reload(members(1)).unwrap();
    assert_eq!(reloaded.replaced.iter().map(|name| &**name).collect::<Vec<_>>(), ["m500"]);
    assert_eq!((reloaded.unchanged, reloaded.added.len(), reloaded.removed.len()), (999, 0, 0));
    assert!(matches!(changes.next().await, Some(Change::Replaced { member }) if &*member == "m500"));
    let up = hub.status().into_iter().filter(|member| member.state.is_up()).count();
    assert_eq!(up, 999, "the others stay connected");
    assert_eq!(hub.tools().await.items.len(), 1000);
}

#[tokio::test]
async fn a_call_that_was_made_before_a_reload_goes_to_the_new_member() {
    let hub = hub([Member::new("m", server("x", "old").connector())]);
    names(&hub).await;
    let (known, by_path) = (hub.call("m__x"), hub.call("m.x"));
    hub.reload([Member::new("m", server("x", "new").connector())]).unwrap();
    assert_eq!(known.await.unwrap().joined_text(), "new");
    assert_eq!(by_path.await.unwrap().joined_text(), "new");
    let gone = hub.call("m.x");
    hub.remove("m").await.unwrap();
    assert_eq!(gone.await.unwrap_err().kind(), ErrorKind::UnknownName);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_hub_is_reloaded_outside_a_runtime() {
    let hub = hub([Member::new("m", server("x", "old").connector()), Member::new("n", server("y", "").connector())]);
    let reloaded = hub.reload([Member::new("m", server("x", "new").connector())]).unwrap();
    assert_eq!((reloaded.replaced.len(), reloaded.removed.len()), (1, 1));
    hub.retry_now("m").unwrap();
    runtime().block_on(async {
        assert_eq!(names(&hub).await, ["m__x"]);
        assert_eq!(hub.call("m__x").await.unwrap().joined_text(), "new");
    });
}

#[test]
fn members_are_looked_after_in_the_next_runtime_as_in_the_first() {
    let server = server("x", "here");
    let soon = Restarts::default().with_base_delay(Duration::from_millis(1));
    let hub = hub([Member::new("m", server.connector()).restarts(soon)]);
    // Has it looked at, and connects nothing.
    runtime().block_on(async { hub.retry_now("m").unwrap() });
    runtime().block_on(async {
        hub.call("m.x").await.unwrap();
        let mut changes = hub.changes();
        server.disconnect();
        let back = async {
            until_health(&mut changes, "m", |health| !health.is_up()).await;
            until_health(&mut changes, "m", |health| health.is_up()).await;
        };
        tokio::time::timeout(Duration::from_secs(30), back).await.unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_taken_away_ends_its_calls_and_takes_no_other() {
    let server = MockServer::builder()
        .tool(tool("slow"), |_| async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(CallToolResult::text("done"))
        })
        .build();
    let hub =
        hub([Member::new("m", server.connector()), Member::new("other", super::support::server("x", "").connector())]);
    names(&hub).await;
    let call = tokio::spawn(hub.call("m__slow").into_future());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let removing = tokio::spawn({
        let hub = hub.clone();
        async move { hub.remove("m").await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(hub.call("m__slow").await.unwrap_err().kind(), ErrorKind::UnknownName);
    assert_eq!(names(&hub).await, ["other__x"]);
    let drained = removing.await.unwrap().unwrap();
    assert_eq!((drained.ended, drained.cut), (1, 0));
    assert_eq!(call.await.unwrap().unwrap().joined_text(), "done");
    assert_eq!(hub.remove("m").await.unwrap_err().kind(), ErrorKind::UnknownName);
}

#[tokio::test(start_paused = true)]
async fn all_end_at_once_and_within_the_limit() {
    let members = (0..10).map(|n| {
        let server = MockServer::builder()
            .tool(tool("hang"), |_| async {
                std::future::pending::<()>().await;
                Ok(CallToolResult::text(""))
            })
            .build();
        Member::new(format!("m{n}"), server.connector())
    });
    let hub = Hub::builder().members(members).drain(Duration::from_secs(2)).build().unwrap();
    let calls: Vec<_> = (0..10).map(|n| tokio::spawn(hub.call(format!("m{n}.hang")).into_future())).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let closed = hub.close().await;
    assert_eq!(closed.members.len(), 10);
    assert!(closed.members.iter().all(|(_, drained)| drained.cut == 1), "{closed:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    for call in calls {
        assert!(call.await.unwrap().is_err());
    }
    assert!(hub.call("m0.hang").await.is_err());
    assert!(hub.add(Member::new("late", server("x", "").connector())).is_err());
}

#[tokio::test(start_paused = true)]
async fn what_was_mended_is_tried_at_once_when_somebody_says_so() {
    let (gated, gate) = Gated::new(&server("x", "hi"));
    gate.set_refuses(true);
    let hub = hub([left_alone(Member::new("m", gated))]);
    for _ in 0..2 {
        assert_eq!(hub.call("m.x").await.unwrap_err().kind(), ErrorKind::Connect);
    }
    assert_eq!(hub.call("m.x").await.unwrap_err().kind(), ErrorKind::Unavailable);
    gate.set_refuses(false);
    hub.retry_now("m").unwrap();
    let (began, tried) = (Instant::now(), gate.connects());
    assert_eq!(hub.call("m.x").await.unwrap().joined_text(), "hi");
    assert_eq!((gate.connects(), began.elapsed()), (tried + 1, Duration::ZERO));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name() {
    let member = |name: &str| Member::new(name, server("x", "").connector());
    let error = Hub::builder().member(member("a")).member(member("a")).build().unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("\"a\""), "{error}");
    assert_eq!(Hub::builder().member(member("")).build().unwrap_err().kind(), ErrorKind::Config);
    let hub = hub([member("a")]);
    assert_eq!(hub.add(member("a")).unwrap_err().kind(), ErrorKind::Config);
    assert!(hub.reload([member("b"), member("b")]).is_err());
    assert_eq!(names(&hub).await, ["a__x"], "a reload that is refused changes nothing");
    let failures = hub.warm().await;
    assert!(failures.is_empty(), "{failures:?}");
}

#[tokio::test(start_paused = true)]
async fn one_attempt_to_connect_that_fails_is_not_as_many_failures_as_calls_wait_for_it() {
    let (gated, gate) = Gated::new(&server("x", "hi"));
    let hub = hub([left_alone(Member::new("m", gated))]);
    gate.set_refuses(true);
    let waiting: Vec<_> = (0..20).map(|_| tokio::spawn(hub.call("m.x").into_future())).collect();
    for call in waiting {
        assert!(call.await.unwrap().is_err());
    }
    gate.set_refuses(false);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(hub.call("m.x").await.unwrap().joined_text(), "hi");
}

#[tokio::test(start_paused = true)]
async fn callers_in_a_hurry_do_not_have_a_server_held_back() {
    let slow = with_tool(MockServer::builder(), "x", "hi").tool(tool("slow"), |_| std::future::pending()).build();
    let hub = hub([Member::new("m", slow.connector())]);
    for _ in 0..20 {
        let error = hub.call("m.slow").max_time(Duration::from_millis(10)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
    assert_eq!(hub.call("m.x").await.unwrap().joined_text(), "hi");
}
