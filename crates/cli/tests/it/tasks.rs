//! Calls that a server carries on with as tasks.

use crate::run::Server;

/// A server of 2026-07-28 whose tool becomes a task, which ends as `end` says.
fn server(end: &str) -> Server {
    Server::new()
        .answer(
            "server/discover",
            r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"ttlMs":0,"cacheScope":"private",
                "capabilities":{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#,
        )
        .tool("{}")
        .answer(
            "tools/call",
            r#"{"resultType":"task","taskId":"t1","status":"working","statusMessage":"heating \u001b[31mup","pollIntervalMs":50}"#,
        )
        .answer("tasks/get", &format!(r#"{{"resultType":"complete","taskId":"t1",{end}}}"#))
        .answer("tasks/cancel", r#"{"resultType":"complete"}"#)
}

fn declared(server: &Server) -> bool {
    let params = server.params("tools/call").unwrap();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"]["extensions"]
        .get("io.modelcontextprotocol/tasks")
        .is_some()
}

#[test]
fn a_call_that_became_a_task_prints_its_result_and_says_meanwhile_how_it_stands() {
    let done = r#""status":"completed","result":{"content":[{"type":"text","text":"served"}]}"#;
    let made = server(done);
    let ran = made.run(&["call", "t", "--task"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "served\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("task working: heating"), "{}", ran.stderr);
    assert!(ran.stderr.contains("task completed") && !ran.stderr.contains("\u{1b}[31m"), "{}", ran.stderr);
    assert!(declared(&made));

    let made = server(done);
    let ran = made.run(&["call", "t", "--task", "--json"]);
    assert_eq!(ran.json()["content"][0]["text"], "served");
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}

#[test]
fn tx_01_without_the_option_no_task_is_taken() {
    let server = server(r#""status":"working""#);
    let ran = server.run(&["call", "t"]);
    assert_eq!(ran.code, Some(9), "{}", ran.stderr);
    assert!(!declared(&server) && server.params("tasks/get").is_none());
}

#[test]
fn ends_of_a_task_have_the_codes_of_calls() {
    let ends = [
        (r#""status":"cancelled","statusMessage":"by the cook""#, 5, "by the cook"),
        (r#""status":"failed","error":{"code":-32603,"message":"burnt"}"#, 9, "burnt"),
        (r#""status":"completed","result":{"content":[{"type":"text","text":"raw"}],"isError":true}"#, 5, "raw"),
    ];
    for (end, code, says) in ends {
        let ran = server(end).run(&["call", "t", "--task"]);
        assert_eq!(ran.code, Some(code), "{end}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{end}: {}", ran.stderr);
    }
}

#[test]
fn c_07_the_limit_of_a_run_cancels_the_task() {
    let server = server(r#""status":"working""#);
    let ran = server.run(&["call", "t", "--task", "--max-time", "1s"]);
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
    assert_eq!(server.params("tasks/cancel").unwrap()["taskId"], "t1");
}
