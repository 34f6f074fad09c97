//! Arguments that a server wants to see in headers as well: `x-mcp-header` in the schema of a tool.
//!
//! Specification: 2026-07-28, basic/transports/streamable-http, custom headers from tool parameters; server/tools.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::raw::{JsonKind, RawJson};
use crate::text::excerpt;

/// The annotation.
const KEYWORD: &str = "x-mcp-header";
/// How many headers one tool may ask for. Servers take about a hundred header lines, and a few are the protocol's.
const MAX_HEADERS: usize = 64;
/// How many bytes the names and paths of one tool's headers may have together.
const MAX_BYTES: usize = 16 << 10;
/// What an integer may not exceed, either way: 2^53 − 1.
const MAX_INTEGER: i64 = (1 << 53) - 1;
/// How much of a name that a server chose is quoted in an error, in bytes.
const EXCERPT: usize = 64;

/// The arguments of one tool that are mirrored into headers.
///
/// ```
/// use bowline_protocol::{HeaderMirrors, RawJson};
///
/// let schema: RawJson = r#"{"type": "object", "properties": {
///     "region": {"type": "string", "x-mcp-header": "Region"},
///     "page": {"type": "object", "properties": {"size": {"type": "integer", "x-mcp-header": "Size"}}}
/// }}"#.parse()?;
/// let mirrors = HeaderMirrors::of(&schema)?;
/// let values = mirrors.read(&r#"{"region": "us-west1", "page": {"size": 42}, "query": "x"}"#.parse()?)?;
/// assert_eq!(values, [("Size".into(), "42".into()), ("Region".into(), "us-west1".into())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderMirrors(Vec<HeaderMirror>);

/// One argument that is mirrored into a header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderMirror {
    /// The names of the properties that lead to the argument, from the arguments on; never empty.
    pub path: Vec<String>,
    /// The name of the header after `Mcp-Param-`.
    pub header: String,
}

/// Why a tool's annotations are not valid. Over HTTP such a tool has to be left out of the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderMirrorError {
    /// The name is no text.
    #[error("x-mcp-header at {at} is {kind}, not a string")]
    NotText {
        /// The path of the property.
        at: String,
        /// What it is instead.
        kind: JsonKind,
    },
    /// The name is empty.
    #[error("x-mcp-header at {at} is empty")]
    Empty {
        /// The path of the property.
        at: String,
    },
    /// The name has characters that no header's name may have (RFC 9110, tokens).
    #[error(
        "x-mcp-header \"{name}\" at {at} is no header name: only letters, digits and !#$%&'*+-.^_`|~ may stand there"
    )]
    NotToken {
        /// The path of the property.
        at: String,
        /// The name, made harmless and cut.
        name: String,
    },
    /// Two properties have the same name but for case.
    #[error("x-mcp-header \"{name}\" at {at} is there twice; case makes no difference")]
    Twice {
        /// The path of the second property.
        at: String,
        /// The name.
        name: String,
    },
    /// The property is neither string, integer nor boolean.
    #[error("x-mcp-header at {at} is on a property of type {of}; only string, integer and boolean have headers")]
    Type {
        /// The path of the property.
        at: String,
        /// Its type, made harmless and cut.
        of: String,
    },
    /// The annotation stands where no chain of `properties` alone leads to.
    #[error("x-mcp-header stands under \"{under}\"; only a chain of properties may lead to it")]
    Unreachable {
        /// The keyword that the way goes through, made harmless and cut.
        under: String,
    },
    /// There are more annotations, or longer ones, than any server takes headers.
    #[error("more x-mcp-header annotations than {MAX_HEADERS}, or longer ones than {MAX_BYTES} bytes together")]
    TooMany,
    /// The schema has annotations and cannot be read: it is nested deeper than 128 levels.
    #[error("the schema has x-mcp-header annotations and cannot be read ({reason})")]
    Unreadable {
        /// What the parser met.
        reason: String,
    },
}

/// Why an argument cannot be written into its header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the argument {at} is mirrored into a header, which takes strings, booleans, and integers within ±(2^53−1); not {what}"
)]
#[non_exhaustive]
pub struct HeaderValueError {
    /// The path of the argument.
    pub at: String,
    /// What it is: its kind, never its value, which may be secret.
    pub what: String,
}

impl HeaderMirrors {
    /// Reads the annotations of a tool's `inputSchema`, and checks them against all rules.
    ///
    /// A schema without any costs a search of its text. One with annotations is read once, at most 128 levels deep.
    ///
    /// # Errors
    /// [`HeaderMirrorError`] for the first annotation that breaks a rule: then the whole tool is not valid.
    pub fn of(input_schema: &RawJson) -> Result<Self, HeaderMirrorError> {
        let text = input_schema.as_bytes();
        // A keyword may be spelled with escapes, which hide it.
        let may_have =
            memchr::memmem::find(text, KEYWORD.as_bytes()).is_some() || memchr::memmem::find(text, b"\\u").is_some();
        if !may_have {
            return Ok(Self::default());
        }
        let schema: Value = match input_schema.parse() {
            Ok(schema) => schema,
            // Numbers beyond a float and depth are what a valid text may fail by.
            Err(error) if memchr::memmem::find(text, KEYWORD.as_bytes()).is_some() => {
                return Err(HeaderMirrorError::Unreadable { reason: excerpt(&error.to_string(), 200) });
            }
            Err(_) => return Ok(Self::default()),
        };
        let mut scan = Scan::default();
        scan.schema(&schema, Place::At(&mut Vec::new()))?;
        scan.found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self(scan.found))
    }

    /// Whether nothing is mirrored.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The arguments that are mirrored, in the order of their paths.
    pub fn iter(&self) -> std::slice::Iter<'_, HeaderMirror> {
        self.0.iter()
    }

    /// About how many bytes this keeps.
    pub fn weight(&self) -> usize {
        self.0.iter().map(|mirror| size_of::<HeaderMirror>() + mirror.weight()).sum()
    }

    /// The values in the arguments of a call: the header's name after `Mcp-Param-`, and the value as text.
    ///
    /// Nothing is given for an argument that is missing or null. Strings are given as they are, integers in decimal,
    /// booleans in lower case; encoding them for a header is the transport's matter.
    ///
    /// # Errors
    /// [`HeaderValueError`] for a value that has no such form.
    pub fn read(&self, arguments: &RawJson) -> Result<Vec<(String, String)>, HeaderValueError> {
        let mut values = Vec::new();
        read_level(arguments.as_str(), &self.0, 0, &mut values)?;
        Ok(values)
    }
}

impl HeaderMirror {
    fn weight(&self) -> usize {
        self.header.len() + self.path.iter().map(|name| name.len() + size_of::<String>()).sum::<usize>()
    }
}

impl<'a> IntoIterator for &'a HeaderMirrors {
    type Item = &'a HeaderMirror;
    type IntoIter = std::slice::Iter<'a, HeaderMirror>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[derive(Default)]
struct Scan {
    found: Vec<HeaderMirror>,
    /// The names so far, in lower case.
    names: HashSet<String>,
    bytes: usize,
}

/// Where a schema stands.
enum Place<'a, 'v> {
    /// Reached by these properties; none is the whole schema.
    At(&'a mut Vec<&'v str>),
    /// Behind this keyword.
    Behind(&'v str),
}

impl Scan {
    /// Looks at a schema and all schemas in it. The depth is that of the value, which its parser bounds.
    fn schema<'v>(&mut self, schema: &'v Value, mut place: Place<'_, 'v>) -> Result<(), HeaderMirrorError> {
        let Some(members) = schema.as_object() else {
            // A keyword may hold a list of schemas.
            for item in schema.as_array().into_iter().flatten() {
                let under = match &place {
                    Place::At(_) => "an array",
                    Place::Behind(under) => under,
                };
                self.schema(item, Place::Behind(under))?;
            }
            return Ok(());
        };
        for (keyword, value) in members {
            match (keyword.as_str(), &mut place) {
                (KEYWORD, Place::At(path)) => self.annotation(value, path, members.get("type"))?,
                (KEYWORD, Place::Behind(under)) => {
                    return Err(HeaderMirrorError::Unreachable { under: excerpt(under, EXCERPT) });
                }
                ("properties", Place::At(path)) if value.is_object() => {
                    for (name, property) in value.as_object().into_iter().flatten() {
                        path.push(name);
                        self.schema(property, Place::At(path))?;
                        path.pop();
                    }
                }
                // Here the members are named by the server: none of them is a keyword.
                (
                    "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "dependencies",
                    place,
                ) if value.is_object() => {
                    let under = match place {
                        Place::Behind(under) => under,
                        Place::At(_) => keyword.as_str(),
                    };
                    for (_, schema) in value.as_object().into_iter().flatten() {
                        self.schema(schema, Place::Behind(under))?;
                    }
                }
                // Data, in which nothing is an annotation.
                ("const" | "enum" | "default" | "examples" | "example", _) => {}
                (_, Place::Behind(under)) => self.schema(value, Place::Behind(under))?,
                (keyword, Place::At(_)) => self.schema(value, Place::Behind(keyword))?,
            }
        }
        Ok(())
    }

    fn annotation(&mut self, name: &Value, path: &[&str], of: Option<&Value>) -> Result<(), HeaderMirrorError> {
        let at = || dotted(path);
        if path.is_empty() {
            return Err(HeaderMirrorError::Unreachable { under: String::from("the whole schema") });
        }
        let Some(name) = name.as_str() else {
            return Err(HeaderMirrorError::NotText { at: at(), kind: kind_of(name) });
        };
        if name.is_empty() {
            return Err(HeaderMirrorError::Empty { at: at() });
        }
        if !name.bytes().all(is_token) {
            return Err(HeaderMirrorError::NotToken { at: at(), name: excerpt(name, EXCERPT) });
        }
        if !is_primitive(of) {
            let of = of.map_or_else(|| String::from("unknown"), |of| excerpt(&of.to_string(), EXCERPT));
            return Err(HeaderMirrorError::Type { at: at(), of });
        }
        if !self.names.insert(name.to_ascii_lowercase()) {
            return Err(HeaderMirrorError::Twice { at: at(), name: excerpt(name, EXCERPT) });
        }
        let mirror = HeaderMirror { path: path.iter().map(|&name| name.to_owned()).collect(), header: name.to_owned() };
        self.bytes += mirror.weight();
        if self.found.len() >= MAX_HEADERS || self.bytes > MAX_BYTES {
            return Err(HeaderMirrorError::TooMany);
        }
        self.found.push(mirror);
        Ok(())
    }
}

/// A character of a token (RFC 9110, section 5.6.2).
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// Whether a schema's `type` names one of the three that have headers. Null beside it is fine: it has no header.
fn is_primitive(of: Option<&Value>) -> bool {
    let one = |of: &Value| matches!(of.as_str(), Some("string" | "integer" | "boolean"));
    match of {
        Some(Value::Array(types)) => {
            let mut types = types.iter().filter(|of| of.as_str() != Some("null"));
            types.next().is_some_and(one) && types.next().is_none()
        }
        Some(of) => one(of),
        None => false,
    }
}

fn kind_of(value: &Value) -> JsonKind {
    match value {
        Value::Null => JsonKind::Null,
        Value::Bool(_) => JsonKind::Bool,
        Value::Number(_) => JsonKind::Number,
        Value::String(_) => JsonKind::String,
        Value::Array(_) => JsonKind::Array,
        Value::Object(_) => JsonKind::Object,
    }
}

/// A path for people to read.
fn dotted<S: AsRef<str>>(path: &[S]) -> String {
    let names: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    excerpt(&names.join("."), 200)
}

/// Reads one level of the arguments for all mirrors that lead into it. They are sorted, so those that share a name
/// stand together, and each level is read once.
fn read_level(
    text: &str,
    mirrors: &[HeaderMirror],
    depth: usize,
    values: &mut Vec<(String, String)>,
) -> Result<(), HeaderValueError> {
    // What is no object has nothing at the path.
    let Ok(members) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text) else { return Ok(()) };
    for group in mirrors.chunk_by(|a, b| a.path.get(depth) == b.path.get(depth)) {
        let Some(value) = group.first().and_then(|m| m.path.get(depth)).and_then(|name| members.get(name.as_str()))
        else {
            continue;
        };
        // One that ends here comes first: it is the beginning of the others.
        let (here, beyond) = group.split_at(group.partition_point(|mirror| mirror.path.len() == depth + 1));
        for mirror in here {
            if let Some(text) =
                header_text(value.get()).map_err(|what| HeaderValueError { at: dotted(&mirror.path), what })?
            {
                values.push((mirror.header.clone(), text));
            }
        }
        if !beyond.is_empty() {
            read_level(value.get(), beyond, depth + 1, values)?;
        }
    }
    Ok(())
}

/// The text of a value for a header; none for null.
fn header_text(json: &str) -> Result<Option<String>, String> {
    let value: Value = serde_json::from_str(json).map_err(|_| String::from("a number out of all bounds"))?;
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(value.to_string())),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => {
            let whole = |n: f64| (n.fract() == 0.0 && n.abs() <= MAX_INTEGER as f64).then_some(n as i64);
            match number.as_i64().or_else(|| number.as_f64().and_then(whole)) {
                Some(n) if n.abs() <= MAX_INTEGER => Ok(Some(n.to_string())),
                _ => Err(String::from("another number")),
            }
        }
        other => Err(kind_of(&other).to_string()),
    }
}

#[cfg(test)]
mod tests;
