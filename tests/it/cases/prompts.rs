//! Prompts.

use bowline::prelude::*;
use serde_json::json;

use crate::support::{connect, received, server, within};

#[tokio::test]
async fn case_prompts_003() {
    let result = json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": "ahoy" } }] });
    let script = server().expect("prompts/list").reply(json!({ "prompts": [
        { "name": "bare" },
        { "name": "null", "arguments": null },
        { "name": "optional", "arguments": [{ "name": "note" }, { "name": "tone", "required": false }] },
    ] }));
    let script = (0..3).fold(script, |script, _| script.expect("prompts/get").reply(result.clone()));
    let (client, journal) = connect(script).await;
    let prompts: Vec<Prompt> = within(client.prompts().all()).await.unwrap();
    assert_eq!(prompts.iter().map(|prompt| prompt.name.as_str()).collect::<Vec<_>>(), ["bare", "null", "optional"]);
    for prompt in &prompts {
        assert!(prompt.missing_arguments([]).is_empty());
        let got = within(client.prompt(&prompt.name)).await.unwrap();
        assert_eq!(got.messages[0].content.as_text(), Some("ahoy"));
    }
    for get in received(&journal, "prompts/get") {
        let arguments = get["params"].get("arguments");
        assert!(arguments.is_none_or(|arguments| *arguments == json!({})), "{get}");
    }
}
