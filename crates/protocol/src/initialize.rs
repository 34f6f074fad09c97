//! The handshake of the revisions until 2025-11-25.
//!
//! Specification: basic/lifecycle.

use crate::capabilities::{ClientCapabilities, ServerCapabilities};
use crate::icons::Icon;
use crate::result::plain_result;
use crate::revision::Revision;
use crate::wire::object;

object! {
    /// A program that speaks MCP, as it describes itself.
    #[derive(Default)]
    pub struct Implementation {
        required {
            /// The name, for programs; empty where a server gave none.
            #[serde(default, deserialize_with = "crate::lenient::name")]
            name: String,
            /// The version; empty where a server gave none.
            #[serde(default, deserialize_with = "crate::lenient::name")]
            version: String,
        }
        optional {
            /// The name, for people (since 2025-06-18).
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What it does (since 2025-11-25).
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// Icons (since 2025-11-25).
            #[serde(deserialize_with = "crate::lenient::icons")]
            icons: Vec<Icon> => with_icons,
            /// Where to read more (since 2025-11-25).
            #[serde(deserialize_with = "crate::lenient::label")]
            website_url: String => with_website_url,
        }
    }
}

object! {
    /// The parameters of `initialize`.
    pub struct InitializeRequestParams (meta) {
        required {
            /// The newest revision that the client speaks, as text: a peer may name one that nobody else knows.
            protocol_version: String,
            /// What the client can do.
            #[serde(default, deserialize_with = "crate::lenient::features")]
            capabilities: ClientCapabilities,
            /// Who the client is.
            #[serde(default, deserialize_with = "crate::lenient::features")]
            client_info: Implementation,
        }
    }
}

object! {
    /// The server's side of the handshake.
    pub struct InitializeResult (meta) {
        required {
            /// The revision that the server chose, as text; empty where it named none.
            #[serde(default, deserialize_with = "crate::lenient::null_is_default")]
            protocol_version: String,
            /// What the server can do.
            #[serde(default, deserialize_with = "crate::lenient::features")]
            capabilities: ServerCapabilities,
            /// Who the server is.
            #[serde(default, deserialize_with = "crate::lenient::features")]
            server_info: Implementation,
        }
        optional {
            /// How to use the server, for a model.
            #[serde(deserialize_with = "crate::lenient::label")]
            instructions: String => with_instructions,
        }
    }
}
plain_result!(InitializeResult);

impl InitializeResult {
    /// The revision that the server chose; none if this library does not know it.
    pub fn revision(&self) -> Option<Revision> {
        self.protocol_version.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_lifecycle_001_null_capabilities_are_absent() {
        let result: InitializeResult = serde_json::from_str(
            r#"{"protocolVersion":"2025-06-18","capabilities":{"logging":null,"tools":{"listChanged":null},
            "resources":null},"serverInfo":{"name":"f","version":"1"},"instructions":null}"#,
        )
        .unwrap();
        assert_eq!(result.revision(), Some(Revision::V2025_06_18));
        let capabilities = result.capabilities;
        assert!(capabilities.tools.is_some_and(|tools| !tools.list_changed()));
        assert!(capabilities.logging.is_none() && capabilities.resources.is_none());
        assert_eq!(result.instructions, None);
    }

    #[test]
    fn an_empty_array_is_an_empty_object_and_booleans_are_presence() {
        let text = r#"{"tools":[],"logging":true,"prompts":false,"experimental":[]}"#;
        let capabilities: ServerCapabilities = serde_json::from_str(text).unwrap();
        assert!(capabilities.tools.is_some() && capabilities.logging.is_some());
        assert!(capabilities.prompts.is_none() && capabilities.resources.is_none());
        assert!(capabilities.extra.is_empty());
        let result: InitializeResult = serde_json::from_str(r#"{"capabilities":[],"_meta":[]}"#).unwrap();
        assert_eq!(result.capabilities, ServerCapabilities::new());
        assert_eq!((result.protocol_version.as_str(), result.revision()), ("", None));
    }
}
