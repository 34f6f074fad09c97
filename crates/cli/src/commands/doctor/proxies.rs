//! Proxies that the environment names: whether they are ones, and whether they are there.

use std::env;
use std::time::Duration;

use tokio::net::TcpStream;

use super::finding::{Check, Finding, Findings, Severity};
use crate::exit::Code;

/// The variables that name proxies. Where both spellings are set, programs differ in which they take.
const VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// How long a proxy may take to accept a connection.
const WITHIN: Duration = Duration::from_secs(5);

/// A proxy as a variable names it.
#[derive(Debug, PartialEq, Eq)]
struct Proxy {
    host: String,
    port: u16,
    /// Without its password.
    shown: String,
}

/// Looks at each proxy. `calls` is whether it may be connected to, `starts` whether there are servers to be started.
pub(super) async fn look(calls: bool, starts: bool, findings: &mut Findings) {
    let set: Vec<(&str, String)> = VARIABLES
        .into_iter()
        .filter_map(|name| Some((name, env::var(name).ok()?)))
        .filter(|(_, v)| !v.is_empty())
        .collect();
    let Some((first, _)) = set.first() else { return };
    let mut seen: Vec<Proxy> = Vec::new();
    for (name, value) in &set {
        let proxy = match parse(value) {
            Ok(proxy) => proxy,
            Err(why) => {
                let finding = Finding::error(Check::Proxy, Code::Connect, name, format!("names no proxy: {why}"));
                findings.push(finding.fix(format!("export {name}=http://HOST:PORT   (or unset {name})")));
                continue;
            }
        };
        if !seen.contains(&proxy) {
            if calls {
                findings.push(answers(name, &proxy).await);
            }
            seen.push(proxy);
        }
    }
    let spares = env::var("NO_PROXY").or_else(|_| env::var("no_proxy")).unwrap_or_default();
    if !spares_this_machine(&spares) {
        let message = "does not name this machine: bowline asks it directly all the same, and other programs do not";
        let finding = Finding::new(Severity::Warning, Check::Proxy, "NO_PROXY", message);
        let mine = if spares.is_empty() { "" } else { "$NO_PROXY," };
        findings.push(finding.fix(format!("export NO_PROXY=\"{mine}localhost,127.0.0.1,::1\"")));
    }
    if starts {
        let message =
            "servers that are programs do not get it, since it may hold a password; what they download comes directly";
        let fix = format!(
            "where one needs it: -e {first}=env:{first}, or env = {{ {first} = \"${{{first}}}\" }} in its entry"
        );
        findings.push(Finding::new(Severity::Note, Check::Proxy, first, message).fix(fix));
    }
}

/// Reads what a variable says, as the client reads it: without a scheme it is `http`.
fn parse(value: &str) -> Result<Proxy, String> {
    let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let (scheme, rest) = whole.split_once("://").unwrap_or_default();
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        // What it says may be a password where somebody forgot the scheme.
        _ => return Err("it is spoken to by neither http:// nor https://".to_owned()),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or("its address has no closing bracket")?;
            (host, rest.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err("it has no host".to_owned());
    }
    let port = match port {
        None | Some("") => default,
        Some(port) => port.parse().map_err(|_| "its port is no number up to 65535".to_owned())?,
    };
    let shown = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    Ok(Proxy { host: host.to_owned(), port, shown })
}

async fn answers(name: &str, proxy: &Proxy) -> Finding {
    let connecting = TcpStream::connect((proxy.host.as_str(), proxy.port));
    let why = match tokio::time::timeout(WITHIN, connecting).await {
        Ok(Ok(_)) => {
            return Finding::new(Severity::Fine, Check::Proxy, name, format!("{} takes connections", proxy.shown));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", WITHIN.as_secs()),
    };
    let message = format!("nobody takes connections at {}: {why}", proxy.shown);
    Finding::error(Check::Proxy, Code::Connect, name, message)
        .fix(format!("start the proxy, name another with export {name}=http://HOST:PORT, or unset {name}"))
}

/// Whether what is on this machine is asked without the proxy.
fn spares_this_machine(list: &str) -> bool {
    let names = |wanted: &[&str]| list.split(',').map(str::trim).any(|entry| wanted.contains(&entry));
    names(&["*"]) || (names(&["localhost", ".localhost"]) && names(&["127.0.0.1", "127.0.0.0/8"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_as_clients_read_it() {
        let at = |value: &str| parse(value).map(|proxy| proxy.shown);
        assert_eq!(at("proxy.example:8080").unwrap(), "proxy.example:8080");
        assert_eq!(at("http://me:pass@proxy.example").unwrap(), "proxy.example:80");
        assert_eq!(at("https://[::1]:3128/").unwrap(), "[::1]:3128");
        for wrong in ["socks5://h:1", "http://", "http://h:99999", "http://[::1", "h:x", "http:// h"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(!parse("hunter2://me:hunter2@h").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn this_machine_is_spared_by_its_name_and_its_address() {
        assert!(spares_this_machine("*") && spares_this_machine("corp, localhost , 127.0.0.1"));
        assert!(!spares_this_machine("") && !spares_this_machine("localhost") && !spares_this_machine("127.0.0.1"));
    }
}
