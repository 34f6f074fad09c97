//! Behaviours that users of many servers missed, one test a case, named after its id.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bowline_client::{ErrorKind, Safety, Timeouts};
use bowline_hub::{Change, HealthState, Member, Restarts};
use bowline_protocol::{CallToolResult, Implementation};
use bowline_resilience::RetryLayer;
use bowline_testkit::MockServer;
use tokio::time::Instant;

use super::support::{Gated, hub, known, left_alone, names, server, tool, until_health, until_tools, with_tool};

#[tokio::test]
async fn case_hub_001_the_same_tool_on_two_servers_is_two_tools() {
    let (one, two) = (server("send", "one"), server("send", "two"));
    let hub = hub([
        Member::new("mail1", one.connector()),
        Member::new("mail2", two.connector()),
        Member::new("third", server("unique", "three").connector()),
    ]);
    assert_eq!(names(&hub).await, ["mail1__send", "mail2__send", "third__unique"]);
    for (name, says) in [("mail1__send", "one"), ("mail2__send", "two"), ("third.unique", "three")] {
        assert_eq!(hub.call(name).await.unwrap().joined_text(), says, "{name}");
    }
    // Each got the bare name.
    for server in [&one, &two] {
        let calls: Vec<_> = server.received().into_iter().filter(|line| line.method() == "tools/call").collect();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].params().unwrap().to_value()["name"], "send");
    }
}

#[tokio::test(start_paused = true)]
async fn case_hub_004_one_dead_server_does_not_delay_the_others() {
    let (hanging, gate) = Gated::new(&server("x", ""));
    gate.hangs.store(true, Ordering::SeqCst);
    let (failing, gate) = Gated::new(&server("x", ""));
    gate.set_refuses(true);
    let limit = Duration::from_secs(2);
    let hub = hub([
        Member::new("failing", failing),
        Member::new("fast", server("echo", "hi").connector()),
        // Holds although the client's own deadline is another.
        Member::new("unreachable", hanging)
            .connect_deadline(limit)
            .client(move |builder| builder.timeouts(Timeouts::default().with_connect(limit * 10))),
    ]);
    let began = Instant::now();
    let listing = tokio::spawn({
        let hub = hub.clone();
        async move { hub.tools().await }
    });
    assert_eq!(hub.call("fast__echo").await.unwrap().joined_text(), "hi");
    assert!(began.elapsed() < Duration::from_millis(500));

    let listing = listing.await.unwrap();
    assert!(began.elapsed() >= limit && began.elapsed() < limit * 2, "{:?}", began.elapsed());
    assert_eq!(listing.items.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["fast__echo"]);
    let [failing, unreachable] = listing.failures.as_slice() else { panic!("{:?}", listing.failures) };
    assert_eq!((&*failing.member, failing.error.kind()), ("failing", ErrorKind::Connect));
    assert!(failing.error.to_string().contains("the gate is shut"), "{}", failing.error);
    assert_eq!((&*unreachable.member, unreachable.error.kind()), ("unreachable", ErrorKind::Timeout));
}

#[tokio::test(start_paused = true)]
async fn case_hub_006_calls_to_a_server_that_fails_are_held_back_until_it_heals() {
    let ill = Arc::new(AtomicBool::new(true));
    let sick = Arc::clone(&ill);
    let a = with_tool(MockServer::builder(), "other", "other")
        .tool(tool("work"), move |_| {
            let sick = Arc::clone(&sick);
            async move {
                if sick.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
                Ok(CallToolResult::text("done"))
            }
        })
        .tool(tool("refuses"), |_| async { Ok(CallToolResult::error("no")) })
        .build();
    let hub = hub([
        Member::new("a", a.connector())
            .client(|builder| builder.timeouts(Timeouts::default().with_idle(Duration::from_secs(1)))),
        Member::new("b", server("work", "b").connector()),
    ]);
    // A tool's own failure says nothing against its server.
    for _ in 0..20 {
        assert!(hub.call("a__refuses").await.unwrap().is_error());
    }
    for _ in 0..5 {
        assert_eq!(hub.call("a__work").await.unwrap_err().kind(), ErrorKind::Timeout);
    }
    let began = Instant::now();
    let held = hub.call("a__work").await.unwrap_err();
    assert_eq!((held.kind(), held.retry_after()), (ErrorKind::Unavailable, Some(Duration::from_secs(10))));
    assert_eq!(began.elapsed(), Duration::ZERO, "at once");
    assert_eq!(hub.call("b__work").await.unwrap().joined_text(), "b");
    assert_eq!(names(&hub).await, ["b__work"], "what cannot be called is not offered");

    tokio::time::sleep(Duration::from_secs(30)).await;
    ill.store(false, Ordering::SeqCst);
    let sent = a.journal().methods().len();
    assert_eq!(hub.call("a__work").await.unwrap().joined_text(), "done");
    assert_eq!(hub.call("a__other").await.unwrap().joined_text(), "other");
    assert_eq!(a.journal().methods().len(), sent + 2, "one trial closes it");
}

#[tokio::test(start_paused = true)]
async fn case_hub_006_holds_where_a_layer_tries_calls_again() {
    let a = MockServer::builder().tool(tool("work"), |_| std::future::pending()).build();
    let retry = RetryLayer::builder().max_attempts(2).build().unwrap();
    let hub = hub([Member::new("a", a.connector()).client(move |builder| {
        builder.timeouts(Timeouts::default().with_idle(Duration::from_secs(1))).layer(retry.clone())
    })]);
    let call = || hub.call("a.work").safety(Safety::ReadOnly);
    for _ in 0..5 {
        assert_eq!(call().await.unwrap_err().kind(), ErrorKind::Exhausted);
    }
    assert_eq!(call().await.unwrap_err().kind(), ErrorKind::Unavailable);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(call().await.unwrap_err().kind(), ErrorKind::Exhausted, "the trial");
    assert_eq!(call().await.unwrap_err().kind(), ErrorKind::Unavailable, "it failed");
}

#[tokio::test(start_paused = true)]
async fn case_hub_007_delays_shrink_with_uptime_and_not_with_a_start() {
    let (dying, crashing) = Gated::new(&server("x", "x"));
    crashing.lasts.store(10, Ordering::SeqCst);
    let (lasting, once) = Gated::new(&server("y", "y"));
    once.lasts.store(600_000, Ordering::SeqCst);
    let restarts = Restarts::default()
        .with_base_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(8))
        .with_attempts(6);
    let hub = hub([
        Member::new("dying", dying).restarts(restarts),
        Member::new("lasting", lasting).idle(None).restarts(restarts),
    ]);
    let mut changes = hub.changes();
    assert_eq!(names(&hub).await, ["dying__x", "lasting__y"]);
    once.lasts.store(0, Ordering::SeqCst);

    let mut delays = Vec::new();
    loop {
        match until_health(&mut changes, "dying", |state| !state.is_available()).await {
            HealthState::Waiting { until, .. } => {
                delays.push((until - Instant::now()).as_secs());
                assert_eq!(known(&hub), ["lasting__y"], "what is down is not offered");
            }
            state => break assert!(matches!(state, HealthState::Failed { .. }), "{state}"),
        }
    }
    assert_eq!(delays, [1, 2, 4, 8, 8, 8]);
    assert_eq!(crashing.connects(), 7);

    let HealthState::Waiting { until, .. } = until_health(&mut changes, "lasting", |state| !state.is_available()).await
    else {
        panic!("it is started again")
    };
    assert_eq!(until - Instant::now(), Duration::from_secs(1), "the shortest delay");
    until_tools(&mut changes, "lasting").await;
    assert_eq!(known(&hub), ["lasting__y"], "its tools are back, without anybody having asked");
    assert_eq!((once.connects(), crashing.connects()), (2, 7));
    let refused = hub.call("dying__x").await.unwrap_err();
    assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Unavailable, None));
}

#[tokio::test(start_paused = true)]
async fn case_hub_008_tools_of_a_dead_server_are_not_offered() {
    let a = server("x", "x");
    let (gated, gate) = Gated::new(&a);
    let hub = hub([left_alone(Member::new("a", gated)), Member::new("b", server("y", "y").connector())]);
    let mut changes = hub.changes();
    assert_eq!(names(&hub).await, ["a__x", "b__y"]);
    gate.set_refuses(true);
    a.disconnect();
    until_health(&mut changes, "a", |state| !state.is_available()).await;

    let began = Instant::now();
    assert_eq!(known(&hub), ["b__y"]);
    let status = hub.status_of("a").unwrap();
    assert!(matches!(status.state, HealthState::Waiting { .. }) && status.state.why().is_some(), "{}", status.state);
    assert_eq!(hub.call("b__y").await.unwrap().joined_text(), "y");
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody waited for anything");

    let listing = hub.tools().await;
    assert_eq!(listing.items.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["b__y"]);
    assert_eq!((&*listing.failures[0].member, listing.failures[0].error.kind()), ("a", ErrorKind::Unavailable));
    // A blip is waited out; what stays down is told at once, and when it is tried again.
    for _ in 0..2 {
        let error = hub.call("a__x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.retry_after().is_some() && error.is_retryable(), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(hub.call("a__x").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn case_hub_009_the_name_in_the_configuration_is_the_identity() {
    let named = || MockServer::builder().info(Implementation::new("github", "1"));
    let hub = hub([
        Member::new("gh", with_tool(named(), "whoami", "a").build().connector()),
        Member::new("ghe", with_tool(named(), "whoami", "b").build().connector()),
    ]);
    for (name, says) in [("gh__whoami", "a"), ("ghe__whoami", "b"), ("gh.whoami", "a"), ("ghe/whoami", "b")] {
        assert_eq!(hub.call(name).await.unwrap().joined_text(), says, "{name}");
    }
    assert_eq!(hub.client("gh").await.unwrap().server().info.name, "github");
    assert_eq!(hub.call("github.whoami").await.unwrap_err().kind(), ErrorKind::UnknownName);
}

/// As above, with a process each. The program answers three methods, and says what its environment says.
#[cfg(unix)]
#[tokio::test]
async fn case_hub_009_two_entries_of_one_command_are_two_processes() {
    use bowline_stdio::StdioConnect;

    const PROGRAM: &str = r#"
while read -r line; do
  id=${line#*\"id\":}; id=${id%%[,\}]*}
  case "$line" in
    *'"initialize"'*) r='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"github","version":"1"}}' ;;
    *'"tools/list"'*) r='{"tools":[{"name":"whoami","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/call"'*) r='{"content":[{"type":"text","text":"'"$HOST $$"'"}]}' ;;
    *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}\n' "$id"; continue ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$r"
done"#;
    let entry = |host: &str| StdioConnect::new("sh").args(["-c", PROGRAM]).env("HOST", host);
    let hub = hub([Member::new("gh", entry("a")), Member::new("ghe", entry("b"))]);
    let (a, b) =
        (hub.call("gh__whoami").await.unwrap().joined_text(), hub.call("ghe__whoami").await.unwrap().joined_text());
    let ((host_a, pid_a), (host_b, pid_b)) = (a.split_once(' ').unwrap(), b.split_once(' ').unwrap());
    assert_eq!((host_a, host_b), ("a", "b"));
    assert_ne!(pid_a, pid_b);
    let closed = hub.close().await;
    assert_eq!(closed.members.len(), 2);
    assert!(closed.members.iter().all(|(_, drained)| drained.disorderly.is_empty()), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_changes_that_is_slow_is_told_how_many_it_missed() {
    let hub = hub([]);
    let mut changes = hub.changes();
    for n in 0..1500 {
        hub.add(Member::new(format!("m{n}"), server("x", "x").connector())).unwrap();
    }
    assert!(matches!(changes.next().await, Some(Change::Missed(count)) if count == 1500 - 1024));
    assert!(matches!(changes.next().await, Some(Change::Added { member }) if &*member == "m476"));
}
