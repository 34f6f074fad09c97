//! Results that are too long.

use bowline_llm::{Agent, ArtifactLimits, Artifacts, Conversation, Everything, Functions, ScriptedModel, Turn};
use bowline_protocol::CallToolResult;

use super::{told, tool};

#[tokio::test]
async fn a_result_of_fifty_mebibytes_is_cut_kept_and_can_be_read_on() {
    let line = "0123456789abcde\n";
    let whole = line.repeat((50 << 20) / line.len());
    let total = whole.len();
    let tools = Functions::new().with(tool("dump"), move |_| {
        let whole = whole.clone() + "the needle\n";
        async move { CallToolResult::text(whole) }
    });
    let model = ScriptedModel::new([
        Turn::call("dump", r#"{"text": "all"}"#),
        Turn::call("read_artifact", r#"{"handle": "artifact-1", "offset": 52428000}"#),
        Turn::call("read_artifact", r#"{"handle": "artifact-1", "find": "NEEDLE"}"#),
        Turn::call("read_artifact", r#"{"handle": "artifact-7"}"#),
        Turn::say("found"),
    ]);
    let agent = super::agent(&model, tools);
    let mut conversation = Conversation::new();
    agent.run(&mut conversation, "go").outcome().await.unwrap();
    let requests = model.requests();
    let (text, _) = told(&requests[1]).remove(0);
    assert!(text.contains("artifact-1") && text.contains("read_artifact"), "{}", &text[text.len() - 300..]);
    assert!(requests[1].estimated_tokens() < 30_000, "{}", requests[1].estimated_tokens());
    assert!(told(&requests[2])[0].0.contains("the needle"));
    assert!(told(&requests[3])[0].0.contains(&format!("{total}: the needle")), "{:?}", told(&requests[3]));
    assert!(told(&requests[4])[0].1 && told(&requests[4])[0].0.contains("there are artifact-1"));
    assert_eq!(agent.artifacts().get("artifact-1").unwrap().content.len(), total + 11);
    // What is kept of the conversation is small.
    assert!(serde_json::to_string(&conversation).unwrap().len() < 1 << 20);
}

#[tokio::test]
async fn what_has_no_room_is_cut_and_said_to_be() {
    let tools =
        Functions::new().with(tool("dump"), |_| async { CallToolResult::text("a line of text\n".repeat(100_000)) });
    let model = ScriptedModel::new([Turn::call("dump", r#"{"text": "all"}"#), Turn::say("hm")]);
    let artifacts = Artifacts::new(ArtifactLimits::default().with_bytes(1_000));
    let agent = Agent::builder(model.clone(), tools).approve(Everything::default()).artifacts(artifacts).build();
    agent.run(&mut Conversation::new(), "go").outcome().await.unwrap();
    let (text, _) = told(&model.requests()[1]).remove(0);
    assert!(!text.contains("artifact-1") && text.len() < 200_000);
    assert!(agent.artifacts().all().is_empty());
}
