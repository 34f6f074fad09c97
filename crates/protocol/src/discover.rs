//! What a server tells of itself without a handshake (2026-07-28), and what each request tells of the client.
//!
//! Specification: server/discover, and basic/index on `_meta`.

use serde::{Deserialize, Serialize};

use crate::capabilities::{ClientCapabilities, ServerCapabilities};
use crate::initialize::Implementation;
use crate::logging::LoggingLevel;
use crate::meta::Meta;
use crate::result::plain_result;
use crate::revision::Revision;
use crate::wire::object;

object! {
    /// The answer to `server/discover`.
    pub struct DiscoverResult (meta, result_type, ttl_ms, cache_scope) {
        words {
            /// The revisions that the server speaks, as text: it may know some that nobody else does.
            supported_versions,
        }
        preset {
            /// What the server can do.
            #[serde(default, deserialize_with = "crate::lenient::features")]
            capabilities: ServerCapabilities = ServerCapabilities::new() => with_capabilities,
        }
        optional {
            /// How to use the server, for a model.
            #[serde(deserialize_with = "crate::lenient::label")]
            instructions: String => with_instructions,
        }
    }
}
plain_result!(DiscoverResult);

impl DiscoverResult {
    /// The newest revision that both the server and this library speak.
    pub fn newest_common(&self) -> Option<Revision> {
        self.supported_versions.iter().filter_map(|version| version.parse().ok()).max()
    }
}

impl Meta {
    const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

    /// Says what every request of 2026-07-28 must say: the revision, and what the client can do.
    pub fn set_client(&mut self, revision: Revision, capabilities: &ClientCapabilities) {
        self.insert(Self::PROTOCOL_VERSION, revision.as_str());
        self.insert_serialized(Self::CLIENT_CAPABILITIES, capabilities);
    }

    /// Says who the client is (2026-07-28).
    pub fn set_client_info(&mut self, info: &Implementation) {
        self.insert_serialized(Self::CLIENT_INFO, info);
    }

    /// Asks for log messages of this level and above while the request runs (2026-07-28).
    pub fn set_log_level(&mut self, level: &LoggingLevel) {
        self.insert(Self::LOG_LEVEL, level.as_str());
    }

    /// The revision that a request was made in (2026-07-28), as text.
    pub fn protocol_version(&self) -> Option<&str> {
        self.get(Self::PROTOCOL_VERSION)?.as_str()
    }

    /// What the client that made a request can do (2026-07-28).
    pub fn client_capabilities(&self) -> Option<ClientCapabilities> {
        self.read(Self::CLIENT_CAPABILITIES)
    }

    /// Who made a request (2026-07-28), as it says itself.
    pub fn client_info(&self) -> Option<Implementation> {
        self.read(Self::CLIENT_INFO)
    }

    /// The least severe level of log messages that a request asks for (2026-07-28).
    pub fn log_level(&self) -> Option<LoggingLevel> {
        self.read(Self::LOG_LEVEL)
    }

    /// Who gave a result (2026-07-28), as it says itself: for display, not for decisions.
    pub fn server_info(&self) -> Option<Implementation> {
        self.read(Self::SERVER_INFO)
    }

    /// Says who gives a result (2026-07-28).
    pub fn set_server_info(&mut self, info: &Implementation) {
        self.insert_serialized(Self::SERVER_INFO, info);
    }

    fn read<'a, T: Deserialize<'a>>(&'a self, key: &str) -> Option<T> {
        T::deserialize(self.get(key)?).ok()
    }

    fn insert_serialized<T: Serialize>(&mut self, key: &str, value: &T) {
        // The types given here are objects with string keys, which are always JSON.
        self.insert(key, serde_json::to_value(value).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::SamplingCapability;

    #[test]
    fn what_a_request_says_of_its_client_reads_back() {
        let capabilities = ClientCapabilities::new().with_sampling(SamplingCapability::new());
        let info = Implementation::new("c", "1");
        let mut meta = Meta::new();
        meta.set_client(Revision::LATEST, &capabilities);
        meta.set_client_info(&info);
        meta.set_log_level(&LoggingLevel::Error);
        assert_eq!(meta.protocol_version(), Some("2026-07-28"));
        assert_eq!((meta.client_capabilities(), meta.client_info()), (Some(capabilities), Some(info)));
        assert_eq!((meta.log_level(), meta.server_info()), (Some(LoggingLevel::Error), None));
    }

    #[test]
    fn the_newest_common_revision_skips_those_that_we_do_not_know() {
        let result =
            |versions: &[&str]| DiscoverResult::new(versions.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
        assert_eq!(result(&["2031-01-01", "2025-06-18", "2025-03-26"]).newest_common(), Some(Revision::V2025_06_18));
        assert_eq!(result(&["2031-01-01"]).newest_common(), None);
    }
}
