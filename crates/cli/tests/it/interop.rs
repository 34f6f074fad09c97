//! Published servers, recorded and played back by the command.
//!
//! `cargo xtask interop` installs the servers and runs this; without it each test says that it skipped itself.

use std::fmt::Write as _;
use std::path::PathBuf;

use bowline_testkit::llm::{MockProvider, MockTurn};
use tokio::runtime::Runtime;

use crate::chat::PROVIDERS;
use crate::recording::byte_for_byte;
use crate::run::{Ran, Server, command};

/// The program of a server that is installed, or the word that the test skips itself.
fn installed(name: &str, program: &str) -> Option<String> {
    let Some(directory) = std::env::var_os("BOWLINE_INTEROP_DIR").map(PathBuf::from) else {
        println!("skipped: run `cargo xtask interop --only {name}`");
        return None;
    };
    Some(directory.join("servers").join(name).join(program).to_str().unwrap().to_owned())
}

#[test]
fn everything_is_recorded_and_replayed_byte_for_byte() {
    let Some(program) = installed("everything", "node_modules/.bin/mcp-server-everything") else { return };
    let commands: &[&[&str]] = &[
        &["list", "--all"],
        &["list", "--json"],
        &["call", "echo", "message=hi"],
        &["call", "get-sum", "a=2", "b=3", "--json"],
        &["call", "get-structured-content", "location=New York", "--json"],
        &["call", "trigger-long-running-operation", "duration=0.1", "steps=3"],
        &["read", "demo://resource/static/document/features.md"],
        &["prompt", "args-prompt", "city=Oslo"],
        &["complete", "prompt:completable-prompt", "department=E"],
        &["call", "get-sum", "a=two", "b=3"],
    ];
    byte_for_byte("everything", &[&program], commands);
}

#[test]
fn time_is_recorded_and_replayed_byte_for_byte() {
    let Some(program) = installed("time", "bin/mcp-server-time") else { return };
    let convert = ["source_timezone=UTC", "time=12:00", "target_timezone=Asia/Tokyo"];
    let commands: &[&[&str]] = &[
        &["list", "--all"],
        &["list", "--json"],
        &["call", "convert_time", convert[0], convert[1], convert[2]],
        &["call", "convert_time", convert[0], convert[1], "target_timezone=Nowhere/None"],
    ];
    byte_for_byte("time", &[&program, "--local-timezone", "UTC"], commands);
}

/// Six servers of others with one configuration, beside one that is killed on the way and one that never answers.
#[test]
fn together_servers_are_listed_and_searched_whatever_becomes_of_two_of_them() {
    let Some(root) = std::env::var_os("BOWLINE_INTEROP_DIR").map(PathBuf::from) else {
        println!("skipped: run `cargo xtask interop`");
        return;
    };
    let work = Server::new();
    let place = work.folder().to_str().unwrap();
    let at = |name: &str, program: &str| root.join("servers").join(name).join(program).to_str().unwrap().to_owned();
    let memory = at("memory", "node_modules/.bin/mcp-server-memory");
    let servers: &[(&str, String, &[&str], &str)] = &[
        ("everything", at("everything", "node_modules/.bin/mcp-server-everything"), &[], "echo"),
        ("filesystem", at("filesystem", "node_modules/.bin/mcp-server-filesystem"), &[place], "list_directory"),
        ("memory", memory.clone(), &[], "read_graph"),
        ("code-runner", at("code-runner", "node_modules/.bin/mcp-server-code-runner"), &[], "run-code"),
        ("sqlite", at("sqlite", "bin/mcp-server-sqlite"), &["--db-path", ":memory:"], "list_tables"),
        ("time", at("time", "bin/mcp-server-time"), &["--local-timezone", "UTC"], "convert_time"),
    ];
    let mut config = String::new();
    for (name, program, args, _) in servers {
        writeln!(config, "[servers.{name}]\ncommand = {program:?}\nargs = {args:?}").unwrap();
        writeln!(config, "env = {{ MEMORY_FILE_PATH = {:?} }}", format!("{place}/memory.json")).unwrap();
    }
    // It is there, and gone before it can answer.
    let killed = format!("{memory} & kill -9 $!; wait $!");
    writeln!(config, "[servers.killed]\ncommand = 'sh'\nargs = ['-c', {killed:?}]").unwrap();
    writeln!(config, "[servers.silent]\ncommand = 'sleep'\nargs = ['600']\nconnect_timeout = '5s'").unwrap();
    let file = work.folder().join("bowline.toml");
    std::fs::write(&file, config).unwrap();
    let run = |words: &[&str]| -> Ran {
        let mut command = command(words);
        command.env("BOWLINE_CONFIG", &file).env("BOWLINE_STATE_DIR", work.folder().join("state"));
        command.output().unwrap().into()
    };
    let ran = run(&["list", "--all"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for (name, _, _, tool) in servers {
        assert!(ran.stdout.contains(&format!("{name}.{tool}(")), "{name}: {}", ran.stderr);
    }
    for name in ["killed", "silent"] {
        assert!(ran.stderr.contains(&format!("warning: {name}: ")), "{}", ran.stderr);
    }
    let ran = run(&["search", "convert time zone"]);
    assert!(ran.stdout.starts_with("time.convert_time\n"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("nothing is known yet of killed, silent"), "{}", ran.stderr);
    let ran = run(&["call", "everything.echo", "message=hi"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Echo: hi\n"), "{}", ran.stderr);
    let ran = run(&["everything.get-sum", "a=2", "b=3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// A model of each provider, streamed and not, writes with one server of others and reads with another.
#[test]
fn together_servers_are_used_by_a_model_in_each_format() {
    let Some(root) = std::env::var_os("BOWLINE_INTEROP_DIR").map(PathBuf::from) else {
        println!("skipped: run `cargo xtask interop`");
        return;
    };
    let runtime = Runtime::new().unwrap();
    let work = Server::new();
    let place = work.folder().to_str().unwrap();
    let at = |name: &str| {
        root.join(format!("servers/{name}/node_modules/.bin/mcp-server-{name}")).to_str().unwrap().to_owned()
    };
    let file = work.folder().join("bowline.toml");
    let config = format!(
        "[servers.memory]\ncommand = {:?}\nenv = {{ MEMORY_FILE_PATH = '{place}/memory.json' }}\n[servers.filesystem]\ncommand = {:?}\nargs = [{place:?}]\n",
        at("memory"),
        at("filesystem"),
    );
    std::fs::write(&file, config).unwrap();
    for provider in PROVIDERS {
        for way in [&[][..], &["--no-stream"]] {
            let note = format!("{place}/{provider}{}.txt", way.len());
            let entity =
                serde_json::json!({"entities": [{"name": &note, "entityType": "note", "observations": ["written"]}]});
            let file_of_note = serde_json::json!({"path": &note, "content": "ahoy"});
            let mock = runtime.block_on(MockProvider::start([
                MockTurn::calls([
                    ("filesystem__write_file", file_of_note.to_string()),
                    ("memory__create_entities", entity.to_string()),
                ]),
                MockTurn::call("memory__open_nodes", serde_json::json!({"names": [&note]}).to_string()),
                MockTurn::say("Written, and noted."),
            ]));
            let mock = mock.unwrap();
            let (model, url) = (format!("{provider}/m"), mock.base_url(provider));
            let words = ["chat", "-p", "write it down", "--model", &model, "--base-url", &url, "--approve", "all"];
            let mut command = command(&words);
            command.args(way).env("BOWLINE_CONFIG", &file).env("BOWLINE_STATE_DIR", work.folder().join("state"));
            let ran: Ran = command.output().unwrap().into();
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (Some(0), "Written, and noted.\n"),
                "{provider} {}",
                ran.stderr
            );
            for tool in ["filesystem__write_file", "memory__create_entities", "memory__open_nodes"] {
                assert!(ran.stderr.contains(&format!("✓ {tool}")), "{provider} {}", ran.stderr);
            }
            assert_eq!(std::fs::read_to_string(&note).unwrap(), "ahoy");
            assert!(std::fs::read_to_string(work.folder().join("memory.json")).unwrap().contains(&note));
        }
    }
}
