//! A server as another host writes it.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::host::{Facts, Switch, Unit};
use crate::model::{Auth, NameRules, Remote, Server, Stdio, Timeouts, ToolRules, Transport, Way};
use crate::problem::shown;
use crate::settings::Layers;
use crate::template::{Grammar, Part, Template, VariableSource};
use crate::tree::Plain;
use crate::{Host, Place, Scope};

/// An entry for a host's file, and what it could not carry.
pub(crate) struct Exported {
    pub(crate) entry: Vec<(String, Plain)>,
    pub(crate) lost: Vec<String>,
}

impl Server {
    /// A server that is a program, as [`Edit::add`](crate::Edit::add) takes it.
    ///
    /// In this and the next methods variables in texts are written as in bowline's own file.
    pub fn program(name: impl Into<String>, command: &str, args: impl IntoIterator<Item = String>) -> Self {
        let stdio = Stdio {
            command: native(command),
            args: args.into_iter().map(|arg| native(&arg)).collect(),
            env: Vec::new(),
            env_file: None,
            cwd: None,
        };
        Self::new(name.into(), Transport::Stdio(Box::new(stdio)))
    }

    /// A server with an address.
    pub fn remote(name: impl Into<String>, url: &str, way: Way) -> Self {
        let remote = Remote { url: native(url), way, headers: Vec::new(), bearer: None };
        Self::new(name.into(), Transport::Remote(Box::new(remote)))
    }

    fn new(name: String, transport: Transport) -> Self {
        Self {
            name,
            host: Host::Bowline,
            scope: Scope::Given,
            place: Place::whole(""),
            transport,
            enabled: true,
            trusted: true,
            timeouts: Timeouts::default(),
            tools: ToolRules::default(),
            prompts: NameRules::default(),
            resources: NameRules::default(),
            trust: None,
            auth: Auth::default(),
            pool: None,
            layers: Layers::default(),
            policy: None,
            extra: Vec::new(),
        }
    }

    /// Sets a variable of a program, and nothing of a server with an address.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<String>, value: &str) -> Self {
        if let Transport::Stdio(stdio) = &mut self.transport {
            stdio.env.push((name.into(), native(value)));
        }
        self
    }

    /// Sets the working directory of a program, and nothing of a server with an address.
    #[must_use]
    pub fn with_cwd(mut self, folder: &str) -> Self {
        if let Transport::Stdio(stdio) = &mut self.transport {
            stdio.cwd = Some(native(folder));
        }
        self
    }

    /// Sets a header of a server with an address, and nothing of a program.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: &str) -> Self {
        if let Transport::Remote(remote) = &mut self.transport {
            remote.headers.push((name.into(), native(value)));
        }
        self
    }

    /// Sets the bearer token of a server with an address, and nothing of a program.
    #[must_use]
    pub fn with_bearer(mut self, token: &str) -> Self {
        if let Transport::Remote(remote) = &mut self.transport {
            remote.bearer = Some(native(token));
        }
        self
    }
}

fn native(text: &str) -> Template {
    Template::parse(text, &Grammar::NATIVE, Place::whole(""), &mut Vec::new())
}

/// Writes a server as an entry of a host's file.
///
/// # Errors
/// Where the host cannot reach such a server, or cannot say where a secret comes from: it would have to stand in the
/// file.
pub(crate) fn entry(server: &Server, host: Host) -> Result<Exported, Error> {
    let mut out = Writer { host, facts: host.facts(), entry: Vec::new(), lost: Vec::new() };
    if matches!(host, Host::Goose | Host::Continue) {
        out.put("name", server.name.as_str());
    }
    match &server.transport {
        Transport::Stdio(stdio) => out.program(stdio)?,
        Transport::Remote(remote) => out.address(remote)?,
    }
    out.switch(server.enabled);
    out.times(&server.timeouts);
    out.tools(&server.tools);
    out.names("prompts", &server.prompts, "which prompts may be used");
    out.names("resources", &server.resources, "which resources may be read");
    out.trust(server.trust);
    out.auth(&server.auth)?;
    if server.pool.is_some() || server.layers != Layers::default() || server.policy.is_some() {
        out.lost.push("pool, layers and policy".to_owned());
    }
    if server.host == host {
        out.entry.extend(server.extra.iter().map(|extra| (extra.key.clone(), extra.value.clone())));
    } else {
        out.lost.extend(server.extra.iter().map(|extra| shown(&extra.key)));
    }
    Ok(Exported { entry: out.entry, lost: out.lost })
}

struct Writer {
    host: Host,
    facts: &'static Facts,
    entry: Vec<(String, Plain)>,
    lost: Vec<String>,
}

impl Writer {
    fn put(&mut self, key: &str, value: impl Into<Plain>) {
        self.entry.push((key.to_owned(), value.into()));
    }

    fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }

    fn refuse(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unsupported, format!("{} {what}", self.facts.title))
    }

    /// A text in the host's own words.
    fn text(&self, template: &Template) -> Result<String, Error> {
        let written = template.write(&self.facts.grammar);
        written.map_err(|variable| {
            self.refuse(&format!(
                "has no way to write `{}` in its file: the value itself would have to stand there",
                shown(&variable)
            ))
        })
    }

    fn program(&mut self, stdio: &Stdio) -> Result<(), Error> {
        let command = self.text(&stdio.command)?;
        let args = stdio.args.iter().map(|arg| self.text(arg)).collect::<Result<Vec<_>, _>>()?;
        match self.host {
            Host::OpenCode | Host::OpenCode2 | Host::McpHost => {
                self.put("type", "local");
                self.put("command", Plain::texts(std::iter::once(command).chain(args)));
            }
            host => {
                match host {
                    Host::VsCode | Host::DevContainer | Host::Goose | Host::Continue => self.put("type", "stdio"),
                    Host::CopilotCli => self.put("type", "local"),
                    _ => {}
                }
                self.put(if host == Host::Goose { "cmd" } else { "command" }, command);
                if !args.is_empty() {
                    self.put("args", Plain::texts(args));
                }
            }
        }
        self.env(&stdio.env)?;
        if let Some(cwd) = &stdio.cwd {
            let has = [
                Host::Bowline,
                Host::Generic,
                Host::VsCode,
                Host::Cline,
                Host::Roo,
                Host::Kilo,
                Host::Codex,
                Host::Gemini,
                Host::Continue,
                Host::OpenCode2,
                Host::CopilotCli,
                Host::Mcporter,
            ];
            if has.contains(&self.host) {
                self.put("cwd", self.text(cwd)?);
            } else {
                self.lose("cwd");
            }
        }
        if let Some(file) = &stdio.env_file {
            match self.host {
                Host::Bowline => self.put("env_file", self.text(file)?),
                Host::Cursor | Host::VsCode | Host::DevContainer | Host::Generic => {
                    self.put("envFile", self.text(file)?);
                }
                _ => self.lose("env_file"),
            }
        }
        Ok(())
    }

    fn env(&mut self, env: &[(String, Template)]) -> Result<(), Error> {
        let (key, by_name) = match self.host {
            Host::OpenCode | Host::OpenCode2 | Host::McpHost => ("environment", None),
            Host::Goose => ("envs", Some("env_keys")),
            Host::Codex => ("env", Some("env_vars")),
            _ => ("env", None),
        };
        // What a variable of the same name stands for can be handed on by that name.
        let is_named = |(name, value): &&(String, Template)| by_name.is_some() && value.only_env() == Some(name);
        let names: Vec<String> = env.iter().filter(is_named).map(|(name, _)| name.clone()).collect();
        let mut pairs = Vec::new();
        for (name, value) in env.iter().filter(|pair| !is_named(pair)) {
            pairs.push((name.clone(), Plain::Text(self.text(value)?)));
        }
        if !pairs.is_empty() {
            self.put(key, Plain::Map(pairs));
        }
        if let Some(by_name) = by_name.filter(|_| !names.is_empty()) {
            self.put(by_name, Plain::texts(names));
        }
        Ok(())
    }

    fn address(&mut self, remote: &Remote) -> Result<(), Error> {
        if self.host == Host::ClaudeDesktop {
            return Err(self.refuse("has no servers with an address in its file: they are added in the app"));
        }
        let word = self.word(remote.way)?;
        if let Some(word) = word {
            self.put("type", word);
        }
        let url = self.text(&remote.url)?;
        self.put(
            match self.host {
                Host::Windsurf => "serverUrl",
                Host::Goose => "uri",
                _ => "url",
            },
            url,
        );
        let mut headers = remote.headers.clone();
        match &remote.bearer {
            Some(bearer) if self.host == Host::Bowline => self.put("bearer", self.text(bearer)?),
            Some(bearer) => headers.push(("Authorization".to_owned(), bearer.clone().prefixed("Bearer "))),
            None => {}
        }
        self.headers(&headers)
    }

    fn headers(&mut self, headers: &[(String, Template)]) -> Result<(), Error> {
        let mut rest = Vec::new();
        let mut by_env = Vec::new();
        for (name, value) in headers {
            if self.host == Host::Codex {
                if let Some(variable) = value.only_env() {
                    by_env.push((name.clone(), Plain::from(variable)));
                    continue;
                }
                if let Some(variable) = value.bearer_env().filter(|_| name.eq_ignore_ascii_case("authorization")) {
                    self.put("bearer_token_env_var", variable);
                    continue;
                }
            }
            rest.push((name.clone(), self.text(value)?));
        }
        if !by_env.is_empty() {
            self.put("env_http_headers", Plain::Map(by_env));
        }
        if rest.is_empty() {
            return Ok(());
        }
        let map = |rest: Vec<(String, String)>| {
            Plain::Map(rest.into_iter().map(|(name, value)| (name, Plain::Text(value))).collect())
        };
        match self.host {
            Host::Codex => self.put("http_headers", map(rest)),
            Host::Continue => {
                self.put("requestOptions", Plain::Map(vec![("headers".to_owned(), map(rest))]));
            }
            Host::McpHost => {
                self.put("headers", Plain::texts(rest.into_iter().map(|(name, value)| format!("{name}: {value}"))));
            }
            _ => self.put("headers", map(rest)),
        }
        Ok(())
    }

    /// The host's word for a transport, if it needs one.
    fn word(&self, way: Way) -> Result<Option<&'static str>, Error> {
        use Way::{Auto, Http, Sse, SseFirst, WebSocket};

        let is_http = matches!(way, Auto | Http);
        let word = match (self.host, way) {
            (Host::Bowline, Auto) => return Ok(None),
            (Host::Bowline, SseFirst) => "sse-first",
            (Host::Bowline | Host::Generic | Host::ClaudeCode, WebSocket) => "ws",
            (Host::LibreChat, WebSocket) => "websocket",
            (Host::Gemini | Host::Tabnine, WebSocket) => {
                return Err(self.refuse("writes servers over WebSocket in another way: add it there by hand"));
            }
            (_, WebSocket) => return Err(self.refuse("does not reach servers over WebSocket")),
            (Host::Codex, Sse) => return Err(self.refuse("does not reach servers over HTTP+SSE")),
            (Host::Goose, Sse) => return Err(self.refuse("no longer reaches servers over HTTP+SSE")),
            (Host::OpenCode | Host::OpenCode2 | Host::McpHost, _) => "remote",
            // Told by the address alone.
            (
                Host::Cursor
                | Host::Windsurf
                | Host::Zed
                | Host::Codex
                | Host::Mcporter
                | Host::Junie
                | Host::JetBrainsAi,
                _,
            ) => return Ok(None),
            (Host::Cline | Host::ClineCli, _) if is_http => "streamableHttp",
            (Host::Roo | Host::Kilo | Host::Continue | Host::LibreChat, _) if is_http => "streamable-http",
            (Host::Goose, _) => "streamable_http",
            (_, Auto | Http) => "http",
            (_, Sse | SseFirst) => "sse",
        };
        Ok(Some(word))
    }

    fn switch(&mut self, enabled: bool) {
        match self.facts.switch {
            // Goose wants it said.
            Switch::Enabled if !enabled || self.host == Host::Goose => self.put("enabled", Plain::Bool(enabled)),
            Switch::Disabled if !enabled => self.put("disabled", Plain::Bool(true)),
            Switch::None if !enabled => self.lose("that it is switched off"),
            _ => {}
        }
    }

    fn times(&mut self, times: &Timeouts) {
        if self.host == Host::Bowline {
            let all = [("connect_timeout", times.connect), ("timeout", times.idle), ("max_time", times.total)];
            for (key, time) in all {
                if let Some(time) = time {
                    self.put(key, crate::duration::written(time));
                }
            }
            return;
        }
        let has_idle = [
            Host::ClaudeCode,
            Host::Cline,
            Host::ClineCli,
            Host::Roo,
            Host::Kilo,
            Host::Zed,
            Host::Gemini,
            Host::Tabnine,
            Host::Goose,
            Host::LibreChat,
            Host::OpenCode,
            Host::OpenCode2,
            Host::AmazonQ,
            Host::AmazonQIde,
            Host::CopilotCli,
            Host::Generic,
        ];
        let (idle, connect) = match self.host {
            Host::Codex => (Some("tool_timeout_sec"), Some("startup_timeout_sec")),
            Host::LibreChat => (Some("timeout"), Some("initTimeout")),
            Host::Continue => (None, Some("connectionTimeout")),
            host => (has_idle.contains(&host).then_some("timeout"), None),
        };
        let unit = self.facts.unit;
        for (key, time, what) in [
            (idle, times.idle, "timeout"),
            (connect, times.connect, "connect_timeout"),
            (None, times.total, "max_time"),
        ] {
            match (key, time) {
                (Some(key), Some(time)) => self.put(key, Plain::Number(counted(time, unit))),
                (None, Some(_)) => self.lose(what),
                (_, None) => {}
            }
        }
    }

    fn tools(&mut self, tools: &ToolRules) {
        let list = |names: &[String]| Plain::texts(names.iter().cloned());
        if self.host == Host::Bowline {
            let mut all = Vec::new();
            all.extend(tools.allow.as_deref().map(|names| ("allow".to_owned(), list(names))));
            all.extend((!tools.deny.is_empty()).then(|| ("deny".to_owned(), list(&tools.deny))));
            all.extend((!tools.approve.is_empty()).then(|| ("approve".to_owned(), list(&tools.approve))));
            if !all.is_empty() {
                self.put("tools", Plain::Map(all));
            }
            return;
        }
        let (allow, deny, approve) = match self.host {
            Host::Gemini | Host::Tabnine => (Some("includeTools"), Some("excludeTools"), None),
            Host::Codex => (Some("enabled_tools"), Some("disabled_tools"), None),
            Host::Goose => (Some("available_tools"), None, None),
            Host::CopilotCli => (Some("tools"), None, None),
            Host::Mcporter => (Some("allowedTools"), Some("blockedTools"), None),
            Host::McpHost => (Some("allowedTools"), Some("excludedTools"), None),
            Host::Windsurf | Host::Roo | Host::Kilo => (None, Some("disabledTools"), Some("alwaysAllow")),
            Host::Generic => (Some("includeTools"), Some("excludeTools"), Some("alwaysAllow")),
            Host::Cline | Host::ClineCli => (None, None, Some("autoApprove")),
            _ => (None, None, None),
        };
        match (&tools.allow, allow) {
            (Some(names), Some(key)) => self.put(key, list(names)),
            (Some(_), None) => self.lose("which tools are allowed"),
            // Copilot offers none where nothing is said.
            (None, Some("tools")) => self.put("tools", Plain::texts(["*"])),
            (None, _) => {}
        }
        for (names, key, what) in
            [(&tools.deny, deny, "which tools are denied"), (&tools.approve, approve, "which tools need no question")]
        {
            match key {
                _ if names.is_empty() => {}
                Some(key) => self.put(key, list(names)),
                None => self.lose(what),
            }
        }
    }

    fn names(&mut self, key: &str, rules: &NameRules, what: &str) {
        if *rules == NameRules::default() {
            return;
        }
        if self.host != Host::Bowline {
            return self.lose(what);
        }
        let mut all = Vec::new();
        all.extend(rules.allow.as_ref().map(|names| ("allow".to_owned(), Plain::texts(names.iter().cloned()))));
        all.extend((!rules.deny.is_empty()).then(|| ("deny".to_owned(), Plain::texts(rules.deny.iter().cloned()))));
        self.put(key, Plain::Map(all));
    }

    /// Gemini's word of this name means that nobody is asked, which is another thing.
    fn trust(&mut self, trust: Option<bool>) {
        match trust {
            Some(trust) if self.host == Host::Bowline => self.put("trust", Plain::Bool(trust)),
            Some(_) => self.lose("whether its annotations are believed"),
            None => {}
        }
    }

    fn auth(&mut self, auth: &Auth) -> Result<(), Error> {
        if *auth == Auth::default() {
            return Ok(());
        }
        if !matches!(self.host, Host::Bowline | Host::ClaudeCode) {
            self.lose("authorization");
            return Ok(());
        }
        if auth.oauth == Some(false) && self.host == Host::Bowline {
            self.put("oauth", Plain::Bool(false));
            return Ok(());
        }
        let own = self.host == Host::Bowline;
        let key = |ours: &'static str, theirs: &'static str| (if own { ours } else { theirs }).to_owned();
        let mut members = Vec::new();
        if let Some(id) = &auth.client_id {
            members.push((key("client_id", "clientId"), Plain::Text(self.text(id)?)));
        }
        match &auth.client_secret {
            Some(secret) if own => members.push((key("client_secret", ""), Plain::Text(self.text(secret)?))),
            Some(_) => self.lose("the client's secret"),
            None => {}
        }
        if !auth.scopes.is_empty() {
            let joined = auth.scopes.join(" ");
            members.push(("scopes".to_owned(), if own { Plain::texts(auth.scopes.clone()) } else { joined.into() }));
        }
        if let Some(url) = &auth.metadata_url {
            members.push((key("metadata_url", "authServerMetadataUrl"), Plain::from(url.as_str())));
        }
        if let Some(uri) = auth.redirect_uri.as_ref().filter(|_| own) {
            members.push((key("redirect_uri", ""), Plain::from(uri.as_str())));
        }
        if let Some(port) = auth.callback_port {
            members.push((key("callback_port", "callbackPort"), Plain::Number(port.to_string())));
        }
        self.put("oauth", if members.is_empty() && own { Plain::Bool(true) } else { Plain::Map(members) });
        Ok(())
    }
}

/// A time as a number of a host's units.
fn counted(time: Duration, unit: Unit) -> String {
    match unit {
        Unit::Milliseconds => time.as_millis().to_string(),
        Unit::Seconds if time.subsec_millis() == 0 => time.as_secs().to_string(),
        Unit::Seconds => time.as_secs_f64().to_string(),
    }
}

impl Template {
    /// The text by another host's rules, or the variable that it has no way to write.
    fn write(&self, grammar: &Grammar) -> Result<String, String> {
        let mut text = String::new();
        for part in self.parts() {
            match part {
                // In bowline's own file what would be a variable is written with two dollars.
                Part::Text(words) => text.push_str(&grammar.escape(words)),
                Part::Variable(variable) => {
                    let written = match variable.source {
                        VariableSource::Environment => grammar.write_env(&variable.name, variable.default()),
                        source => grammar.write_kind(source, &variable.name),
                    };
                    text.push_str(&written.ok_or_else(|| variable.to_string())?);
                }
            }
        }
        // Words that are none here may be a variable there.
        let again = Self::parse(&text, grammar, self.place().clone(), &mut Vec::new());
        if again.meaning() == self.meaning() { Ok(text) } else { Err(self.masked()) }
    }

    /// What it stands for, however it is written.
    fn meaning(&self) -> Vec<(Option<VariableSource>, &str, Option<&str>)> {
        let mut meaning = Vec::new();
        for part in self.parts() {
            meaning.push(match part {
                Part::Text(words) => (None, words.as_str(), None),
                Part::Variable(variable) => (Some(variable.source), variable.name.as_str(), variable.default()),
            });
        }
        meaning
    }

    /// The variable of the environment that it is, if it is nothing else.
    fn only_env(&self) -> Option<&str> {
        match self.parts() {
            [Part::Variable(variable)]
                if variable.source == VariableSource::Environment && variable.default().is_none() =>
            {
                Some(&variable.name)
            }
            _ => None,
        }
    }

    /// The variable that holds the token of `Bearer ${VAR}`.
    fn bearer_env(&self) -> Option<&str> {
        match self.parts() {
            [Part::Text(scheme), Part::Variable(variable)]
                if scheme == "Bearer "
                    && variable.source == VariableSource::Environment
                    && variable.default().is_none() =>
            {
                Some(&variable.name)
            }
            _ => None,
        }
    }
}
