//! A call as a stream of what happens, and several streams as one.

mod call;
mod merge;

pub use call::{CallEvent, CallStream, Overflow, events};
pub use merge::{Merge, Order, merge};
