//! The cluster that is deployed to, and the server in front of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline::prelude::*;
use bowline::protocol::{ErrorObject, ToolAnnotations};
use bowline_testkit::{MockServer, ToolCall};
use serde_json::json;

const BEFORE: &str = "2.3.1";
/// The service whose new version does not start.
const BROKEN: (&str, &str) = ("worker", "2.4.0");

/// What really runs.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Mutex<State>>);

struct State {
    running: BTreeMap<String, String>,
    /// Each change, in order.
    changes: Vec<(String, String)>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let running = ["api", "web", "worker"].map(|service| (service.to_owned(), BEFORE.to_owned()));
        Self(Arc::new(Mutex::new(State { running: running.into(), changes: Vec::new() })))
    }

    /// A replica of the deployment server.
    pub(crate) fn server(&self) -> MockServer {
        let (plan, version, deploy) = (self.clone(), self.clone(), self.clone());
        MockServer::builder()
            .tool(tool("plan").with_annotations(reads()), move |call| {
                let cluster = plan.clone();
                async move {
                    let (service, to) = (service(&call)?, call.argument::<String>("version")?);
                    let from = cluster.state().running.get(&service).cloned().unwrap_or_default();
                    Ok(CallToolResult::text(format!("{service}: {from} -> {to}")))
                }
            })
            .tool(tool("version").with_annotations(reads()), move |call| {
                let cluster = version.clone();
                async move {
                    let service = service(&call)?;
                    Ok(CallToolResult::text(cluster.state().running.get(&service).cloned().unwrap_or_default()))
                }
            })
            .tool(tool("deploy"), move |call| {
                let cluster = deploy.clone();
                async move { Ok(cluster.deploy(&service(&call)?, &call.argument::<String>("version")?)) }
            })
            .build()
    }

    fn deploy(&self, service: &str, version: &str) -> CallToolResult {
        if (service, version) == BROKEN {
            return CallToolResult::error(format!("{service} {version} did not become healthy; {BEFORE} runs on"));
        }
        let mut state = self.state();
        let was = state.running.insert(service.to_owned(), version.to_owned()).unwrap_or_default();
        state.changes.push((service.to_owned(), version.to_owned()));
        let told = CallToolResult::text(format!("{service} is at {version}"));
        told.with_structured_content(json!({ "service": service, "was": was, "is": version }))
    }

    pub(crate) fn is_as_before(&self) -> bool {
        self.state().running.values().all(|version| version == BEFORE)
    }

    /// A change that was made twice in a row, which a retry would do.
    pub(crate) fn faults(&self) -> Vec<String> {
        let state = self.state();
        let pairs = state.changes.iter().zip(state.changes.iter().skip(1));
        pairs
            .filter(|(one, next)| one == next)
            .map(|((service, to), _)| format!("{service} went to {to} twice"))
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn service(call: &ToolCall) -> Result<String, ErrorObject> {
    call.argument("service")
}

fn reads() -> ToolAnnotations {
    ToolAnnotations::new().with_read_only_hint(true)
}

fn tool(name: &str) -> Tool {
    let properties = json!({ "service": { "type": "string" }, "version": { "type": "string" } });
    Tool::new(name, json!({ "type": "object", "properties": properties, "required": ["service"] }))
}
