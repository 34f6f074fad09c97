//! What bowline's own file has beyond those of hosts.

use std::time::Duration;

use super::entry::auth;
use super::{Draft, Fields, Loaded, Names};
use crate::model::{Timeouts, ToolRules, Transport};
use crate::place::Source;
use crate::problem::{Problem, shown};
use crate::settings::{Breaker, Cache, Group, Hedge, Layer, Layers, Limits, Policy, Pool, Replica, Retry};
use crate::tree::{Node, Value};
use crate::{Host, Scope};

/// Reads what stands beside the servers.
pub(super) fn file(loaded: &mut Loaded, source: &Source<'_>, root: &Node) {
    let mut fields = Fields::new(source, root, &Host::Bowline.facts().grammar);
    fields.take("servers");
    fields.take("inputs");
    if let Some((node, folders)) = fields.names("trusted_folders") {
        if loaded.scope == Scope::Project {
            fields.error(node, "a project cannot say that it is to be trusted; this belongs into your own file");
        } else {
            loaded.own.trusted = folders;
        }
    }
    if let Some((node, names)) = fields.names("imports") {
        let mut hosts = Vec::new();
        for name in names {
            match name.parse::<Host>() {
                Ok(host) => hosts.push(host),
                Err(error) => fields.error(node, error.to_string()),
            }
        }
        loaded.own.imports = Some(hosts);
    }
    if let Some(node) = table(&mut fields, "defaults") {
        let name = "defaults";
        let (draft, problems) = defaults(source, node, loaded.scope);
        fields.problems.extend(problems.into_iter().map(|problem| problem.of(name)));
        loaded.own.defaults = Some(draft);
    }
    for member in table(&mut fields, "policies").map(Node::members).unwrap_or_default() {
        if !member.node.is_map() {
            let message = format!(
                "the policy `{}` is {}, and has to be a table of rules",
                shown(&member.key),
                member.node.kind()
            );
            fields.error(&member.node, message);
            continue;
        }
        let mut inner = fields.inner(&format!("policies.{}", member.key), &member.node);
        let tools = rules(&mut inner);
        let (prompts, resources) = (table_of_names(&mut inner, "prompts"), table_of_names(&mut inner, "resources"));
        let read_only = inner.bool("read_only").is_some_and(|(_, value)| value);
        inner.refuse_rest(&inner.used());
        // One that says something else than was meant would permit what it was to refuse.
        if inner.is_broken() {
            fields.absorb(inner);
            continue;
        }
        loaded.own.policies.push(Policy {
            name: member.key.clone(),
            tools: ToolRules {
                allow: tools.names.allow,
                deny: tools.names.deny.unwrap_or_default(),
                approve: tools.approve.unwrap_or_default(),
            },
            prompts: prompts.into(),
            resources: resources.into(),
            read_only,
            place: Some(source.place(member.key_span.start)),
        });
        fields.absorb(inner);
    }
    for member in table(&mut fields, "groups").map(Node::members).unwrap_or_default() {
        let servers: Option<Vec<String>> =
            member.node.items().iter().map(|item| item.text().map(str::to_owned)).collect();
        match servers.filter(|_| member.node.is_list()) {
            Some(servers) => loaded.own.groups.push(Group {
                name: member.key.clone(),
                servers,
                place: source.place(member.key_span.start),
            }),
            None => fields.error(&member.node, "a group has to be a list of names of servers"),
        }
    }
    fields.refuse_rest(&fields.used());
    loaded.problems.extend(fields.problems);
}

fn defaults(source: &Source<'_>, node: &Node, scope: Scope) -> (Draft, Vec<Problem>) {
    let mut fields = Fields::new(source, node, &Host::Bowline.facts().grammar);
    let mut draft = Draft {
        name: String::new(),
        host: Host::Bowline,
        scope,
        place: source.place(node.span.start),
        transport: None,
        enabled: None,
        timeouts: times(&mut fields),
        allow: None,
        deny: None,
        approve: None,
        prompts: Names::default(),
        resources: Names::default(),
        trust: None,
        auth: crate::Auth::default(),
        pool: None,
        layers: Layers::default(),
        policy: None,
        extra: Vec::new(),
        settings: Vec::new(),
        broken: false,
    };
    draft.layers = layers(&mut fields);
    draft.policy = policy(&mut fields);
    fields.refuse_rest(&fields.used());
    draft.broken = fields.is_broken();
    draft.settings = fields.settings;
    (draft, fields.problems)
}

/// A member that has to be a table: one that is something else would say nothing, and so permit what it was to refuse.
fn table<'n>(fields: &mut Fields<'_, 'n>, key: &'static str) -> Option<&'n Node> {
    let node = fields.take(key)?;
    if !node.is_map() {
        fields.error(node, format!("`{key}` is {}, and has to be a table of settings", node.kind()));
        return None;
    }
    Some(node)
}

/// What an entry may say, for messages.
const KEYS: [&str; 21] = [
    "command",
    "args",
    "env",
    "env_file",
    "cwd",
    "url",
    "type",
    "headers",
    "bearer",
    "enabled",
    "connect_timeout",
    "timeout",
    "max_time",
    "tools",
    "prompts",
    "resources",
    "trust",
    "oauth",
    "policy",
    "layers",
    "pool",
];

/// Reads what an entry has beyond its transport.
pub(super) fn entry(fields: &mut Fields<'_, '_>, draft: &mut Draft, node: &Node) {
    draft.timeouts = times(fields);
    if let Some(tools) = table(fields, "tools") {
        let mut inner = fields.inner("tools", tools);
        let rules = rules(&mut inner);
        inner.refuse_rest(&["allow", "deny", "approve"]);
        fields.absorb(inner);
        (draft.allow, draft.deny, draft.approve) = (rules.names.allow, rules.names.deny, rules.approve);
    }
    draft.prompts = table_of_names(fields, "prompts");
    draft.resources = table_of_names(fields, "resources");
    if let Some((node, trust)) = fields.bool("trust") {
        fields.set("trust", node, trust.to_string());
        draft.trust = Some(trust);
    }
    draft.auth = auth(fields);
    draft.layers = layers(fields);
    draft.policy = policy(fields);
    fields.take("description");
    let remote = match &draft.transport {
        Some(Transport::Remote(_)) => Some(true),
        Some(Transport::Stdio(_)) => Some(false),
        None => None,
    };
    draft.pool = pool(fields, remote);
    if draft.transport.is_none() && !fields.is_broken() {
        // Whoever may change what a server gets without naming the server could have its secrets sent elsewhere.
        let about_transport = ["args", "env", "env_file", "cwd", "headers", "bearer", "oauth", "auth", "pool", "type"];
        for key in about_transport {
            if let Some(at) = node.get(key) {
                let message = format!("`{key}` stands without `command` or `url`: say here which server it is for");
                fields.error(at, message);
            }
        }
    }
    let (wrong, whose): (&[&'static str], _) = match remote {
        Some(true) => (&["args", "env", "env_file", "envFile", "cwd"], "servers that are programs"),
        Some(false) => (&["headers", "bearer"], "servers with an address"),
        None => (&[], ""),
    };
    for key in wrong {
        if let Some(at) = fields.take(key) {
            fields.error(at, format!("`{key}` is for {whose}, and this one is not"));
        }
    }
    fields.refuse_rest(&KEYS);
}

fn policy(fields: &mut Fields<'_, '_>) -> Option<String> {
    let (node, name) = fields.text("policy")?;
    fields.set("policy", node, name);
    Some(name.to_owned())
}

struct Rules {
    names: Names,
    approve: Option<Vec<String>>,
}

fn rules(fields: &mut Fields<'_, '_>) -> Rules {
    let names = names(fields);
    Rules { names, approve: list_of_names(fields, "approve").map(|(_, names)| names) }
}

/// A table of what is allowed and what is denied.
fn table_of_names(fields: &mut Fields<'_, '_>, key: &'static str) -> Names {
    let Some(node) = table(fields, key) else { return Names::default() };
    let mut inner = fields.inner(key, node);
    let names = names(&mut inner);
    inner.refuse_rest(&["allow", "deny"]);
    fields.absorb(inner);
    names
}

fn list_of_names<'n>(fields: &mut Fields<'_, 'n>, key: &'static str) -> Option<(&'n Node, Vec<String>)> {
    let (node, names) = fields.names(key)?;
    fields.set(key, node, format!("{names:?}"));
    Some((node, names))
}

fn names(fields: &mut Fields<'_, '_>) -> Names {
    let (allow, deny) = (list_of_names(fields, "allow"), list_of_names(fields, "deny"));
    if let (Some((_, allow)), Some((node, deny))) = (&allow, &deny)
        && let Some(both) = deny.iter().find(|name| allow.contains(name))
    {
        fields.error(node, format!("`{}` is both allowed and denied", shown(both)));
    }
    let names = |found: Option<(&Node, Vec<String>)>| found.map(|(_, names)| names);
    Names { allow: names(allow), deny: names(deny) }
}

fn times(fields: &mut Fields<'_, '_>) -> Timeouts {
    let connect = fields.duration("connect_timeout").map(|(_, time)| time);
    let idle = fields.duration("timeout");
    let total = fields.duration("max_time").map(|(_, time)| time);
    if let (Some((node, idle)), Some(total)) = (idle, total)
        && idle > total
    {
        fields.error(node, "`timeout`, the longest silence, is longer than `max_time`, the whole call");
    }
    Timeouts { connect, idle: idle.map(|(_, time)| time), total }
}

fn pool(fields: &mut Fields<'_, '_>, remote: Option<bool>) -> Option<Pool> {
    let node = table(fields, "pool")?;
    let mut inner = fields.inner("pool", node);
    let connections = number(inner.whole("connections", 1, 64)).unwrap_or(1);
    let sticky = inner.bool("sticky").is_some_and(|(_, value)| value);
    let mut replicas = Vec::new();
    if let Some(list) = inner.take("replicas") {
        if remote == Some(false) {
            inner.error(list, "`pool.replicas` are addresses, and this server is a program: say `connections`");
        }
        for item in list.items() {
            let mut each = inner.inner("replicas", item);
            let (url, weight) = match &item.value {
                Value::Text(text) => (Some(each.template(item, text)), 1),
                _ => (each.path("url"), number(each.whole("weight", 1, 1_000)).unwrap_or(1)),
            };
            match url {
                Some(url) => replicas.push(Replica { url, weight }),
                None if !each.is_broken() => each.error(item, "a replica needs its `url`"),
                None => {}
            }
            each.settings.clear();
            if item.is_map() {
                each.refuse_rest(&["url", "weight"]);
            }
            inner.absorb(each);
        }
        if !list.is_list() {
            inner.error(list, "`pool.replicas` has to be a list of addresses");
        }
        inner.set("replicas", list, format!("{} more", replicas.len()));
    }
    if sticky && connections == 1 && replicas.is_empty() {
        inner.error(node, "`pool.sticky` keeps a caller to one of several, and there is one connection alone");
    }
    inner.refuse_rest(&["connections", "replicas", "sticky"]);
    fields.absorb(inner);
    Some(Pool { connections, replicas, sticky })
}

fn layers(fields: &mut Fields<'_, '_>) -> Layers {
    let Some(node) = table(fields, "layers") else { return Layers::default() };
    let mut inner = fields.inner("layers", node);
    let layers = Layers {
        retry: layer(&mut inner, "retry", retry),
        breaker: layer(&mut inner, "breaker", breaker),
        limits: layer(&mut inner, "limits", limits),
        hedge: layer(&mut inner, "hedge", hedge),
        cache: layer(&mut inner, "cache", cache),
    };
    inner.refuse_rest(&["retry", "breaker", "limits", "hedge", "cache"]);
    fields.absorb(inner);
    layers
}

fn layer<'a, 's, T: Default>(
    fields: &mut Fields<'a, 's>,
    key: &'static str,
    read: impl Fn(&mut Fields<'a, 's>) -> T,
) -> Option<Layer<T>> {
    let node = fields.take(key)?;
    match &node.value {
        Value::Bool(on) => {
            fields.set(key, node, on.to_string());
            Some(if *on { Layer::On(T::default()) } else { Layer::Off })
        }
        Value::Map(_) => {
            let mut inner = fields.inner(key, node);
            let settings = read(&mut inner);
            let known = inner.used();
            inner.refuse_rest(&known);
            fields.absorb(inner);
            Some(Layer::On(settings))
        }
        _ => {
            fields.error(node, format!("`{key}` has to be true, false or a table of settings"));
            None
        }
    }
}

fn retry(fields: &mut Fields<'_, '_>) -> Retry {
    let max_attempts = number(fields.whole("max_attempts", 1, 100));
    let (base_delay, max_delay) = ordered(fields, "base_delay", "max_delay");
    Retry { max_attempts, base_delay, max_delay }
}

fn breaker(fields: &mut Fields<'_, '_>) -> Breaker {
    let failure_rate = fields.share("failure_rate");
    let min_calls = number(fields.whole("min_calls", 1, 1_000_000));
    let window = fields.duration("window").map(|(_, time)| time);
    let (cool_down, max_cool_down) = ordered(fields, "cool_down", "max_cool_down");
    Breaker { failure_rate, min_calls, window, cool_down, max_cool_down }
}

fn limits(fields: &mut Fields<'_, '_>) -> Limits {
    let at_once = number(fields.whole("at_once", 1, 100_000));
    let rate = number(fields.whole("rate", 1, 1_000_000_000));
    let per = fields.duration("per");
    let queue = number(fields.whole("queue", 0, 1_000_000));
    let max_wait = fields.duration("max_wait").map(|(_, time)| time);
    if let (None, Some((node, _))) = (rate, per) {
        fields.error(node, "`per` is the time of `rate`, which is not set");
    }
    Limits { at_once, rate, per: per.map(|(_, time)| time), queue, max_wait }
}

fn hedge(fields: &mut Fields<'_, '_>) -> Hedge {
    let quantile = fields.share("quantile");
    let min_delay = fields.duration("min_delay").map(|(_, time)| time);
    Hedge { quantile, min_delay }
}

fn cache(fields: &mut Fields<'_, '_>) -> Cache {
    let ttl = fields.duration("ttl").map(|(_, time)| time);
    let stale_on_error = fields.duration("stale_on_error").map(|(_, time)| time);
    let max_bytes = fields.whole("max_bytes", 1, 1 << 40);
    Cache { ttl, stale_on_error, max_bytes }
}

/// Two times of which the second is the bound of the first.
fn ordered(
    fields: &mut Fields<'_, '_>,
    first: &'static str,
    bound: &'static str,
) -> (Option<Duration>, Option<Duration>) {
    let least = fields.duration(first);
    let most = fields.duration(bound).map(|(_, time)| time);
    if let (Some((node, least)), Some(most)) = (least, most)
        && least > most
    {
        fields.error(node, format!("`{first}` is longer than its bound `{bound}`"));
    }
    (least.map(|(_, time)| time), most)
}

fn number(value: Option<u64>) -> Option<u32> {
    value.and_then(|value| u32::try_from(value).ok())
}
