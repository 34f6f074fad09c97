//! Scopes: which are asked for first, and which when a server wants more.

use std::fmt;

/// How many scopes are kept of what a server says, and how many bytes one may have.
const MAX_SCOPES: usize = 256;
const MAX_BYTES: usize = 256;

/// A set of scopes, in the order in which they were named.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<String>);

impl Scopes {
    /// Reads scopes that blanks part. What no scope may look like (RFC 6749, section 3.3) is left out.
    pub(crate) fn parse(text: &str) -> Self {
        text.split([' ', '\t', '\r', '\n']).collect()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|known| known == scope)
    }

    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|scope| self.contains(scope))
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn to_vec(&self) -> Vec<String> {
        self.0.clone()
    }
}

impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(scopes: I) -> Self {
        let mut set = Self::default();
        for scope in scopes {
            let is_scope = !scope.is_empty()
                && scope.len() <= MAX_BYTES
                && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
            if is_scope && !set.contains(scope) && set.0.len() < MAX_SCOPES {
                set.0.push(scope.to_owned());
            }
        }
        set
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the scopes of a request are chosen from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sources<'a> {
    /// Those that the program's settings name.
    pub(crate) configured: Option<&'a Scopes>,
    /// Those that were asked for before, for the token that was refused.
    pub(crate) before: Option<&'a Scopes>,
    /// Those of the challenge.
    pub(crate) challenged: Option<&'a Scopes>,
    /// `scopes_supported` of the resource.
    pub(crate) of_resource: Option<&'a Scopes>,
    /// `scopes_supported` of the authorization server, of which one alone is ever asked for.
    pub(crate) of_issuer: Option<&'a Scopes>,
    /// Whether a refresh token would be kept.
    pub(crate) refreshable: bool,
}

/// The scopes to ask for; none means that the request says nothing of scopes.
///
/// 2026-07-28, basic/authorization, scope selection strategy and step-up: those of the challenge decide, else all that
/// the resource lists, else nothing is said; what was asked for before stays in.
pub(crate) fn choose(sources: &Sources<'_>) -> Option<Scopes> {
    let first = sources.challenged.or(sources.of_resource.filter(|_| sources.configured.is_none()));
    let mut chosen = Scopes::default();
    for part in [sources.configured, sources.before, first].into_iter().flatten() {
        chosen = chosen.union(part);
    }
    // The authorization server's own list is not asked for, but for the scope that refresh tokens need there.
    if sources.refreshable && !chosen.is_empty() && sources.of_issuer.is_some_and(|all| all.contains(OFFLINE)) {
        chosen = chosen.union(&Scopes::parse(OFFLINE));
    }
    (!chosen.is_empty()).then_some(chosen)
}

const OFFLINE: &str = "offline_access";

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(sources: &Sources<'_>) -> String {
        choose(sources).map(|scopes| scopes.to_string()).unwrap_or_default()
    }

    #[test]
    fn case_auth_010_the_challenge_decides_then_the_resource_then_nothing() {
        let (read, both, admin) =
            (Scopes::parse("files:read"), Scopes::parse("files:read files:write"), Scopes::parse("admin"));
        let all = Sources { of_issuer: Some(&admin), refreshable: true, ..Sources::default() };
        assert_eq!(chosen(&Sources { challenged: Some(&read), of_resource: Some(&both), ..all }), "files:read");
        assert_eq!(chosen(&Sources { of_resource: Some(&both), ..all }), "files:read files:write");
        assert_eq!(choose(&all), None);
    }

    #[test]
    fn a_36_a_challenge_may_name_what_the_resource_does_not_list() {
        let (listed, other) = (Scopes::parse("a"), Scopes::parse("b"));
        let sources = Sources { challenged: Some(&other), of_resource: Some(&listed), ..Sources::default() };
        assert_eq!(chosen(&sources), "b");
    }

    #[test]
    fn a_38_a_step_up_keeps_what_was_asked_for_before() {
        let (before, more) = (Scopes::parse("files:read"), Scopes::parse("files:write files:read"));
        let sources = Sources { before: Some(&before), challenged: Some(&more), ..Sources::default() };
        assert_eq!(chosen(&sources), "files:read files:write");
    }

    #[test]
    fn a_34_offline_access_is_added_where_the_authorization_server_lists_it() {
        let (wanted, listed) = (Scopes::parse("a"), Scopes::parse("a b offline_access"));
        let sources = Sources { challenged: Some(&wanted), of_issuer: Some(&listed), ..Sources::default() };
        assert_eq!(chosen(&sources), "a");
        assert_eq!(chosen(&Sources { refreshable: true, ..sources }), "a offline_access");
    }

    #[test]
    fn what_the_settings_name_stands_in_for_the_list_of_the_resource() {
        let (mine, listed, more) = (Scopes::parse("a"), Scopes::parse("x y"), Scopes::parse("b"));
        let sources = Sources { configured: Some(&mine), of_resource: Some(&listed), ..Sources::default() };
        assert_eq!(chosen(&sources), "a");
        assert_eq!(chosen(&Sources { challenged: Some(&more), ..sources }), "a b");
    }

    #[test]
    fn what_is_no_scope_is_left_out() {
        assert_eq!(Scopes::parse(" a  b\ta \"q\" \u{e4} ").to_string(), "a b");
        let many = (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(Scopes::parse(&many).iter().count(), MAX_SCOPES);
    }
}
