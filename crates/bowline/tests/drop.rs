//! The drop of a blocking client as the last thing that a program does.
#![cfg(all(unix, feature = "blocking", feature = "stdio"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bowline::blocking::Client;
use bowline::protocol::Era;

/// Where the server is to write its id; set in the process that starts it.
const ID_FILE: &str = "BOWLINE_TEST_ID_FILE";

/// Shakes hands, and ignores the end of its stdin and SIGTERM. Ends by itself after a minute, should a test fail.
const DEAF: &str = r#"
    trap '' TERM
    echo $$ > "$0"
    read -r line
    id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
    echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"deaf","version":"1"}}}'
    for second in $(seq 60); do sleep 1; done
"#;

/// Runs the end of this test in a process of its own, and returns the id of the server that it started.
fn server_of_another_process(test: &str) -> u32 {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    let mut program = Command::new(std::env::current_exe().unwrap());
    let output = program.args(["--exact", test]).env(ID_FILE, &file).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    let id = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    std::fs::remove_file(file).unwrap();
    id
}

fn connect(id_file: PathBuf) -> Client {
    let server = bowline::stdio("sh").args(["-c", DEAF]).arg(id_file);
    Client::connect_with(bowline::Client::builder().known_era(Era::Handshake), server).unwrap()
}

fn lives(id: u32) -> bool {
    if cfg!(target_os = "linux") {
        // One that is dead may wait for ever for the first process to reap it.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        return stat.rsplit(')').next().unwrap().split_whitespace().next().is_some_and(|state| state != "Z");
    }
    Command::new("kill").args(["-0", &id.to_string()]).output().unwrap().status.success()
}

fn assert_gone(id: u32) {
    let began = Instant::now();
    while lives(id) {
        assert!(began.elapsed() < Duration::from_secs(20), "the server {id} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn s_06_a_drop_at_the_end_of_main_leaves_no_deaf_server() {
    if let Some(file) = std::env::var_os(ID_FILE) {
        let client = connect(file.into());
        // The worker is in the middle of something, as on a loaded machine.
        let (busy, started) = std::sync::mpsc::sync_channel(1);
        client.run(|_| async {
            tokio::spawn(async move {
                busy.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(300));
            });
        });
        started.recv().unwrap();
        drop(client);
        // As after the last line of `main`.
        std::process::exit(7);
    }
    assert_gone(server_of_another_process("s_06_a_drop_at_the_end_of_main_leaves_no_deaf_server"));
}

#[test]
fn a_drop_within_a_runtime_does_not_panic_and_ends_the_server() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("within-a-runtime-{}", std::process::id()));
    let client = connect(file.clone());
    let id = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    std::fs::remove_file(file).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { drop(client) });
    assert_gone(id);
}
