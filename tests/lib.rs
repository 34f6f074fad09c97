//! Whole-system tests. The library holds the examples of the workspace's documents, so that they are compiled, and a
//! server that tests reach in the same process and in another.

pub mod paces;

/// The README of the workspace.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The examples of the book, a chapter each.
#[cfg(doctest)]
pub mod book {
    #[doc = include_str!("../docs/src/quick-start.md")]
    pub struct QuickStart;
    #[doc = include_str!("../docs/src/stdio.md")]
    pub struct Stdio;
    #[doc = include_str!("../docs/src/authorization.md")]
    pub struct Authorization;
    #[doc = include_str!("../docs/src/errors.md")]
    pub struct Errors;
    #[doc = include_str!("../docs/src/handlers.md")]
    pub struct Handlers;
    #[doc = include_str!("../docs/src/eras.md")]
    pub struct Eras;
    #[doc = include_str!("../docs/src/rounds.md")]
    pub struct Rounds;
    #[doc = include_str!("../docs/src/caches.md")]
    pub struct Caches;
    #[doc = include_str!("../docs/src/tasks.md")]
    pub struct Tasks;
    #[doc = include_str!("../docs/src/skills.md")]
    pub struct Skills;
    #[doc = include_str!("../docs/src/configuration.md")]
    pub struct Configuration;
    #[doc = include_str!("../docs/src/resilience.md")]
    pub struct Resilience;
    #[doc = include_str!("../docs/src/subscriptions.md")]
    pub struct Subscriptions;
    #[doc = include_str!("../docs/src/store.md")]
    pub struct Store;
    #[doc = include_str!("../docs/src/path.md")]
    pub struct Path;
    #[doc = include_str!("../docs/src/network.md")]
    pub struct Network;
    #[doc = include_str!("../docs/src/calls.md")]
    pub struct Calls;
    #[doc = include_str!("../docs/src/patterns.md")]
    pub struct Patterns;
    #[doc = include_str!("../docs/src/guard.md")]
    pub struct Guard;
    #[doc = include_str!("../docs/src/guard-content.md")]
    pub struct GuardContent;
    #[doc = include_str!("../docs/src/search.md")]
    pub struct Search;
    #[doc = include_str!("../docs/src/best-practices.md")]
    pub struct BestPractices;
    #[doc = include_str!("../docs/src/migration-rmcp.md")]
    pub struct MigrationFromRmcp;
    #[doc = include_str!("../docs/src/new-transport.md")]
    pub struct NewTransport;
    #[doc = include_str!("../docs/src/new-layer.md")]
    pub struct NewLayer;
    #[doc = include_str!("../docs/src/testing.md")]
    pub struct Testing;
}
