//! The one trait of all models.

use std::fmt;
use std::sync::Arc;

use bowline_transport::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{Answer, Events, MediaKind, ModelError, Request, document};

/// A model that answers requests.
///
/// ```
/// use bowline_llm::{Message, Model, ModelError, Request};
///
/// async fn ask(model: &dyn Model, question: &str) -> Result<String, ModelError> {
///     let answer = model.answer(&Request::new(vec![Message::user(question)])).await?;
///     Ok(answer.text())
/// }
/// ```
pub trait Model: fmt::Debug + Send + Sync + 'static {
    /// The name, as in `provider/model`.
    fn name(&self) -> &str;

    /// What it can take.
    fn features(&self) -> Features;

    /// Asks it. The future ends when the answer begins; all of it is in the events.
    ///
    /// # Errors
    /// When the provider cannot be asked, or refuses.
    ///
    /// # Cancel safety
    /// Dropping the future or the events ends the request; the provider may count what it has done by then.
    fn stream<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Events, ModelError>>;

    /// Asks it, and waits for the whole answer.
    ///
    /// # Errors
    /// Those of [`stream`](Self::stream) and of its events.
    ///
    /// # Cancel safety
    /// That of [`stream`](Self::stream).
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async { self.stream(request).await?.answer().await })
    }
}

/// A model that several share, of whichever kind it is.
impl<M: Model + ?Sized> Model for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn features(&self) -> Features {
        (**self).features()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Events, ModelError>> {
        (**self).stream(request)
    }

    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
        (**self).answer(request)
    }
}

/// Whose format a request is written in. Many servers speak that of OpenAI's Chat Completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// Anthropic's Messages.
    Anthropic,
    /// OpenAI's Chat Completions, and all that is compatible with it.
    OpenAiChat,
    /// OpenAI's Responses.
    OpenAiResponses,
    /// Google's Gemini, `generateContent`.
    Gemini,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Ollama's own chat.
    Ollama,
    /// Mistral's chat completions.
    Mistral,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Anthropic,
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::Gemini,
        Self::Bedrock,
        Self::Ollama,
        Self::Mistral,
    ];
}

/// What a model can take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// Images in a tool's result: in it, or right after it.
    pub images: bool,
    /// Sound in a tool's result, or right after it.
    pub audio: bool,
    /// PDF documents in a tool's result, or right after it.
    pub documents: bool,
    /// Text documents (plain text, Markdown, CSV, HTML) as documents; elsewhere their text is sent.
    pub text_documents: bool,
    /// Documents of Word and Excel.
    pub office_documents: bool,
    /// Whether the provider finds deferred tools by a search of its own ([`ToolSpec::deferred`](crate::ToolSpec)).
    pub deferred_tools: bool,
    /// The most tools in a request, deferred ones not counted, where the provider states it.
    pub max_tools: Option<usize>,
}

impl Features {
    /// A model that takes text alone.
    pub const TEXT: Self = Self {
        images: false,
        audio: false,
        documents: false,
        text_documents: false,
        office_documents: false,
        deferred_tools: false,
        max_tools: None,
    };

    /// Whether media of a kind can be in a tool's result: of documents, PDF. Which types of that kind are taken is the
    /// format's to know.
    pub const fn takes(&self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Image => self.images,
            MediaKind::Audio => self.audio,
            MediaKind::Video => false,
            MediaKind::Document => self.documents,
        }
    }

    /// Whether media of this type can be in a tool's result.
    pub(crate) fn takes_type(&self, mime_type: &str) -> bool {
        match MediaKind::of(mime_type) {
            MediaKind::Document if document::text_type(mime_type).is_some() => self.text_documents,
            MediaKind::Document if document::office_type(mime_type).is_some() => self.office_documents,
            MediaKind::Document => self.documents && mime_type == "application/pdf",
            kind => self.takes(kind),
        }
    }
}
