//! What is known of the eras of servers, so that none is asked twice.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use bowline_protocol::Era;

/// How many servers are remembered. Beyond that the oldest are forgotten, which costs them one question.
const MAX_SERVERS: usize = 4096;

/// A memory of which servers speak a revision without sessions (2026-07-28) and which need a handshake.
///
/// Specification: basic/versioning, backward compatibility. The era is a property of the server; a memory that
/// proves wrong is put right by the next connection. Names are what [`Connect::identity`] gives, such as an origin.
///
/// All clients of the process share one memory unless they are given another
/// ([`ClientBuilder::eras`](crate::ClientBuilder::eras)). To keep it over a restart, store what
/// [`entries`](Self::entries) gives and put it back with [`set`](Self::set). A clone is the same memory; at most
/// 4,096 servers are kept.
///
/// ```
/// use bowline_client::Eras;
/// use bowline_protocol::Era;
///
/// let eras = Eras::new();
/// eras.set("https://mcp.example.com", Era::Stateless);
/// assert_eq!(eras.get("https://mcp.example.com"), Some(Era::Stateless));
/// ```
///
/// [`Connect::identity`]: bowline_transport::Connect::identity
#[derive(Clone, Default)]
pub struct Eras(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    eras: HashMap<String, Era>,
    order: VecDeque<String>,
}

impl Eras {
    /// An empty memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The memory of the process.
    pub fn of_the_process() -> Self {
        static PROCESS: LazyLock<Eras> = LazyLock::new(Eras::new);
        PROCESS.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The era of a server, if it is known.
    pub fn get(&self, server: &str) -> Option<Era> {
        self.known().eras.get(server).copied()
    }

    /// Remembers the era of a server.
    pub fn set(&self, server: impl Into<String>, era: Era) {
        let server = server.into();
        let mut known = self.known();
        if known.eras.insert(server.clone(), era).is_none() {
            known.order.push_back(server);
        }
        while known.order.len() > MAX_SERVERS {
            if let Some(oldest) = known.order.pop_front() {
                known.eras.remove(&oldest);
            }
        }
    }

    /// Forgets a server.
    pub fn forget(&self, server: &str) {
        let mut known = self.known();
        known.eras.remove(server);
        known.order.retain(|name| name != server);
    }

    /// All that is known, the oldest first: for storing.
    pub fn entries(&self) -> Vec<(String, Era)> {
        let known = self.known();
        known.order.iter().filter_map(|name| Some((name.clone(), *known.eras.get(name)?))).collect()
    }
}

impl fmt::Debug for Eras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eras").field("servers", &self.known().eras.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let eras = Eras::new();
        for n in 0..=MAX_SERVERS {
            eras.set(n.to_string(), Era::Handshake);
        }
        assert_eq!((eras.get("0"), eras.get("1")), (None, Some(Era::Handshake)));
        eras.forget("1");
        assert_eq!((eras.get("1"), eras.entries().len()), (None, MAX_SERVERS - 1));
    }
}
