//! Lines that vouch for the ones before.

use bowline_protocol::hex;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::record::Record;

/// What stands before the hash at the end of a line.
const TAIL: &str = ",\"hash\":\"";
/// How long a hash is as text.
const HASH: usize = 64;
/// The longest line that is read, in bytes.
pub(super) const MAX_LINE: usize = 256 * 1024;

/// Where a chain stands: the number and hash of its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) hash: String,
}

impl Head {
    /// Before the first line.
    pub(super) fn start() -> Self {
        Self { number: 0, hash: "0".repeat(HASH) }
    }

    /// The number of the next line; none where numbers have come to their end, which no chain does by itself.
    pub(super) const fn next(&self) -> Option<u64> {
        self.number.checked_add(1)
    }

    /// Whether a line is the next one.
    pub(super) fn is_followed_by(&self, link: &Link) -> bool {
        link.prev == self.hash && Some(link.head.number) == self.next()
    }

    /// The next line, with its end, and where the chain stands then; none where there is no number for it.
    pub(super) fn link(&self, record: &Record) -> Option<(String, Self)> {
        let number = self.next()?;
        // Texts and numbers are JSON.
        let rest = serde_json::to_string(record).unwrap_or_default();
        let rest = rest.strip_prefix('{').unwrap_or_default();
        let rest = rest.strip_suffix('}').unwrap_or_default();
        let mut line = format!("{{\"seq\":{number},\"prev\":\"{}\",{rest}", self.hash);
        let hash = hex(&Sha256::digest(&line));
        line.push_str(TAIL);
        line.push_str(&hash);
        line.push_str("\"}\n");
        Some((line, Self { number, hash }))
    }
}

/// What a line says of itself, once its hash was found to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) prev: String,
    pub(super) head: Head,
}

#[derive(Deserialize)]
struct Stated<'l> {
    seq: u64,
    prev: &'l str,
    #[serde(borrow)]
    time: Option<&'l RawValue>,
}

/// Whether a part of a line may be the beginning of one.
pub(super) fn may_be(part: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"seq\":";
    part.starts_with(BEGINNING) || BEGINNING.starts_with(part)
}

/// Reads a line without its end.
pub(super) fn read(line: &[u8]) -> Result<Link, &'static str> {
    let line = std::str::from_utf8(line).map_err(|_| "it is no text")?;
    let no_link = "it is no line of an audit";
    let body = line.strip_suffix("\"}").ok_or(no_link)?;
    let at = body.len().checked_sub(HASH + TAIL.len()).ok_or(no_link)?;
    let (signed, tail) = body.split_at_checked(at).ok_or(no_link)?;
    let stated_hash = tail.strip_prefix(TAIL).ok_or(no_link)?;
    if hex(&Sha256::digest(signed)) != stated_hash {
        return Err("it was changed: its hash is not that of what it says");
    }
    let stated: Stated<'_> = serde_json::from_str(line).map_err(|_| no_link)?;
    if stated.time.is_none() {
        return Err(no_link);
    }
    Ok(Link { prev: stated.prev.to_owned(), head: Head { number: stated.seq, hash: stated_hash.to_owned() } })
}
