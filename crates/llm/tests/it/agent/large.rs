//! Results that are too long.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bowline_llm::{
    Agent, ArtifactLimits, Artifacts, Conversation, Everything, Functions, Request, ScriptedModel, Turn,
};
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
    let rounds = AtomicUsize::new(0);
    let model = ScriptedModel::by(move |request| {
        let handle = handles(request).pop().unwrap_or_default();
        match rounds.fetch_add(1, Ordering::Relaxed) {
            0 => Turn::call("dump", r#"{"text": "all"}"#),
            1 => Turn::call("read_artifact", &format!(r#"{{"handle": "{handle}", "offset": 52428000}}"#)),
            2 => Turn::call("read_artifact", &format!(r#"{{"handle": "{handle}", "find": "NEEDLE"}}"#)),
            3 => Turn::call("read_artifact", r#"{"handle": "artifact-7"}"#),
            _ => Turn::say("found"),
        }
    });
    let agent = super::agent(&model, tools);
    let mut conversation = Conversation::new();
    agent.run(&mut conversation, "go").outcome().await.unwrap();
    let requests = model.requests();
    let (text, _) = told(&requests[1]).remove(0);
    assert!(text.contains("artifact-") && text.contains("read_artifact"), "{}", &text[text.len() - 300..]);
    assert!(requests[1].estimated_tokens() < 30_000, "{}", requests[1].estimated_tokens());
    assert!(told(&requests[2])[0].0.contains("the needle"));
    assert!(told(&requests[3])[0].0.contains(&format!("{total}: the needle")), "{:?}", told(&requests[3]));
    assert!(told(&requests[4])[0].1 && told(&requests[4])[0].0.contains("any more"));
    assert_eq!(agent.artifacts().all()[0].content.len(), total + 11);
    // What is kept of the conversation is small.
    assert!(serde_json::to_string(&conversation).unwrap().len() < 1 << 20);
}

/// The handles that stand in what a model is told.
fn handles(request: &Request) -> Vec<String> {
    let text = serde_json::to_string(&request.messages).unwrap();
    let found = text.match_indices("artifact-").filter_map(|(at, _)| text.get(at..at + "artifact-".len() + 16));
    let is_handle = |handle: &&str| handle["artifact-".len()..].bytes().all(|byte| byte.is_ascii_hexdigit());
    found.filter(is_handle).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_conversation_reads_nothing_of_another_one() {
    let tools =
        Functions::new().with(tool("dump"), |_| async { CallToolResult::text("secret line\n".repeat(100_000)) });
    let known = Arc::new(Mutex::new(String::new()));
    let of_first = Arc::clone(&known);
    let model = ScriptedModel::by(move |request| {
        let first = format!("{:?}", request.messages[0]).contains("first");
        match (first, request.messages.len()) {
            (true, 1) => Turn::call("dump", r#"{"text": "all"}"#),
            (true, _) => {
                *of_first.lock().unwrap() = handles(request).pop().unwrap();
                Turn::say("seen")
            }
            (false, 1) => Turn::call("read_artifact", &format!(r#"{{"handle": "{}"}}"#, of_first.lock().unwrap())),
            (false, _) => Turn::say("not seen"),
        }
    });
    let agent = super::agent(&model, tools);
    for says in ["first", "second"] {
        agent.run(&mut Conversation::new(), says).outcome().await.unwrap();
    }
    let (text, is_error) = told(&model.requests()[3]).remove(0);
    assert!(is_error && text.contains("any more") && !text.contains("secret"), "{text}");
    assert!(agent.artifacts().get(&known.lock().unwrap()).is_some());
}

#[tokio::test]
async fn many_long_results_of_one_answer_are_bounded_together() {
    let long = || CallToolResult::text("a line of text\n".repeat(20_000));
    let tools = Functions::new().with(tool("dump"), move |_| async move { long() });
    let calls: Vec<String> = (0..32).map(|n| format!(r#"{{"text": "{n}"}}"#)).collect();
    let model =
        ScriptedModel::new([Turn::calls(calls.iter().map(|call| ("dump", call.as_str()))), Turn::say("enough")]);
    super::agent(&model, tools).run(&mut Conversation::new(), "go").outcome().await.unwrap();
    let tokens = model.requests()[1].estimated_tokens();
    assert!((75_000..130_000).contains(&tokens), "{tokens}");
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
    assert!(!text.contains("artifact-") && text.len() < 200_000);
    assert!(agent.artifacts().all().is_empty());
}
