//! What providers say when they do not answer.

use std::time::Duration;

use bowline_protocol::excerpt;
use bowline_transport::Secrets;
use serde_json::Value;

use crate::{ModelError, ModelErrorKind};

/// How much of a provider's message is quoted, in bytes.
const QUOTED: usize = 400;

impl ModelError {
    /// The error for an answer whose status is no success. `body` is the beginning of what came with it, in any
    /// provider's form, or a page of HTML.
    ///
    /// ```
    /// use bowline_llm::{ModelError, ModelErrorKind};
    ///
    /// let error = ModelError::of_answer(529, br#"{"error": {"message": "Overloaded"}}"#, None);
    /// assert_eq!(error.kind(), ModelErrorKind::Overloaded);
    /// assert_eq!(error.to_string(), "the provider answered 529: Overloaded; try again later");
    /// ```
    pub fn of_answer(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        refusal(status, body, retry_after)
    }
}

fn refusal(status: u16, body: &[u8], retry_after: Option<Duration>) -> ModelError {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let said = value.as_ref().and_then(message);
    let code = value.as_ref().map(code).unwrap_or_default();
    // Some say it in plain words alone; a page is of what stands before them.
    let plain = String::from_utf8_lossy(body.get(..8192).unwrap_or(body));
    let is_page = plain.trim_start().starts_with('<');
    let words = said.as_deref().unwrap_or(if is_page || value.is_some() { "" } else { &plain });
    let kind = kind(status, &code, words);
    let retry_after = retry_after.or_else(|| value.as_ref().and_then(retry_delay));
    let shown = match said {
        Some(said) => excerpt(&said, QUOTED),
        None if body.is_empty() => "without a word".to_owned(),
        None => readable(body),
    };
    let kind = if is_page && kind == ModelErrorKind::Refused { ModelErrorKind::Unreadable } else { kind };
    let error =
        ModelError::new(kind, format!("the provider answered {status}: {shown}{}", advice(kind))).with_status(status);
    match retry_after {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// The error that a provider tells in the middle of a stream, or in place of an answer.
pub(super) fn in_stream(error: &Value, secrets: &Secrets) -> ModelError {
    // What it says is cut, so what was told in confidence has to go before.
    let hidden = secrets.hide(&error.to_string());
    let error = &serde_json::from_str(&hidden).unwrap_or_else(|_| error.clone());
    let said = message(error).unwrap_or_else(|| error.to_string());
    let code = code(error);
    let number = ["code", "status", "status_code"].iter().find_map(|key| error.get(*key).and_then(super::count));
    let status = number.and_then(|number| u16::try_from(number).ok()).filter(|code| (400..600).contains(code));
    let status = status.or_else(|| of_minimax(super::number(error, "/status_code"))).unwrap_or(0);
    let kind = kind(status, &code, &said);
    let told = ModelError::new(kind, format!("the provider broke off: {}{}", excerpt(&said, QUOTED), advice(kind)));
    match retry_delay(error) {
        Some(wait) => told.with_retry_after(wait),
        None => told,
    }
}

/// The status that a code of MiniMax's `base_resp` stands for.
const fn of_minimax(code: u64) -> Option<u16> {
    Some(match code {
        1001 => 408,
        // Too many requests, tokens or connections, too many more than before, or of what is paid for.
        1002 | 1039 | 1041 | 2045 | 2056 => 429,
        1004 | 2049 => 401,
        1008 => 402,
        // What is asked, or would be answered, is not allowed; or it cannot be read.
        1026 | 1027 | 1042 | 2013 => 400,
        _ => return None,
    })
}

/// How long the provider asks to be left alone, where it says so in what it says: `retryDelay` of Google's `RetryInfo`.
fn retry_delay(value: &Value) -> Option<Duration> {
    let value = value.get(0).unwrap_or(value);
    let error = value.get("error").unwrap_or(value);
    let delays = super::list(error, "details").iter().map(|detail| super::text(detail, "retryDelay"));
    let delay = delays.into_iter().find_map(|delay| delay.strip_suffix('s'))?;
    Duration::try_from_secs_f64(delay.parse().ok()?).ok()
}

fn kind(status: u16, code: &str, said: &str) -> ModelErrorKind {
    let (code, said) = (code.to_ascii_lowercase(), said.to_ascii_lowercase());
    let any = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&code, &["insufficient_quota", "billing"])
        || any(&said, &["credit balance", "insufficient balance"])
        || status == 402
    {
        return ModelErrorKind::Quota;
    }
    // Gemini answers 400 to a wrong key.
    if any(&code, &["api_key_invalid"])
        || any(&said, &["api key not valid", "api_key_invalid", "invalid api key", "incorrect api key"])
    {
        return ModelErrorKind::Auth;
    }
    if any(&code, &["context_length", "context_size", "request_too_large", "max_prompt_tokens"])
        || any(
            &said,
            &[
                "context length",
                "context window",
                "context size",
                "context limit",
                "maximum prompt length",
                "reduce the length",
                "prompt is too long",
                "maximum context",
                "input is too long",
                "exceeds the maximum number of tokens",
                "exceeds maximum length",
                "exceeds max length",
                "exceeded model token limit",
                "maximum model length",
                "range of input length",
                "tokens in the prompt",
                "prompt token count",
                "`inputs` tokens",
            ],
        )
        || status == 413
    {
        return ModelErrorKind::TooLong;
    }
    match status {
        429 => ModelErrorKind::RateLimited,
        401 | 403 => ModelErrorKind::Auth,
        404 => ModelErrorKind::NotFound,
        503 | 529 => ModelErrorKind::Overloaded,
        408 | 504 => ModelErrorKind::Timeout,
        500.. => ModelErrorKind::Server,
        _ if any(&code, &["rate_limit", "throttl", "resource_exhausted"]) => ModelErrorKind::RateLimited,
        _ if any(&code, &["overloaded", "unavailable"]) => ModelErrorKind::Overloaded,
        _ if any(&code, &["authentication", "permission", "accessdenied"]) => ModelErrorKind::Auth,
        _ if any(&code, &["server_error", "api_error", "internal", "modelstreamerror"]) => ModelErrorKind::Server,
        0 if any(&code, &["invalid_request", "invalid_argument", "validation"]) => ModelErrorKind::Refused,
        0 => ModelErrorKind::Server,
        _ => ModelErrorKind::Refused,
    }
}

const fn advice(kind: ModelErrorKind) -> &'static str {
    match kind {
        ModelErrorKind::RateLimited | ModelErrorKind::Overloaded | ModelErrorKind::Server => "; try again later",
        ModelErrorKind::Auth => "; check the key",
        ModelErrorKind::Quota => "; check the account",
        ModelErrorKind::NotFound => "; check the model and the address",
        ModelErrorKind::TooLong => "; send less",
        ModelErrorKind::Unreadable => "; check the address",
        _ => "",
    }
}

/// What a provider says, in the form that it has.
fn message(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // Gemini wraps it in a list in streams.
        Value::Array(all) => all.first().and_then(message),
        Value::Object(members) => {
            if let Some(error) = members.get("error") {
                return message(error);
            }
            let said =
                ["message", "Message", "detail", "msg", "status_msg"].iter().find_map(|key| members.get(*key))?;
            let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
            Some(behind(value).filter(|raw| *raw != said).map_or(said.clone(), |raw| format!("{said} ({raw})")))
        }
        _ => None,
    }
}

/// What the provider behind a router said, of which OpenRouter says only that it refused.
fn behind(value: &Value) -> Option<String> {
    let raw = match value.pointer("/metadata/raw")? {
        Value::String(text) => {
            let told: Option<Value> = serde_json::from_str(text).ok();
            told.as_ref().and_then(message).unwrap_or_else(|| text.trim().to_owned())
        }
        raw => message(raw)?,
    };
    let name = value.pointer("/metadata/provider_name").and_then(Value::as_str);
    (!raw.is_empty()).then(|| name.map_or(raw.clone(), |name| format!("{name}: {raw}")))
}

fn code(value: &Value) -> String {
    let inner = if let Value::Array(all) = value { all.first() } else { Some(value) };
    let inner = inner.map(|value| value.get("error").unwrap_or(value));
    let words = ["type", "code", "status", "__type"].iter().filter_map(|key| inner?.get(*key)?.as_str());
    words.collect::<Vec<_>>().join(" ")
}

/// The text of a page, without its tags.
fn readable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..8192).unwrap_or(body));
    let is_page = text.trim_start().starts_with('<');
    if !is_page {
        return excerpt(&text, 200);
    }
    let (mut words, mut is_tag) = (String::new(), false);
    for c in text.chars() {
        match c {
            '<' => is_tag = true,
            '>' => {
                is_tag = false;
                words.push(' ');
            }
            c if !is_tag => words.push(c),
            _ => {}
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("a page of HTML, \"{}\"", excerpt(&words, 150))
}
