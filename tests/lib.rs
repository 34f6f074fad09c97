//! Whole-system tests. The library holds nothing but the examples of the workspace's documents, so that they are
//! compiled.

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
    #[doc = include_str!("../docs/src/errors.md")]
    pub struct Errors;
    #[doc = include_str!("../docs/src/handlers.md")]
    pub struct Handlers;
    #[doc = include_str!("../docs/src/tasks.md")]
    pub struct Tasks;
    #[doc = include_str!("../docs/src/resilience.md")]
    pub struct Resilience;
    #[doc = include_str!("../docs/src/testing.md")]
    pub struct Testing;
}
