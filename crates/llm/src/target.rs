//! Which model requests are written for, and how.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Features, Format, SchemaTarget, ToolSpec};

/// A provider's model, as far as requests to it depend on that.
///
/// ```
/// use bowline_llm::{Format, Message, Request, Target};
///
/// let target = Target::new(Format::Mistral, "mistral-large-latest");
/// let encoded = target.encode(&Request::new(vec![Message::user("ahoy")]))?;
/// assert_eq!(encoded.body()["messages"][0]["content"], "ahoy");
/// # Ok::<(), bowline_llm::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// Whose format.
    pub format: Format,
    /// The model, by the provider's name.
    pub model: String,
    /// What it can take.
    pub features: Features,
    /// What its tools' schemas are lowered to, where they are not strict.
    pub schemas: SchemaTarget,
    /// Whether it only speaks the format, and is not the provider whose format it is: then what only that one knows is
    /// left out.
    pub compatible: bool,
    /// Whether the answer is to come as a stream.
    pub stream: bool,
}

impl Target {
    /// A model with what is known of it by its name. Answers are streamed.
    pub fn new(format: Format, model: impl Into<String>) -> Self {
        let model = model.into();
        let features = features(format, &model);
        let schemas = match format {
            Format::Anthropic => SchemaTarget::Anthropic,
            Format::OpenAiChat | Format::OpenAiResponses | Format::Mistral => SchemaTarget::OpenAi,
            Format::Gemini => SchemaTarget::Gemini,
            Format::Bedrock if model.contains("nova") => SchemaTarget::Nova,
            Format::Bedrock => SchemaTarget::Anthropic,
            Format::Ollama => SchemaTarget::Ollama,
        };
        Self { format, model, features, schemas, compatible: false, stream: true }
    }

    /// Sets [`features`](Self::features).
    #[must_use]
    pub fn with_features(mut self, features: Features) -> Self {
        self.features = features;
        self
    }

    /// Sets [`stream`](Self::stream).
    #[must_use]
    pub const fn with_stream(mut self, stream: bool) -> Self {
        self.stream = stream;
        self
    }

    /// Sets [`compatible`](Self::compatible). One that is compatible is taken to know nothing beyond text, unless
    /// [`with_features`](Self::with_features) says so afterwards.
    #[must_use]
    pub fn with_compatible(mut self, compatible: bool) -> Self {
        self.compatible = compatible;
        if compatible && !matches!(self.format, Format::Ollama | Format::Mistral) {
            self.features = Features::TEXT;
        }
        self
    }

    /// Whether the provider is to find some of these tools by its own search.
    pub(crate) fn searches(&self, tools: &[Arc<ToolSpec>]) -> bool {
        self.features.deferred_tools && tools.iter().any(|tool| tool.deferred)
    }

    /// Whether the provider takes the schema of a tool's result.
    pub(crate) fn tells_output(&self) -> bool {
        match self.format {
            Format::OpenAiResponses => !self.compatible,
            Format::Gemini => self.schemas == SchemaTarget::Gemini && !self.compatible,
            _ => false,
        }
    }

    /// What strict tools are lowered to; none where the format has no strict mode that is known here.
    pub(crate) fn strict_schemas(&self) -> Option<SchemaTarget> {
        match self.format {
            Format::Anthropic => Some(SchemaTarget::AnthropicStrict),
            Format::Bedrock if self.schemas == SchemaTarget::Anthropic => Some(SchemaTarget::AnthropicStrict),
            Format::OpenAiChat | Format::OpenAiResponses | Format::Mistral => Some(SchemaTarget::OpenAiStrict),
            _ => None,
        }
    }

    /// Whether a tool's result can hold media, which older Gemini models do not take.
    pub(crate) fn is_gemini_3(&self) -> bool {
        let generation = self.model.rsplit('/').next().and_then(|name| name.strip_prefix("gemini-"));
        generation.is_some_and(|rest| rest.starts_with(|c: char| ('3'..='9').contains(&c)))
    }
}

/// What is known of a model by its name. Where nothing is, the least: a request that says too much is refused whole.
fn features(format: Format, model: &str) -> Features {
    let media = Features { images: true, documents: true, text_documents: true, ..Features::TEXT };
    let office = Features { office_documents: true, ..media };
    let any = |parts: &[&str]| parts.iter().any(|part| model.contains(part));
    match format {
        Format::Anthropic => Features { deferred_tools: searches_tools(model), ..media },
        Format::OpenAiChat => {
            Features { images: !any(&["gpt-3.5", "o1-mini", "o3-mini"]), max_tools: Some(128), ..Features::TEXT }
        }
        Format::OpenAiResponses => Features { max_tools: Some(128), ..office },
        Format::Gemini => Features { audio: true, max_tools: Some(128), ..media },
        Format::Bedrock if any(&["claude", "nova-lite", "nova-pro", "nova-premier"]) => office,
        Format::Mistral => Features { images: any(&["pixtral"]), ..Features::TEXT },
        Format::Ollama => {
            let see = ["llava", "vision", "-vl", "vl:", "gemma3", "minicpm-v", "moondream"];
            Features { images: any(&see), ..Features::TEXT }
        }
        Format::Bedrock => Features::TEXT,
    }
}

/// Whether the provider finds deferred tools for it: Claude Opus and Sonnet from 4.5 on.
fn searches_tools(model: &str) -> bool {
    let mut words = model.split(['-', '.', '@']).skip_while(|word| !matches!(*word, "opus" | "sonnet")).skip(1);
    // A date is no version.
    let mut number = || words.next()?.parse::<u32>().ok().filter(|number| *number < 100);
    let version = (number().unwrap_or(0), number().unwrap_or(0));
    model.contains("claude") && version >= (4, 5)
}

impl Format {
    /// Its name: `anthropic`, `openai` for Responses, `openai-chat`, `gemini`, `bedrock`, `ollama` or `mistral`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Ollama => "ollama",
            Self::Mistral => "mistral",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no format's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no format; use anthropic, openai, openai-chat, gemini, bedrock, ollama or mistral")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let unknown = || UnknownFormat(bowline_protocol::excerpt(name, 60));
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_a_model_is_not_asked_of_it() {
        let features = |format, model: &str| Target::new(format, model).features;
        for (model, searches) in [
            ("claude-sonnet-4-5", true),
            ("claude-opus-4-6-20260101", true),
            ("claude-sonnet-5", true),
            ("claude-sonnet-4-20250514", false),
            ("claude-opus-4-1", false),
            ("claude-3-7-sonnet-latest", false),
            ("claude-haiku-4-5", false),
            ("glm-5", false),
        ] {
            assert_eq!(features(Format::Anthropic, model).deferred_tools, searches, "{model}");
        }
        assert!(features(Format::Ollama, "qwen2.5-vl:7b").images && !features(Format::Ollama, "qwen3").images);
        assert!(features(Format::OpenAiChat, "gpt-5").images);
        let local = Target::new(Format::OpenAiChat, "gpt-5").with_compatible(true);
        assert_eq!(local.features, Features::TEXT);
    }
}
