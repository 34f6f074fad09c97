//! Which tools, prompts and resources of a member may be used.

use bowline_protocol::{ToolAnnotations, matches_wildcard};

/// Which tools, prompts and resources may be seen and used. The default lets all through.
///
/// Patterns are of the server's own names, or URIs, and `*` stands for anything. What a filter leaves out is in no list,
/// and a use of it fails with [`ErrorKind::Denied`](bowline_client::ErrorKind::Denied) and is not sent. Requests that are
/// put together by hand ([`Hub::request`](crate::Hub::request), [`Hub::client`](crate::Hub::client)) pass it by.
///
/// What a server says of its tools (annotations) are hints: a server that lies passes a filter by annotation. And what a
/// URI leads to is the server's to say, which may know one thing by several: who has to keep something out allows what
/// may be read, rather than denies what may not.
///
/// ```
/// use bowline_hub::Filter;
///
/// let filter = Filter::new()
///     .allow(["read_*", "list_*"])
///     .deny(["read_secret"])
///     .read_only()
///     .deny_prompts(["*"])
///     .allow_resources(["file:///srv/public/*"]);
/// # let _ = filter;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    tools: Patterns,
    prompts: Patterns,
    resources: Patterns,
    read_only: bool,
    not_destructive: bool,
    closed_world: bool,
}

/// What may be used of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Patterns {
    /// Of each list one has to fit.
    allow: Vec<Vec<String>>,
    deny: Vec<String>,
}

impl Patterns {
    fn allow<P: Into<String>>(&mut self, patterns: impl IntoIterator<Item = P>) {
        let patterns = patterns.into_iter().map(Into::into);
        match self.allow.last_mut() {
            Some(allow) => allow.extend(patterns),
            None => self.allow.push(patterns.collect()),
        }
    }

    fn deny<P: Into<String>>(&mut self, patterns: impl IntoIterator<Item = P>) {
        self.deny.extend(patterns.into_iter().map(Into::into));
    }

    fn and(&mut self, other: Self) {
        self.allow.extend(other.allow);
        self.deny.extend(other.deny);
    }

    /// Refuses what may not be used, and names the rule.
    fn check(&self, name: &str) -> Result<(), &'static str> {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches_wildcard(pattern, name));
        if any(&self.deny) {
            return Err("a pattern of `deny` fits it");
        }
        if !self.allow.iter().all(|allow| any(allow)) {
            return Err("no pattern of `allow` fits it");
        }
        Ok(())
    }
}

impl Filter {
    /// A filter that lets all through.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets only these tools through; more calls add more.
    #[must_use]
    pub fn allow<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.tools.allow(patterns);
        self
    }

    /// Lets through what another filter lets through as well, such as that of a policy.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let Self { tools, prompts, resources, read_only, not_destructive, closed_world } = other;
        self.tools.and(tools);
        self.prompts.and(prompts);
        self.resources.and(resources);
        self.read_only |= read_only;
        self.not_destructive |= not_destructive;
        self.closed_world |= closed_world;
        self
    }

    /// Leaves these tools out, whatever [`allow`](Self::allow) says; more calls add more.
    #[must_use]
    pub fn deny<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.tools.deny(patterns);
        self
    }

    /// Lets only these prompts through; more calls add more.
    #[must_use]
    pub fn allow_prompts<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.prompts.allow(patterns);
        self
    }

    /// Leaves these prompts out, whatever [`allow_prompts`](Self::allow_prompts) says; more calls add more.
    #[must_use]
    pub fn deny_prompts<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.prompts.deny(patterns);
        self
    }

    /// Lets only resources of these URIs through, and only templates whose own text fits; more calls add more.
    #[must_use]
    pub fn allow_resources<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.resources.allow(patterns);
        self
    }

    /// Leaves resources of these URIs out, and templates whose own text fits, whatever
    /// [`allow_resources`](Self::allow_resources) says; more calls add more.
    #[must_use]
    pub fn deny_resources<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.resources.deny(patterns);
        self
    }

    /// Leaves tools out that are not said to change nothing (`readOnlyHint`).
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Leaves tools out that are not said to destroy nothing (`destructiveHint: false`, or `readOnlyHint`).
    #[must_use]
    pub const fn not_destructive(mut self) -> Self {
        self.not_destructive = true;
        self
    }

    /// Leaves tools out that are not said to keep to the server's own things (`openWorldHint: false`).
    #[must_use]
    pub const fn closed_world(mut self) -> Self {
        self.closed_world = true;
        self
    }

    /// Whether a verdict takes what the server says of the tool.
    pub(crate) const fn reads_annotations(&self) -> bool {
        self.read_only || self.not_destructive || self.closed_world
    }

    /// Refuses a tool that may not be used, and names the rule.
    pub(crate) fn check(&self, tool: &str, annotations: Option<&ToolAnnotations>) -> Result<(), &'static str> {
        self.tools.check(tool)?;
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

    /// Refuses a prompt that may not be used, and names the rule.
    pub(crate) fn check_prompt(&self, prompt: &str) -> Result<(), &'static str> {
        self.prompts.check(prompt)
    }

    /// Refuses a resource, or a template, that may not be used, and names the rule.
    pub(crate) fn check_resource(&self, uri: &str) -> Result<(), &'static str> {
        self.resources.check(uri)
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

        let prompts = Filter::new().allow_prompts(["plan_*"]).and(Filter::new().deny_prompts(["plan_b"]));
        assert!(prompts.check_prompt("plan_a").is_ok() && prompts.check("x", None).is_ok());
        assert!(prompts.check_prompt("plan_b").is_err() && prompts.check_prompt("x").is_err());
        let resources =
            Filter::new().allow_resources(["note://*"]).and(Filter::new().deny_resources(["note://secret/*"]));
        assert!(resources.check_resource("note://1").is_ok() && resources.check_prompt("x").is_ok());
        assert!(resources.check_resource("note://secret/1").is_err() && resources.check_resource("file:///1").is_err());

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
