#![doc = include_str!("../README.md")]

#[cfg(all(feature = "guard", feature = "llm"))]
mod approval;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "config")]
mod configured;
mod connect;
pub mod prelude;
#[cfg(feature = "store")]
mod stored;
mod target;
#[cfg(all(feature = "http", feature = "websocket"))]
mod upgrade;
#[cfg(feature = "http")]
mod web;

#[cfg(all(feature = "guard", feature = "llm"))]
pub use approval::PolicyApproval;
#[cfg(feature = "auth")]
pub use bowline_auth as auth;
#[cfg(feature = "trace-context")]
pub use bowline_client::TraceContextProvider;
pub use bowline_client::{
    Attempt, ByHand, Cache, CacheStats, Call, CallService, Change, Client, ClientBuilder, ConnectionEvent,
    ConnectionEvents, ElicitationHandler, ElicitationSupport, EraStore, Eras, Error, ErrorKind, Event, Events, Folders,
    HandlerResult, InputRequired, KeepAlive, Listed, Outcome, Pages, ProgressSink, Reconnect, Reply, Request,
    RequestContext, RootsProvider, Safety, SamplingHandler, SamplingSupport, ServerInfo, Subscription, SubscriptionEnd,
    Supporting, Timeouts, form, refused, request,
};
#[cfg(feature = "skills")]
pub use bowline_client::{LoadSkill, LoadedSkill, SkillFile};
#[cfg(feature = "schema")]
pub use bowline_client::{OutputSchema, OutputSchemas};
pub use bowline_client::{ReceivedTasks, Started, TaskCall, TaskHandle, TaskStates, TaskTicket};
#[cfg(feature = "config")]
pub use bowline_config as config;
#[cfg(feature = "guard")]
pub use bowline_guard as guard;
#[cfg(feature = "http")]
pub use bowline_http as http;
#[cfg(feature = "hub")]
pub use bowline_hub as hub;
#[cfg(feature = "llm")]
pub use bowline_llm as llm;
pub use bowline_protocol as protocol;
#[cfg(feature = "resilience")]
pub use bowline_resilience as resilience;
#[cfg(feature = "schema")]
pub use bowline_schema as schema;
#[cfg(feature = "socket")]
pub use bowline_socket as socket;
#[cfg(feature = "sse")]
pub use bowline_sse as sse;
#[cfg(feature = "stdio")]
pub use bowline_stdio as stdio;
#[cfg(feature = "store")]
pub use bowline_store as store;
pub use bowline_transport as transport;
#[cfg(feature = "websocket")]
pub use bowline_websocket as websocket;
#[cfg(all(feature = "config", feature = "resilience"))]
pub use configured::ConfiguredLayers;
#[cfg(all(feature = "config", feature = "stdio"))]
pub use configured::program_of;
#[cfg(feature = "watch")]
pub use configured::{ConfigEvent, ConfigWatch};
#[cfg(all(feature = "config", feature = "hub"))]
pub use configured::{Members, pool_settings};
#[cfg(all(feature = "config", feature = "guard"))]
pub use configured::{earlier_identity, guarded, identity};
pub use connect::connect;
#[cfg(feature = "stdio")]
pub use connect::stdio;
#[cfg(feature = "store")]
pub use stored::StoredEras;
#[cfg(all(feature = "store", feature = "resilience"))]
pub use stored::{SharedBreaker, StoredAnswers};
pub use target::{Target, TargetOptions, TransportChoice};

/// The examples of the book's chapter.
#[cfg(all(doctest, feature = "config", feature = "hub"))]
#[doc = include_str!("../../../docs/src/configuration.md")]
pub struct Chapter;
