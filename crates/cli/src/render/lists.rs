//! What a server has, one entry a line and its description below.

use bowline::protocol::{Prompt, Resource, ResourceTemplate, Tool};

use super::size;
use crate::sanitize;
use crate::signature::signature;
use crate::styled::Styled;

/// Characters of a description's first line.
const LONGEST_DESCRIPTION: usize = 200;

pub(crate) fn tools(tools: &[Tool], markdown: bool) -> Styled {
    all(tools, markdown, |tool| (tool_line(tool), tool.description.as_deref().or(tool.title.as_deref())))
}

/// The tools of one of many servers, as they are called: `server.tool(…)`.
pub(crate) fn tools_of(server: &str, tools: &[Tool], markdown: bool) -> Styled {
    all(tools, markdown, |tool| (tool_line(tool).of(server), tool.description.as_deref().or(tool.title.as_deref())))
}

/// A tool as its signature: `echo(message: string)`.
pub(crate) fn tool_line(tool: &Tool) -> Entry {
    Entry { name: tool.name.clone(), rest: signature(&serde_json::to_value(tool).unwrap_or_default()) }
}

pub(crate) fn resources(resources: &[Resource], markdown: bool) -> Styled {
    all(resources, markdown, |resource| {
        let mut facts: Vec<String> = vec![resource.title.clone().unwrap_or_else(|| resource.name.clone())];
        facts.extend(resource.mime_type.clone());
        facts.extend(resource.size.map(|bytes| size(usize::try_from(bytes).unwrap_or(usize::MAX))));
        facts.retain(|fact| !fact.is_empty());
        let rest = if facts.is_empty() { String::new() } else { format!("  {}", facts.join(", ")) };
        (Entry { name: resource.uri.clone(), rest }, resource.description.as_deref())
    })
}

pub(crate) fn templates(templates: &[ResourceTemplate], markdown: bool) -> Styled {
    all(templates, markdown, |template| {
        let name = template.title.as_deref().unwrap_or(&template.name);
        let rest = if name.is_empty() { String::new() } else { format!("  {name}") };
        (Entry { name: template.uri_template.clone(), rest }, template.description.as_deref())
    })
}

pub(crate) fn prompts(prompts: &[Prompt], markdown: bool) -> Styled {
    all(prompts, markdown, |prompt| (prompt_line(prompt), prompt.description.as_deref().or(prompt.title.as_deref())))
}

/// The prompts of one of many servers.
pub(crate) fn prompts_of(server: &str, prompts: &[Prompt], markdown: bool) -> Styled {
    all(prompts, markdown, |prompt| {
        (prompt_line(prompt).of(server), prompt.description.as_deref().or(prompt.title.as_deref()))
    })
}

fn prompt_line(prompt: &Prompt) -> Entry {
    let mut arguments: Vec<_> = prompt.arguments.iter().flatten().collect();
    arguments.sort_by_key(|argument| !argument.is_required());
    let shown: Vec<String> = arguments
        .iter()
        .map(|argument| format!("{}{}", argument.name, if argument.is_required() { "" } else { "?" }))
        .collect();
    Entry { name: prompt.name.clone(), rest: format!("({})", shown.join(", ")) }
}

/// The first line of an entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) rest: String,
}

impl Entry {
    /// The entry of one of many servers.
    fn of(self, server: &str) -> Self {
        Self { name: format!("{server}.{}", self.name), ..self }
    }
}

fn all<'a, T>(items: &'a [T], markdown: bool, entry: impl Fn(&'a T) -> (Entry, Option<&'a str>)) -> Styled {
    let mut out = Styled::new();
    for item in items {
        let (Entry { name, rest }, description) = entry(item);
        let (name, rest) = (sanitize::line(&name), sanitize::line(&rest));
        let description = description.and_then(first_line);
        if markdown {
            let description = description.map(|text| format!(": {text}")).unwrap_or_default();
            out.append(Styled::new().plain(format!(
                "- `{}{}`{description}\n",
                name.replace('`', "'"),
                rest.replace('`', "'")
            )));
        } else {
            out.append(Styled::new().bold(name).plain(rest).line());
            if let Some(text) = description {
                out.append(Styled::new().plain("    ").glimpse(text).line());
            }
        }
    }
    out
}

fn first_line(description: &str) -> Option<String> {
    let line = description.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(sanitize::excerpt(line, LONGEST_DESCRIPTION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from<T: serde::de::DeserializeOwned>(json: &str) -> Vec<T> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn tools_are_signatures_with_the_first_line_of_their_description() {
        let list: Vec<Tool> = from(
            r#"[{"name":"echo","description":"\n Echoes.\nMore.","inputSchema":{"type":"object",
            "properties":{"message":{"type":"string"}},"required":["message"]}}]"#,
        );
        assert_eq!(tools(&list, false).render(false), "echo(message: string)\n    Echoes.\n");
        assert_eq!(tools(&list, true).render(false), "- `echo(message: string)`: Echoes.\n");
    }

    #[test]
    fn resources_templates_and_prompts_have_a_line_each() {
        let list: Vec<Resource> = from(r#"[{"uri":"x://1","name":"one","mimeType":"text/plain","size":2000}]"#);
        assert_eq!(resources(&list, false).render(false), "x://1  one, text/plain, 2.0 kB\n");
        let list: Vec<ResourceTemplate> = from(r#"[{"uriTemplate":"x://{id}","name":"by id"}]"#);
        assert_eq!(templates(&list, false).render(false), "x://{id}  by id\n");
        let list: Vec<Prompt> = from(
            r#"[{"name":"p","arguments":[{"name":"note"},{"name":"repo","required":true}]},{"name":"q","arguments":null}]"#,
        );
        assert_eq!(prompts(&list, false).render(false), "p(repo, note?)\nq()\n");
    }

    #[test]
    fn names_stay_on_their_line() {
        let list: Vec<Tool> = from(r#"[{"name":"a\nb\u001b[31m","inputSchema":{}}]"#);
        assert_eq!(tools(&list, false).render(false), "a b()\n");
    }
}
