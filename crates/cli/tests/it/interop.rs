//! Published servers, recorded and played back by the command.
//!
//! `cargo xtask interop` installs the servers and runs this; without it each test says that it skipped itself.

use std::path::PathBuf;

use crate::recording::byte_for_byte;

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
