//! The text of a lock file: lines that vouch for each other.
//!
//! Each line is a JSON object whose first member is the beginning of a hash of the sum before it and the rest of the
//! line, and the last line says how many came before it. So a file that was cut, edited, or put together from two is
//! known by the first line that is wrong. It is no signature: whoever may write the file can make a new one.

use std::collections::BTreeSet;
use std::fmt;

use bowline_protocol::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::definition::{Definition, Fields, PinKind};
use super::table::{KnownServer, Pinned, Table};

/// The format that this version writes. It reads those before, too.
///
/// 1 has no `way` and no `listed`, and neither 1 nor 2 has instructions.
const FORMAT: u32 = 3;
/// How many characters of the hash a line has.
const SUM: usize = 16;
/// The largest file that is read, in bytes.
pub(crate) const MAX_BYTES: u64 = 64 << 20;

/// Why a lock file is refused, and the line because of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) line: usize,
    pub(crate) why: String,
}

impl Refused {
    fn new(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// What stands in a line, beside its sum.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    /// The first.
    Lock(u32),
    /// A server.
    Server(ServerLine),
    /// What it has.
    Pin(Box<PinLine>),
    /// The last: how many lines come before it.
    End(usize),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServerLine {
    key: String,
    /// What format 1 named the way by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    way: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// The kinds of which all was listed once.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    listed: BTreeSet<PinKind>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PinLine {
    server: String,
    kind: PinKind,
    name: String,
    hash: String,
    since: String,
    fields: Fields,
}

/// The text of a table.
pub(crate) fn write(table: &Table) -> String {
    let mut text = String::new();
    let mut sum = String::new();
    let mut lines = 0;
    let mut put = |line: &Line| {
        // Maps with names for keys are JSON.
        let rest = serde_json::to_string(line).unwrap_or_default();
        let rest = rest.strip_prefix('{').unwrap_or_default();
        sum = sum_of(&sum, rest);
        text.push_str(&format!("{{\"sum\":\"{sum}\",{rest}\n"));
        lines += 1;
        lines
    };
    let mut before = put(&Line::Lock(FORMAT));
    for (key, server) in table.servers() {
        before = put(&Line::Server(ServerLine {
            key: key.clone(),
            identity: server.identity.clone().filter(|_| server.is_earlier),
            way: server.identity.clone().filter(|_| !server.is_earlier),
            name: server.name.clone(),
            version: server.version.clone(),
            listed: server.listed.clone(),
        }));
        for pinned in server.pins.values() {
            let of = &pinned.definition;
            before = put(&Line::Pin(Box::new(PinLine {
                server: key.clone(),
                kind: of.kind(),
                name: of.name().to_owned(),
                hash: of.hash().to_owned(),
                since: pinned.since.clone(),
                fields: of.fields().clone(),
            })));
        }
    }
    put(&Line::End(before));
    text
}

/// Reads the text of a table, whole or not at all.
pub(crate) fn read(text: &str) -> Result<Table, Refused> {
    let mut table = Table::default();
    let mut sum = String::new();
    let mut end = None;
    let mut number = 0;
    for line in text.split_inclusive('\n') {
        number += 1;
        if end.is_some() {
            return Err(Refused::new(number, "there is more behind the last line; restore the file"));
        }
        let Some(line) = line.strip_suffix('\n') else {
            return Err(Refused::new(number, "the file is cut in this line; restore it"));
        };
        let (stated, rest) = parts(line).ok_or_else(|| Refused::new(number, "this is no line of a lock file"))?;
        if number == 1 {
            check_format(rest)?;
        }
        sum = sum_of(&sum, rest);
        if sum != stated {
            return Err(Refused::new(number, "the line was edited, or one before it is missing; restore the file"));
        }
        let line = serde_json::from_str(&format!("{{{rest}"))
            .map_err(|error| Refused::new(number, format!("the line cannot be understood: {error}")))?;
        match line {
            Line::Lock(_) if number == 1 => {}
            Line::Lock(_) => return Err(Refused::new(number, "two files were put together; restore one of them")),
            Line::Server(line) => {
                let ServerLine { key, identity, way, name, version, listed } = line;
                let is_earlier = way.is_none() && identity.is_some();
                let identity = way.or(identity);
                let server = KnownServer { identity, is_earlier, name, version, listed, ..KnownServer::default() };
                table.put_server(key, server);
            }
            Line::Pin(pin) => {
                let PinLine { server, kind, name, hash, since, fields } = *pin;
                let definition = Definition::kept(kind, name, hash, fields);
                if !table.put(&server, Pinned { definition, since }) {
                    return Err(Refused::new(number, "the pin is of a server that no line before names"));
                }
            }
            Line::End(before) if before + 1 == number => end = Some(()),
            Line::End(_) => return Err(Refused::new(number, "lines before this one are missing; restore the file")),
        }
    }
    match end {
        Some(()) => Ok(table),
        None => Err(Refused::new(number.max(1), "the file is cut behind this line; restore it")),
    }
}

fn check_format(rest: &str) -> Result<(), Refused> {
    let first: serde_json::Value = serde_json::from_str(&format!("{{{rest}")).unwrap_or_default();
    match first.get("lock").and_then(serde_json::Value::as_u64) {
        Some(format) if (1..=u64::from(FORMAT)).contains(&format) => Ok(()),
        Some(format) if format > u64::from(FORMAT) => Err(Refused::new(
            1,
            format!("the file has format {format}, and this version of bowline knows {FORMAT}; use a newer one"),
        )),
        _ => Err(Refused::new(1, "the file does not begin as a lock file does; restore it")),
    }
}

/// The sum that a line states, and what it is of.
fn parts(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("{\"sum\":\"")?;
    let (sum, rest) = rest.split_at_checked(SUM)?;
    Some((sum, rest.strip_prefix("\",")?))
}

fn sum_of(before: &str, rest: &str) -> String {
    let hash = Sha256::new().chain_update(before).chain_update(rest).finalize();
    let mut sum = hex(&hash);
    sum.truncate(SUM);
    sum
}

#[cfg(test)]
mod tests {
    use bowline_protocol::Tool;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::pins::table::Edit;

    fn table() -> Table {
        let mut table = Table::default();
        for key in ["files", "mail"] {
            table.apply(Edit::Server {
                key: key.to_owned(),
                first: true,
                identity: Some(format!("stdio:{key}")),
                name: None,
                version: Some("1.0".to_owned()),
            });
            table.apply(Edit::Listed { key: key.to_owned(), kind: PinKind::Tool });
            for name in ["read", "write"] {
                let tool = Tool::new(name, json!({"type": "object"})).with_description(format!("{key}\n\u{202e}"));
                let definition = Definition::of_tool(&tool);
                assert!(table.put(key, Pinned { definition, since: "2026-11-26T00:00:00Z".to_owned() }));
            }
        }
        table
    }

    #[test]
    fn what_is_written_is_read() {
        let table = table();
        assert_eq!(read(&write(&table)).unwrap(), table);
        assert_eq!(read(&write(&Table::default())).unwrap(), Table::default());
    }

    #[test]
    fn a_file_that_is_cut_edited_or_newer_is_refused_with_the_line() {
        let text = write(&table());
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let refused = |text: &str| read(text).unwrap_err();
        assert_eq!(lines.len(), 8);
        // Cut behind and in a line.
        for keep in 1..lines.len() {
            let error = refused(&lines[..keep].concat());
            assert_eq!((error.line, error.why.contains("cut")), (keep, true), "{error}");
        }
        let error = refused(&text[..text.len() - 5]);
        assert_eq!((error.line, error.why.contains("cut in this line")), (8, true), "{error}");
        assert_eq!(refused("").line, 1);
        // A line less, two in another order, one too many, one of another file.
        for (n, edited) in [
            (4, [&lines[..3], &lines[4..]].concat()),
            (4, [&lines[..3], &[lines[4], lines[3]], &lines[5..]].concat()),
            (9, [&lines[..], &lines[7..]].concat()),
        ] {
            assert_eq!(refused(&edited.concat()).line, n);
        }
        // A word.
        let edited = text.replacen("\"since\":\"2026", "\"since\":\"2025", 1);
        let error = refused(&edited);
        assert_eq!((error.line, error.why.contains("edited")), (3, true), "{error}");
        // Newer.
        let newer = write(&Table::default()).replacen("\"lock\":3", "\"lock\":4", 1);
        assert!(refused(&newer).to_string().starts_with("line 1: the file has format 4"), "{}", refused(&newer));
        let none = write(&Table::default()).replacen("\"lock\":3", "\"lock\":0", 1);
        assert!(refused(&none).to_string().contains("does not begin as a lock file does"), "{}", refused(&none));
        for foreign in ["hello\n", "{}\n", "{\"sum\":\"0123456789abcdef\",\"mcpServers\":{}}\n"] {
            assert_eq!(refused(foreign).line, 1);
        }
    }

    #[test]
    fn a_file_of_the_first_format_is_read_and_says_so_until_the_way_is_pinned_anew() {
        // As it was written then.
        let lines = [
            r#""lock":1}"#,
            r#""server":{"key":"files","identity":"npx files","name":"files","version":"1.0"}}"#,
            r#""pin":{"server":"files","kind":"tool","name":"read","hash":"00","since":"2026-11-26T00:00:00Z","fields":{}}}"#,
            r#""end":3}"#,
        ];
        let mut sum = String::new();
        let text = lines.iter().fold(String::new(), |text, line| {
            sum = sum_of(&sum, line);
            format!("{text}{{\"sum\":\"{sum}\",{line}\n")
        });
        let mut table = read(&text).unwrap();
        let of = |table: &Table| {
            let server = &table.servers()["files"];
            (server.identity.clone(), server.is_earlier, server.pins.len())
        };
        assert_eq!(of(&table), (Some("npx files".to_owned()), true, 1));
        assert!(table.knows_kind("files", PinKind::Tool) && !table.knows_kind("files", PinKind::Prompt));
        // Written as of now, it is still what an earlier version said.
        assert_eq!(read(&write(&table)).unwrap(), table);
        let identity = Some("npx files, in /x".to_owned());
        let (key, identity_now) = ("files".to_owned(), identity.clone());
        table.apply(Edit::Server { key, first: true, identity: identity_now, name: None, version: None });
        assert_eq!(of(&read(&write(&table)).unwrap()), (identity, false, 1));
    }

    proptest! {
        #[test]
        fn no_single_byte_can_be_changed(at in 0usize..2_000, by in 1u8..127) {
            let text = write(&table());
            let mut bytes = text.into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= by;
            if let Ok(changed) = String::from_utf8(bytes) {
                prop_assert!(read(&changed).is_err());
            }
        }

        #[test]
        fn foreign_text_never_panics(text in "\\PC*\n?") {
            let _ = read(&text);
            let _ = read(&format!("{{\"sum\":\"{text}"));
        }
    }
}
