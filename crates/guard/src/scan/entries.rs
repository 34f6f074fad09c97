//! What is wrong with an entry of a configuration, as far as the entry itself tells.

use bowline_config::{Place, Remote, Server, Stdio, Template, Transport};

use super::command::{self, Started};
use super::rules::{
    BROAD_ROOT, DOWNLOAD_AND_RUN, KNOWN_BAD, PLAIN_HTTP, PLAIN_SECRET, Rule, SHELL, UNPINNED_IMAGE, UNPINNED_PACKAGE,
    UNPINNED_SOURCE,
};
use super::{Issue, known};
use crate::Severity;
use crate::secrets::{self, Named};

/// Checks an entry.
pub(super) fn check(server: &Server) -> Vec<Issue> {
    let mut entry = Entry { server, issues: Vec::new() };
    match &server.transport {
        Transport::Stdio(stdio) => entry.program(stdio),
        Transport::Remote(remote) => entry.remote(remote),
        _ => {}
    }
    for (item, template) in [("oauth.client_secret", &server.auth.client_secret)] {
        if let Some(template) = template {
            entry.secret(item, template, Named::Secret);
        }
    }
    entry.issues
}

struct Entry<'c> {
    server: &'c Server,
    issues: Vec<Issue>,
}

impl Entry<'_> {
    fn add(&mut self, rule: &'static Rule, severity: Severity, place: &Place, item: &str, message: String) {
        self.issues.push(Issue::new(rule, severity, message).of(&self.server.name).with_item(item).at(place));
    }

    fn program(&mut self, stdio: &Stdio) {
        let shown: Vec<String> = std::iter::once(&stdio.command).chain(&stdio.args).map(Template::shown).collect();
        // One that is written as one line is taken apart when it is started.
        let split: Vec<&str> = match shown.as_slice() {
            [line] if !line.split_whitespace().next().unwrap_or_default().contains(['/', '\\']) => command::words(line),
            words => words.iter().map(String::as_str).collect(),
        };
        let words = command::unwrapped(&split);
        let place = stdio.command.place();
        self.shell(&split, &words, place);
        self.started(&words, place);
        let starts = words.first().copied().map(command::base_name).unwrap_or_default();
        let mut before = String::new();
        for arg in &stdio.args {
            self.known_argument(&before, arg);
            self.argument(arg, &starts);
            before = arg.shown();
        }
        self.arguments_with_secrets(&stdio.args);
        for (name, value) in &stdio.env {
            self.variable(name, value);
        }
    }

    fn remote(&mut self, remote: &Remote) {
        self.address("url", &remote.url, Severity::High);
        self.secret("url", &remote.url, Named::Other);
        for (name, value) in &remote.headers {
            self.secret(&format!("headers.{name}"), value, Named::of(name));
        }
        if let Some(bearer) = &remote.bearer {
            self.secret("bearer", bearer, Named::Secret);
        }
        let replicas = self.server.pool.iter().flat_map(|pool| &pool.replicas);
        for replica in replicas {
            self.address("replicas", &replica.url, Severity::High);
        }
    }

    fn address(&mut self, item: &str, template: &Template, severity: Severity) {
        let text = template.shown();
        // `--url=http://…` as one argument, and `-e URL=http://…`.
        let address = assignments(&text).last().map_or(text.as_str(), |(_, value)| value);
        if let Some(host) = open_host(address) {
            let message = format!("`{host}` is spoken to over plain http");
            self.add(&PLAIN_HTTP, severity, template.place(), item, message);
        }
    }

    /// A shell, and what it is told to download.
    fn shell(&mut self, all: &[&str], words: &[&str], place: &Place) {
        let line = all.join(" ");
        if downloads_and_runs(&line) {
            let message = "what is downloaded is run at once".to_owned();
            return self.add(&DOWNLOAD_AND_RUN, Severity::High, place, "command", message);
        }
        let Some((program, rest)) = words.split_first() else { return };
        let name = command::base_name(program);
        let is_shell = match name.as_str() {
            "sh" | "bash" | "zsh" | "dash" | "ash" | "fish" | "ksh" => {
                rest.iter().any(|word| command::is_short_flag(word, 'c'))
            }
            "powershell" | "pwsh" => rest.iter().any(|word| word.to_ascii_lowercase().starts_with("-c")),
            // `cmd /c npx …` is how programs of npm are started on Windows.
            _ => {
                line.len() < 4_096
                    && command::base_name(all.first().copied().unwrap_or_default()) == "cmd"
                    && line.contains(['&', '|', '>'])
            }
        };
        if is_shell {
            let message = format!("the line is run by a shell, `{}`", shown(&name));
            self.add(&SHELL, Severity::Medium, place, "command", message);
        }
    }

    fn started(&mut self, words: &[&str], place: &Place) {
        for started in command::started(words) {
            match started {
                Started::Package { name, version } => {
                    if let Some(known) = known::package(name, version) {
                        let version = version.unwrap_or_default();
                        let message = format!("`{}@{version}` is {}: {}", shown(name), known.id, known.what);
                        self.add(&KNOWN_BAD, known.severity, place, "command", message);
                    }
                    if version.is_none() {
                        let message =
                            format!("the package `{}` is started in whatever version is the newest", shown(name));
                        self.add(&UNPINNED_PACKAGE, Severity::Medium, place, "command", message);
                    }
                }
                Started::Image { name, is_pinned: false } => {
                    let message = format!("the image `{}` is started as it is at the moment", shown(name));
                    self.add(&UNPINNED_IMAGE, Severity::Medium, place, "command", message);
                }
                Started::Source { name, is_pinned: false } => {
                    let message = format!("`{}` is started as it is at the moment", shown(&without_user(name)));
                    self.add(&UNPINNED_SOURCE, Severity::Medium, place, "command", message);
                }
                Started::Image { .. } | Started::Source { .. } => {}
            }
        }
    }

    /// An argument that is known to be bad, in one word or, with its flag before it, in two.
    fn known_argument(&mut self, before: &str, arg: &Template) {
        let text = arg.shown();
        let flag = text.split('=').next().unwrap_or_default();
        let found = match known::argument(&text) {
            Some(known) => Some((flag, known)),
            None => known::argument_in_two(before, &text).map(|known| (before, known)),
        };
        if let Some((flag, known)) = found {
            let message = format!("`{}` is {}: {}", shown(flag), known.id, known.what);
            self.add(&KNOWN_BAD, known.severity, arg.place(), "args", message);
        }
    }

    fn argument(&mut self, arg: &Template, program: &str) {
        let text = arg.shown();
        let is_container = matches!(program, "docker" | "podman" | "nerdctl");
        let value = text
            .split_once('=')
            .map_or(text.as_str(), |(name, value)| if name.starts_with('-') { value } else { &text });
        if let Some(root) =
            value.split(',').find_map(broad_root).or_else(|| if is_container { mounted_root(&text) } else { None })
        {
            let message = format!("the server is given `{}`", shown(&root));
            self.add(&BROAD_ROOT, Severity::High, arg.place(), "args", message);
        }
        // A variable, as `env` and containers are given them.
        match assignments(&text).find(|(name, _)| !name.starts_with('-')) {
            Some((name, value)) => {
                if let Some(known) = known::variable(name, value) {
                    let message = format!("`{}` is {}: {}", shown(name), known.id, known.what);
                    self.add(&KNOWN_BAD, known.severity, arg.place(), "args", message);
                }
                if !is_proxy(name) {
                    self.address("args", arg, Severity::Medium);
                }
            }
            // What bridges to a server with an address are given.
            None => self.address("args", arg, Severity::High),
        }
    }

    /// Arguments that are secrets by their own form, by the name before `=`, or by the flag before them.
    fn arguments_with_secrets(&mut self, args: &[Template]) {
        let mut before = String::new();
        for arg in args {
            let text = arg.shown();
            let flag = std::mem::replace(&mut before, text.clone());
            let is_flag = |text: &str| text.starts_with('-') && !text.contains(['=', ' ']);
            let is_behind_flag = is_flag(&flag) && !is_flag(&text);
            let named = if is_behind_flag { Named::of(flag.trim_start_matches('-')) } else { Named::Other };
            let is_assigned =
                assignments(&text).any(|(name, value)| Named::of(name.trim_start_matches('-')).is_secret(value));
            if is_assigned && arg.variables().next().is_none() {
                self.plain_secret("args", arg, "credential");
            } else {
                self.secret("args", arg, named);
            }
        }
    }

    fn variable(&mut self, name: &str, value: &Template) {
        if let Some(known) = known::variable(name, &value.shown()) {
            let message = format!("`{}` is {}: {}", shown(name), known.id, known.what);
            self.add(&KNOWN_BAD, known.severity, value.place(), &format!("env.{name}"), message);
        }
        let upper = name.to_ascii_uppercase();
        // It may be whatever the server speaks to.
        if !is_proxy(name) {
            self.address(&format!("env.{name}"), value, Severity::Medium);
        }
        let names_folder = ["DIR", "ROOT", "FOLDER", "WORKSPACE", "ALLOWED"].iter().any(|word| upper.contains(word));
        let shown_value = value.shown();
        if let Some(root) = shown_value.split([',', ';']).find_map(broad_root).filter(|_| names_folder) {
            let message = format!("the server is given `{}`", shown(&root));
            self.add(&BROAD_ROOT, Severity::High, value.place(), &format!("env.{name}"), message);
        }
        let named = match Named::of(name) {
            Named::Other if upper.ends_with("_KEY") => Named::Secret,
            named => named,
        };
        self.secret(&format!("env.{name}"), value, named);
    }

    /// Text that stands in the file, if it is a credential. `named` is what its name says of it.
    fn secret(&mut self, item: &str, template: &Template, named: Named) {
        for text in template.literals() {
            let is_named = named != Named::Other;
            let found = secrets::find(text).into_iter().find(|secret| is_named || !secret.is_a_guess());
            let rule = match &found {
                Some(secret) if !secret.is_a_guess() => secret.rule,
                _ if named.is_secret(text) => "credential",
                _ => continue,
            };
            return self.plain_secret(item, template, rule);
        }
    }

    fn plain_secret(&mut self, item: &str, template: &Template, rule: &str) {
        let message = format!("a {} stands in the file in plain text", rule.replace('-', " "));
        self.add(&PLAIN_SECRET, Severity::High, template.place(), item, message);
    }
}

/// What is set in an argument, from the outside in: `--env=NAME=value` sets `--env`, and `NAME`.
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let flag = || rest.split_once('=').filter(|(flag, _)| flag.starts_with('-') && !flag.contains([' ', ':']));
        let (name, value) = command::assignment(rest).or_else(flag)?;
        rest = value;
        Some((name, value))
    })
}

/// Whether a variable names a proxy. Those are spoken to in plain text, and what goes through them is not.
fn is_proxy(name: &str) -> bool {
    name.to_ascii_uppercase().contains("PROXY")
}

/// Text of a configuration as it is quoted in a message.
pub(super) fn shown(text: &str) -> String {
    bowline_protocol::excerpt(text, 120)
}

/// An address without a user's name and password.
fn without_user(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.split('/').next().unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            let path = rest.get(authority.len()..).unwrap_or_default();
            format!("{scheme}://{host}{}", path.split(['?', '#']).next().unwrap_or_default())
        }
        None => address.to_owned(),
    }
}

/// The host of an address without encryption, where that is another machine.
fn open_host(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("ws") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next()?,
        None => authority.split(':').next()?,
    };
    let host = host.to_ascii_lowercase();
    let is_here = host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        || host == "host.docker.internal";
    // A variable may say anything.
    (!is_here && !host.is_empty() && !host.contains(['$', '{'])).then(|| shown(&host))
}

/// Whether a line pipes a download into an interpreter, evaluates it, or runs the file that it was saved to.
fn downloads_and_runs(line: &str) -> bool {
    let lower = line.get(..line.len().min(16 * 1024)).unwrap_or(line).to_ascii_lowercase();
    let piped = lower.split('|').collect::<Vec<_>>();
    let from = piped.iter().position(|part| downloads(part));
    let program = |text: &str| {
        let mut words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        words.find(|word| !word.is_empty() && !matches!(*word, "sudo" | "env" | "-e")).unwrap_or_default().to_owned()
    };
    let is_piped = from.is_some_and(|from| piped.iter().skip(from + 1).any(|part| interprets(&program(part))));
    let is_evaluated =
        ["$(curl", "$(wget", "<(curl", "<(wget", "`curl", "iex(", "iex ("].iter().any(|begins| lower.contains(begins));
    is_piped || is_evaluated && downloads(&lower) || runs_what_it_saved(&lower)
}

fn downloads(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.any(|word| matches!(word, "curl" | "wget" | "iwr" | "irm" | "invoke-webrequest" | "invoke-restmethod"))
}

fn interprets(program: &str) -> bool {
    matches!(
        command::base_name(program).as_str(),
        "sh" | "bash" | "zsh" | "dash" | "python" | "python3" | "node" | "iex" | "perl" | "ruby"
    )
}

/// Whether a line saves a download, and a later command of it runs the file, or one of those that were packed in it.
fn runs_what_it_saved(line: &str) -> bool {
    let (mut saved, mut is_downloaded, mut is_unpacked): (Vec<String>, _, _) = (Vec::new(), false, false);
    // A script within quotes is one as well.
    let line = line.replace(['"', '\''], " ");
    for words in command::commands(&line) {
        let words = command::unwrapped(&words);
        let Some((program, rest)) = words.split_first() else { continue };
        let is_saved = |word: &&str| saved.contains(&command::base_name(word));
        let reads = interprets(program) || matches!(*program, "." | "source");
        if is_saved(program) || (reads && rest.iter().any(is_saved)) {
            return true;
        }
        if is_unpacked && program.starts_with("./") {
            return true;
        }
        if words.iter().any(|word| downloads(word)) {
            is_downloaded = true;
            saved.extend(saved_to(&words));
        }
        is_unpacked |= is_downloaded && matches!(*program, "tar" | "bsdtar" | "unzip" | "gunzip" | "7z");
    }
    false
}

/// The names of the files that a download may be saved to.
fn saved_to(words: &[&str]) -> Vec<String> {
    let is_output = |word: &str| {
        matches!(word, ">" | ">>" | "--output" | "--output-document" | "-outfile")
            || command::is_short_flag(word, 'o') && word.ends_with('o')
    };
    let mut names = Vec::new();
    for (word, next) in words.iter().zip(words.iter().skip(1).map(Some).chain([None])) {
        if is_output(word) {
            names.extend(next.copied());
        }
        names
            .extend(["--output=", "--output-document=", "-o", ">"].iter().find_map(|begins| word.strip_prefix(begins)));
        // Without a name it is that of the address.
        names.extend(word.contains("://").then(|| word.split(['?', '#']).next().unwrap_or_default()));
    }
    names.into_iter().map(command::base_name).filter(|name| !name.is_empty()).collect()
}

/// A value that is a whole disk, a home folder or a folder of the system.
fn broad_root(value: &str) -> Option<String> {
    const WHOLE: &[&str] = &[
        "/",
        "~",
        "$HOME",
        "${HOME}",
        "${userHome}",
        "${env:HOME}",
        "${env:USERPROFILE}",
        "%USERPROFILE%",
        "/home",
        "/Users",
        "/root",
        "/etc",
        "/var",
        "/usr",
        "/private",
        "/mnt",
        "/mnt/c",
        "/media",
        "/Volumes",
        "/proc",
        "/sys",
        "/dev",
        "/boot",
        "C:/Users",
        "C:/Windows",
    ];
    let path = value.strip_prefix("file://").unwrap_or(value).trim().replace('\\', "/");
    if path.is_empty() {
        return None;
    }
    let path = without_dots(&path);
    let bare = if path.len() > 1 { path.trim_end_matches('/') } else { &path };
    let bare = if bare.is_empty() { "/" } else { bare };
    let is_drive = bare.len() == 2 && bare.ends_with(':') && bare.starts_with(|c: char| c.is_ascii_alphabetic());
    // A flag of Windows, such as `/c`, is none.
    let is_home = ["/home/", "/Users/", "C:/Users/"]
        .iter()
        .any(|homes| bare.strip_prefix(homes).is_some_and(|rest| !rest.is_empty() && !rest.contains('/')));
    (is_drive || is_home || WHOLE.contains(&bare)).then(|| value.to_owned())
}

/// A path without `.` and `..`, where it does not depend on the folder in which it is read.
fn without_dots(path: &str) -> String {
    let is_relative = !path.starts_with(['/', '~', '$', '%']) && path.as_bytes().get(1) != Some(&b':');
    if is_relative || (!path.contains("/.") && !path.contains("//")) {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." if parts.last().is_some_and(|last| !last.is_empty()) => drop(parts.pop()),
            // A path that begins here goes on from here.
            "." | "" if !parts.is_empty() => {}
            ".." => {}
            part => parts.push(part),
        }
    }
    match parts.as_slice() {
        [] | [""] => "/".to_owned(),
        parts => parts.join("/"),
    }
}

/// A folder of this machine that a container gets as a whole, or the socket of the daemon.
fn mounted_root(text: &str) -> Option<String> {
    if text.contains("docker.sock") {
        return Some("docker.sock".to_owned());
    }
    let source = text.split(',').find_map(|part| part.strip_prefix("src=").or_else(|| part.strip_prefix("source=")));
    let source = source.or_else(|| {
        let text = ["--volume=", "-v="].iter().find_map(|flag| text.strip_prefix(flag)).unwrap_or(text);
        let text = text.strip_prefix("-v").unwrap_or(text);
        let (source, target) = text.split_once(':')?;
        target.starts_with('/').then_some(source)
    })?;
    broad_root(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_config::{Configuration, Host};

    fn found(entry: &str) -> Vec<(&'static str, Severity)> {
        let text = format!(r#"{{"mcpServers": {{"s": {entry}}}}}"#);
        let config = Configuration::read(Host::ClaudeCode, "mcp.json", &text);
        let issues = check(config.server("s").unwrap());
        issues.iter().map(|issue| (issue.rule.id, issue.severity)).collect()
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_found() {
        use Severity::{High, Medium};
        let key = format!("ghp_{}", "aB3dE6gH9jK2".repeat(3));
        for (entry, expected) in [
            (r#"{"command": "npx", "args": ["-y", "server"]}"#.to_owned(), ("BOW001", Medium)),
            (r#"{"command": "docker", "args": ["run", "-i", "--rm", "mcp/server"]}"#.to_owned(), ("BOW002", Medium)),
            (r#"{"command": "uvx", "args": ["--from", "git+https://h/r", "s"]}"#.to_owned(), ("BOW003", Medium)),
            (r#"{"url": "http://mcp.example/mcp"}"#.to_owned(), ("BOW004", High)),
            (
                r#"{"command": "npx", "args": ["mcp-remote@1.0.0", "http://mcp.example/mcp"]}"#.to_owned(),
                ("BOW004", High),
            ),
            (format!(r#"{{"command": "srv", "env": {{"X": "{key}"}}}}"#), ("BOW005", High)),
            (r#"{"command": "srv", "env": {"DB_PASSWORD": "hunter2!x"}}"#.to_owned(), ("BOW005", High)),
            (r#"{"command": "srv", "env": {"DSN": "postgres://app:s3cr3t-pw@db/x"}}"#.to_owned(), ("BOW005", High)),
            (r#"{"command": "srv", "args": ["--api-key", "k-93j2kdx"]}"#.to_owned(), ("BOW005", High)),
            (r#"{"command": "srv", "args": ["--token=k-93j2kdx"]}"#.to_owned(), ("BOW005", High)),
            (r#"{"url": "https://h/mcp", "headers": {"X-Api-Key": "k-93j2kdx"}}"#.to_owned(), ("BOW005", High)),
            (
                r#"{"url": "https://h/mcp", "headers": {"Authorization": "Bearer k93j2kdx77aa11bb22cc"}}"#.to_owned(),
                ("BOW005", High),
            ),
            (r#"{"url": "https://h/mcp?api_key=k93j2kdx77"}"#.to_owned(), ("BOW005", High)),
            (r#"{"command": "srv", "env": {"API_KEY": "${KEY:-k-93j2kdx77}"}}"#.to_owned(), ("BOW005", High)),
            (r#"{"command": "srv", "args": ["/"]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["--root=${HOME}"]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["C:\\"]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "docker", "args": ["run", "-v", "/:/host", "s:1.0"]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["/home/me/.."]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["--allow=/tmp/x,//"]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "env": {"ALLOWED_DIRS": "/"}}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["/."]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["/home/me/."]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["/home//me/./notes/../"]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["~/."]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["/mnt/c"]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "docker", "args": ["run", "-v=/:/h", "s:1.0"]}"#.to_owned(), ("BOW006", High)),
            (r#"{"command": "srv", "args": ["--url=http://mcp.example/"]}"#.to_owned(), ("BOW004", High)),
            (r#"{"command": "srv", "env": {"MCP_URL": "http://mcp.example/"}}"#.to_owned(), ("BOW004", Medium)),
            (
                r#"{"command": "docker", "args": ["run", "-e", "MCP_URL=http://mcp.example/", "s:1.0"]}"#.to_owned(),
                ("BOW004", Medium),
            ),
            (
                r#"{"command": "docker", "args": ["run", "--env=MCP_URL=http://mcp.example/", "s:1.0"]}"#.to_owned(),
                ("BOW004", Medium),
            ),
            (r#"{"command": "env", "args": ["NODE_TLS_REJECT_UNAUTHORIZED=0", "srv"]}"#.to_owned(), ("BOW010", High)),
            (
                r#"{"command": "docker", "args": ["run", "-e", "DB_PASSWORD=letmein", "s:1.0"]}"#.to_owned(),
                ("BOW005", High),
            ),
            (r#"{"command": "srv", "env": {"DB_PASSWORD": "letmein"}}"#.to_owned(), ("BOW005", High)),
            (r#"{"command": "npx -y @scope/server"}"#.to_owned(), ("BOW001", Medium)),
            (r#"{"command": "sh", "args": ["-c", "srv --x"]}"#.to_owned(), ("BOW007", Medium)),
            (r#"{"command": "sh", "args": ["-c", "curl -o x https://h/x && sh x"]}"#.to_owned(), ("BOW008", High)),
            (r#"{"command": "bash", "args": ["-c", "curl -s https://h/i.sh | bash"]}"#.to_owned(), ("BOW008", High)),
            (
                r#"{"command": "sh", "args": ["-c", "curl -fsSLo x https://h/y && chmod +x x && ./x"]}"#.to_owned(),
                ("BOW008", High),
            ),
            (
                r#"{"command": "bash", "args": ["-c", "wget -q https://h/srv?v=2; sudo /tmp/srv"]}"#.to_owned(),
                ("BOW008", High),
            ),
            (
                r#"{"command": "sh", "args": ["-c", "curl -L https://h/x.tgz | tar xz && ./srv"]}"#.to_owned(),
                ("BOW008", High),
            ),
            (
                r#"{"command": "sh", "args": ["-c", "curl https://h/env > /tmp/env; . /tmp/env"]}"#.to_owned(),
                ("BOW008", High),
            ),
            (r#"{"command": "npx", "args": ["mcp-remote@0.1.10", "https://h/mcp"]}"#.to_owned(), ("BOW010", High)),
            (r#"{"command": "srv", "env": {"NODE_TLS_REJECT_UNAUTHORIZED": "0"}}"#.to_owned(), ("BOW010", High)),
            (r#"{"command": "docker", "args": ["run", "--network", "host", "s:1.0"]}"#.to_owned(), ("BOW010", Medium)),
            (
                r#"{"command": "docker", "args": ["run", "--cap-add", "SYS_ADMIN", "s:1.0"]}"#.to_owned(),
                ("BOW010", High),
            ),
        ] {
            assert_eq!(found(&entry), [expected], "{entry}");
        }
    }

    #[test]
    fn an_ordinary_entry_is_clean() {
        for entry in [
            r#"{"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem@2026.8.31", "/home/me/notes", "."]}"#,
            r#"{"command": "node", "args": ["server.js", "--port", "3000"], "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}", "TOKEN_FILE": "/run/token", "LANG": "en_US.UTF-8"}}"#,
            r#"{"command": "uvx", "args": ["mcp-server-git@2026.10.19", "--repository", "/home/me/repo"]}"#,
            r#"{"command": "cmd", "args": ["/c", "npx", "-y", "server@1.0.0"]}"#,
            r#"{"url": "https://mcp.example/mcp", "headers": {"Authorization": "Bearer ${TOKEN}", "X-Team": "blue"}}"#,
            r#"{"url": "http://127.0.0.1:3000/mcp"}"#,
            r#"{"command": "docker", "args": ["run", "--privileged=false", "--network", "none", "--cap-add", "NET_BIND_SERVICE", "s:1.0"]}"#,
            r#"{"command": "srv", "args": ["./notes", "../notes", "./", "../..", "/home/me/.config/srv", "https://h/?next=http://x.example"]}"#,
            r#"{"command": "srv", "env": {"PWD": "/home/me/project", "PASSWORD_FILE": "/run/pw", "DB_PASSWORD": "required"}}"#,
            r#"{"command": "docker", "args": ["run", "-e", "HTTP_PROXY=http://proxy.example:3128", "-e", "TZ=Europe/Berlin", "s:1.0"]}"#,
            r#"{"url": "http://[::1]:3000/mcp"}"#,
            r#"{"url": "http://localhost/mcp"}"#,
            r#"{"command": "docker", "args": ["run", "-i", "--rm", "-e", "TOKEN", "-v", "/home/me/notes:/notes:ro", "mcp/server:1.2.3"]}"#,
        ] {
            assert_eq!(found(entry), [], "{entry}");
        }
    }

    #[test]
    fn a_shell_that_asks_whether_something_is_up_runs_no_download() {
        for script in [
            "curl -sf http://localhost:3000/health; node server.js",
            "until curl -s localhost:8080; do sleep 1; done; ./server",
            "source ~/.nvm/nvm.sh && ./server",
        ] {
            let entry = format!(r#"{{"command": "sh", "args": ["-c", "{script}"]}}"#);
            assert_eq!(found(&entry), [("BOW007", Severity::Medium)], "{script}");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_told() {
        let text = r#"{"mcpServers": {"s": {"command": "srv", "args": ["--token", "t0p-S3cret1", "--token=t0p-S3cret1"], "env": {"PASSWORD": "t0p-S3cret1"}}}}"#;
        let config = Configuration::read(Host::ClaudeCode, "mcp.json", text);
        let issues = check(config.server("s").unwrap());
        assert_eq!(issues.len(), 3);
        assert!(!format!("{issues:?}").contains("t0p"), "{issues:?}");
        assert!(
            issues.iter().all(|issue| issue.place.as_ref().is_some_and(|place| place.line == 1 && place.column > 40))
        );
    }
}
