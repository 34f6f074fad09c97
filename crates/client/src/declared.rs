//! What the client can do for the server: one capability for each installed handler.

use bowline_protocol::{
    ClientCapabilities, ClientTaskRequests, ClientTasksCapability, ElicitationCapability, ElicitationTasks, Era, Extra,
    Revision, RootsCapability, SamplingCapability, SamplingTasks,
};

/// Which handlers are installed, and what they take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) roots: bool,
    pub(crate) sampling: Option<SamplingSupport>,
    pub(crate) elicitation: Option<ElicitationSupport>,
    /// Whether what these ask may be run as a task.
    pub(crate) tasks: bool,
}

/// What a sampling handler takes beyond plain messages (since 2025-11-25). Default: nothing.
///
/// ```
/// use bowline_client::SamplingSupport;
///
/// let support = SamplingSupport::default().with_tools();
/// assert!(support.tools);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplingSupport {
    /// Requests with `tools` and `toolChoice`.
    pub tools: bool,
    /// `includeContext` other than `none`.
    pub context: bool,
}

impl SamplingSupport {
    /// Takes requests with tools.
    #[must_use]
    pub const fn with_tools(mut self) -> Self {
        self.tools = true;
        self
    }

    /// Takes requests to include context.
    #[must_use]
    pub const fn with_context(mut self) -> Self {
        self.context = true;
        self
    }
}

/// Which modes an elicitation handler takes. Default: forms only.
///
/// ```
/// use bowline_client::ElicitationSupport;
///
/// let support = ElicitationSupport::default();
/// assert!(support.form && !support.url);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ElicitationSupport {
    /// Forms (since 2025-06-18).
    pub form: bool,
    /// URLs to be opened after consent (since 2025-11-25).
    pub url: bool,
}

impl Default for ElicitationSupport {
    fn default() -> Self {
        Self { form: true, url: false }
    }
}

impl ElicitationSupport {
    /// Takes URLs as well.
    #[must_use]
    pub const fn with_url(mut self) -> Self {
        self.url = true;
        self
    }
}

impl Declared {
    /// What of it a revision has: no more than that is declared, and no more is served.
    pub(crate) fn in_revision(&self, revision: Revision) -> Self {
        let with_details = revision >= Revision::V2025_11_25;
        let sampling = self.sampling.map(|support| if with_details { support } else { SamplingSupport::default() });
        let elicitation = self.elicitation.and_then(|support| match revision {
            _ if with_details => Some(support),
            _ if revision >= Revision::V2025_06_18 && support.form => Some(ElicitationSupport::default()),
            _ => None,
        });
        // Specification: 2025-11-25, basic/utilities/tasks: by kind of request.
        let tasks = self.tasks && revision.has_tasks() && (sampling.is_some() || elicitation.is_some());
        Self { roots: self.roots, sampling, elicitation, tasks }
    }

    /// The capabilities of the handlers that a revision knows, in its form (client/* of each revision).
    pub(crate) fn capabilities(&self, revision: Revision) -> ClientCapabilities {
        let with_details = revision >= Revision::V2025_11_25;
        let declared = self.in_revision(revision);
        let mut capabilities = ClientCapabilities::new();
        if declared.roots {
            // Since 2026-07-28 roots are given when they are asked for, and their changes are not told.
            let changes = (revision.era() == Era::Handshake).then_some(true);
            let mut roots = RootsCapability::new();
            roots.list_changed = changes;
            capabilities = capabilities.with_roots(roots);
        }
        if let Some(support) = declared.sampling {
            let mut sampling = SamplingCapability::new();
            sampling.tools = support.tools.then(Default::default);
            sampling.context = support.context.then(Default::default);
            capabilities = capabilities.with_sampling(sampling);
        }
        if let Some(support) = declared.elicitation {
            let mut elicitation = ElicitationCapability::new();
            elicitation.form = (with_details && support.form).then(Default::default);
            elicitation.url = (with_details && support.url).then(Default::default);
            capabilities = capabilities.with_elicitation(elicitation);
        }
        if declared.tasks {
            let mut requests = ClientTaskRequests::new();
            requests.sampling = declared.sampling.map(|_| SamplingTasks::new().with_create_message(Extra::new()));
            requests.elicitation = declared.elicitation.map(|_| ElicitationTasks::new().with_create(Extra::new()));
            let tasks =
                ClientTasksCapability::new().with_list(Extra::new()).with_cancel(Extra::new()).with_requests(requests);
            capabilities = capabilities.with_tasks(tasks);
        }
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared(declared: Declared, revision: Revision) -> serde_json::Value {
        serde_json::to_value(declared.capabilities(revision)).unwrap()
    }

    const ALL: Declared = Declared {
        roots: true,
        sampling: Some(SamplingSupport { tools: true, context: false }),
        elicitation: Some(ElicitationSupport { form: true, url: true }),
        tasks: false,
    };

    #[test]
    fn case_elicitation_002_nothing_is_declared_without_a_handler() {
        for revision in Revision::ALL {
            assert_eq!(declared(Declared::default(), revision), json!({}));
        }
    }

    #[test]
    fn l_08_only_what_the_revision_has_is_declared() {
        let roots = json!({"listChanged": true});
        assert_eq!(declared(ALL, Revision::V2024_11_05), json!({"roots": roots, "sampling": {}}));
        assert_eq!(declared(ALL, Revision::V2025_06_18), json!({"roots": roots, "sampling": {}, "elicitation": {}}));
        assert_eq!(
            declared(ALL, Revision::V2025_11_25),
            json!({"roots": roots, "sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}})
        );
    }

    #[test]
    fn tk_01_tasks_are_declared_for_what_there_are_handlers_for_and_in_one_revision() {
        let all = Declared { tasks: true, ..ALL };
        let tasks = |requests: serde_json::Value| json!({"list": {}, "cancel": {}, "requests": requests});
        let both = json!({"sampling": {"createMessage": {}}, "elicitation": {"create": {}}});
        assert_eq!(declared(all, Revision::V2025_11_25)["tasks"], tasks(both));
        let one = Declared { elicitation: None, ..all };
        assert_eq!(declared(one, Revision::V2025_11_25)["tasks"], tasks(json!({"sampling": {"createMessage": {}}})));
        for revision in [Revision::V2025_06_18, Revision::V2026_07_28] {
            assert!(declared(all, revision).get("tasks").is_none());
        }
        let none = Declared { tasks: true, ..Declared::default() };
        assert_eq!(declared(none, Revision::V2025_11_25), json!({}));
    }

    #[test]
    fn o_06_changes_of_roots_are_not_told_without_a_session() {
        let all = json!({"roots": {}, "sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}});
        assert_eq!(declared(ALL, Revision::V2026_07_28), all);
    }

    #[test]
    fn d_01_a_handler_of_urls_alone_says_nothing_where_only_forms_exist() {
        let urls = Declared { elicitation: Some(ElicitationSupport { form: false, url: true }), ..Declared::default() };
        assert_eq!(declared(urls, Revision::V2025_06_18), json!({}));
        assert_eq!(declared(urls, Revision::V2025_11_25), json!({"elicitation": {"url": {}}}));
    }
}
