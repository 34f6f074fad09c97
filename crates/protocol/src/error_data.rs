//! The data of the errors that MCP defines.

use crate::capabilities::ClientCapabilities;
use crate::elicitation::ElicitRequestParams;
use crate::error::{ErrorCode, ErrorObject};
use crate::wire::object;

object! {
    /// The data of [`ErrorCode::UNSUPPORTED_PROTOCOL_VERSION`].
    pub struct UnsupportedProtocolVersionErrorData {
        words {
            /// The revisions that the server speaks, as text.
            supported,
        }
        optional {
            /// The revision that was asked for.
            #[serde(deserialize_with = "crate::lenient::label")]
            requested: String => with_requested,
        }
    }
}

object! {
    /// The data of [`ErrorCode::MISSING_CLIENT_CAPABILITY`] (2026-07-28).
    pub struct MissingRequiredClientCapabilityErrorData {
        required {
            /// What the request needs and the client did not declare.
            #[serde(default, deserialize_with = "crate::lenient::features")]
            required_capabilities: ClientCapabilities,
        }
    }
}

object! {
    /// The data of [`ErrorCode::URL_ELICITATION_REQUIRED`] (2025-11-25).
    pub struct UrlElicitationRequiredErrorData {
        list {
            /// The URLs that the person must visit before the request is sent again.
            elicitations: ElicitRequestParams,
        }
    }
}

impl ErrorObject {
    /// The revisions that the server speaks, where the error is about that.
    ///
    /// Revisions before 2026-07-28 send the same data with [`ErrorCode::INVALID_PARAMS`].
    ///
    /// ```
    /// use bowline_protocol::{ErrorCode, ErrorObject};
    ///
    /// let data = r#"{"supported": ["2025-06-18"], "requested": "2026-07-28"}"#.parse()?;
    /// let error = ErrorObject::new(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, "unsupported").with_data(data);
    /// assert_eq!(error.unsupported_protocol_version().unwrap().supported, ["2025-06-18"]);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn unsupported_protocol_version(&self) -> Option<UnsupportedProtocolVersionErrorData> {
        let codes = [ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, ErrorCode::INVALID_PARAMS];
        let data: UnsupportedProtocolVersionErrorData = self.data_of(&codes)?;
        (!data.supported.is_empty()).then_some(data)
    }

    /// What the request needs and the client did not declare, where the error is about that.
    pub fn missing_client_capability(&self) -> Option<MissingRequiredClientCapabilityErrorData> {
        self.data_of(&[ErrorCode::MISSING_CLIENT_CAPABILITY])
    }

    /// The URLs that the person must visit, where the error is about that.
    pub fn url_elicitation_required(&self) -> Option<UrlElicitationRequiredErrorData> {
        self.data_of(&[ErrorCode::URL_ELICITATION_REQUIRED])
    }

    fn data_of<T: serde::de::DeserializeOwned>(&self, codes: &[ErrorCode]) -> Option<T> {
        self.data.as_ref().filter(|_| codes.contains(&self.code))?.parse_result().ok()
    }
}
