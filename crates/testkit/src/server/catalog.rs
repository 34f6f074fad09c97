//! What a server offers.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use bowline_protocol::{
    CallToolResult, ErrorObject, GetPromptResult, Prompt, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate, Skill, TaskSupport, Tool,
};
use bowline_transport::BoxFuture;

use super::call::{PromptCall, ResourceRead, ToolCall};

/// A boxed handler.
pub(crate) type Handler<C, T> = Arc<dyn Fn(C) -> BoxFuture<'static, Result<T, ErrorObject>> + Send + Sync>;

/// The future of a handler: anything that ends in a result or an [`ErrorObject`].
pub trait HandlerResult<T>: Future<Output = Result<T, ErrorObject>> + Send + 'static {}

impl<T, F: Future<Output = Result<T, ErrorObject>> + Send + 'static> HandlerResult<T> for F {}

/// Boxes a handler.
pub(crate) fn handler<C, T, F, R>(handler: F) -> Handler<C, T>
where
    F: Fn(C) -> R + Send + Sync + 'static,
    R: HandlerResult<T>,
{
    Arc::new(move |call| Box::pin(handler(call)))
}

/// Makes the contents of a resource.
pub(crate) type ContentsSource = Handler<ResourceRead, ReadResourceResult>;

/// A source that always gives the same.
pub(crate) fn fixed(contents: ResourceContents) -> ContentsSource {
    let result = ReadResourceResult::new([contents]);
    handler(move |_| std::future::ready(Ok(result.clone())))
}

/// The lists that can change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Tools,
    Resources,
    Prompts,
}

impl Kind {
    pub(crate) const fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Prompts => "prompts",
        }
    }

    pub(crate) const fn changed(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Resources => "notifications/resources/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
        }
    }
}

/// All that can be listed, in the order in which it was added.
#[derive(Default)]
pub(crate) struct Catalog {
    pub(crate) tools: Vec<(Tool, Handler<ToolCall, CallToolResult>)>,
    pub(crate) resources: Vec<(Resource, ContentsSource)>,
    pub(crate) templates: Vec<(ResourceTemplate, ContentsSource)>,
    pub(crate) prompts: Vec<(Prompt, Handler<PromptCall, GetPromptResult>)>,
    pub(crate) skills: Vec<Skill>,
}

impl Catalog {
    pub(crate) fn put_tool(&mut self, tool: Tool, handler: Handler<ToolCall, CallToolResult>) {
        put(&mut self.tools, tool, handler, |tool| &tool.name);
    }

    pub(crate) fn remove_tool(&mut self, name: &str) -> bool {
        remove(&mut self.tools, |tool| tool.name == name)
    }

    pub(crate) fn put_resource(&mut self, resource: Resource, contents: ContentsSource) {
        put(&mut self.resources, resource, contents, |resource| &resource.uri);
    }

    pub(crate) fn remove_resource(&mut self, uri: &str) -> bool {
        remove(&mut self.resources, |resource| resource.uri == uri)
    }

    pub(crate) fn put_template(&mut self, template: ResourceTemplate, contents: ContentsSource) {
        put(&mut self.templates, template, contents, |template| &template.uri_template);
    }

    pub(crate) fn put_prompt(&mut self, prompt: Prompt, handler: Handler<PromptCall, GetPromptResult>) {
        put(&mut self.prompts, prompt, handler, |prompt| &prompt.name);
    }

    pub(crate) fn remove_prompt(&mut self, name: &str) -> bool {
        remove(&mut self.prompts, |prompt| prompt.name == name)
    }

    pub(crate) fn tool(&self, name: &str) -> Option<(Tool, Handler<ToolCall, CallToolResult>)> {
        self.tools.iter().find(|(tool, _)| tool.name == name).cloned()
    }

    /// Whether a tool may be called as a task.
    pub(crate) fn has_tasks(&self) -> bool {
        let support = |tool: &Tool| tool.execution.as_ref().and_then(|execution| execution.task_support.clone());
        self.tools.iter().any(|(tool, _)| matches!(support(tool), Some(TaskSupport::Optional | TaskSupport::Required)))
    }

    pub(crate) fn prompt(&self, name: &str) -> Option<(Prompt, Handler<PromptCall, GetPromptResult>)> {
        self.prompts.iter().find(|(prompt, _)| prompt.name == name).cloned()
    }

    /// The source of a resource: its own, or that of the first template that its URI fits.
    pub(crate) fn contents(&self, uri: &str) -> Option<(ContentsSource, BTreeMap<String, String>)> {
        if let Some((_, source)) = self.resources.iter().find(|(resource, _)| resource.uri == uri) {
            return Some((source.clone(), BTreeMap::new()));
        }
        self.templates
            .iter()
            .find_map(|(template, source)| Some((source.clone(), match_template(&template.uri_template, uri)?)))
    }
}

fn put<T, H>(list: &mut Vec<(T, H)>, item: T, handler: H, key: impl Fn(&T) -> &String) {
    match list.iter_mut().find(|(other, _)| key(other) == key(&item)) {
        Some(slot) => *slot = (item, handler),
        None => list.push((item, handler)),
    }
}

fn remove<T, H>(list: &mut Vec<(T, H)>, gone: impl Fn(&T) -> bool) -> bool {
    let before = list.len();
    list.retain(|(item, _)| !gone(item));
    list.len() < before
}

/// What stands in `uri` for the variables of a template of the simplest kind, `a/{b}/c`; values stay as they came.
fn match_template(template: &str, uri: &str) -> Option<BTreeMap<String, String>> {
    let (head, mut pattern) = template.split_once('{')?;
    let mut rest = uri.strip_prefix(head)?;
    let mut variables = BTreeMap::new();
    loop {
        let (name, after) = pattern.split_once('}')?;
        let (literal, next) = match after.split_once('{') {
            Some((literal, next)) => (literal, Some(next)),
            None => (after, None),
        };
        let end = match next {
            Some(_) => rest.find(literal)?,
            None => rest.strip_suffix(literal)?.len(),
        };
        let value = rest.get(..end)?;
        if value.is_empty() || value.contains('/') {
            return None;
        }
        variables.insert(name.to_owned(), value.to_owned());
        rest = rest.get(end + literal.len()..)?;
        match next {
            Some(next) => pattern = next,
            None => return Some(variables),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_gives_its_variables() {
        let found = match_template("file:///{folder}/{name}.txt", "file:///notes/today.txt").unwrap();
        assert_eq!((found["folder"].as_str(), found["name"].as_str()), ("notes", "today"));
        for uri in ["file:///notes/today.md", "file:///notes/", "file:///a/b/c.txt", "http://x"] {
            assert_eq!(match_template("file:///{folder}/{name}.txt", uri), None, "{uri}");
        }
        assert_eq!(match_template("plain", "plain"), None);
    }
}
