//! Models over HTTP, against a provider that speaks each format and refuses what the real one would.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use bowline_llm::{
    Arguments, AwsCredentials, Content, Event, Features, Format, HttpModel, HttpModelBuilder, Media, Message, Model,
    ModelErrorKind, Part, Request, Stop, ToolCall, ToolResult, ToolSpec,
};
use bowline_testkit::llm::{AwsKeys, MockProvider, MockTurn};
use serde_json::json;

/// Texts and arguments that are cut in the middle of characters and escapes on their way.
const TEXT: &str = "Vier Faden. \u{1f9ed} \"Quoted\", \\ back,\nand a line.";
const ARGUMENTS: &str = r#"{"at":"Köln \"Süd\" \ud83e\udded","deep":[1,2.5,{"x":null}]}"#;

fn builder(provider: &MockProvider, format: Format) -> HttpModelBuilder {
    let model = if format == Format::Bedrock { "eu.anthropic.claude-mock" } else { "mock" };
    HttpModel::builder(format, model).base_url(provider.base_url(format.as_str())).key("sk-very-secret".to_owned())
}

fn tools() -> Vec<Arc<ToolSpec>> {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": {
            "at": {"type": "string", "examples": ["pier"]}, "deep": {"type": "array"},
            "kind": {"oneOf": [{"const": "rock"}, {"$ref": "#/$defs/Sand"}]},
        },
        "anyOf": [{"required": ["at"]}, {"required": ["deep"]}],
        "$defs": {"Sand": {"type": "object", "properties": {"grain": {"type": "number", "exclusiveMinimum": 0}}}},
    });
    ["harbour.depth", "harbour/depth", "harbour_depth"].map(|name| Arc::new(ToolSpec::new(name, schema.clone()))).into()
}

fn ask() -> Request {
    Request::new(vec![Message::user("How deep?")]).with_system("Be brief.").with_tools(tools())
}

#[tokio::test]
async fn calls_and_texts_come_whole_in_each_format_streamed_and_not() {
    for format in Format::ALL {
        for streaming in [true, false] {
            let calls = MockTurn::calls([("harbour_depth", ARGUMENTS), ("no_such_tool", "{}")]);
            let provider = MockProvider::start([calls, MockTurn::say(TEXT)]).await.unwrap();
            let model = builder(&provider, format).streaming(streaming).build().unwrap();
            let mut request = ask();
            let answer = model.answer(&request).await.unwrap_or_else(|error| panic!("{format} {streaming}: {error}"));
            let calls: Vec<ToolCall> = answer.calls().cloned().collect();
            assert_eq!((calls.len(), &answer.stop), (2, &Stop::ToolCalls), "{format} {streaming}");
            assert_eq!((calls[0].name.as_str(), calls[1].name.as_str()), ("harbour_depth", "no_such_tool"));
            let wanted: serde_json::Value = serde_json::from_str(ARGUMENTS).unwrap();
            assert_eq!(calls[0].arguments.as_object().unwrap().to_value(), wanted, "{format} {streaming}");
            assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (20, 10), "{format}");
            request.messages.push(answer.into_message());
            let image = Content::Media(Media::new("image/png", "iVBORw0KGgoB"));
            request.messages.push(Message::Results(vec![
                ToolResult::error(&calls[1], "there is no such tool"),
                ToolResult::new(
                    &calls[0],
                    vec![Content::text("4 fathoms"), image, Content::Json(json!({"m": 7.3}).into())],
                ),
            ]));
            request.messages.push(Message::user("And in German?"));
            // What a model takes is not for the test to say: pictures go to all that can be told of them.
            let (mut text, mut events) = (String::new(), model.stream(&request).await.unwrap());
            let mut whole = None;
            while let Some(event) = events.next().await {
                match event.unwrap() {
                    Event::Text(piece) => text.push_str(&piece),
                    Event::Done(answer) => whole = Some(answer),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!((text.as_str(), whole.unwrap().text().as_str()), (TEXT, TEXT), "{format} {streaming}");
            let asked = provider.requests();
            assert!(asked.iter().all(|asked| asked.format == format.as_str() && asked.refused.is_none()));
        }
    }
}

#[tokio::test]
async fn a_history_of_any_provider_goes_to_any_other() {
    for from in Format::ALL {
        let provider =
            MockProvider::start([MockTurn::calls([("harbour_depth", "{\"broken"), ("harbour_depth", "{}")])])
                .await
                .unwrap();
        let mut request = ask();
        let answer = builder(&provider, from).build().unwrap().answer(&request).await.unwrap();
        let calls: Vec<ToolCall> = answer.calls().cloned().collect();
        assert!(calls[0].arguments.as_object().is_none(), "{from}");
        request.messages.push(answer.into_message());
        // The second has none yet, and there are no tools any more.
        request.messages.push(Message::Results(vec![ToolResult::error(&calls[0], "no JSON")]));
        request.tools.clear();
        for to in Format::ALL {
            provider.add(MockTurn::say("well"));
            let model = builder(&provider, to).build().unwrap();
            let answer = model.answer(&request).await.unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
            assert_eq!(answer.text(), "well");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_breaks_off_before_anything_came_is_asked_again() {
    let raw = |body: &str| MockTurn::Raw { content_type: "text/event-stream".to_owned(), body: body.into() };
    let busy = r#"data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let began = concat!(
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Four"}}"#,
        "\n\n"
    );
    let provider = MockProvider::start([raw(&format!("{busy}\n\n")), MockTurn::say("well")]).await.unwrap();
    let model = builder(&provider, Format::Anthropic).build().unwrap();
    assert_eq!(model.answer(&ask()).await.unwrap().text(), "well");
    assert_eq!(provider.requests().len(), 2);
    // What came is not to come twice.
    provider.add(raw(&format!("{began}{busy}\n\n")));
    let error = model.answer(&ask()).await.unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::Overloaded);
    assert_eq!(provider.requests().len(), 3);
}

#[tokio::test]
async fn what_is_over_soon_is_asked_again_and_what_is_not_is_told() {
    for format in Format::ALL {
        let busy = |code| MockTurn::Status { code, retry_after: Some(0) };
        let provider = MockProvider::start([busy(429), busy(500), busy(529), MockTurn::say("well")]).await.unwrap();
        let model = builder(&provider, format).build().unwrap();
        assert_eq!(model.answer(&ask()).await.unwrap().text(), "well", "{format}");
        assert_eq!(provider.requests().len(), 4);
        for (turn, kind) in [
            (MockTurn::status(401), ModelErrorKind::Auth),
            (MockTurn::status(404), ModelErrorKind::NotFound),
            (MockTurn::status(400), ModelErrorKind::Refused),
            (MockTurn::status(413), ModelErrorKind::TooLong),
            (MockTurn::Html { code: 200 }, ModelErrorKind::Unreadable),
            (MockTurn::Html { code: 403 }, ModelErrorKind::Auth),
            (MockTurn::Status { code: 429, retry_after: Some(3600) }, ModelErrorKind::RateLimited),
        ] {
            let before = provider.requests().len();
            provider.add(turn.clone());
            let error = model.answer(&ask()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{format} {turn:?}: {error}");
            assert_eq!(provider.requests().len(), before + 1, "it is asked once");
            let told = error.to_string();
            assert!(!told.contains('\n') && told.len() < 600, "{told}");
        }
        (0..4).for_each(|_| provider.add(busy(503)));
        let error = model.answer(&ask()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ModelErrorKind::Overloaded, Some(503)));
        provider.add(MockTurn::Html { code: 502 });
        let error = builder(&provider, format).retries(0).build().unwrap().answer(&ask()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ModelErrorKind::Server, Some(502)));
        assert!(error.to_string().contains("Bad Gateway"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_ends_in_the_middle_is_an_error_of_its_own() {
    for format in Format::ALL {
        for streaming in [true, false] {
            let long = MockTurn::say("knots ".repeat(100));
            let provider = MockProvider::start([long.cut()]).await.unwrap();
            let model = builder(&provider, format).streaming(streaming).build().unwrap();
            let error = model.answer(&ask()).await.unwrap_err();
            assert_eq!(error.kind(), ModelErrorKind::Cut, "{format} {streaming}: {error}");
            assert_eq!(provider.requests().len(), 1, "an answer that began is not asked for again");
            if streaming {
                assert!(error.partial().unwrap().text().starts_with("knots knots"), "{format}");
            }
        }
    }
}

#[tokio::test]
async fn silence_ends() {
    for streaming in [true, false] {
        let provider =
            MockProvider::start([MockTurn::Silent(Box::new(MockTurn::say("knots ".repeat(100))))]).await.unwrap();
        let model = builder(&provider, Format::Anthropic).streaming(streaming).idle_timeout(Duration::from_millis(50));
        let error = model.build().unwrap().answer(&ask()).await.unwrap_err();
        assert_eq!(error.kind(), ModelErrorKind::Timeout, "{error}");
    }
}

#[tokio::test]
async fn five_hundred_calls_at_once_are_all_there() {
    for format in Format::ALL {
        let calls = (0..500).map(|n| ("harbour_depth".to_owned(), json!({"at": n.to_string()}).to_string()));
        let provider = MockProvider::start([MockTurn::calls(calls)]).await.unwrap();
        let answer = builder(&provider, format).build().unwrap().answer(&ask()).await.unwrap();
        let ids: std::collections::HashSet<&str> = answer.calls().map(|call| call.id.as_str()).collect();
        assert_eq!(ids.len(), 500, "{format}");
    }
}

#[tokio::test]
async fn an_answer_larger_than_its_limit_is_refused() {
    for format in Format::ALL {
        for streaming in [true, false] {
            let provider = MockProvider::start([MockTurn::say("x".repeat(30_000))]).await.unwrap();
            let model = builder(&provider, format).streaming(streaming).max_answer_bytes(10_000).build().unwrap();
            let error = model.answer(&ask()).await.unwrap_err();
            assert_eq!(error.kind(), ModelErrorKind::TooLarge, "{format} {streaming}: {error}");
        }
    }
}

#[tokio::test]
async fn the_tool_that_a_provider_refuses_is_named() {
    let raw = MockTurn::Raw { content_type: "application/json".to_owned(), body: b"{\"choices\": 3}".to_vec() };
    let provider = MockProvider::start([raw]).await.unwrap();
    let model = builder(&provider, Format::OpenAiChat).build().unwrap();
    assert_eq!(model.answer(&ask()).await.unwrap_err().kind(), ModelErrorKind::Unreadable);
    // A member that the caller sets is the caller's to get right; this one is refused by the name of its tool.
    let mut request = ask();
    let tool = |name: &str, kind: &str| {
        let schema = json!({"type": kind, "properties": {}});
        json!({"type": "function", "function": {"name": name, "parameters": schema}})
    };
    let bad = json!([tool("a", "object"), tool("b", "object"), tool("harbour_depth", "array")]);
    request.extra.insert("tools".to_owned(), bad);
    let error = model.answer(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.refused_tool()), (ModelErrorKind::Refused, Some("harbour_depth")), "{error}");
}

#[tokio::test]
async fn a_key_that_a_provider_repeats_is_hidden() {
    let far = "x".repeat(390);
    let said = format!(r#"{{"error": {{"message": "bad key {far} sk-very-secret", "type": "authentication_error"}}}}"#);
    let odd = format!("{}sk-very-secret", "x".repeat(190));
    let bodies = [
        ("application/json", said.clone()),
        ("text/event-stream", format!("data: {said}\n\n")),
        ("text/event-stream", format!("data: {odd}\n\n")),
        ("application/json", odd.clone()),
        ("text/html", format!("<p>{odd}")),
    ];
    for (n, streaming) in [true, false].into_iter().flat_map(|s| (0..bodies.len()).map(move |n| (n, s))) {
        let (kind, body) = bodies[n].clone();
        let raw = MockTurn::Raw { content_type: kind.to_owned(), body: body.into() };
        let provider = MockProvider::start([raw.clone()]).await.unwrap();
        let model = builder(&provider, Format::OpenAiChat).streaming(streaming).build().unwrap();
        let error = model.answer(&ask()).await.unwrap_err();
        let told = format!("{error} {error:?} {model:?}");
        assert!(!told.contains("sk-very"), "{told}");
        assert_eq!(provider.requests()[0].request.header("authorization"), "Bearer sk-very-secret");
    }
}

#[tokio::test]
async fn images_reach_models_that_take_them() {
    for format in Format::ALL {
        let provider = MockProvider::start([MockTurn::say("a pier")]).await.unwrap();
        let mut features = Features::TEXT;
        features.images = true;
        let model = builder(&provider, format).features(features).build().unwrap();
        let call = ToolCall::new("call_1", "harbour_depth", Arguments::read("{}"));
        let image = Content::Media(Media::new("image/png", "iVBORw0KGgoB"));
        let request = Request::new(vec![
            Message::user("look"),
            Message::Assistant(vec![Part::Call(call.clone())]),
            Message::Results(vec![ToolResult::new(&call, vec![image])]),
        ])
        .with_tools(tools());
        model.answer(&request).await.unwrap_or_else(|error| panic!("{format}: {error}"));
        assert!(provider.requests()[0].body.to_string().contains("iVBORw0KGgoB"), "{format}");
    }
}

#[tokio::test]
async fn requests_to_bedrock_are_signed_with_the_keys_of_an_account() {
    let region = "eu-central-1";
    for (token, streaming) in [(None, true), (Some("a-session"), false)] {
        let provider = MockProvider::start([MockTurn::status(503), MockTurn::say(TEXT)]).await.unwrap();
        let right = AwsKeys::new("AKIDEXAMPLE", "a/very+secret", region);
        provider.require_signature(token.map_or(right.clone(), |token| right.with_token(token)));
        let of = |secret: &str| {
            let keys = AwsCredentials::new("AKIDEXAMPLE", secret.to_owned());
            let keys = token.map_or(keys.clone(), |token| keys.with_session_token(token.to_owned()));
            let model = HttpModel::builder(Format::Bedrock, "eu.anthropic.claude-mock-v1:0");
            model.base_url(provider.base_url("bedrock")).region(region).streaming(streaming).aws(keys)
        };
        let model = of("a/very+secret").build().unwrap();
        // The second attempt is signed anew.
        assert_eq!(model.answer(&ask()).await.unwrap().text(), TEXT);
        let error = of("another one").build().unwrap().answer(&ask()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ModelErrorKind::Auth, Some(403)), "{error}");
        assert!(!format!("{model:?}{error:?}").contains("very+secret"));
        let asked = provider.requests();
        assert_eq!(asked.len(), 3);
        assert!(asked[0].request.path.starts_with("/model/eu.anthropic.claude-mock-v1%3A0/converse"));
    }
}

#[test]
fn keys_of_aws_that_cannot_be_used_are_told() {
    let keys = || AwsCredentials::new("AKIDEXAMPLE", "secret".to_owned());
    let bedrock = || HttpModel::builder(Format::Bedrock, "m");
    for (builder, told) in [
        (HttpModel::builder(Format::Anthropic, "m").aws(keys()), "Bedrock alone"),
        (bedrock().region("eu-central-1").key("k".to_owned()).aws(keys()), "leave one of them out"),
        (bedrock().base_url("https://box.example").aws(keys()), "region"),
        (bedrock().base_url("https://box.example").region("EU/1").aws(keys()), "no region"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ModelErrorKind::Config);
        assert!(error.to_string().contains(told), "{error}");
    }
}
