//! Configuration that cannot be read, or not as it was meant: the command says so where it matters.

use std::process::Command;

use crate::config::{OWN, Person};

const CUT: &str = r#"{"mcpServers":{"notes":{"command":"sh""#;

#[test]
fn a_name_that_is_not_found_brings_the_files_that_could_not_be_read() {
    let person = Person::new().with("home/.cursor/mcp.json", CUT).with("cut.json", CUT);
    for words in [&["list", "notes"][..], &["call", "notes.t"], &["--config", "../cut.json", "ping", "notes"]] {
        let ran = person.run(words);
        assert_eq!(ran.code, Some(2), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("names no server"), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("json:1:24: no valid json"), "{words:?}: {}", ran.stderr);
    }
    let ran = person.run(&["--config", "../cut.json", "list", "notes", "--json"]);
    assert!(ran.json()["error"]["detail"].as_str().unwrap().contains("cut.json:1:"), "{}", ran.stdout);
}

#[test]
fn a_pipe_is_refused_as_a_configuration() {
    let person = Person::new();
    let pipe = person.path("pipe.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let ran = person.run(&["--config", pipe.to_str().unwrap(), "list", "notes"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("it is a pipe or a device: save it as a file"), "{}", ran.stderr);
    let ran = person.run(&["--config", pipe.to_str().unwrap(), "config", "check"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stdout.contains("is a pipe, and no ordinary file"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn what_only_looks_like_a_variable_is_told_when_its_server_is_used() {
    let text = r#"{"mcpServers":{"notes":{"command":"sh","args":["SCRIPT"],"env":{"K":"${KEY:-s3cret}"}},
        "plain":{"command":"sh","args":["SCRIPT"]}}}"#;
    let person = Person::new().with("home/.cursor/mcp.json", text);
    let ran = person.run(&["list", "notes", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("`${KEY…}` is no variable by the rules of this file"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    assert_eq!(ran.json()["tools"][0]["name"], "t");
    let ran = person.run(&["list", "plain"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("is no variable"), "{}", ran.stderr);
    let ran = person.run(&["list", "--all"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("`${KEY…}` is no variable").count(), 1, "{}", ran.stderr);
    let ran = person.run(&["doctor"]);
    assert!(!ran.stderr.contains("is no variable"), "doctor tells it itself: {}", ran.stderr);
    let ran = person.run(&["list", "notes", "-q"]);
    assert!(!ran.stderr.contains("is no variable"), "{}", ran.stderr);
}

#[test]
fn doctor_looks_for_the_program_of_a_command_in_one_line() {
    let person = Person::new().with(OWN, "[servers.notes]\ncommand = \"sh SCRIPT\"\n");
    let ran = person.run(&["doctor", "notes"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("notes: answers, with 2 tools"), "{}", ran.stdout);
    let person = Person::new().with(OWN, "[servers.notes]\ncommand = \"no-such-program-here --token=s3cret\"\n");
    let ran = person.run(&["doctor", "notes"]);
    assert_eq!(ran.code, Some(4), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("its program `no-such-program-here` is not in PATH"), "{}", ran.stdout);
    for words in [&["config", "list"][..], &["config", "show", "notes"], &["config", "explain", "notes"]] {
        for more in [&[][..], &["--json"]] {
            let ran = person.run(&[words, more].concat());
            assert!(ran.stdout.contains("--token=(hidden)"), "{words:?}: {}", ran.stdout);
            assert!(!ran.stdout.contains("s3cret"), "{words:?}: {}", ran.stdout);
        }
    }
}

#[test]
fn a_server_of_this_machine_is_here_whoever_it_is_asked_as() {
    let person = Person::new().with(OWN, "[servers.web]\nurl = \"http://u:s3cret@127.0.0.1:1/mcp\"\n");
    let ran = person.run(&["doctor", "web"]);
    assert_eq!(ran.code, Some(4), "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("beyond this machine") && !ran.stdout.contains("s3cret"), "{}", ran.stdout);
}

#[test]
fn an_error_of_the_command_line_is_json_where_the_variable_asks_for_it() {
    let person = Person::new();
    for (value, is_json) in [("1", true), ("true", true), ("0", false), ("Off", false), ("", false)] {
        let ran = person.run_with(&["call", "--frobnicate"], &[("BOWLINE_JSON", value)]);
        assert_eq!(ran.code, Some(2), "{value}: {}", ran.stderr);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.stdout).is_ok(), is_json, "{value}: {}", ran.stdout);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_an_error() {
    for words in [&["--help"][..], &["--version"], &["call", "--help"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = crate::run::command(words).stdout(full).output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{words:?}");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(told.contains("cannot write to standard output"), "{words:?}: {told}");
    }
}
