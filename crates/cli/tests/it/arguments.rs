//! What arguments become on the wire.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::run::{Server, bowline};

const OK: &str = r#"{"content":[{"type":"text","text":"done"}]}"#;

#[test]
fn case_cli_002_arguments_are_typed_by_the_tools_schema() {
    let server = Server::new()
        .tool(
            r#"{"id":{"type":"string"},"n":{"type":"integer"},"on":{"type":"boolean"},"props":{"type":"object"},"tags":{"type":"array"},"any":{}}"#,
        )
        .answer("tools/call", OK);
    let ran = server.run(&["call", "t", "id=007", "n=5", "on=true", "props={}", r#"tags=["a"]"#, "any=8"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "done\n"), "{}", ran.stderr);
    let sent = server.params("tools/call").unwrap();
    assert_eq!(sent["arguments"], json!({"id": "007", "n": 5, "on": true, "props": {}, "tags": ["a"], "any": 8}));
}

#[test]
fn case_cli_003_json_and_pairs_are_merged_in_the_documented_order() {
    let server = Server::new().tool(r#"{"a":{},"b":{},"c":{},"d":{"type":"object"}}"#).answer("tools/call", OK);
    let file = server.folder().join("args.json");
    std::fs::write(&file, r#"{"a":"file","b":"file","c":"file"}"#).unwrap();
    let data = server.folder().join("data.json");
    std::fs::write(&data, r#"{"k":"a=b"}"#).unwrap();
    let (file, data) = (file.to_string_lossy().into_owned(), format!("d=@{}", data.display()));
    let ran =
        server.run(&["call", "t", "c=pair", "--args-json", r#"{"b":"json","c":"json"}"#, "--args-file", &file, &data]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let sent = server.params("tools/call").unwrap();
    assert_eq!(sent["arguments"], json!({"a": "file", "b": "json", "c": "pair", "d": {"k": "a=b"}}));
}

#[test]
fn case_cli_003_an_object_behind_json_is_taken_for_arguments() {
    let server = Server::new().tool(r#"{"a":{},"b":{}}"#).answer("tools/call", OK);
    let ran = server.run(&["call", "t", "--json", r#"{"a":1}"#, "b=2"]);
    assert_eq!(ran.json()["content"][0]["text"], "done");
    assert_eq!(server.params("tools/call").unwrap()["arguments"], json!({"a": 1, "b": 2}));
}

#[test]
fn a_value_that_fits_nothing_is_a_usage_error_and_nothing_is_sent() {
    let server = Server::new().tool(r#"{"n":{"type":"integer"}}"#);
    for (word, told) in
        [("n=five", "`n` takes an integer, but `five` came"), ("m=5", "the tool `t` has no argument `m`")]
    {
        let ran = server.run(&["call", "t", word]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert!(ran.stdout.is_empty());
    }
    assert_eq!(server.params("tools/call"), None);
}

#[test]
fn json_that_is_piped_in_becomes_the_arguments() {
    let server = Server::new().tool(r#"{"a":{"type":"string"}}"#).answer("tools/call", OK);
    for words in [&["call", "t"][..], &["call", "t", "--args-file", "-"]] {
        let mut child = server.command(words).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(br#"{"a":"piped"}"#).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let calls: Vec<_> = server.received().into_iter().filter(|message| message["method"] == "tools/call").collect();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call["params"]["arguments"] == json!({"a": "piped"})));
}

#[test]
fn an_open_pipe_that_stays_silent_does_not_hold_up_the_call() {
    let server = Server::new().tool(r#"{"a":{"type":"string"}}"#).answer("tools/call", OK);
    let mut child = server.command(&["call", "t"]).stdin(Stdio::piped()).spawn().unwrap();
    let open = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(open);
    assert!(server.params("tools/call").is_some());
}

#[test]
fn a_tool_can_be_called_with_json_alone_though_it_is_not_listed() {
    let server = Server::new().answer("tools/call", OK);
    let ran = server.run(&["call", "hidden", "--args-json", "{}"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(server.params("tools/call").unwrap()["name"], "hidden");
}

#[test]
fn case_prompts_004_a_missing_argument_is_told_before_anything_is_sent() {
    let server = Server::new()
        .answer(
            "prompts/list",
            r#"{"prompts":[{"name":"p","arguments":[{"name":"repository","required":true},{"name":"note"}]}]}"#,
        )
        .answer("prompts/get", r#"{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}]}"#);
    for words in [&["prompt", "p"][..], &["prompt", "p", "note=x"]] {
        let ran = server.run(words);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("the prompt `p` needs `repository`"), "{}", ran.stderr);
    }
    assert_eq!(server.params("prompts/get"), None);
    let ran = server.run(&["prompt", "p", "repository="]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "user:\nhi\n"), "{}", ran.stderr);
    assert_eq!(server.params("prompts/get").unwrap()["arguments"], json!({"repository": ""}));
}

#[test]
fn a_server_that_is_named_by_neither_a_url_nor_a_command_is_a_usage_error() {
    for words in [&["ping"][..], &["list", "name"], &["ping", "name"], &["list", "--stdio", "a 'b"]] {
        let ran = bowline(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
}
