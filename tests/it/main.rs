//! Tests of the whole client, through its public API.

mod almost_right;
mod auth;
mod blocking;
mod capabilities;
mod cases;
mod contract;
mod deadlines;
mod elicitation;
mod handlers;
mod interleavings;
mod interop;
mod leaks;
mod lists;
mod mirrors;
mod misbehaviour;
mod noise;
mod requests;
mod resilience;
mod revisions;
mod stateless;
mod subscriptions;
mod support;
mod targets;
mod tasks;
