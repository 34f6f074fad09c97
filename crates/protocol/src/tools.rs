//! Tools and their calls.
//!
//! Specification: server/tools.

use crate::content::ContentBlock;
use crate::icons::Icon;
use crate::input::InputResponses;
use crate::raw::RawJson;
use crate::result::list_result;
use crate::tasks::TaskMetadata;
use crate::wire::{object, open_enum};

object! {
    /// A tool that a server offers.
    ///
    /// ```
    /// use bowline_protocol::{Tool, ToolAnnotations};
    /// use serde_json::json;
    ///
    /// let tool = Tool::new("add", json!({"type": "object", "properties": {"a": {"type": "number"}}}))
    ///     .with_description("Adds numbers")
    ///     .with_annotations(ToolAnnotations::new().with_read_only_hint(true));
    /// assert_eq!(serde_json::to_value(&tool)?["annotations"]["readOnlyHint"], true);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct Tool (meta) {
        required {
            /// The name; case matters, and it may hold any characters.
            name: String,
            /// The JSON Schema of the arguments, unparsed; `{}` where the server gave none.
            #[serde(default = "empty_object", deserialize_with = "crate::lenient::schema")]
            input_schema: RawJson,
        }
        optional {
            /// The name, for people (since 2025-06-18).
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What it does.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// The JSON Schema of `structuredContent`, unparsed (since 2025-06-18).
            output_schema: RawJson => with_output_schema,
            /// What the server says of its behaviour (since 2025-03-26). Do not trust it if you do not trust the server.
            #[serde(deserialize_with = "crate::lenient::hint")]
            annotations: ToolAnnotations => with_annotations,
            /// How it may be run (2025-11-25).
            #[serde(deserialize_with = "crate::lenient::hint")]
            execution: ToolExecution => with_execution,
            /// Icons (since 2025-11-25).
            #[serde(deserialize_with = "crate::lenient::icons")]
            icons: Vec<Icon> => with_icons,
        }
    }
}

impl Tool {
    /// The name to show to people: the title, the annotations' title, or the name.
    pub fn display_name(&self) -> &str {
        let annotated = self.annotations.as_ref().and_then(|a| a.title.as_deref());
        self.title.as_deref().or(annotated).unwrap_or(&self.name)
    }
}

const fn empty_object() -> RawJson {
    RawJson::EMPTY_OBJECT
}

object! {
    /// What a server says of a tool's behaviour (since 2025-03-26): hints, not promises.
    #[derive(Default)]
    pub struct ToolAnnotations {
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// Whether it changes nothing; not said means no.
            #[serde(deserialize_with = "crate::lenient::flag")]
            read_only_hint: bool => with_read_only_hint,
            /// Whether its changes may destroy; not said means yes.
            #[serde(deserialize_with = "crate::lenient::flag")]
            destructive_hint: bool => with_destructive_hint,
            /// Whether a second call with the same arguments changes nothing more; not said means no.
            #[serde(deserialize_with = "crate::lenient::flag")]
            idempotent_hint: bool => with_idempotent_hint,
            /// Whether it deals with things outside of the server; not said means yes.
            #[serde(deserialize_with = "crate::lenient::flag")]
            open_world_hint: bool => with_open_world_hint,
        }
    }
}

object! {
    /// How a tool may be run (2025-11-25).
    #[derive(Default)]
    pub struct ToolExecution {
        optional {
            /// Whether it may be called as a task; not said means forbidden.
            #[serde(deserialize_with = "crate::lenient::word")]
            task_support: TaskSupport => with_task_support,
        }
    }
}

open_enum! {
    /// Whether a tool may be called as a task (2025-11-25).
    pub enum TaskSupport {
        /// It must not.
        "forbidden" => Forbidden,
        /// It may.
        "optional" => Optional,
        /// It must.
        "required" => Required,
    }
}

object! {
    /// One page of tools.
    pub struct ListToolsResult (meta, result_type, ttl_ms, cache_scope) {
        list {
            /// The tools.
            tools: Tool,
        }
        optional {
            /// Where the next page starts; none on the last one.
            #[serde(deserialize_with = "crate::lenient::cursor")]
            next_cursor: String => with_next_cursor,
        }
        problems { problems }
    }
}
list_result!(ListToolsResult, "tools" => tools by "name");

object! {
    /// The parameters of `tools/call`.
    pub struct CallToolRequestParams (meta) {
        required {
            /// The tool.
            name: String,
        }
        optional {
            /// The arguments, a JSON object.
            arguments: RawJson => with_arguments,
            /// Asks for the call to be run as a task (2025-11-25).
            task: TaskMetadata => with_task,
            /// Answers to the server's requests for input (2026-07-28).
            input_responses: InputResponses => with_input_responses,
            /// The state that came with those requests, byte for byte (2026-07-28).
            request_state: String => with_request_state,
        }
    }
}

object! {
    /// What a tool gave back.
    ///
    /// A tool that ran and failed says so in [`is_error`](Self::is_error()): that is a result for the model, not an
    /// error of the protocol.
    ///
    /// ```
    /// use bowline_protocol::CallToolResult;
    ///
    /// let good = CallToolResult::text("42").with_structured_content(serde_json::json!({"answer": 42}));
    /// assert!(!good.is_error());
    /// assert!(CallToolResult::error("quota used up").is_error());
    /// ```
    pub struct CallToolResult (meta, result_type) {
        required {
            /// The content. A block that could not be read stands as `Other`, and in `problems`.
            #[serde(default, deserialize_with = "crate::lenient::items")]
            content: Vec<ContentBlock>,
        }
        optional {
            /// The structured result (since 2025-06-18), unparsed: an object, from 2026-07-28 any value, null included.
            #[serde(deserialize_with = "crate::raw::present::deserialize")]
            structured_content: RawJson => with_structured_content,
            /// Whether the tool failed; not said means no.
            #[serde(deserialize_with = "crate::lenient::truth")]
            is_error: bool => with_is_error,
        }
        problems { problems }
    }
}
list_result!(CallToolResult, "content" => content by "uri" else ContentBlock::rescue, take crate::large_text::take);

impl CallToolResult {
    /// A result of one block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new([ContentBlock::text(text)])
    }

    /// A failure, told in one block of text.
    pub fn error(text: impl Into<String>) -> Self {
        Self::text(text).with_is_error(true)
    }

    /// Whether the tool failed.
    pub fn is_error(&self) -> bool {
        self.is_error.unwrap_or(false)
    }

    /// The text of all blocks that have one, in order, joined by line breaks.
    pub fn joined_text(&self) -> String {
        self.content.iter().filter_map(ContentBlock::as_text).collect::<Vec<_>>().join("\n")
    }
}
