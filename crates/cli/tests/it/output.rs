//! What goes to standard output, and what to standard error.

use serde_json::{Value, json};

use crate::run::Server;

#[test]
fn case_cli_005_json_output_is_the_whole_result() {
    let result =
        r#"{"content":[{"type":"text","text":"t"}],"structuredContent":{"a":1},"isError":false,"_meta":{"x":2}}"#;
    let server = Server::new().tool("{}").answer("tools/call", result);
    let ran = server.run(&["call", "t", "--json"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.json(), serde_json::from_str::<Value>(result).unwrap());
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}

#[test]
fn case_cli_006_json_output_is_clean_and_the_rest_goes_to_standard_error() {
    let server = Server::new().tool("{}").answer("logging/setLevel", "{}").on(
        "tools/call",
        r#"token=${line#*\"progressToken\":}; token=${token%%[,\}]*}
           echo 'from the server itself' >&2
           echo '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"a log line"}}'
           printf '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1,"total":2,"message":"half"}}\n' "$token"
           printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}\n' "$id""#,
    );
    let ran = server.run(&["call", "t", "--json", "-v"]);
    assert_eq!((ran.code, ran.json()), (Some(0), json!({"content": []})), "{}", ran.stderr);
    for told in ["from the server itself", "a log line", "progress: t 1/2 half"] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    let ran = server.run(&["call", "t", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn case_security_007_what_a_server_sends_is_made_harmless() {
    let text = r"a\u001b[31mred\u001b]0;title\u0007 \u202egnp.exe";
    let more = r"\u001b[2J\u001b]8;;https://evil.example\u001b\\link\u001b]8;;\u001b\\ \u200b\udb40\udc41";
    let server = Server::new()
        .answer(
            "tools/list",
            &format!(
                r#"{{"tools":[{{"name":"t","description":"{text}","inputSchema":{{"type":"object"}}}},
                {{"name":"x{more}","title":"{more}","inputSchema":{{"type":"object"}}}}]}}"#
            ),
        )
        .answer("tools/call", &format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#));
    for words in [&["call", "t"][..], &["list"], &["info", "t"], &["call", "t", "--output", "md"]] {
        let ran = server.run(words);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains("ared \\u{202e}gnp.exe"), "{}", ran.stdout);
        assert!(!ran.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", ran.stdout);
    }
    let ran = server.run(&["list"]);
    assert!(!ran.stdout.contains(['\u{1b}', '\u{200b}', '\u{e0041}']), "{:?}", ran.stdout);
    assert!(!ran.stdout.contains("evil.example"), "{:?}", ran.stdout);
    // JSON keeps the value and escapes controls; what only turns text is escaped where a terminal shows it.
    let ran = server.run(&["call", "t", "--json"]);
    assert_eq!(ran.json()["content"][0]["text"], "a\u{1b}[31mred\u{1b}]0;title\u{7} \u{202e}gnp.exe");
    assert!(!ran.stdout.contains(['\u{1b}', '\u{7}']), "{:?}", ran.stdout);
    let ran = server.run(&["call", "t", "--output", "raw"]);
    assert_eq!(ran.stdout, "a\u{1b}[31mred\u{1b}]0;title\u{7} \u{202e}gnp.exe");

    let server = Server::new().tool("{}").fail("tools/call", &format!(r#"{{"code":-32000,"message":"{text}"}}"#));
    let ran = server.run(&["call", "t"]);
    assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", ran.stderr);
}

#[test]
fn k_05_what_a_server_logs_is_made_harmless_and_cut() {
    let server = Server::new().tool("{}").answer("logging/setLevel", "{}").on(
        "tools/call",
        r#"long=$(printf '%05000d' 0)
           for data in '"a\u001b[31mred\u001b]0;title\u0007 \u202egnp.exe\nlog info: forged"' "\"$long\""; do
             printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%s}}\n' "$data"
           done
           printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}\n' "$id""#,
    );
    let ran = server.run(&["call", "t", "-v"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("gnp.exe") && ran.stderr.contains("0000000"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", ran.stderr);
    assert!(ran.stderr.lines().all(|line| !line.starts_with("log info: forged")), "{}", ran.stderr);
    assert!(ran.stderr.lines().all(|line| line.chars().count() < 2_100), "a log message has a bound");
}

#[test]
fn tools_are_listed_as_signatures() {
    let server = Server::new().answer(
        "tools/list",
        r#"{"tools":[{"name":"add","description":"Adds.","inputSchema":{"type":"object","properties":{"note":{"type":"string"},
        "a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]},
        "outputSchema":{"type":"object","properties":{"sum":{"type":"number"}},"required":["sum"]}}]}"#,
    );
    let ran = server.run(&["list"]);
    assert_eq!(ran.stdout, "add(a: number, b: number, note?: string) -> {sum: number}\n    Adds.\n", "{}", ran.stderr);
    assert_eq!(server.run(&["ls", "--json"]).json()["tools"][0]["name"], "add");
    assert_eq!(server.run(&["info", "add", "--output-schema"]).json()["required"], json!(["sum"]));
    let ran = server.run(&["info"]);
    assert!(ran.stdout.starts_with("script 1\n") && ran.stdout.contains("2025-11-25"), "{}", ran.stdout);
    assert_eq!(server.run(&["info", "--json"]).json()["serverInfo"]["name"], "script");
}

#[test]
fn one_bad_tool_is_told_and_hides_no_other() {
    let server = Server::new().answer(
        "tools/list",
        r#"{"tools":[{"description":"no name"},{"name":"good","inputSchema":{"type":"object"}}]}"#,
    );
    let ran = server.run(&["list"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "good()\n"));
    assert!(ran.stderr.contains("warning: entry 0 of the list"), "{}", ran.stderr);
}

#[test]
fn binary_content_goes_to_files() {
    let server = Server::new().answer(
        "resources/read",
        r#"{"contents":[{"uri":"file:///../../etc/pic.png","mimeType":"image/png","blob":"AAEC"},{"uri":"x://t","text":"text"}]}"#,
    );
    let folder = server.folder().join("saved");
    let ran = server.run(&["read", "x://1", "--save", &folder.to_string_lossy()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(std::fs::read(folder.join("pic.png")).unwrap(), [0, 1, 2]);
    assert!(ran.stdout.contains("pic.png") && ran.stdout.contains("text"), "{}", ran.stdout);
}

#[test]
fn watch_prints_a_line_an_event_and_ends_after_a_count() {
    let server = Server::new().on(
        "resources/subscribe",
        r#"printf '{"jsonrpc":"2.0","id":%s,"result":{}}\n' "$id"
           echo '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://1"}}'
           echo '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"l","data":{"n":1}}}'"#,
    );
    let ran = server.run(&["watch", "x://1", "--count", "2"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "resource updated x://1\nlog info l: {\"n\":1}\n"),
        "{}",
        ran.stderr
    );
    let ran = server.run(&["watch", "x://1", "--count", "2", "--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({"event": "resource-updated", "uri": "x://1"}));
    assert_eq!(lines[1]["data"], json!({"n": 1}));
}

/// A server of 2026-07-28 that grants one resource and one list, tells of both and then does what `end` says.
fn modern(end: &str) -> Server {
    let id = r#""_meta":{"io.modelcontextprotocol/subscriptionId":'"$id"'}"#;
    let say = |method: &str, params: &str| {
        format!(r#"echo '{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{{params}{id}}}}}'; "#)
    };
    let acknowledge = |granted: &str| say("subscriptions/acknowledged", &format!(r#""notifications":{granted},"#));
    let resources =
        acknowledge(r#"{"resourceSubscriptions":["x://1"]}"#) + &say("resources/updated", r#""uri":"x://1","#);
    let lists = acknowledge(r#"{"toolsListChanged":true}"#) + &say("tools/list_changed", "");
    Server::new()
        .answer(
            "server/discover",
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true}}}"#,
        )
        .on("subscriptions/listen", &format!(r#"case "$line" in *resourceSubscriptions*) {resources} ;; *) {lists} ;; esac; {end}"#))
}

#[test]
fn su_02_watch_says_on_standard_error_what_is_not_granted() {
    let ran = modern("").run(&["watch", "x://1", "x://2", "--count", "2"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "resource updated x://1\ntools changed\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: the server will not tell when x://2 changes\n"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("warning: the server will not tell when its list of prompts changes\n"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("x://1") && !ran.stderr.contains("list of tools"), "{}", ran.stderr);
}

#[test]
fn su_05_watch_ends_well_where_the_server_ends_all_in_order() {
    let ended = r#"printf '{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete"}}\n' "$id""#;
    let ran = modern(ended).run(&["watch", "x://1", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [json!({"event": "resource-updated", "uri": "x://1"}), json!({"event": "tools-changed"})]);
}

#[test]
fn a_server_that_would_tell_nothing_is_not_watched() {
    let server =
        Server::new().answer("server/discover", r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#);
    let ran = server.run(&["watch"]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("listChanged"), "{}", ran.stderr);
    let ran = server.run(&["watch", "x://1"]);
    assert_ne!(ran.code, Some(0));
}

#[test]
fn variables_and_folders_reach_the_server_and_secrets_no_message() {
    let server = Server::new()
        .tool("{}")
        .on("tools/call", r#"printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"%s %s %s"}]}}\n' "$id" "$A" "$SECRET_HERE" "$PWD""#);
    let folder = server.folder().canonicalize().unwrap();
    let words = ["call", "t", "-e", "A=env:SECRET_HERE", "--cwd", &folder.to_string_lossy()];
    let ran: crate::run::Ran = server.command(&words).env("SECRET_HERE", "hunter2").output().unwrap().into();
    assert_eq!(ran.stdout, format!("hunter2  {}\n", folder.display()), "{}", ran.stderr);
}

#[test]
fn t_03_the_verdict_on_a_structured_result_is_told() {
    let tools = r#"{"tools":[{"name":"t","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"n":{"type":"number"}}}}]}"#;
    let answered = |structured: &str| {
        let result = format!(r#"{{"content":[{{"type":"text","text":"kept"}}],"structuredContent":{structured}}}"#);
        Server::new().answer("tools/list", tools).answer("tools/call", &result)
    };
    let ran = answered(r#"{"n":1}"#).run(&["call", "t", "--output-schema", "reject"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "kept\n", ""));

    let server = answered(r#"{"n":"one"}"#);
    let ran = server.run(&["call", "t"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "kept\n"));
    assert!(ran.stderr.contains("at /n: the value is not of type \"number\""), "{}", ran.stderr);

    let ran = server.run(&["call", "t", "--output-schema", "ignore"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "kept\n", ""));

    // Asked for, the schema is looked up also where JSON says what to send.
    let ran = server.run(&["call", "t", "--args-json", "{}", "--output-schema", "reject"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(9), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("at /n") && ran.stderr.contains("kept"), "{}", ran.stderr);

    let ran = server.run(&["call", "t", "--json", "--output-schema", "reject"]);
    assert_eq!((ran.code, &ran.json()["structuredContent"]), (Some(9), &json!({"n": "one"})), "{}", ran.stderr);
}
