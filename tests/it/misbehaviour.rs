//! What becomes of a call, and of the session, when a server misbehaves in one of the ways that the mock server knows.

use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::{TaskSupport, ToolExecution};
use bowline::transport::{Fault, Limits};
use bowline::{ClientBuilder, Started};
use bowline_testkit::{Misbehaviour, MockServer, Named, When, demo};
use serde_json::json;

use crate::support::{Child, faults, rest, within};

/// How a call has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Well,
    With(ErrorKind),
}
use Ends::{Well, With};

/// The misbehaviour, how the call ends in which it shows, and whether the session goes on after that.
const WAYS: &[(&str, Ends, bool)] = &[
    ("answers-cancelled", Well, true),
    ("banner=ahoy, {\"jsonrpc\":\"2.0\"}", Well, true),
    ("bom", Well, true),
    ("cache-ttl=-1", Well, true),
    ("crlf", Well, true),
    ("chunks=1", Well, true),
    ("coalesce=3", Well, true),
    ("answer={\"content\":[]}@tools/call", Well, true),
    ("batch@tools/call", Well, true),
    ("delay=20@tools/call", Well, true),
    ("duplicate=3@tools/call", Well, true),
    ("early-event@tools/call", Well, true),
    ("error=-32050@tools/call", With(ErrorKind::Server), true),
    ("error-without-id@tools/call", With(ErrorKind::Timeout), true),
    ("exit-after=3@tools/call", Well, false),
    ("exit-before=3@tools/call", With(ErrorKind::Closed), false),
    ("foreign-subscription@tools/call", Well, true),
    ("garbage=]}[{ no message@tools/call", Well, true),
    ("half-message@tools/call", With(ErrorKind::Closed), false),
    ("id-as-string@tools/call", Well, true),
    ("invalid-utf8@tools/call", Well, true),
    ("log-flood=5000@tools/call", Well, true),
    ("never-answer@tools/call", With(ErrorKind::Timeout), true),
    ("no-acknowledgement@tools/call", Well, true),
    ("oversize=2000000@tools/call", With(ErrorKind::TooLarge), false),
    ("ping-storm=5000@tools/call", Well, true),
    ("progress-flood=20000@tools/call", Well, true),
    ("refuse=no@tools/call", With(ErrorKind::Server), true),
    ("stderr-flood=500000@tools/call", Well, true),
    ("wrong-id@tools/call", With(ErrorKind::Timeout), true),
    ("wrong-shape@tools/call", With(ErrorKind::Protocol), true),
];

/// The same in 2026-07-28, for what no other revision has.
const WAYS_OF_2026: &[(&str, Ends, bool)] = &[
    ("header-mismatch@tools/call", With(ErrorKind::Server), true),
    ("input-required@tools/call", With(ErrorKind::Protocol), true),
    ("request-state=500000@tools/call", Well, true),
    ("result-type=marvel@tools/call", With(ErrorKind::Protocol), true),
    ("unsupported-version=2031-01-01@tools/call", With(ErrorKind::Server), true),
];

/// Bounds that an oversize message does not fit.
fn limits() -> Limits {
    Limits::default().with_max_frame_bytes(1 << 20)
}

/// A client that can be asked, and soon has enough of it.
fn builder() -> ClientBuilder {
    Client::builder().roots(Vec::new()).max_rounds(2)
}

async fn check(way: &(&str, Ends, bool), client: Client) {
    let (name, ends, goes_on) = *way;
    let mut events = client.events();
    let called = match client.call("echo").arg("message", "ahoy").await {
        Ok(result) => {
            assert!(name.starts_with("answer=") || result.joined_text() == "ahoy", "{name}");
            Well
        }
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            With(error.kind())
        }
    };
    assert_eq!(called, ends, "{name}");
    // Both eras have lists.
    if goes_on {
        client.tools().all().await.unwrap();
    } else {
        // The end may come a little after the answer.
        rest(&mut events).await;
        let error = client.tools().all().await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No), "{name}: {error}");
    }
    client.close().await.unwrap();
}

#[test]
fn all_ways_are_looked_at() {
    let mut known: Vec<_> = Named::NAMES.iter().map(|(name, _)| name.split('=').next().unwrap()).collect();
    let ways =
        WAYS.iter().chain(WAYS_OF_2026).map(|(name, ..)| *name).chain(WAYS_OF_TASKS.iter().map(|(name, ..)| *name));
    let mut seen: Vec<_> = ways.map(|name| name.split(['=', '@']).next().unwrap()).collect();
    seen.push("cursor-loop"); // In the tests of lists.
    known.sort_unstable();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, known);
}

/// The ways of the handshake's era, and those that are of 2026-07-28 alone.
fn ways() -> impl Iterator<Item = (Revision, &'static (&'static str, Ends, bool))> {
    let of = |revision, ways: &'static [_]| ways.iter().map(move |way| (revision, way));
    of(Revision::LATEST_HANDSHAKE, WAYS).chain(of(Revision::V2026_07_28, WAYS_OF_2026))
}

#[tokio::test(start_paused = true)]
async fn each_way_ends_a_call_as_it_should_in_memory() {
    for (revision, way) in ways() {
        let server = demo::builder().revisions([revision]).misbehave_as(way.0).unwrap().build();
        let client = builder().connect(server.connector().with_limits(limits())).await.unwrap();
        check(way, client).await;
        server.journal().wait_ended().await;
    }
}

#[tokio::test]
async fn each_way_ends_a_call_as_it_should_over_stdio() {
    // A call that is never answered takes a minute where time is not paused.
    for (revision, way) in ways().filter(|(_, (_, ends, _))| *ends != With(ErrorKind::Timeout)) {
        let child =
            Child::program(env!("CARGO_BIN_EXE_mock-server"), &["--fault", way.0, "--revision", revision.as_str()]);
        let client = within(builder().connect(child.connect.clone().limits(limits()))).await.unwrap();
        within(check(way, client)).await;
        child.gone().await;
    }
}

/// How a call ends that has become a task, and a look at the task after that.
const WAYS_OF_TASKS: &[(&str, Ends, Ends)] = &[
    ("task-goes-backwards", Well, With(ErrorKind::Protocol)),
    ("task-never-ends", With(ErrorKind::Timeout), Well),
    ("task-ttl=-1", Well, Well),
    ("task-ttl=36893488147419103230", Well, Well),
    ("task-vanishes", With(ErrorKind::TaskGone), With(ErrorKind::TaskGone)),
];

#[tokio::test(start_paused = true)]
async fn each_way_of_tasks_ends_a_call_as_it_should_in_both_eras() {
    let tool = Tool::new("haul", json!({ "type": "object" }))
        .with_execution(ToolExecution::new().with_task_support(TaskSupport::Optional));
    let haul = |_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(CallToolResult::text("up"))
    };
    let ended = |error: &Error| With(error.kind());
    for (revision, (name, result, look)) in [Revision::V2025_11_25, Revision::V2026_07_28]
        .into_iter()
        .flat_map(|revision| WAYS_OF_TASKS.iter().map(move |way| (revision, way)))
    {
        let server =
            MockServer::builder().revisions([revision]).tool(tool.clone(), haul).misbehave_as(name).unwrap().build();
        let client = Client::builder().revision(revision).connect(server.connector()).await.unwrap();
        let call = client.call("haul").max_time(Duration::from_secs(60)).as_task();
        let Started::Task(mut task) = call.start().await.unwrap() else { panic!("{name}: a task") };
        let came = task.result().await.map_or_else(|error| ended(&error), |_| Well);
        assert_eq!(came, *result, "{name}, {revision}");
        // One look after the end is what the call had of it.
        let seen = task.status().await.map_or_else(|error| ended(&error), |_| Well);
        assert_eq!(seen, *look, "{name}, {revision}");
        client.tools().all().await.unwrap();
        client.close().await.unwrap();
    }
}

/// A call of `echo` to a server that misbehaves, and the events of the session.
async fn events_of(server: &MockServer) -> Vec<Event> {
    let client = within(Client::builder().connect(server.connector())).await.unwrap();
    let mut events = client.events();
    within(client.call("echo").arg("message", "ahoy")).await.unwrap();
    within(client.close()).await.unwrap();
    rest(&mut events).await
}

#[tokio::test]
async fn what_is_odd_is_told_and_not_more_often_than_need_be() {
    let odd = |what| demo::builder().misbehave(When::method("tools/call"), what).build();
    let events = events_of(&odd(Misbehaviour::Duplicate(3))).await;
    let repeated = faults(&events).into_iter().filter(|fault| matches!(fault, Fault::UnknownAnswer { .. })).count();
    assert_eq!(repeated, 3, "{events:?}");

    let noisy = (0..100).fold(demo::builder(), |builder, _| {
        builder.misbehave(When::method("tools/call"), Misbehaviour::Garbage("a log line".into()))
    });
    let events = events_of(&noisy.build()).await;
    let counts: Vec<_> = faults(&events)
        .into_iter()
        .map(|fault| match fault {
            Fault::NotAMessage { count, .. } => *count,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64]);
}

// Duty: K-05
#[tokio::test]
async fn a_reader_of_events_that_is_slow_loses_the_oldest_and_is_told_how_many() {
    let server = demo::builder().misbehave(When::method("tools/call"), Misbehaviour::LogFlood(3000)).build();
    let events = events_of(&server).await;
    let Some(Event::Lagged(lost)) = events.first() else { panic!("{:?}", events.first()) };
    let logs = events.iter().filter(|event| matches!(event, Event::Log(_))).count();
    // The flood, and what the tool itself logs; the place of the end is not among them.
    assert_eq!(usize::try_from(*lost).unwrap() + logs, 3001);
    assert!(logs <= 1024);
}

// Duty: G-01
#[tokio::test]
async fn every_ping_of_a_storm_is_answered_once_and_in_order() {
    let server = demo::builder().misbehave(When::method("tools/call"), Misbehaviour::PingStorm(3000)).build();
    events_of(&server).await;
    let ids: Vec<_> = server.received().iter().filter(|l| l.is_answer()).map(|l| l.id().cloned().unwrap()).collect();
    assert_eq!(ids.len(), 3000);
    assert!(ids.iter().zip(1..).all(|(id, n)| *id == format!("storm-{n}").into()));
}
