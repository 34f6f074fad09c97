//! How far a run goes.

use std::time::Duration;

use bowline_llm::{
    Agent, AgentEvent, Bound, Bounds, CallEnd, Conversation, End, Everything, Functions, Message, Price, Prices,
    ScriptedModel, ToolChoice, ToolList, ToolRequest, Tools, Turn,
};
use bowline_protocol::CallToolResult;
use bowline_transport::BoxFuture;

use super::{all, assert_whole, echo, told, tool};

/// A model that calls as long as it may, each time something else.
fn eager() -> ScriptedModel {
    ScriptedModel::by(|request| match request.tool_choice {
        ToolChoice::None => Turn::say("that is what I have"),
        _ => Turn::call("echo", &format!(r#"{{"text": "{}"}}"#, request.messages.len())),
    })
}

async fn ends(bounds: Bounds) -> (ScriptedModel, Conversation, bowline_llm::Outcome) {
    let model = eager();
    let prices = Prices::default().with("scripted/model", Price::per_million(1_000.0, 1_000.0));
    let agent =
        Agent::builder(model.clone(), echo()).approve(Everything::default()).bounds(bounds).prices(prices).build();
    let mut conversation = Conversation::new();
    let outcome = agent.run(&mut conversation, "go").outcome().await.unwrap();
    assert_eq!(outcome.text, "that is what I have");
    assert_whole(&conversation);
    (model, conversation, outcome)
}

#[tokio::test]
async fn at_each_bound_the_model_answers_once_more_without_tools() {
    let (model, conversation, outcome) = ends(Bounds::default().with_rounds(3)).await;
    assert_eq!((outcome.end, outcome.rounds, outcome.calls), (End::Bound(Bound::Rounds), 4, 3));
    let last = model.requests().pop().unwrap();
    assert!(!last.tools.is_empty(), "the history has calls, so the tools stay in the request");
    let Some(Message::User(note)) = last.messages.last() else { panic!("a note") };
    assert!(format!("{note:?}").contains("limit of 3 rounds"));
    assert!(matches!(conversation.messages().last(), Some(Message::Assistant(_))));

    let (.., outcome) = ends(Bounds::default().with_calls(2)).await;
    assert_eq!((outcome.end, outcome.calls), (End::Bound(Bound::Calls), 2));

    let (.., outcome) = ends(Bounds::default().with_tokens(400)).await;
    assert_eq!(outcome.end, End::Bound(Bound::Tokens));
    assert!(outcome.rounds < 25);

    let (.., outcome) = ends(Bounds::default().with_cost(0.5)).await;
    assert_eq!(outcome.end, End::Bound(Bound::Cost));
    assert!(outcome.spent.cost.is_some_and(|cost| cost >= 0.5));
}

#[tokio::test(start_paused = true)]
async fn when_the_time_is_up_open_calls_are_given_up_and_told() {
    let slow = Functions::new().with(tool("echo"), |_| async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        CallToolResult::text("late")
    });
    let model = eager();
    let bounds = Bounds::default().with_time(Duration::from_secs(30));
    let agent = Agent::builder(model.clone(), slow).approve(Everything::default()).bounds(bounds).build();
    let mut conversation = Conversation::new();
    let (events, outcome) = all(agent.run(&mut conversation, "go")).await;
    assert_eq!((outcome.end, outcome.text.as_str()), (End::Bound(Bound::Time), "that is what I have"));
    let ends = |event: &&AgentEvent| matches!(event, AgentEvent::CallEnded { end: CallEnd::Failed, .. });
    assert_eq!(events.iter().filter(ends).count(), 1, "what begins ends");
    let (text, is_error) = told(&model.requests()[1]).remove(0);
    assert!(is_error && text.contains("may have been carried out"), "{text}");
    assert_whole(&conversation);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_says_nothing_is_not_waited_for() {
    let model = ScriptedModel::new([Turn::Hang, Turn::Hang]);
    let bounds = Bounds::default().with_time(Duration::from_secs(30));
    let agent = Agent::builder(model, echo()).bounds(bounds).build();
    let mut conversation = Conversation::new();
    let outcome = agent.run(&mut conversation, "go").outcome().await.unwrap();
    assert!(outcome.spent.usage.input_tokens > 0, "what it was asked counts");
    assert_eq!((outcome.end, outcome.text.as_str()), (End::Bound(Bound::Time), ""));
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_person_takes_to_allow_a_call_does_not_count() {
    let model = ScriptedModel::new([Turn::call("echo", r#"{"text": "a"}"#), Turn::say("done")]);
    let slow_person = |_: bowline_llm::Asked| async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        bowline_llm::Approval::Yes
    };
    let agent = Agent::builder(model, echo()).approve(slow_person).build();
    let (events, outcome) = all(agent.run(&mut Conversation::new(), "go")).await;
    assert_eq!((outcome.end, outcome.calls), (End::Answered, 1));
    assert!(events.iter().any(|event| matches!(event, AgentEvent::CallBegun { .. })));
}

#[tokio::test(start_paused = true)]
async fn tools_that_are_never_listed_take_no_longer_than_a_run_may() {
    struct Silent;
    impl Tools for Silent {
        fn list(&self) -> BoxFuture<'_, ToolList> {
            Box::pin(std::future::pending())
        }

        fn call(&self, _: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, bowline_client::Error>> {
            Box::pin(std::future::pending())
        }
    }
    let bounds = Bounds::default().with_time(Duration::from_secs(30));
    let agent = Agent::builder(ScriptedModel::new([Turn::say("without tools, then")]), Silent).bounds(bounds).build();
    let mut conversation = Conversation::new();
    let (events, outcome) = all(agent.run(&mut conversation, "go")).await;
    assert_eq!((outcome.text.as_str(), outcome.end), ("without tools, then", End::Bound(Bound::Time)));
    assert!(events.iter().any(|event| matches!(event, AgentEvent::Notice { text } if text.contains("not listed"))));
}
