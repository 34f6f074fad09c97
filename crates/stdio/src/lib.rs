#![doc = include_str!("../README.md")]

mod confided;
mod connect;
mod env;
mod process;
mod program;
mod stderr;
mod stdout;
mod transport;

pub use connect::{StderrMode, StdioConnect};
pub use env::{EnvRules, InheritEnv, child_env};
pub use program::resolve_windows;
pub use stderr::StderrLines;
pub use transport::StdioTransport;
