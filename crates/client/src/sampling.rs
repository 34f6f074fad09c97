//! Sampling: what a server may ask the model, the handler's turn, and what of its answer leaves.
//!
//! Specification: client/sampling. Nothing of a conversation is kept between two requests.

use std::collections::HashSet;

use bowline_protocol::{
    CreateMessageRequestParams, CreateMessageResult, ErrorCode, ErrorObject, Revision, Role, SamplingContent,
    SamplingMessage, SamplingMessageContentBlock as Block, excerpt,
};

use crate::asked::{Ask, invalid};
use crate::declared::SamplingSupport;
use crate::handlers::RequestContext;
use crate::serve::Handlers;

/// A request for sampling, with the revision that its answer must fit.
#[derive(Debug)]
pub(crate) struct Sampling {
    pub(crate) params: CreateMessageRequestParams,
    revision: Revision,
}

/// Whether a server may ask this. The error is the answer.
pub(crate) fn admit(
    params: CreateMessageRequestParams,
    support: SamplingSupport,
    revision: Revision,
) -> Result<Ask, ErrorObject> {
    if !support.tools && (params.tools.is_some() || params.tool_choice.is_some()) {
        return Err(invalid("this client did not declare sampling.tools"));
    }
    if revision.has_sampling_tools() {
        check_tool_results(&params.messages)?;
    } else if let Some(at) = params.messages.iter().position(|m| matches!(m.content, SamplingContent::Many(_))) {
        return Err(invalid(format!("messages[{at}].content: revision {revision} has one block, not an array")));
    }
    Ok(Ask::Sample(Box::new(Sampling { params, revision })))
}

/// Asks the handler, and checks what it answers.
pub(crate) async fn run(
    handlers: &Handlers,
    asked: Sampling,
    context: RequestContext,
) -> Result<CreateMessageResult, ErrorObject> {
    let none = || ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "sampling is not supported by this client");
    let handler = handlers.sampling.as_ref().ok_or_else(none)?;
    let Sampling { params, revision } = asked;
    handlers.asks.admit_rounds(rounds(&params.messages))?;
    handlers.asks.admit()?;
    let with_tools = params.tools.as_ref().is_some_and(|tools| !tools.is_empty());
    let result = handler.create_message(params, context).await?;
    check_answer(result, with_tools, revision)
}

/// How often the model has used tools in this conversation. The server sends the whole of it each time.
fn rounds(messages: &[SamplingMessage]) -> usize {
    let uses = |message: &&SamplingMessage| message.content.blocks().iter().any(|b| matches!(b, Block::ToolUse(_)));
    messages.iter().filter(uses).count()
}

/// A message with tool results holds nothing else, and each use of a tool is answered, by its id, in the next message.
fn check_tool_results(messages: &[SamplingMessage]) -> Result<(), ErrorObject> {
    // Sets: a peer may send very many.
    let mut open: HashSet<&str> = HashSet::new();
    for (at, message) in messages.iter().enumerate() {
        let blocks = message.content.blocks();
        let results = tool_results(&message.content);
        let count = blocks.iter().filter(|block| matches!(block, Block::ToolResult(_))).count();
        if count > 0 && (count != blocks.len() || message.role != Role::User) {
            return Err(invalid(format!("messages[{at}]: tool results must stand alone in a message of the user")));
        }
        if !open.is_empty() && open.iter().any(|id| !results.contains(id)) {
            return Err(invalid(format!("messages[{at}]: a tool use of the message before has no result")));
        }
        if let Some(unasked) = results.iter().find(|id| !open.contains(*id)) {
            return Err(invalid(format!("messages[{at}]: no tool use {} in the message before", excerpt(unasked, 80))));
        }
        open = blocks
            .iter()
            .filter_map(|block| match block {
                Block::ToolUse(tool_use) => Some(tool_use.id.as_str()),
                _ => None,
            })
            .collect();
    }
    if open.is_empty() { Ok(()) } else { Err(invalid("the last message uses a tool and has no result after it")) }
}

fn tool_results(content: &SamplingContent) -> HashSet<&str> {
    let ids = content.blocks().iter().filter_map(|block| match block {
        Block::ToolResult(result) => Some(result.tool_use_id.as_str()),
        _ => None,
    });
    ids.collect()
}

/// The answer must be one that the revision has, and the request allows.
fn check_answer(
    mut result: CreateMessageResult,
    with_tools: bool,
    revision: Revision,
) -> Result<CreateMessageResult, ErrorObject> {
    let wrong = |what: &str| {
        tracing::error!(what, "the sampling handler's answer cannot be sent");
        Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, format!("the client's model gave an answer that {what}")))
    };
    let blocks = result.content.blocks();
    if blocks.iter().any(|block| matches!(block, Block::ToolResult(_))) {
        return wrong("has tool results");
    }
    if !with_tools && blocks.iter().any(|block| matches!(block, Block::ToolUse(_))) {
        return wrong("uses a tool, and no tools were offered");
    }
    if revision == Revision::V2024_11_05 && blocks.iter().any(|block| matches!(block, Block::Audio(_))) {
        return wrong("has audio, which revision 2024-11-05 does not have");
    }
    if !revision.has_sampling_tools()
        && let SamplingContent::Many(blocks) = &mut result.content
    {
        match (blocks.pop(), blocks.is_empty()) {
            (Some(block), true) => result.content = SamplingContent::One(block),
            _ => return wrong("has not one block of content, as the revision wants"),
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use bowline_protocol::TextContent;
    use serde_json::{Value, json};

    use super::*;

    fn admitted(messages: &Value, revision: Revision) -> Result<Ask, ErrorObject> {
        let params = serde_json::from_value(json!({"messages": messages, "maxTokens": 9})).unwrap();
        admit(params, SamplingSupport::default().with_tools(), revision)
    }

    fn answer(content: &Value) -> CreateMessageResult {
        serde_json::from_value(json!({"model": "m", "role": "assistant", "content": content})).unwrap()
    }

    #[test]
    fn q_08_an_array_of_content_is_refused_before_2025_11_25_and_read_since() {
        let array =
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]);
        let error = admitted(&array, Revision::V2025_06_18).unwrap_err();
        assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
        assert!(error.message.starts_with("messages[0].content"), "{}", error.message);
        let Ok(Ask::Sample(asked)) = admitted(&array, Revision::V2025_11_25) else { panic!("a request") };
        assert_eq!(asked.params.messages[0].content.blocks().len(), 2);
        let one = json!([{"role": "user", "content": {"type": "text", "text": "a"}}]);
        assert!(admitted(&one, Revision::V2025_06_18).is_ok() && admitted(&one, Revision::V2025_11_25).is_ok());
    }

    #[test]
    fn q_08_an_answer_is_an_array_only_where_the_revision_has_them() {
        let text = |text: &str| Block::from(TextContent::new(text));
        let several = || CreateMessageResult::new("m", vec![text("a"), text("b")]);
        assert_eq!(check_answer(several(), false, Revision::V2025_11_25).unwrap(), several());
        let error = check_answer(several(), false, Revision::V2025_06_18).unwrap_err();
        assert_eq!(error.code, ErrorCode::INTERNAL_ERROR);
        let one = CreateMessageResult::new("m", vec![text("a")]);
        let one = check_answer(one, false, Revision::V2025_06_18).unwrap();
        assert_eq!(one.content, SamplingContent::One(text("a")));
        let none = CreateMessageResult::new("m", Vec::<Block>::new());
        assert!(check_answer(none, false, Revision::V2025_06_18).is_err());
    }

    #[test]
    fn q_03_an_answer_uses_tools_only_where_some_were_offered() {
        let used = || answer(&json!([{"type": "tool_use", "id": "a", "name": "t", "input": {}}]));
        assert!(check_answer(used(), true, Revision::V2025_11_25).is_ok());
        assert!(check_answer(used(), false, Revision::V2025_11_25).is_err());
        let result = answer(&json!({"type": "tool_result", "toolUseId": "a", "content": []}));
        assert!(check_answer(result, true, Revision::V2025_11_25).is_err());
        let audio = || answer(&json!({"type": "audio", "data": "", "mimeType": "audio/wav"}));
        assert!(check_answer(audio(), false, Revision::V2024_11_05).is_err());
        assert!(check_answer(audio(), false, Revision::V2025_03_26).is_ok());
    }

    #[test]
    fn q_09_metadata_of_tool_blocks_is_kept() {
        let messages = json!([
            {"role": "user", "content": {"type": "text", "text": "?"}},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}, "_meta": {"k": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "toolUseId": "a", "content": [], "_meta": {"k": 2}}]},
        ]);
        let Ok(Ask::Sample(asked)) = admitted(&messages, Revision::V2025_11_25) else { panic!("a request") };
        assert_eq!(serde_json::to_value(&asked.params.messages).unwrap(), messages);
        assert_eq!(rounds(&asked.params.messages), 1);
    }
}
