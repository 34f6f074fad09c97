//! `bowline scan`: what makes the servers of the configuration a risk.

use std::collections::{BTreeMap, HashSet};

use bowline::config::Server;
use bowline::guard::Severity;
use bowline::guard::scan::{Observed, Report, Scan};
use bowline::hub::Hub;
use serde_json::Value;

use crate::exit::{CliError, Code, Stop};
use crate::fleet::{Failures, Fleet};
use crate::options::{self, Format};
use crate::output::Output;
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;

pub(super) async fn run(options: options::Scan, run: &Run, out: &mut Output) -> Result<(), Stop> {
    // What pins hold back is what a scan is for.
    let fleet = Fleet::load(run).without_guard();
    let is_some = !options.servers.is_empty() || options.group.is_some();
    let selected = fleet.select(&options.servers, options.group.as_deref())?;
    let is_meant = |server: &Server| !is_some || selected.contains(&server.name);
    let mut failures = Failures::default();
    let observed = if options.offline { Vec::new() } else { observe(&fleet, &selected, &mut failures, run).await? };
    let asked = observed.len();
    let report = Scan::new(fleet.config()).only(is_meant).with_observed(observed).report();
    let scanned = fleet.config().servers().iter().filter(|server| is_meant(server)).count();
    if options.sarif {
        out.json(&report.to_sarif(std::env::current_dir().ok().as_deref()))?;
    } else if out.format() == Format::Json {
        out.json(&document(&report, &failures))?;
    } else {
        out.long_text(&shown(&report))?;
    }
    run.console.note(summary(&report, scanned, asked));
    let bad = options.fail_on.least().map_or(0, |least| count(&report, |severity| severity >= least));
    if bad > 0 {
        let (word, least) = (if bad == 1 { "finding" } else { "findings" }, options.fail_on.least());
        let least = least.map_or("", Severity::name);
        return Err(CliError::new(Code::Denied, format!("{bad} {word} of severity {least} or worse"))
            .hint("each finding says what to do; --fail-on sets what counts")
            .into());
    }
    if let Some((server, error)) = failures.0.iter().next() {
        let message = match failures.0.len() {
            1 => format!("`{}` could not be asked what it has", sanitize::line(server)),
            several => format!("{several} servers could not be asked what they have"),
        };
        return Err(CliError::new(error.code, message).hint("--offline scans what the files tell").into());
    }
    Ok(())
}

/// Asks servers what they have. One in a folder that is not trusted is not started, and that is told.
async fn observe(
    fleet: &Fleet,
    selected: &HashSet<String>,
    failures: &mut Failures,
    run: &Run,
) -> Result<Vec<Observed>, Stop> {
    let is_trusted = |name: &&String| fleet.config().server(name).is_ok_and(|server| server.trusted);
    let trusted: HashSet<String> = selected.iter().filter(is_trusted).cloned().collect();
    let mut left: Vec<&String> = selected.difference(&trusted).collect();
    left.sort_unstable();
    for name in left {
        let name = sanitize::line(name);
        run.console.warn(format!("{name}: not started, as its entry is broken or its folder is not trusted yet"));
    }
    if trusted.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<String, Observed> = BTreeMap::new();
    let asked = async |hub: &Hub| {
        macro_rules! read {
            ($lists:expr, $member:ident) => {{
                let take = async |server: &str, items| {
                    found.entry(server.to_owned()).or_insert_with(|| Observed::new(server)).$member = items;
                };
                fleet.read($lists, failures, take).await;
            }};
        }
        read!(hub.tools(), tools);
        read!(hub.prompts(), prompts);
        read!(hub.resources(), resources);
        read!(hub.resource_templates(), templates);
        for (name, observed) in &mut found {
            // It answered a moment ago; where it is gone since, what it has is scanned without its instructions.
            if let Ok(client) = hub.client(name).await {
                observed.instructions = client.server().instructions.clone();
            }
        }
        Ok(())
    };
    fleet.with_hub(&trusted, asked).await?;
    Ok(found.into_values().collect())
}

fn document(report: &Report, failures: &Failures) -> Value {
    let mut document = report.to_json();
    if let Some(document) = document.as_object_mut() {
        document.insert("failures".to_owned(), failures.to_json().into());
    }
    document
}

fn count(report: &Report, is_meant: impl Fn(Severity) -> bool) -> usize {
    report.issues().iter().filter(|issue| is_meant(issue.severity)).count()
}

fn summary(report: &Report, scanned: usize, asked: usize) -> String {
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let mut counts = Vec::new();
    for severity in [Severity::High, Severity::Medium, Severity::Low, Severity::Note] {
        let of = count(report, |other| other == severity);
        if of > 0 {
            counts.push(format!("{of} {severity}"));
        }
    }
    let found = if counts.is_empty() { "nothing found".to_owned() } else { format!("found {}", counts.join(", ")) };
    format!("scanned {}, asked {asked} of them what they have: {found}", plural(scanned, "server"))
}

/// Each finding with its place, then what to do about each rule that is broken.
fn shown(report: &Report) -> Styled {
    let mut text = Styled::new();
    let mut rules: BTreeMap<&str, &str> = BTreeMap::new();
    for issue in report.issues() {
        rules.insert(issue.rule.id, issue.rule.help);
        text = text.bold(format!("{:6}", issue.severity.name())).plain(format!("  {}  ", issue.rule.id));
        let mut words = Vec::new();
        words.extend(issue.server.as_deref().map(sanitize::line));
        if !issue.item.is_empty() {
            words.push(sanitize::line(&issue.item));
        }
        words.push(sanitize::line(&issue.message));
        text = text.plain(words.join(": ")).line();
        if let Some(place) = &issue.place {
            text = text.dim(format!("        {}", sanitize::line(&place.to_string()))).line();
        }
    }
    if !rules.is_empty() {
        text = text.line();
    }
    for (id, help) in rules {
        text = text.dim(format!("{id}: {help}")).line();
    }
    text
}
