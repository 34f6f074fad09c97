//! What is said, as `Debug` shows it: texts cut, and without bytes and what only a provider understands.

use std::fmt::{Debug, Formatter, Result};

use bowline_protocol::excerpt;

use super::{Arguments, Content, Media, Message, Opaque, Part, ToolCall, ToolResult};
use crate::{Answer, Event, Stop};

/// How much of a text is shown, in bytes.
const TEXT: usize = 200;
/// How many parts of one thing are shown.
const MOST: usize = 16;

/// A text, cut.
struct Cut<'t>(&'t str);

impl Debug for Cut<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        excerpt(self.0, TEXT).fmt(f)
    }
}

/// The first of many.
struct Few<'a, T>(&'a [T]);

impl<T: Debug> Debug for Few<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut list = f.debug_list();
        list.entries(self.0.iter().take(MOST));
        let more = self.0.len().saturating_sub(MOST);
        if more > 0 {
            list.entry(&format_args!("and {more} more"));
        }
        list.finish()
    }
}

impl Debug for Message {
    /// With texts cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::User(content) => f.debug_tuple("User").field(&Few(content)).finish(),
            Self::Assistant(parts) => f.debug_tuple("Assistant").field(&Few(parts)).finish(),
            Self::Results(results) => f.debug_tuple("Results").field(&Few(results)).finish(),
        }
    }
}

impl Debug for Content {
    /// With texts cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&Cut(text)).finish(),
            Self::Media(media) => media.fmt(f),
            Self::Json(raw) => f.debug_tuple("Json").field(&Cut(raw.as_str())).finish(),
        }
    }
}

impl Debug for Media {
    /// Without the bytes.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Media")
            .field("mime_type", &Cut(&self.mime_type))
            .field("name", &self.name.as_deref().map(Cut))
            .field("bytes", &self.size())
            .finish()
    }
}

impl Debug for Part {
    /// With texts cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut text = |name: &str, text: &str, opaque: &Option<Opaque>| {
            f.debug_struct(name).field("text", &Cut(text)).field("opaque", opaque).finish()
        };
        match self {
            Self::Text { text: said, opaque } => text("Text", said, opaque),
            Self::Reasoning { text: thought, opaque } => text("Reasoning", thought, opaque),
            Self::Call(call) => call.fmt(f),
            Self::Media(media) => media.fmt(f),
            Self::Opaque(opaque) => opaque.fmt(f),
        }
    }
}

impl Debug for Opaque {
    /// Without the value: signatures, and what is encrypted.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Opaque").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Debug for ToolCall {
    /// With texts cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ToolCall")
            .field("id", &Cut(&self.id))
            .field("name", &Cut(&self.name))
            .field("arguments", &self.arguments)
            .field("opaque", &self.opaque)
            .finish()
    }
}

impl Debug for Arguments {
    /// With texts cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = if self.as_object().is_some() { "Object" } else { "Broken" };
        f.debug_tuple(name).field(&Cut(self.text())).finish()
    }
}

impl Debug for ToolResult {
    /// With texts cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ToolResult")
            .field("call_id", &Cut(&self.call_id))
            .field("name", &Cut(&self.name))
            .field("content", &Few(&self.content))
            .field("is_error", &self.is_error)
            .finish()
    }
}

impl Debug for Answer {
    /// With texts cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Answer")
            .field("parts", &Few(&self.parts))
            .field("stop", &self.stop)
            .field("usage", &self.usage)
            .field("model", &self.model.as_deref().map(Cut))
            .field("id", &self.id.as_deref().map(Cut))
            .finish()
    }
}

impl Debug for Stop {
    /// With the provider's word cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::EndTurn => "EndTurn",
            Self::ToolCalls => "ToolCalls",
            Self::MaxTokens => "MaxTokens",
            Self::StopSequence => "StopSequence",
            Self::Refusal => "Refusal",
            Self::Paused => "Paused",
            Self::ContextFull => "ContextFull",
            Self::MalformedCall => "MalformedCall",
            Self::Other(why) => return f.debug_tuple("Other").field(&Cut(why)).finish(),
        })
    }
}

impl Debug for Event {
    /// With texts cut.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&Cut(text)).finish(),
            Self::Reasoning(text) => f.debug_tuple("Reasoning").field(&Cut(text)).finish(),
            Self::CallBegun { index, name } => {
                f.debug_struct("CallBegun").field("index", index).field("name", &Cut(name)).finish()
            }
            Self::CallArguments { index, piece } => {
                f.debug_struct("CallArguments").field("index", index).field("piece", &Cut(piece)).finish()
            }
            Self::Call(call) => f.debug_tuple("Call").field(call).finish(),
            Self::Done(answer) => f.debug_tuple("Done").field(answer).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    #[test]
    fn what_is_shown_is_short_and_tells_nothing_of_signatures_and_bytes() {
        let long = "knots ".repeat(10_000);
        let opaque = Opaque::new(Format::Anthropic, serde_json::json!({"signature": "c2VjcmV0"}));
        let text = Part::Text { text: long.clone(), opaque: Some(opaque.clone()) };
        let call = ToolCall::new(long.clone(), long.clone(), Arguments::read(&format!("{{\"a\":\"{long}\"}}")));
        let media = Content::Media(Media::new("image/png", "c2VjcmV0").with_name(long.clone()));
        let result = ToolResult::new(
            &call,
            vec![Content::text(long.clone()), media, Content::Json(serde_json::Value::from(long.as_str()).into())],
        );
        let answer = Answer::new(vec![text, Part::Opaque(opaque), Part::Call(call)]);
        for shown in [
            format!("{:?}", Event::Done(answer.clone())),
            format!("{:?}", Event::Text(long.clone())),
            format!("{:?}", answer.clone().into_message()),
            format!("{:?}", Answer { stop: Stop::Other(long), ..Answer::new(Vec::new()) }),
            format!("{:?}", Message::Results(vec![result])),
            format!("{:?}", Message::User(vec![Content::text("x"); 10_000])),
        ] {
            assert!(shown.len() < 4_000 && !shown.contains("c2VjcmV0"), "{shown}");
        }
        assert!(format!("{answer:?}").contains("knots"));
    }
}
