//! What a server can do wrong with frames. RFC 6455, section 5.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

/// Something that goes wrong with the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketMisbehaviour {
    /// A frame that says that it has so many bytes comes in place of the answer, and none of its bytes.
    Announce(u64),
    /// The answer is a binary message.
    Binary,
    /// A close frame comes in place of the answer, with a code and a reason of at most 123 bytes.
    Close(u16, String),
    /// The frame of the answer says that it is compressed, which was not agreed on.
    Compressed,
    /// The connection is cut in the middle of the frame of the answer.
    CutInFrame,
    /// The answer comes in so many fragments, which is allowed.
    Fragments(usize),
    /// The frame of the answer is masked, as only those of clients are.
    Masked,
    /// A text message of so many bytes that is no JSON comes in place of the answer.
    Oversize(usize),
    /// So many pings come first.
    PingStorm(usize),
    /// A fragment that continues nothing comes first.
    StrayContinuation,
    /// The connection is cut in place of the answer, without a close frame.
    Vanish,
}

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// Bytes of frames.
    Frames(Vec<u8>),
    /// Nothing more: the client hears the end of the stream.
    End,
    /// Nothing more, and the connection is gone.
    Vanish,
}

/// A frame as it is written.
pub(super) fn encode(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len());
    // A vector takes everything.
    let _ = frame.format(&mut bytes);
    bytes
}

/// A close frame as it is written.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    encode(Frame::close(Some(CloseFrame { code: code.into(), reason: reason.into() })))
}

/// A message as one frame. It need not be text.
pub(super) fn text(message: Bytes) -> Vec<u8> {
    encode(Frame::message(message, OpCode::Data(Data::Text), true))
}

/// What is written in place of, or around, an answer, and whether no frame may follow.
pub(super) fn answer(message: &Bytes, faults: &[WebSocketMisbehaviour]) -> (Vec<Out>, bool) {
    let mut written = Written::default();
    let mut kind = Data::Text;
    let (mut pieces, mut masked, mut compressed) = (1, false, false);
    for fault in faults {
        match fault {
            WebSocketMisbehaviour::Binary => kind = Data::Binary,
            WebSocketMisbehaviour::Compressed => compressed = true,
            WebSocketMisbehaviour::Fragments(count) => pieces = (*count).max(1),
            WebSocketMisbehaviour::Masked => masked = true,
            WebSocketMisbehaviour::PingStorm(count) => {
                for _ in 0..*count {
                    written.before.extend(encode(Frame::ping(Bytes::from_static(b"there?"))));
                }
            }
            WebSocketMisbehaviour::StrayContinuation => {
                written.before.extend(encode(Frame::message("x", OpCode::Data(Data::Continue), true)));
            }
            WebSocketMisbehaviour::Announce(_)
            | WebSocketMisbehaviour::Close(..)
            | WebSocketMisbehaviour::CutInFrame
            | WebSocketMisbehaviour::Oversize(_)
            | WebSocketMisbehaviour::Vanish => {}
        }
    }
    let size = message.len().div_ceil(pieces).max(1);
    let mut at = 0;
    for piece in 0..pieces {
        let end = (at + size).min(message.len());
        let code = if piece == 0 { kind } else { Data::Continue };
        let mut frame = Frame::message(message.slice(at..end), OpCode::Data(code), piece + 1 == pieces);
        let header = frame.header_mut();
        header.rsv1 = compressed && piece == 0;
        header.mask = masked.then_some([0x5a, 0x01, 0xc3, 0x7e]);
        written.answer.extend(encode(frame));
        at = end;
    }
    for fault in faults {
        match fault {
            WebSocketMisbehaviour::Announce(bytes) => {
                let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
                written.answer.clear();
                // A vector takes everything.
                let _ = header.format(*bytes, &mut written.answer);
                written.last = true;
            }
            WebSocketMisbehaviour::Close(code, reason) => {
                written.answer = close(*code, reason);
                written.last = true;
            }
            WebSocketMisbehaviour::CutInFrame => {
                written.answer.truncate(written.answer.len() / 2);
                written.vanishes = true;
            }
            WebSocketMisbehaviour::Oversize(bytes) => written.answer = text(vec![b'x'; *bytes].into()),
            WebSocketMisbehaviour::Vanish => {
                written.answer.clear();
                written.vanishes = true;
            }
            _ => {}
        }
    }
    written.finish()
}

#[derive(Default)]
struct Written {
    before: Vec<u8>,
    answer: Vec<u8>,
    last: bool,
    vanishes: bool,
}

impl Written {
    fn finish(mut self) -> (Vec<Out>, bool) {
        self.before.append(&mut self.answer);
        let mut outs = vec![Out::Frames(self.before)];
        if self.vanishes {
            outs.push(Out::Vanish);
        }
        (outs, self.last || self.vanishes)
    }
}

/// The answer to a ping.
pub(super) fn pong(data: Bytes) -> Vec<u8> {
    let header = FrameHeader { opcode: OpCode::Control(Control::Pong), ..FrameHeader::default() };
    encode(Frame::from_payload(header, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(faults: &[WebSocketMisbehaviour]) -> (Vec<u8>, Vec<Out>, bool) {
        let (mut outs, last) = answer(&Bytes::from_static(b"{}"), faults);
        let Out::Frames(bytes) = outs.remove(0) else { panic!("bytes come first") };
        (bytes, outs, last)
    }

    #[test]
    fn each_misbehaviour_is_seen_in_the_bytes() {
        use WebSocketMisbehaviour::{
            Announce, Binary, Close, Compressed, CutInFrame, Fragments, Masked, Oversize, PingStorm, StrayContinuation,
            Vanish,
        };
        let bytes = |faults: &[WebSocketMisbehaviour]| frames(faults).0;
        assert_eq!(bytes(&[]), b"\x81\x02{}");
        assert_eq!(bytes(&[Binary]), b"\x82\x02{}");
        assert_eq!(bytes(&[Compressed]), b"\xc1\x02{}");
        assert_eq!(bytes(&[Fragments(3)]), b"\x01\x01{\x00\x01}\x80\x00");
        assert_eq!(bytes(&[Masked])[..6], *b"\x81\x82\x5a\x01\xc3\x7e");
        assert_eq!(bytes(&[Oversize(3)]), b"\x81\x03xxx");
        assert_eq!(bytes(&[PingStorm(1)]), b"\x89\x06there?\x81\x02{}");
        assert_eq!(bytes(&[StrayContinuation]), b"\x80\x01x\x81\x02{}");
        assert_eq!(frames(&[Announce(70_000)]), (b"\x81\x7f\0\0\0\0\0\x01\x11\x70".to_vec(), vec![], true));
        assert_eq!(frames(&[Close(1011, "no".to_owned())]), (b"\x88\x04\x03\xf3no".to_vec(), vec![], true));
        assert_eq!(frames(&[CutInFrame]), (b"\x81\x02".to_vec(), vec![Out::Vanish], true));
        assert_eq!(frames(&[Vanish]), (vec![], vec![Out::Vanish], true));
        // They combine.
        assert_eq!(bytes(&[Fragments(2), Binary]), b"\x02\x01{\x80\x01}");
    }
}
