//! Conversations that are kept, cancelled and taken up again.

use std::sync::{Arc, Mutex};

use bowline_llm::{
    Agent, AgentEvent, Arguments, Conversation, Everything, Format, Functions, HttpModel, Journal, Message, Opaque,
    Part, ScriptedModel, ToolCall, ToolResult, Turn,
};
use bowline_protocol::CallToolResult;
use bowline_testkit::llm::{MockProvider, MockTurn};
use bowline_transport::BoxFuture;
use serde_json::json;

use super::{Noted, all, assert_whole, told, tool};

/// Keeps what would stand on disk.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Vec<String>>>);

impl Journal for Disk {
    fn write<'a>(&'a self, conversation: &'a Conversation) -> BoxFuture<'a, Result<(), String>> {
        self.0.lock().unwrap().push(serde_json::to_string(conversation).unwrap());
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Two tools, of which one never comes back.
fn stuck() -> Functions {
    Functions::new()
        .with(tool("works"), |_| async { CallToolResult::text("worked") })
        .with(tool("hangs"), |_| std::future::pending())
}

fn three() -> Turn {
    let arguments = r#"{"text": "x"}"#;
    Turn::calls([("works", arguments), ("hangs", arguments), ("works", r#"{"text": "later"}"#)])
}

#[tokio::test]
async fn a_program_that_ends_in_the_middle_of_calls_goes_on_and_sends_nothing_twice() {
    let (disk, model) = (Disk::default(), ScriptedModel::new([three()]));
    let agent = Agent::builder(model, stuck()).approve(Everything::default()).journal(disk.clone()).build();
    let mut conversation = Conversation::new();
    let mut run = agent.run(&mut conversation, "go");
    while let Some(event) = run.next().await {
        if matches!(event.unwrap(), AgentEvent::CallBegun { tool, .. } if tool == "hangs") {
            break;
        }
    }
    // What stands on disk is all that a program has that was killed here.
    let kept = disk.0.lock().unwrap().last().unwrap().clone();
    let mut again: Conversation = serde_json::from_str(&kept).unwrap();
    assert_whole(&again);

    let tools = Noted::of([tool("works"), tool("hangs")]);
    let model = ScriptedModel::new([Turn::say("I see how it stands.")]);
    let agent = Agent::builder(model.clone(), tools.clone()).approve(Everything::default()).build();
    let outcome = agent.resume(&mut again).outcome().await.unwrap();
    assert_eq!(outcome.text, "I see how it stands.");
    assert!(tools.calls().is_empty());
    let told = told(&model.requests()[0]);
    assert_eq!(told[0], ("worked".to_owned(), false));
    assert!(told[1].1 && told[1].0.contains("the program ended") && told[1].0.contains("may have been carried out"));
    assert!(told[2].1 && told[2].0.starts_with("not called"), "{told:?}");
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_a_whole_conversation() {
    let model = ScriptedModel::new([three(), Turn::say("fine")]);
    let agent = super::agent(&model, stuck());
    let mut conversation = Conversation::new();
    let mut run = agent.run(&mut conversation, "go");
    while let Some(event) = run.next().await {
        if matches!(event.unwrap(), AgentEvent::CallBegun { tool, .. } if tool == "hangs") {
            break;
        }
    }
    drop(run);
    assert_whole(&conversation);
    let outcome = agent.run(&mut conversation, "never mind").outcome().await.unwrap();
    assert_eq!(outcome.text, "fine");
    let told = told(&model.requests()[1]);
    assert!(told[1].0.contains("the user stopped it"), "{told:?}");
}

#[tokio::test]
async fn a_run_that_is_dropped_before_or_while_the_model_is_asked_loses_nothing() {
    let model = ScriptedModel::new([Turn::Hang, Turn::say("here")]);
    let agent = super::agent(&model, super::echo());
    let mut conversation = Conversation::new();
    drop(agent.run(&mut conversation, "one"));
    let mut run = agent.run(&mut conversation, "two");
    assert!(matches!(run.next().await, Some(Ok(AgentEvent::Round { .. }))));
    drop(run);
    assert_eq!(conversation.messages().len(), 1);
    let (_, outcome) = all(agent.resume(&mut conversation)).await;
    assert_eq!(outcome.text, "here");
    let kept = serde_json::to_string(&conversation).unwrap();
    assert!(kept.contains("one") && kept.contains("two"));
}

#[tokio::test]
async fn where_the_model_had_the_last_word_it_is_asked_to_go_on() {
    let model = ScriptedModel::new([Turn::say("It is"), Turn::say("four metres.")]);
    let agent = super::agent(&model, super::echo());
    let mut conversation = Conversation::new();
    agent.run(&mut conversation, "How deep?").outcome().await.unwrap();
    let outcome = agent.resume(&mut conversation).outcome().await.unwrap();
    assert_eq!(outcome.text, "four metres.");
    let request = &model.requests()[1];
    assert_eq!(request.messages.last(), Some(&Message::user("[Go on.]")));
    // A turn that its provider paused goes on as it stands.
    let paused = Part::Opaque(Opaque::new(Format::Anthropic, json!({"type": "server_tool_use"})));
    let kept = json!({"version": 1, "messages": [Message::user("x"), Message::Assistant(vec![paused.clone()])], "spent": {"usage": {}}});
    let mut conversation: Conversation = serde_json::from_value(kept).unwrap();
    let model = ScriptedModel::new([Turn::say("there")]);
    super::agent(&model, super::echo()).resume(&mut conversation).outcome().await.unwrap();
    assert_eq!(model.requests()[0].messages.last(), Some(&Message::Assistant(vec![paused])));
}

#[tokio::test]
async fn what_was_edited_by_hand_is_settled_and_sent_whole() {
    let call = |id: &str| ToolCall::new(id, "echo", Arguments::read("{}"));
    let calls = |ids: &[&str]| Message::Assistant(ids.iter().map(|id| Part::Call(call(id))).collect());
    let result = |id: &str| ToolResult::text(&call(id), id);
    for messages in [
        // In the middle of calls; without the call of a result; results that are there twice, or too late; ids that are.
        vec![Message::user("x"), calls(&["a", "b"])],
        vec![Message::user("x"), Message::Results(vec![result("a")])],
        vec![Message::user("x"), calls(&["a"]), Message::Results(vec![result("a"), result("a")])],
        vec![Message::user("x"), calls(&["a"]), Message::user("y"), Message::Results(vec![result("a")])],
        vec![Message::user("x"), calls(&["a"]), Message::assistant("y"), Message::Results(vec![result("a")])],
        vec![Message::user("x"), calls(&["a", "a"]), Message::Results(vec![result("a")]), calls(&["a"])],
        vec![calls(&["a"]), Message::Results(Vec::new()), Message::Assistant(Vec::new())],
    ] {
        let kept = json!({"version": 1, "messages": messages, "spent": {"usage": {}}});
        let mut conversation: Conversation = serde_json::from_value(kept).unwrap();
        for format in Format::ALL {
            let provider = MockProvider::start([MockTurn::say("well")]).await.unwrap();
            let model =
                HttpModel::builder(format, "mock").base_url(provider.base_url(format.as_str())).build().unwrap();
            let agent = Agent::builder(model, super::echo()).build();
            let outcome = agent.run(&mut conversation, "and?").outcome().await;
            let outcome = outcome.unwrap_or_else(|error| panic!("{format} {messages:?}: {error}"));
            assert_eq!(outcome.text, "well", "{format}");
            assert!(provider.requests().iter().all(|asked| asked.refused.is_none()), "{format} {messages:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_sent() {
    struct Full;
    impl Journal for Full {
        fn write<'a>(&'a self, conversation: &'a Conversation) -> BoxFuture<'a, Result<(), String>> {
            let has_calls = conversation.messages().iter().any(|message| message.calls().count() > 0);
            Box::pin(std::future::ready(if has_calls { Err("the disk is full".to_owned()) } else { Ok(()) }))
        }
    }
    let tools = Noted::of([tool("works")]);
    let model = ScriptedModel::new([Turn::call("works", r#"{"text": "x"}"#)]);
    let agent = Agent::builder(model, tools.clone()).approve(Everything::default()).journal(Full).build();
    let mut conversation = Conversation::new();
    let error = agent.run(&mut conversation, "go").outcome().await.unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(tools.calls().is_empty());
    assert_whole(&conversation);
}
