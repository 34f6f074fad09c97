//! The loop around a model that follows a script.

mod bad_models;
mod bounds;
mod embedder;
mod kept;
mod large;
mod safety;
mod servers;

use std::sync::{Arc, Mutex};

use bowline_llm::{
    Agent, AgentEvent, Bounds, CallEnd, Content, Conversation, Everything, Functions, ListedTool, Message, Outcome,
    Request, Run, ScriptedModel, ToolList, ToolRequest, ToolResult, Tools, Turn,
};
use bowline_protocol::{CallToolResult, RawJson, Tool, ToolAnnotations};
use bowline_transport::BoxFuture;
use serde_json::{Value, json};

/// A tool with one argument, which says it back.
pub(crate) fn echo() -> Functions {
    Functions::new().with(tool("echo"), |arguments| async move {
        let arguments = arguments.to_value();
        CallToolResult::text(arguments["text"].as_str().unwrap_or_default().to_owned())
    })
}

pub(crate) fn tool(name: &str) -> Tool {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
    Tool::new(name, schema).with_description(format!("Says back what {name} is given"))
}

pub(crate) fn read_only(name: &str) -> Tool {
    tool(name).with_annotations(ToolAnnotations::new().with_read_only_hint(true))
}

/// An agent that may do anything.
pub(crate) fn agent(model: &ScriptedModel, tools: impl Tools) -> Agent {
    Agent::builder(model.clone(), tools).approve(Everything::default()).build()
}

/// All that happened, and how it ended.
pub(crate) async fn all(mut run: Run<'_>) -> (Vec<AgentEvent>, Outcome) {
    let mut events = Vec::new();
    while let Some(event) = run.next().await {
        match event.unwrap() {
            AgentEvent::Done(outcome) => return (events, outcome),
            event => events.push(event),
        }
    }
    panic!("no end");
}

/// What the model was told last, as its results' texts, with whether each is an error.
pub(crate) fn told(request: &Request) -> Vec<(String, bool)> {
    let Some(results) = request.messages.iter().rev().find_map(|message| match message {
        Message::Results(results) => Some(results),
        _ => None,
    }) else {
        panic!("no results in {:?}", request.messages)
    };
    results.iter().map(|result| (text_of(result), result.is_error)).collect()
}

pub(crate) fn text_of(result: &ToolResult) -> String {
    let texts = result.content.iter().map(|content| match content {
        Content::Text(text) => text.clone(),
        Content::Json(raw) => raw.as_str().to_owned(),
        other => format!("{other:?}"),
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Each call in a history has exactly one result, in the message right after.
pub(crate) fn assert_whole(conversation: &Conversation) {
    let messages = conversation.messages();
    for (at, message) in messages.iter().enumerate() {
        let calls: Vec<&str> = message.calls().map(|call| call.id.as_str()).collect();
        if calls.is_empty() {
            continue;
        }
        let Some(Message::Results(results)) = messages.get(at + 1) else { panic!("no results after {message:?}") };
        assert_eq!(results.iter().map(|result| result.call_id.as_str()).collect::<Vec<_>>(), calls);
    }
}

/// Tools that note what is called, with their arguments.
#[derive(Clone, Default)]
pub(crate) struct Noted {
    pub(crate) tools: Vec<ListedTool>,
    pub(crate) calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Noted {
    pub(crate) fn of(tools: impl IntoIterator<Item = Tool>) -> Self {
        let tools = tools.into_iter().map(|tool| ListedTool::new(tool.name.clone(), "server", tool)).collect();
        Self { tools, calls: Arc::default() }
    }

    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().unwrap().clone()
    }
}

impl Tools for Noted {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        Box::pin(std::future::ready(ToolList::new(self.tools.clone())))
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, bowline_client::Error>> {
        self.calls.lock().unwrap().push((call.name.to_string(), call.arguments.to_value()));
        Box::pin(std::future::ready(Ok(CallToolResult::text("done"))))
    }
}

#[tokio::test]
async fn a_call_is_made_and_its_result_leads_to_the_answer() {
    let model = ScriptedModel::new([Turn::call("echo", r#"{"text": "ahoy"}"#), Turn::say("It said ahoy.")]);
    let mut conversation = Conversation::new();
    let (events, outcome) = all(agent(&model, echo()).run(&mut conversation, "Say ahoy")).await;
    assert_eq!((outcome.text.as_str(), outcome.rounds, outcome.calls), ("It said ahoy.", 2, 1));
    assert_eq!(told(&model.requests()[1]), [("ahoy".to_owned(), false)]);
    let said: String = events
        .iter()
        .filter_map(|event| if let AgentEvent::Text { text } = event { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(said, "It said ahoy.");
    assert!(events.iter().any(|event| matches!(event, AgentEvent::CallBegun { tool, .. } if tool == "echo")));
    assert!(events.iter().any(|event| matches!(event, AgentEvent::CallEnded { end: CallEnd::Done, .. })));
    assert_eq!(outcome.spent, *conversation.spent());
    assert!(outcome.spent.usage.total() > 0);
    assert_whole(&conversation);
}

#[tokio::test]
async fn a_second_question_goes_on_from_the_first() {
    let model = ScriptedModel::new([Turn::say("one"), Turn::say("two")]);
    let agent = agent(&model, echo());
    let mut conversation = Conversation::new();
    agent.run(&mut conversation, "first").outcome().await.unwrap();
    agent.run(&mut conversation, "second").outcome().await.unwrap();
    assert_eq!(model.requests()[1].messages.len(), 3);
    assert_eq!(conversation.messages().len(), 4);
    assert_eq!(model.requests()[0].tools, model.requests()[1].tools, "what begins the same is kept by providers");
}

#[tokio::test]
async fn a_request_is_estimated_as_it_would_be_at_once() {
    let turns = (0..4).map(|n| Turn::call("echo", &format!(r#"{{"text": "{n}"}}"#))).chain([Turn::say("done")]);
    let model = ScriptedModel::new(turns);
    let bounds = Bounds::default().with_rounds(4);
    let agent =
        Agent::builder(model.clone(), echo()).approve(Everything::default()).system("Be short").bounds(bounds).build();
    let (events, _) = all(agent.run(&mut Conversation::new(), "go")).await;
    let estimated = events.iter().filter_map(|event| match event {
        AgentEvent::Round { estimated_tokens, .. } => Some(*estimated_tokens),
        _ => None,
    });
    let whole = model.requests().iter().map(Request::estimated_tokens).collect::<Vec<_>>();
    assert_eq!(estimated.collect::<Vec<_>>(), whole);
}

#[tokio::test]
async fn events_can_be_written_as_json() {
    let model = ScriptedModel::new([Turn::call("echo", r#"{"text": "ahoy"}"#), Turn::say("fine")]);
    let mut conversation = Conversation::new();
    let (events, outcome) = all(agent(&model, echo()).run(&mut conversation, "go")).await;
    let types: Vec<String> = events
        .iter()
        .chain([&AgentEvent::Done(outcome)])
        .map(|event| serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert!(types.contains(&"call_begun".to_owned()) && types.contains(&"done".to_owned()), "{types:?}");
}

#[tokio::test]
async fn nothing_said_is_an_error() {
    let model = ScriptedModel::new([]);
    let error = agent(&model, echo()).resume(&mut Conversation::new()).outcome().await.unwrap_err();
    assert_eq!(error.to_string(), "the conversation is empty; say something first");
}

#[tokio::test]
async fn an_agent_without_tools_only_talks() {
    let model = ScriptedModel::new([Turn::say("hello")]);
    let outcome = agent(&model, Functions::new()).run(&mut Conversation::new(), "hi").outcome().await.unwrap();
    assert_eq!(outcome.text, "hello");
    assert!(model.requests()[0].tools.is_empty());
}

/// Stands for a schema that is not looked into.
pub(crate) fn any() -> RawJson {
    json!({"type": "object"}).into()
}
