//! What a server asks, where there is nobody to answer.

use crate::run::{Ran, Server};

#[test]
fn a_form_is_declined_with_a_word_where_there_is_no_terminal() {
    let server = Server::new().tool("{}").asks(
        r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"Your name?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}"#,
    );
    let ran = server.run(&["call", "t"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the server `script` asks “Your name?”: declined"), "{}", ran.stderr);
    let answer = server.answer_to_question();
    assert_eq!(answer["result"], serde_json::json!({"action": "decline"}));
}

#[test]
fn a_question_that_the_policy_holds_back_is_declined_unseen() {
    let server = Server::new().tool("{}").asks(
        r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"Your name?\u202e","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}"#,
    );
    let policy = server.folder().join("policy.toml");
    let rules = "default = 'allow'\n[content.kinds]\nbidirectional-override = 'block'\n# end\n";
    std::fs::write(&policy, rules).unwrap();
    let ran = server.run(&["call", "t", "--policy", policy.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("elicitation/create: 1 finding, first high bidirectional-override"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("asks “Your name?"), "{}", ran.stderr);
    assert_eq!(server.answer_to_question()["result"], serde_json::json!({"action": "decline"}));
}

#[test]
fn d_11_a_url_is_shown_and_not_opened_where_there_is_no_terminal() {
    let server = Server::new().tool("{}").asks(
        r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"mode":"url","message":"Sign\u001b[2J in","elicitationId":"e","url":"https://a@x.example/connect?a=1&b=2"}}"#,
    );
    let opened = server.folder().join("opened");
    let ran: Ran = server.command(&["call", "t"]).env("BOWLINE_BROWSER", &opened).output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for word in
        ["`script` asks “Sign in”", "declined", "host: x.example", "https://a@x.example/connect?a=1&b=2", "warning"]
    {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    let answer = server.answer_to_question();
    assert_eq!(answer["result"], serde_json::json!({"action": "decline"}));
}

#[test]
fn d_15_a_call_that_needs_a_visit_says_what_to_visit() {
    let server = Server::new().tool("{}").fail(
        "tools/call",
        r#"{"code":-32042,"message":"Visit first","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x.example/connect","message":"Connect"},{"mode":"url","elicitationId":"f","url":"javascript:alert(1)","message":"Connect"}]}}"#,
    );
    let ran = server.run(&["call", "t"]);
    assert_eq!(ran.code, Some(9), "{}", ran.stderr);
    assert!(ran.stderr.contains("-32042"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: visit https://x.example/connect, if you trust the server"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("javascript"), "{}", ran.stderr);
}

#[test]
fn d_07_a_form_that_cannot_be_shown_is_refused() {
    let server = Server::new().tool("{}").asks(
        r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{"home":{"type":"object"}}}}}"#,
    );
    assert_eq!(server.run(&["call", "t"]).code, Some(0));
    let answer = server.answer_to_question();
    assert_eq!(answer["error"]["code"], -32602);
    assert!(answer["error"]["message"].as_str().unwrap().contains("\"home\""), "{answer}");
}

#[test]
fn o_03_a_root_that_is_not_there_is_not_shown() {
    let server = Server::new().tool("{}").asks(r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#);
    let folder = server.folder().to_string_lossy().into_owned();
    let gone = format!("{folder}/gone");
    let ran = server.run(&["call", "t", "--roots", &folder, "--roots", &gone]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let answer = server.answer_to_question();
    assert_eq!(answer["result"]["roots"].as_array().unwrap().len(), 1, "{answer}");
}

#[test]
fn roots_are_offered_when_they_are_given_and_models_never() {
    let server = Server::new().tool("{}");
    server.run(&["list"]);
    let capabilities = server.params("initialize").unwrap()["capabilities"].clone();
    assert!(capabilities.get("elicitation").is_some());
    assert!(capabilities.get("roots").is_none() && capabilities.get("sampling").is_none(), "{capabilities}");

    let server = Server::new().tool("{}");
    let folder = server.folder().to_string_lossy().into_owned();
    server.run(&["list", "--roots", &folder]);
    assert!(server.params("initialize").unwrap()["capabilities"].get("roots").is_some());
}

#[test]
fn the_revision_that_is_asked_for_is_sent() {
    let server = Server::new().tool("{}");
    server.run(&["list", "--revision", "2025-03-26"]);
    assert_eq!(server.params("initialize").unwrap()["protocolVersion"], "2025-03-26");
    let ran = server.run(&["list", "--revision", "2025-03-27"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("did you mean `2025-03-26`?"), "{}", ran.stderr);
}
