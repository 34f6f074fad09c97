//! What a server asks, where there is nobody to answer.

use crate::run::Server;

#[test]
fn a_form_is_declined_with_a_word_where_there_is_no_terminal() {
    let server = Server::new().tool("{}").on(
        "tools/call",
        r#"call=$id
           echo '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"Your name?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}'
           IFS= read -r answer; printf '%s\n' "$answer" >"$0.answer"
           printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}\n' "$call""#,
    );
    let ran = server.run(&["call", "t"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the server `script` asks “Your name?”: declined"), "{}", ran.stderr);
    let answer = std::fs::read_to_string(server.folder().join("server.sh.answer")).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["result"], serde_json::json!({"action": "decline"}));
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
