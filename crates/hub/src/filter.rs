//! Which tools of a member may be used.

use bowline_protocol::{ToolAnnotations, matches_wildcard};

/// Which tools may be seen and called. The default lets all through.
///
/// Patterns are of the server's own names, and `*` stands for anything. What a filter leaves out is in no list, and a
/// call of it fails with [`ErrorKind::Denied`](bowline_client::ErrorKind::Denied) and is not sent.
///
/// What a server says of its tools (annotations) are hints: a server that lies passes a filter by annotation.
///
/// ```
/// use bowline_hub::Filter;
///
/// let filter = Filter::new().allow(["read_*", "list_*"]).deny(["read_secret"]).read_only();
/// # let _ = filter;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of each list one has to fit.
    allow: Vec<Vec<String>>,
    deny: Vec<String>,
    read_only: bool,
    not_destructive: bool,
    closed_world: bool,
}

impl Filter {
    /// A filter that lets all through.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets only these through; more calls add more.
    #[must_use]
    pub fn allow<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        let patterns = patterns.into_iter().map(Into::into);
        match self.allow.last_mut() {
            Some(allow) => allow.extend(patterns),
            None => self.allow.push(patterns.collect()),
        }
        self
    }

    /// Lets through what another filter lets through as well, such as that of a policy.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let Self { allow, deny, read_only, not_destructive, closed_world } = other;
        self.allow.extend(allow);
        self.deny.extend(deny);
        self.read_only |= read_only;
        self.not_destructive |= not_destructive;
        self.closed_world |= closed_world;
        self
    }

    /// Leaves these out, whatever [`allow`](Self::allow) says; more calls add more.
    #[must_use]
    pub fn deny<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.deny.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Leaves out what is not said to change nothing (`readOnlyHint`).
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Leaves out what is not said to destroy nothing (`destructiveHint: false`, or `readOnlyHint`).
    #[must_use]
    pub const fn not_destructive(mut self) -> Self {
        self.not_destructive = true;
        self
    }

    /// Leaves out what is not said to keep to the server's own things (`openWorldHint: false`).
    #[must_use]
    pub const fn closed_world(mut self) -> Self {
        self.closed_world = true;
        self
    }

    /// Whether a verdict takes what the server says of the tool.
    pub(crate) const fn reads_annotations(&self) -> bool {
        self.read_only || self.not_destructive || self.closed_world
    }

    /// Refuses what may not be used, and names the rule.
    pub(crate) fn check(&self, tool: &str, annotations: Option<&ToolAnnotations>) -> Result<(), &'static str> {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches_wildcard(pattern, tool));
        if any(&self.deny) {
            return Err("a pattern of `deny` fits it");
        }
        if !self.allow.iter().all(|allow| any(allow)) {
            return Err("no pattern of `allow` fits it");
        }
        let says = |hint: fn(&ToolAnnotations) -> Option<bool>| annotations.and_then(hint);
        // What is not said counts as the specification has it: it changes things, it destroys, it reaches out.
        let is_read_only = says(|a| a.read_only_hint) == Some(true);
        if self.read_only && !is_read_only {
            return Err("the server does not say that it only reads");
        }
        if self.not_destructive && !is_read_only && says(|a| a.destructive_hint) != Some(false) {
            return Err("the server does not say that it destroys nothing");
        }
        if self.closed_world && says(|a| a.open_world_hint) != Some(false) {
            return Err("the server does not say that it keeps to its own things");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_wins_and_what_is_not_said_counts_as_the_worse() {
        let filter = Filter::new().allow(["read_*"]).deny(["read_secret"]);
        assert!(filter.check("read_file", None).is_ok());
        assert!(filter.check("read_secret", None).unwrap_err().contains("deny"));
        assert!(filter.check("write", None).unwrap_err().contains("allow"));
        assert!(!filter.reads_annotations());

        let both = filter.clone().and(Filter::new().allow(["*_file", "x"]).deny(["read_my_file"]));
        assert!(both.check("read_file", None).is_ok());
        for refused in ["read_secret", "read_x", "x", "write_file", "read_my_file"] {
            assert!(both.check(refused, None).is_err(), "{refused}");
        }
        assert!(filter.and(Filter::new().read_only()).check("read_file", None).is_err());

        let reads = ToolAnnotations::new().with_read_only_hint(true);
        let adds = ToolAnnotations::new().with_destructive_hint(false);
        assert!(Filter::new().read_only().check("x", Some(&reads)).is_ok());
        assert!(Filter::new().read_only().check("x", None).is_err());
        assert!(Filter::new().not_destructive().check("x", Some(&reads)).is_ok());
        assert!(Filter::new().not_destructive().check("x", Some(&adds)).is_ok());
        assert!(Filter::new().not_destructive().check("x", None).is_err());
        assert!(Filter::new().closed_world().check("x", Some(&reads)).is_err());
    }
}
