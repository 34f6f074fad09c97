//! Results that are kept for a while, where the caller wants that.
//!
//! Specification: 2026-07-28, server/utilities/caching.

mod fetch;
mod flights;
mod store;

use std::time::Duration;

pub(crate) use self::fetch::{Fetched, run};
pub(crate) use self::store::Store;

/// How results are kept; given to [`ClientBuilder::cache`](crate::ClientBuilder::cache). Without it nothing is.
///
/// Kept are the pages of `tools/list`, `prompts/list`, `resources/list` and `resources/templates/list`, each by its
/// own cursor, and the contents that `resources/read` gave for a URI:
///
/// - from 2026-07-28 on for the `ttlMs` of the result, from its receipt; not at all where that is 0, negative or
///   missing;
/// - in older revisions lists alone, and only where the server declares `listChanged` for them: until it says so, or
///   the connection ends, but never beyond [`max_ttl`](Self::max_ttl). Templates are not kept there, as nothing says
///   when they change.
///
/// A change that the server tells of (`list_changed`, `updated`) drops what it is about before the event is handed on.
/// An update of a resource drops also the resources that it is a part of, and its parts. Nothing is fetched by a
/// timer: what is stale is fetched when it is next asked for.
///
/// Of callers that ask for the same at once, and find nothing kept, one sends the request and the others wait for what
/// comes of it. Where it fails or is dropped, the next one sends it; where the result may not be kept, each of them
/// does. Nobody waits for others longer than for an answer of its own ([`Timeouts::idle`](crate::Timeouts::idle)).
///
/// What came of a call for which the server needed more input is never kept. Neither is looked up or kept what a
/// request with [`meta`](crate::Request::meta) or [`log_level`](crate::Request::log_level) gave, as the server may
/// answer by these.
///
/// The results belong to the one client and its clones, so what is `private` stays with the one who asked, and what is
/// `public` is not shared either. Who changes the credentials of a client to those of another user calls
/// [`Client::clear_cache`](crate::Client::clear_cache).
///
/// ```
/// use std::time::Duration;
/// use bowline_client::{Cache, Client};
///
/// let builder = Client::builder().cache(Cache::default().max_ttl(Duration::from_secs(300)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it is given to a client's builder"]
pub struct Cache {
    max_entries: usize,
    max_bytes: usize,
    max_ttl: Duration,
    stale_on_error: Duration,
    doubt_on_error: bool,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            max_entries: 1024,
            max_bytes: 16 << 20,
            max_ttl: Duration::from_secs(3600),
            stale_on_error: Duration::ZERO,
            doubt_on_error: false,
        }
    }
}

impl Cache {
    /// Sets how many results are kept, a page of a list being one. Default: 1,024. What was not used for longest makes
    /// room.
    pub const fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// Sets how many bytes the results take together. Default: 16 MiB. A larger result is not kept.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets for how long a result is fresh at most, whatever the server says. Default: 1 h.
    pub const fn max_ttl(mut self, limit: Duration) -> Self {
        self.max_ttl = limit;
        self
    }

    /// Gives a result that is no longer fresh, by at most so much, where the server cannot be reached. Default: zero,
    /// so the error is given.
    ///
    /// The server's own errors are given all the same, and so is the error where a change was told of.
    pub const fn stale_on_error(mut self, limit: Duration) -> Self {
        self.stale_on_error = limit;
        self
    }

    /// Takes an error as a hint that something changed: after a call of a tool or a prompt that the server does not
    /// know, or whose arguments it does not take, their lists are dropped; after a reading of a resource that is gone,
    /// the lists of resources. Default: no.
    pub const fn doubt_on_error(mut self, doubt: bool) -> Self {
        self.doubt_on_error = doubt;
        self
    }
}

/// What a cache did so far, and what it holds; given by [`Client::cache_stats`](crate::Client::cache_stats).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// How many results were given without a request.
    pub hits: u64,
    /// How often nothing fresh was there, or something fresh was not wanted.
    pub misses: u64,
    /// How many results were given of a request that another caller had under way. Each was a miss before.
    pub shared: u64,
    /// How many results were given that were no longer fresh, for want of an answer.
    pub stale: u64,
    /// How many results made room for others, or were too large to be kept.
    pub evictions: u64,
    /// How many results were dropped for a change, or the hint of one.
    pub dropped: u64,
    /// How many results there are now, stale ones included.
    pub entries: usize,
    /// What they take, in bytes.
    pub bytes: usize,
}
