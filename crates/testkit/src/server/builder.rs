//! What a server is made of.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_protocol::{
    CacheScope, CallToolResult, CompleteResult, Era, GetPromptResult, Implementation, Prompt, RawJson,
    ReadResourceResult, Resource, ResourceContents, ResourceTemplate, Revision, SKILLS_EXTENSION, Skill,
    TASKS_EXTENSION, Tool,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::call::{CompletionCall, MethodCall, PromptCall, ResourceRead, ToolCall};
use super::catalog::{Catalog, Handler, HandlerResult, fixed, handler};
use super::rounds::Seals;
use super::tasks::{Tasks, Times};
use super::{MockServer, Shared};
use crate::journal::Journal;
use crate::misbehave::{Misbehaviour, Named, Quirk, Rules, UnknownMisbehaviour, When};

/// Settings of a [`MockServer`]; made by [`MockServer::builder`].
///
/// A capability is declared when something was added that needs it.
pub struct MockServerBuilder {
    config: Config,
    catalog: Catalog,
    rules: Rules,
    journal: Journal,
}

/// What does not change while a server runs.
pub(crate) struct Config {
    pub(crate) info: Implementation,
    /// Oldest first, never empty.
    pub(crate) revisions: Vec<Revision>,
    pub(crate) instructions: Option<String>,
    pub(crate) page_size: usize,
    pub(crate) logging: bool,
    pub(crate) subscriptions: bool,
    pub(crate) capabilities: Option<Value>,
    pub(crate) completion: Option<Handler<CompletionCall, CompleteResult>>,
    pub(crate) max_running: usize,
    pub(crate) quirks: Vec<Quirk>,
    /// For how many milliseconds, and by whom, results of 2026-07-28 may be kept.
    pub(crate) cache: (u64, CacheScope),
    /// The extensions to declare, by name.
    pub(crate) extensions: serde_json::Map<String, Value>,
    /// Methods beside those of the protocol.
    pub(crate) methods: HashMap<String, Handler<MethodCall, RawJson>>,
    pub(crate) tasks: Times,
}

impl Config {
    /// What the first quirk of a kind says.
    pub(crate) fn quirk<T>(&self, what: impl Fn(&Quirk) -> Option<T>) -> Option<T> {
        self.quirks.iter().find_map(what)
    }

    /// Whether a revision of an era is served.
    pub(crate) fn speaks(&self, era: Era) -> bool {
        self.revisions.iter().any(|revision| revision.era() == era)
    }

    /// The newest revision without a handshake that is served.
    pub(crate) fn newest_stateless(&self) -> Revision {
        let newest = self.revisions.iter().rev().find(|revision| revision.era() == Era::Stateless);
        newest.copied().unwrap_or(Revision::LATEST)
    }

    pub(crate) fn has_quirk(&self, quirk: &Quirk) -> bool {
        self.quirks.contains(quirk)
    }

    /// The capabilities to declare.
    pub(crate) fn capabilities(&self, catalog: &Catalog, revision: Revision) -> Value {
        if let Some(capabilities) = &self.capabilities {
            return capabilities.clone();
        }
        let mut declared = serde_json::Map::new();
        if !catalog.tools.is_empty() {
            declared.insert("tools".to_owned(), json!({ "listChanged": true }));
        }
        if !catalog.resources.is_empty() || !catalog.templates.is_empty() {
            declared.insert("resources".to_owned(), json!({ "listChanged": true, "subscribe": self.subscriptions }));
        }
        if !catalog.prompts.is_empty() {
            declared.insert("prompts".to_owned(), json!({ "listChanged": true }));
        }
        if self.logging {
            declared.insert("logging".to_owned(), json!({}));
        }
        if self.completion.is_some() && revision.has_completions_capability() {
            declared.insert("completions".to_owned(), json!({}));
        }
        let mut extensions = self.extensions.clone();
        if catalog.has_tasks() {
            if revision.has_tasks() {
                let tasks = json!({ "list": {}, "cancel": {}, "requests": { "tools": { "call": {} } } });
                declared.insert("tasks".to_owned(), tasks);
            }
            extensions.entry(TASKS_EXTENSION).or_insert_with(|| json!({}));
        }
        if !catalog.skills.is_empty() {
            extensions.entry(SKILLS_EXTENSION).or_insert_with(|| json!({}));
        }
        if !extensions.is_empty() && revision.has_extensions() {
            declared.insert("extensions".to_owned(), Value::Object(extensions));
        }
        Value::Object(declared)
    }
}

impl MockServerBuilder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config {
                info: Implementation::new("mock-server", env!("CARGO_PKG_VERSION")),
                revisions: Revision::ALL.into_iter().filter(|revision| revision.era() == Era::Handshake).collect(),
                instructions: None,
                page_size: usize::MAX,
                logging: false,
                subscriptions: false,
                capabilities: None,
                completion: None,
                max_running: 1024,
                quirks: Vec::new(),
                cache: (0, CacheScope::Private),
                extensions: serde_json::Map::new(),
                methods: HashMap::new(),
                tasks: Times::default(),
            },
            catalog: Catalog::default(),
            rules: Rules::default(),
            journal: Journal::default(),
        }
    }

    /// Sets what the server calls itself. Default `mock-server` with the version of this crate.
    #[must_use]
    pub fn info(mut self, info: Implementation) -> Self {
        self.config.info = info;
        self
    }

    /// Sets the revisions that are served. Default: those with a handshake; `Revision::ALL` serves 2026-07-28 as well.
    ///
    /// A client that shakes hands and asks for one of them gets it, any other the newest that has a handshake. A
    /// request that says that it is one of 2026-07-28 is served by itself, on the same connection too. An empty list
    /// is ignored.
    #[must_use]
    pub fn revisions(mut self, revisions: impl IntoIterator<Item = Revision>) -> Self {
        let mut revisions: Vec<_> = revisions.into_iter().collect();
        revisions.sort();
        revisions.dedup();
        if !revisions.is_empty() {
            self.config.revisions = revisions;
        }
        self
    }

    /// Sets the instructions for the model.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.config.instructions = Some(instructions.into());
        self
    }

    /// Adds or replaces a tool.
    ///
    /// Where its `execution` says that it may, or must, be called as a task, it is run as one: in 2025-11-25 for those
    /// who ask for it, in 2026-07-28 for all who declare the extension `io.modelcontextprotocol/tasks`.
    #[must_use]
    pub fn tool<F, R>(mut self, tool: Tool, run: F) -> Self
    where
        F: Fn(ToolCall) -> R + Send + Sync + 'static,
        R: HandlerResult<CallToolResult>,
    {
        self.catalog.put_tool(tool, handler(run));
        self
    }

    /// Adds or replaces a resource whose contents are always the same.
    #[must_use]
    pub fn resource(mut self, resource: Resource, contents: ResourceContents) -> Self {
        self.catalog.put_resource(resource, fixed(contents));
        self
    }

    /// Adds or replaces a resource whose contents are made for each read.
    #[must_use]
    pub fn resource_with<F, R>(mut self, resource: Resource, read: F) -> Self
    where
        F: Fn(ResourceRead) -> R + Send + Sync + 'static,
        R: HandlerResult<ReadResourceResult>,
    {
        self.catalog.put_resource(resource, handler(read));
        self
    }

    /// Adds or replaces a resource template.
    ///
    /// It serves the URIs that fit a template of the simplest kind, such as `notes://{folder}/{name}`.
    #[must_use]
    pub fn template<F, R>(mut self, template: ResourceTemplate, read: F) -> Self
    where
        F: Fn(ResourceRead) -> R + Send + Sync + 'static,
        R: HandlerResult<ReadResourceResult>,
    {
        self.catalog.put_template(template, handler(read));
        self
    }

    /// Adds a skill (extension `io.modelcontextprotocol/skills`, 2026-07-28) with the contents of its files, which are
    /// resources. Nothing is checked, so contents that the entry describes otherwise are served as they are.
    #[must_use]
    pub fn skill(mut self, entry: Skill, files: impl IntoIterator<Item = ResourceContents>) -> Self {
        for file in files {
            let uri = file.uri().unwrap_or_default().to_owned();
            let is_main = uri == entry.uri;
            let name = if is_main { entry.name() } else { uri.rsplit('/').next().unwrap_or_default() };
            let mut resource = Resource::new(uri.as_str(), name);
            resource.mime_type = file.mime_type().map(str::to_owned);
            resource.description = is_main.then(|| entry.description().to_owned());
            self.catalog.put_resource(resource, fixed(file));
        }
        self.catalog.skills.push(entry);
        self
    }

    /// Adds or replaces a prompt. A request without its required arguments is refused before the handler.
    #[must_use]
    pub fn prompt<F, R>(mut self, prompt: Prompt, get: F) -> Self
    where
        F: Fn(PromptCall) -> R + Send + Sync + 'static,
        R: HandlerResult<GetPromptResult>,
    {
        self.catalog.put_prompt(prompt, handler(get));
        self
    }

    /// Sets what completes arguments.
    #[must_use]
    pub fn completion<F, R>(mut self, complete: F) -> Self
    where
        F: Fn(CompletionCall) -> R + Send + Sync + 'static,
        R: HandlerResult<CompleteResult>,
    {
        self.config.completion = Some(handler(complete));
        self
    }

    /// Adds or replaces a method that no specification has, or another answer to one that has: it needs no capability.
    ///
    /// Methods that the server answers without a handler, such as lists, stay as they are.
    #[must_use]
    pub fn method<F, R>(mut self, name: impl Into<String>, run: F) -> Self
    where
        F: Fn(MethodCall) -> R + Send + Sync + 'static,
        R: HandlerResult<RawJson>,
    {
        self.config.methods.insert(name.into(), handler(run));
        self
    }

    /// Declares an extension with its settings, in revisions that have extensions.
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>, settings: Value) -> Self {
        self.config.extensions.insert(name.into(), settings);
        self
    }

    /// Sets for how many milliseconds, and by whom, results of 2026-07-28 may be kept: those of lists, of
    /// `resources/read` and `server/discover`, where they do not say it themselves. Default: 0, private.
    #[must_use]
    pub fn cache(mut self, ttl_ms: u64, scope: CacheScope) -> Self {
        self.config.cache = (ttl_ms, scope);
        self
    }

    /// Sets for how long tasks are kept from their beginning, without limit where there is no `ttl`, and how often
    /// clients are told to look at them. Default: 10 minutes, 50 milliseconds.
    ///
    /// A task that runs is ended with its time, and with the server: one without limit keeps the server alive.
    #[must_use]
    pub fn task_times(mut self, ttl: Option<Duration>, poll: Duration) -> Self {
        self.config.tasks = Times { ttl, poll };
        self
    }

    /// Declares logging.
    #[must_use]
    pub fn logging(mut self) -> Self {
        self.config.logging = true;
        self
    }

    /// Lets clients subscribe to resources.
    #[must_use]
    pub fn subscriptions(mut self) -> Self {
        self.config.subscriptions = true;
        self
    }

    /// Sets how many items a page of a list has; at least one. Default: all on one page.
    #[must_use]
    pub fn page_size(mut self, items: usize) -> Self {
        self.config.page_size = items.max(1);
        self
    }

    /// Declares exactly these capabilities, whatever the server has.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Value) -> Self {
        self.config.capabilities = Some(capabilities);
        self
    }

    /// Sets how many requests of a connection run at once. Default 1,024. Further ones are refused.
    #[must_use]
    pub fn max_running(mut self, requests: usize) -> Self {
        self.config.max_running = requests;
        self
    }

    /// Misbehaves in all that the server does.
    #[must_use]
    pub fn quirk(mut self, quirk: Quirk) -> Self {
        self.config.quirks.push(quirk);
        self
    }

    /// Misbehaves on some requests. Several rules for one request apply together, in order.
    #[must_use]
    pub fn misbehave(mut self, when: When, what: Misbehaviour) -> Self {
        self.rules.push(when, what);
        self
    }

    /// Misbehaves as a text says, such as `delay=500@tools/call` or `chunks=1`; see [`Named`] for the form.
    ///
    /// # Errors
    /// [`UnknownMisbehaviour`] when the text names none.
    pub fn misbehave_as(self, text: &str) -> Result<Self, UnknownMisbehaviour> {
        Ok(match text.parse()? {
            Named::Quirk(quirk) => self.quirk(quirk),
            Named::Rule(when, what) => self.misbehave(when, what),
        })
    }

    /// Sets how many lines the [`Journal`] keeps, at least one. Default 65,536.
    #[must_use]
    pub fn journal_lines(mut self, lines: usize) -> Self {
        self.journal = Journal::keeping(lines);
        self
    }

    /// Makes the server.
    pub fn build(self) -> MockServer {
        MockServer(Arc::new(Shared {
            config: self.config,
            catalog: Mutex::new(self.catalog),
            rules: Mutex::new(self.rules),
            journal: self.journal,
            sessions: Mutex::default(),
            seals: Seals::default(),
            tasks: Tasks::default(),
            disconnects: watch::Sender::new(0),
        }))
    }
}

impl fmt::Debug for MockServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockServerBuilder").field("info", &self.config.info).finish_non_exhaustive()
    }
}
