//! Why a call does not go.

use std::borrow::Cow;

use bowline_client::{Call, Error};
use bowline_protocol::{excerpt, method};
use thiserror::Error as ThisError;

use crate::guard::Core;
use crate::pins::Change;

/// Why a guard does not let a call go: the source of its error.
///
/// ```
/// use bowline_client::Error;
/// use bowline_guard::Refusal;
///
/// fn tell(error: &Error) {
///     if let Some(change) = Refusal::of(error).and_then(Refusal::change) {
///         eprintln!("{change}");
///     }
/// }
/// ```
#[derive(Debug, Clone, ThisError)]
#[error("{why}")]
pub struct Refusal {
    why: String,
    rule: Option<String>,
    change: Option<Box<Change>>,
    needs_approval: bool,
}

impl Refusal {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), rule: None, change: None, needs_approval: false }
    }

    pub(crate) fn by(mut self, rule: Option<String>) -> Self {
        self.rule = rule;
        self
    }

    pub(crate) fn about(mut self, change: Option<Change>) -> Self {
        self.change = change.map(Box::new);
        self
    }

    pub(crate) const fn wanting_approval(mut self) -> Self {
        self.needs_approval = true;
        self
    }

    pub(crate) fn denied(self) -> Error {
        Error::denied(self.why.clone()).with_source(self)
    }

    pub(crate) fn changed(self) -> Error {
        Error::definition_changed(self.why.clone()).with_source(self)
    }

    /// The refusal behind an error, if it is one of a guard.
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error).and_then(|source| source.downcast_ref())
    }

    /// Why, on one line, with the next step.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The rule of the policy that refuses it; none where no rule does.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// How the definition differs from the one that was pinned, where that is why.
    pub fn change(&self) -> Option<&Change> {
        self.change.as_deref()
    }

    /// Whether it would have gone with somebody's approval, and nobody was there to be asked.
    pub const fn needs_approval(&self) -> bool {
        self.needs_approval
    }
}

/// What a call is, as errors name it: `tool "read" of server "files"`. The name is as it may be shown.
pub(crate) fn what(server: &str, method: &str, shown: Option<&str>) -> String {
    let server = excerpt(server, 100);
    let kind = match method {
        method::TOOLS_CALL => "tool",
        method::PROMPTS_GET => "prompt",
        method::RESOURCES_READ => "resource",
        method::RESOURCES_SUBSCRIBE => "changes of resource",
        other => return format!("{} of server \"{server}\"", excerpt(other, 100)),
    };
    format!("{kind} \"{}\" of server \"{server}\"", excerpt(shown.unwrap_or_default(), 100))
}

/// What a call is applied to: the tool, the prompt, the URI. Subscriptions have their URI in the parameters alone.
pub(crate) fn name_of(call: &Call) -> Option<Cow<'_, str>> {
    #[derive(serde::Deserialize)]
    struct Located {
        uri: String,
    }

    match (call.name(), call.method()) {
        (Some(name), _) => Some(Cow::Borrowed(name)),
        (None, method::RESOURCES_SUBSCRIBE | method::RESOURCES_UNSUBSCRIBE) => {
            call.params()?.parse::<Located>().ok().map(|located| Cow::Owned(located.uri))
        }
        (None, _) => None,
    }
}

/// The name of what a call is applied to, as it may be shown: a URI without a password and without the values of its
/// query, and nothing that whoever looks for secrets takes out.
pub(crate) fn shown_name(core: &Core, call: &Call) -> Option<String> {
    let name = name_of(call)?;
    let bare = match call.method() {
        method::TOOLS_CALL | method::PROMPTS_GET => name.into_owned(),
        _ => bare_uri(&name),
    };
    Some(core.outgoing.as_ref().and_then(|outgoing| outgoing.redact(&bare)).unwrap_or(bare))
}

/// A URI without a password and without the values of its query and fragment.
fn bare_uri(uri: &str) -> String {
    let (before, query) = uri.split_once('?').unwrap_or((uri, ""));
    let before = before.split_once('#').map_or(before, |(before, _)| before);
    let bare = match before.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://…@{host}{path}"),
                None => before.to_owned(),
            }
        }
        None => before.to_owned(),
    };
    if query.is_empty() {
        return bare;
    }
    let names = query.split('&').map(|pair| format!("{}=…", pair.split_once('=').map_or("…", |(name, _)| name)));
    format!("{bare}?{}", names.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::bare_uri;

    #[test]
    fn a_uri_is_shown_without_what_may_be_secret() {
        for (uri, shown) in [
            ("postgres://u:pw@h:5/db", "postgres://…@h:5/db"),
            ("https://h/a?token=x&b=c#d", "https://h/a?token=…&b=…"),
            ("https://h/a?secret", "https://h/a?…=…"),
            ("file:///a/b", "file:///a/b"),
            ("demo:x#key", "demo:x"),
        ] {
            assert_eq!(bare_uri(uri), shown);
        }
    }
}
