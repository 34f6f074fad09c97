//! Prompts.
//!
//! Specification: server/prompts.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::annotations::Role;
use crate::content::ContentBlock;
use crate::icons::Icon;
use crate::input::InputResponses;
use crate::leniency::{Leniency, note};
use crate::lenient::{Alone, Named};
use crate::meta::Extra;
use crate::raw::RawJson;
use crate::result::{Rescued, list_result};
use crate::wire::object;

object! {
    /// A prompt that a server offers.
    ///
    /// ```
    /// use bowline_protocol::{Prompt, PromptArgument};
    ///
    /// let prompt = Prompt::new("review").with_arguments([PromptArgument::new("code").with_required(true)]);
    /// assert_eq!(prompt.missing_arguments(["language"]), ["code"]);
    /// ```
    pub struct Prompt (meta) {
        required {
            /// The name, for programs.
            name: String,
        }
        optional {
            /// The name, for people (since 2025-06-18).
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What it is for.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// The arguments that it takes.
            arguments: Vec<PromptArgument> => with_arguments,
            /// Icons (since 2025-11-25).
            #[serde(deserialize_with = "crate::lenient::icons")]
            icons: Vec<Icon> => with_icons,
        }
    }
}

impl Prompt {
    /// One whose arguments are not as they should be has those that can be read. What else is odd about it stays odd.
    fn rescue(raw: &RawJson) -> Rescued<Self> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            arguments: &'a RawValue,
        }

        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Arguments(#[serde(deserialize_with = "crate::lenient::hints")] Option<Vec<PromptArgument>>);

        let read = || {
            let text = raw.as_str();
            let Head { arguments } = serde_json::from_str(text).ok()?;
            // Without them, in the text as it came: a map would take the last of two names.
            let from = arguments.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
            let (before, behind) = (text.get(..from)?, text.get(from + arguments.get().len()..)?);
            let rest: Self = serde_json::from_str(&[before, "null", behind].concat()).ok()?;
            let Arguments(arguments) = serde_json::from_str(arguments.get()).ok()?;
            Some(Self { arguments, ..rest })
        };
        read().map_or_else(Rescued::nothing, |prompt| Rescued::All(vec![prompt]))
    }

    /// The arguments that must be given and are not among the `given` names.
    pub fn missing_arguments<'a>(&self, given: impl IntoIterator<Item = &'a str>) -> Vec<&str> {
        let given: Vec<&str> = given.into_iter().collect();
        let arguments = self.arguments.as_deref().unwrap_or_default();
        let missing = arguments.iter().filter(|a| a.is_required() && !given.contains(&a.name.as_str()));
        missing.map(|a| a.name.as_str()).collect()
    }
}

object! {
    /// An argument of a prompt.
    pub struct PromptArgument {
        required {
            /// The name, for programs.
            name: String,
        }
        optional {
            /// The name, for people (since 2025-06-18).
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What it means.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// Whether it must be given; not said means no.
            #[serde(deserialize_with = "crate::lenient::flag")]
            required: bool => with_required,
        }
    }
}

impl Named for PromptArgument {
    fn named(name: String) -> Self {
        Self::new(name)
    }
}

impl PromptArgument {
    /// Whether it must be given.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(false)
    }
}

object! {
    /// One page of prompts.
    pub struct ListPromptsResult (meta, result_type, ttl_ms, cache_scope) {
        list {
            /// The prompts.
            prompts: Prompt,
        }
        optional {
            /// Where the next page starts; none on the last one.
            #[serde(deserialize_with = "crate::lenient::cursor")]
            next_cursor: String => with_next_cursor,
        }
        problems { problems }
    }
}
list_result!(ListPromptsResult, "prompts" => prompts by "name" else Prompt::rescue);

object! {
    /// The parameters of `prompts/get`.
    pub struct GetPromptRequestParams (meta) {
        required {
            /// The prompt.
            name: String,
        }
        optional {
            /// The arguments by name.
            arguments: BTreeMap<String, String> => with_arguments,
            /// Answers to the server's requests for input (2026-07-28).
            input_responses: InputResponses => with_input_responses,
            /// The state that came with those requests, byte for byte (2026-07-28).
            request_state: String => with_request_state,
        }
    }
}

object! {
    /// A prompt, filled in.
    pub struct GetPromptResult (meta, result_type) {
        required {
            /// The messages. One with several blocks, which no revision allows, is read as a message for each.
            #[serde(default, deserialize_with = "crate::lenient::items")]
            messages: Vec<PromptMessage>,
        }
        optional {
            /// What it is for.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
        }
        problems { problems }
    }
}
list_result!(GetPromptResult, "messages" => messages else PromptMessage::rescue);

object! {
    /// A message of a prompt.
    pub struct PromptMessage {
        required {
            /// Who speaks.
            role: Role,
            /// What is said. A string alone, which no revision allows, is read as a block of text.
            content: ContentBlock,
        }
    }
}

impl Alone for PromptMessage {
    fn of_text(_: &str) -> Option<Self> {
        // Whose words they are is not said.
        None
    }
}

impl PromptMessage {
    /// What a message that could not be read becomes: one for each block of a list.
    fn rescue(raw: &RawJson) -> Rescued<Self> {
        #[derive(Deserialize)]
        struct Several {
            role: Role,
            content: Vec<ContentBlock>,
            #[serde(flatten)]
            extra: Extra,
        }

        let Ok(Several { role, content, extra }) = raw.parse_strictly() else { return Rescued::nothing() };
        // It is there once for each block: one of a length that the server chooses would cost more memory than there is.
        // And a message that says nothing is not lost without a word.
        if matches!(role, Role::Other(_)) || content.is_empty() {
            return Rescued::nothing();
        }
        note(Leniency::Blocks);
        let message = |content| Self { role: role.clone(), content, extra: Extra::new() };
        let mut messages: Vec<Self> = content.into_iter().map(message).collect();
        // Not of each: there may be as many as there are bytes.
        if let Some(first) = messages.first_mut() {
            first.extra = extra;
        }
        Rescued::All(messages)
    }

    /// A message of the person.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, ContentBlock::text(text))
    }

    /// A message of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, ContentBlock::text(text))
    }
}
