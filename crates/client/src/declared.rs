//! What the client can do for the server: one capability for each installed handler.

use bowline_protocol::{ClientCapabilities, ElicitationCapability, Era, Revision, RootsCapability, SamplingCapability};

/// Which handlers are installed, and what they take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) roots: bool,
    pub(crate) sampling: Option<SamplingSupport>,
    pub(crate) elicitation: Option<ElicitationSupport>,
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
        Self { roots: self.roots, sampling, elicitation }
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
