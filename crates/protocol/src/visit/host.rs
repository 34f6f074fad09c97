//! The host of a URL to visit.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::punycode;
use super::{UrlWarning, VisitUrlError};

/// The longest name of a host, in bytes (RFC 1035).
const MAX_NAME: usize = 253;
/// The longest part of such a name.
const MAX_LABEL: usize = 63;

/// The host that a URL leads to; `Display` writes it as it is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VisitHost {
    /// A name, in lower case and ASCII.
    Name(String),
    /// An address.
    Ip(IpAddr),
}

impl fmt::Display for VisitHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl VisitHost {
    /// Whether it is this machine: `localhost`, a name below it, or a loopback address.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Self::Ip(ip) => ip.is_loopback(),
        }
    }

    pub(super) fn warn(&self, warnings: &mut Vec<UrlWarning>) {
        let name = match self {
            Self::Name(name) => name,
            Self::Ip(ip) => return warnings.extend((!ip.is_loopback()).then_some(UrlWarning::IpAddress)),
        };
        if !name.split('.').any(|label| label.starts_with("xn--")) {
            return;
        }
        let labels: Option<Vec<String>> = name
            .split('.')
            .map(|label| match label.strip_prefix("xn--") {
                Some(encoded) => punycode::decode(encoded),
                None => Some(label.to_owned()),
            })
            .collect();
        let mixed = labels.iter().flatten().any(|label| mixes_scripts(label));
        warnings.push(UrlWarning::Punycode { unicode: labels.map(|labels| labels.join(".")) });
        warnings.extend(mixed.then_some(UrlWarning::MixedScripts));
    }
}

/// Reads `host[:port]` in the spelling that every reader takes for the same host.
pub(super) fn read(text: &str) -> Result<(VisitHost, Option<u16>), VisitUrlError> {
    let bad = |what| VisitUrlError::Authority { what };
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(bad("address in brackets"))?;
        let address: Ipv6Addr = address.parse().map_err(|_| bad("address in brackets"))?;
        let port = match port.strip_prefix(':') {
            Some(port) => Some(read_port(port)?),
            None if port.is_empty() => None,
            None => return Err(bad("port")),
        };
        return Ok((VisitHost::Ip(address.into()), port));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(read_port(port)?)),
        None => (text, None),
    };
    Ok((read_name(name).ok_or(bad("host"))?, port))
}

fn read_port(text: &str) -> Result<u16, VisitUrlError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().ok().filter(|port: &u16| digits && *port > 0);
    port.ok_or(VisitUrlError::Authority { what: "port" })
}

fn read_name(text: &str) -> Option<VisitHost> {
    let name = text.to_ascii_lowercase();
    let dotless = name.strip_suffix('.').unwrap_or(&name);
    let fits = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if dotless.len() > MAX_NAME || !dotless.split('.').all(fits) {
        return None;
    }
    // Browsers read a name that ends in a number as an address, in spellings that people do not know.
    let last = dotless.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex || last.bytes().all(|b| b.is_ascii_digit()) {
        return name.parse::<Ipv4Addr>().ok().map(|ip| VisitHost::Ip(ip.into()));
    }
    Some(VisitHost::Name(name))
}

/// Whether letters of scripts that look alike stand side by side.
fn mixes_scripts(label: &str) -> bool {
    let mut scripts = label.chars().filter_map(script);
    scripts.next().is_some_and(|first| scripts.any(|other| other != first))
}

/// The scripts whose letters are taken for one another; none for all else.
const fn script(c: char) -> Option<u8> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Some(0),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(1),
        '\u{400}'..='\u{52f}' => Some(2),
        '\u{530}'..='\u{58f}' => Some(3),
        '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' => Some(4),
        _ => None,
    }
}
