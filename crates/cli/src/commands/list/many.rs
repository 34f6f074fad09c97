//! `bowline list --all`: what all servers of the configuration have.

use std::collections::BTreeMap;

use bowline::hub::{Hub, Lists, Offer, SearchRecord};
use bowline::protocol::{Prompt, Resource, ResourceTemplate, Tool};
use serde::Serialize;
use serde_json::{Value, json};

use crate::exit::{CliError, Stop};
use crate::fleet::{Failures, Fleet};
use crate::kept::Kept;
use crate::options::{Format, List};
use crate::output::Output;
use crate::render;
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;

pub(super) async fn run(options: &List, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let fleet = Fleet::load(run);
    let selected = fleet.select(&[], options.group.as_deref())?;
    let kept = Kept::open(&run.console);
    fleet
        .with_hub(&selected, async |hub| {
            let mut found = Found::default();
            found.fetch(options, hub, &fleet, &kept).await;
            // Several lists of one server fail for one reason.
            let answered = selected.len() > found.failures.0.len();
            if let (false, Some(error)) = (answered, found.failures.0.values().next()) {
                let message = format!("none of the {} servers says what it has", selected.len());
                return Err(CliError::new(error.code, message).into());
            }
            if out.format() == Format::Json { out.json(&found.to_json()) } else { found.show(options, run, out) }
        })
        .await
}

/// What the servers said, by their names.
#[derive(Default)]
struct Found {
    tools: Option<BTreeMap<String, Vec<Tool>>>,
    resources: Option<BTreeMap<String, Vec<Resource>>>,
    templates: Option<BTreeMap<String, Vec<ResourceTemplate>>>,
    prompts: Option<BTreeMap<String, Vec<Prompt>>>,
    failures: Failures,
}

impl Found {
    async fn fetch(&mut self, options: &List, hub: &Hub, fleet: &Fleet, kept: &Kept) {
        if !options.resources && !options.templates && !options.prompts {
            let tools = self.all(hub.tools(), fleet).await;
            for (server, tools) in &tools {
                kept.keep(fleet, SearchRecord::new(server, tools)).await;
            }
            self.tools = Some(tools);
        }
        if options.resources {
            self.resources = Some(self.all(hub.resources(), fleet).await);
        }
        if options.templates {
            self.templates = Some(self.all(hub.resource_templates(), fleet).await);
        }
        if options.prompts {
            self.prompts = Some(self.all(hub.prompts(), fleet).await);
        }
    }

    /// The lists of all servers; what is wrong is told as it comes.
    async fn all<T: Offer + Clone>(&mut self, lists: Lists<T>, fleet: &Fleet) -> BTreeMap<String, Vec<T>> {
        let mut all = BTreeMap::new();
        let take = async |server: &str, items| drop(all.insert(server.to_owned(), items));
        fleet.read(lists, &mut self.failures, take).await;
        all
    }

    fn to_json(&self) -> Value {
        let mut servers: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
        fn put<'f, T: Serialize>(
            servers: &mut BTreeMap<&'f str, serde_json::Map<String, Value>>,
            key: &str,
            lists: Option<&'f BTreeMap<String, Vec<T>>>,
        ) {
            for (name, items) in lists.into_iter().flatten() {
                let items = serde_json::to_value(items).unwrap_or_default();
                servers.entry(name).or_default().insert(key.to_owned(), items);
            }
        }
        put(&mut servers, "tools", self.tools.as_ref());
        put(&mut servers, "resources", self.resources.as_ref());
        put(&mut servers, "resourceTemplates", self.templates.as_ref());
        put(&mut servers, "prompts", self.prompts.as_ref());
        let servers = servers.into_iter().map(|(name, mut lists)| {
            lists.shift_insert(0, "server".to_owned(), name.into());
            Value::Object(lists)
        });
        json!({"servers": servers.collect::<Vec<_>>(), "failures": self.failures.to_json()})
    }

    fn show(&self, options: &List, run: &Run, out: &mut Output) -> Result<(), Stop> {
        let markdown = out.format() == Format::Md;
        let mut text = Styled::new();
        // Tools and prompts as they are called; resources are URIs, so whose they are stands apart.
        for (server, tools) in self.tools.iter().flatten() {
            text.append(render::tools_of(server, tools, markdown));
        }
        for (server, prompts) in self.prompts.iter().flatten() {
            text.append(render::prompts_of(server, prompts, markdown));
        }
        for (server, resources) in self.resources.iter().flatten().filter(|(_, list)| !list.is_empty()) {
            text.append(heading(server, markdown));
            text.append(render::resources(resources, markdown));
        }
        for (server, templates) in self.templates.iter().flatten().filter(|(_, list)| !list.is_empty()) {
            text.append(heading(server, markdown));
            text.append(render::templates(templates, markdown));
        }
        if text.is_empty() {
            let group = options.group.as_deref().map(|group| format!(" of the group `{}`", sanitize::line(group)));
            run.console.note(format!("the servers{} list none", group.unwrap_or_default()));
        }
        out.long_text(&text)
    }
}

fn heading(server: &str, markdown: bool) -> Styled {
    let server = sanitize::line(server);
    if markdown { Styled::new().plain(format!("## {server}\n\n")) } else { Styled::new().dim(server).line() }
}
