//! JSON-RPC errors and the codes that MCP names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::raw::RawJson;
use crate::text::excerpt;

/// The code of a JSON-RPC error.
///
/// Codes from -32000 to -32019 have no shared meaning but [`RESOURCE_NOT_FOUND`](Self::RESOURCE_NOT_FOUND);
/// do not read one into them.
///
/// ```
/// use bowline_protocol::ErrorCode;
///
/// assert_eq!(ErrorCode::METHOD_NOT_FOUND.0, -32601);
/// assert_eq!(ErrorCode(-32601).name(), Some("method not found"));
/// assert_eq!(ErrorCode(-32001).name(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[expect(clippy::exhaustive_structs, reason = "a code is a number")]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// Invalid JSON was received.
    pub const PARSE_ERROR: Self = Self(-32700);
    /// The JSON is no valid request.
    pub const INVALID_REQUEST: Self = Self(-32600);
    /// The method does not exist or is not served.
    pub const METHOD_NOT_FOUND: Self = Self(-32601);
    /// The parameters are invalid.
    pub const INVALID_PARAMS: Self = Self(-32602);
    /// The peer failed inside.
    pub const INTERNAL_ERROR: Self = Self(-32603);
    /// The resource does not exist; until 2025-11-25, still accepted later.
    pub const RESOURCE_NOT_FOUND: Self = Self(-32002);
    /// An HTTP header differs from the body (2026-07-28).
    pub const HEADER_MISMATCH: Self = Self(-32020);
    /// The request needs a client capability that was not declared (2026-07-28).
    pub const MISSING_CLIENT_CAPABILITY: Self = Self(-32021);
    /// The protocol version is not served (2026-07-28); `data` lists those that are.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(-32022);
    /// The user must visit a URL first (2025-11-25).
    pub const URL_ELICITATION_REQUIRED: Self = Self(-32042);
    /// The user refused a sampling request.
    pub const USER_REJECTED: Self = Self(-1);

    /// Whether only servers of 2026-07-28 and later say this: a sign of their era (basic/versioning).
    ///
    /// ```
    /// use bowline_protocol::ErrorCode;
    ///
    /// assert!(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION.is_stateless());
    /// assert!(!ErrorCode::METHOD_NOT_FOUND.is_stateless());
    /// ```
    pub const fn is_stateless(self) -> bool {
        matches!(self, Self::HEADER_MISMATCH | Self::MISSING_CLIENT_CAPABILITY | Self::UNSUPPORTED_PROTOCOL_VERSION)
    }

    /// What the code means, where JSON-RPC or MCP gives it a meaning.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::PARSE_ERROR => "parse error",
            Self::INVALID_REQUEST => "invalid request",
            Self::METHOD_NOT_FOUND => "method not found",
            Self::INVALID_PARAMS => "invalid params",
            Self::INTERNAL_ERROR => "internal error",
            Self::RESOURCE_NOT_FOUND => "resource not found",
            Self::HEADER_MISMATCH => "header mismatch",
            Self::MISSING_CLIENT_CAPABILITY => "missing client capability",
            Self::UNSUPPORTED_PROTOCOL_VERSION => "unsupported protocol version",
            Self::URL_ELICITATION_REQUIRED => "url elicitation required",
            Self::USER_REJECTED => "user rejected",
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error as a peer sent it: code, message and data are kept as received.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ErrorObject {
    /// The code; 0 where the peer sent none that is a number.
    pub code: ErrorCode,
    /// The message; empty where the peer sent none.
    pub message: String,
    /// The data, undecoded. Where the error object itself was malformed, what came instead of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<RawJson>,
}

impl ErrorObject {
    /// An error with a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Adds data.
    #[must_use]
    pub fn with_data(mut self, data: RawJson) -> Self {
        self.data = Some(data);
        self
    }

    /// An answer that is no proper error object.
    pub(crate) fn malformed(message: impl Into<String>, raw: Option<RawJson>) -> Self {
        Self { code: ErrorCode(0), message: message.into(), data: raw }
    }

    /// Reads the `error` member of an answer; whatever stands there becomes an error.
    pub fn from_raw(raw: &RawJson) -> Self {
        #[derive(Deserialize)]
        struct Lenient {
            code: Option<RawJson>,
            message: Option<RawJson>,
            #[serde(default, deserialize_with = "crate::raw::present::deserialize")]
            data: Option<RawJson>,
        }

        let Ok(Lenient { code, message, data }) = raw.parse::<Lenient>() else {
            let text = raw.parse::<String>().unwrap_or_else(|_| "malformed error object".into());
            return Self::malformed(text, Some(raw.clone()));
        };
        let message = match message.map(|m| m.parse::<String>().map_err(|_| m)) {
            Some(Ok(text)) => text,
            Some(Err(other)) => excerpt(other.as_str(), 256),
            None => String::new(),
        };
        match code.and_then(|c| c.parse::<i64>().ok().or_else(|| whole(c.parse().ok()?))) {
            Some(code) => Self { code: ErrorCode(code), message, data },
            None => Self::malformed(message, Some(raw.clone())),
        }
    }
}

/// The integer that a float such as `-32000.0` stands for.
fn whole(n: f64) -> Option<i64> {
    (n.fract() == 0.0 && n.abs() < 1e15).then_some(n as i64)
}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}", self.code)?;
        if let Some(name) = self.code.name() {
            write!(f, " ({name})")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", excerpt(&self.message, 500))?;
        }
        Ok(())
    }
}

impl std::error::Error for ErrorObject {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ErrorObject {
        ErrorObject::from_raw(&text.parse().unwrap())
    }

    #[test]
    fn whatever_stands_there_becomes_an_error() {
        assert_eq!(read(r#"{"code":-32000}"#), ErrorObject::new(ErrorCode(-32000), ""));
        assert_eq!(read(r#"{"code":-32000.0,"message":"m"}"#), ErrorObject::new(ErrorCode(-32000), "m"));
        let text = read(r#""boom""#);
        assert_eq!((text.code.0, text.message.as_str()), (0, "boom"));
        let odd = read(r#"{"code":"E1","message":"m"}"#);
        assert_eq!((odd.code.0, odd.message.as_str()), (0, "m"));
        assert_eq!(odd.data.unwrap().as_str(), r#"{"code":"E1","message":"m"}"#);
        assert_eq!(read("7").message, "malformed error object");
        assert_eq!(read(r#"{"code":1,"message":{"a":1}}"#).message, r#"{"a":1}"#);
    }

    #[test]
    fn er_04_data_is_kept_as_received() {
        let error = read(r#"{"code":1,"message":"m","data":{"a":[{"b":null}]}}"#);
        assert_eq!(error.data.unwrap().as_str(), r#"{"a":[{"b":null}]}"#);
        assert!(read(r#"{"code":1,"message":"m","data":null}"#).data.unwrap().is_null());
    }

    #[test]
    fn display_names_known_codes_and_is_one_line() {
        assert_eq!(
            ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no\nsuch").to_string(),
            "error -32601 (method not found): no\\nsuch"
        );
    }
}
