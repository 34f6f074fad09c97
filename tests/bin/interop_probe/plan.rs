//! What to do with a server, and what was found: the two ends of the pipe to `cargo xtask interop`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A server, and what to do with it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// The program and its arguments.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    /// An empty folder for the server.
    pub(crate) work: PathBuf,
    /// Where it listens, with `{port}` for a free port here and in the arguments and environment; none over stdio.
    pub(crate) url: Option<String>,
    /// A call that has to do.
    pub(crate) call: Option<Call>,
    /// A call that has to fail, beside that of a tool which no server has.
    pub(crate) failing: Option<Call>,
    /// A call that tells its progress.
    pub(crate) progress: Option<Call>,
    /// A call that would take long, and is given up.
    pub(crate) slow: Option<Call>,
}

/// A call of a tool, and what its answer must contain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) tool: String,
    #[serde(default)]
    pub(crate) args: Map<String, Value>,
    /// Text of the answer, or of the error where the call has to fail.
    #[serde(default)]
    pub(crate) text: String,
}

/// What was found so far. A list is `null` where the server declared or has no such thing.
#[derive(Default, Serialize)]
pub(crate) struct Found {
    pub(crate) revision: String,
    pub(crate) tools: Option<usize>,
    pub(crate) resources: Option<usize>,
    pub(crate) templates: Option<usize>,
    pub(crate) prompts: Option<usize>,
    /// What the server did that it should not have.
    pub(crate) notes: Vec<&'static str>,
    /// What the client had to tolerate on the wire.
    pub(crate) oddities: Vec<String>,
    /// What was done, in order.
    pub(crate) steps: Vec<&'static str>,
    /// Milliseconds from the start to the end of all.
    pub(crate) total_ms: u64,
    /// What went wrong, on one line.
    pub(crate) failure: Option<String>,
}
