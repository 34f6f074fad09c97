//! Who says yes before a call is made.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bowline_client::Safety;
use bowline_protocol::RawJson;
use bowline_transport::BoxFuture;

use crate::tools::ListedTool;

/// Is asked before each call of a tool: a person, or a policy. One at a time.
///
/// Without one an agent makes no call but those of tools whose servers say that they only read
/// ([`AgentBuilder::approve`](crate::AgentBuilder::approve)). A closure will do:
///
/// ```
/// use bowline_llm::{Approval, Asked};
///
/// let approve = |asked: Asked| async move {
///     if asked.tool.server.as_ref() == "mail" { Approval::No("mail is for people".into()) } else { Approval::Yes }
/// };
/// ```
pub trait Approve: Send + Sync + 'static {
    /// Answers for one call. Dropping the future takes the question back.
    fn approve(&self, asked: Asked) -> BoxFuture<'_, Approval>;
}

/// A call that waits for a yes.
#[derive(Clone)]
#[non_exhaustive]
pub struct Asked {
    /// The tool.
    pub tool: ListedTool,
    /// Its arguments: a JSON object, which fits the tool's schema.
    pub arguments: RawJson,
    /// What the tool's server says that it may do.
    pub safety: Safety,
}

impl Asked {
    /// A call of a tool.
    pub fn new(tool: ListedTool, arguments: RawJson) -> Self {
        let safety = tool.safety();
        Self { tool, arguments, safety }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("tool", &self.tool.name).field("safety", &self.safety).finish_non_exhaustive()
    }
}

/// Whether a call is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Approval {
    /// It is made.
    Yes,
    /// It is not made, and the model is told why.
    No(String),
    /// It is made with these arguments instead; they must be an object that fits the tool's schema.
    Change(RawJson),
}

impl<F, Fut> Approve for F
where
    F: Fn(Asked) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Approval> + Send + 'static,
{
    fn approve(&self, asked: Asked) -> BoxFuture<'_, Approval> {
        Box::pin(self(asked))
    }
}

impl Approve for Arc<dyn Approve> {
    fn approve(&self, asked: Asked) -> BoxFuture<'_, Approval> {
        (**self).approve(asked)
    }
}

/// Says yes to tools whose servers say that they only read, and no to all others: what an agent has where nothing else
/// is said.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ReadOnly;

impl Approve for ReadOnly {
    fn approve(&self, asked: Asked) -> BoxFuture<'_, Approval> {
        Box::pin(std::future::ready(match asked.safety {
            Safety::ReadOnly => Approval::Yes,
            _ => Approval::No("nobody is there to allow a call that may change something".to_owned()),
        }))
    }
}

/// Says yes to all. Anything that a model is talked into is done.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Everything;

impl Approve for Everything {
    fn approve(&self, _: Asked) -> BoxFuture<'_, Approval> {
        Box::pin(std::future::ready(Approval::Yes))
    }
}
