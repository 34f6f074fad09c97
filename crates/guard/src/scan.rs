//! The servers of a configuration, scanned for what makes them a risk.
//!
//! What the configuration tells is there without starting anything; what servers say of themselves is for the caller to
//! fetch and hand over ([`Observed`]). Each [`Issue`] breaks a [`Rule`] with an id that stays.
//!
//! ```
//! use bowline_config::{Configuration, Host};
//! use bowline_guard::scan::{Report, Scan};
//!
//! let text = r#"{"mcpServers": {"files": {"command": "npx", "args": ["-y", "server-files", "/"]}}}"#;
//! let config = Configuration::read(Host::ClaudeCode, "mcp.json", text);
//! let report: Report = Scan::new(&config).report();
//! let rules: Vec<&str> = report.issues().iter().map(|issue| issue.rule.id).collect();
//! assert_eq!(rules, ["BOW006", "BOW001"]);
//! ```

mod command;
mod entries;
mod files;
mod known;
mod report;
mod rules;
mod servers;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use bowline_config::{Configuration, Place, Server};

pub use self::rules::{RULES, Rule};
pub use self::servers::Observed;

use self::rules::{LOOKALIKE, PLAIN_SECRET};
use crate::content::{Content, Rules, lookalikes};
use crate::finding::Severity;

/// A scan of a configuration.
#[derive(Debug)]
pub struct Scan<'c> {
    config: &'c Configuration,
    servers: Vec<&'c Server>,
    observed: Vec<Observed>,
}

impl<'c> Scan<'c> {
    /// A scan of all servers, those that are switched off or not trusted included.
    pub fn new(config: &'c Configuration) -> Self {
        Self { config, servers: config.servers().iter().collect(), observed: Vec::new() }
    }

    /// Scans these servers alone.
    #[must_use]
    pub fn only(mut self, is_meant: impl Fn(&Server) -> bool) -> Self {
        self.servers.retain(|server| is_meant(server));
        self
    }

    /// Scans what servers say of themselves too.
    #[must_use]
    pub fn with_observed(mut self, observed: impl IntoIterator<Item = Observed>) -> Self {
        self.observed.extend(observed);
        self
    }

    /// Scans. The rights of the configuration files are read, and nothing else of the system; what grave is comes first.
    pub fn report(self) -> Report {
        let mut issues: Vec<Issue> = self.servers.iter().flat_map(|server| entries::check(server)).collect();
        let secret_in = |file: &Path, issues: &[Issue]| {
            issues.iter().any(|issue| {
                issue.rule == &PLAIN_SECRET && issue.place.as_ref().is_some_and(|place| &*place.file == file)
            })
        };
        let used = |path: &Path| self.servers.iter().any(|server| &*server.place.file == path);
        let read = self.config.files().iter().filter(|file| file.servers.is_some() && used(&file.path));
        let open: Vec<Issue> =
            read.filter_map(|file| files::check(&file.path, secret_in(&file.path, &issues))).collect();
        issues.extend(open);
        let places: BTreeMap<&str, &Place> =
            self.servers.iter().map(|server| (server.name.as_str(), &server.place)).collect();
        let content = Content::new(Rules::noting());
        for name in places.keys() {
            for finding in content.inspect_name(name) {
                issues.push(Issue::new(&LOOKALIKE, finding.severity, finding.message).of(name));
            }
        }
        for (first, second) in lookalikes(places.keys().copied()) {
            let message = format!("its name looks like that of `{}`", entries::shown(first));
            issues.push(Issue::new(&LOOKALIKE, Severity::High, message).of(second));
        }
        issues.extend(servers::check(&self.observed));
        for issue in &mut issues {
            if let (None, Some(server)) = (&issue.place, &issue.server) {
                issue.place = places.get(server.as_str()).map(|place| (*place).clone());
            }
        }
        issues.sort_by(|a, b| {
            (Reverse(a.severity), &a.server, a.rule.id).cmp(&(Reverse(b.severity), &b.server, b.rule.id))
        });
        Report { issues }
    }
}

/// What a scan found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    issues: Vec<Issue>,
}

impl Report {
    /// What is wrong, what is grave first.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// How grave the worst of it is; none where nothing is wrong.
    pub fn worst(&self) -> Option<Severity> {
        self.issues.iter().map(|issue| issue.severity).max()
    }
}

/// Something that is wrong with a server, or with the file that names it. Nothing in it is a secret, and foreign text in
/// it is made harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// How bad it is.
    pub severity: Severity,
    /// The server.
    pub server: Option<String>,
    /// What of the server it is about, such as `env.TOKEN` or `tool read_file`; empty for the server as a whole.
    pub item: String,
    /// What is wrong, on one line in lower case.
    pub message: String,
    /// Where it stands in the configuration.
    pub place: Option<Place>,
}

impl Issue {
    fn new(rule: &'static Rule, severity: Severity, message: String) -> Self {
        Self { rule, severity, server: None, item: String::new(), message, place: None }
    }

    fn of(mut self, server: &str) -> Self {
        self.server = Some(server.to_owned());
        self
    }

    fn with_item(mut self, item: &str) -> Self {
        self.item = bowline_protocol::excerpt(item, 200);
        self
    }

    fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }
}

impl fmt::Display for Issue {
    /// On one line, without its place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: ", self.severity, self.rule.id, self.rule.name)?;
        if let Some(server) = &self.server {
            write!(f, "{}: ", entries::shown(server))?;
        }
        if !self.item.is_empty() {
            write!(f, "{}: ", self.item)?;
        }
        f.write_str(&self.message)
    }
}
