//! What a tool gave, as a model is to see it.
//!
//! Done once, when the result comes, so that a history is the same for every provider and never changes afterwards.

mod blocks;
mod cut;
mod media;
mod structured;

use std::fmt;

use bowline_protocol::{CallToolResult, ContentBlock, Role};

use self::blocks::Teller;
use crate::Features;
use crate::message::{Content, ToolCall, ToolResult};

pub use self::media::media_type;

/// What stands in for a result without content: providers refuse one that is empty.
pub(crate) const NOTHING: &str = "(no output)";
/// How many blocks of a result are looked at; further ones are counted, and kept.
const BLOCKS: usize = 10_000;

/// How results are made ready for a model.
///
/// ```
/// use bowline_llm::{Arguments, Features, NoKeep, ResultPolicy, ToolCall};
/// use bowline_protocol::CallToolResult;
///
/// let call = ToolCall::new("call_1", "add", Arguments::read("{}"));
/// let given = CallToolResult::text(r#"{"sum": 3}"#).with_structured_content(serde_json::json!({"sum": 3}));
/// let fitted = ResultPolicy::default().fit(&call, given, &Features::TEXT, &NoKeep);
/// assert_eq!(fitted.result.content.len(), 1, "the same data is sent once");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultPolicy {
    /// What is sent where there are both content and structured content.
    pub prefer: Prefer,
    /// The most tokens of a result, estimated. Default 25,000. What is beyond is cut, and kept.
    pub max_tokens: u64,
    /// The largest image, sound or document that is sent, in bytes. Default 3.75 MB: what every provider takes. Larger
    /// ones are described, and kept.
    pub max_media_bytes: usize,
    /// The tool that the model can read kept things by, as notes name it. Default `read_artifact`.
    pub artifact_tool: String,
}

impl Default for ResultPolicy {
    fn default() -> Self {
        Self {
            prefer: Prefer::Both,
            max_tokens: 25_000,
            max_media_bytes: 3_750_000,
            artifact_tool: "read_artifact".to_owned(),
        }
    }
}

/// What is sent of a result with both content and structured content.
///
/// Text that is the same JSON as the structured content is never sent beside it, whatever is preferred.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prefer {
    /// Both: the content, then the structured content.
    #[default]
    Both,
    /// The content; the structured content only where there is no other.
    Content,
    /// The structured content, with the images, sounds, resources and links of the content, but not its text.
    Structured,
}

/// Something that a model does not get, or not whole.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Kept<'a> {
    /// A name or URI, where it has one.
    pub name: Option<&'a str>,
    /// The media type, such as `text/plain`.
    pub mime_type: &'a str,
    /// The thing itself.
    pub body: KeptBody<'a>,
}

/// What is kept.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum KeptBody<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes, in base64 as the server wrote them.
    Base64(&'a str),
}

/// Keeps what a model does not get, so that it can ask for it.
pub trait Keep: Send + Sync {
    /// Keeps it, and gives the handle by which it can be read; none where there is no room. The model is told the handle.
    fn keep(&self, thing: Kept<'_>) -> Option<String>;
}

/// Keeps nothing: the model is told what it does not get.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to it")]
pub struct NoKeep;

impl Keep for NoKeep {
    fn keep(&self, _: Kept<'_>) -> Option<String> {
        None
    }
}

/// A result made ready.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fitted {
    /// What the model sees. It is never empty.
    pub result: ToolResult,
    /// What is for people alone: blocks whose audience leaves the model out.
    pub for_host: Vec<ContentBlock>,
    /// The handles of what was kept.
    pub kept: Vec<String>,
}

/// A piece of a result, with what decides who goes first where not all can stay.
pub(crate) struct Piece {
    content: Content,
    /// From 0 to 1; what a server does not say lies in the middle.
    priority: f64,
    /// The name of what it came from.
    name: Option<String>,
}

impl Piece {
    const fn new(content: Content) -> Self {
        Self { content, priority: 0.5, name: None }
    }
}

impl ResultPolicy {
    /// Makes a result ready for a model with these features. Nothing goes missing without a word: what the model
    /// cannot take is described where it stood, and `keep` gets it.
    ///
    /// Media are checked by their first bytes, whatever type they are said to be of. `_meta` goes nowhere.
    pub fn fit(&self, call: &ToolCall, given: CallToolResult, features: &Features, keep: &dyn Keep) -> Fitted {
        let is_error = given.is_error();
        let CallToolResult { content, structured_content, .. } = given;
        let (for_host, mut blocks): (Vec<_>, Vec<_>) = content.into_iter().partition(is_for_host);
        let unseen = blocks.split_off(blocks.len().min(BLOCKS));
        let structured = structured_content.filter(|raw| !raw.is_null() || blocks.is_empty());
        let structured = structured::choose(self.prefer, &mut blocks, structured);
        let mut teller = Teller::new(self, features, keep);
        let mut pieces: Vec<Piece> = blocks.into_iter().filter_map(|block| teller.piece(block)).collect();
        if !unseen.is_empty() {
            let (count, json) = (unseen.len(), serde_json::to_string(&unseen).unwrap_or_default());
            let how = teller.keep_text(None, "application/json", &json);
            pieces.push(Piece::new(Content::Text(format!("[{count} more blocks, which are not shown{how}]"))));
        }
        pieces.extend(structured.map(|raw| Piece::new(Content::Json(raw))));
        pieces.extend(teller.rest().map(|note| Piece::new(Content::Text(note))));
        let mut content = cut::to_fit(pieces, self.max_tokens, &mut teller);
        if content.is_empty() {
            content.push(Content::text(NOTHING));
        }
        let result = ToolResult { is_error, ..ToolResult::new(call, content) };
        Fitted { result, for_host, kept: teller.into_handles() }
    }
}

/// Whether a block is for people alone.
fn is_for_host(block: &ContentBlock) -> bool {
    let audience = blocks::annotations(block).and_then(|annotations| annotations.audience.as_ref());
    // An empty audience is nobody, which a server can hardly mean.
    audience.is_some_and(|audience| !audience.is_empty() && !audience.contains(&Role::Assistant))
}

/// A number of bytes for people and models.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

impl fmt::Debug for dyn Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keep")
    }
}

#[cfg(test)]
mod tests;
