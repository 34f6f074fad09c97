//! Calls that a server carries on with as tasks: who asks for one, and how it is followed to its end.
//!
//! Specification: basic/utilities/tasks of 2025-11-25, and the extension `io.modelcontextprotocol/tasks` (SEP-2663) that
//! goes with 2026-07-28.

mod asking;
mod call;
mod desk;
mod follow;
mod handle;
mod listener;
mod received;
mod related;
mod ticket;
mod tracker;

pub(crate) use asking::{Asked, OnStatus, Supports, TaskOptions, asked, created, with_task};
pub use call::{Started, TaskCall};
pub(crate) use desk::{Abandoned, Desk, Guarded, Watch, farewell};
pub(crate) use follow::finish;
pub use handle::{TaskHandle, TaskStates};
pub(crate) use listener::MAX_LISTENERS;
pub use received::ReceivedTasks;
pub(crate) use received::{Outcome, Received, gone};
pub(crate) use related::{relate, related};
pub use ticket::TaskTicket;
