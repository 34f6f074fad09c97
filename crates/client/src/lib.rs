#![doc = include_str!("../README.md")]

mod arguments;
mod asked;
mod asks;
mod bounded;
mod builder;
mod cache;
mod call;
mod client;
mod connection;
mod declared;
mod dial;
mod elicitation;
mod eras;
mod error;
mod events;
mod export;
mod feed;
mod folders;
pub mod form;
mod handlers;
mod handshake;
mod introduction;
mod keep_alive;
mod kept;
mod known;
mod members;
mod mirrors;
mod outcome;
mod output;
mod pages;
mod plane;
mod reconnect;
pub mod request;
mod required;
mod rounds;
mod sampling;
mod serve;
mod server_info;
mod session;
#[cfg(feature = "skills")]
mod skills;
mod subscription;
mod supervisor;
mod task;
mod tasks;
mod timeouts;
#[cfg(feature = "trace-context")]
mod trace;
#[cfg(not(feature = "trace-context"))]
#[path = "trace/absent.rs"]
mod trace;
mod visits;

pub use builder::ClientBuilder;
pub use cache::{Cache, CacheStats};
pub use client::{Client, WeakClient};
pub use declared::{ElicitationSupport, SamplingSupport};
pub use eras::{EraStore, Eras};
pub use error::{Attempt, Error, ErrorKind};
pub use events::{Event, Events};
pub use export::{Counter, CounterKind, Counters, Prometheus};
pub use folders::Folders;
pub use handlers::{
    ElicitationHandler, HandlerResult, RequestContext, RootsProvider, SamplingHandler, Supporting, refused,
};
pub use keep_alive::KeepAlive;
pub use kept::ListsVersion;
pub use known::KnownTools;
pub use outcome::{ByHand, InputRequired, Outcome};
#[cfg(feature = "schema")]
pub use output::{OutputSchema, OutputSchemas};
pub use pages::{Listed, Pages};
pub use plane::{Call, CallService, ProgressSink, Reply, Safety};
pub use reconnect::Reconnect;
pub use request::Request;
pub use server_info::ServerInfo;
#[cfg(feature = "skills")]
pub use skills::{LoadSkill, LoadedSkill, SkillFile};
pub use subscription::{Change, Subscription, SubscriptionEnd};
pub use supervisor::{ConnectionEvent, ConnectionEvents};
pub use tasks::{ReceivedTasks, Started, TaskCall, TaskHandle, TaskStates, TaskTicket};
pub use timeouts::Timeouts;
#[cfg(feature = "trace-context")]
pub use trace::TraceContextProvider;
