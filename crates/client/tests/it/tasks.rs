//! Calls that become tasks, against servers that say what a test wants.

mod extension;
mod handle;
mod listening;
mod misbehaviour;
mod peer;
mod receiver;
mod session;
