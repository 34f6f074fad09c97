//! Exit codes, and how a run ends.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;

use serde_json::Value;

use crate::run::{Ran, Server, bowline};

fn last_error(ran: &Ran) -> Value {
    serde_json::from_str(ran.stderr.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{}", ran.stderr))
}

#[test]
fn case_cli_001_each_kind_of_end_has_its_exit_code_and_one_json_document() {
    let failing = Server::new()
        .tool("{}")
        .answer("tools/call", r#"{"content":[{"type":"text","text":"no such order"}],"isError":true}"#);
    let refusing = Server::new().tool("{}").fail("tools/call", r#"{"code":-32603,"message":"database is down"}"#);
    let fine = Server::new().tool("{}").answer("tools/call", r#"{"content":[{"type":"text","text":"ok"}]}"#);

    let ran = failing.run(&["call", "t"]);
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("no such order"), "{}", ran.stderr);
    let ran = failing.run(&["call", "t", "--json"]);
    assert_eq!((ran.code, &ran.json()["isError"]), (Some(5), &Value::Bool(true)));
    assert_eq!(last_error(&ran)["error"]["kind"], "tool");

    let ran = refusing.run(&["call", "t", "--json"]);
    assert_eq!((ran.code, &ran.json()["error"]["server_error"]["message"]), (Some(9), &"database is down".into()));
    assert_eq!(last_error(&ran), ran.json());

    let ran = bowline(&["call", "t", "--json", "--", "/no/such/program"]);
    assert_eq!((ran.code, &ran.json()["error"]["kind"]), (Some(4), &"connect".into()));

    let ran = fine.run(&["call", "t", "--json"]);
    assert_eq!((ran.code, ran.json()["content"][0]["text"].as_str()), (Some(0), Some("ok")));
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}

#[test]
fn a_program_that_does_not_exist_is_named_with_advice() {
    let ran = bowline(&["list", "--", "no-such-program-here", "--token", "hunter2"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains("no-such-program-here") && ran.stderr.contains("hint: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[test]
fn a_server_that_ends_before_the_handshake_leaves_its_last_words() {
    let ran = bowline(&["list", "--", "sh", "-c", "echo 'missing API_KEY' >&2; exit 3"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains("missing API_KEY") && ran.stderr.contains('3'), "{}", ran.stderr);
}

#[test]
fn a_call_that_takes_too_long_ends_with_a_timeout() {
    let server = Server::new().tool("{}").on("tools/call", ":");
    let ran = server.run(&["call", "t", "--timeout", "300ms"]);
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
    assert!(ran.stderr.contains("--timeout"), "{}", ran.stderr);
    let ran = bowline(&["ping", "--connect-timeout", "300ms", "--", "sh", "-c", "cat >/dev/null"]);
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
}

#[test]
fn more_time_is_advised_where_an_answer_is_on_its_way_and_not_where_none_is() {
    let call = |said: &str| {
        let server = Server::new().tool("{}").on("tools/call", said);
        let ran = server.run(&["call", "t", "--timeout", "1s"]);
        assert_eq!(ran.code, Some(7), "{}", ran.stderr);
        ran.stderr
    };
    let stderr = call(r#"echo working; printf '{"jsonrpc":"2.0","id":3,"resu'"#);
    assert!(stderr.contains("has no end yet") && stderr.contains("give it longer with --timeout"), "{stderr}");
    let stderr = call("echo working");
    assert!(stderr.contains("`working`") && !stderr.contains("--timeout"), "{stderr}");
}

#[test]
fn an_unknown_tool_is_told_with_the_nearest_name() {
    let server =
        Server::new().answer("tools/list", r#"{"tools":[{"name":"read_file","inputSchema":{"type":"object"}}]}"#);
    for words in [&["call", "read_fil"][..], &["info", "raed_file"]] {
        let ran = server.run(words);
        assert_eq!(ran.code, Some(5));
        assert!(ran.stderr.contains("did you mean `read_file`?"), "{}", ran.stderr);
    }
    let server = Server::new().fail("tools/call", r#"{"code":-32602,"message":"Unknown tool: x"}"#);
    assert_eq!(server.run(&["call", "x", "--args-json", "{}"]).code, Some(5));
}

#[test]
fn a_result_of_the_wrong_shape_is_a_protocol_error() {
    let server = Server::new().answer("tools/list", r#"{"tools":5}"#);
    let ran = server.run(&["list"]);
    assert_eq!(ran.code, Some(9));
    assert!(ran.stderr.contains("tools/list"), "{}", ran.stderr);
}

#[test]
fn case_cli_006_unknown_options_and_commands_are_usage_errors() {
    for words in [&["list", "--nope"][..], &["nope"], &[], &["call"], &["list", "--timeout", "soon"]] {
        let ran = bowline(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(ran.stdout.is_empty());
    }
    let ran = bowline(&["list", "--json", "--nope"]);
    assert_eq!((ran.code, &ran.json()["error"]["kind"]), (Some(2), &"usage".into()));
    assert_eq!(last_error(&ran), ran.json());
}

#[test]
fn ctrl_c_cancels_the_call_and_ends_with_130() {
    let server = Server::new().tool("{}").answer("logging/setLevel", "{}").on("tools/call", "echo called >&2");
    let mut child = server.command(&["call", "t", "-v"]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("called") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the server was never called");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("interrupted"), "{rest}");
    let call = server.received().into_iter().find(|message| message["method"] == "tools/call").unwrap();
    let cancelled = server.params("notifications/cancelled").unwrap();
    assert_eq!(cancelled["requestId"], call["id"]);
}

/// A server that writes its process id first, so that a test can see it gone.
fn with_pid(server: Server) -> Server {
    let file = server.folder().join("pid");
    server.on("notifications/initialized", &format!("echo $$ >'{}'", file.display()))
}

fn is_gone(server: &Server) -> bool {
    let pid = std::fs::read_to_string(server.folder().join("pid")).unwrap();
    !Command::new("kill").args(["-0", pid.trim()]).stderr(std::process::Stdio::null()).status().unwrap().success()
}

#[test]
fn case_cli_007_a_closed_pipe_ends_the_command_quietly() {
    let tools: Vec<Value> = (0..5_000)
        .map(|n| serde_json::json!({"name": format!("tool-{n}"), "description": "x".repeat(100), "inputSchema": {"type": "object"}}))
        .collect();
    let server = with_pid(Server::new());
    let file = server.folder().join("tools.json");
    std::fs::write(&file, serde_json::json!({ "tools": tools }).to_string()).unwrap();
    let server = server.on(
        "tools/list",
        &format!(r#"printf '{{"jsonrpc":"2.0","id":%s,"result":' "$id"; cat '{}'; echo '}}'"#, file.display()),
    );
    for words in [&["tools"][..], &["tools", "--json"]] {
        let mut child = server.command(words).spawn().unwrap();
        let mut stdout = BufReader::with_capacity(16, child.stdout.take().unwrap());
        let mut first = [0; 8];
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        let ended: Ran = child.wait_with_output().unwrap().into();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(is_gone(&server));
    }
}

#[test]
fn case_cli_007_a_stream_whose_reader_closes_ends_quietly() {
    let server = with_pid(Server::new());
    // The flood comes once the first line was read: what comes too fast for the command is told as lost instead.
    let flood = server.folder().join("flood");
    let answers = format!(
        r#"printf '{{"jsonrpc":"2.0","id":%s,"result":{{}}}}\n' "$id"
        tell() {{ echo '{{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}}'; }}
        (tell; until [ -e '{}' ]; do sleep 0.02; done; while tell; do :; done) &"#,
        flood.display()
    );
    let server = server.on("resources/subscribe", &answers);
    let mut child = server.command(&["watch", "x://1", "-q"]).spawn().unwrap();
    let mut stdout = BufReader::with_capacity(16, child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "tools changed\n");
    drop(stdout);
    std::fs::write(&flood, "").unwrap();
    let ended: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(is_gone(&server));
}
