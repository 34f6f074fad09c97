//! Something that was wrong.

/// What a server did wrong, and what came of it.
#[derive(Debug)]
pub(crate) struct Finding {
    /// What was asked of it then: a tool, or a step such as `list`.
    pub(crate) during: String,
    /// What it did.
    pub(crate) what: String,
    /// What the client did about it.
    pub(crate) then: String,
}
