#![doc = include_str!("../README.md")]

mod configuration;
mod duration;
mod edit;
mod error;
mod export;
mod file;
mod fingerprint;
mod host;
mod limits;
mod locations;
mod model;
mod place;
mod problem;
mod read;
mod resolve;
mod settings;
mod surroundings;
mod template;
mod tree;

pub use configuration::{Configuration, Explained, Explanation, FileInfo, Sources};
pub use duration::parse_duration;
pub use edit::Edit;
pub use error::{Error, ErrorKind};
pub use host::{Host, UnknownHost};
pub use locations::{Location, Scope, locations};
pub use model::{Auth, Extra, NameRules, Remote, Server, Stdio, Timeouts, ToolRules, Transport, Way};
pub use place::Place;
pub use problem::{Problem, Severity};
pub use read::{InputSpec, Setting};
pub use resolve::{Address, Endpoint, Program, RegisteredClient, Resolver};
pub use settings::{Breaker, Cache, Group, Hedge, Layer, Layers, Limits, Policy, Pool, Replica, Retry};
pub use surroundings::{Surroundings, System};
pub use template::{Template, Variable, VariableSource};
pub use tree::Syntax;
