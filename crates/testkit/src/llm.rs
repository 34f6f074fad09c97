//! A provider of models for tests: it speaks each provider's wire format, and refuses what the real one would.
//!
//! It shares no code with the client's side of any format.

mod frames;
mod rules;
mod signed;
mod wire;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use self::signed::AwsKeys;
use self::wire::Wire;
use crate::http::{HttpRequest, HttpServer, Reply};

/// How large the pieces are that a streamed answer is sent in, in bytes: small enough to split characters and escapes.
const PIECE: usize = 61;

/// A provider on a free port of this machine. Dropping it closes everything.
///
/// One server speaks all formats, told by the path. Each request takes one turn of the script; one that breaks the
/// provider's rules is refused with 400, and takes none.
///
/// ```
/// use bowline_testkit::llm::{MockProvider, MockTurn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let provider = MockProvider::start([MockTurn::call("add", r#"{"a": 1}"#), MockTurn::say("It is 1.")]).await?;
/// assert!(provider.base_url("openai-chat").ends_with("/v1"));
/// assert!(provider.requests().is_empty());
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct MockProvider {
    server: HttpServer,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    turns: Mutex<VecDeque<MockTurn>>,
    asked: Mutex<Vec<Asked>>,
    keys: Mutex<Option<AwsKeys>>,
}

/// A request that a [`MockProvider`] got.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Asked {
    /// The format: `anthropic`, `openai`, `openai-chat`, `gemini`, `bedrock`, `ollama` or `mistral`.
    pub format: &'static str,
    /// The body.
    pub body: Value,
    /// The HTTP headers and path.
    pub request: HttpRequest,
    /// Why it was refused, where it was.
    pub refused: Option<String>,
}

/// What a [`MockProvider`] does with one request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum MockTurn {
    /// It answers with text, and these calls: a name, and arguments that need not be JSON.
    Answer {
        /// The text; none where it is empty.
        text: String,
        /// The calls.
        calls: Vec<(String, String)>,
    },
    /// It answers with a status, in the form of an error of its own.
    Status {
        /// The status.
        code: u16,
        /// How many seconds it asks to wait.
        retry_after: Option<u64>,
    },
    /// It answers with a page of HTML.
    Html {
        /// The status.
        code: u16,
    },
    /// It sends this body as it is, with status 200.
    Raw {
        /// The media type.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// It begins this answer, and closes the connection in the middle.
    Cut(Box<Self>),
    /// It begins this answer, and then sends nothing more.
    Silent(Box<Self>),
}

impl MockTurn {
    /// Text.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Answer { text: text.into(), calls: Vec::new() }
    }

    /// A call.
    pub fn call(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self::Answer { text: String::new(), calls: vec![(name.into(), arguments.into())] }
    }

    /// Several calls.
    pub fn calls<N: Into<String>, A: Into<String>>(calls: impl IntoIterator<Item = (N, A)>) -> Self {
        let calls = calls.into_iter().map(|(name, arguments)| (name.into(), arguments.into())).collect();
        Self::Answer { text: String::new(), calls }
    }

    /// An error of the provider.
    pub const fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// This answer, cut in the middle.
    #[must_use]
    pub fn cut(self) -> Self {
        Self::Cut(Box::new(self))
    }
}

impl MockProvider {
    /// Starts a provider with a script: one turn a request. Once it is over, requests are answered with 500.
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start(turns: impl IntoIterator<Item = MockTurn>) -> io::Result<Self> {
        let state = Arc::new(State { turns: Mutex::new(turns.into_iter().collect()), ..State::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = HttpServer::forgetful(listener, {
            let state = Arc::clone(&state);
            move |request| std::future::ready(state.answer(request))
        })?;
        Ok(Self { server, state })
    }

    /// The address to give to a client for a format, up to where that format's own path begins.
    pub fn base_url(&self, format: &str) -> String {
        self.server.url(match format {
            "openai" | "openai-chat" => "/v1",
            "mistral" => "/mistral/v1",
            _ => "",
        })
    }

    /// Adds a turn to the script.
    pub fn add(&self, turn: MockTurn) {
        lock(&self.state.turns).push_back(turn);
    }

    /// From now on requests in the format of Bedrock are answered only where they are signed with these keys; others with
    /// 403.
    pub fn require_signature(&self, keys: AwsKeys) {
        *lock(&self.state.keys) = Some(keys);
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&self, request: HttpRequest) -> Reply {
        let body = request.json();
        let Some(wire) = Wire::of(&request.path, &body) else { return Reply::status(404) };
        let keys = lock(&self.keys).clone().filter(|_| wire.format == "bedrock");
        let unsigned = keys.and_then(|keys| signed::check(&keys, &request).err());
        let refused = unsigned.clone().or_else(|| rules::check(wire.format, &body).err());
        let asked = Asked { format: wire.format, body, request, refused: refused.clone() };
        let number = {
            let mut all = lock(&self.asked);
            all.push(asked);
            all.len()
        };
        if let Some(why) = unsigned {
            return error(403, &why);
        }
        if let Some(why) = refused {
            return error(400, &why);
        }
        match lock(&self.turns).pop_front() {
            Some(turn) => reply(&wire, &turn, number),
            None => error(500, "the script is over"),
        }
    }
}

fn reply(wire: &Wire, turn: &MockTurn, number: usize) -> Reply {
    match turn {
        MockTurn::Answer { text, calls } => {
            let (kind, bytes) = wire.answer(text, calls, number);
            if !wire.streams {
                return Reply::status(200).with("content-type", kind).body(bytes);
            }
            pieces(kind, &bytes)
        }
        MockTurn::Status { code, retry_after } => {
            let reply = error(*code, "as the script says");
            match retry_after {
                Some(seconds) => reply.with("retry-after", seconds.to_string()),
                None => reply,
            }
        }
        MockTurn::Html { code } => Reply::status(*code)
            .with("content-type", "text/html; charset=utf-8")
            .body("<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"),
        MockTurn::Raw { content_type, body } => {
            Reply::status(200).with("content-type", content_type).body(body.clone())
        }
        MockTurn::Cut(turn) => half(wire, turn, number).cut(),
        MockTurn::Silent(turn) => half(wire, turn, number).hold(),
    }
}

/// The first half of an answer.
fn half(wire: &Wire, turn: &MockTurn, number: usize) -> Reply {
    let MockTurn::Answer { text, calls } = turn else { return reply(wire, turn, number) };
    let (kind, bytes) = wire.answer(text, calls, number);
    pieces(kind, bytes.get(..bytes.len() / 2).unwrap_or_default())
}

fn pieces(kind: &str, bytes: &[u8]) -> Reply {
    let reply = Reply::status(200).with("content-type", kind);
    bytes.chunks(PIECE).fold(reply, |reply, piece| reply.data(piece.to_vec()))
}

/// An error that each client can read.
fn error(code: u16, why: &str) -> Reply {
    let kind = match code {
        429 => "rate_limit_error",
        401 | 403 => "authentication_error",
        400 => "invalid_request_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    Reply::json(json!({ "type": "error", "error": { "type": kind, "message": why }, "message": why })).code(code)
}

impl fmt::Debug for MockProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockProvider").field("server", &self.server).finish_non_exhaustive()
    }
}
