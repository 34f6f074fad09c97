//! For how long, and by whom, a result may be kept.
//!
//! Specification: 2026-07-28, server/utilities/caching.

use std::time::Duration;

use serde::Deserialize;

use crate::raw::RawJson;
use crate::result::CacheScope;

/// What a server says of the life of a result.
///
/// ```
/// use bowline_protocol::{CacheHints, CacheScope};
///
/// let first = CacheHints::new(Some(60_000), Some(&CacheScope::Public));
/// let second = CacheHints::new(Some(1_000), Some(&CacheScope::Private));
/// assert_eq!(first.strictest(second), CacheHints::new(Some(1_000), None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheHints {
    /// For how many milliseconds from its receipt the result is fresh. 0 where the server does not say so, or says
    /// what is no such number.
    pub ttl_ms: u64,
    /// Whether others than the one who asked may be given the result. Only the word `public` says so.
    pub is_public: bool,
}

impl CacheHints {
    /// What the members of a result say.
    pub fn new(ttl_ms: Option<u64>, scope: Option<&CacheScope>) -> Self {
        Self { ttl_ms: ttl_ms.unwrap_or(0), is_public: scope == Some(&CacheScope::Public) }
    }

    /// Reads the hints of a result, and no more of it than that.
    pub fn of(result: &RawJson) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Head {
            #[serde(deserialize_with = "crate::lenient::count")]
            ttl_ms: Option<u64>,
            #[serde(deserialize_with = "crate::lenient::word")]
            cache_scope: Option<CacheScope>,
        }

        let head: Head = result.parse().unwrap_or_default();
        Self::new(head.ttl_ms, head.cache_scope.as_ref())
    }

    /// For how long the result is fresh.
    pub const fn ttl(self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    /// What counts for two results together, such as the pages of one list: the shorter life and the narrower circle.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self { ttl_ms: self.ttl_ms.min(other.ttl_ms), is_public: self.is_public && other.is_public }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ListToolsResult, ResultType};

    #[test]
    fn ca_01_ca_09_case_tools_020_bad_hints_mean_stale_and_private() {
        for (members, ttl_ms, is_public) in [
            (r#""ttlMs":60000,"cacheScope":"public""#, 60_000, true),
            (r#""ttlMs":5.0,"cacheScope":"private""#, 5, false),
            (r#""ttlMs":0,"cacheScope":"Public""#, 0, false),
            (r#""ttlMs":-5,"cacheScope":"shared""#, 0, false),
            (r#""ttlMs":"x","cacheScope":7"#, 0, false),
            (r#""ttlMs":1e300,"cacheScope":null"#, 0, false),
            (r#""ttlMs":18446744073709551615,"cacheScope":{"a":1}"#, u64::MAX, false),
            (r#""ttlMs":null"#, 0, false),
            (r#""ttlMs":[1]"#, 0, false),
            (r#""a":1"#, 0, false),
        ] {
            let raw: RawJson = format!(r#"{{"tools":[],{members}}}"#).parse().unwrap();
            let hints = CacheHints::of(&raw);
            assert_eq!((hints.ttl_ms, hints.is_public), (ttl_ms, is_public), "{members}");
            let page = ListToolsResult::decode(&raw).unwrap();
            assert_eq!(CacheHints::new(page.ttl_ms, page.cache_scope.as_ref()), hints, "{members}");
        }
        assert_eq!(CacheHints::of(&RawJson::NULL).ttl(), Duration::ZERO);
    }
}
