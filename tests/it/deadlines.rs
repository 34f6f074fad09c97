//! Every wait has an end.

use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::CompletionReference;
use bowline::transport::MemoryConnect;
use bowline_testkit::Script;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::Instant;

use crate::support::{Child, connect, connect_with, everything, received, server, soon, text, with_handshake, within};

const SECOND: Duration = Duration::from_secs(1);

fn limits(idle: u32, total: u32) -> Timeouts {
    Timeouts::default().with_idle(SECOND * idle).with_total(SECOND * total)
}

/// Progress of the first request after the handshake, so many times, this far apart.
fn progress(times: u32, apart: Duration) -> Script {
    (1..=times).fold(server().expect("tools/call"), |script, n| {
        let message = json!({
            "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": 2, "progress": n },
        });
        script.sleep(u64::try_from(apart.as_millis()).unwrap()).send(message.to_string())
    })
}

/// Asserts that about so much of the paused time has passed.
fn assert_passed(since: Instant, expected: Duration) {
    let elapsed = since.elapsed();
    assert!(elapsed >= expected && elapsed < expected + SECOND / 10, "{elapsed:?}, not {expected:?}");
}

// Duty: L-25
#[tokio::test(start_paused = true)]
async fn the_defaults_are_a_minute_without_progress_and_ten_in_all() {
    let (client, _) = connect(server()).await;
    let started = Instant::now();
    let error = client.call("slow").await.unwrap_err();
    assert!(error.is_timeout() && error.to_string().starts_with("tools/call: "), "{error}");
    assert_passed(started, SECOND * 60);

    let (client, _) = connect(progress(40, SECOND * 30)).await;
    let started = Instant::now();
    let error = client.call("slow").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::Yes));
    assert_passed(started, SECOND * 600);
}

// Duty: L-25
#[tokio::test(start_paused = true)]
async fn progress_restarts_the_idle_limit_and_never_the_total_one() {
    let builder = || Client::builder().timeouts(limits(10, 60));
    let (client, _) = connect_with(builder(), progress(6, SECOND * 9).reply(text("done"))).await;
    assert_eq!(client.call("slow").await.unwrap().joined_text(), "done");

    let (client, journal) = connect_with(builder(), progress(20, SECOND * 9)).await;
    let started = Instant::now();
    let error = client.call("slow").await.unwrap_err();
    assert_passed(started, SECOND * 60);
    assert!(error.to_string().contains("60s"), "{error}");
    let told = journal.wait_for_method("notifications/cancelled").await.to_value();
    assert!(told["params"]["reason"].as_str().unwrap().contains("60s"), "{told}");

    // Progress, then silence.
    let (client, _) = connect_with(builder(), progress(1, SECOND * 9)).await;
    let started = Instant::now();
    assert!(client.call("slow").await.unwrap_err().to_string().contains("10s"));
    assert_passed(started, SECOND * 19);
}

// Duty: L-25, T-07
#[tokio::test(start_paused = true)]
async fn a_call_may_have_limits_of_its_own() {
    let builder = || Client::builder().timeouts(limits(10, 60));
    for (idle, total, expected) in [(Some(3), None, 3), (None, Some(5), 5), (Some(20), None, 20), (Some(90), None, 60)]
    {
        let (client, _) = connect_with(builder(), server()).await;
        let mut call = client.call("slow");
        if let Some(idle) = idle {
            call = call.idle_timeout(SECOND * idle);
        }
        if let Some(total) = total {
            call = call.max_time(SECOND * total);
        }
        let started = Instant::now();
        assert!(call.await.unwrap_err().is_timeout());
        assert_passed(started, SECOND * expected);
    }
    // Limits that are no limits.
    let (client, _) =
        connect_with(builder(), server().expect("tools/call").sleep(86_400_000).reply(text("done"))).await;
    let call = client.call("slow").idle_timeout(Duration::MAX).max_time(Duration::MAX);
    assert_eq!(call.await.unwrap().joined_text(), "done");
}

// Duty: L-04, L-09, L-10, L-24
#[tokio::test(start_paused = true)]
async fn connecting_has_a_limit_and_is_not_cancelled() {
    let (connector, journal) = Script::new().ignore_eof().expect("initialize").hang().connector();
    let started = Instant::now();
    let error = with_handshake().connect(connector).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::Maybe));
    assert_passed(started, SECOND * 30);
    assert_eq!(journal.methods(), ["initialize"]);
}

#[tokio::test]
async fn a_server_that_does_not_finish_the_handshake_has_its_last_words() {
    let child = Child::script(&Script::new().stderr("loading the model\n").hang());
    let mut lines = child.connect.stderr_lines();
    let connecting = tokio::spawn(Client::builder().connect(child.connect.clone()));
    assert_eq!(within(lines.next()).await.as_deref(), Some("loading the model"));
    tokio::time::pause();
    tokio::time::advance(SECOND * 31).await;
    tokio::time::resume();
    let error = within(connecting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("scripted-peer"), "{error}");
    assert!(error.to_string().contains("loading the model"), "{error}");
    assert_eq!(error.stderr(), Some("loading the model"));
    child.gone().await;
}

// Duty: L-24, C-01, C-02
#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_cancelled_exactly_once_with_a_reason() {
    let (client, journal) = connect_with(Client::builder().timeouts(limits(1, 1)), server()).await;
    assert!(client.call("late").await.unwrap_err().is_timeout());
    tokio::select! {
        biased;
        result = client.call("dropped") => panic!("it is not answered: {result:?}"),
        _ = journal.wait_for(|line| line.id() == Some(&3.into())) => {}
    }
    // One that was never polled has nothing to cancel.
    drop(client.call("unsent"));
    drop(client.call("unsent").into_future());
    client.close().await.unwrap();
    journal.wait_ended().await;
    let told = received(&journal, "notifications/cancelled");
    assert_eq!(told.iter().map(|line| line["params"]["requestId"].clone()).collect::<Vec<_>>(), [2, 3]);
    for line in &told {
        assert!(!line["params"]["reason"].as_str().unwrap().is_empty());
    }
    assert_eq!(received(&journal, "tools/call").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_open_calls_with_an_error_that_says_so() {
    let (client, journal) = connect(server()).await;
    let call = async || client.call("slow").await.unwrap_err();
    let close = async {
        journal.wait_for(|line| line.id() == Some(&3.into())).await;
        client.close().await.unwrap();
    };
    let (a, b, ()) = tokio::join!(call(), call(), close);
    for error in [a, b] {
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::Maybe));
        assert!(error.to_string().contains("closed"), "{error}");
    }
    assert!(client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn everything_after_a_close_fails_unsent() {
    let (client, journal) = connect(server()).await;
    let clone = client.clone();
    let (first, second) = tokio::join!(client.close(), clone.close());
    first.unwrap();
    second.unwrap();
    for error in errors_of_everything(&clone).await {
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No), "{error}");
    }
    let error = clone.notify("notifications/x", ()).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No));
    clone.close().await.unwrap();
    assert_eq!(journal.methods(), ["initialize", "notifications/initialized"]);
    let mut events = clone.events();
    assert!(matches!(events.next().await, Some(Event::Closed(_))), "whoever listens too late learns of the end");
    assert!(events.next().await.is_none());
}

/// What every request of the client gives, where none can succeed.
async fn errors_of_everything(client: &Client) -> Vec<Error> {
    vec![
        client.call("x").await.unwrap_err(),
        client.read("x://1").await.unwrap_err(),
        client.prompt("x").await.unwrap_err(),
        client.complete(CompletionReference::prompt("x"), "a", "b").await.unwrap_err(),
        client.request("vendor/own").await.unwrap_err(),
        client.tools().all().await.unwrap_err(),
        client.resources().all().await.unwrap_err(),
        client.resource_templates().all().await.unwrap_err(),
        client.prompts().all().await.unwrap_err(),
        client.list_page::<Tool>(None).await.unwrap_err(),
        client.ping().await.unwrap_err(),
        client.set_level(LoggingLevel::Info).await.unwrap_err(),
        client.subscribe("x://1").await.unwrap_err(),
        client.request("resources/unsubscribe").params(json!({ "uri": "x://1" })).await.unwrap_err(),
        client.tasks().all().await.unwrap_err(),
        client.task("1").await.unwrap_err(),
        client.task_result("1").await.unwrap_err(),
        client.cancel_task("1").await.unwrap_err(),
    ]
}

// Duty: L-24
#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_hangs_nothing() {
    let mut capabilities = everything();
    capabilities["tasks"] = json!({ "list": {}, "cancel": {} });
    let (client, _) = connect(Script::new().ignore_eof().handshake("2025-11-25", capabilities).hang()).await;
    let started = Instant::now();
    for error in errors_of_everything(&client).await {
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::Maybe), "{error}");
    }
    assert_passed(started, SECOND * 60 * 18);
    let started = Instant::now();
    let _ = client.close().await;
    assert!(started.elapsed() <= SECOND * 15);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_reads_hangs_nothing() {
    let connector = MemoryConnect::new(|pipe| {
        tokio::spawn(async move {
            let (read, mut write) = tokio::io::split(pipe);
            let mut lines = BufReader::new(read).lines();
            lines.next_line().await.unwrap();
            let answer = json!({
                "jsonrpc": "2.0", "id": 1,
                "result": { "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" } },
            });
            write.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
    });
    let client = with_handshake().connect(connector).await.unwrap();
    let argument = "x".repeat(900 << 10);
    let call = async || client.call("big").arg("text", &argument).await.unwrap_err();
    let started = Instant::now();
    let (a, b, c, d) = tokio::join!(call(), call(), call(), call());
    assert_passed(started, SECOND * 60);
    for error in [&a, &b, &c, &d] {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
    assert_eq!(d.sent(), Sent::No, "there was no room for the last one");
    let error = client.notify("notifications/x", ()).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::No));
    let started = Instant::now();
    let _ = client.close().await;
    assert!(started.elapsed() <= SECOND * 15);
}

// Duty: S-07
#[tokio::test]
async fn a_connection_that_ends_fails_its_calls_at_once() {
    let (client, journal) = connect(server().expect("tools/call").exit(0)).await;
    let error = soon(client.call("slow")).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::Maybe));
    assert_eq!(received(&journal, "notifications/cancelled").len(), 0);
}

/// A server that asks the user before it answers the call, or not at all.
fn asking(answers: bool) -> Script {
    let schema = json!({ "type": "object", "properties": {} });
    let ask = json!({
        "jsonrpc": "2.0", "id": "e", "method": "elicitation/create",
        "params": { "message": "Sure?", "requestedSchema": schema },
    });
    let script = server().expect("tools/call").send(ask.to_string()).expect_answer(json!("e"));
    if answers {
        script.sleep(50_000).send(json!({ "jsonrpc": "2.0", "id": 2, "result": text("done") }).to_string())
    } else {
        script
    }
}

// Duty: S-13
#[tokio::test(start_paused = true)]
async fn a_server_that_waits_for_the_user_is_not_idle() {
    let builder = |minutes: u32| {
        Client::builder().on_elicitation(move |_: ElicitRequestParams, _: RequestContext| async move {
            tokio::time::sleep(SECOND * 60 * minutes).await;
            Ok(ElicitResult::decline())
        })
    };
    let (client, _) = connect_with(builder(5), asking(true)).await;
    let started = Instant::now();
    assert_eq!(client.call("delete").await.unwrap().joined_text(), "done");
    assert_passed(started, SECOND * 350);

    // After that it is idle again.
    let (client, _) = connect_with(builder(5), asking(false)).await;
    let started = Instant::now();
    assert!(client.call("delete").await.unwrap_err().is_timeout());
    assert_passed(started, SECOND * 360);

    // The total limit counts all the time.
    let (client, _) = connect_with(builder(30), asking(true)).await;
    let started = Instant::now();
    assert!(client.call("delete").await.unwrap_err().is_timeout());
    assert_passed(started, SECOND * 600);
}

// Duty: G-03
#[tokio::test(start_paused = true)]
async fn a_keep_alive_ends_a_connection_whose_pings_are_not_answered() {
    let builder = Client::builder().keep_alive(SECOND * 5);
    let (client, journal) = connect_with(builder, server().ignore_eof()).await;
    let mut events = client.events();
    let started = Instant::now();
    let error = client.call("slow").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::Maybe));
    assert_passed(started, SECOND * 10);
    assert!(matches!(events.next().await, Some(Event::Closed(_))));
    assert!(client.is_closed());
    assert_eq!(received(&journal, "ping").len(), 1);
}
