//! What kind of file it is, told by what stands in it.

use super::Loaded;
use crate::Host;
use crate::host::Facts;
use crate::place::Source;
use crate::problem::Problem;
use crate::tree::Node;

/// The host whose shape a file has. Known hosts keep theirs, but where two versions share a file.
pub(super) fn host(given: Host, root: &Node) -> Host {
    match given {
        Host::OpenCode if root.at(&["mcp", "servers"]).is_some_and(|servers| !is_server(servers)) => Host::OpenCode2,
        Host::Generic => guess(root).unwrap_or(given),
        _ => given,
    }
}

/// Files of the common shape stay generic: all forms of variables are understood there.
fn guess(root: &Node) -> Option<Host> {
    let of = |node: &Node, test: &dyn Fn(&Node) -> bool| node.members().iter().any(|member| test(&member.node));
    let typed = |types: &'static [&str]| {
        move |node: &Node| node.get("type").and_then(Node::text).is_some_and(|text| types.contains(&text))
    };
    if root.get("mcp_servers").is_some() {
        return Some(Host::Codex);
    }
    if let Some(extensions) = root.get("extensions") {
        let is_goose = |node: &Node| {
            node.get("cmd").is_some() || typed(&["stdio", "streamable_http", "builtin", "platform"])(node)
        };
        if of(extensions, &is_goose) {
            return Some(Host::Goose);
        }
    }
    if root.get("context_servers").is_some() {
        return Some(Host::Zed);
    }
    let opencode = typed(&["local", "remote"]);
    if let Some(servers) = root.at(&["mcp", "servers"]) {
        return Some(if of(servers, &opencode) { Host::OpenCode2 } else { Host::VsCode });
    }
    if root.get("mcp").is_some_and(|mcp| of(mcp, &opencode)) {
        return Some(Host::OpenCode);
    }
    if root.get("servers").is_some() && root.get("inputs").is_some() {
        return Some(Host::VsCode);
    }
    if root.get("mcpServers").is_some_and(Node::is_list) {
        return Some(Host::Continue);
    }
    None
}

/// Whether a map is a server, and not a map of servers.
fn is_server(node: &Node) -> bool {
    ["command", "cmd", "url", "serverUrl", "httpUrl", "baseUrl", "uri"]
        .iter()
        .any(|key| node.get(key).is_some_and(|value| value.text().is_some() || value.is_list()))
}

/// The map of servers, and where it is.
pub(super) fn top<'n>(facts: &'static Facts, root: &'n Node) -> Option<(&'static [&'static str], &'n Node)> {
    let fits = |path: &&'static [&'static str]| {
        let node = root.at(path)?;
        // A bare map counts only where all that is in it are servers.
        let bare = path.is_empty();
        let fits = !bare || (!node.members().is_empty() && node.members().iter().all(|m| is_server(&m.node)));
        fits.then_some((*path, node))
    };
    facts.tops.iter().find_map(fits)
}

/// Tells of servers under a key that the host does not look at.
pub(super) fn hint(loaded: &mut Loaded, source: &Source<'_>, found: &[&str], root: &Node) {
    let facts = loaded.host.facts();
    if loaded.host == Host::Generic || !found.is_empty() {
        return;
    }
    let wanted = facts.tops.first().map(|path| path.join(".")).unwrap_or_default();
    for key in ["mcpServers", "servers", "mcp_servers", "context_servers", "extensions"] {
        let member = root.members().iter().find(|member| member.key == key);
        if let Some(member) = member.filter(|m| m.node.members().iter().any(|entry| is_server(&entry.node))) {
            let message = format!(
                "{} looks for its servers in `{wanted}`, and these are in `{key}`: rename it, or say whose file it is",
                facts.title
            );
            loaded.problems.push(Problem::warning(source.place(member.key_span.start), message));
        }
    }
}
