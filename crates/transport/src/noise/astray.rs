//! What is kept of what came and was of no use, while a connection lasts: a few short texts, however much came.

use std::time::Instant as StdInstant;

use bowline_protocol::frame::FrameError;
use bowline_protocol::{ErrorObject, RequestId, excerpt};
use tokio::time::Instant;

use super::cause::Cause;
use super::{Noise, Quote};
use crate::secrets::Secrets;

/// How much of a line is shown, in bytes, before characters are escaped.
const SHOWN: usize = 120;
/// How much of a line is looked at for secrets, in bytes: more than is shown, so that few are cut.
pub(crate) const KEPT: usize = 1 << 10;
/// The same of a line that has no end yet.
const BEGINNING: usize = 256;

/// What came astray over one connection.
#[derive(Debug, Default)]
pub(crate) struct Astray {
    lines: u64,
    /// The last line.
    last: Option<(Quote, Instant)>,
    /// The line that tells most; of those that tell as much, the last.
    sign: Option<(Quote, Instant)>,
    /// Whether the lines after `sign` may be more of the same message.
    goes_on: bool,
    unfinished: Unfinished,
    error: Option<(ErrorObject, Instant)>,
    answer: Option<(RequestId, Instant)>,
    /// Since when nothing but such came.
    alone_since: Option<Instant>,
}

/// A line that has begun and not ended; empty where there is none. Each message that takes more than one read is one
/// for a while, so its memory is kept.
#[derive(Debug, Default)]
struct Unfinished {
    start: Vec<u8>,
    last: Option<u8>,
    bytes: usize,
}

impl Astray {
    /// Notes a line, or a member of an array, that is no message. `follows` says that no message came since the last.
    pub(crate) fn line(&mut self, line: Option<&[u8]>, error: &FrameError, follows: bool, secrets: &Secrets) {
        let now = Instant::now();
        self.lines += 1;
        self.came(follows, now);
        let cause = line.map_or_else(|| Cause::of_member(error), |line| Cause::of_line(line, error));
        let text = match (line, error) {
            (Some(line), _) => shown(line, false, cause, secrets),
            (None, FrameError::NotJson { excerpt, .. } | FrameError::NotRpc { excerpt, .. }) => {
                shown(secrets.hide_excerpt(excerpt).as_bytes(), false, cause, secrets)
            }
            (None, other) => shown(other.to_string().as_bytes(), false, cause, secrets),
        };
        self.goes_on &= follows;
        let quote = Quote { cause, text };
        self.sign = match self.sign.take() {
            Some((mut sign, _)) if self.goes_on && cause.weight() < Cause::SeveralLines.weight() => {
                sign.cause = Cause::SeveralLines;
                if sign.text.len() < SHOWN {
                    sign.text = format!("{} | {}", sign.text, quote.text);
                    if sign.text.len() > SHOWN {
                        sign.text.truncate(sign.text.floor_char_boundary(SHOWN));
                        sign.text.push('…');
                    }
                }
                Some((sign, now))
            }
            Some((sign, at)) if sign.cause.weight() > cause.weight() => Some((sign, at)),
            _ => {
                self.goes_on = cause == Cause::Opens;
                Some((quote.clone(), now))
            }
        };
        self.last = Some((quote, now));
    }

    /// Notes an error without an id.
    pub(crate) fn error(&mut self, error: ErrorObject, follows: bool) {
        let now = Instant::now();
        self.came(follows, now);
        self.error = Some((error, now));
    }

    /// Notes an answer to nothing that is open.
    pub(crate) fn answer(&mut self, id: RequestId) {
        self.answer = Some((id, Instant::now()));
    }

    /// Notes what there is of a line that has no end yet.
    pub(crate) fn begun(&mut self, line: &[u8]) {
        let begun = &mut self.unfinished;
        if begun.start.len() < BEGINNING {
            begun.start.clear();
            begun.start.extend_from_slice(line.get(..BEGINNING).unwrap_or(line));
        }
        (begun.last, begun.bytes) = (line.last().copied(), line.len());
    }

    /// Notes that the line has ended.
    pub(crate) fn ended(&mut self) {
        self.unfinished.start.clear();
    }

    fn came(&mut self, follows: bool, now: Instant) {
        if !follows || self.alone_since.is_none() {
            self.alone_since = Some(now);
        }
    }

    /// What came since then; none if nothing did.
    pub(crate) fn since(&self, since: Option<StdInstant>, secrets: &Secrets) -> Option<Noise> {
        let is_new = |at: Instant| since.is_none_or(|since| at.into_std() >= since);
        let new = |quote: &Option<(Quote, Instant)>| {
            quote.as_ref().filter(|(_, at)| is_new(*at)).map(|(quote, _)| quote.clone())
        };
        let shown_line = new(&self.sign).or_else(|| new(&self.last));
        // A line that goes on for long is news of the call that waits, whenever it began.
        let begun = Some(&self.unfinished).filter(|begun| !begun.start.is_empty());
        let unfinished = begun.map(|begun| {
            let cause = Cause::of_unfinished(&begun.start, begun.last);
            let mut text = shown(&begun.start, true, cause, secrets);
            if begun.bytes > begun.start.len() && !text.ends_with('…') {
                text.push('…');
            }
            (begun.bytes, Quote { cause, text })
        });
        let noise = Noise {
            lines: self.lines,
            unfinished: unfinished.filter(|_| !shown_line.as_ref().is_some_and(|line| line.cause.is_of_all())),
            shown: shown_line,
            error: self.error.as_ref().filter(|(_, at)| is_new(*at)).map(|(error, _)| error.clone()),
            answer: self.answer.as_ref().filter(|(_, at)| is_new(*at)).map(|(id, _)| id.clone()),
        };
        let Noise { shown, unfinished, error, answer, .. } = &noise;
        (shown.is_some() || unfinished.is_some() || error.is_some() || answer.is_some()).then_some(noise)
    }

    /// What came after the last message.
    pub(crate) fn at_the_end(&self, secrets: &Secrets) -> Option<Noise> {
        self.since(Some(self.alone_since?.into_std()), secrets)
    }
}

/// A line in short, without what was given in confidence. `goes_on` says that there will be, or was, more of it.
fn shown(line: &[u8], goes_on: bool, cause: Cause, secrets: &Secrets) -> String {
    let head = line.get(..KEPT).unwrap_or(line);
    let text = if cause == Cause::Utf16 {
        // Near enough for Latin text, whichever of its two bytes comes first and wherever lines were cut.
        head.iter().filter(|byte| byte.is_ascii() && **byte != 0).map(|byte| char::from(*byte)).collect()
    } else {
        String::from_utf8_lossy(head)
    };
    let text = if goes_on || head.len() < line.len() { secrets.hide_cut(&text) } else { secrets.hide(&text) };
    let end = text.floor_char_boundary(SHOWN);
    let mut shown = excerpt(text.get(..end).unwrap_or_default(), SHOWN);
    if end < text.len() || head.len() < line.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bowline_protocol::frame;
    use bytes::Bytes;

    use super::*;

    /// What is told of these lines, which came one right after the other.
    fn told(lines: &[&str]) -> String {
        let mut astray = Astray::default();
        note(&mut astray, lines, &Secrets::default());
        astray.since(None, &Secrets::default()).unwrap().to_string()
    }

    fn note(astray: &mut Astray, lines: &[&str], secrets: &Secrets) {
        for (n, line) in lines.iter().enumerate() {
            astray.line(Some(line.as_bytes()), &not_read(line), n > 0, secrets);
        }
    }

    fn not_read(line: &str) -> FrameError {
        frame::decode(&Bytes::copy_from_slice(line.as_bytes())).expect_err("it is no message")
    }

    #[test]
    fn a_message_over_several_lines_is_told_as_one() {
        let lines = ["ready", "{", r#""jsonrpc": "2.0","#, r#""id": 1,"#, r#""result": {}"#, "}"];
        assert_eq!(
            told(&lines),
            "6 lines so far were no messages, such as `{ | \"jsonrpc\": \"2.0\", | \"id\": 1, | \"result\": {} | }` (one message is \
             one line, and this is one over several; have it write json compactly)"
        );
        // Not so where a message came in between, or where the json was cut in the middle of a line.
        let mut astray = Astray::default();
        note(&mut astray, &["{"], &Secrets::default());
        note(&mut astray, &["ready"], &Secrets::default());
        assert!(astray.since(None, &Secrets::default()).unwrap().to_string().contains("`{` (json that breaks off)"));
        assert!(told(&[r#"{"jsonrpc":"2.0","id"#, "panic: at the disco"]).contains("breaks off"));
    }

    #[test]
    fn what_tells_most_is_shown_and_else_the_last() {
        assert_eq!(
            told(&["ready"]),
            "a line came that is no message: `ready` (have it log to stderr: here go messages alone)"
        );
        assert!(told(&["one", "two"]).starts_with("2 lines so far were no messages, such as `two` ("));
        assert!(told(&["one", "Content-Length: 8", "two"]).contains("`Content-Length: 8` (the server frames"));
    }

    #[test]
    fn what_is_shown_is_short_harmless_and_without_secrets() {
        let long = format!("\u{1b}[31mkey=hunter2-hunter2 {}", "x".repeat(1 << 20));
        let secrets = Secrets::default().with("hunter2-hunter2");
        let mut astray = Astray::default();
        let lines = [&long, "{", &long].map(|line| (line, not_read(line)));
        for _ in 0..1000 {
            for (n, (line, error)) in lines.iter().enumerate() {
                astray.line(Some(line.as_bytes()), error, n > 0, &secrets);
            }
        }
        astray.begun(long.as_bytes());
        astray.begun(format!("{long}}}").as_bytes());
        let noise = astray.since(None, &secrets).unwrap();
        let text = noise.to_string();
        assert!(!text.contains("hunter2") && text.contains("(hidden)"), "{text}");
        assert!(text.len() < 1000 && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains(&format!("a line of {} bytes has no end yet", long.len() + 1)), "{text}");
        assert_eq!(noise.lines(), 3000);
    }

    #[test]
    fn a_secret_that_is_longer_than_what_is_kept_is_not_shown() {
        let key = format!("k-SECRET-{}", "5".repeat(3 * KEPT));
        let secrets = Secrets::default().with(key.as_str());
        let mut astray = Astray::default();
        note(&mut astray, &[&format!("key={key}")], &secrets);
        astray.begun(format!("begun={key}").as_bytes());
        let text = astray.since(None, &secrets).unwrap().to_string();
        assert!(text.contains("`key=(hidden)…`") && text.contains("`begun=(hidden)…`"), "{text}");
        assert!(!text.contains("SECRET"), "{text}");
    }

    #[test]
    fn the_beginning_of_a_line_is_shown_that_comes_byte_by_byte() {
        let mut astray = Astray::default();
        let line = format!("{{\"jsonrpc\":\"2.0\",{}", "x".repeat(2 * BEGINNING));
        for end in 1..=line.len() {
            astray.begun(&line.as_bytes()[..end]);
        }
        assert_eq!(astray.unfinished.start, line.as_bytes()[..BEGINNING]);
        let text = astray.since(None, &Secrets::default()).unwrap().to_string();
        assert!(text.contains("`{\"jsonrpc\":\"2.0\",xxx"), "{text}");
    }

    #[test]
    fn a_line_is_under_way_where_nothing_but_its_end_is_missing() {
        let under_way = |line: &[u8]| {
            let mut astray = Astray::default();
            note(&mut astray, &["ready"], &Secrets::default());
            astray.begun(line);
            astray.since(None, &Secrets::default()).unwrap().is_under_way()
        };
        assert!(under_way(b"{\"jsonrpc\":\"2.0\","));
        assert!(!under_way(b"Content-Length: 8"));
        assert!(!under_way(b""));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_told_of_what_came_after_it_had_begun() {
        let mut astray = Astray::default();
        note(&mut astray, &["Content-Length: 8"], &Secrets::default());
        astray.answer(7.into());
        tokio::time::advance(Duration::from_secs(1)).await;
        let began = Instant::now().into_std();
        let since = |astray: &Astray| astray.since(Some(began), &Secrets::default());
        assert_eq!(since(&astray), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        note(&mut astray, &["now"], &Secrets::default());
        let noise = since(&astray).unwrap();
        assert_eq!((noise.lines(), noise.line()), (2, Some("now")));
        astray.answer(8.into());
        assert!(since(&astray).unwrap().to_string().ends_with("; the server answered request 8, which is not open"));
        // All of a message was read after all.
        astray.begun(b"{");
        astray.ended();
        assert!(!since(&astray).unwrap().to_string().contains("no end"));
    }
}
