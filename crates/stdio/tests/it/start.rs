//! How servers are started, and what is said when they cannot be.

use std::path::{Path, PathBuf};
use std::process::Command;

use bowline_stdio::{InheritEnv, StdioConnect};
use bowline_transport::{Connect, Transport, TransportError, TransportErrorKind};

use crate::support::{ECHO, call, sh, within};

fn refusal(connect: &StdioConnect) -> (TransportErrorKind, String) {
    let error: TransportError = connect.spawn().expect_err("it cannot be started");
    assert!(!error.to_string().contains('\n'));
    (error.kind(), error.to_string())
}

/// A file of one line. A shell writes it: a descriptor of ours that a fork copies would make it busy.
fn file(name: &str, line: &str, mode: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let script = r#"printf '%s\n' "$2" > "$1" && chmod "$3" "$1""#;
    let status = Command::new("sh").args(["-c", script, "sh"]).arg(&path).args([line, mode]).status().unwrap();
    assert!(status.success());
    path
}

#[tokio::test]
async fn s_01_a_child_process_answers_over_its_pipes() {
    let transport = sh(ECHO).connect().await.unwrap();
    for id in 1..=3 {
        call(&transport, id).await.unwrap();
    }
    within(transport.close()).await.unwrap();
}

#[tokio::test]
async fn every_connect_starts_a_fresh_process() {
    let connect = sh(ECHO);
    let first = connect.spawn().unwrap();
    let second = connect.spawn().unwrap();
    assert_ne!(first.id(), second.id());
    call(&first, 1).await.unwrap();
    call(&second, 1).await.unwrap();
    within(first.close()).await.unwrap();
    call(&second, 2).await.unwrap();
    within(second.close()).await.unwrap();
}

#[tokio::test]
async fn case_stdio_014_an_unknown_program_is_named_at_once() {
    let (kind, message) = refusal(&StdioConnect::new("no-such-program-xyz"));
    assert_eq!(kind, TransportErrorKind::NotFound);
    assert!(message.contains("`no-such-program-xyz` was not found in PATH"), "{message}");

    let (kind, message) = refusal(&StdioConnect::new("./no/such-program"));
    assert_eq!(kind, TransportErrorKind::NotFound);
    assert!(message.contains("`./no/such-program` was not found"), "{message}");

    let (_, message) = refusal(&StdioConnect::new("npx -y some-server"));
    assert!(message.contains("arguments are given one by one"), "{message}");
}

#[tokio::test]
async fn what_else_is_missing_is_told_apart_from_a_missing_program() {
    let (kind, message) = refusal(&sh(ECHO).current_dir("/no/such/folder"));
    assert_eq!(kind, TransportErrorKind::NotFound);
    assert!(message.contains("working directory `/no/such/folder`"), "{message}");

    let script = file("no-interpreter", "#!/no/such/interpreter", "755");
    let (kind, message) = refusal(&StdioConnect::new(&script));
    assert_eq!(kind, TransportErrorKind::NotFound);
    assert!(message.contains("first line"), "{message}");

    let script = file("not-executable", "#!/bin/sh", "644");
    let (kind, message) = refusal(&StdioConnect::new(&script));
    assert_eq!(kind, TransportErrorKind::Connect);
    assert!(message.contains("chmod +x"), "{message}");
}

#[tokio::test]
async fn a_nul_character_in_an_argument_is_refused() {
    let (kind, message) = refusal(&sh(ECHO).arg("a\0b"));
    assert_eq!(kind, TransportErrorKind::Config);
    assert!(message.contains("NUL"), "{message}");
}

#[test]
fn a_start_without_a_runtime_is_refused() {
    assert_eq!(refusal(&sh(ECHO)).0, TransportErrorKind::Config);
}

#[test]
fn a_command_line_is_split_and_its_faults_are_named() {
    let fault = |line| {
        let error = StdioConnect::from_command_line(line).expect_err(line);
        assert_eq!(error.kind(), TransportErrorKind::Config);
        error.to_string()
    };
    assert!(fault("npx 'a").contains("quote"));
    assert!(fault("npx \\").contains("backslash"));
    assert!(fault("  ").contains("no program"));
    assert!(fault("'' a").contains("no program"));
}

#[tokio::test]
async fn urls_and_variables_are_no_programs_and_what_they_hold_is_shown_nowhere() {
    for (word, what) in [
        ("https://me:hush@example.com/mcp?token=hush", "a URL"),
        ("'wss://example.com/hush'", "a URL"),
        ("API_KEY=hush", "a variable"),
        ("_k1='hush hush'", "a variable"),
        ("K=https://example.com/hush", "a variable"),
    ] {
        let error = StdioConnect::from_command_line(&format!("{word} npx some-server")).expect_err(word);
        assert_eq!(error.kind(), TransportErrorKind::Config);
        assert!(error.to_string().contains(what), "{error}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");

        let connect = StdioConnect::new(word.replace('\'', ""));
        assert!(!format!("{} {connect:?}", connect.describe()).contains("hush"), "{connect:?}");
        let (kind, message) = refusal(&connect);
        assert_eq!(kind, TransportErrorKind::Config);
        assert!(message.contains(what) && !message.contains("hush"), "{message}");
    }
    for line in ["./a=b", "a-b=c", "1=2", "=x", "env API_KEY=hush npx", "srv --url=https://example.com"] {
        StdioConnect::from_command_line(line).expect(line);
    }
}

#[tokio::test]
async fn a_command_line_starts_what_it_says() {
    let connect = StdioConnect::from_command_line(r#"sh -c 'echo "$0|$1" >&2' 'a b' "c\"d""#).unwrap();
    assert_eq!(said(&connect).await, [r#"a b|c"d"#]);
}

/// What a server that says something and exits has said.
async fn said(connect: &StdioConnect) -> Vec<String> {
    let error = call(&connect.spawn().unwrap(), 1).await.expect_err("the server exits");
    error.stderr().unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn case_stdio_015_a_server_sees_the_default_environment_and_its_own() {
    // Without a shell's own variables.
    let env = |mode| sh("exec /usr/bin/env >&2").env("K", "v").inherit_env(mode);
    let has = |lines: &[String], name: &str| lines.iter().any(|line| line.starts_with(&format!("{name}=")));
    let path = format!("PATH={}", std::env::var("PATH").unwrap());
    // Set by cargo for this test, and not on the list.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());

    let lines = said(&env(InheritEnv::SafeList)).await;
    assert!(lines.contains(&"K=v".into()) && lines.contains(&path), "{lines:?}");
    assert_eq!(has(&lines, "HOME"), std::env::var_os("HOME").is_some());
    assert!(!has(&lines, "CARGO_MANIFEST_DIR"), "{lines:?}");

    let lines = said(&sh("exec /usr/bin/env | grep '^CARGO_M' >&2").inherit_env(InheritEnv::All)).await;
    assert!(has(&lines, "CARGO_MANIFEST_DIR"), "{lines:?}");

    let lines = said(&env(InheritEnv::None)).await;
    assert!(lines.contains(&"K=v".into()), "{lines:?}");
    assert!(!has(&lines, "HOME") && !lines.contains(&path), "{lines:?}");
}

#[tokio::test]
async fn the_working_directory_is_the_one_that_is_set() {
    assert_eq!(said(&sh("pwd -P >&2").current_dir("/")).await, ["/"]);
}

#[test]
fn descriptions_and_debug_output_hold_no_secrets() {
    let connect = StdioConnect::new("/opt/me/srv").arg("--token=hush").env("KEY", "hush");
    assert_eq!(connect.describe(), "srv");
    assert!(!format!("{connect:?}").contains("hush"));
}
