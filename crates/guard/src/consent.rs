//! Asking somebody whether a call may go.

mod deferred;
mod question;
mod remembered;
mod shown;

use std::fmt;
use std::future::Future;

use bowline_transport::BoxFuture;

pub use self::deferred::{Deferred, Pending, Questions};
pub(crate) use self::question::About;
pub use self::question::{Answer, Question};
pub use self::remembered::{Kept, Remembered};
pub(crate) use self::shown::shown_arguments;

/// Somebody who says whether a call may go: a person at a terminal, a program, or another process.
///
/// A closure will do. It is asked for one call at a time or many, as calls come; a call that waits for it has its own
/// limit of time, and [`GuardBuilder::patience`](crate::GuardBuilder::patience) on top.
///
/// ```
/// use bowline_guard::{Answer, Guard, Question};
///
/// let guard = Guard::builder()
///     .approver(|question: Question| async move {
///         if question.server == "calculator" { Answer::Allow } else { Answer::Deny }
///     })
///     .build();
/// ```
///
/// # Cancel safety
/// The future is dropped when the call is given up, or nobody waits any longer: then nothing was approved.
pub trait Approver: Send + Sync + 'static {
    /// Says whether a call may go.
    fn ask(&self, question: Question) -> BoxFuture<'_, Answer>;
}

impl<F, Fut> Approver for F
where
    F: Fn(Question) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    fn ask(&self, question: Question) -> BoxFuture<'_, Answer> {
        Box::pin(self(question))
    }
}

/// An approver without its type, for what has to be shown.
pub(crate) struct Anybody(pub(crate) Box<dyn Approver>);

impl fmt::Debug for Anybody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Approver")
    }
}
