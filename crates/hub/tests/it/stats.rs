//! Statistics: what is counted, how much is kept, and who is told.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_client::ErrorKind;
use bowline_hub::{Outcome, ServerSnapshot, Stats, StatsSnapshot};
use futures_util::FutureExt;

const MS: Duration = Duration::from_millis(1);

fn server<'a>(snapshot: &'a StatsSnapshot, name: &str) -> &'a ServerSnapshot {
    snapshot.servers.iter().find(|server| server.name == name).unwrap()
}

#[test]
fn calls_are_counted_by_server_tool_and_end() {
    let stats = Stats::new();
    let files = stats.server("files");
    for n in 1..=100 {
        files.record("read", Outcome::Answered, n * MS);
    }
    files.record("read", Outcome::ToolFailed, 200 * MS);
    files.record("read", Outcome::Failed(ErrorKind::Timeout), 60_000 * MS);
    files.record("read", Outcome::Failed(ErrorKind::Timeout), 60_000 * MS);
    files.record("write", Outcome::Failed(ErrorKind::Server), MS);
    files.record("write", Outcome::GivenUp, MS);
    files.record_method("resources/read", Outcome::Answered, 7 * MS);
    stats.server("mail").record("read", Outcome::Answered, MS);

    let snapshot = stats.snapshot();
    let files = server(&snapshot, "files");
    let [read, write] = &files.tools[..] else { panic!("{files:?}") };
    assert_eq!((read.name.as_str(), write.name.as_str()), ("read", "write"));
    let read = &read.stats;
    assert_eq!((read.calls, read.tool_failures, read.failures, read.given_up), (103, 1, 2, 0));
    assert_eq!(read.errors, BTreeMap::from([("timeout", 2)]));
    let times = read.times;
    assert_eq!((times.count, times.sum, times.max), (101, 5_250 * MS, 200 * MS));
    assert!(times.p50.abs_diff(51 * MS) <= 4 * MS, "{times:?}");
    assert!(times.p99.abs_diff(100 * MS) <= 7 * MS, "{times:?}");
    assert!(times.mean().abs_diff(52 * MS) <= MS, "{times:?}");
    assert_eq!((write.stats.given_up, write.stats.times.count), (1, 0));
    assert_eq!(files.methods[0].name, "resources/read");
    assert_eq!((files.total.calls, files.total.failures, files.total.times.count), (106, 3, 102));
    assert_eq!(server(&snapshot, "mail").total.calls, 1);
    let json = serde_json::to_value(&snapshot).unwrap();
    assert_eq!(json["servers"][0]["tools"][0]["errors"]["timeout"], 2);

    stats.forget("files");
    assert_eq!(stats.snapshot().servers.len(), 1);
}

#[test]
fn names_without_end_take_no_room_without_end() {
    let stats = Stats::new();
    let wild = stats.server("wild");
    for n in 0..10_100 {
        wild.record(&format!("tool {n}"), Outcome::Answered, MS);
    }
    wild.record(&"x".repeat(1 << 20), Outcome::Answered, MS);
    wild.record("tool 7", Outcome::Answered, MS);
    let snapshot = stats.snapshot();
    let wild = server(&snapshot, "wild");
    assert_eq!(wild.tools.len(), 10_000);
    assert_eq!(wild.other_tools.as_ref().unwrap().calls, 101);
    assert_eq!(wild.total.calls, 10_102);
    assert_eq!(wild.tools.iter().find(|tool| tool.name == "tool 7").unwrap().stats.calls, 2);
}

#[test]
fn a_page_has_the_labels_of_the_most_called_and_no_sample_twice() {
    let stats = Stats::new();
    let wild = stats.server("w\"ild\\\n");
    for n in 0..50_u64 {
        for _ in 0..=n {
            wild.record(&format!("tool {n}"), Outcome::Answered, MS);
        }
    }
    wild.record("other", Outcome::Failed(ErrorKind::Closed), MS);
    wild.record("evil\"} 1\nbowline_fake 2", Outcome::Answered, MS);
    wild.record_method("prompts/get", Outcome::Answered, MS);
    let text = stats.snapshot().prometheus(10).to_string();
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let of = |name: &str| samples.iter().filter(|line| line.starts_with(&format!("{name}{{"))).count();
    // Ten tools, the rest, and a method.
    assert_eq!(of("bowline_calls_total"), 12, "{text}");
    let calls = |label: &str| format!("bowline_calls_total{{server=\"w\\\"ild\\\\\\n\",{label}}}");
    assert!(text.contains(&format!("{} 50\n", calls("tool=\"tool 49\""))), "{text}");
    let rest: u64 = (1..=40).sum::<u64>() + 2;
    assert!(text.contains(&format!("{} {rest}\n", calls("tool=\"other\""))), "{text}");
    assert!(text.contains(&format!("{} 1\n", calls("method=\"prompts/get\""))), "{text}");
    assert_eq!(of("bowline_calls_errors_total"), 1);
    assert!(!samples.iter().any(|line| line.starts_with("bowline_fake")));
    let mut keys: Vec<&str> = samples.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    keys.sort_unstable();
    let all = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), all);
    // Where all have as many calls, none is more than another.
    let even = Stats::new();
    for n in 0..20 {
        even.server("even").record(&format!("tool {n}"), Outcome::Answered, MS);
    }
    let text = even.snapshot().prometheus(10).to_string();
    assert_eq!(text.matches("bowline_calls_total{").count(), 1);
    assert!(even.prometheus().to_string().contains("tool=\"tool 19\""));
}

#[tokio::test(start_paused = true)]
async fn a_feed_tells_all_at_first_and_then_what_changed() {
    let stats = Stats::new();
    let (files, mail) = (stats.server("files"), stats.server("mail"));
    files.record("read", Outcome::Answered, MS);
    let mut feed = stats.watch(Duration::from_secs(1));
    let first = feed.next().await.unwrap();
    assert_eq!(first.servers.len(), 2);
    assert!(feed.next().now_or_never().is_none());

    mail.record("send", Outcome::Answered, MS);
    files.record("write", Outcome::Answered, MS);
    let began = tokio::time::Instant::now();
    let second = feed.next().await.unwrap();
    assert!(began.elapsed() <= Duration::from_secs(1));
    assert_eq!(server(&second, "mail").tools[0].stats.calls, 1);
    let second_files = server(&second, "files");
    assert_eq!((second_files.tools.len(), second_files.tools[0].name.as_str()), (1, "write"));
    assert_eq!(second_files.total.calls, 2, "the sum is that of all");

    // Nothing changes for long, then for long nobody listens: one snapshot has it all.
    tokio::time::sleep(Duration::from_secs(100)).await;
    for _ in 0..1_000 {
        mail.record("send", Outcome::Answered, MS);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let third = feed.next().await.unwrap();
    assert_eq!((third.servers.len(), third.servers[0].tools[0].stats.calls), (1, 1_001));
    assert!(tokio::time::timeout(Duration::from_secs(100), feed.next()).await.is_err(), "nothing changed");
    drop((stats, files, mail));
    assert!(feed.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_change_is_missed_between_two_snapshots() {
    const EACH: u64 = 20_000;
    let stats = Stats::new();
    let mut feed = stats.watch(Duration::from_millis(10));
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let server = stats.server("busy");
            tokio::task::spawn_blocking(move || {
                for call in 0..EACH {
                    server.record(&format!("tool {}", (n + call) % 7), Outcome::Answered, MS);
                }
            })
        })
        .collect();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    while seen.values().sum::<u64>() < 4 * EACH {
        for server in feed.next().await.unwrap().servers {
            for tool in server.tools {
                let before = seen.insert(tool.name, tool.stats.calls).unwrap_or_default();
                // What changes while it is read may be told twice.
                assert!(tool.stats.calls >= before, "{} after {before}", tool.stats.calls);
            }
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
}
