//! What servers write to stderr.

use std::sync::{Arc, Mutex};

use bowline_stdio::StderrMode;
use bowline_transport::Transport;

use crate::support::{call, sh, until, within};

/// Writes 10 MiB to stderr before it answers each of two requests.
const FLOOD: &str = r#"
    for id in 1 2; do
        read -r line
        yes "$(printf '%0200d' 7)" | head -n 52200 >&2
        echo "the end of flood $id" >&2
        echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{}}"
    done
    read -r line
"#;

#[tokio::test]
async fn case_stdio_008_s_04_a_flood_on_stderr_does_not_block() {
    for mode in [StderrMode::Capture, StderrMode::Null] {
        let transport = sh(FLOOD).stderr(mode).spawn().unwrap();
        call(&transport, 1).await.unwrap();
        call(&transport, 2).await.unwrap();
        if mode == StderrMode::Capture {
            until("the last line is there", || transport.stderr_tail().ends_with("\nthe end of flood 2")).await;
            assert!(transport.stderr_tail().len() <= 8 << 10);
        } else {
            assert_eq!(transport.stderr_tail(), "");
        }
        within(transport.close()).await.unwrap();
    }
}

#[tokio::test]
async fn s_04_output_on_stderr_is_no_failure_in_any_mode() {
    for mode in [StderrMode::Capture, StderrMode::Inherit, StderrMode::Null] {
        let server = r#"echo 'this line belongs to a test' >&2; read -r line; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; read -r line"#;
        let transport = sh(server).stderr(mode).spawn().unwrap();
        call(&transport, 1).await.unwrap();
        within(transport.close()).await.unwrap();
    }
}

#[tokio::test]
async fn lines_go_to_callbacks_and_streams_across_connections() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let connect = sh("echo one >&2; echo two >&2; read -r line").on_stderr({
        let seen = Arc::clone(&seen);
        move |line| seen.lock().unwrap().push(line.to_owned())
    });
    let mut lines = connect.stderr_lines();
    for _ in 0..2 {
        let transport = connect.spawn().unwrap();
        for expected in ["one", "two"] {
            assert_eq!(within(lines.next()).await.as_deref(), Some(expected));
        }
        within(transport.close()).await.unwrap();
        assert_eq!(transport.stderr_tail(), "one\ntwo");
    }
    drop(connect);
    assert_eq!(within(lines.next()).await, None);
    assert_eq!(lines.missed(), 0);
    assert_eq!(*seen.lock().unwrap(), ["one", "two", "one", "two"]);
}
