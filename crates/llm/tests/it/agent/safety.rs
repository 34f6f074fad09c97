//! Which calls are made, in which order, and who says so.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_llm::{
    Agent, Approval, Asked, Conversation, Everything, ListedTool, ScriptedModel, ToolList, ToolRequest, Tools, Turn,
};
use bowline_protocol::CallToolResult;
use bowline_transport::BoxFuture;
use serde_json::json;

use super::{Noted, assert_whole, read_only, told, tool};

#[tokio::test]
async fn without_anybody_to_ask_only_reading_is_allowed() {
    let tools = Noted::of([read_only("look"), tool("change")]);
    let calls = || Turn::calls([("look", r#"{"text": "a"}"#), ("change", r#"{"text": "b"}"#)]);
    let model = ScriptedModel::new([calls(), Turn::say("done")]);
    let agent = Agent::builder(model.clone(), tools.clone()).build();
    agent.run(&mut Conversation::new(), "go").outcome().await.unwrap();
    assert_eq!(tools.calls(), [("look".to_owned(), json!({"text": "a"}))]);
    let told = told(&model.requests()[1]);
    assert!(!told[0].1 && told[1].1 && told[1].0.contains("does not allow it"), "{told:?}");
}

#[tokio::test]
async fn who_is_asked_can_say_no_and_change_the_arguments() {
    let tools = Noted::of([tool("send")]);
    let texts = ["good", "bad", "change", "break"].map(|text| format!(r#"{{"text": "{text}"}}"#));
    let model = ScriptedModel::new([Turn::calls(texts.iter().map(|text| ("send", text.as_str()))), Turn::say("done")]);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let approve = move |asked: Asked| {
        let text = asked.arguments.to_value()["text"].as_str().unwrap().to_owned();
        seen.lock().unwrap().push(text.clone());
        async move {
            match text.as_str() {
                "bad" => Approval::No("not to them".to_owned()),
                "change" => Approval::Change(json!({"text": "changed"}).into()),
                "break" => Approval::Change(json!({"text": 5}).into()),
                _ => Approval::Yes,
            }
        }
    };
    let agent = Agent::builder(model.clone(), tools.clone()).approve(approve).build();
    let mut conversation = Conversation::new();
    agent.run(&mut conversation, "go").outcome().await.unwrap();
    assert_eq!(*asked.lock().unwrap(), ["good", "bad", "change", "break"]);
    let sent: Vec<_> = tools.calls().into_iter().map(|(_, arguments)| arguments["text"].clone()).collect();
    assert_eq!(sent, [json!("good"), json!("changed")]);
    let told = told(&model.requests()[1]);
    assert!(told[1].0.contains("not to them") && told[1].1);
    assert!(told[2].0.contains(r#"changed the arguments to {"text":"changed"}"#) && !told[2].1, "{}", told[2].0);
    assert!(told[3].0.contains("does not fit") && told[3].1);
    assert_whole(&conversation);
}

/// Tools that note how many of them run at once.
#[derive(Clone, Default)]
struct Busy {
    tools: Vec<ListedTool>,
    now: Arc<AtomicUsize>,
    log: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Tools for Busy {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        Box::pin(std::future::ready(ToolList::new(self.tools.clone())))
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, bowline_client::Error>> {
        Box::pin(async move {
            let at_once = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.log.lock().unwrap().push((call.name.to_string(), at_once));
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            Ok(CallToolResult::text("done"))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn reading_calls_run_together_and_all_others_alone_in_their_order() {
    let tools = [read_only("look"), tool("change")].map(|tool| ListedTool::new(tool.name.clone(), "server", tool));
    let busy = Busy { tools: tools.to_vec(), ..Busy::default() };
    let calls = ["look", "look", "change", "change", "look", "look"];
    let texts: Vec<String> = (0..6).map(|n| format!(r#"{{"text": "{n}"}}"#)).collect();
    let turn = || Turn::calls(calls.iter().zip(&texts).map(|(name, text)| (*name, text.as_str())));
    let model = ScriptedModel::new([turn(), Turn::say("done"), turn(), Turn::say("done")]);
    let agent = Agent::builder(model.clone(), busy.clone()).approve(Everything::default()).build();
    agent.run(&mut Conversation::new(), "go").outcome().await.unwrap();
    let log = std::mem::take(&mut *busy.log.lock().unwrap());
    assert_eq!(log.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), calls);
    assert_eq!(log.iter().map(|(_, at_once)| *at_once).collect::<Vec<_>>(), [1, 2, 1, 1, 1, 2]);

    let agent = Agent::builder(model, busy.clone()).approve(Everything::default()).in_order().build();
    agent.run(&mut Conversation::new(), "go").outcome().await.unwrap();
    assert!(busy.log.lock().unwrap().iter().all(|(_, at_once)| *at_once == 1));
}
