//! Whether a call may be sent twice.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bowline_protocol::{Tool, ToolAnnotations, method};

/// Of how many tools the annotations are kept.
const MAX_TOOLS: usize = 10_000;

/// What a call may do to the world, and so whether it may be sent again when nobody knows what became of it.
///
/// It is, in this order: what the caller says ([`Request::safety`](crate::Request::safety)); what the server says of the
/// tool, where the caller trusts it ([`ClientBuilder::trust_annotations`](crate::ClientBuilder::trust_annotations)); what
/// the method says.
///
/// ```
/// use bowline_client::Safety;
///
/// assert_eq!(Safety::of_method("resources/read"), Safety::ReadOnly);
/// assert_eq!(Safety::of_method("tools/call"), Safety::Unsafe);
/// assert!(!Safety::of_method("com.example/anything").may_repeat());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a call does nothing, the same however often, or neither")]
pub enum Safety {
    /// It changes nothing.
    ReadOnly,
    /// A second one like it changes nothing more.
    Idempotent,
    /// It may change something each time. What is not known is taken to be so.
    #[default]
    Unsafe,
}

impl Safety {
    /// What a method is by the specification. Calls of tools are unsafe, and so is what the specification does not know.
    pub fn of_method(method: &str) -> Self {
        if method::changes_nothing(method) {
            return Self::ReadOnly;
        }
        match method {
            method::LOGGING_SET_LEVEL
            | method::RESOURCES_SUBSCRIBE
            | method::RESOURCES_UNSUBSCRIBE
            | method::TASKS_CANCEL => Self::Idempotent,
            _ => Self::Unsafe,
        }
    }

    /// What a server says of a tool. Only for servers that are trusted: it is a hint, and may be wrong or a lie.
    ///
    /// ```
    /// use bowline_client::Safety;
    /// use bowline_protocol::ToolAnnotations;
    ///
    /// let says = ToolAnnotations::new().with_idempotent_hint(true);
    /// assert_eq!(Safety::of_tool(&says), Safety::Idempotent);
    /// ```
    pub fn of_tool(annotations: &ToolAnnotations) -> Self {
        match (annotations.read_only_hint, annotations.idempotent_hint) {
            (Some(true), _) => Self::ReadOnly,
            (_, Some(true)) => Self::Idempotent,
            _ => Self::Unsafe,
        }
    }

    /// Whether a second one does no harm, whatever became of the first.
    pub const fn may_repeat(self) -> bool {
        !matches!(self, Self::Unsafe)
    }
}

/// What a trusted server says of its tools, as far as they were listed, until it says that they changed.
#[derive(Debug, Default)]
pub(crate) struct Trusted(Mutex<HashMap<String, Safety>>);

impl Trusted {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Safety>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what tools say of themselves. A list that starts anew takes the place of the one before.
    pub(crate) fn note(&self, tools: &[Tool], is_first: bool) {
        let mut known = self.known();
        if is_first {
            known.clear();
        }
        for tool in tools {
            let safety = tool.annotations.as_ref().map(Safety::of_tool).unwrap_or_default();
            if known.len() < MAX_TOOLS && safety.may_repeat() {
                known.insert(tool.name.clone(), safety);
            } else {
                known.remove(&tool.name);
            }
        }
    }

    pub(crate) fn forget(&self) {
        self.known().clear();
    }

    pub(crate) fn of(&self, tool: &str) -> Option<Safety> {
        self.known().get(tool).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_anew_without_its_annotations_is_unsafe_again() {
        let trusted = Trusted::default();
        let tool = |json: &str| serde_json::from_str::<Tool>(json).unwrap();
        let reads = tool(r#"{"name":"a","inputSchema":{},"annotations":{"readOnlyHint":true}}"#);
        let plain = tool(r#"{"name":"a","inputSchema":{}}"#);
        trusted.note(std::slice::from_ref(&reads), true);
        assert_eq!(trusted.of("a"), Some(Safety::ReadOnly));
        trusted.note(&[plain], false);
        assert_eq!(trusted.of("a"), None);
        trusted.note(&[reads], false);
        trusted.note(&[], true);
        assert_eq!(trusted.of("a"), None);
    }

    #[test]
    fn only_what_the_specification_calls_harmless_may_be_repeated() {
        for method in method::ALL {
            let harmless = Safety::of_method(method.name).may_repeat();
            let changes = [method::TOOLS_CALL, method::TASKS_UPDATE, method::INITIALIZE, method::SUBSCRIPTIONS_LISTEN];
            if changes.contains(&method.name) {
                assert!(!harmless, "{}", method.name);
            }
        }
        assert_eq!(Safety::of_tool(&ToolAnnotations::new().with_read_only_hint(true)), Safety::ReadOnly);
        assert_eq!(Safety::of_tool(&ToolAnnotations::new().with_destructive_hint(false)), Safety::Unsafe);
    }
}
