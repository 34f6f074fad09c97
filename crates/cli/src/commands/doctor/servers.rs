//! Servers: whether they can be reached and speak MCP.

use std::collections::HashSet;

use bowline::Client;
use bowline::config::{Configuration, Server, Transport};
use bowline::hub::Hub;

use super::finding::{Check, Finding, Findings, Severity};
use crate::exit::{CliError, Code, Stop};
use crate::fleet::Fleet;
use crate::options;
use crate::sanitize;
use crate::session::{Logs, Run};

/// Connects to servers of the configuration, many at once and each within its time.
pub(super) async fn look(fleet: &Fleet, selected: &HashSet<String>, findings: &mut Findings) -> Result<(), Stop> {
    let (mut far, mut lost) = (0, 0);
    fleet
        .with_hub(selected, async |hub: &Hub| {
            let mut lists = hub.tools().by_member();
            while let Some(list) = lists.next().await {
                let name = list.member.as_ref();
                let server = fleet.config().server(name).ok();
                let is_far = server.is_some_and(is_far);
                far += usize::from(is_far);
                let mut finding = match list.error {
                    None => answers(name, list.items.len()),
                    Some(error) => {
                        let error = CliError::from(error);
                        lost += usize::from(is_far && error.code == Code::Connect && error.http_status.is_none());
                        dead(name, server, error)
                    }
                };
                if let (Severity::Error, Some(server)) = (finding.severity, server) {
                    finding = finding.at(&server.place);
                }
                findings.push(finding);
                for odd in &list.findings {
                    findings.push(Finding::new(Severity::Warning, Check::Server, name, odd.to_string()));
                }
            }
            Ok(())
        })
        .await?;
    if far > 0 && far == lost {
        let servers = if far == 1 { "the one server".to_owned() } else { format!("none of the {far} servers") };
        let not = if far == 1 { " cannot" } else { " can" };
        let message = format!("{servers} beyond this machine{not} be reached: is it online, and does it need a proxy?");
        let finding = Finding::error(Check::Network, Code::Connect, "", message);
        findings.push(finding.fix("ping -c 1 1.1.1.1; behind a proxy: export HTTPS_PROXY=http://HOST:PORT"));
    }
    Ok(())
}

/// Connects to the one server that the command line names.
pub(super) async fn look_at_one(server: &options::Server, run: &Run, findings: &mut Findings) -> Result<(), Stop> {
    let name = shown(server);
    let mut tools = None;
    let run = &run.for_many();
    let looked = run.with_server_unguarded(server, run.builder(Logs::Console)?, async |client: &Client| {
        let has_tools = client.server().capabilities.tools.is_some();
        tools = Some(if has_tools { super::super::all(client.tools(), &run.console).await?.len() } else { 0 });
        Ok(())
    });
    match looked.await {
        Ok(()) => findings.push(answers(&name, tools.unwrap_or_default())),
        Err(Stop::Error(error)) if error.code != Code::Interrupted && error.code != Code::Usage => {
            findings.push(dead(&name, None, *error));
        }
        Err(stop) => return Err(stop),
    }
    Ok(())
}

/// A server of the command line as it may be shown.
pub(super) fn shown(server: &options::Server) -> String {
    let url = server.url.as_deref().and_then(|url| url.parse().ok()).map(|url| bowline::http::shown(&url));
    url.unwrap_or_else(|| "the server".to_owned())
}

fn answers(name: &str, tools: usize) -> Finding {
    let plural = if tools == 1 { "" } else { "s" };
    Finding::new(Severity::Fine, Check::Server, name, format!("answers, with {tools} tool{plural}"))
}

fn dead(name: &str, server: Option<&Server>, error: CliError) -> Finding {
    let url = server.and_then(|server| match &server.transport {
        Transport::Remote(remote) => Some(remote.shown_url()),
        _ => None,
    });
    let error = error.about_login(url.as_deref().unwrap_or(name));
    let finding = Finding::of(Check::Server, name, &error);
    let Some(server) = server.filter(|_| error.code == Code::Connect && error.http_status.is_none()) else {
        return finding;
    };
    let name = sanitize::line(name);
    match &server.transport {
        Transport::Remote(_) => {
            finding.fix(format!("start it, or set its address right (`bowline config explain {name}`)"))
        }
        _ => finding.fix(format!("see all that it says: bowline ping {name} -v")),
    }
}

/// Whether a server is beyond this machine.
pub(super) fn is_far(server: &Server) -> bool {
    let Transport::Remote(remote) = &server.transport else { return false };
    let url = remote.shown_url();
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let here = ["localhost", "127.", "[::1]", "0.0.0.0"].iter().any(|here| host.starts_with(here));
    !here && matches!(scheme, "http" | "https" | "ws" | "wss")
}

/// The names of servers that can be tried: those that are meant and switched on, in folders that are trusted.
pub(super) fn to_try(
    config: &Configuration,
    is_meant: impl Fn(&Server) -> bool,
    findings: &mut Findings,
) -> HashSet<String> {
    let mut names = HashSet::new();
    for server in config.servers().iter().filter(|server| is_meant(server)) {
        if !server.enabled {
            let finding = Finding::new(Severity::Note, Check::Server, &server.name, "is switched off");
            findings.push(finding.fix(format!("bowline config enable {}", sanitize::line(&server.name))));
        } else if !server.trusted {
            let message = "stands in a folder that is not trusted, so it is not started";
            let finding = Finding::new(Severity::Warning, Check::Server, &server.name, message).at(&server.place);
            findings.push(finding.fix("bowline config trust   (once you have looked at the file)"));
        } else {
            names.insert(server.name.clone());
        }
    }
    names
}
