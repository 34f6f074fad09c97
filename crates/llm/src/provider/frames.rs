//! The binary event stream of AWS: frames of headers and a payload, with checksums.

use bytes::{Buf as _, Bytes, BytesMut};

/// What a frame has beside its headers and payload: lengths and a checksum before, one behind.
const AROUND: usize = 16;

/// Splits what comes into frames.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: BytesMut,
    max: usize,
}

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The event's or exception's type.
    pub(super) name: String,
    pub(super) payload: Bytes,
}

impl Frames {
    pub(super) fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), max }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next frame that is whole.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, &'static str> {
        let Some(prelude) = self.buffer.first_chunk::<12>() else { return Ok(None) };
        let word =
            |at: usize| prelude.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes);
        let (total, headers) = (word(0) as usize, word(4) as usize);
        if word(8) != crc32(prelude.get(..8).unwrap_or_default()) {
            return Err("a frame's prelude has the wrong checksum");
        }
        if total > self.max {
            return Err("a frame is too large");
        }
        if total < AROUND || headers > total - AROUND {
            return Err("a frame's lengths do not fit together");
        }
        if self.buffer.len() < total {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(total).freeze();
        let sum = frame.slice(total - 4..).get_u32();
        if sum != crc32(frame.get(..total - 4).unwrap_or_default()) {
            return Err("a frame has the wrong checksum");
        }
        frame.advance(12);
        let head = head(frame.split_to(headers)).ok_or("a frame's headers cannot be read")?;
        frame.truncate(frame.len() - 4);
        Ok(Some(match head.error {
            Some((code, message)) => {
                let told = serde_json::json!({ "type": code, "message": message });
                Frame { name: "error".to_owned(), payload: told.to_string().into() }
            }
            None => Frame { name: head.name, payload: frame },
        }))
    }
}

/// What the headers of a frame say.
#[derive(Default)]
struct Head {
    /// The type of an event or exception.
    name: String,
    /// The code and the message of an error that is none of the service's exceptions.
    error: Option<(String, String)>,
}

fn head(mut headers: Bytes) -> Option<Head> {
    let (mut found, mut is_error) = (Head::default(), false);
    let (mut code, mut message) = (String::new(), String::new());
    while !headers.is_empty() {
        let length = usize::from(headers.try_get_u8().ok()?);
        let key = take(&mut headers, length)?;
        let kind = headers.try_get_u8().ok()?;
        let value = match kind {
            // Truth values have none.
            0 | 1 => Bytes::new(),
            2 => take(&mut headers, 1)?,
            3 => take(&mut headers, 2)?,
            4 => take(&mut headers, 4)?,
            5 | 8 => take(&mut headers, 8)?,
            6 | 7 => {
                let length = usize::from(headers.try_get_u16().ok()?);
                take(&mut headers, length)?
            }
            9 => take(&mut headers, 16)?,
            _ => return None,
        };
        let text = || String::from_utf8(value.to_vec()).ok();
        match &key[..] {
            b":event-type" | b":exception-type" => found.name = text()?,
            b":message-type" => is_error = &value[..] == b"error",
            b":error-code" => code = text()?,
            b":error-message" => message = text()?,
            _ => {}
        }
    }
    found.error = is_error.then_some((code, message));
    Some(found)
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (bytes.len() >= length).then(|| bytes.split_to(length))
}

/// The checksum of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame as the service writes it.
    fn written(name: &str, payload: &[u8]) -> Vec<u8> {
        let mut headers = vec![13];
        headers.extend_from_slice(b":message-type\x07\x00\x05event\x0b:event-type\x07\x00");
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        framed(&headers, payload)
    }

    fn framed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let total = headers.len() + payload.len() + AROUND;
        let mut frame = Vec::new();
        frame.extend_from_slice(&u32::try_from(total).unwrap().to_be_bytes());
        frame.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(&crc32(&frame).to_be_bytes());
        frame.extend_from_slice(headers);
        frame.extend_from_slice(payload);
        frame.extend_from_slice(&crc32(&frame).to_be_bytes());
        frame
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn an_error_of_the_stream_itself_is_told_as_one() {
        let mut headers = Vec::new();
        for (key, value) in
            [(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "Broken")]
        {
            headers.push(u8::try_from(key.len()).unwrap());
            headers.extend_from_slice(key.as_bytes());
            headers.extend_from_slice(&[7, 0, u8::try_from(value.len()).unwrap()]);
            headers.extend_from_slice(value.as_bytes());
        }
        let mut frames = Frames::new(1 << 20);
        frames.push(&framed(&headers, b""));
        let frame = frames.next().unwrap().unwrap();
        assert_eq!(
            (frame.name.as_str(), &frame.payload[..]),
            ("error", &br#"{"type":"InternalFailure","message":"Broken"}"#[..])
        );
    }

    #[test]
    fn a_frame_that_is_wrong_is_an_error() {
        let good = written("messageStart", b"{}");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let mut frames = Frames::new(1 << 20);
            frames.push(&bad);
            assert!(frames.next().is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn frames_come_whole_however_they_are_cut(
            all in prop::collection::vec(("[a-zA-Z]{1,20}", prop::collection::vec(any::<u8>(), 0..50)), 0..6), size in 1_usize..40
        ) {
            let bytes: Vec<u8> = all.iter().flat_map(|(name, payload)| written(name, payload)).collect();
            let (mut frames, mut got) = (Frames::new(1 << 20), Vec::new());
            for chunk in bytes.chunks(size) {
                frames.push(chunk);
                while let Some(frame) = frames.next().unwrap() {
                    got.push((frame.name, frame.payload.to_vec()));
                }
            }
            prop_assert!(frames.buffer.is_empty());
            prop_assert_eq!(got, all);
        }

        #[test]
        fn foreign_bytes_end_in_an_error_or_in_waiting(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut frames = Frames::new(1 << 10);
            frames.push(&bytes);
            while let Ok(Some(_)) = frames.next() {}
        }
    }
}
