//! The table of what is known to be bad.

use std::cmp::Ordering;
use std::sync::LazyLock;

use crate::Severity;

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: &'static str,
    kind: Kind,
    name: &'static str,
    versions: Versions,
    pub(super) severity: Severity,
    pub(super) what: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Package,
    Argument,
    Variable,
}

#[derive(Debug, PartialEq, Eq)]
enum Versions {
    All,
    Below(&'static str),
    Between(&'static str, &'static str),
    Exactly(&'static str),
}

static TABLE: LazyLock<Vec<Known>> = LazyLock::new(|| rows().flatten().collect());

/// The rows; none for one that cannot be read, which a test rules out.
fn rows() -> impl Iterator<Item = Option<Known>> {
    let lines = include_str!("known.tsv").lines();
    lines.filter(|line| !line.starts_with('#') && !line.is_empty()).map(row)
}

fn row(line: &'static str) -> Option<Known> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let (id, kind, name, versions, severity, what) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let kind = match kind {
        "package" => Kind::Package,
        "argument" => Kind::Argument,
        "variable" => Kind::Variable,
        _ => return None,
    };
    let versions = match (versions, versions.strip_prefix('<'), versions.split_once('-')) {
        ("all", ..) => Versions::All,
        (_, Some(below), _) => Versions::Below(below),
        (_, _, Some((from, to))) => Versions::Between(from, to),
        _ => Versions::Exactly(versions),
    };
    let severity = match severity {
        "high" => Severity::High,
        "medium" => Severity::Medium,
        _ => return None,
    };
    Some(Known { id, kind, name, versions, severity, what })
}

/// What is known of a version of a package. Without a version the newest is meant, of which nothing bad is known but
/// where all are bad.
pub(super) fn package(name: &str, version: Option<&str>) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.kind == Kind::Package && known.name == name && known.versions.hold(version))
}

/// What is known of an argument.
pub(super) fn argument(argument: &str) -> Option<&'static Known> {
    let value = argument.split_once('=').map(|(_, value)| value);
    if value.is_some_and(|value| ["false", "0", "no"].iter().any(|no| value.eq_ignore_ascii_case(no))) {
        return None;
    }
    let is_it = |known: &&Known| {
        argument == known.name || argument.strip_prefix(known.name).is_some_and(|rest| rest.starts_with('='))
    };
    TABLE.iter().filter(|known| known.kind == Kind::Argument).find(is_it)
}

/// What is known of a flag with its value, written in two words.
pub(super) fn argument_in_two(flag: &str, value: &str) -> Option<&'static Known> {
    let is_it = |known: &&Known| known.name.split_once('=') == Some((flag, value));
    TABLE.iter().filter(|known| known.kind == Kind::Argument).find(is_it)
}

/// What is known of a variable with this value.
pub(super) fn variable(name: &str, value: &str) -> Option<&'static Known> {
    let is_it = |known: &&Known| match known.name.split_once('=') {
        Some((bad, bad_value)) => bad == name && bad_value.eq_ignore_ascii_case(value.trim()),
        None => known.name == name,
    };
    TABLE.iter().filter(|known| known.kind == Kind::Variable).find(is_it)
}

impl Versions {
    fn hold(&self, version: Option<&str>) -> bool {
        let below = |version: &str, other: &str| order(version, other) == Ordering::Less;
        match (self, version) {
            (Self::All, _) => true,
            (_, None) => false,
            (Self::Below(limit), Some(version)) => below(version, limit),
            (Self::Between(from, to), Some(version)) => !below(version, from) && !below(to, version),
            (Self::Exactly(bad), Some(version)) => version == *bad,
        }
    }
}

/// Orders versions by their numbers, one after another.
fn order(a: &str, b: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u64> {
        let parts = version.split(['.', '-', '+']).map_while(|part| part.parse().ok());
        parts.collect()
    };
    numbers(a).cmp(&numbers(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_row_is_read_and_has_an_id_of_its_own() {
        let rows: Vec<Known> = rows().map(|row| row.expect("a row of six fields")).collect();
        let ids: BTreeSet<_> = rows.iter().map(|row| row.id).collect();
        assert!(rows.len() >= 20 && ids.len() == rows.len());
    }

    #[test]
    fn versions_are_compared_by_number() {
        let bad = |name, version| package(name, Some(version)).is_some();
        assert!(bad("mcp-remote", "0.1.9") && bad("mcp-remote", "0.0.5") && bad("mcp-remote", "0.1.15"));
        assert!(!bad("mcp-remote", "0.1.16") && !bad("mcp-remote", "0.0.4") && !bad("mcp-remote", "0.10.0"));
        assert!(bad("@modelcontextprotocol/server-filesystem", "2025.3.28"));
        assert!(!bad("@modelcontextprotocol/server-filesystem", "2026.8.31"));
        assert!(package("mcp-remote", None).is_none());
    }

    #[test]
    fn arguments_and_variables_are_whole() {
        assert!(argument("--privileged").is_some() && argument("--privileged=true").is_some());
        assert!(argument("--privileged-not").is_none() && argument("privileged").is_none());
        assert!(argument("--privileged=false").is_none() && argument_in_two("--privileged", "x").is_none());
        assert!(argument_in_two("--network", "host").is_some() && argument_in_two("--network", "none").is_none());
        assert!(variable("NODE_TLS_REJECT_UNAUTHORIZED", "0").is_some());
        assert!(variable("NODE_TLS_REJECT_UNAUTHORIZED", "1").is_none());
        assert!(variable("LD_PRELOAD", "/x.so").is_some());
    }
}
