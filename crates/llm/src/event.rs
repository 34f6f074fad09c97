//! What a model answers, as it comes and whole.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::message::{Message, Part, ToolCall};
use crate::{ModelError, ModelErrorKind};

/// Something that came from a model.
///
/// All but [`Done`](Self::Done) is there to be shown; what counts is in the answer at the end.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A piece of text.
    Text(String),
    /// A piece of what it thinks.
    Reasoning(String),
    /// A call begins. `index` tells the calls of one answer apart, and counts from 0.
    CallBegun {
        /// Which call of this answer.
        index: usize,
        /// The tool's name, as far as it came.
        name: String,
    },
    /// A piece of a call's arguments.
    CallArguments {
        /// Which call of this answer.
        index: usize,
        /// The piece, cut anywhere.
        piece: String,
    },
    /// A call that is whole. It is in the answer too.
    Call(ToolCall),
    /// The answer, whole. Nothing comes after it.
    Done(Answer),
}

/// A model's answer.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// What it said, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub stop: Stop,
    /// What it cost.
    pub usage: Usage,
    /// The model that answered, as the provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The provider's name for the answer, for questions to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Answer {
    /// An answer of these parts. It ends with calls where there are some.
    pub fn new(parts: Vec<Part>) -> Self {
        let stop = if parts.iter().any(|part| matches!(part, Part::Call(_))) { Stop::ToolCalls } else { Stop::EndTurn };
        Self { parts, stop, ..Self::default() }
    }

    /// All text, joined.
    pub fn text(&self) -> String {
        let texts =
            self.parts.iter().filter_map(|part| if let Part::Text { text, .. } = part { Some(text) } else { None });
        texts.map(String::as_str).collect()
    }

    /// The calls, in order.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| if let Part::Call(call) = part { Some(call) } else { None })
    }

    /// The answer in the pieces that a provider would send, without the end.
    ///
    /// Pieces have at most so many characters.
    pub(crate) fn pieces(&self, most: usize) -> Vec<Event> {
        let mut events = Vec::new();
        let mut calls = 0;
        for part in &self.parts {
            match part {
                Part::Text { text, .. } => events.extend(cut(text, most).into_iter().map(Event::Text)),
                Part::Reasoning { text, .. } => events.extend(cut(text, most).into_iter().map(Event::Reasoning)),
                Part::Call(call) => {
                    let index = calls;
                    calls += 1;
                    events.push(Event::CallBegun { index, name: call.name.clone() });
                    events.extend(
                        cut(call.arguments.text(), most).into_iter().map(|piece| Event::CallArguments { index, piece }),
                    );
                    events.push(Event::Call(call.clone()));
                }
                Part::Media(_) | Part::Opaque(_) => {}
            }
        }
        events
    }

    /// The answer as if it came in a stream, in pieces of at most so many characters.
    pub(crate) fn into_events(self, most: usize) -> Events {
        let mut events = self.pieces(most);
        events.push(Event::Done(self));
        Events::new(stream::iter(events.into_iter().map(Ok)))
    }

    /// The message for the history.
    pub fn into_message(self) -> Message {
        Message::Assistant(self.parts)
    }
}

fn cut(text: &str, most: usize) -> Vec<String> {
    if most == usize::MAX {
        return if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    }
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(most.max(1)).map(|piece| piece.iter().collect()).collect()
}

/// Why a model stopped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stop {
    /// It was done.
    #[default]
    EndTurn,
    /// It waits for its calls' results.
    ToolCalls,
    /// It used up its tokens: the answer, and its last call, may be cut.
    MaxTokens,
    /// It wrote one of the sequences that end it.
    StopSequence,
    /// It, or a filter around it, refused to answer.
    Refusal,
    /// The provider paused a long turn: send the history again, and it goes on.
    Paused,
    /// The conversation is larger than the model's window.
    ContextFull,
    /// It wrote a call that the provider could not read; there is none in the answer.
    MalformedCall,
    /// Another reason, in the provider's word.
    Other(String),
}

/// How many tokens an answer took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// Of the request, those from the provider's cache included.
    pub input_tokens: u64,
    /// Of the answer, reasoning included.
    pub output_tokens: u64,
    /// Of the request, those that the provider still had.
    pub cached_input_tokens: u64,
    /// Of the request, those that it keeps from now on.
    pub cache_write_tokens: u64,
    /// Of the answer, those that it thought with.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// All tokens.
    pub const fn total(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Takes counts of the same answer that came later: they only grow, and what is missing in one stays.
    pub(crate) fn grow(&mut self, later: Self) {
        for (known, new) in self.fields().into_iter().zip(later.values()) {
            *known = (*known).max(new);
        }
    }

    const fn fields(&mut self) -> [&mut u64; 5] {
        [
            &mut self.input_tokens,
            &mut self.output_tokens,
            &mut self.cached_input_tokens,
            &mut self.cache_write_tokens,
            &mut self.reasoning_tokens,
        ]
    }

    const fn values(self) -> [u64; 5] {
        [
            self.input_tokens,
            self.output_tokens,
            self.cached_input_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
        ]
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in self.fields().into_iter().zip(other.values()) {
            *sum = sum.saturating_add(more);
        }
    }
}

/// A model's answer as it comes: a stream of [`Event`]s that ends with [`Event::Done`] or an error.
///
/// Dropping it ends the request.
pub struct Events(Pin<Box<dyn Stream<Item = Result<Event, ModelError>> + Send>>);

impl Events {
    /// The events of a stream.
    pub fn new(stream: impl Stream<Item = Result<Event, ModelError>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// The next event; `None` after the last one.
    ///
    /// # Errors
    /// When the answer comes to no end: [`ModelErrorKind::Cut`] where the stream ended in the middle.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Result<Event, ModelError>> {
        self.0.next().await
    }

    /// Waits for the whole answer.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// Dropping the future ends the request.
    pub async fn answer(mut self) -> Result<Answer, ModelError> {
        while let Some(event) = self.next().await {
            if let Event::Done(answer) = event? {
                return Ok(answer);
            }
        }
        Err(ModelError::new(ModelErrorKind::Cut, "the model's answer ended before it was whole; ask again"))
    }
}

impl Stream for Events {
    type Item = Result<Event, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events(\u{2026})")
    }
}
