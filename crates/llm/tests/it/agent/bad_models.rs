//! What models do wrong, and what they are told.

use bowline_llm::{
    Agent, AgentEvent, Bounds, BreakerSettings, CallEnd, Content, Conversation, End, Events, Everything, Features,
    Message, Model, ModelError, ModelErrorKind, Request, ScriptedModel, Selection, Stop, ToolChoice, Turn,
};
use bowline_protocol::{CallToolResult, ImageContent, Tool};
use bowline_transport::BoxFuture;

use super::{Noted, agent, all, any, assert_whole, echo, read_only, text_of, told, tool};

#[tokio::test]
async fn a_tool_that_does_not_exist_is_answered_with_the_one_that_is_meant() {
    let tools = Noted::of([tool("read_file"), tool("send")]);
    let model =
        ScriptedModel::new([Turn::calls([("red_file", r#"{"text": "a"}"#), ("zebra", "{}")]), Turn::say("I see.")]);
    let mut conversation = Conversation::new();
    agent(&model, tools.clone()).run(&mut conversation, "go").outcome().await.unwrap();
    let told = told(&model.requests()[1]);
    assert_eq!(told[0], ("there is no tool red_file; did you mean read_file?".to_owned(), true));
    assert!(told[1].0.starts_with("there is no tool zebra") && told[1].1);
    assert!(tools.calls().is_empty());
    assert_whole(&conversation);
}

#[tokio::test]
async fn broken_json_is_told_and_can_be_mended() {
    let model = ScriptedModel::new([
        Turn::call("echo", r#"{"text": "aho"#),
        Turn::call("echo", "[1]"),
        Turn::call("echo", r#"{"text": "ahoy"}"#),
        Turn::say("done"),
    ]);
    let mut conversation = Conversation::new();
    let outcome = agent(&model, echo()).run(&mut conversation, "go").outcome().await.unwrap();
    let requests = model.requests();
    assert!(told(&requests[1])[0].0.contains("not JSON") && told(&requests[1])[0].1);
    assert!(told(&requests[2])[0].0.contains("not an object"));
    assert_eq!(told(&requests[3]), [("ahoy".to_owned(), false)]);
    assert_eq!(outcome.calls, 1);
}

#[tokio::test]
async fn arguments_that_do_not_fit_name_the_field_and_are_not_sent() {
    let tools = Noted::of([tool("echo")]);
    let model = ScriptedModel::new([Turn::call("echo", r#"{"text": 5}"#), Turn::say("done")]);
    agent(&model, tools.clone()).run(&mut Conversation::new(), "go").outcome().await.unwrap();
    let (text, is_error) = told(&model.requests()[1]).remove(0);
    assert!(is_error && text.contains("/text") && text.contains("string"), "{text}");
    assert!(tools.calls().is_empty());
}

#[tokio::test]
async fn one_call_for_ever_is_held_back_and_ends_with_an_answer() {
    let tools = Noted::of([tool("echo")]);
    // It goes on until nothing is left to call.
    let model = ScriptedModel::by(|request| match request.tool_choice {
        ToolChoice::None => Turn::say("I was going in circles."),
        _ => Turn::call("echo", r#"{"text": "again"}"#),
    });
    let mut conversation = Conversation::new();
    let agent = Agent::builder(model.clone(), tools.clone())
        .approve(Everything::default())
        .breaker(BreakerSettings::default().with_same_calls(3).with_held(2))
        .build();
    let outcome = agent.run(&mut conversation, "go").outcome().await.unwrap();
    assert_eq!((outcome.end, outcome.text.as_str()), (End::Circles, "I was going in circles."));
    assert_eq!(tools.calls().len(), 3);
    let requests = model.requests();
    assert!(told(&requests[4])[0].0.contains("made 3 times"), "{:?}", told(&requests[4]));
    assert_whole(&conversation);
}

#[tokio::test]
async fn five_hundred_calls_at_once_are_bounded_and_the_rest_is_told() {
    let tools = Noted::of([read_only("echo")]);
    let calls: Vec<String> = (0..500).map(|n| format!(r#"{{"text": "{n}"}}"#)).collect();
    let model =
        ScriptedModel::new([Turn::calls(calls.iter().map(|call| ("echo", call.as_str()))), Turn::say("enough")]);
    let mut conversation = Conversation::new();
    let (events, outcome) = all(agent(&model, tools.clone()).run(&mut conversation, "go")).await;
    assert_eq!((tools.calls().len(), outcome.calls), (32, 32));
    let told = told(&model.requests()[1]);
    assert_eq!(told.len(), 500, "a provider wants a result for each");
    assert_eq!(told.iter().filter(|(text, _)| text.contains("no more than 32 calls of one answer")).count(), 468);
    let unmade = events.iter().filter(|event| matches!(event, AgentEvent::CallEnded { end: CallEnd::NotMade, .. }));
    assert_eq!(unmade.count(), 468);
    assert_whole(&conversation);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_asked_for_once_more_and_no_call_of_it_is_made() {
    let tools = Noted::of([tool("echo")]);
    let cut = |turn: Turn| if let Turn::Answer(answer) = turn { Turn::Cut(answer) } else { panic!("an answer") };
    let model = ScriptedModel::new([
        cut(Turn::calls([("echo", r#"{"text": "a"}"#), ("echo", r#"{"text": "b"}"#)])),
        Turn::say("whole"),
        cut(Turn::say("never to be whole")),
        cut(Turn::say("never to be whole")),
    ]);
    let agent = agent(&model, tools.clone());
    let mut conversation = Conversation::new();
    let (events, outcome) = all(agent.run(&mut conversation, "go")).await;
    assert_eq!(outcome.text, "whole");
    assert!(events.iter().any(|event| matches!(event, AgentEvent::Restarted { .. })));
    assert!(tools.calls().is_empty());
    // Twice is an error, and what was said stands.
    let error = agent.run(&mut conversation, "and now?").outcome().await.unwrap_err();
    assert!(error.to_string().contains("ended in the middle"), "{error}");
    assert_eq!(conversation.messages().len(), 3);
}

#[tokio::test]
async fn an_error_of_the_provider_ends_the_run_and_leaves_the_conversation_whole() {
    for kind in [ModelErrorKind::RateLimited, ModelErrorKind::Server, ModelErrorKind::Unreadable] {
        let model = ScriptedModel::new([
            Turn::call("echo", r#"{"text": "a"}"#),
            Turn::Refuse(ModelError::new(kind, "the provider answers 500")),
            Turn::say("there again"),
        ]);
        let agent = agent(&model, echo());
        let mut conversation = Conversation::new();
        let error = agent.run(&mut conversation, "go").outcome().await.unwrap_err();
        assert_eq!(error.to_string(), "the provider answers 500");
        assert_whole(&conversation);
        assert_eq!(agent.resume(&mut conversation).outcome().await.unwrap().text, "there again");
    }
}

#[tokio::test]
async fn a_tool_that_the_provider_refuses_is_left_out_and_told() {
    let tools = || Noted::of(["a", "b", "bad", "c", "d"].map(|name| Tool::new(name, any())));
    let refused = |named: bool| {
        ScriptedModel::by(move |request| match request.tools.iter().any(|tool| tool.name == "bad") {
            true => {
                let error = ModelError::new(ModelErrorKind::Refused, "400: invalid schema");
                Turn::Refuse(if named { error.with_refused_tool("bad") } else { error })
            }
            false => Turn::say("works"),
        })
    };
    for named in [true, false] {
        let model = refused(named);
        let agent = agent(&model, tools());
        let mut conversation = Conversation::new();
        let (events, outcome) = all(agent.run(&mut conversation, "go")).await;
        assert_eq!(outcome.text, "works");
        assert_eq!(conversation.refused_tools(), ["bad"]);
        let notice =
            |event: &AgentEvent| matches!(event, AgentEvent::Notice { text } if text.contains("refuses the tool bad"));
        assert!(events.iter().any(notice));
        assert!(model.requests().len() < 12, "found by halves");
        // It stays out.
        let before = model.requests().len();
        agent.run(&mut conversation, "again").outcome().await.unwrap();
        assert_eq!(model.requests().len(), before + 1);
        // Another model's provider may take it.
        let model = ScriptedModel::by(|_| Turn::say("works"));
        let other = Agent::builder(Other(model.clone()), tools()).build();
        other.run(&mut conversation, "and you?").outcome().await.unwrap();
        assert!(conversation.refused_tools().is_empty());
        assert!(model.requests()[0].tools.iter().any(|tool| tool.name == "bad"));
    }
}

/// The same model under another name.
#[derive(Debug)]
struct Other(ScriptedModel);

impl Model for Other {
    fn name(&self) -> &str {
        "scripted/other"
    }

    fn features(&self) -> Features {
        self.0.features()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Events, ModelError>> {
        self.0.stream(request)
    }
}

#[tokio::test]
async fn a_request_that_is_refused_for_something_else_is_an_error() {
    let model = ScriptedModel::by(|request| match request.messages.len() {
        1 if request.max_tokens == Some(16) => Turn::say("ok"),
        _ => Turn::Refuse(ModelError::new(ModelErrorKind::Refused, "400: no such voice")),
    });
    let mut conversation = Conversation::new();
    let error = agent(&model, echo()).run(&mut conversation, "go").outcome().await.unwrap_err();
    assert_eq!(error.to_string(), "400: no such voice");
    assert!(conversation.refused_tools().is_empty());
}

/// A model whose provider refuses whatever is in a message, if it says so.
fn refusing(kind: ModelErrorKind, heavy: impl Fn(&Content) -> bool + Send + Sync + 'static) -> ScriptedModel {
    let mut features = Features::TEXT;
    features.images = true;
    let model = ScriptedModel::by(move |request| {
        let results = request.messages.iter().flat_map(|message| match message {
            Message::Results(results) => results.as_slice(),
            _ => &[],
        });
        let is_heavy = results.flat_map(|result| &result.content).any(&heavy);
        match request.messages.len() {
            1 if request.max_tokens == Some(16) => Turn::say("ok"),
            1 => Turn::call("look", r#"{"text": "a"}"#),
            _ if is_heavy => Turn::Refuse(ModelError::new(kind, "400: could not process image")),
            _ => Turn::say("I cannot see it."),
        }
    });
    model.with_features(features)
}

/// The head of a small image.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x06\0\0\0";

#[tokio::test]
async fn a_conversation_is_not_stuck_on_an_image_that_the_provider_refuses() {
    let image = || async { CallToolResult::new([ImageContent::from_bytes(PNG, "image/png").into()]) };
    let tools = || bowline_llm::Functions::new().with(tool("look"), move |_| image());
    let is_media = |content: &Content| matches!(content, Content::Media(_));
    let model = refusing(ModelErrorKind::Refused, is_media);
    let mut conversation = Conversation::new();
    let (events, outcome) = all(agent(&model, tools()).run(&mut conversation, "what is that?")).await;
    assert_eq!(outcome.text, "I cannot see it.");
    assert!(
        events.iter().any(|event| matches!(event, AgentEvent::Notice { text } if text.contains("without its images")))
    );
    let Message::Results(results) = &conversation.messages()[2] else { panic!("results") };
    assert!(text_of(&results[0]).contains("left out"), "{results:?}");
    // The requests that found out whose fault it is are spent too.
    let is_refused = |request: &Request| {
        let Some(Message::Results(results)) = request.messages.last() else { return false };
        results.iter().flat_map(|result| &result.content).any(is_media)
    };
    let taken: u64 =
        model.requests().iter().filter(|request| !is_refused(request)).map(Request::estimated_tokens).sum();
    assert!(model.requests().len() > 3);
    assert_eq!(outcome.spent.usage.input_tokens, taken);
    // Where it was not the image, it stays.
    let model = refusing(ModelErrorKind::Refused, |_| true);
    let mut conversation = Conversation::new();
    agent(&model, tools()).run(&mut conversation, "what is that?").outcome().await.unwrap_err();
    let Message::Results(results) = &conversation.messages()[2] else { panic!("results") };
    assert!(is_media(&results[0].content[0]), "{results:?}");
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_sent_with_its_results_cut() {
    let tools =
        bowline_llm::Functions::new().with(tool("look"), |_| async { CallToolResult::text("a row\n".repeat(5_000)) });
    let model =
        refusing(ModelErrorKind::TooLong, |content| matches!(content, Content::Text(text) if text.len() > 10_000));
    let mut conversation = Conversation::new();
    let outcome = agent(&model, tools).run(&mut conversation, "what is that?").outcome().await.unwrap();
    assert_eq!(outcome.text, "I cannot see it.");
    let (text, _) = told(model.requests().last().unwrap()).remove(0);
    assert!(text.contains("more bytes are left out") && text.len() < 5_000, "{}", text.len());
}

#[tokio::test]
async fn a_tool_that_keeps_failing_is_held_back() {
    let failing = bowline_llm::Functions::new().with(tool("echo"), |_| async { CallToolResult::error("out of order") });
    let turns = (0..8).map(|n| Turn::call("echo", &format!(r#"{{"text": "{n}"}}"#))).chain([Turn::say("it is broken")]);
    let model = ScriptedModel::new(turns);
    let agent = Agent::builder(model.clone(), failing).approve(Everything::default()).bounds(Bounds::default()).build();
    let outcome = agent.run(&mut Conversation::new(), "go").outcome().await.unwrap();
    assert_eq!((outcome.calls, outcome.end), (5, End::Answered));
    assert!(told(&model.requests()[6])[0].0.contains("failed 5 times in a row"));
}

#[tokio::test]
async fn a_tool_that_was_found_is_called_through_the_agents_own() {
    let tools = Noted::of([tool("echo"), tool("send")]);
    let model = ScriptedModel::new([
        Turn::call("search_tools", r#"{"query": "send"}"#),
        Turn::call("call_tool", r#"{"name": "send", "arguments": {"text": "hi"}}"#),
        Turn::call("call_tool", r#"{"name": "send", "arguments": "{\"text\": \"as a text\"}"}"#),
        Turn::call("call_tool", r#"{"name": "snd", "arguments": {}}"#),
        Turn::call("call_tool", r#"{"arguments": {}}"#),
        Turn::call("search_tools", r#"{"server": "nosuch"}"#),
        Turn::call("search_tools", r#"{"server": "server"}"#),
        Turn::say("sent"),
    ]);
    let agent = Agent::builder(model.clone(), tools.clone())
        .approve(Everything::default())
        .selection(Selection::search().with_most(0))
        .build();
    let mut conversation = Conversation::new();
    agent.run(&mut conversation, "zzz").outcome().await.unwrap();
    let requests = model.requests();
    let names: Vec<&str> = requests[0].tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["search_tools", "call_tool", "read_artifact"]);
    let found = &told(&requests[1])[0].0;
    assert!(found.contains("send") && found.contains(r#""required":["text"]"#), "{found}");
    assert_eq!(tools.calls().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["send", "send"]);
    assert_eq!(told(&requests[4]), [("there is no tool snd; did you mean send?".to_owned(), true)]);
    assert!(told(&requests[5])[0].1 && told(&requests[6])[0].0.contains("no server is called nosuch"));
    assert!(told(&requests[7])[0].0.contains("echo: Says back"));
    assert_whole(&conversation);
}

#[tokio::test]
async fn no_tool_is_blamed_for_a_request_that_is_refused_without_any() {
    for named in [true, false] {
        let model = ScriptedModel::by(move |_| {
            let error = ModelError::new(ModelErrorKind::Refused, "400: the key is not valid for echo");
            Turn::Refuse(if named { error.with_refused_tool("echo") } else { error })
        });
        let mut conversation = Conversation::new();
        let error = agent(&model, echo()).run(&mut conversation, "go").outcome().await.unwrap_err();
        assert_eq!(error.to_string(), "400: the key is not valid for echo");
        assert!(conversation.refused_tools().is_empty() && model.requests().len() < 5);
    }
}

#[tokio::test]
async fn a_model_that_takes_no_tools_at_all_is_no_tools_fault() {
    let model = ScriptedModel::by(|request| match request.tools.is_empty() {
        true => Turn::say("ok"),
        false => Turn::Refuse(ModelError::new(ModelErrorKind::Refused, "400: this model has no tools")),
    });
    let mut conversation = Conversation::new();
    let tools = Noted::of(["a", "b", "c"].map(|name| Tool::new(name, any())));
    let error = agent(&model, tools).run(&mut conversation, "go").outcome().await.unwrap_err();
    assert_eq!(error.to_string(), "400: this model has no tools");
    assert!(conversation.refused_tools().is_empty());
}

#[tokio::test]
async fn calls_of_an_answer_that_was_cut_are_not_made() {
    let tools = Noted::of([Tool::new("delete_rows", any())]);
    let cut = |stop| {
        let Turn::Answer(mut answer) = Turn::call("delete_rows", "") else { panic!("an answer") };
        answer.stop = stop;
        Turn::Answer(answer)
    };
    let model = ScriptedModel::new([cut(Stop::MaxTokens), Turn::say("again"), cut(Stop::Refusal)]);
    let agent = agent(&model, tools.clone());
    let mut conversation = Conversation::new();
    assert_eq!(agent.run(&mut conversation, "go").outcome().await.unwrap().text, "again");
    assert!(told(&model.requests()[1])[0].0.contains("your answer was cut"));
    let outcome = agent.run(&mut conversation, "go").outcome().await.unwrap();
    assert_eq!(outcome.end, End::Stopped(Stop::Refusal));
    assert!(tools.calls().is_empty());
    assert_whole(&conversation);
}

#[tokio::test]
async fn several_mistakes_in_one_answer_are_one_and_can_be_mended() {
    let tools = Noted::of([tool("echo")]);
    let wrong = ["1", "2", "3", "4", "5", "6", "7", "8"].map(|n| format!(r#"{{"text": {n}}}"#));
    let right = ["1", "2", "3"].map(|n| format!(r#"{{"text": "{n}"}}"#));
    let model = ScriptedModel::new([
        Turn::calls(wrong.iter().map(|call| ("echo", call.as_str()))),
        Turn::calls(right.iter().map(|call| ("echo", call.as_str()))),
        Turn::say("mended"),
    ]);
    let outcome = agent(&model, tools.clone()).run(&mut Conversation::new(), "go").outcome().await.unwrap();
    assert_eq!((outcome.end, tools.calls().len()), (End::Answered, 3));
}
