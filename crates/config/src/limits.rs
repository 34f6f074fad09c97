//! Limits on time that hosts take from their environment.

use std::time::Duration;

use crate::model::Server;
use crate::problem::{Problem, shown};
use crate::{Host, Place, Surroundings};

/// Hosts with variables for all their servers: that for the start, and that for a call, both in milliseconds.
const VARIABLES: [(Host, &str, &str); 2] = [
    (Host::ClaudeCode, "MCP_TIMEOUT", "MCP_TOOL_TIMEOUT"),
    (Host::Mcporter, "MCPORTER_LIST_TIMEOUT", "MCPORTER_CALL_TIMEOUT"),
];

/// Gives the servers of such hosts the limits of the environment, where nothing in a file says others.
pub(crate) fn from_environment(servers: &mut [Server], around: &Surroundings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (host, start, call) in VARIABLES {
        if !servers.iter().any(|server| server.host == host) {
            continue;
        }
        let mut time = |variable: &str| {
            let text = around.filled(variable)?;
            let millis = text.trim().parse().ok().filter(|millis| *millis > 0);
            if millis.is_none() {
                let message = format!("`{}` is no number of milliseconds, and sets no limit", shown(text));
                problems.push(Problem::warning(Place::whole(variable), message));
            }
            millis.map(Duration::from_millis)
        };
        let (start, call) = (time(start), time(call));
        for server in servers.iter_mut().filter(|server| server.host == host) {
            let limits = &mut server.timeouts;
            limits.connect = limits.connect.or(start);
            // A limit on the whole that a file sets is not to be contradicted.
            let fits = |call: &Duration| limits.total.is_none_or(|total| *call <= total);
            limits.idle = limits.idle.or(call.filter(fits));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Configuration, System};

    #[test]
    fn a_hosts_variables_are_for_its_servers_where_their_entries_say_nothing() {
        let text = r#"{"mcpServers":{"a":{"command":"x"},"b":{"command":"x","timeout":7000}}}"#;
        let around =
            Surroundings::new(System::Linux).with_env("MCP_TIMEOUT", "5000").with_env("MCP_TOOL_TIMEOUT", "soon");
        let limited = |host: Host| {
            let mut servers = Configuration::read(host, "f.json", text).servers().to_vec();
            let problems = from_environment(&mut servers, &around);
            let limits =
                servers.iter().map(|server| (server.timeouts.connect, server.timeouts.idle)).collect::<Vec<_>>();
            (limits, problems)
        };
        let (limits, problems) = limited(Host::ClaudeCode);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(limits, [(seconds(5), None), (seconds(5), seconds(7))]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().contains("MCP_TOOL_TIMEOUT: `soon` is no number"), "{}", problems[0]);
        let (limits, problems) = limited(Host::ClaudeDesktop);
        assert!(problems.is_empty() && limits.iter().all(|(start, _)| start.is_none()), "{limits:?}");
    }
}
