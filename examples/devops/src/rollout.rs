//! Plan, apply, and roll back.

use anyhow::{Context as _, Result};
use bowline::hub::Hub;
use bowline::prelude::*;

/// One version on its way to some services.
pub(crate) struct Rollout {
    hub: Hub,
    version: String,
}

/// How it ended. An error of the rollback itself is no end: then somebody has to look.
pub(crate) enum Ended {
    Done,
    RolledBack {
        /// The service whose step failed.
        failed: String,
        why: String,
        /// What was taken back, the last first.
        back: Vec<String>,
    },
}

impl Rollout {
    pub(crate) fn new(hub: Hub, version: &str) -> Self {
        Self { hub, version: version.to_owned() }
    }

    /// What would happen, service by service; nothing is changed.
    pub(crate) async fn plan(&self, services: &[&str]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for service in services {
            let plan = self.deploy(service, &self.version, true).await?;
            lines.push(plan.joined_text());
        }
        Ok(lines)
    }

    /// Does it, one after the other, and takes back what was done where one fails.
    pub(crate) async fn apply(&self, services: &[&str]) -> Result<Ended> {
        let mut done = Vec::new();
        for service in services {
            let outcome = self.deploy(service, &self.version, false).await;
            let why = match outcome {
                Ok(result) if !result.is_error() => {
                    done.push(Step { service: (*service).to_owned(), was: version_before(&result)? });
                    continue;
                }
                Ok(result) => result.joined_text(),
                // Nothing of the request left this process: there is nothing of this step to take back.
                Err(error) if error.sent() == Sent::No => error.to_string(),
                // It may have run. To take it back as well is right either way, as that names a version and no step.
                Err(error) => {
                    let was = self.version_of(service).await.context("what the failed step has done is not known")?;
                    done.push(Step { service: (*service).to_owned(), was });
                    error.to_string()
                }
            };
            let back = self.take_back(done).await.context("the rollback failed; look at the services named before")?;
            return Ok(Ended::RolledBack { failed: (*service).to_owned(), why, back });
        }
        Ok(Ended::Done)
    }

    async fn take_back(&self, done: Vec<Step>) -> Result<Vec<String>> {
        let mut back = Vec::new();
        for Step { service, was } in done.into_iter().rev() {
            let result = self.deploy(&service, &was, false).await.with_context(|| service.clone())?;
            anyhow::ensure!(!result.is_error(), "{service}: {}", result.joined_text());
            back.push(format!("{service} to {was}"));
        }
        Ok(back)
    }

    async fn deploy(&self, service: &str, version: &str, dry_run: bool) -> Result<CallToolResult, Error> {
        let tool = if dry_run { "deploy/plan" } else { "deploy/deploy" };
        self.hub.call(tool).arg("service", service).arg("version", version).await
    }

    async fn version_of(&self, service: &str) -> Result<String> {
        Ok(self.hub.call("deploy/version").arg("service", service).await?.joined_text())
    }
}

/// A step that is done, and how to undo it.
struct Step {
    service: String,
    was: String,
}

fn version_before(result: &CallToolResult) -> Result<String> {
    let structured = result.structured_content.as_ref().context("the server does not say what was there before")?;
    let was = structured.to_value().get("was").and_then(|was| was.as_str().map(str::to_owned));
    was.context("the server does not say which version was there before")
}
