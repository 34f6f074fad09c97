//! JSON-RPC errors and the codes that MCP names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::leniency::{Leniencies, Leniency, note, noticing};
use crate::raw::{JsonKind, RawJson};
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
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ErrorObject {
    /// The code; 0 where the peer sent none that is a number.
    pub code: ErrorCode,
    /// The message; empty where the peer sent none.
    pub message: String,
    /// The data, undecoded. Where the error object itself was malformed, what came instead of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<RawJson>,
    /// What is wrong with it, for `Display` to say.
    #[serde(skip)]
    odd: Option<Box<Odd>>,
    #[serde(skip)]
    lenient: Leniencies,
}

/// Two errors are equal that say the same, however leniently one of them was read.
impl PartialEq for ErrorObject {
    fn eq(&self, other: &Self) -> bool {
        let Self { code, message, data, odd, lenient: _ } = self;
        *code == other.code && *message == other.message && *data == other.data && *odd == other.odd
    }
}

/// What an error of a peer is that is no proper one.
#[derive(Debug, Clone, PartialEq)]
enum Odd {
    /// The answer has neither result nor error.
    Nothing,
    /// It stands beside a result.
    BesideResult,
    /// It is something else than an object.
    NoObject(JsonKind),
    /// It has no code.
    NoCode,
    /// Its code is no integer: the start of it.
    Code(String),
}

impl ErrorObject {
    /// An error with a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None, odd: None, lenient: Leniencies::default() }
    }

    /// Adds data.
    #[must_use]
    pub fn with_data(mut self, data: RawJson) -> Self {
        self.data = Some(data);
        self
    }

    /// An answer that is neither result nor error.
    pub(crate) fn nothing() -> Self {
        Self::new(ErrorCode(0), "an answer with neither result nor error").being(Odd::Nothing)
    }

    /// It came with a result, which no answer may have.
    #[must_use]
    pub(crate) fn beside_result(self) -> Self {
        let this = if self.odd.is_none() { self.being(Odd::BesideResult) } else { self };
        this.noted(Leniency::Error.into())
    }

    fn being(mut self, odd: Odd) -> Self {
        self.odd = Some(Box::new(odd));
        self
    }

    /// Also for whoever notices what is read around it.
    fn noted(mut self, lenient: Leniencies) -> Self {
        note(lenient);
        self.lenient = self.lenient.and(lenient);
        self
    }

    /// What was read leniently in it.
    pub const fn leniencies(&self) -> Leniencies {
        self.lenient
    }

    /// One without a code that is a number; the whole of it is kept as the data.
    fn malformed(message: impl Into<String>, raw: &RawJson, odd: Odd) -> Self {
        note(Leniency::Error);
        Self::new(ErrorCode(0), message).with_data(raw.clone()).being(odd)
    }

    /// Reads the `error` member of an answer; whatever stands there becomes an error.
    pub fn from_raw(raw: &RawJson) -> Self {
        let (error, lenient) = noticing(|| Self::read(raw));
        if lenient.is_empty() { error } else { error.noted(lenient) }
    }

    fn read(raw: &RawJson) -> Self {
        #[derive(Deserialize)]
        struct Lenient {
            code: Option<RawJson>,
            message: Option<RawJson>,
            #[serde(default, deserialize_with = "crate::raw::present::deserialize")]
            data: Option<RawJson>,
        }

        let Ok(Lenient { code, message, data }) = raw.parse::<Lenient>() else {
            let text = raw.parse::<String>().unwrap_or_else(|_| excerpt(raw.as_str(), 256));
            return Self::malformed(text, raw, Odd::NoObject(raw.kind()));
        };
        let message = match message.map(|m| m.parse::<String>().map_err(|_| m)) {
            Some(Ok(text)) => text,
            Some(Err(other)) => {
                note(Leniency::Error);
                excerpt(other.as_str(), 256)
            }
            None => String::new(),
        };
        let Some(code) = code else { return Self::malformed(message, raw, Odd::NoCode) };
        match integer(&code) {
            Some(code) => Self { data, ..Self::new(ErrorCode(code), message) },
            None => Self::malformed(message, raw, Odd::Code(excerpt(code.as_str(), 40))),
        }
    }
}

/// The integer that a code is, also where it is spelled as a float or in a string.
fn integer(code: &RawJson) -> Option<i64> {
    let exact = code.parse::<i64>().ok();
    if exact.is_none() {
        note(Leniency::Error);
    }
    let spelled = || code.parse::<String>().ok()?.parse().ok();
    exact.or_else(|| whole(code.parse().ok()?)).or_else(spelled)
}

/// The integer that a float such as `-32000.0` stands for.
fn whole(n: f64) -> Option<i64> {
    (n.fract() == 0.0 && n.abs() < 1e15).then_some(n as i64)
}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.odd.as_deref() {
            Some(Odd::Nothing) => {
                return f.write_str("neither a result nor an error, so that nobody knows what became of the request; report it to the server's makers");
            }
            Some(Odd::NoObject(kind)) => write!(f, "an error that is {kind} and no object")?,
            Some(Odd::NoCode) => f.write_str("an error without a code")?,
            Some(Odd::Code(code)) => write!(f, "an error whose code is {code} and no integer")?,
            None | Some(Odd::BesideResult) => {
                write!(f, "error {}", self.code)?;
                if let Some(name) = self.code.name() {
                    write!(f, " ({name})")?;
                }
            }
        }
        match (self.message.as_str(), self.odd.as_deref()) {
            ("", Some(Odd::NoCode | Odd::Code(_))) => {
                f.write_str(" and without a message; report it to the server's makers")?;
            }
            ("", _) => {}
            (message, _) => write!(f, ": {}", excerpt(message, 500))?,
        }
        if self.odd.as_deref() == Some(&Odd::BesideResult) {
            f.write_str("; a result came with it, which is not used, as an answer has one of the two")?;
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
        assert_eq!(read("7").message, "7");
        assert_eq!(read(r#"{"code":"-32601","message":"m"}"#), ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "m"));
        assert_eq!(read(r#"{"code":1,"message":"a\ud83d"}"#).message, "a\u{fffd}");
        assert_eq!(read(r#""\udc19""#).message, "\u{fffd}");
        assert_eq!(read(r#"{"code":1,"message":{"a":1}}"#).message, r#"{"a":1}"#);
    }

    #[test]
    fn er_04_data_is_kept_as_received() {
        let error = read(r#"{"code":1,"message":"m","data":{"a":[{"b":null}]}}"#);
        assert_eq!(error.data.unwrap().as_str(), r#"{"a":[{"b":null}]}"#);
        assert!(read(r#"{"code":1,"message":"m","data":null}"#).data.unwrap().is_null());
    }

    #[test]
    fn case_jsonrpc_022_what_is_no_proper_error_is_said_to_be_none() {
        for (text, said) in [
            (r#""boom""#, "an error that is a string and no object: boom"),
            ("7", "an error that is a number and no object: 7"),
            ("[]", "an error that is an array and no object: []"),
            (r#"{"message":"m"}"#, "an error without a code: m"),
            ("{}", "an error without a code and without a message; report it to the server's makers"),
            (r#"{"code":null,"message":"m"}"#, "an error without a code: m"),
            (r#"{"code":"E1","message":"m"}"#, "an error whose code is \"E1\" and no integer: m"),
            (r#"{"code":1.5,"message":"m"}"#, "an error whose code is 1.5 and no integer: m"),
            (r#"{"code":0,"message":"m"}"#, "error 0: m"),
            (r#"{"code":-32601.0}"#, "error -32601 (method not found)"),
        ] {
            assert_eq!(read(text).to_string(), said, "{text}");
        }
        assert!(ErrorObject::nothing().to_string().starts_with("neither a result nor an error"));
        let beside = read(r#"{"code":1,"message":"m"}"#).beside_result().to_string();
        assert!(beside.starts_with("error 1: m; a result came with it"), "{beside}");
        assert!(read(&format!("\"{}\"", "x".repeat(1 << 16))).to_string().len() < 700);
    }

    #[test]
    fn display_names_known_codes_and_is_one_line() {
        assert_eq!(
            ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no\nsuch").to_string(),
            "error -32601 (method not found): no\\nsuch"
        );
    }
}
