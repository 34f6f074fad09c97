//! Bytes in, events out.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The type as the `event` field named it; empty where there was none, which means `message`.
    pub event: Bytes,
    /// The data, lines joined by `\n`. Never empty. Not checked to be UTF-8.
    pub data: Bytes,
    /// The last event id of the stream at this event; empty where the stream has given none.
    pub id: Bytes,
}

impl Event {
    /// Whether the event is of type `message`, by name or for want of one.
    pub fn is_message(&self) -> bool {
        self.event.is_empty() || self.event == b"message".as_slice()
    }
}

/// An event is larger than the bound. Nothing more can be read from the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {max} bytes")]
#[non_exhaustive]
pub struct TooLarge {
    /// The bound, in bytes.
    pub max: usize,
}

/// Decodes one event stream.
///
/// ```
/// use bowline_event_stream::Decoder;
///
/// let mut decoder = Decoder::new(1024);
/// decoder.push("retry: 200\nevent: endpoint\ndata: /messages\n\n".into());
/// let event = decoder.next_event()?.unwrap();
/// assert_eq!((&event.event[..], &event.data[..]), (&b"endpoint"[..], &b"/messages"[..]));
/// assert_eq!(decoder.retry(), Some(std::time::Duration::from_millis(200)));
/// # Ok::<(), bowline_event_stream::TooLarge>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    /// What was pushed and not yet looked at.
    input: Bytes,
    /// The beginning of a line whose end has not come.
    carry: BytesMut,
    /// The last line ended with CR: a LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
    event: Bytes,
    data: Data,
    /// The id that the next blank line makes the last event id.
    id: Bytes,
    last_id: Bytes,
    retry: Option<Duration>,
    /// The start of the first line that is no field.
    stray: Bytes,
    max: usize,
}

/// How much is kept of a line that is no field, in bytes: far more than anybody shows, so that secrets in what is shown
/// are whole when they are looked for.
const STRAY: usize = 16 << 10;

/// The data of the event under way.
#[derive(Debug, Clone, Default)]
enum Data {
    #[default]
    None,
    /// One line: a slice of what it came in.
    One(Bytes),
    Lines(BytesMut),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(line) => line.len(),
            Self::Lines(lines) => lines.len(),
        }
    }

    fn push(&mut self, line: Bytes) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(line),
            Self::One(first) => {
                let mut lines = BytesMut::with_capacity(first.len() + line.len() + 1);
                lines.extend_from_slice(&first);
                Self::Lines(joined(lines, &line))
            }
            Self::Lines(lines) => Self::Lines(joined(lines, &line)),
        };
    }

    fn take(&mut self) -> Bytes {
        match std::mem::take(self) {
            Self::None => Bytes::new(),
            Self::One(line) => line,
            Self::Lines(lines) => lines.freeze(),
        }
    }
}

fn joined(mut lines: BytesMut, line: &[u8]) -> BytesMut {
    lines.extend_from_slice(b"\n");
    lines.extend_from_slice(line);
    lines
}

impl Decoder {
    /// A decoder at the start of a stream. No event may take more than `max` bytes: its data, type and id and the
    /// line that is being read.
    pub fn new(max: usize) -> Self {
        Self {
            input: Bytes::new(),
            carry: BytesMut::new(),
            after_cr: false,
            begun: false,
            event: Bytes::new(),
            data: Data::None,
            id: Bytes::new(),
            last_id: Bytes::new(),
            retry: None,
            stray: Bytes::new(),
            max,
        }
    }

    /// A decoder of a stream that goes on where another was cut: the last event id is kept until the stream gives
    /// a new one.
    pub fn resuming(max: usize, last_event_id: Bytes) -> Self {
        Self { id: last_event_id.clone(), last_id: last_event_id, ..Self::new(max) }
    }

    /// Takes what came next. Cheapest when all events of the last chunk were pulled.
    pub fn push(&mut self, chunk: Bytes) {
        if self.input.is_empty() {
            self.input = chunk;
        } else {
            let mut both = BytesMut::with_capacity(self.input.len() + chunk.len());
            both.extend_from_slice(&self.input);
            both.extend_from_slice(&chunk);
            self.input = both.freeze();
        }
    }

    /// The next event that is complete; `None` until more bytes are pushed.
    ///
    /// An event without data is none, as the standard has it, but its id counts.
    ///
    /// # Errors
    /// [`TooLarge`], again at each further call.
    pub fn next_event(&mut self) -> Result<Option<Event>, TooLarge> {
        while let Some(line) = self.next_line()? {
            if !line.is_empty() {
                self.field(line);
                continue;
            }
            self.last_id.clone_from(&self.id);
            let event = std::mem::take(&mut self.event);
            let data = self.data.take();
            if !data.is_empty() {
                return Ok(Some(Event { event, data, id: self.last_id.clone() }));
            }
        }
        Ok(None)
    }

    /// The event that was under way when the stream ended, as if its last blank line had come; `None` where there is none
    /// with data.
    ///
    /// The standard discards it, as it may be cut. For streams whose events say themselves whether they are whole, of
    /// servers that leave that line out.
    ///
    /// ```
    /// let mut decoder = bowline_event_stream::Decoder::new(1024);
    /// decoder.push("data: 1\n\ndata: 2".into());
    /// assert_eq!(decoder.next_event()?.unwrap().data, "1");
    /// assert_eq!((decoder.next_event()?, decoder.rest().unwrap().data), (None, "2".into()));
    /// # Ok::<(), bowline_event_stream::TooLarge>(())
    /// ```
    pub fn rest(&mut self) -> Option<Event> {
        let line = self.carry.split().freeze();
        if !line.is_empty() {
            self.field(line);
        }
        let event = std::mem::take(&mut self.event);
        let data = self.data.take();
        (!data.is_empty()).then(|| Event { event, data, id: self.last_id.clone() })
    }

    /// The last event id: what `Last-Event-ID` resumes this stream with. Empty where there is none.
    pub const fn last_event_id(&self) -> &Bytes {
        &self.last_id
    }

    /// How long the server wants to be left alone before a reconnect, if it said so.
    pub const fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// What came and made no event: the start of the first line that is no field of the standard, else the event that
    /// was begun, as far as it came. Empty where there is neither.
    ///
    /// For the error of whoever waits for an event in what is no event stream, or one that broke off.
    ///
    /// ```
    /// let mut decoder = bowline_event_stream::Decoder::new(1024);
    /// decoder.push("<html>\n<title>Sign in</title>".into());
    /// assert_eq!(decoder.next_event(), Ok(None));
    /// assert_eq!(decoder.leftover(), "<html>");
    /// ```
    pub fn leftover(&self) -> Bytes {
        let begun = match &self.data {
            Data::None => &[][..],
            Data::One(line) => line,
            Data::Lines(lines) => lines,
        };
        let rest = [self.stray.as_ref(), begun, &self.carry].into_iter().find(|part| !part.is_empty());
        rest.map(cut).unwrap_or_default()
    }

    /// The next whole line, without its end.
    fn next_line(&mut self) -> Result<Option<Bytes>, TooLarge> {
        if self.after_cr && !self.input.is_empty() {
            self.after_cr = false;
            if self.input.first() == Some(&b'\n') {
                self.input.advance(1);
            }
        }
        let kept = self.data.len() + self.event.len() + self.id.len() + self.carry.len();
        let Some(end) = memchr::memchr2(b'\n', b'\r', &self.input) else {
            self.check(kept + self.input.len())?;
            self.carry.extend_from_slice(&self.input);
            self.input.clear();
            return Ok(None);
        };
        self.check(kept + end)?;
        let line = self.input.split_to(end);
        self.after_cr = self.input.first() == Some(&b'\r');
        self.input.advance(1);
        let mut line = if self.carry.is_empty() {
            line
        } else {
            self.carry.extend_from_slice(&line);
            self.carry.split().freeze()
        };
        if !self.begun {
            self.begun = true;
            if line.starts_with(b"\xef\xbb\xbf") {
                line.advance(3);
            }
        }
        Ok(Some(line))
    }

    const fn check(&self, bytes: usize) -> Result<(), TooLarge> {
        if bytes > self.max { Err(TooLarge { max: self.max }) } else { Ok(()) }
    }

    /// Takes a line that is not blank. A comment is a field without a name, which nobody knows.
    fn field(&mut self, mut line: Bytes) {
        let colon = memchr::memchr(b':', &line);
        let name = line.split_to(colon.unwrap_or(line.len()));
        if colon.is_some() {
            line.advance(1);
            if line.first() == Some(&b' ') {
                line.advance(1);
            }
        }
        match name.as_ref() {
            b"data" => self.data.push(line),
            // Small ones are copied, so that they do not keep the chunk that they came in alive.
            b"event" => self.event = Bytes::copy_from_slice(&line),
            b"id" if !line.contains(&0) => self.id = Bytes::copy_from_slice(&line),
            b"retry" if !line.is_empty() && line.iter().all(u8::is_ascii_digit) => {
                let millis =
                    line.iter().fold(0u64, |n, digit| n.saturating_mul(10).saturating_add((digit - b'0').into()));
                self.retry = Some(Duration::from_millis(millis));
            }
            b"" | b"id" | b"retry" => {}
            _ if self.stray.is_empty() => {
                let parts = [name.as_ref(), if colon.is_some() { b":" } else { b"" }, &line];
                self.stray = cut(&parts.concat());
            }
            _ => {}
        }
    }
}

/// The start of a line, copied.
fn cut(line: &[u8]) -> Bytes {
    Bytes::copy_from_slice(line.get(..STRAY).unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Seen = Vec<(String, String, String)>;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Seen, Decoder) {
        let mut decoder = Decoder::new(1 << 20);
        let mut seen = Vec::new();
        for chunk in chunks {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(event) = decoder.next_event().unwrap() {
                seen.push((text(&event.event), text(&event.data), text(&event.id)));
            }
        }
        (seen, decoder)
    }

    fn data(stream: &str) -> Vec<String> {
        decode([stream.as_bytes()]).0.into_iter().map(|(_, data, _)| data).collect()
    }

    #[test]
    fn case_sse_001_an_event_is_there_as_soon_as_its_blank_line_is() {
        assert_eq!(data("event: message\r\ndata: {\"id\":1}\r\n\r\n"), ["{\"id\":1}"]);
        assert_eq!(data("data: a\r\r"), ["a"]);
        assert_eq!(data("data: a\n\r"), ["a"]);
    }

    #[test]
    fn case_sse_002_a_line_end_may_be_split_over_chunks() {
        let chunks: [&[u8]; 2] = [b"data: {\"jsonrpc\":\"2.0\",\"id\":1,\r", b"\ndata: \"result\":{}}\r\n\r\n"];
        let (seen, _) = decode(chunks);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].1, "{\"jsonrpc\":\"2.0\",\"id\":1,\n\"result\":{}}");
    }

    #[test]
    fn case_sse_005_data_lines_are_joined() {
        assert_eq!(data("data: a\ndata:\ndata: b\n\n"), ["a\n\nb"]);
    }

    #[test]
    fn case_sse_006_the_order_of_fields_does_not_matter() {
        let (seen, _) = decode([b"data: /m?s=1\r\nevent: endpoint\r\n\r\n".as_slice()]);
        assert_eq!(seen, [("endpoint".into(), "/m?s=1".into(), String::new())]);
    }

    #[test]
    fn case_sse_008_an_id_without_data_counts_and_is_no_event() {
        let (seen, decoder) = decode([b"id: e1\ndata:\n\nretry: 200\n\n".as_slice()]);
        assert!(seen.is_empty());
        assert_eq!(decoder.last_event_id(), "e1");
        assert_eq!(decoder.retry(), Some(Duration::from_millis(200)));
    }

    #[test]
    fn case_sse_016_one_space_after_the_colon_is_not_data() {
        assert_eq!(data("data:{}\n\ndata: {}\n\ndata:  {}\n\n"), ["{}", "{}", " {}"]);
    }

    #[test]
    fn case_sse_017_comments_unknown_fields_and_fields_without_a_colon_are_harmless() {
        assert_eq!(data(": x\n\n:\nfoo: bar\ndata\ndata\nevent\n\ndatax: 1\n\ndata: a\n\n"), ["\n", "a"]);
    }

    #[test]
    fn h_26_an_id_with_a_nul_and_a_retry_that_is_no_number_are_ignored() {
        let (seen, decoder) = decode([b"id: 1\n\nid: 2\x003\nretry: 1s\nretry:\nretry: -1\ndata: a\n\n".as_slice()]);
        assert_eq!(seen, [(String::new(), "a".into(), "1".into())]);
        assert_eq!(decoder.retry(), None);
        let (_, decoder) = decode([b"id: 1\n\nid\n\nretry: 99999999999999999999999\n".as_slice()]);
        assert_eq!(decoder.last_event_id(), "");
        assert_eq!(decoder.retry(), Some(Duration::from_millis(u64::MAX)));
    }

    #[test]
    fn h_26_a_byte_order_mark_is_taken_off_at_the_start_only() {
        assert_eq!(data("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
        let (seen, _) = decode([b"\xef\xbb".as_slice(), b"\xbfdata: a\n\n"]);
        assert_eq!(seen.len(), 1);
    }

    #[test]
    fn h_29_the_id_of_an_event_that_was_cut_does_not_count() {
        let (seen, decoder) = decode([b"id: 1\ndata: a\n\nid: 2\ndata: b\n".as_slice()]);
        assert_eq!(seen.len(), 1);
        assert_eq!(decoder.last_event_id(), "1");
    }

    #[test]
    fn a_resumed_stream_keeps_its_id_until_it_gets_a_new_one() {
        let mut decoder = Decoder::resuming(1024, Bytes::from_static(b"7"));
        decoder.push("data: a\n\nid: 8\ndata: b\n\n".into());
        assert_eq!(decoder.next_event().unwrap().unwrap().id, "7");
        assert_eq!(decoder.next_event().unwrap().unwrap().id, "8");
    }

    #[test]
    fn what_made_no_event_is_there_for_an_error() {
        let leftover = |stream: &str| text(&decode([stream.as_bytes()]).1.leftover());
        assert_eq!(leftover("{\"error\":\"busy\"}"), "{\"error\":\"busy\"}");
        assert_eq!(leftover("<html>\n<p>: x\n"), "<html>");
        assert_eq!(leftover("event: message\ndata: {\"a\":1}\n"), "{\"a\":1}");
        assert_eq!(leftover("data: a"), "data: a");
        assert_eq!(leftover(": c\nid\nretry: soon\nevent: e\ndata: a\n\n"), "");
        assert_eq!(leftover(&"x".repeat(STRAY + 1)), "x".repeat(STRAY));
    }

    #[test]
    fn an_event_that_never_ends_is_an_error_and_no_memory() {
        let mut decoder = Decoder::new(1024);
        for _ in 0..63 {
            decoder.push(Bytes::from_static(b"data: 0123456789"));
            decoder.next_event().unwrap();
        }
        decoder.push(Bytes::from_static(&[b'x'; 64]));
        assert_eq!(decoder.next_event(), Err(TooLarge { max: 1024 }));
        assert_eq!(decoder.next_event(), Err(TooLarge { max: 1024 }));
        let mut decoder = Decoder::new(64);
        decoder.push("data: 0123456789\n".repeat(7).into());
        assert!(decoder.next_event().is_err());
    }

    #[test]
    fn the_data_of_one_line_in_one_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"data: {\"a\":1}\n\n");
        let mut decoder = Decoder::new(1024);
        decoder.push(chunk.clone());
        let event = decoder.next_event().unwrap().unwrap();
        assert_eq!(event.data.as_ptr(), chunk.slice(6..).as_ptr());
    }

    #[test]
    fn the_event_that_a_stream_ends_in_is_there_for_those_who_ask() {
        let rest =
            |stream: &str| decode([stream.as_bytes()]).1.rest().map(|event| (text(&event.event), text(&event.data)));
        assert_eq!(rest("event: e\ndata: a\ndata: b"), Some(("e".into(), "a\nb".into())));
        assert_eq!(rest("data: a\n"), Some((String::new(), "a".into())));
        assert_eq!(rest("data: a\n\n"), None);
        assert_eq!(rest("event: e\n: c\ndat"), None);
    }

    proptest! {
        #[test]
        fn any_cut_of_a_stream_gives_the_same_events(
            stream in prop::collection::vec(
                prop::sample::select(vec![
                    "data: a", "data:b", "data", "event: e", "id: 1", "id", "retry: 5", ": c", "\n", "\r", "\r\n",
                    "\u{feff}", "data: \u{1f419}", "x",
                ]),
                0..40,
            ),
            cuts in prop::collection::vec(1usize..6, 1..40),
        ) {
            let stream = stream.concat().into_bytes();
            let whole = decode([stream.as_slice()]);
            let (mut rest, mut chunks) = (stream.as_slice(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                chunks.push(now);
                rest = later;
            }
            let cut = decode(chunks);
            prop_assert_eq!(whole.0, cut.0);
            prop_assert_eq!(whole.1.last_event_id(), cut.1.last_event_id());
            prop_assert_eq!(whole.1.retry(), cut.1.retry());
        }

        #[test]
        fn no_bytes_make_it_panic_or_grow_beyond_the_bound(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..32)) {
            let mut decoder = Decoder::new(256);
            for chunk in chunks {
                decoder.push(chunk.into());
                while let Ok(Some(event)) = decoder.next_event() {
                    prop_assert!(event.data.len() <= 256);
                }
                prop_assert!(decoder.carry.len() + decoder.data.len() <= 256);
            }
        }
    }
}
