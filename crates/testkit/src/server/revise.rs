//! What a revision does not know is left out.

use bowline_protocol::{
    CallToolResult, ContentBlock, GetPromptResult, Implementation, Prompt, Resource, ResourceTemplate, Revision, Tool,
};

pub(crate) fn info(revision: Revision, mut info: Implementation) -> Implementation {
    info.title = info.title.filter(|_| revision.has_titles());
    if !revision.has_icons() {
        info.icons = None;
        info.description = None;
        info.website_url = None;
    }
    info
}

pub(crate) fn tool(revision: Revision, mut tool: Tool) -> Tool {
    tool.title = tool.title.filter(|_| revision.has_titles());
    tool.output_schema = tool.output_schema.filter(|_| revision.has_structured_content());
    tool.annotations = tool.annotations.filter(|_| revision.has_tool_annotations());
    tool.icons = tool.icons.filter(|_| revision.has_icons());
    tool.execution = tool.execution.filter(|_| revision.has_tasks());
    tool
}

pub(crate) fn resource(revision: Revision, mut resource: Resource) -> Resource {
    resource.title = resource.title.filter(|_| revision.has_titles());
    resource.icons = resource.icons.filter(|_| revision.has_icons());
    resource
}

pub(crate) fn template(revision: Revision, mut template: ResourceTemplate) -> ResourceTemplate {
    template.title = template.title.filter(|_| revision.has_titles());
    template.icons = template.icons.filter(|_| revision.has_icons());
    template
}

pub(crate) fn prompt(revision: Revision, mut prompt: Prompt) -> Prompt {
    prompt.title = prompt.title.filter(|_| revision.has_titles());
    prompt.icons = prompt.icons.filter(|_| revision.has_icons());
    for argument in prompt.arguments.iter_mut().flatten() {
        argument.title = argument.title.take().filter(|_| revision.has_titles());
    }
    prompt
}

pub(crate) fn call_result(revision: Revision, mut result: CallToolResult) -> CallToolResult {
    result.structured_content = result.structured_content.filter(|_| revision.has_structured_content());
    result.content.retain(|block| knows(revision, block));
    result
}

pub(crate) fn prompt_result(revision: Revision, mut result: GetPromptResult) -> GetPromptResult {
    result.messages.retain(|message| knows(revision, &message.content));
    result
}

fn knows(revision: Revision, block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Audio(_) => revision >= Revision::V2025_03_26,
        ContentBlock::ResourceLink(_) => revision >= Revision::V2025_06_18,
        _ => true,
    }
}
