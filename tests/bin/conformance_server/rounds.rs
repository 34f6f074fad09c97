//! Tools and a prompt that ask in rounds, with keys and states of their own (2026-07-28).

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use bowline::protocol::{
    CallToolResult, CreateMessageRequest, ElicitAction, ElicitRequest, ErrorCode, ErrorObject, GetPromptResult,
    InputRequest, InputRequests, InputRequiredResult, InputResponse, InputResponses, ListRootsRequest, Prompt,
    PromptMessage,
};
use bowline_testkit::{MockServerBuilder, ToolCall};
use serde_json::{Value, json};

use crate::tools::{ToolResult, bare, form, question};

pub(crate) fn add(builder: MockServerBuilder) -> MockServerBuilder {
    builder
        .tool(bare("test_input_required_result_elicitation", "Asks for a name"), |call| async move {
            match accepted(call.params.input_responses.as_ref(), "user_name", "name") {
                Some(name) => Ok(CallToolResult::text(format!("Hello, {name}!"))),
                None => Err(call.input_required(&asks([("user_name", ask_name("What is your name?")?)]))),
            }
        })
        .tool(bare("test_input_required_result_sampling", "Asks the client's model"), |call| async move {
            match answer(&call, "capital_question") {
                Some(InputResponse::CreateMessage(message)) => Ok(CallToolResult::text(message.model)),
                _ => Err(call.input_required(&asks([("capital_question", sampled("What is the capital of France?"))]))),
            }
        })
        .tool(bare("test_input_required_result_list_roots", "Asks for the roots"), |call| async move {
            match answer(&call, "client_roots") {
                Some(InputResponse::ListRoots(found)) => {
                    let uris: Vec<_> = found.roots.into_iter().map(|root| root.uri).collect();
                    Ok(CallToolResult::text(format!("Roots: {}", uris.join(", "))))
                }
                _ => Err(call.input_required(&asks([("client_roots", roots())]))),
            }
        })
        .tool(bare("test_input_required_result_request_state", "Wants its state back"), |call| async move {
            match (state(&call, "confirm")?, answer(&call, "confirm")) {
                (true, Some(InputResponse::Elicit(_))) => Ok(CallToolResult::text("state-ok")),
                _ => Err(call.input_required(&asks([("confirm", confirm()?)]).with_request_state(sealed("confirm")))),
            }
        })
        .tool(bare("test_input_required_result_tampered_state", "Refuses another state"), |call| async move {
            match (state(&call, "untouched")?, answer(&call, "confirm")) {
                (true, Some(_)) => Ok(CallToolResult::text("state-ok")),
                _ => Err(call.input_required(&asks([("confirm", confirm()?)]).with_request_state(sealed("untouched")))),
            }
        })
        .tool(bare("test_input_required_result_multiple_inputs", "Asks for three things at once"), several)
        .tool(bare("test_input_required_result_multi_round", "Asks twice"), twice)
        .tool(bare("test_input_required_result_capabilities", "Asks what the client can answer"), able)
        .prompt(
            Prompt::new("test_input_required_result_prompt").with_description("Asks what it is about"),
            |call| async move {
                match accepted(call.params.input_responses.as_ref(), "user_context", "context") {
                    Some(context) => {
                        let text = format!("Answer with this in mind: {context}");
                        Ok(GetPromptResult::new([PromptMessage::user(text)]))
                    }
                    None => {
                        let form = one_text("What should the prompt be about?", "context")?;
                        Err(call.input_required(&asks([("user_context", form)])))
                    }
                }
            },
        )
}

async fn several(call: ToolCall) -> ToolResult {
    let keys = ["user_name", "greeting", "client_roots"];
    if state(&call, "several")? && keys.iter().all(|key| answer(&call, key).is_some()) {
        return Ok(CallToolResult::text("Thank you for all three"));
    }
    let requests =
        [(keys[0], ask_name("What is your name?")?), (keys[1], sampled("Generate a greeting")), (keys[2], roots())];
    Err(call.input_required(&asks(requests).with_request_state(sealed("several"))))
}

async fn twice(call: ToolCall) -> ToolResult {
    if state(&call, "second")? {
        return Ok(CallToolResult::text("Both steps are done"));
    }
    if state(&call, "first")? && answer(&call, "step1").is_some() {
        let color = one_text("Step 2: What is your favorite color?", "color")?;
        return Err(call.input_required(&asks([("step2", color)]).with_request_state(sealed("second"))));
    }
    let name = ask_name("Step 1: What is your name?")?;
    Err(call.input_required(&asks([("step1", name)]).with_request_state(sealed("first"))))
}

async fn able(call: ToolCall) -> ToolResult {
    let can = call.client_capabilities();
    let mut requests = Vec::new();
    if can.sampling.is_some() {
        requests.push(("model", sampled("What is the capital of France?")));
    }
    if can.elicitation.is_some() {
        requests.push(("person", ask_name("What is your name?")?));
    }
    if can.roots.is_some() {
        requests.push(("roots", roots()));
    }
    let answered = requests.iter().all(|(key, _)| answer(&call, key).is_some());
    if answered { Ok(CallToolResult::text("All is said")) } else { Err(call.input_required(&asks(requests))) }
}

fn asks<'a>(requests: impl IntoIterator<Item = (&'a str, InputRequest)>) -> InputRequiredResult {
    let mut all = InputRequests::new();
    for (key, request) in requests {
        all.insert(key, request);
    }
    InputRequiredResult::new().with_input_requests(all)
}

fn one_text(message: &str, name: &str) -> Result<InputRequest, ErrorObject> {
    let schema = json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name] });
    Ok(ElicitRequest::new(form(message, schema)?).into())
}

fn ask_name(message: &str) -> Result<InputRequest, ErrorObject> {
    one_text(message, "name")
}

fn confirm() -> Result<InputRequest, ErrorObject> {
    let schema = json!({ "type": "object", "properties": { "ok": { "type": "boolean" } }, "required": ["ok"] });
    Ok(ElicitRequest::new(form("Please confirm", schema)?).into())
}

fn sampled(text: &str) -> InputRequest {
    CreateMessageRequest::new(question(text)).into()
}

fn roots() -> InputRequest {
    ListRootsRequest::new().into()
}

/// What the client answered under a key, if it has a shape that is known.
fn answer(call: &ToolCall, key: &str) -> Option<InputResponse> {
    let answer = call.params.input_responses.as_ref()?.get(key)?;
    (!matches!(answer, InputResponse::Other(_))).then(|| answer.clone())
}

/// What a person filled into a field of a form.
pub(crate) fn accepted(answers: Option<&InputResponses>, key: &str, field: &str) -> Option<String> {
    match answers?.get(key)? {
        InputResponse::Elicit(result) if result.action == ElicitAction::Accept => {
            result.content.as_ref()?.get(field).and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    }
}

/// Whether the client came back with this state; an error where it came with one that is none of this server's.
fn state(call: &ToolCall, wanted: &str) -> Result<bool, ErrorObject> {
    let Some(state) = &call.params.request_state else { return Ok(false) };
    let text = state.split_once('.').map(|(_, text)| text).unwrap_or_default();
    if *state != sealed(text) {
        let text = "the requestState is not what this server gave";
        return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, text));
    }
    Ok(text == wanted)
}

/// A state that nobody else can make.
fn sealed(text: &str) -> String {
    static SEAL: OnceLock<RandomState> = OnceLock::new();
    format!("{:016x}.{text}", SEAL.get_or_init(RandomState::new).hash_one(text))
}
