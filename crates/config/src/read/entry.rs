//! One server's entry, in any host's spelling.

mod scheme;

use std::collections::HashSet;

use super::native;
use super::{Draft, Fields, Names};
use crate::host::{Facts, Unit, Untyped};
use crate::model::{Auth, Remote, Stdio, Timeouts, Transport, Way};
use crate::place::Source;
use crate::problem::{Problem, shown};
use crate::settings::Layers;
use crate::tree::{Node, Value};
use crate::{Host, Place, Scope, Template};

/// Reads an entry. One that names nothing that can be reached, as a part of the host itself, gives none.
pub(super) fn read(
    host: Host,
    facts: &Facts,
    source: &Source<'_>,
    name: &str,
    place: Place,
    node: &Node,
    scope: Scope,
) -> (Option<Draft>, Vec<Problem>) {
    let mut fields = Fields::new(source, node, &facts.grammar);
    let mut draft = Draft {
        name: name.to_owned(),
        host,
        scope,
        place,
        transport: None,
        enabled: None,
        timeouts: Timeouts::default(),
        allow: None,
        deny: None,
        approve: None,
        prompts: Names::default(),
        resources: Names::default(),
        trust: None,
        auth: Auth::default(),
        pool: None,
        layers: Layers::default(),
        policy: None,
        extra: Vec::new(),
        settings: Vec::new(),
        broken: false,
    };
    if part_of_host(&mut fields, node, host, &mut draft) {
        let problems = fields.problems.into_iter().map(|problem| problem.of(name)).collect();
        return (None, problems);
    }
    // The command line of Cline nests what is about the transport.
    match node.get("transport").filter(|nested| nested.is_map()) {
        Some(nested) => {
            fields.take("transport");
            let mut inner = fields.inner("transport", nested);
            draft.transport = transport(&mut inner, facts, host, nested);
            inner.rest();
            fields.absorb(inner);
        }
        None => draft.transport = transport(&mut fields, facts, host, node),
    }
    switches(&mut fields, &mut draft);
    tools(&mut fields, host, &mut draft);
    if host == Host::Bowline {
        native::entry(&mut fields, &mut draft, node);
    } else {
        times(&mut fields, facts, &mut draft);
        draft.auth = auth(&mut fields);
        // Names of lists stand in the entries; descriptions say nothing to a program.
        fields.take("name");
        fields.take("description");
        draft.extra = fields.rest();
    }
    draft.broken = fields.is_broken() || (draft.transport.is_none() && host != Host::Bowline);
    draft.settings = fields.settings;
    (Some(draft), fields.problems.into_iter().map(|problem| problem.of(name)).collect())
}

/// Parts of a host that look like servers.
fn part_of_host(fields: &mut Fields<'_, '_>, node: &Node, host: Host, draft: &mut Draft) -> bool {
    let says = |key: &str, words: &[&str]| node.get(key).and_then(Node::text).filter(|text| words.contains(text));
    let found = match host {
        Host::Goose => says("type", &["builtin", "platform", "frontend", "inline_python"]),
        Host::McpHost => says("type", &["builtin"]),
        Host::Zed => says("source", &["extension"]).filter(|_| node.get("command").is_none()),
        _ => None,
    };
    if let Some(kind) = found {
        let message = format!("is a part of {} ({kind}) and no server that others can reach", host.title());
        fields.problems.push(Problem::note(draft.place.clone(), message));
    }
    found.is_some()
}

/// What an entry says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stdio,
    Remote(Way),
}

const TYPES: &str = "stdio (local), http (streamable-http, remote), sse, ws (websocket), auto";

fn kind(word: &str, host: Host) -> Option<Kind> {
    // These hosts fall back by themselves where the server is of that age.
    let http = if matches!(host, Host::VsCode | Host::DevContainer) { Way::Auto } else { Way::Http };
    // Everybody spells them in another way: `streamableHttp`, `STREAMABLE_HTTP`, `Streamable HTTP`.
    let plain: String = word.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    Some(match plain.to_ascii_lowercase().as_str() {
        "stdio" | "local" => Kind::Stdio,
        "http" | "https" | "streamablehttp" | "streamable" | "streaming" | "httpstream" | "httpstreaming"
        | "streaminghttp" => Kind::Remote(http),
        "remote" | "auto" | "httpfirst" => Kind::Remote(Way::Auto),
        "sse" | "httpsse" => Kind::Remote(Way::Sse),
        "ssefirst" => Kind::Remote(Way::SseFirst),
        "ws" | "wss" | "websocket" => Kind::Remote(Way::WebSocket),
        _ => return None,
    })
}

fn transport(fields: &mut Fields<'_, '_>, facts: &Facts, host: Host, node: &Node) -> Option<Transport> {
    let spelled = fields.first(&["type", "transport", "transportType"]);
    let stated = match spelled {
        None => None,
        Some((key, at)) => {
            let Some(word) = at.text() else {
                fields.error(at, format!("`{key}` is {}, and has to be one of {TYPES}", at.kind()));
                return None;
            };
            fields.set("type", at, word);
            let known = kind(word, host);
            if known.is_none() {
                let word = shown(word);
                fields.error(at, format!("`{key}` is `{word}`, which is no transport; there are {TYPES}"));
                return None;
            }
            known
        }
    };
    let command = fields.first(&["command", "cmd"]);
    let url = fields.first(&["url", "httpUrl", "serverUrl", "baseUrl", "uri", "tcp"]);
    match (stated, command, url) {
        (Some(Kind::Stdio), Some(_), Some((key, at))) => {
            fields.warn(at, format!("the type says stdio, so `{key}` is ignored"));
        }
        (Some(Kind::Remote(_)), Some((key, at)), Some(_)) => {
            fields.warn(at, format!("the type is one of servers with an address, so `{key}` is ignored"));
        }
        (None, Some((first, _)), Some((second, at))) => {
            fields.error(at, format!("both `{first}` and `{second}`: leave one out, or say which with `type`"));
            return None;
        }
        (Some(Kind::Stdio), None, Some((key, at))) => {
            fields.error(at, format!("the type says stdio, and there is `{key}` and no `command`"));
            return None;
        }
        (Some(Kind::Remote(_)), Some((key, at)), None) => {
            let word = spelled.and_then(|(_, at)| at.text()).unwrap_or_default();
            fields.error(at, format!("the type says {}, and there is `{key}` and no `url`", shown(word)));
            return None;
        }
        (Some(kind), None, None) => {
            let wanted = if kind == Kind::Stdio { "command" } else { "url" };
            fields.error(node, format!("there is no `{wanted}`"));
            return None;
        }
        (None, None, None) => {
            // In bowline's own file that is about a server of another file.
            if host != Host::Bowline {
                fields.error(node, "there is neither `command` nor `url`");
            }
            return None;
        }
        _ => {}
    }
    match (stated, command, url) {
        (Some(Kind::Stdio) | None, Some((key, at)), _) => stdio(fields, host, key, at),
        (_, _, Some((key, at))) => {
            let way = match stated {
                Some(Kind::Remote(way)) => Some(way),
                _ => None,
            };
            remote(fields, facts, host, key, at, way)
        }
        _ => None,
    }
}

fn stdio(fields: &mut Fields<'_, '_>, host: Host, key: &str, at: &Node) -> Option<Transport> {
    let mut words: Vec<(&Node, &str)> = Vec::new();
    let mut env = Vec::new();
    match &at.value {
        Value::Text(text) => words.push((at, text)),
        Value::List(items) => words.extend(items.iter().filter_map(|item| Some((item, item.text()?)))),
        // Zed of old.
        Value::Map(_) => {
            let mut inner = fields.inner(key, at);
            words.extend(inner.text("path"));
            if let Some(list) = inner.take("args") {
                words.extend(list.items().iter().filter_map(|item| Some((item, item.text()?))));
            }
            env = inner.map("env");
            inner.rest();
            fields.absorb(inner);
        }
        _ => {}
    }
    let whole = at.items().iter().all(|item| item.text().is_some());
    let Some((first, program)) = words.first().copied().filter(|(_, word)| whole && !word.trim().is_empty()) else {
        fields.error(at, format!("`{key}` names no program: it has to be a text, such as \"npx\""));
        return None;
    };
    let command = fields.template(first, program);
    let mut args: Vec<Template> = words.iter().skip(1).map(|(node, word)| fields.template(node, word)).collect();
    let more = fields.take("args");
    match more.map(|list| (list, &list.value)) {
        None => {}
        Some((_, Value::List(items))) => {
            for item in items {
                args.extend(fields.scalar("args", item));
            }
        }
        Some((list, _)) => {
            let kind = list.kind();
            fields.error(list, format!("`args` is {kind}, and has to be a list of texts: [\"-y\", \"package\"]"));
        }
    }
    for key in ["env", "environment", "envs"] {
        env.extend(fields.map(key));
    }
    let unfit = |name: &str| name.is_empty() || name.contains(['=', '\0']);
    if let Some((name, value)) = env.iter().find(|(name, _)| unfit(name)) {
        let message = format!("`{}` is no name that a variable can have: it is empty, or has `=` in it", shown(name));
        fields.problems.push(Problem::error(value.place().clone(), message));
    }
    pass_on(fields, &mut env);
    if host == Host::Goose {
        refuse_env(fields, at, &mut env);
    }
    let env_file = fields.path("envFile").or_else(|| fields.path("env_file"));
    let cwd = fields.path("cwd");
    let stdio = Stdio { command, args, env, env_file, cwd };
    fields.set("command", first, stdio.shown_command());
    // One line for all of them, with what may be a secret hidden.
    let shown_args = stdio.shown_args();
    if !shown_args.is_empty() {
        fields.set("args", more.unwrap_or(at), format!("{shown_args:?}"));
    }
    if stdio.args.is_empty()
        && let Some((head, _)) = stdio.command.as_literal().and_then(|text| text.split_once(' '))
        && !head.contains(['/', '\\'])
    {
        let message = "`command` has a space in it: the program alone belongs there, and the rest into `args`";
        fields.warn(first, message);
    }
    Some(Transport::Stdio(Box::new(stdio)))
}

/// Variables that are handed on by their names alone (Codex, Goose).
fn pass_on(fields: &mut Fields<'_, '_>, env: &mut Vec<(String, Template)>) {
    let mut known: HashSet<String> = env.iter().map(|(name, _)| name.clone()).collect();
    for (key, optional) in [("env_vars", true), ("env_keys", false)] {
        let Some(node) = fields.take(key) else { continue };
        for item in node.items() {
            let name = item.text().or_else(|| item.get("name").and_then(Node::text));
            let Some(name) = name else {
                fields.error(item, format!("`{key}` holds {}, and has to hold names of variables", item.kind()));
                continue;
            };
            let template = Template::environment(name, optional, fields.place(item));
            fields.set(&format!("env.{name}"), item, template.masked());
            if known.insert(name.to_owned()) {
                env.push((name.to_owned(), template));
            }
        }
    }
}

/// Goose sets no variable that changes which program runs.
fn refuse_env(fields: &mut Fields<'_, '_>, at: &Node, env: &mut Vec<(String, Template)>) {
    const REFUSED: [&str; 8] = [
        "PATH",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "NODE_OPTIONS",
        "PYTHONPATH",
        "PYTHONHOME",
        "CLASSPATH",
    ];
    env.retain(|(name, _)| {
        let refused = REFUSED.contains(&name.to_ascii_uppercase().as_str());
        if refused {
            fields.warn(at, format!("Goose does not set `{name}` for a server, and neither is it set here"));
        }
        !refused
    });
}

fn remote(
    fields: &mut Fields<'_, '_>,
    facts: &Facts,
    host: Host,
    key: &'static str,
    at: &Node,
    stated: Option<Way>,
) -> Option<Transport> {
    let Some(text) = at.text().filter(|text| !text.trim().is_empty()) else {
        fields.error(at, format!("`{key}` is {}, and has to be an address such as https://…", at.kind()));
        return None;
    };
    let url = fields.template(at, text.trim());
    let is_socket = text.starts_with("unix:") || text.starts_with("pipe:");
    if is_socket && matches!(host, Host::VsCode | Host::DevContainer) {
        fields.error(at, "http over a socket is not spoken here; give the server an http: address");
        return None;
    }
    if let Err(why) = scheme::check(&url, stated) {
        fields.error(at, format!("`{key}` {why}"));
        return None;
    }
    let way = match (stated, key) {
        (Some(way), _) => way,
        (None, "tcp") => Way::WebSocket,
        // These keys say it: the older one of the host was for HTTP+SSE.
        (None, "httpUrl") => Way::Http,
        (None, "url") if host == Host::Windsurf => Way::SseFirst,
        (None, _) => match facts.untyped {
            Untyped::HttpFirst => Way::Auto,
            Untyped::SseFirst => Way::SseFirst,
            Untyped::Refused => {
                let message = format!("{} refuses an address without `type`; it is tried all the same", facts.title);
                fields.warn(at, message);
                Way::Auto
            }
        },
    };
    let mut headers = fields_headers(fields, host);
    for name in fields.map("env_http_headers") {
        // The value is the name of a variable; a header without one is left out.
        let (header, variable) = name;
        if let Some(variable) = variable.as_literal() {
            headers.push((header, Template::environment(variable, true, fields.place(at))));
        }
    }
    for key in ["env", "environment", "envs"] {
        // Some hosts let them be named in headers; a server that runs already gets none.
        fields.take(key);
    }
    let mut bearer = fields.secret("bearerToken");
    if host == Host::Bowline {
        bearer = bearer.or_else(|| fields.secret("bearer"));
    }
    for key in ["bearer_token_env_var", "bearerTokenEnv"] {
        if let Some((node, name)) = fields.text(key) {
            let template = Template::environment(name, false, fields.place(node));
            fields.set("bearer", node, template.masked());
            bearer = bearer.or(Some(template));
        }
    }
    if host == Host::Codex && fields.take("bearer_token").is_some() {
        fields.warn(at, "Codex refuses `bearer_token` in the file; name a variable with `bearer_token_env_var`");
    }
    if let Some((name, value)) = headers.iter().find(|(name, _)| !is_token(name)) {
        let message = format!("`{}` is no name that a header can have", shown(name));
        fields.problems.push(Problem::error(value.place().clone(), message));
    }
    let is_cut = |value: &&Template| value.literals().any(|words| words.contains(['\r', '\n', '\0']));
    if let Some(value) = headers.iter().map(|(_, value)| value).chain(&bearer).find(is_cut) {
        let message = "a header with a line break in it, which none can have";
        fields.problems.push(Problem::error(value.place().clone(), message));
    }
    let remote = Remote { url, way, headers, bearer };
    fields.set("url", at, remote.shown_url());
    Some(Transport::Remote(Box::new(remote)))
}

/// Whether HTTP takes it for the name of a header (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn fields_headers(fields: &mut Fields<'_, '_>, host: Host) -> Vec<(String, Template)> {
    let mut headers = Vec::new();
    if let Some(node) = fields.take("requestOptions") {
        let mut inner = fields.inner("requestOptions", node);
        headers.extend(inner.map("headers"));
        inner.rest();
        fields.absorb(inner);
    }
    headers.extend(fields.map("http_headers"));
    let Some(node) = fields.take("headers") else { return headers };
    if host == Host::Codex {
        fields.warn(node, "Codex ignores `headers`, and so are they here; its word is `http_headers`");
        return headers;
    }
    if !node.is_list() {
        headers.extend(fields.map("headers"));
        return headers;
    }
    for item in node.items() {
        let pair = item.text().and_then(|text| text.split_once([':', '=']));
        let Some((name, value)) = pair else {
            fields.error(item, "a header has to be a text such as \"Name: value\"");
            continue;
        };
        let template = fields.template(item, value.trim());
        fields.set(&format!("headers.{}", name.trim()), item, template.masked());
        headers.push((name.trim().to_owned(), template));
    }
    headers
}

fn switches(fields: &mut Fields<'_, '_>, draft: &mut Draft) {
    for (key, on) in [("enabled", true), ("disabled", false), ("startup", true)] {
        // `startup: false` of LibreChat connects when a call needs it, which is done here anyway.
        if key == "startup" {
            fields.take(key);
        } else if let Some((node, value)) = fields.bool(key) {
            let enabled = value == on;
            fields.set("enabled", node, enabled.to_string());
            match draft.enabled {
                Some(other) if other != enabled => fields.warn(node, "`enabled` and `disabled` contradict: it is off"),
                _ => {}
            }
            draft.enabled = Some(draft.enabled.unwrap_or(true) && enabled);
        }
    }
}

fn tools(fields: &mut Fields<'_, '_>, host: Host, draft: &mut Draft) {
    let mut take = |key: &'static str, told: &str| {
        let (node, names) = fields.names(key)?;
        fields.set(told, node, format!("{names:?}"));
        Some(names)
    };
    let allow: &[&'static str] = match host {
        Host::Bowline => &[],
        Host::CopilotCli => &["tools"],
        _ => &["includeTools", "enabled_tools", "available_tools", "allowedTools"],
    };
    draft.allow = allow.iter().find_map(|key| take(key, "tools.allow"));
    if host == Host::Bowline {
        return;
    }
    // An empty list of Goose stands for all.
    if host == Host::Goose && draft.allow.as_ref().is_some_and(Vec::is_empty) {
        draft.allow = None;
    }
    let deny = ["excludeTools", "disabled_tools", "disabledTools", "excludedTools", "blockedTools"];
    draft.deny = deny.iter().find_map(|key| take(key, "tools.deny"));
    draft.approve = ["alwaysAllow", "autoApprove"].iter().find_map(|key| take(key, "tools.approve"));
    if matches!(host, Host::Gemini | Host::Tabnine)
        && let Some((node, true)) = fields.bool("trust")
    {
        fields.set("tools.approve", node, "[\"*\"]");
        draft.approve = Some(vec!["*".to_owned()]);
    }
    if host == Host::Codex {
        codex_approval(fields, draft);
    }
}

/// Codex has a mode for all tools, and one for each.
fn codex_approval(fields: &mut Fields<'_, '_>, draft: &mut Draft) {
    let mut approve = Vec::new();
    if let Some((node, "approve")) = fields.text("default_tools_approval_mode") {
        fields.set("tools.approve", node, "[\"*\"]");
        approve.push("*".to_owned());
    }
    for member in fields.take("tools").map(Node::members).unwrap_or_default() {
        if member.node.get("approval_mode").and_then(Node::text) == Some("approve") {
            fields.set("tools.approve", &member.node, format!("[{:?}]", member.key));
            approve.push(member.key.clone());
        }
    }
    if !approve.is_empty() {
        draft.approve = Some(approve);
    }
}

fn times(fields: &mut Fields<'_, '_>, facts: &Facts, draft: &mut Draft) {
    let idle = fields.number_of("timeout", "timeout", facts.unit);
    draft.timeouts.idle = fields.number_of("tool_timeout_sec", "timeout", Unit::Seconds).or(idle);
    let connect = [
        ("startup_timeout_sec", Unit::Seconds),
        ("startup_timeout_ms", Unit::Milliseconds),
        ("initTimeout", Unit::Milliseconds),
        ("connectionTimeout", Unit::Milliseconds),
    ];
    draft.timeouts.connect = connect.into_iter().find_map(|(key, unit)| fields.number_of(key, "connect_timeout", unit));
}

pub(super) fn auth(fields: &mut Fields<'_, '_>) -> Auth {
    let mut auth = Auth::default();
    if let Some((_, true)) = fields.bool("requiresOAuth") {
        auth.oauth = Some(true);
    }
    if let Some((_, scopes)) = fields.names("scopes") {
        auth.scopes = scopes;
    }
    for key in ["oauth", "auth"] {
        let Some(node) = fields.take(key) else { continue };
        match &node.value {
            Value::Bool(value) => auth.oauth = Some(*value),
            Value::Text(text) if text == "oauth" => auth.oauth = Some(true),
            Value::Map(_) => {
                let mut inner = fields.inner(key, node);
                oauth(&mut inner, &mut auth);
                inner.rest();
                fields.absorb(inner);
            }
            _ => fields.warn(node, format!("`{key}` is {} and is ignored", node.kind())),
        }
    }
    auth
}

fn oauth(fields: &mut Fields<'_, '_>, auth: &mut Auth) {
    auth.oauth = Some(fields.bool("enabled").is_none_or(|(_, enabled)| enabled));
    for key in ["clientId", "client_id", "CLIENT_ID"] {
        auth.client_id = fields.path(key).or_else(|| auth.client_id.take());
    }
    for key in ["clientSecret", "client_secret", "CLIENT_SECRET"] {
        auth.client_secret = fields.secret(key).or_else(|| auth.client_secret.take());
    }
    for key in ["scopes", "scope"] {
        if let Some((_, scopes)) = fields.names(key) {
            // Some write them with spaces between, in one text.
            auth.scopes = scopes.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
        }
    }
    for key in ["authServerMetadataUrl", "metadata_url"] {
        if let Some((node, url)) = fields.text(key) {
            if url.starts_with("https://") {
                auth.metadata_url = Some(url.to_owned());
            } else {
                fields.error(node, format!("`{key}` has to be an https: address"));
            }
        }
    }
    for key in ["redirectUri", "redirect_uri"] {
        auth.redirect_uri = fields.text(key).map(|(_, uri)| uri.to_owned()).or_else(|| auth.redirect_uri.take());
    }
    for key in ["callbackPort", "callback_port"] {
        let port = fields.whole(key, 1, u64::from(u16::MAX)).and_then(|port| u16::try_from(port).ok());
        auth.callback_port = port.or(auth.callback_port);
    }
}

/// All texts of an entry that may have variables.
pub(super) fn templates(draft: &Draft) -> Vec<&Template> {
    let mut all = Vec::new();
    match &draft.transport {
        Some(Transport::Stdio(stdio)) => stdio.texts(&mut all),
        Some(Transport::Remote(remote)) => remote.texts(&mut all),
        None => {}
    }
    all
}

/// The same, to be changed.
pub(super) fn templates_mut(draft: &mut Draft) -> Vec<&mut Template> {
    match &mut draft.transport {
        Some(Transport::Stdio(stdio)) => stdio.texts_mut(),
        Some(Transport::Remote(remote)) => remote.texts_mut(),
        None => Vec::new(),
    }
}
