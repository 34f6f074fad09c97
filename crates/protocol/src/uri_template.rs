//! URI templates (RFC 6570), all four levels.

use std::str::FromStr;

use crate::entries::Entries;
use crate::resources::ResourceTemplate;
use crate::text::excerpt;

/// A URI template, ready to be filled in.
///
/// Specification: RFC 6570. Names without a value are left out.
///
/// ```
/// use bowline_protocol::UriTemplate;
///
/// let template: UriTemplate = "repo://{owner}/{name}/contents{/path*}{?ref}".parse()?;
/// assert_eq!(template.variables().collect::<Vec<_>>(), ["owner", "name", "path", "ref"]);
/// let uri = template.expand(&[
///     ("owner", "ahoy".into()),
///     ("name", "a b".into()),
///     ("path", ["src", "main.rs"].into()),
/// ].into());
/// assert_eq!(uri, "repo://ahoy/a%20b/contents/src/main.rs");
/// # Ok::<(), bowline_protocol::UriTemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate(Vec<Part>);

/// What a name in a template stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6570 knows these three")]
pub enum TemplateValue {
    /// A string.
    Text(String),
    /// A list of strings; an empty one counts as no value.
    List(Vec<String>),
    /// Pairs of a name and a value; an empty list counts as no value.
    Pairs(Vec<(String, String)>),
}

/// Text that is no URI template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the uri template \"{}\": {reason}", excerpt(template, 256))]
#[non_exhaustive]
pub struct UriTemplateError {
    /// The text.
    pub template: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Expression(Operator, Vec<Variable>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    name: String,
    modifier: Modifier,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Modifier {
    None,
    Prefix(usize),
    Explode,
}

/// The table of RFC 6570, appendix A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operator {
    first: &'static str,
    separator: &'static str,
    named: bool,
    if_empty: &'static str,
    reserved: bool,
}

impl Operator {
    const fn new(
        first: &'static str,
        separator: &'static str,
        named: bool,
        if_empty: &'static str,
        reserved: bool,
    ) -> Self {
        Self { first, separator, named, if_empty, reserved }
    }

    /// The operator of a character; none for a character that begins a name.
    fn of(c: char) -> Result<Option<Self>, &'static str> {
        Ok(Some(match c {
            '+' => Self::new("", ",", false, "", true),
            '#' => Self::new("#", ",", false, "", true),
            '.' => Self::new(".", ".", false, "", false),
            '/' => Self::new("/", "/", false, "", false),
            ';' => Self::new(";", ";", true, "", false),
            '?' => Self::new("?", "&", true, "=", false),
            '&' => Self::new("&", "&", true, "=", false),
            '=' | ',' | '!' | '@' | '|' => return Err("the operator is reserved for later"),
            _ => return Ok(None),
        }))
    }
}

impl UriTemplate {
    /// The names, in order, each as often as it stands there.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let expressions = self.0.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Expression(_, variables) => Some(variables),
        });
        expressions.flatten().map(|variable| variable.name.as_str())
    }

    /// The URI with these values.
    pub fn expand(&self, values: &Entries<TemplateValue>) -> String {
        let mut uri = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => push_encoded(&mut uri, text, true),
                Part::Expression(operator, variables) => {
                    let pieces = variables.iter().filter_map(|v| expand(*operator, v, values.get(&v.name)?));
                    let mut before = operator.first;
                    for piece in pieces {
                        uri.push_str(before);
                        uri.push_str(&piece);
                        before = operator.separator;
                    }
                }
            }
        }
        uri
    }
}

/// The text of one name, or none where it has no value.
fn expand(operator: Operator, variable: &Variable, value: &TemplateValue) -> Option<String> {
    let explode = variable.modifier == Modifier::Explode;
    let encoded = |text: &str| {
        let mut out = String::new();
        push_encoded(&mut out, text, operator.reserved);
        out
    };
    // A name is encoded as literal text is (section 3.2.1), whatever the operator allows in values.
    let mut name = String::new();
    push_encoded(&mut name, &variable.name, true);
    let named = |name: &str, encoded: &str| match encoded {
        "" => format!("{name}{}", operator.if_empty),
        value => format!("{name}={value}"),
    };
    let (items, separator): (Vec<String>, _) = match value {
        TemplateValue::Text(text) => {
            let text = match variable.modifier {
                Modifier::Prefix(length) => {
                    text.char_indices().nth(length).map_or(text.as_str(), |(end, _)| text.split_at(end).0)
                }
                Modifier::None | Modifier::Explode => text,
            };
            let text = encoded(text);
            return Some(if operator.named { named(&name, &text) } else { text });
        }
        TemplateValue::List(list) if explode && operator.named => {
            (list.iter().map(|item| named(&name, &encoded(item))).collect(), operator.separator)
        }
        TemplateValue::List(list) => {
            (list.iter().map(|item| encoded(item)).collect(), if explode { operator.separator } else { "," })
        }
        TemplateValue::Pairs(pairs) if explode && operator.named => {
            (pairs.iter().map(|(name, item)| named(&encoded(name), &encoded(item))).collect(), operator.separator)
        }
        TemplateValue::Pairs(pairs) if explode => (
            pairs.iter().map(|(name, item)| format!("{}={}", encoded(name), encoded(item))).collect(),
            operator.separator,
        ),
        TemplateValue::Pairs(pairs) => {
            (pairs.iter().flat_map(|(name, item)| [encoded(name), encoded(item)]).collect(), ",")
        }
    };
    if items.is_empty() {
        return None;
    }
    let joined = items.join(separator);
    Some(if operator.named && !explode { named(&name, &joined) } else { joined })
}

/// Appends text, percent-encoded but for unreserved characters, and for reserved ones and triplets where they may stand.
fn push_encoded(uri: &mut String, text: &str, reserved: bool) {
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let triplet =
            || byte == b'%' && matches!(bytes.get(at + 1..at + 3), Some(hex) if hex.iter().all(u8::is_ascii_hexdigit));
        if plain || reserved && (b":/?#[]@!$&'()*+,;=".contains(&byte) || triplet()) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
}

impl FromStr for UriTemplate {
    type Err = UriTemplateError;

    fn from_str(template: &str) -> Result<Self, UriTemplateError> {
        parse(template).map(Self).map_err(|reason| UriTemplateError { template: template.to_owned(), reason })
    }
}

fn parse(template: &str) -> Result<Vec<Part>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (expression, after) = after.split_once('}').ok_or("a brace is not closed")?;
        push_literal(&mut parts, literal)?;
        parts.push(parse_expression(expression)?);
        rest = after;
    }
    push_literal(&mut parts, rest)?;
    Ok(parts)
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) -> Result<(), &'static str> {
    if literal.contains('}') {
        return Err("a brace is closed that was not opened");
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    Ok(())
}

fn parse_expression(expression: &str) -> Result<Part, &'static str> {
    let first = expression.chars().next().ok_or("there is nothing between two braces")?;
    let (operator, names) = match Operator::of(first)? {
        Some(operator) => (operator, expression.split_at(first.len_utf8()).1),
        None => (Operator::new("", ",", false, "", false), expression),
    };
    Ok(Part::Expression(operator, names.split(',').map(parse_variable).collect::<Result<_, _>>()?))
}

fn parse_variable(text: &str) -> Result<Variable, &'static str> {
    let (name, modifier) = if let Some(name) = text.strip_suffix('*') {
        (name, Modifier::Explode)
    } else if let Some((name, length)) = text.split_once(':') {
        let length = length.parse().ok().filter(|length| (1..10_000).contains(length));
        (name, Modifier::Prefix(length.ok_or("a prefix is not between 1 and 9999")?))
    } else {
        (text, Modifier::None)
    };
    // Servers use names beyond the alphabet of the RFC, such as `user-id`; only what would be ambiguous is refused.
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "{}*:+#/;?&=!@|".contains(c)) {
        return Err("a name is empty or holds a character that it must not");
    }
    Ok(Variable { name: name.to_owned(), modifier })
}

impl From<&str> for TemplateValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for TemplateValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<String>> for TemplateValue {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl<const LEN: usize> From<[&str; LEN]> for TemplateValue {
    fn from(list: [&str; LEN]) -> Self {
        Self::List(list.map(str::to_owned).to_vec())
    }
}

impl<const LEN: usize> From<[(&str, &str); LEN]> for TemplateValue {
    fn from(pairs: [(&str, &str); LEN]) -> Self {
        Self::Pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }
}

impl ResourceTemplate {
    /// The URI of the resource with these values.
    ///
    /// # Errors
    /// When the server's template is not one of RFC 6570.
    pub fn expand(&self, values: &Entries<TemplateValue>) -> Result<String, UriTemplateError> {
        Ok(self.uri_template.parse::<UriTemplate>()?.expand(values))
    }
}

#[cfg(test)]
mod tests;
