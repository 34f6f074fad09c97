//! Sampling: a server asks the client's model.
//!
//! Specification: client/sampling.

use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::annotations::Role;
use crate::content::{AudioContent, ContentBlock, ImageContent, TextContent};
use crate::leniency::{Leniency, note};
use crate::lenient::Named;
use crate::raw::RawJson;
use crate::result::plain_result;
use crate::tagged::tagged;
use crate::tasks::TaskMetadata;
use crate::tools::Tool;
use crate::wire::{object, open_enum};

object! {
    /// The parameters of `sampling/createMessage`.
    pub struct CreateMessageRequestParams (meta) {
        list {
            /// The conversation so far.
            messages: SamplingMessage,
        }
        optional {
            /// Which model to prefer.
            #[serde(deserialize_with = "crate::lenient::hint")]
            model_preferences: ModelPreferences => with_model_preferences,
            /// The system prompt that the server would like.
            system_prompt: String => with_system_prompt,
            /// What context to add; values but `none` are deprecated since 2025-11-25.
            include_context: IncludeContext => with_include_context,
            /// The temperature.
            #[serde(with = "crate::lenient::optional_number")]
            temperature: f64 => with_temperature,
            /// What ends the answer.
            stop_sequences: Vec<String> => with_stop_sequences,
            /// What the provider of the model should get, unparsed.
            metadata: RawJson => with_metadata,
            /// Tools that the model may use (since 2025-11-25).
            tools: Vec<Tool> => with_tools,
            /// Whether it must use them (since 2025-11-25).
            tool_choice: ToolChoice => with_tool_choice,
            /// Asks for the request to be run as a task (2025-11-25).
            #[serde(deserialize_with = "crate::tasks::metadata")]
            task: TaskMetadata => with_task,
        }
        counts {
            /// The most tokens to sample. All revisions demand it, and some servers leave it out.
            max_tokens => with_max_tokens,
        }
    }
}

object! {
    /// A message of a conversation with a model.
    pub struct SamplingMessage (meta) {
        required {
            /// Who speaks.
            role: Role,
            /// What is said.
            content: SamplingContent,
        }
    }
}

impl SamplingMessage {
    /// A message of the person.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, TextContent::new(text))
    }

    /// A message of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, TextContent::new(text))
    }
}

/// The content of a message: one block, from 2025-11-25 also several in an array.
///
/// A string alone, which no revision allows, is read as one block of text.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "one or several: there is no third")]
pub enum SamplingContent {
    /// One block.
    One(SamplingMessageContentBlock),
    /// Several, or an array of one.
    Many(Vec<SamplingMessageContentBlock>),
}

impl SamplingContent {
    /// The blocks.
    pub const fn blocks(&self) -> &[SamplingMessageContentBlock] {
        match self {
            Self::One(block) => std::slice::from_ref(block),
            Self::Many(blocks) => blocks.as_slice(),
        }
    }
}

impl<T: Into<SamplingMessageContentBlock>> From<T> for SamplingContent {
    fn from(block: T) -> Self {
        Self::One(block.into())
    }
}

impl From<Vec<SamplingMessageContentBlock>> for SamplingContent {
    fn from(blocks: Vec<SamplingMessageContentBlock>) -> Self {
        Self::Many(blocks)
    }
}

impl Serialize for SamplingContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(block) => block.serialize(serializer),
            Self::Many(blocks) => blocks.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SamplingContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;

        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = SamplingContent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content block or an array of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SamplingContent, E> {
                note(Leniency::Text);
                Ok(TextContent::new(text).into())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SamplingContent, A::Error> {
                Deserialize::deserialize(de::value::MapAccessDeserializer::new(map)).map(SamplingContent::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<SamplingContent, A::Error> {
                Deserialize::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(SamplingContent::Many)
            }
        }

        deserializer.deserialize_any(ContentVisitor)
    }
}

tagged! {
    /// A piece of a message, told by its `type`.
    pub enum SamplingMessageContentBlock by "type" or text as SamplingMessageContentBlock::text {
        /// Text.
        "text" => Text(TextContent),
        /// An image.
        "image" => Image(ImageContent),
        /// Sound (since 2025-03-26).
        "audio" => Audio(AudioContent),
        /// The model calls a tool (since 2025-11-25).
        "tool_use" => ToolUse(ToolUseContent),
        /// What a tool gave back (since 2025-11-25).
        "tool_result" => ToolResult(ToolResultContent),
    }
}

impl SamplingMessageContentBlock {
    fn text(text: &str) -> Self {
        TextContent::new(text).into()
    }
}

object! {
    /// The model calls a tool (since 2025-11-25).
    pub struct ToolUseContent (meta) {
        required {
            /// Which call, for the result to name.
            id: String,
            /// Which tool.
            name: String,
            /// The arguments, a JSON object, unparsed.
            #[serde(default = "empty_object", deserialize_with = "crate::lenient::schema")]
            input: RawJson,
        }
    }
}

const fn empty_object() -> RawJson {
    RawJson::EMPTY_OBJECT
}

object! {
    /// What a tool gave back (since 2025-11-25).
    pub struct ToolResultContent (meta) {
        required {
            /// Which call.
            tool_use_id: String,
            /// The content.
            #[serde(default, deserialize_with = "crate::lenient::items")]
            content: Vec<ContentBlock>,
        }
        optional {
            /// The structured result, unparsed; null differs from none.
            #[serde(deserialize_with = "crate::raw::present::deserialize")]
            structured_content: RawJson => with_structured_content,
            /// Whether the tool failed; not said means no.
            #[serde(deserialize_with = "crate::lenient::truth")]
            is_error: bool => with_is_error,
        }
    }
}

open_enum! {
    /// What context to add to a request for sampling.
    pub enum IncludeContext {
        /// None.
        "none" => None,
        /// That of the server that asks.
        "thisServer" => ThisServer,
        /// That of all servers.
        "allServers" => AllServers,
    }
}

object! {
    /// Which model a server would like.
    #[derive(Default)]
    pub struct ModelPreferences {
        optional {
            /// Names of models, or parts of them, best first.
            #[serde(deserialize_with = "crate::lenient::hints")]
            hints: Vec<ModelHint> => with_hints,
            /// How much low cost matters, from 0 to 1.
            #[serde(serialize_with = "crate::lenient::optional_number::serialize", deserialize_with = "crate::lenient::amount")]
            cost_priority: f64 => with_cost_priority,
            /// How much speed matters, from 0 to 1.
            #[serde(serialize_with = "crate::lenient::optional_number::serialize", deserialize_with = "crate::lenient::amount")]
            speed_priority: f64 => with_speed_priority,
            /// How much ability matters, from 0 to 1.
            #[serde(serialize_with = "crate::lenient::optional_number::serialize", deserialize_with = "crate::lenient::amount")]
            intelligence_priority: f64 => with_intelligence_priority,
        }
    }
}

object! {
    /// A hint at a model.
    #[derive(Default)]
    pub struct ModelHint {
        optional {
            /// A name, or a part of one, such as a family's.
            #[serde(deserialize_with = "crate::lenient::label")]
            name: String => with_name,
        }
    }
}

impl Named for ModelHint {
    fn named(name: String) -> Self {
        Self::new().with_name(name)
    }
}

object! {
    /// Whether the model must use tools (since 2025-11-25).
    #[derive(Default)]
    pub struct ToolChoice {
        optional {
            /// The rule; not said means `auto`.
            mode: ToolChoiceMode => with_mode,
        }
    }
}

open_enum! {
    /// Whether a model must use tools.
    pub enum ToolChoiceMode {
        /// As it sees fit.
        "auto" => Auto,
        /// At least one.
        "required" => Required,
        /// None.
        "none" => None,
    }
}

object! {
    /// What the model said.
    ///
    /// ```
    /// use bowline_protocol::{CreateMessageResult, TextContent};
    ///
    /// let result = CreateMessageResult::new("some-model", TextContent::new("Paris")).with_stop_reason("endTurn");
    /// assert_eq!(serde_json::to_value(&result)?["role"], "assistant");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct CreateMessageResult (meta) {
        required {
            /// The model.
            model: String,
            /// What it said.
            content: SamplingContent,
        }
        preset {
            /// Who speaks: the model, also where it is not said.
            #[serde(default = "assistant")]
            role: Role = Role::Assistant => with_role,
        }
        optional {
            /// Why it stopped: `endTurn`, `stopSequence`, `maxTokens`, `toolUse`, or the provider's own word.
            #[serde(deserialize_with = "crate::lenient::label")]
            stop_reason: String => with_stop_reason,
        }
    }
}
plain_result!(CreateMessageResult);

const fn assistant() -> Role {
    Role::Assistant
}
