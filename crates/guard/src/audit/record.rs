//! One line of the record.

use std::borrow::Cow;

use serde::Serialize;

/// What is put on record of a call, at one of its stages.
///
/// It has no secrets: of the arguments there is a hash, or what was left when secrets were taken out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Record {
    /// When, as RFC 3339 has times, in UTC.
    pub time: String,
    /// Before the call, or after it.
    pub stage: Stage,
    /// What both records of a call have in common.
    pub call: String,
    /// The server, by the name that it has here.
    pub server: String,
    /// Who calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The method.
    pub method: String,
    /// The tool, prompt or URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Arguments>,
    /// `allow` or `deny`, and what an approver said where one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Cow<'static, str>>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What was found in what went out or came back, by the names of the rules that found it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<&'static str>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How long it took, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
}

impl Record {
    /// Bounds each text, so that whatever servers, policies and callers call things a record makes a line that can be read
    /// again.
    pub(super) fn bound(&mut self) {
        // Eight of them in JSON, which may write a byte as six, and the arguments, of which it writes one as two, are
        // shorter than the longest line.
        const MAX_TEXT: usize = 4 * 1024;
        const MAX_ARGUMENTS: usize = 16 * 1024;
        fn cut(text: &mut String) {
            if text.len() > MAX_TEXT {
                *text = bowline_protocol::excerpt(text, MAX_TEXT / 4);
            }
        }
        [&mut self.time, &mut self.call, &mut self.server, &mut self.method].into_iter().for_each(cut);
        [&mut self.caller, &mut self.name, &mut self.rule].into_iter().flatten().for_each(cut);
        match &mut self.arguments {
            Some(Arguments::Json(text)) if text.len() <= MAX_ARGUMENTS => {}
            Some(Arguments::Sha256(text) | Arguments::Json(text)) => cut(text),
            None => {}
        }
        if let Some(Outcome::Error(kind)) = &mut self.outcome {
            cut(kind);
        }
        if let Some(verdict) = self.verdict.as_mut().filter(|verdict| verdict.len() > MAX_TEXT) {
            cut(verdict.to_mut());
        }
    }
}

/// The stage of a call that a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stage {
    /// It is about to go.
    Begin,
    /// It has ended.
    End,
    /// It does not go.
    Refused,
}

impl Stage {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::End => "end",
            Self::Refused => "refused",
        }
    }
}

/// What is kept of arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Arguments {
    /// The SHA-256 of their canonical form, in hexadecimal.
    Sha256(String),
    /// They themselves, as text of JSON, without secrets.
    Json(String),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// With a result.
    Ok,
    /// With a result that says that the tool failed.
    Failed,
    /// With an error of this kind ([`ErrorKind::name`](bowline_client::ErrorKind::name)).
    Error(String),
    /// The caller gave it up.
    Dropped,
}
