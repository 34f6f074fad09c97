//! A request for sampling as one to a model, and its answer as a result.

use std::collections::HashMap;
use std::sync::Arc;

use bowline_protocol::{
    AudioContent, CallToolResult, CreateMessageRequestParams, CreateMessageResult, ErrorCode, ErrorObject,
    ImageContent, Role, SamplingContent, SamplingMessageContentBlock as Block, TextContent, ToolChoiceMode,
    ToolUseContent,
};

use crate::{
    Answer, Arguments, Content, Features, Media, Message, NoKeep, Part, Request, ResultPolicy, Stop, ToolCall,
    ToolChoice, ToolSpec,
};

pub(super) fn request(asked: CreateMessageRequestParams, features: &Features) -> Result<Request, ErrorObject> {
    let tools = asked.tools.unwrap_or_default();
    let mut messages = Vec::with_capacity(asked.messages.len());
    // By their ids, as results do not say which tool they are of.
    let mut calls: HashMap<String, ToolCall> = HashMap::new();
    for (at, message) in asked.messages.into_iter().enumerate() {
        let wrong = |what: &str| ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("messages[{at}]: {what}"));
        let blocks = match message.content {
            SamplingContent::One(block) => vec![block],
            SamplingContent::Many(blocks) => blocks,
        };
        match message.role {
            Role::Assistant => {
                let mut parts = Vec::with_capacity(blocks.len());
                for block in blocks {
                    parts.push(match block {
                        Block::Text(text) => Part::text(text.text),
                        Block::Image(image) => Part::Media(Media::new(image.mime_type, image.data)),
                        Block::Audio(audio) => Part::Media(Media::new(audio.mime_type, audio.data)),
                        Block::ToolUse(used) => {
                            let call = ToolCall::new(used.id, used.name, Arguments::read(used.input.as_str()));
                            calls.insert(call.id.clone(), call.clone());
                            Part::Call(call)
                        }
                        _ => return Err(wrong("a model says text, media and uses of tools alone")),
                    });
                }
                messages.push(Message::Assistant(parts));
            }
            _ => {
                let (mut said, mut results) = (Vec::new(), Vec::new());
                for block in blocks {
                    match block {
                        Block::Text(text) => said.push(Content::Text(text.text)),
                        Block::Image(image) => said.push(Content::Media(Media::new(image.mime_type, image.data))),
                        Block::Audio(audio) => said.push(Content::Media(Media::new(audio.mime_type, audio.data))),
                        Block::ToolResult(result) => {
                            let call = calls.get(&result.tool_use_id).ok_or_else(|| wrong("no such use of a tool"))?;
                            let mut given = CallToolResult::new(result.content);
                            given.structured_content = result.structured_content;
                            given.is_error = result.is_error;
                            results.push(ResultPolicy::default().fit(call, given, features, &NoKeep).result);
                        }
                        _ => return Err(wrong("a block of a kind that is not known")),
                    }
                }
                if !results.is_empty() {
                    messages.push(Message::Results(results));
                }
                if !said.is_empty() {
                    messages.push(Message::User(said));
                }
            }
        }
    }
    if messages.is_empty() {
        return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, "messages: there are none"));
    }
    let mut request = Request::new(messages);
    request.system = asked.system_prompt;
    request.tools = tools.iter().map(|tool| Arc::new(ToolSpec::of(tool.name.as_str(), tool))).collect();
    request.tool_choice = match asked.tool_choice.and_then(|choice| choice.mode) {
        Some(ToolChoiceMode::Required) => ToolChoice::Required,
        Some(ToolChoiceMode::None) => ToolChoice::None,
        _ => ToolChoice::Auto,
    };
    request.max_tokens = asked.max_tokens.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
    request.temperature = asked.temperature.filter(|temperature| temperature.is_finite());
    request.stop_sequences = asked.stop_sequences.unwrap_or_default();
    Ok(request)
}

/// # Errors
/// Where the model wrote a call that nobody can read: an object in its place would be another call.
pub(super) fn result(answer: Answer, model: &str) -> Result<CreateMessageResult, ErrorObject> {
    let model = answer.model.clone().unwrap_or_else(|| model.to_owned());
    let stop = match &answer.stop {
        Stop::EndTurn => "endTurn",
        Stop::StopSequence => "stopSequence",
        Stop::MaxTokens => "maxTokens",
        Stop::ToolCalls => "toolUse",
        Stop::Refusal => "refusal",
        _ => "other",
    };
    let mut blocks: Vec<Block> = Vec::new();
    for part in answer.parts {
        match part {
            Part::Text { text, .. } => match blocks.last_mut() {
                Some(Block::Text(before)) => before.text.push_str(&text),
                _ => blocks.push(TextContent::new(text).into()),
            },
            Part::Call(call) => {
                match call.arguments {
                    Arguments::Object(input) => {
                        blocks.push(Block::ToolUse(ToolUseContent::new(call.id, call.name, input)));
                    }
                    // The reason why it ended tells that.
                    Arguments::Broken(_) if answer.stop == Stop::MaxTokens => {}
                    Arguments::Broken(_) => {
                        let why = "the model wrote a call whose arguments are no JSON object; ask again";
                        return Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, why));
                    }
                }
            }
            Part::Media(media) if media.mime_type.starts_with("image/") => {
                blocks.push(Block::Image(ImageContent::new(media.data, media.mime_type)));
            }
            Part::Media(media) if media.mime_type.starts_with("audio/") => {
                blocks.push(Block::Audio(AudioContent::new(media.data, media.mime_type)));
            }
            // What a model thinks is not for servers, and the rest is its provider's own.
            _ => {}
        }
    }
    let content = match (blocks.pop(), blocks.is_empty()) {
        (None, _) => SamplingContent::One(TextContent::new("").into()),
        (Some(only), true) => SamplingContent::One(only),
        (Some(last), false) => {
            blocks.push(last);
            SamplingContent::Many(blocks)
        }
    };
    Ok(CreateMessageResult::new(model, content).with_stop_reason(stop))
}
