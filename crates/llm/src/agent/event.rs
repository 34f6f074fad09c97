//! What a run tells while it goes on, and how it ends.

use std::fmt;
use std::time::Duration;

use bowline_client::Safety;
use bowline_protocol::ContentBlock;
use serde::Serialize;

use super::bounds::{Bound, Spent};
use crate::{ModelError, Stop, ToolResult};

/// Something that happened in a run. What is foreign in it is as it came: make it harmless before a terminal shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentEvent {
    /// The model is asked.
    Round {
        /// Which time, counted from 1.
        round: u32,
        /// How many tools it is shown.
        tools: usize,
        /// How many tokens the request has, estimated.
        estimated_tokens: u64,
    },
    /// A piece of the model's text.
    Text {
        /// The piece.
        text: String,
    },
    /// A piece of what the model thinks.
    Reasoning {
        /// The piece.
        text: String,
    },
    /// The answer so far counts for nothing, as it was cut; the model is asked again.
    Restarted {
        /// Why.
        reason: String,
    },
    /// A call is made, after it was approved.
    CallBegun {
        /// Which call.
        id: String,
        /// The tool.
        tool: String,
        /// The server that has the tool; empty for functions of the program.
        server: String,
        /// The arguments: a JSON object.
        arguments: serde_json::Value,
        /// What the server says that the call may do.
        #[serde(serialize_with = "write_safety")]
        safety: Safety,
    },
    /// A call goes on.
    Progress {
        /// Which call.
        id: String,
        /// How far it is.
        progress: f64,
        /// How far it will go, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<f64>,
        /// What it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A call has come to its end, or was not made.
    CallEnded {
        /// The tool.
        tool: String,
        /// How it ended.
        end: CallEnd,
        /// What the model is told.
        result: ToolResult,
        /// How long it took.
        #[serde(skip)]
        took: Duration,
    },
    /// What a tool gave that is for people and not for the model.
    ForUser {
        /// The tool.
        tool: String,
        /// It.
        content: ContentBlock,
    },
    /// Something that a person may want to know: a server that is down, a tool that is left out.
    Notice {
        /// One line.
        text: String,
    },
    /// An answer of the model is whole.
    Answered {
        /// What the run has used up so far.
        spent: Spent,
    },
    /// The run is over. Nothing comes after it.
    Done(Outcome),
}

fn write_safety<S: serde::Serializer>(safety: &Safety, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match safety {
        Safety::ReadOnly => "read_only",
        Safety::Idempotent => "idempotent",
        Safety::Unsafe => "unsafe",
    })
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallEnd {
    /// The tool did it.
    Done,
    /// The tool, or the way to it, failed.
    Failed,
    /// It was not made: no such tool, arguments that do not fit, held back, or one too many.
    NotMade,
    /// It was not allowed.
    Denied,
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The text of the last answer.
    pub text: String,
    /// Why it ended.
    pub end: End,
    /// How often the model was asked.
    pub rounds: u32,
    /// How many calls were made.
    pub calls: u32,
    /// What was used up.
    pub spent: Spent,
}

/// Why a run ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum End {
    /// The model was done.
    #[default]
    Answered,
    /// A bound was reached, and the model answered from what it had.
    Bound(Bound),
    /// The model went round in circles, and answered from what it had.
    Circles,
    /// The model stopped for another reason.
    Stopped(Stop),
}

/// Why a run came to no end of its own. The conversation is whole all the same, and can go on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AgentError {
    /// The model gave no answer.
    Model(ModelError),
    /// What happened cannot be kept, so that no call was made after it: what the [`Journal`](crate::Journal) said.
    Journal(String),
    /// There is nothing to answer: the conversation is empty.
    Empty,
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => error.fmt(f),
            Self::Journal(error) => {
                write!(
                    f,
                    "the conversation cannot be kept, so nothing more is done: {error}; make room for it, and go on"
                )
            }
            Self::Empty => f.write_str("the conversation is empty; say something first"),
        }
    }
}

impl std::error::Error for AgentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Model(error) => Some(error),
            Self::Journal(_) | Self::Empty => None,
        }
    }
}

impl From<ModelError> for AgentError {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}
