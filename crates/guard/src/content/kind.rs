//! What may be odd about text.

use serde::{Deserialize, Serialize};

/// What may be odd about what a server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// Characters that turn the text around, such as U+202E.
    BidirectionalOverride,
    /// Control characters but newline and tab.
    ControlCharacters,
    /// A file with credentials is named.
    CredentialFile,
    /// A `data:` URL.
    DataUrl,
    /// A long run of base64.
    EncodedBlob,
    /// A sequence that drives a terminal.
    EscapeSequence,
    /// A comment of HTML, which a person does not see where it is rendered.
    HtmlComment,
    /// An icon that is neither at an `https:` address nor `data:`.
    IconSource,
    /// Words to the model that it should do something behind the person's back.
    Instructions,
    /// Characters without width, or that look like nothing.
    InvisibleCharacters,
    /// A link whose text names another place than it leads to.
    LinkMismatch,
    /// A name, or a word, whose letters look like others.
    Lookalike,
    /// Binary content of a kind that is not allowed, of another kind than it claims, or too large.
    Media,
    /// Words about what should be done with other tools.
    OtherTools,
    /// Larger than allowed.
    Oversized,
    /// Marks that set apart who speaks to a model, such as `<|im_start|>` or `<IMPORTANT>`.
    PromptMarkup,
    /// Tags of Unicode: a text that is not seen.
    TagCharacters,
    /// Rows of variation selectors, which carry data.
    VariationSelectors,
    /// A long run of white space with text behind it.
    Whitespace,
}

impl Kind {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::BidirectionalOverride,
        Self::ControlCharacters,
        Self::CredentialFile,
        Self::DataUrl,
        Self::EncodedBlob,
        Self::EscapeSequence,
        Self::HtmlComment,
        Self::IconSource,
        Self::Instructions,
        Self::InvisibleCharacters,
        Self::LinkMismatch,
        Self::Lookalike,
        Self::Media,
        Self::OtherTools,
        Self::Oversized,
        Self::PromptMarkup,
        Self::TagCharacters,
        Self::VariationSelectors,
        Self::Whitespace,
    ];

    /// The word for it, as it is written in rules and as [`Finding::rule`](crate::Finding::rule).
    pub const fn id(self) -> &'static str {
        match self {
            Self::BidirectionalOverride => "bidirectional-override",
            Self::ControlCharacters => "control-characters",
            Self::CredentialFile => "credential-file",
            Self::DataUrl => "data-url",
            Self::EncodedBlob => "encoded-blob",
            Self::EscapeSequence => "escape-sequence",
            Self::HtmlComment => "html-comment",
            Self::IconSource => "icon-source",
            Self::Instructions => "instructions",
            Self::InvisibleCharacters => "invisible-characters",
            Self::LinkMismatch => "link-mismatch",
            Self::Lookalike => "lookalike",
            Self::Media => "media",
            Self::OtherTools => "other-tools",
            Self::Oversized => "oversized",
            Self::PromptMarkup => "prompt-markup",
            Self::TagCharacters => "tag-characters",
            Self::VariationSelectors => "variation-selectors",
            Self::Whitespace => "whitespace",
        }
    }

    /// Whether stripping takes single characters out, and not a passage.
    pub(super) const fn is_of_characters(self) -> bool {
        matches!(
            self,
            Self::BidirectionalOverride
                | Self::ControlCharacters
                | Self::EscapeSequence
                | Self::InvisibleCharacters
                | Self::TagCharacters
                | Self::VariationSelectors
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_one_of_rules() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{}\"", kind.id()));
        }
    }
}
