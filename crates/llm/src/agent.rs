//! The loop around a model: it is asked, its calls are made, it is told what came of them, until it has an answer.

mod ask;
mod bounds;
mod builder;
mod builtin;
mod calls;
mod check;
mod conversation;
mod event;
mod lighten;
mod log;
mod memo;
mod offer;
mod refused;
mod run;
mod told;
mod work;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_transport::BoxFuture;

pub use self::bounds::{Bound, Bounds, Price, Prices, Spent};
pub use self::builder::AgentBuilder;
pub use self::conversation::Conversation;
pub use self::event::{AgentError, AgentEvent, CallEnd, End, Outcome};
pub use self::log::{ConversationLog, LogLine, LogRead};
pub use self::run::Run;

use self::check::Checker;
use self::offer::Known;
use crate::approve::Approve;
use crate::artifacts::Artifacts;
use crate::breaker::BreakerSettings;
use crate::selection::{Embedder, Selection};
use crate::tools::{ListedTool, ToolList, Tools};
use crate::{Model, ResultPolicy};

/// A model with tools, and the rules that it works by. A clone is a handle to the same.
///
/// What was said is in a [`Conversation`] of the caller's, so one agent serves many.
///
/// ```
/// use bowline_llm::{Agent, Conversation, Everything, Functions, ScriptedModel, Turn};
/// use bowline_protocol::{CallToolResult, RawJson, Tool};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// // Stands for any model.
/// let model = ScriptedModel::new([Turn::call("depth", r#"{"at": "pier"}"#), Turn::say("Four metres.")]);
/// let schema: RawJson = r#"{"type": "object", "properties": {"at": {"type": "string"}}}"#.parse()?;
/// let tools = Functions::new().with(Tool::new("depth", schema), |_| async { CallToolResult::text("4 m") });
///
/// let agent = Agent::builder(model, tools).approve(Everything::default()).build();
/// let mut conversation = Conversation::new();
/// let outcome = agent.run(&mut conversation, "How deep is it at the pier?").outcome().await?;
/// assert_eq!((outcome.text.as_str(), outcome.calls), ("Four metres.", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Agent(Arc<Inner>);

pub(crate) struct Inner {
    model: Arc<dyn Model>,
    tools: Arc<dyn Tools>,
    approve: Arc<dyn Approve>,
    journal: Option<Arc<dyn Journal>>,
    embedder: Option<Arc<dyn Embedder>>,
    system: Option<String>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    bounds: Bounds,
    breaker: BreakerSettings,
    selection: Selection,
    in_order: bool,
    prices: Prices,
    results: ResultPolicy,
    artifacts: Artifacts,
    checker: Checker,
    /// What is known of the tools, of the last list.
    known: Mutex<Option<Arc<Known>>>,
}

/// Keeps a conversation as it goes on, so that it can be taken up again whatever happens to the program.
///
/// It is written after the person has spoken, before calls are sent, and after each round. A [`ConversationLog`] says what
/// is new in it each time.
pub trait Journal: Send + Sync + 'static {
    /// Keeps the conversation as it is now, in place of what was kept of it before.
    ///
    /// # Errors
    /// What went wrong, on one line. The run ends then, before anything is sent that would not be known of.
    fn write<'a>(&'a self, conversation: &'a Conversation) -> BoxFuture<'a, Result<(), String>>;
}

impl Agent {
    /// An agent of this model and these tools, to be ended with [`AgentBuilder::build`].
    pub fn builder(model: impl Model, tools: impl Tools) -> AgentBuilder {
        AgentBuilder::new(Arc::new(model), Arc::new(tools))
    }

    pub(crate) fn of(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Answers what the person says. It begins when the run is polled.
    ///
    /// Dropping the run cancels what is open; the conversation stays whole.
    pub fn run<'c>(&self, conversation: &'c mut Conversation, says: impl Into<String>) -> Run<'c> {
        conversation.say(says);
        self.resume(conversation)
    }

    /// Answers what stands in the conversation: what was added to it, or where an earlier run was cut off.
    pub fn resume<'c>(&self, conversation: &'c mut Conversation) -> Run<'c> {
        Run::new(Arc::clone(&self.0), conversation)
    }

    /// The tools of this moment, as they are listed.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn tools(&self) -> ToolList {
        self.0.tools.list().await
    }

    /// What was kept aside, of all runs.
    pub fn artifacts(&self) -> &Artifacts {
        &self.0.artifacts
    }

    /// The model.
    pub fn model(&self) -> &Arc<dyn Model> {
        &self.0.model
    }
}

impl Inner {
    /// What is known of these tools: of the last list, where it is the same; and what is wrong with the embedder.
    async fn known(&self, tools: Vec<ListedTool>) -> (Arc<Known>, Option<String>) {
        let last = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(last) = last.filter(|last| last.catalog.is_of(&tools)) {
            return (last, None);
        }
        let (known, fault) = Known::of(tools, self).await;
        let known = Arc::new(known);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        (known, fault)
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("model", &self.0.model.name())
            .field("bounds", &self.0.bounds)
            .finish_non_exhaustive()
    }
}
