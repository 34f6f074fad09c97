//! Which distributed trace a request belongs to.
//!
//! Specification: 2026-07-28, basic/index, section on `_meta`; W3C Trace Context; W3C Baggage.

use serde_json::Value;

use crate::meta::Meta;

/// The key of the trace and the span.
const TRACEPARENT: &str = "traceparent";
/// The key of what tracing systems add to it.
const TRACESTATE: &str = "tracestate";
/// The key of the application's own values.
const BAGGAGE: &str = "baggage";
/// How many members `tracestate` may have.
const MAX_STATES: usize = 32;
/// How many bytes `tracestate` may have. Systems need to pass on 512; more is theirs to drop.
const MAX_STATE_BYTES: usize = 8192;
/// How many bytes `baggage` may have.
const MAX_BAGGAGE_BYTES: usize = 8192;
/// How many members `baggage` may have.
const MAX_BAGGAGE: usize = 180;

/// Which distributed trace a request belongs to, in the form of W3C Trace Context and W3C Baggage.
///
/// It holds only what has that form: a value that has not is left out.
///
/// ```
/// use bowline_protocol::{Meta, TraceContext};
///
/// let trace = TraceContext::new()
///     .with_traceparent("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01")
///     .with_tracestate("not a tracestate");
/// assert_eq!(trace.tracestate(), None);
///
/// let mut meta = Meta::new();
/// meta.set_trace_context(&trace);
/// assert_eq!(meta.trace_context(), trace);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: Option<String>,
    tracestate: Option<String>,
    baggage: Option<String>,
}

impl TraceContext {
    /// No trace.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the trace and the span: version, trace id, parent id and flags.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into()).filter(|text| is_traceparent(text));
        self
    }

    /// Sets what tracing systems add. It is nothing without a [`traceparent`](Self::traceparent).
    #[must_use]
    pub fn with_tracestate(mut self, tracestate: impl Into<String>) -> Self {
        self.tracestate = Some(tracestate.into()).filter(|text| is_tracestate(text));
        self
    }

    /// Sets the application's own values.
    #[must_use]
    pub fn with_baggage(mut self, baggage: impl Into<String>) -> Self {
        self.baggage = Some(baggage.into()).filter(|text| is_baggage(text));
        self
    }

    /// The trace and the span.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// What tracing systems add; none without a trace, which it belongs to (Trace Context, section 4.3).
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref().filter(|_| self.traceparent.is_some())
    }

    /// The application's own values.
    pub fn baggage(&self) -> Option<&str> {
        self.baggage.as_deref()
    }

    /// Whether there is nothing to tell.
    pub const fn is_empty(&self) -> bool {
        self.traceparent.is_none() && self.baggage.is_none()
    }

    fn members(&self) -> [(&'static str, Option<&str>); 3] {
        [(TRACEPARENT, self.traceparent()), (TRACESTATE, self.tracestate()), (BAGGAGE, self.baggage())]
    }
}

impl Meta {
    /// Tells which trace this belongs to. Keys that are set already stay as they are.
    pub fn set_trace_context(&mut self, trace: &TraceContext) {
        // Half of one trace and half of another would be none.
        let has_own = self.get(TRACEPARENT).is_some() || self.get(TRACESTATE).is_some();
        for (key, value) in trace.members() {
            if let Some(value) = value
                && self.get(key).is_none()
                && !(has_own && key != BAGGAGE)
            {
                self.insert(key, value);
            }
        }
    }

    /// The trace that this belongs to. Values that do not have the form of the W3C are ignored.
    pub fn trace_context(&self) -> TraceContext {
        let text = |key| self.get(key).and_then(Value::as_str).unwrap_or_default();
        let trace = TraceContext::new().with_traceparent(text(TRACEPARENT)).with_baggage(text(BAGGAGE));
        match trace.traceparent {
            Some(_) => trace.with_tracestate(text(TRACESTATE)),
            None => trace,
        }
    }

    /// The first of the three keys of trace context whose value does not have the form of the W3C.
    ///
    /// ```
    /// use bowline_protocol::Meta;
    ///
    /// assert_eq!(Meta::new().with("traceparent", "00-x").malformed_trace_key(), Some("traceparent"));
    /// assert_eq!(Meta::new().with("com.example/trace", 7).malformed_trace_key(), None);
    /// ```
    pub fn malformed_trace_key(&self) -> Option<&'static str> {
        let has_form =
            |key, is_valid: fn(&str) -> bool| self.get(key).is_none_or(|value| value.as_str().is_some_and(is_valid));
        if !has_form(TRACEPARENT, is_traceparent) {
            Some(TRACEPARENT)
        } else if !has_form(TRACESTATE, is_tracestate) {
            Some(TRACESTATE)
        } else {
            (!has_form(BAGGAGE, is_baggage)).then_some(BAGGAGE)
        }
    }
}

/// Trace Context, section 3.2: `version-traceid-parentid-flags`, and more behind a hyphen in versions to come.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.splitn(5, '-');
    let mut next = |length: usize| parts.next().filter(|part| part.len() == length && part.bytes().all(is_lower_hex));
    let (Some(version), Some(trace), Some(parent), Some(_flags)) = (next(2), next(32), next(16), next(2)) else {
        return false;
    };
    let is_zero = |id: &str| id.bytes().all(|byte| byte == b'0');
    let more = parts.next();
    let known_end = more.is_none() || version != "00";
    version != "ff"
        && !is_zero(trace)
        && !is_zero(parent)
        && known_end
        && more.is_none_or(|rest| rest.len() <= 256 && rest.bytes().all(is_visible))
}

/// Trace Context, section 3.3: at most 32 members, each key once. Empty members are allowed.
fn is_tracestate(text: &str) -> bool {
    let members: Vec<&str> =
        text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|m| !m.is_empty()).collect();
    let mut keys: Vec<&str> = members.iter().filter_map(|member| member.split_once('=')).map(|(key, _)| key).collect();
    let all = members
        .iter()
        .all(|member| member.split_once('=').is_some_and(|(key, value)| is_state_key(key) && is_state_value(value)));
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    text.len() <= MAX_STATE_BYTES && !members.is_empty() && members.len() <= MAX_STATES && all && keys.len() == count
}

/// `key`, or `tenant@system`.
fn is_state_key(key: &str) -> bool {
    let is_part = |part: &str, digit_first: bool, max: usize| {
        let first = |byte: u8| byte.is_ascii_lowercase() || digit_first && byte.is_ascii_digit();
        (1..=max).contains(&part.len())
            && part.bytes().next().is_some_and(first)
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'*' | b'/'))
    };
    match key.split_once('@') {
        Some((tenant, system)) => is_part(tenant, true, 241) && is_part(system, false, 14),
        None => is_part(key, false, 256),
    }
}

fn is_state_value(value: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(fits) && !value.ends_with(' ')
}

/// Baggage, section 3.2: `key=value;property`, the keys tokens and the values percent-encoded.
fn is_baggage(text: &str) -> bool {
    let is_pair = |pair: &str, value_needed: bool| match pair.split_once('=') {
        Some((key, value)) => {
            is_token(trim(key)) && trim(value).bytes().all(is_baggage_octet) && is_escaped(trim(value))
        }
        None => !value_needed && is_token(trim(pair)),
    };
    let is_member = |member: &str| {
        let mut parts = member.split(';');
        parts.next().is_some_and(|pair| is_pair(pair, true)) && parts.all(|property| is_pair(property, false))
    };
    text.len() <= MAX_BAGGAGE_BYTES && text.split(',').count() <= MAX_BAGGAGE && text.split(',').all(is_member)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Whether every percent sign begins an escape.
fn is_escaped(value: &str) -> bool {
    value
        .split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(crate::mirrors::is_token)
}

const fn is_baggage_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

const fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

const fn is_visible(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

    #[test]
    fn me_03_a_traceparent_has_the_form_of_the_w3c() {
        for good in [
            PARENT,
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00",
            "cc-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-what-the-future-brings",
        ] {
            assert!(is_traceparent(good), "{good}");
        }
        for bad in [
            "",
            "00",
            "00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-more",
            "00-0af7651916cd43dd8448eb211c80319-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-1",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01\n",
            " 00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn me_03_a_tracestate_has_the_form_of_the_w3c() {
        for good in ["rojo=00f067aa0ba902b7", "a=1, b=2 ,,c=x y", "1tenant@system=v", "a_-*/9=!"] {
            assert!(is_tracestate(good), "{good}");
        }
        let many = (0..33).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        for bad in ["", ",", "a", "A=1", "1a=1", "a=1,a=2", "a=", "a=b=c", "a=\u{e9}", "a@9b=1", "a=1\n", &many] {
            assert!(!is_tracestate(bad), "{bad}");
        }
        assert!(!is_tracestate(&format!("a={}", "v".repeat(257))));
    }

    #[test]
    fn me_03_a_baggage_has_the_form_of_the_w3c() {
        for good in ["userId=alice", "a=1,b=%20x ; p=1;q", "a = 1", "a=", "serverNode=DF%2028,isProduction=false"] {
            assert!(is_baggage(good), "{good}");
        }
        for bad in
            ["", "a", "a b=1", "a=x y", "a=\"x\"", "a=\u{e9}", "a=%2", "a=%zz", "a=1,", "a=1\r\nb=2", "=1", "a=x\\y"]
        {
            assert!(!is_baggage(bad), "{bad}");
        }
        assert!(!is_baggage(&format!("a={}", "x".repeat(9000))));
    }

    #[test]
    fn me_03_malformed_values_that_come_in_are_ignored() {
        let meta = Meta::new().with("traceparent", 7).with("tracestate", "a=1").with("baggage", "a=1");
        let trace = meta.trace_context();
        assert_eq!((trace.traceparent(), trace.tracestate(), trace.baggage()), (None, None, Some("a=1")));
        assert_eq!(meta.malformed_trace_key(), Some("traceparent"));
        assert!(Meta::new().trace_context().is_empty());
        let whole = Meta::new().with("traceparent", PARENT).with("tracestate", "a=1");
        assert_eq!(whole.trace_context().tracestate(), Some("a=1"));
        assert_eq!(whole.malformed_trace_key(), None);
    }

    #[test]
    fn me_03_what_is_set_already_stays_and_traces_are_not_mixed() {
        let trace = TraceContext::new().with_traceparent(PARENT).with_tracestate("a=1").with_baggage("b=2");
        let own = "00-11111111111111111111111111111111-1111111111111111-00";
        let mut meta = Meta::new().with("traceparent", own);
        meta.set_trace_context(&trace);
        assert_eq!(meta, Meta::new().with("traceparent", own).with("baggage", "b=2"));
        let alone = TraceContext::new().with_tracestate("a=1");
        assert!(alone.is_empty() && alone.tracestate().is_none());
    }
}
