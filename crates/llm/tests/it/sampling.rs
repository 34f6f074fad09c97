//! Servers that ask for a model.

use std::sync::{Arc, Mutex};

use bowline_client::{Client, SamplingHandler};
use bowline_llm::{
    Answer, Consent, Content, Message, ModelError, ModelErrorKind, ModelSampling, Request, SamplingLimits,
    ScriptedModel, ToolChoice, Traits, Turn,
};
use bowline_protocol::{CallToolResult, CreateMessageRequestParams, Revision, Tool};
use bowline_testkit::MockServer;
use bowline_transport::BoxFuture;
use serde_json::{Value, json};

/// A person who says yes, and notes what they were shown.
#[derive(Clone, Default)]
struct Person {
    shown: Arc<Mutex<Vec<String>>>,
    refuses: bool,
    keeps_back: bool,
}

impl Consent for Person {
    fn ask<'a>(&'a self, server: &'a str, request: &'a mut Request) -> BoxFuture<'a, bool> {
        self.shown.lock().unwrap().push(format!("{server}: {} messages", request.messages.len()));
        request.system = Some("checked by a person".to_owned());
        Box::pin(std::future::ready(!self.refuses))
    }

    fn reply<'a>(&'a self, _: &'a str, answer: &'a mut Answer) -> BoxFuture<'a, bool> {
        self.shown.lock().unwrap().push(answer.text());
        Box::pin(std::future::ready(!self.keeps_back))
    }
}

/// What a server gets for what it asks.
async fn asked(sampling: impl SamplingHandler, params: Value) -> Result<Value, (i64, String)> {
    let params: CreateMessageRequestParams = serde_json::from_value(params).unwrap();
    let server = MockServer::builder()
        .tool(Tool::new("think", json!({"type": "object"})), move |call| {
            let params = params.clone();
            async move {
                let text = match call.sample(params).await {
                    Ok(result) => json!({"ok": result}),
                    Err(error) => json!({"code": error.code.0, "message": error.message}),
                };
                Ok(CallToolResult::text(text.to_string()))
            }
        })
        .build();
    let client = Client::builder()
        .revision(Revision::V2025_11_25)
        .on_sampling(sampling)
        .connect(server.connector())
        .await
        .unwrap();
    let told: Value = serde_json::from_str(&client.call("think").await.unwrap().joined_text()).unwrap();
    client.close().await.unwrap();
    match told.get("ok") {
        Some(result) => Ok(result.clone()),
        None => Err((told["code"].as_i64().unwrap(), told["message"].as_str().unwrap().to_owned())),
    }
}

fn hello() -> Value {
    json!({"messages": [{"role": "user", "content": {"type": "text", "text": "Capital of France?"}}], "maxTokens": 9_000})
}

#[tokio::test]
async fn a_server_gets_an_answer_that_a_person_has_seen() {
    let (model, person) = (ScriptedModel::new([Turn::say("Paris")]), Person::default());
    let limits = SamplingLimits::default().with_answer_tokens(100);
    let sampling = ModelSampling::new(model.clone(), person.clone()).with_limits(limits);
    let mut params = hello();
    params["systemPrompt"] = "Be short".into();
    params["stopSequences"] = json!(["END"]);
    let result = asked(sampling, params).await.unwrap();
    assert_eq!((&result["content"]["text"], &result["stopReason"]), (&json!("Paris"), &json!("endTurn")));
    assert_eq!(result["model"], "scripted/model");
    let request = &model.requests()[0];
    assert_eq!((request.max_tokens, request.system.as_deref()), (Some(100), Some("checked by a person")));
    assert_eq!(request.stop_sequences, ["END"]);
    let shown = person.shown.lock().unwrap().clone();
    assert!(shown[0].ends_with(": 1 messages") && shown[1] == "Paris", "{shown:?}");
}

#[tokio::test]
async fn a_person_can_refuse_what_is_asked_and_keep_back_what_is_answered() {
    let model = ScriptedModel::new([Turn::say("secret")]);
    let refuses = Person { refuses: true, ..Person::default() };
    let (code, _) = asked(ModelSampling::new(model.clone(), refuses), hello()).await.unwrap_err();
    assert_eq!((code, model.requests().len()), (-1, 0));
    let keeps_back = Person { keeps_back: true, ..Person::default() };
    let (code, message) = asked(ModelSampling::new(model, keeps_back), hello()).await.unwrap_err();
    assert!(code == -1 && !message.contains("secret"), "{message}");
}

#[tokio::test]
async fn limits_hold_for_servers_sizes_and_sums() {
    let model = || ScriptedModel::by(|_| Turn::say("yes"));
    let only = ModelSampling::new(model(), Person::default()).only(["another"]);
    assert_eq!(asked(only, hello()).await.unwrap_err().0, -1, "what a server calls itself allows nothing");

    let limits = SamplingLimits::default().with_request_tokens(20);
    let mut params = hello();
    params["messages"][0]["content"]["text"] = "long ".repeat(200).into();
    let (code, message) =
        asked(ModelSampling::new(model(), Person::default()).with_limits(limits), params).await.unwrap_err();
    assert!(code == -32602 && message.contains("20 are allowed"), "{message}");

    let limits = SamplingLimits::default().with_all_tokens(0);
    let (_, message) =
        asked(ModelSampling::new(model(), Person::default()).with_limits(limits), hello()).await.unwrap_err();
    assert!(message.contains("used up"), "{message}");
}

#[tokio::test]
async fn what_was_asked_counts_where_the_request_was_taken_back() {
    let limits = SamplingLimits::default().with_all_tokens(5);
    let model = ScriptedModel::new([Turn::Hang, Turn::say("yes")]);
    let sampling = Arc::new(ModelSampling::new(model.clone(), Person::default()).with_limits(limits));
    let mut first = Box::pin(asked(Arc::clone(&sampling), hello()));
    while model.requests().is_empty() {
        tokio::select! {
            _ = &mut first => panic!("there is no answer"),
            () = tokio::task::yield_now() => {}
        }
    }
    // The connection, and with it the request, is given up.
    drop(first);
    while Arc::strong_count(&sampling) > 1 {
        tokio::task::yield_now().await;
    }
    let (_, message) = asked(sampling, hello()).await.unwrap_err();
    assert!(message.contains("used up"), "{message}");
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn a_call_that_the_model_broke_is_no_call_of_something_else() {
    let sampling = ModelSampling::new(ScriptedModel::new([Turn::call("wipe", r#"{"only": "#)]), Person::default());
    let (_, message) = asked(sampling, hello()).await.unwrap_err();
    assert!(message.contains("no JSON object"), "{message}");
}

#[tokio::test]
async fn what_a_provider_said_is_not_told_to_a_server() {
    let error = ModelError::new(ModelErrorKind::Auth, "the key sk-123 of account 7 is wrong");
    let sampling = ModelSampling::new(ScriptedModel::new([Turn::Refuse(error)]), Person::default());
    let (_, message) = asked(sampling, hello()).await.unwrap_err();
    assert_eq!(message, "the model gave no answer");
}

#[tokio::test]
async fn tools_and_their_results_go_there_and_back() {
    let model = ScriptedModel::new([Turn::call("weather", r#"{"city":"Oslo"}"#)]);
    let params = json!({
        "messages": [
            {"role": "user", "content": {"type": "text", "text": "Weather?"}},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Rome"}}]},
            {"role": "user", "content": [{"type": "tool_result", "toolUseId": "a", "content": [{"type": "text", "text": "sun"}]}]},
        ],
        "tools": [{"name": "weather", "inputSchema": {"type": "object"}}],
        "toolChoice": {"mode": "required"},
        "maxTokens": 50,
    });
    let result = asked(ModelSampling::new(model.clone(), Person::default()), params).await.unwrap();
    assert_eq!((&result["stopReason"], &result["content"]["type"]), (&json!("toolUse"), &json!("tool_use")));
    assert_eq!(result["content"]["input"], json!({"city": "Oslo"}));
    let request = &model.requests()[0];
    assert_eq!((request.tool_choice.clone(), request.tools[0].name.as_str()), (ToolChoice::Required, "weather"));
    let Message::Results(results) = &request.messages[2] else { panic!("results") };
    assert_eq!((results[0].name.as_str(), &results[0].content[0]), ("weather", &Content::text("sun")));
}

/// A model of another name.
#[derive(Debug)]
struct Named(&'static str, ScriptedModel);

impl bowline_llm::Model for Named {
    fn name(&self) -> &str {
        self.0
    }

    fn features(&self) -> bowline_llm::Features {
        self.1.features()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<bowline_llm::Events, ModelError>> {
        self.1.stream(request)
    }
}

#[tokio::test]
async fn hints_choose_by_parts_of_names_and_else_what_matters_does() {
    let named = |name| Named(name, ScriptedModel::by(|_| Turn::say("yes")));
    let models = || {
        ModelSampling::new(named("a/big"), Person::default())
            .with_traits(Traits::new(0.1, 0.2, 1.0))
            .with_model(named("b/Small-fast"), Traits::new(0.9, 0.9, 0.3))
    };
    for (preferences, chosen) in [
        (json!({"hints": [{"name": "nosuch"}, {"name": "small"}]}), "b/Small-fast"),
        (json!({"speedPriority": 1.0, "intelligencePriority": 0.2}), "b/Small-fast"),
        (json!({"intelligencePriority": 0.9}), "a/big"),
        (json!({}), "a/big"),
    ] {
        let mut params = hello();
        params["modelPreferences"] = preferences.clone();
        assert_eq!(asked(models(), params).await.unwrap()["model"], chosen, "{preferences}");
    }
}
