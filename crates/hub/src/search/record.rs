//! What the index takes of the tools of a server, and what is kept of them.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use bowline_protocol::{Tool, hex};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::query::Hints;
use super::terms::cut;

/// How many tools of a server are searched.
const MAX_TOOLS: usize = 50_000;
/// How long the parts of a tool may be that are searched, in bytes. What is beyond is cut off; a name that is longer
/// leaves its tool out.
const MAX_NAME: usize = 512;
const MAX_TITLE: usize = 512;
const MAX_DESCRIPTION: usize = 4096;
const MAX_PARAMETER: usize = 128;
const MAX_PARAMETER_DESCRIPTION: usize = 512;
/// How many parameters of a tool are searched, those within others included, and how deep.
const MAX_PARAMETERS: usize = 128;
const MAX_DEPTH: usize = 4;
/// The largest schema that is looked into, in bytes.
const MAX_SCHEMA: usize = 256 << 10;

/// The form of what is kept. Records of another one are dropped.
pub(super) const VERSION: u32 = 1;

/// What is searched of the tools of one server, bounded in size whatever the server says.
///
/// It is made from a server's list, goes into a [`SearchIndex`](crate::SearchIndex), and is what a store keeps, so
/// that the tools are found before the server has started again.
///
/// ```
/// use bowline_hub::{SearchIndex, SearchQuery, SearchRecord};
/// use bowline_protocol::{RawJson, Tool};
///
/// let tools = [Tool::new("read_file", RawJson::EMPTY_OBJECT).with_description("Reads a file")];
/// let record = SearchRecord::new("disk", &tools).with_fingerprint("npx server-filesystem");
/// let bytes = record.to_bytes(1 << 20).unwrap();
///
/// let mut index = SearchIndex::new();
/// index.insert(&SearchRecord::from_bytes(&bytes).unwrap());
/// assert_eq!(&*index.search(&SearchQuery::new("read"))[0].tool, "read_file");
/// assert!(record.has_fingerprint("npx server-filesystem"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRecord {
    version: u32,
    server: String,
    /// Seconds since 1970.
    when: u64,
    /// A digest, as what it is of may hold secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(default)]
    left_out: usize,
    pub(super) tools: Vec<ToolTexts>,
}

/// What is searched of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToolTexts {
    #[serde(rename = "n")]
    pub(super) name: String,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    /// Names of parameters, and what is said of them.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) parameters: Vec<(String, String)>,
    #[serde(rename = "h", default)]
    pub(super) hints: u8,
}

impl SearchRecord {
    /// What is searched of these tools. Of tools of the same name the first one counts; 50,000 count at most.
    pub fn new(server: &str, tools: &[Tool]) -> Self {
        let mut seen = HashSet::new();
        let texts = tools.iter().filter(|tool| tool.name.len() <= MAX_NAME && seen.insert(tool.name.as_str()));
        let texts: Vec<ToolTexts> = texts.take(MAX_TOOLS).map(ToolTexts::of).collect();
        let when = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let left_out = tools.len() - texts.len();
        Self { version: VERSION, server: server.to_owned(), when, fingerprint: None, left_out, tools: texts }
    }

    /// Notes how the server is configured, to tell later whether it is still the same one. What is given may hold
    /// secrets: nothing but its SHA-256 is kept.
    #[must_use]
    pub fn with_fingerprint(mut self, of: impl AsRef<str>) -> Self {
        self.fingerprint = Some(digest(of.as_ref()));
        self
    }

    /// The server, by its configured name.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Tells whether it was noted that the server is configured so.
    pub fn has_fingerprint(&self, of: impl AsRef<str>) -> bool {
        self.fingerprint.as_ref().is_some_and(|noted| *noted == digest(of.as_ref()))
    }

    /// When the server's tools were listed.
    pub fn when(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(std::time::Duration::from_secs(self.when)).unwrap_or(UNIX_EPOCH)
    }

    /// How many tools are searched.
    pub const fn tools(&self) -> usize {
        self.tools.len()
    }

    /// How many are not: those of a name that another one has, or of more than 512 bytes, and those beyond 50,000.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// As bytes to be kept, at most so many; none where that is not enough even without what is said of parameters and
    /// with short descriptions.
    pub fn to_bytes(&self, most: usize) -> Option<Vec<u8>> {
        let whole = serde_json::to_vec(self).ok().filter(|bytes| bytes.len() <= most);
        whole.or_else(|| {
            let mut short = self.clone();
            for tool in &mut short.tools {
                tool.parameters.iter_mut().for_each(|(_, description)| description.clear());
                tool.description.truncate(cut(&tool.description, 200).len());
            }
            serde_json::to_vec(&short).ok().filter(|bytes| bytes.len() <= most)
        })
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave; none for anything else, and for another version's.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(bytes).ok()?;
        (record.version == VERSION && record.tools.len() <= MAX_TOOLS).then(|| record.bounded())
    }

    /// Bounds that a store may have lost.
    fn bounded(mut self) -> Self {
        let mut seen = HashSet::new();
        self.tools.retain(|tool| tool.name.len() <= MAX_NAME && seen.insert(tool.name.clone()));
        for tool in &mut self.tools {
            tool.description.truncate(cut(&tool.description, MAX_DESCRIPTION).len());
            if let Some(title) = &mut tool.title {
                title.truncate(cut(title, MAX_TITLE).len());
            }
            tool.parameters.truncate(MAX_PARAMETERS);
            for (name, description) in &mut tool.parameters {
                name.truncate(cut(name, MAX_PARAMETER).len());
                description.truncate(cut(description, MAX_PARAMETER_DESCRIPTION).len());
            }
        }
        self
    }
}

/// The SHA-256 of a text, in hexadecimal.
pub(super) fn digest(of: &str) -> String {
    hex(&Sha256::digest(of.as_bytes()))
}

impl ToolTexts {
    fn of(tool: &Tool) -> Self {
        let annotations = tool.annotations.as_ref();
        let title = tool.title.as_deref().or_else(|| annotations?.title.as_deref());
        let mut parameters = Vec::new();
        if tool.input_schema.as_bytes().len() <= MAX_SCHEMA
            && let Ok(schema) = tool.input_schema.parse()
        {
            collect(&schema, MAX_DEPTH, &mut parameters);
        }
        let said = |hint: Option<Option<bool>>| hint.flatten();
        let read_only = said(annotations.map(|hints| hints.read_only_hint)) == Some(true);
        let mut bits = 0;
        for (bit, holds) in [
            (Hints::READ_ONLY, read_only),
            (Hints::NOT_DESTRUCTIVE, read_only || said(annotations.map(|hints| hints.destructive_hint)) == Some(false)),
            (Hints::IDEMPOTENT, read_only || said(annotations.map(|hints| hints.idempotent_hint)) == Some(true)),
            (Hints::CLOSED_WORLD, said(annotations.map(|hints| hints.open_world_hint)) == Some(false)),
        ] {
            bits |= if holds { bit } else { 0 };
        }
        Self {
            name: tool.name.clone(),
            title: title.map(|title| cut(title, MAX_TITLE).to_owned()),
            description: cut(tool.description.as_deref().unwrap_or_default(), MAX_DESCRIPTION).to_owned(),
            parameters,
            hints: bits,
        }
    }
}

/// The parameters of a schema, with those within them.
fn collect(schema: &Value, depth: usize, parameters: &mut Vec<(String, String)>) {
    if depth == 0 {
        return;
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            if parameters.len() >= MAX_PARAMETERS {
                return;
            }
            let said = property.get("description").and_then(Value::as_str).unwrap_or_default();
            let text = (cut(name, MAX_PARAMETER).to_owned(), cut(said, MAX_PARAMETER_DESCRIPTION).to_owned());
            parameters.push(text);
            collect(property, depth - 1, parameters);
        }
    }
    if let Some(items) = schema.get("items") {
        collect(items, depth - 1, parameters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_how_a_server_is_configured_a_digest_alone_is_kept() {
        let record = SearchRecord::new("a", &[]).with_fingerprint("npx server --token SECRET");
        let kept = record.to_bytes(1 << 20).unwrap();
        assert!(!String::from_utf8_lossy(&kept).contains("SECRET") && !format!("{record:?}").contains("SECRET"));
        let again = SearchRecord::from_bytes(&kept).unwrap();
        assert!(again.has_fingerprint("npx server --token SECRET") && !again.has_fingerprint("npx server"));
        assert!(!SearchRecord::new("a", &[]).has_fingerprint(""));
    }
}
