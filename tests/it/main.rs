//! Tests of the whole client, through its public API.

mod blocking;
mod capabilities;
mod cases;
mod contract;
mod deadlines;
mod handlers;
mod interop;
mod leaks;
mod lists;
mod misbehaviour;
mod subscriptions;
mod support;
mod targets;
