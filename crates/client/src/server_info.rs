//! What a server said of itself, and what may be asked of it.

use std::sync::Arc;

use bowline_protocol::method::{self, Method};
use bowline_protocol::{
    Era, Implementation, Revision, SKILLS_EXTENSION, ServerCapabilities, SubscriptionFilter, TASKS_EXTENSION,
};

use crate::error::{Error, ErrorKind};

/// What a server said of itself, and what was agreed with it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The negotiated revision of the protocol.
    pub revision: Revision,
    /// Name and version. For display and logs only: never decide by it.
    pub info: Implementation,
    /// What the server offers.
    pub capabilities: ServerCapabilities,
    /// How to use the server, for a model.
    pub instructions: Option<String>,
    /// All revisions that the server says it speaks, as text: it may know some that this library does not. Only
    /// servers of 2026-07-28 say so.
    pub supported_versions: Vec<String>,
}

/// Who looks at what servers say of themselves before anybody else does.
#[derive(Clone, Default)]
pub(crate) struct Screens(Vec<Arc<Screen>>);

type Screen = dyn Fn(&mut ServerInfo) + Send + Sync;

impl Screens {
    pub(crate) fn push(&mut self, screen: impl Fn(&mut ServerInfo) + Send + Sync + 'static) {
        self.0.push(Arc::new(screen));
    }

    /// What is left of it. What was agreed on stays.
    pub(crate) fn pass(&self, server: &mut ServerInfo) {
        let revision = server.revision;
        for screen in &self.0 {
            screen(server);
        }
        server.revision = revision;
    }
}

impl ServerInfo {
    /// Whether the server speaks a revision without sessions (2026-07-28).
    pub(crate) fn is_stateless(&self) -> bool {
        self.revision.era() == Era::Stateless
    }

    /// Whether clients of the negotiated revision send this. What the specification does not know is the caller's.
    pub(crate) fn check_revision(&self, name: &str) -> Result<(), Error> {
        if Method::of(name).is_none_or(|m| m.client_may_send(self.revision)) {
            return Ok(());
        }
        let why = format!("revision {} has no such method", self.revision);
        Err(Error::new(ErrorKind::Unsupported, why).with_method(name))
    }

    /// The lists of whose changes the server says that it tells.
    pub(crate) fn list_changes(&self) -> SubscriptionFilter {
        let ServerCapabilities { tools, prompts, resources, .. } = &self.capabilities;
        let mut offered = SubscriptionFilter::new();
        offered.tools_list_changed = tools.as_ref().map(|it| it.list_changed()).filter(|tells| *tells);
        offered.prompts_list_changed = prompts.as_ref().map(|it| it.list_changed()).filter(|tells| *tells);
        offered.resources_list_changed = resources.as_ref().map(|it| it.list_changed()).filter(|tells| *tells);
        offered
    }

    /// Whether the server says that it tells of changes of single resources.
    pub(crate) fn check_subscribe(&self) -> Result<(), Error> {
        let declared = self.capabilities.resources.as_ref().is_some_and(|resources| resources.subscribe());
        if declared {
            return Ok(());
        }
        let method = if self.is_stateless() { method::SUBSCRIPTIONS_LISTEN } else { method::RESOURCES_SUBSCRIBE };
        Err(undeclared("resources.subscribe").with_method(method))
    }

    fn has_extension(&self, name: &str) -> bool {
        self.capabilities.extensions.as_ref().is_some_and(|extensions| extensions.contains_key(name))
    }

    /// Whether a request may be sent: the revision has the method and the server declared what it belongs to.
    ///
    /// Specification: basic/lifecycle, operation: only what was negotiated may be used.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the reason.
    pub(crate) fn check(&self, name: &str) -> Result<(), Error> {
        let capabilities = &self.capabilities;
        // Most requests, in every revision.
        if name == method::TOOLS_CALL && capabilities.tools.is_some() {
            return Ok(());
        }
        self.check_revision(name)?;
        let (capability, declared) = match name {
            method::TOOLS_LIST | method::TOOLS_CALL => ("tools", capabilities.tools.is_some()),
            method::PROMPTS_LIST | method::PROMPTS_GET => ("prompts", capabilities.prompts.is_some()),
            method::RESOURCES_LIST | method::RESOURCES_TEMPLATES_LIST | method::RESOURCES_READ => {
                ("resources", capabilities.resources.is_some())
            }
            method::RESOURCES_SUBSCRIBE | method::RESOURCES_UNSUBSCRIBE => {
                ("resources.subscribe", capabilities.resources.as_ref().is_some_and(|r| r.subscribe()))
            }
            method::LOGGING_SET_LEVEL => ("logging", capabilities.logging.is_some()),
            // 2024-11-05 has the method and no capability for it.
            method::COMPLETION_COMPLETE => {
                ("completions", capabilities.completions.is_some() || self.revision == Revision::V2024_11_05)
            }
            _ if name.starts_with("tasks/") && self.revision.era() == Era::Stateless => {
                (TASKS_EXTENSION, self.has_extension(TASKS_EXTENSION))
            }
            method::SKILLS_LIST | method::SKILLS_GET => (SKILLS_EXTENSION, self.has_extension(SKILLS_EXTENSION)),
            method::TASKS_LIST => ("tasks.list", capabilities.tasks.as_ref().is_some_and(|t| t.list.is_some())),
            method::TASKS_CANCEL => ("tasks.cancel", capabilities.tasks.as_ref().is_some_and(|t| t.cancel.is_some())),
            _ if name.starts_with("tasks/") => ("tasks", capabilities.tasks.is_some()),
            _ => return Ok(()),
        };
        if declared { Ok(()) } else { Err(undeclared(capability).with_method(name)) }
    }
}

fn undeclared(capability: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("the server declared no capability \"{capability}\"; allow_undeclared(true) sends it all the same"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(revision: Revision, capabilities: &str) -> ServerInfo {
        ServerInfo {
            revision,
            info: Implementation::new("s", "1"),
            capabilities: serde_json::from_str(capabilities).unwrap(),
            instructions: None,
            supported_versions: Vec::new(),
        }
    }

    #[test]
    fn g_04_a_method_that_the_revision_lacks_is_refused() {
        let old = server(Revision::V2025_03_26, r#"{"tools":{}}"#);
        let error = old.check("server/discover").unwrap_err();
        assert!(error.to_string().contains("2025-03-26"), "{error}");
        assert!(old.check("vendor/own").is_ok(), "methods outside the specification are the caller's business");
        let new = server(Revision::V2026_07_28, r#"{"tools":{},"resources":{"subscribe":true},"logging":{}}"#);
        for gone in ["ping", "initialize", "logging/setLevel", "resources/subscribe", "tasks/list", "tasks/result"] {
            assert_eq!(new.check(gone).unwrap_err().kind(), ErrorKind::Unsupported, "{gone}");
        }
        assert!(new.check("tools/call").is_ok() && new.check("server/discover").is_ok());
    }

    #[test]
    fn tx_01_tasks_belong_to_the_extension_since_2026_07_28() {
        let without = server(Revision::V2026_07_28, r#"{"tasks":{}}"#);
        assert!(without.check("tasks/get").is_err());
        let with = server(Revision::V2026_07_28, r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#);
        assert!(with.check("tasks/get").is_ok());
        assert!(server(Revision::V2025_11_25, r#"{"tasks":{}}"#).check("tasks/get").is_ok());
    }

    #[test]
    fn skills_belong_to_their_extension_in_every_revision() {
        let with = r#"{"resources":{},"extensions":{"io.modelcontextprotocol/skills":{}}}"#;
        for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
            assert!(server(revision, with).check("skills/list").is_ok());
            let error = server(revision, r#"{"resources":{}}"#).check("skills/get").unwrap_err();
            assert!(error.to_string().contains("io.modelcontextprotocol/skills"), "{error}");
        }
    }

    // Duty: M-06
    #[test]
    fn l_06_the_oldest_revision_has_no_capability_for_completions() {
        assert!(server(Revision::V2024_11_05, "{}").check("completion/complete").is_ok());
        assert!(server(Revision::V2025_03_26, "{}").check("completion/complete").is_err());
    }
}
