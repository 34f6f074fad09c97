//! Without the feature `schema`: no schema is kept, and nothing is checked against one.

use bowline_protocol::{CallToolResult, Tool};

use super::{OutputSchemas, Problem};

/// What is known of the structured results of tools.
#[derive(Debug, Default)]
pub(crate) struct Outputs;

impl Outputs {
    pub(crate) const fn new(_: OutputSchemas) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn policy(&self) -> OutputSchemas {
        OutputSchemas::default()
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) const fn note(&self, _: &[Tool], _: bool) {}

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) const fn forget(&self) {}

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) const fn has(&self, _: &str) -> bool {
        false
    }

    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub(crate) async fn check(&self, _: &str, _: &CallToolResult) -> Option<Problem> {
        None
    }
}
