//! `bowline list`: what a server has.

mod many;

use bowline::Client;
use bowline::protocol::{Prompt, Resource, ResourceTemplate, Tool};
use serde::Serialize;

use super::{all, config, server_name};
use crate::console::Console;
use crate::exit::{CliError, Stop};
use crate::options::{Format, List};
use crate::output::Output;
use crate::render;
use crate::session::{Logs, Run};
use crate::styled::Styled;

pub(crate) async fn run(options: List, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let server = &options.server;
    let is_named = server.url.is_some() || server.configured.is_some() || !server.command.is_empty();
    if options.group.is_some() && is_named {
        return Err(CliError::usage("--group is for the servers of a group, and one server is named")
            .hint("leave one of the two out")
            .into());
    }
    if !is_named && (run.global.stdio.is_none() || options.group.is_some()) {
        let asks = options.all || options.group.is_some() || options.resources || options.templates || options.prompts;
        return if asks { many::run(&options, run, out).await } else { config::list(run, out) };
    }
    run.with_server(&options.server, Logs::Console, async |client| {
        let lists = Lists::fetch(&options, client, &run.console).await?;
        if out.format() == Format::Json {
            return out.json(&lists);
        }
        let text = lists.render(out.format() == Format::Md);
        if text.is_empty() {
            run.console.note(format!("the server `{}` lists none", server_name(client)));
        }
        out.long_text(&text)
    })
    .await
}

/// The lists that were asked for.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Lists {
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<Tool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<Resource>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_templates: Option<Vec<ResourceTemplate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompts: Option<Vec<Prompt>>,
}

impl Lists {
    /// With `--all`, what the server has no capability for is left out; asked for by name, it is an error.
    async fn fetch(options: &List, client: &Client, console: &Console) -> Result<Self, Stop> {
        let server = client.server();
        let has = &server.capabilities;
        let by_name = options.resources || options.templates || options.prompts;
        let wants = |named: bool, has: bool| if options.all { has } else { named };
        let mut lists = Self::default();
        if wants(!by_name, has.tools.is_some()) {
            let mut tools = all(client.tools(), console).await?;
            if let Some(configured) = &options.server.configured {
                tools.retain(|tool| configured.permits(tool));
            }
            lists.tools = Some(tools);
        }
        if wants(options.resources, has.resources.is_some()) {
            let mut resources = all(client.resources(), console).await?;
            if let Some(configured) = &options.server.configured {
                resources.retain(|resource| configured.permits_resource(&resource.uri));
            }
            lists.resources = Some(resources);
        }
        if wants(options.templates, has.resources.is_some()) {
            let mut templates = all(client.resource_templates(), console).await?;
            if let Some(configured) = &options.server.configured {
                templates.retain(|template| configured.permits_resource(&template.uri_template));
            }
            lists.resource_templates = Some(templates);
        }
        if wants(options.prompts, has.prompts.is_some()) {
            let mut prompts = all(client.prompts(), console).await?;
            if let Some(configured) = &options.server.configured {
                prompts.retain(|prompt| configured.permits_prompt(&prompt.name));
            }
            lists.prompts = Some(prompts);
        }
        Ok(lists)
    }

    /// A list alone has no heading; of several, the empty ones are left out.
    fn render(&self, markdown: bool) -> Styled {
        let lists = [
            ("Tools", self.tools.as_ref().map(|list| render::tools(list, markdown))),
            ("Resources", self.resources.as_ref().map(|list| render::resources(list, markdown))),
            ("Resource templates", self.resource_templates.as_ref().map(|list| render::templates(list, markdown))),
            ("Prompts", self.prompts.as_ref().map(|list| render::prompts(list, markdown))),
        ];
        let lists: Vec<(&str, Styled)> = lists.into_iter().filter_map(|(title, list)| Some((title, list?))).collect();
        let several = lists.len() > 1;
        let mut text = Styled::new();
        for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            if several {
                if !text.is_empty() {
                    text = text.line();
                }
                text = if markdown { text.plain(format!("## {title}\n\n")) } else { text.dim(title).line() };
            }
            text.append(list);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_lists_have_headings_and_empty_ones_are_left_out() {
        let tools: Vec<Tool> = serde_json::from_str(r#"[{"name":"t","inputSchema":{}}]"#).unwrap();
        let prompts: Vec<Prompt> = serde_json::from_str(r#"[{"name":"p"}]"#).unwrap();
        let alone = Lists { tools: Some(tools.clone()), ..Lists::default() };
        assert_eq!(alone.render(false).render(false), "t()\n");
        let lists =
            Lists { tools: Some(tools), resources: Some(Vec::new()), prompts: Some(prompts), ..Lists::default() };
        assert_eq!(lists.render(false).render(false), "Tools\nt()\n\nPrompts\np()\n");
        assert_eq!(lists.render(true).render(false), "## Tools\n\n- `t()`\n\n## Prompts\n\n- `p()`\n");
    }
}
