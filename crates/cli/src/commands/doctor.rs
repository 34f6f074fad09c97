//! `bowline doctor`: what keeps servers from working here, and the way out.

mod clock;
mod finding;
mod keeping;
mod logins;
mod programs;
mod proxies;
mod servers;

use bowline::config::{self, Configuration, Endpoint, Problem, Server, Transport};
use bowline::http::HttpClient;

use self::finding::{Check, Finding, Findings, Severity};
use crate::configured;
use crate::exit::{CliError, Code, Stop};
use crate::fleet::Fleet;
use crate::options::{Doctor, Format};
use crate::output::Output;
use crate::session::{Run, Signals, interrupted};

pub(super) async fn run(options: Doctor, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let mut signals = Signals::new()?;
    let mut findings = Findings::default();
    tokio::select! {
        biased;
        () = signals.next() => return Err(interrupted()),
        looked = look(&options, run, &mut findings) => looked?,
    }
    findings.sort();
    if out.format() == Format::Json {
        out.json(&findings.to_json())?;
    } else {
        out.long_text(&findings.shown())?;
    }
    let (errors, warnings) = (findings.count(Severity::Error), findings.count(Severity::Warning));
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match findings.code() {
        None => {
            run.console.note(format!("no error, {}", plural(warnings, "warning")));
            Ok(())
        }
        Some(code) => {
            let message = format!("found {} and {}", plural(errors, "error"), plural(warnings, "warning"));
            Err(CliError::new(code, message).hint("each finding says what to do").into())
        }
    }
}

async fn look(options: &Doctor, run: &Run, findings: &mut Findings) -> Result<(), Stop> {
    let named = &options.server;
    let is_other = named.url.is_some() || !named.command.is_empty() || run.global.states_stdio();
    let one = named.configured.as_deref().map(|server| server.name.clone());
    let is_for_all = one.is_none() && !is_other;
    let is_meant = |server: &Server| is_for_all || one.as_ref() == Some(&server.name);

    let config = configured::load(&run.global.config);
    keeping::look(findings);
    files(&config, |problem| is_for_all || (problem.server.is_some() && problem.server == one) && !is_other, findings);
    let missing = programs::look(&config, is_meant, is_for_all, findings);
    let starts = config.servers().iter().any(|server| is_meant(server) && is_program(server));
    proxies::look(!options.offline, starts, findings).await;
    if is_other {
        let name = servers::shown(named);
        let urls: Vec<(String, String)> = named.url.iter().map(|url| (name.clone(), url.clone())).collect();
        let ahead = clocks(options.offline, &urls, run, findings).await?;
        logins::look(run, &urls, ahead, findings).await;
        return if options.offline { Ok(()) } else { servers::look_at_one(named, run, findings).await };
    }
    let mut selected = servers::to_try(&config, is_meant, findings);
    let urls = addresses(&config, &selected, options.offline, run);
    let ahead = clocks(options.offline, &urls, run, findings).await?;
    logins::look(run, &urls, ahead, findings).await;
    if options.offline {
        return Ok(());
    }
    selected.retain(|name| !missing.contains(name));
    if selected.is_empty() {
        if config.servers().is_empty() {
            let finding = Finding::new(Severity::Note, Check::Server, "", "no configuration names a server");
            findings.push(finding.fix("bowline add NAME URL, or bowline add NAME -- COMMAND; bowline demo needs none"));
        }
        return Ok(());
    }
    let fleet = Fleet::of(run, config).without_guard();
    servers::look(&fleet, &selected, findings).await
}

/// What is wrong with the files, each with its place.
fn files(config: &Configuration, is_meant: impl Fn(&Problem) -> bool, findings: &mut Findings) {
    let (mut told, read) = (0, config.files().iter().filter(|file| file.servers.is_some()).count());
    for problem in config.problems().iter().filter(|problem| is_meant(problem)) {
        let subject = problem.server.as_deref().unwrap_or_default();
        let finding = match problem.severity {
            config::Severity::Error => {
                told += 1;
                let finding = Finding::error(Check::Configuration, Code::Usage, subject, &problem.message);
                finding.fix("mend it there; `bowline config check` looks again")
            }
            config::Severity::Warning => {
                Finding::new(Severity::Warning, Check::Configuration, subject, &problem.message)
            }
            _ => Finding::new(Severity::Note, Check::Configuration, subject, &problem.message),
        };
        findings.push(finding.at(&problem.place));
    }
    if told == 0 {
        let plural = if read == 1 { "" } else { "s" };
        let message = format!("{read} file{plural} with servers, and no error");
        findings.push(Finding::new(Severity::Fine, Check::Configuration, "", message));
    }
}

const fn is_program(server: &Server) -> bool {
    matches!(server.transport, Transport::Stdio(_))
}

/// Where servers are on the web, by their names. Offline nothing is looked up for them, and those with variables in
/// their address are left out.
fn addresses(
    config: &Configuration,
    selected: &std::collections::HashSet<String>,
    offline: bool,
    run: &Run,
) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for server in config.servers().iter().filter(|server| selected.contains(&server.name)) {
        let Transport::Remote(remote) = &server.transport else { continue };
        let url = if offline {
            Some(remote.shown_url()).filter(|url| !url.contains("${"))
        } else {
            // Why it cannot be filled in is told by the attempt to connect.
            match configured::endpoint(&run.global, server) {
                Ok(Endpoint::Remote(address)) => Some(address.url),
                _ => None,
            }
        };
        all.extend(url.map(|url| (server.name.clone(), url)));
    }
    all
}

/// Holds this machine's clock against those of servers.
async fn clocks(
    offline: bool,
    urls: &[(String, String)],
    run: &Run,
    findings: &mut Findings,
) -> Result<Option<i64>, Stop> {
    if offline || urls.is_empty() {
        return Ok(None);
    }
    let builder = HttpClient::builder();
    let builder = if run.global.insecure { builder.danger_accept_any_certificate_on_loopback() } else { builder };
    let client = builder.build().map_err(|error| CliError::new(Code::Unexpected, error.to_string()))?;
    let urls: Vec<String> = urls.iter().map(|(_, url)| url.clone()).collect();
    Ok(clock::judge(&clock::ask(&client, &urls).await, findings))
}
