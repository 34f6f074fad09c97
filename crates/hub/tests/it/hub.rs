//! The hub over servers that come, go, fail and lie.
//!
//! The cases of `hub` are tests named after them in `cases`: hub-001, -004, -006, -007, -008, -009.

mod calls;
mod cases;
mod changes;
mod handlers;
mod lists;
mod living;
mod members;
mod memory;
mod support;
