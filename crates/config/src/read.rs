//! From a file's tree to servers.

mod entry;
mod fields;
mod native;
mod shape;

use std::collections::{HashMap, HashSet};
use std::path::Path;

pub(crate) use self::fields::Fields;
use crate::host::Facts;
use crate::model::{Auth, Extra, NameRules, Timeouts, Transport};
use crate::place::Source;
use crate::problem::{Problem, shown};
use crate::settings::{Group, Layers, Policy, Pool};
use crate::tree::{self, MAX_FILE, Node, Syntax, Value};
use crate::{Host, Place, Scope};

/// What one file says.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) host: Host,
    pub(crate) scope: Scope,
    /// Whether nothing can be taken from it: it cannot be read, or its syntax is broken.
    pub(crate) unusable: bool,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) own: Own,
}

impl Loaded {
    /// A file of which nothing can be taken.
    pub(crate) fn unusable(host: Host, scope: Scope, problems: Vec<Problem>) -> Self {
        Self { host, scope, unusable: true, drafts: Vec::new(), problems, inputs: Vec::new(), own: Own::default() }
    }
}

/// What bowline's own file says beside servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    /// Applied to every server that does not say otherwise.
    pub(crate) defaults: Option<Draft>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) groups: Vec<Group>,
    pub(crate) trusted: Vec<String>,
    /// The hosts whose files are read too; none says all of them.
    pub(crate) imports: Option<Vec<Host>>,
}

/// A value that a host asks the person for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputSpec {
    /// What `${input:…}` names.
    pub id: String,
    /// What to ask.
    pub description: Option<String>,
    /// Whether the answer is a secret.
    pub password: bool,
    /// The answers there are, if it is a choice.
    pub options: Vec<String>,
    /// Whether there is an answer that is taken where nobody gives another.
    pub has_default: bool,
    /// Where it stands.
    pub place: Place,
}

/// An entry: a server, or, in bowline's own file, changes to one of another file.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) host: Host,
    pub(crate) scope: Scope,
    pub(crate) place: Place,
    /// Nothing where the entry is about a server of another file, or cannot be used.
    pub(crate) transport: Option<Transport>,
    pub(crate) enabled: Option<bool>,
    pub(crate) timeouts: Timeouts,
    pub(crate) allow: Option<Vec<String>>,
    pub(crate) deny: Option<Vec<String>>,
    pub(crate) approve: Option<Vec<String>>,
    pub(crate) prompts: Names,
    pub(crate) resources: Names,
    pub(crate) trust: Option<bool>,
    pub(crate) auth: Auth,
    pub(crate) pool: Option<Pool>,
    pub(crate) layers: Layers,
    pub(crate) policy: Option<String>,
    pub(crate) extra: Vec<Extra>,
    pub(crate) settings: Vec<Setting>,
    /// Whether something is wrong with it that keeps it from being used.
    pub(crate) broken: bool,
}

/// What an entry allows and denies of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) allow: Option<Vec<String>>,
    pub(crate) deny: Option<Vec<String>>,
}

impl From<Names> for NameRules {
    fn from(names: Names) -> Self {
        Self { allow: names.allow, deny: names.deny.unwrap_or_default() }
    }
}

/// A value that an entry sets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The key, such as `env.DB_DSN`.
    pub key: String,
    /// The value as it may be shown.
    pub value: String,
    /// Where it stands.
    pub place: Place,
}

/// The text of a file, bounded.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn text(path: &Path) -> Result<Option<String>, Problem> {
    use std::io::Read;

    let whole = || Place::whole(path);
    let file = match crate::file::open(path) {
        Ok(Some(file)) => file,
        Ok(None) => {
            let message = format!("is {}, and no ordinary file: save it as one", crate::file::kind(path));
            return Err(Problem::error(whole(), message));
        }
        // A folder of its path may be a file: then it is as little there.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(Problem::error(whole(), format!("cannot be read: {error}"))),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Problem::error(whole(), format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Problem::error(whole(), format!("is larger than {} MiB and is not read", MAX_FILE >> 20)));
    }
    decode(path, bytes).map(Some)
}

/// Text from the bytes of a file: UTF-8, as every host writes it.
pub(crate) fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, Problem> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Problem::error(Place::whole(path), "is UTF-16; save it as UTF-8"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
        Problem::error(Source::new(path, &before).place(good), "no UTF-8 from here on; save the file as UTF-8")
    })
}

/// The mark of byte order that some editors put before a text, and the text.
pub(crate) fn split_bom(text: &str) -> (&str, &str) {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    text.split_at(start)
}

/// The syntax of a host's file of this name.
pub(crate) fn syntax(host: Host, path: &Path) -> Syntax {
    let facts = host.facts();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match (extension.to_ascii_lowercase().as_str(), facts.syntax) {
        ("toml", _) => Syntax::Toml,
        ("yaml" | "yml", _) => Syntax::Yaml,
        ("json", Syntax::Json) => Syntax::Json,
        ("json" | "jsonc" | "json5", _) => Syntax::Jsonc,
        (_, syntax) => syntax,
    }
}

/// The host whose shape a file has.
pub(crate) fn shape_of(host: Host, root: &Node) -> Host {
    shape::host(host, root)
}

/// Where the servers are, and the node that holds them.
pub(crate) fn top_of<'n>(facts: &'static Facts, root: &'n Node) -> Option<(&'static [&'static str], &'n Node)> {
    shape::top(facts, root)
}

/// Reads the text of a host's file. Whatever is wrong with it is among its problems.
pub(crate) fn file(host: Host, scope: Scope, path: &Path, text: &str, folder: Option<&str>) -> Loaded {
    let (_, text) = split_bom(text);
    let source = Source::new(path, text);
    let parsed = match tree::parse(&source, syntax(host, path)) {
        Ok(parsed) => parsed,
        Err(problem) => return Loaded::unusable(host, scope, vec![problem]),
    };
    let root = parsed.root;
    if !root.is_map() {
        let message = format!("the file is {}, and has to be a map", root.kind());
        let problem = Problem::error(source.place(root.span.start), message);
        return Loaded::unusable(host, scope, parsed.problems.into_iter().chain([problem]).collect());
    }
    let mut loaded = Loaded { unusable: false, ..Loaded::unusable(host, scope, parsed.problems) };
    loaded.host = shape::host(host, &root);
    let facts = loaded.host.facts();
    if loaded.host == Host::Bowline {
        native::file(&mut loaded, &source, &root);
    }
    match shape::top(facts, &root) {
        Some((path, servers)) => {
            shape::hint(&mut loaded, &source, path, &root);
            map(&mut loaded, facts, &source, servers, scope);
        }
        None => shape::hint(&mut loaded, &source, &[], &root),
    }
    if loaded.host == Host::ClaudeCode {
        local(&mut loaded, &source, &root, folder);
    }
    if matches!(loaded.host, Host::Gemini | Host::Tabnine) {
        gemini_switches(&mut loaded, &source, &root);
    }
    inputs(&mut loaded, &source, &root);
    loaded
}

/// The most servers of one file that are read.
const MAX_SERVERS: usize = 10_000;
/// The most that is told of one entry.
const MOST_OF_ENTRY: usize = 100;

/// Reads the servers of one map, or of one list.
fn map(loaded: &mut Loaded, facts: &Facts, source: &Source<'_>, servers: &Node, scope: Scope) {
    // A key that nothing stands behind, such as one whose servers are all commented out.
    if servers.value == Value::Null {
        return;
    }
    let beyond = servers.members().get(MAX_SERVERS).map(|member| member.key_span.start);
    if let Some(at) = beyond.or_else(|| servers.items().get(MAX_SERVERS).map(|item| item.span.start)) {
        let message = format!("the file names more than {MAX_SERVERS} servers, and those from here on are not read");
        loaded.problems.push(Problem::error(source.place(at), message));
    }
    if servers.is_list() {
        let mut first = HashMap::new();
        for item in servers.items().iter().take(MAX_SERVERS) {
            let Some(name) = item.get("name").and_then(Node::text) else {
                let message = "an entry of the list has no `name`";
                loaded.problems.push(Problem::error(source.place(item.span.start), message));
                continue;
            };
            if let Some(earlier) = first.insert(name, item.span.start) {
                first.insert(name, earlier);
                let line = source.place(earlier).line;
                let message = format!("`{}` is in this list already, in line {line}: that one counts", shown(name));
                loaded.problems.push(Problem::warning(source.place(item.span.start), message).of(name));
                continue;
            }
            entry(loaded, facts, source, (name, item.span.start), item, scope);
        }
        return;
    }
    if !servers.is_map() {
        let message = format!("the servers are {}, and have to be a map of names to servers", servers.kind());
        loaded.problems.push(Problem::error(source.place(servers.span.start), message));
        return;
    }
    // Of two with one name the last one counts, and the problem is told already.
    let last: HashMap<&str, usize> =
        servers.members().iter().enumerate().map(|(index, member)| (member.key.as_str(), index)).collect();
    for (index, member) in servers.members().iter().enumerate().take(MAX_SERVERS) {
        if last.get(member.key.as_str()) != Some(&index) {
            continue;
        }
        entry(loaded, facts, source, (&member.key, member.key_span.start), &member.node, scope);
    }
}

fn entry(
    loaded: &mut Loaded,
    facts: &Facts,
    source: &Source<'_>,
    (name, at): (&str, usize),
    node: &Node,
    scope: Scope,
) {
    let place = source.place(at);
    if name.trim().is_empty() {
        loaded.problems.push(Problem::error(place, "a server without a name"));
        return;
    }
    if !node.is_map() {
        let message = format!("the server is {}, and has to be a map", node.kind());
        loaded.problems.push(Problem::error(source.place(node.span.start), message).of(name));
        return;
    }
    let (draft, mut problems) = entry::read(loaded.host, facts, source, name, place.clone(), node, scope);
    if problems.len() > MOST_OF_ENTRY {
        // Why it cannot be used comes first.
        problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        let message = format!("{} more things about this entry are not told", problems.len() - MOST_OF_ENTRY);
        problems.truncate(MOST_OF_ENTRY);
        problems.push(Problem::note(place, message).of(name));
    }
    loaded.problems.extend(problems);
    loaded.drafts.extend(draft);
}

/// Claude Code keeps what one person set for one project in the person's file.
fn local(loaded: &mut Loaded, source: &Source<'_>, root: &Node, folder: Option<&str>) {
    let Some(project) = folder.and_then(|folder| root.at(&["projects", folder])) else { return };
    let facts = loaded.host.facts();
    if let Some(servers) = project.get("mcpServers") {
        map(loaded, facts, source, servers, Scope::Local);
    }
}

/// Gemini switches servers on and off beside them.
fn gemini_switches(loaded: &mut Loaded, source: &Source<'_>, root: &Node) {
    let mut names = |key: &str| match root.at(&["mcp", key]) {
        None => None,
        Some(list) if list.is_list() => Some(list.items().iter().filter_map(Node::text).collect::<HashSet<_>>()),
        Some(node) => {
            if node.value != Value::Null {
                let message = format!("`mcp.{key}` is {}, and is ignored: it is a list of names there", node.kind());
                loaded.problems.push(Problem::warning(source.place(node.span.start), message));
            }
            None
        }
    };
    let (allowed, excluded) = (names("allowed"), names("excluded"));
    for draft in &mut loaded.drafts {
        let name = draft.name.as_str();
        let off = excluded.as_ref().is_some_and(|names| names.contains(name))
            || allowed.as_ref().is_some_and(|names| !names.contains(name));
        if off {
            draft.enabled = Some(false);
        }
    }
}

/// What the host asks the person for.
fn inputs(loaded: &mut Loaded, source: &Source<'_>, root: &Node) {
    let mut defaults = HashMap::new();
    for item in root.get("inputs").map(Node::items).unwrap_or_default() {
        let text = |key| item.get(key).and_then(Node::text).map(str::to_owned);
        let Some(id) = text("id") else {
            loaded.problems.push(Problem::warning(source.place(item.span.start), "an input without an `id`"));
            continue;
        };
        let options = item.get("options").map(Node::items).unwrap_or_default();
        let default = text("default").map(|answer| (id.clone(), answer));
        loaded.inputs.push(InputSpec {
            id,
            description: text("description"),
            password: item.get("password").and_then(Node::bool).unwrap_or(false),
            // A choice is a text, or one with a label.
            options: options
                .iter()
                .filter_map(|option| option.text().or_else(|| option.get("value")?.text()).map(str::to_owned))
                .collect(),
            has_default: default.is_some(),
            place: source.place(item.span.start),
        });
        defaults.extend(default);
    }
    if !defaults.is_empty() {
        for template in loaded.drafts.iter_mut().flat_map(entry::templates_mut) {
            template.answer(&defaults);
        }
    }
    let known: HashSet<&str> = loaded.inputs.iter().map(|input| input.id.as_str()).collect();
    for draft in &loaded.drafts {
        let used = entry::templates(draft);
        for (template, variable) in used.iter().flat_map(|t| t.variables().map(move |v| (t, v))) {
            if loaded.host == Host::VsCode
                && variable.source == crate::VariableSource::Input
                && !known.contains(variable.name.as_str())
            {
                let message = format!("`{variable}`: there is no input `{}` in `inputs`", shown(&variable.name));
                loaded.problems.push(Problem::warning(template.place().clone(), message).of(&draft.name));
            }
        }
    }
}

#[cfg(test)]
mod tests;
