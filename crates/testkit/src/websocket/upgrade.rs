//! From HTTP to WebSocket, or to something else. RFC 6455, section 4.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Options;
use super::seen::UpgradeRequest;

/// How large the head of a request may be.
const MAX_HEAD: usize = 64 << 10;

/// What comes of a request for the upgrade.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upgrade {
    /// The upgrade, with the subprotocol `mcp` where that is offered.
    #[default]
    Mcp,
    /// The upgrade, without a subprotocol.
    NoSubprotocol,
    /// The upgrade, with this subprotocol, whatever was offered.
    Subprotocol(String),
    /// These bytes in place of an upgrade; the connection is held open.
    Answer(Bytes),
    /// The end of the connection, without an answer.
    HangUp,
    /// Nothing: the connection is held open, and no answer comes.
    Never,
}

impl Upgrade {
    /// An answer of HTTP in place of an upgrade: a status with its phrase, and a text.
    ///
    /// ```
    /// use bowline_testkit::websocket::Upgrade;
    ///
    /// let Upgrade::Answer(bytes) = Upgrade::refuse("401 Unauthorized", "who are you?") else { panic!("an answer") };
    /// assert!(bytes.starts_with(b"HTTP/1.1 401 Unauthorized\r\n"));
    /// ```
    pub fn refuse(status: &str, body: &str) -> Self {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}");
        Self::Answer(answer.into())
    }
}

/// Who decides about requests for the upgrade.
#[derive(Clone)]
pub(super) struct Decide(pub(super) Arc<dyn Fn(&UpgradeRequest) -> Upgrade + Send + Sync>);

impl fmt::Debug for Decide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decide")
    }
}

/// What the server does next.
pub(super) enum Next {
    /// Writes this, and speaks WebSocket.
    Switch(Vec<u8>),
    /// Writes this and holds the connection open.
    Hold(Bytes),
    HangUp,
}

/// Reads the head of a request, and gives what came after it as well; nothing where no head comes.
pub(super) async fn read(reader: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Some((String::from_utf8(read).ok()?, rest));
        }
        if read.len() > MAX_HEAD || reader.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

pub(super) fn next(options: &Options, request: &UpgradeRequest) -> Next {
    let decided = options.decide.as_ref().map(|decide| (decide.0)(request));
    let subprotocol = match decided.as_ref().unwrap_or(&options.upgrade) {
        Upgrade::Answer(answer) => return Next::Hold(answer.clone()),
        Upgrade::HangUp => return Next::HangUp,
        Upgrade::Never => return Next::Hold(Bytes::new()),
        Upgrade::Mcp => request.header("sec-websocket-protocol").split(',').map(str::trim).find(|one| *one == "mcp"),
        Upgrade::NoSubprotocol => None,
        Upgrade::Subprotocol(chosen) => Some(chosen.as_str()),
    };
    // A connection that is held is good for no second request, and says so.
    if let Some(token) = &options.token
        && request.header("authorization") != format!("Bearer {token}")
    {
        return Next::Hold(Bytes::from_static(
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ));
    }
    let key = request.header("sec-websocket-key");
    if key.is_empty() {
        return Next::Hold(Bytes::from_static(
            b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nContent-Length: 0\r\n\r\n",
        ));
    }
    // As lists and in another case than usual, which is allowed.
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\nSec-WebSocket-Accept: {}\r\n",
        derive_accept_key(key.as_bytes())
    );
    if let Some(subprotocol) = subprotocol {
        answer.push_str(&format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
    }
    answer.push_str("\r\n");
    Next::Switch(answer.into_bytes())
}
