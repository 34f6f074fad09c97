//! Completion of arguments.
//!
//! Specification: server/utilities/completion.

use std::collections::BTreeMap;

use crate::result::plain_result;
use crate::tagged::tagged;
use crate::wire::object;

tagged! {
    /// What an argument belongs to.
    ///
    /// ```
    /// use bowline_protocol::CompletionReference;
    ///
    /// let prompt = CompletionReference::prompt("review");
    /// assert_eq!(serde_json::to_string(&prompt)?, r#"{"type":"ref/prompt","name":"review"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub enum CompletionReference by "type" {
        /// A prompt.
        "ref/prompt" => Prompt(PromptReference),
        /// A resource template.
        "ref/resource" => Resource(ResourceTemplateReference),
    }
}

impl CompletionReference {
    /// The prompt of this name.
    pub fn prompt(name: impl Into<String>) -> Self {
        Self::Prompt(PromptReference::new(name))
    }

    /// The resource template, spelled as the server lists it.
    pub fn resource(uri: impl Into<String>) -> Self {
        Self::Resource(ResourceTemplateReference::new(uri))
    }
}

object! {
    /// A prompt, named.
    pub struct PromptReference {
        required {
            /// The name.
            name: String,
        }
        optional {
            /// The name, for people (since 2025-06-18).
            title: String => with_title,
        }
    }
}

object! {
    /// A resource template, or a resource, named (`ResourceReference` until 2025-03-26).
    pub struct ResourceTemplateReference {
        required {
            /// The URI or the template.
            uri: String,
        }
    }
}

object! {
    /// The parameters of `completion/complete`.
    pub struct CompleteRequestParams (meta) {
        required {
            /// What the argument belongs to.
            #[serde(rename = "ref")]
            reference: CompletionReference,
            /// The argument to complete.
            argument: CompletionArgument,
        }
        optional {
            /// What is known beside (since 2025-06-18).
            context: CompletionContext => with_context,
        }
    }
}

object! {
    /// The argument to complete.
    pub struct CompletionArgument {
        required {
            /// The name.
            name: String,
            /// What was typed so far.
            value: String,
        }
    }
}

object! {
    /// What is known beside the argument to complete (since 2025-06-18).
    #[derive(Default)]
    pub struct CompletionContext {
        optional {
            /// The arguments that have a value already.
            arguments: BTreeMap<String, String> => with_arguments,
        }
    }
}

object! {
    /// The answer to `completion/complete`.
    pub struct CompleteResult (meta, result_type) {
        required {
            /// The suggestions.
            completion: Completion,
        }
    }
}
plain_result!(CompleteResult);

object! {
    /// Suggestions for an argument.
    pub struct Completion {
        words {
            /// The suggestions, best first, at most 100 by the specification.
            values,
        }
        optional {
            /// Whether there are more than were sent.
            #[serde(deserialize_with = "crate::lenient::flag")]
            has_more: bool => with_has_more,
        }
        counts {
            /// How many there are in all.
            total => with_total,
        }
    }
}
