//! `inspect`, `record`, `replay` and `bench`.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::recording::{Folder, byte_for_byte};
use crate::run::{BOWLINE, Ran, Server, bowline, command, serve};

const DEMO: [&str; 3] = [BOWLINE, "demo", "--serve"];

/// Some words of ours, and a server behind them.
fn with(words: &[&str], server: &[&str]) -> Ran {
    bowline(&[words, &["--"], server].concat())
}

/// What is done with the demo server, as bytes.
const COMMANDS: &[&[&str]] = &[
    &["list", "--all"],
    &["list", "--json"],
    &["info"],
    &["call", "echo", "message=ahoy"],
    &["call", "add", "a=2", "b=3", "--json"],
    &["call", "countdown", "from=3", "-v"],
    &["read", "demo://log-book"],
    &["prompt", "review", "code=x", "language=rust"],
    &["complete", "prompt:review", "language=ru"],
    &["call", "fail"],
];

#[test]
fn what_was_recorded_is_replayed_byte_for_byte_over_stdio_and_http() {
    byte_for_byte("demo", &DEMO, COMMANDS);
}

#[test]
fn over_http_what_was_not_recorded_is_told_as_well() {
    let folder = Folder::new("http");
    let file = folder.file("demo.jsonl");
    let words = ["call", "countdown", "from=3"];
    let recorded = with(&words, &[&[BOWLINE, "record", "-o", &file, "--"], &DEMO[..]].concat());
    let serving = serve(&["replay", &file, "--http", "0"]);
    let ran = bowline(&[&["call", serving.url()], &words[1..]].concat());
    let other = bowline(&["call", serving.url(), "countdown", "from=4"]);
    drop(serving);
    assert_eq!((ran.code, ran.stdout), (Some(0), recorded.stdout), "{}", ran.stderr);
    assert_eq!(other.code, Some(9));
    assert!(other.stderr.contains("arguments.from: recorded 3, came 4"), "{}", other.stderr);
}

#[test]
fn a_recording_is_not_written_over_and_one_that_was_cut_is_told_of() {
    let folder = Folder::new("cut");
    let file = folder.file("demo.jsonl");
    let record =
        |more: &[&str]| with(&["ping"], &[&[BOWLINE, "record", "-o", &file], more, &["--"], &DEMO[..]].concat());
    assert_eq!(record(&[]).code, Some(0));
    let ran = command(&["record", "-o", &file, "--", "true"]).output().map(Ran::from).unwrap();
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--append"), "{}", ran.stderr);
    assert_eq!(record(&["--force"]).code, Some(0));

    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 30]).unwrap();
    let ran = bowline(&["replay", &file]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("line ") && ran.stderr.contains("--allow-cut"), "{}", ran.stderr);
    let ran = with(&["ping"], &[BOWLINE, "replay", &file, "--allow-cut"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn secrets_are_in_no_recording_and_no_inspection() {
    let folder = Folder::new("secrets");
    let file = folder.file("demo.jsonl");
    let words = ["call", "echo", "message=use ghp_0123456789abcdefghijABCD and swordfish"];
    let record = [&[BOWLINE, "record", "-o", &file, "--redact", "swordfish", "--"], &DEMO[..]].concat();
    let ran = with(&words, &record);
    assert!(ran.stdout.contains("swordfish"), "{}", ran.stdout);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("use [redacted] and [redacted]"), "{text}");
    assert!(!text.contains("ghp_") && !text.contains("swordfish"), "{text}");
    // The same secret or another one: what was taken out is any text.
    let ran = with(&["call", "echo", "message=use this and that"], &[BOWLINE, "replay", &file]);
    assert!(ran.stdout.contains("use [redacted] and [redacted]"), "{}", ran.stderr);
    let ran = with(&[&words[..], &["-vv"]].concat(), &DEMO);
    assert!(ran.stderr.contains("→ tools/call") && !ran.stderr.contains("ghp_"), "{}", ran.stderr);
}

#[test]
fn inspect_shows_every_frame_and_what_is_asked_for_alone() {
    let ran = with(&["inspect"], &DEMO);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for wanted in ["→ initialize", "← initialize", "→ tools/list", "← prompts/list", "closing"] {
        assert!(ran.stdout.contains(wanted), "{wanted}: {}", ran.stdout);
    }
    let ran = with(&["inspect", "--method", "tools/*", "--direction", "to-client", "--json"], &DEMO);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["method"], &lines[0]["to"]), (1, &"tools/list".into(), &"client".into()));
    assert!(lines[0]["took"].is_number() && lines[0]["frame"]["result"]["tools"].is_array(), "{}", lines[0]);

    let folder = Folder::new("inspect");
    let file = folder.file("frames.jsonl");
    let ran = with(&["inspect", "-o", &file], &DEMO);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(std::fs::read_to_string(&file).unwrap().lines().count() > 10);
    // A client that is not ours, put through.
    let mut client =
        command(&[&["inspect", "--proxy", "--"], &DEMO[..]].concat()).stdin(Stdio::piped()).spawn().unwrap();
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
    writeln!(client.stdin.take().unwrap(), "{hello}").unwrap();
    let ran = Ran::from(client.wait_with_output().unwrap());
    assert!(ran.stdout.contains(r#""protocolVersion":"2025-11-25""#), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("← initialize 1"), "{}", ran.stderr);
}

#[test]
fn bench_calls_what_does_no_harm_and_tells_the_times() {
    let listing = || {
        Server::new().answer(
            "tools/list",
            r#"{"tools":[{"name":"look","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},
                {"name":"act","inputSchema":{"type":"object"}}]}"#,
        )
    };
    let server = || listing().answer("tools/call", r#"{"content":[]}"#);
    let ran = server().run(&["bench", "look", "--count", "20", "--concurrency", "3", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let json = ran.json();
    assert_eq!((&json["calls"], &json["failed"], &json["concurrency"]), (&20.into(), &0.into(), &3.into()));
    let counted: u64 = json["histogram"].as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 20);
    assert!(json["latency_ms"]["p99"].as_f64().unwrap() > 0.0);

    let act = server();
    let ran = Ran::from(act.command(&["bench", "act", "--count", "5"]).env_remove("BOWLINE_YES").output().unwrap());
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--yes"), "{}", ran.stderr);
    let ran = server().run(&["bench", "act", "--count", "5", "--yes"]);
    assert!(ran.stdout.contains("5, none failed") && ran.stdout.contains("p99"), "{}", ran.stdout);

    let failing = listing().fail("tools/call", r#"{"code":-32603,"message":"no"}"#);
    let ran = failing.run(&["bench", "act", "--count", "5", "--yes"]);
    assert_eq!(ran.code, Some(9), "{}", ran.stderr);
    assert!(ran.stdout.contains("failed: 5 protocol"), "{}", ran.stdout);
}
