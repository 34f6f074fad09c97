//! Misbehaviour by name, for command lines.

use std::str::FromStr;
use std::time::Duration;

use bowline_protocol::{ErrorCode, ErrorObject, RawJson};
use bytes::Bytes;

use super::{Misbehaviour, Quirk, When};

/// A misbehaviour that was given as text: `name`, `name=value`, and for requests `@method` and `#n` after it.
///
/// ```
/// use bowline_testkit::{Misbehaviour, Named, When};
///
/// let slow: Named = "delay=500@tools/call#2".parse()?;
/// let Named::Rule(when, Misbehaviour::Delay(delay)) = slow else { panic!("a delay") };
/// assert_eq!((when, delay.as_millis()), (When::method("tools/call").nth(2), 500));
/// assert!("delay=soon".parse::<Named>().is_err());
/// # Ok::<(), bowline_testkit::UnknownMisbehaviour>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Named {
    /// Something done wrong all the time.
    Quirk(Quirk),
    /// Something done wrong on some requests.
    Rule(When, Misbehaviour),
}

impl Named {
    /// The names, each with its value and what it does.
    pub const NAMES: &[(&str, &str)] = &[
        ("answers-cancelled", "answers requests that were cancelled"),
        ("banner=TEXT", "writes a line before anything else"),
        ("bom", "begins with a byte order mark"),
        ("cache-ttl=MS", "says of results that they may be kept for so long, which may be negative or huge"),
        ("crlf", "ends lines with carriage return and newline"),
        ("chunks=BYTES", "writes so many bytes at a time"),
        ("coalesce=COUNT", "writes so many messages at once"),
        ("cursor-loop", "gives the cursor of a page with that same page"),
        ("task-goes-backwards", "says of a task that has ended, from the second look on, that it is worked on again"),
        ("task-never-ends", "says of every task that it is worked on, for ever"),
        ("task-ttl=MS", "says of tasks that they are kept for so long, which may be negative or huge"),
        ("task-vanishes", "knows nothing of a task from the second look on"),
        ("answer=JSON", "answers with this result"),
        ("batch", "answers inside of an array"),
        ("delay=MS", "waits before it does anything"),
        ("duplicate=COUNT", "answers once more, so many times"),
        ("early-event", "sends an event on a subscription before it is acknowledged"),
        ("error=CODE", "answers with an error of this code"),
        ("error-without-id", "answers with an error whose id is null"),
        ("exit-after=CODE", "answers, then exits"),
        ("exit-before=CODE", "exits in place of an answer"),
        ("foreign-subscription", "sends an event first on a subscription that nobody asked for"),
        ("garbage=TEXT", "writes a line first that is no message"),
        ("header-mismatch", "answers that the headers do not fit the body"),
        ("half-message", "writes half of the answer and exits"),
        ("id-as-string", "answers with the id as a string"),
        ("input-required", "asks for input, in every round"),
        ("invalid-utf8", "writes a line first that is no text"),
        ("log-flood=COUNT", "sends so many log messages first"),
        ("never-answer", "gives no answer"),
        ("no-acknowledgement", "does not acknowledge a subscription"),
        ("oversize=BYTES", "writes so many bytes without a newline in place of the answer"),
        ("ping-storm=COUNT", "pings the client so many times first"),
        ("progress-flood=COUNT", "sends so many progress notifications first"),
        ("refuse=MESSAGE", "answers with an internal error"),
        ("request-state=BYTES", "wants a state of so many bytes back before it gives its answer"),
        ("result-type=TEXT", "says that its result is of this kind"),
        ("stderr-flood=BYTES", "writes so many bytes to standard error first"),
        ("unsupported-version=VERSIONS", "answers that it speaks these revisions alone, with commas between"),
        ("wrong-id", "answers under an id that nobody used"),
        ("wrong-shape", "answers with a result of a shape that no method has"),
    ];
}

/// A text that names no misbehaviour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no misbehaviour \"{text}\" ({reason}); write name[=value][@method[#n]]")]
#[non_exhaustive]
pub struct UnknownMisbehaviour {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for Named {
    type Err = UnknownMisbehaviour;

    fn from_str(text: &str) -> Result<Self, UnknownMisbehaviour> {
        let unknown = |reason| UnknownMisbehaviour { text: text.to_owned(), reason };
        let (what, when) = match text.rsplit_once('@') {
            Some((what, when)) => (what, parse_when(when).ok_or_else(|| unknown("its number is none"))?),
            None => (text, When::always()),
        };
        let (name, value) = what.split_once('=').unwrap_or((what, ""));
        let number = || value.parse::<usize>().map_err(|_| unknown("its value is no number"));
        let signed = || value.parse::<i128>().map_err(|_| unknown("its value is no whole number"));
        let code = || {
            if value.is_empty() { Ok(0) } else { value.parse::<u8>().map_err(|_| unknown("its value is no exit code")) }
        };
        let quirk = match name {
            "answers-cancelled" => Some(Quirk::AnswersCancelled),
            "banner" => Some(Quirk::Banner(value.to_owned())),
            "bom" => Some(Quirk::ByteOrderMark),
            "crlf" => Some(Quirk::CarriageReturns),
            "chunks" => Some(Quirk::Chunks(number()?)),
            "coalesce" => Some(Quirk::Coalesce(number()?)),
            "cache-ttl" => Some(Quirk::CacheTtl(signed()?)),
            "cursor-loop" => Some(Quirk::CursorLoop),
            "task-goes-backwards" => Some(Quirk::TaskGoesBackwards),
            "task-never-ends" => Some(Quirk::TaskNeverEnds),
            "task-ttl" => Some(Quirk::TaskTtl(signed()?)),
            "task-vanishes" => Some(Quirk::TaskVanishes),
            _ => None,
        };
        if let Some(quirk) = quirk {
            return Ok(Self::Quirk(quirk));
        }
        let misbehaviour = match name {
            "answer" => Misbehaviour::Answer(value.parse::<RawJson>().map_err(|_| unknown("its value is no json"))?),
            "batch" => Misbehaviour::Batch,
            "delay" => Misbehaviour::Delay(Duration::from_millis(number()? as u64)),
            "duplicate" => Misbehaviour::Duplicate(number()?),
            "early-event" => Misbehaviour::EarlyEvent,
            "error" => {
                let code = value.parse().map_err(|_| unknown("its value is no error code"))?;
                Misbehaviour::Refuse(ErrorObject::new(ErrorCode(code), "On purpose"))
            }
            "error-without-id" => Misbehaviour::ErrorWithoutId,
            "exit-after" => Misbehaviour::ExitAfter(code()?),
            "exit-before" => Misbehaviour::ExitBefore(code()?),
            "foreign-subscription" => Misbehaviour::ForeignSubscription,
            "garbage" => Misbehaviour::Garbage(Bytes::copy_from_slice(value.as_bytes())),
            "header-mismatch" => Misbehaviour::header_mismatch(),
            "half-message" => Misbehaviour::HalfMessage,
            "id-as-string" => Misbehaviour::IdAsString,
            "input-required" => Misbehaviour::InputRequired,
            "invalid-utf8" => Misbehaviour::Garbage(Bytes::from_static(b"{\"text\":\"\xff\xfe\xc3\"}")),
            "log-flood" => Misbehaviour::LogFlood(number()?),
            "never-answer" => Misbehaviour::NeverAnswer,
            "no-acknowledgement" => Misbehaviour::NoAcknowledgement,
            "oversize" => Misbehaviour::Oversize(number()?),
            "ping-storm" => Misbehaviour::PingStorm(number()?),
            "progress-flood" => Misbehaviour::ProgressFlood(number()?),
            "refuse" => Misbehaviour::Refuse(ErrorObject::new(ErrorCode::INTERNAL_ERROR, value)),
            "request-state" => Misbehaviour::RequestState(number()?),
            "result-type" => Misbehaviour::ResultType(value.to_owned()),
            "stderr-flood" => Misbehaviour::StderrFlood(number()?),
            "unsupported-version" => Misbehaviour::unsupported(value.split(',')),
            "wrong-id" => Misbehaviour::WrongId,
            "wrong-shape" => Misbehaviour::WrongShape,
            _ => return Err(unknown("its name is not known")),
        };
        Ok(Self::Rule(when, misbehaviour))
    }
}

/// Reads `method`, `method#n` or `#n`.
fn parse_when(text: &str) -> Option<When> {
    let (method, nth) = match text.split_once('#') {
        Some((method, nth)) => (method, Some(nth.parse().ok()?)),
        None => (text, None),
    };
    Some(When { method: (!method.is_empty()).then(|| method.to_owned()), nth })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_list_is_known() {
        for (form, _) in Named::NAMES {
            let text = form.replace("=TEXT", "=hello").replace("=JSON", "={}").replace("=MESSAGE", "=no");
            let text = ["=BYTES", "=COUNT", "=MS", "=CODE", "=VERSIONS"]
                .iter()
                .fold(text, |text, value| text.replace(value, "=2"));
            assert!(text.parse::<Named>().is_ok(), "{form}");
        }
    }

    #[test]
    fn errors_say_how_to_write_it() {
        let error = "explode".parse::<Named>().unwrap_err().to_string();
        assert_eq!(error, "no misbehaviour \"explode\" (its name is not known); write name[=value][@method[#n]]");
        assert!("never-answer@ping#x".parse::<Named>().is_err());
        assert!("chunks".parse::<Named>().is_err());
    }
}
