//! Servers over HTTP: answers that a test writes out, and the mock server over Streamable HTTP and HTTP+SSE.
//!
//! ```
//! use bowline_testkit::http::{HttpServer, Reply};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let server = HttpServer::start(|request| async move {
//!     match request.path.as_str() {
//!         "/mcp" => Reply::events().data("data: {\"jsonrpc\":").wait(std::time::Duration::from_millis(1)).cut(),
//!         _ => Reply::status(404),
//!     }
//! })
//! .await?;
//! assert!(server.url("/mcp").starts_with("http://127.0.0.1:"));
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

mod body;
mod events;
mod headers;
mod log;
mod mock;
mod modern;
mod reply;
mod session;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) use self::body::Written;
#[cfg(feature = "auth")]
pub(crate) use self::mock::Front;
pub use self::mock::{HttpMode, MockHttp};
pub use self::reply::Reply;
use crate::listening::Accepting;

/// What a server was asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The path, with its query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The number of the connection, counted from 1.
    pub connection: u64,
}

impl HttpRequest {
    /// A header as text; empty where it is missing or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The JSON-RPC method in the body; empty where there is none.
    pub fn rpc_method(&self) -> String {
        self.json().get("method").and_then(|method| method.as_str()).unwrap_or_default().to_owned()
    }
}

type Handler = Arc<dyn Fn(HttpRequest) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// An HTTP server on a free port of this machine. Dropping it closes everything at once.
pub struct HttpServer {
    address: SocketAddr,
    seen: Arc<Seen>,
    /// Ends with the server.
    _accepting: Accepting,
}

#[derive(Debug)]
struct Seen {
    /// Whether requests are kept, to be asked for.
    keeps: bool,
    requests: Mutex<Vec<HttpRequest>>,
    count: watch::Sender<usize>,
}

impl HttpServer {
    /// Starts a server whose answers `handler` makes.
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start<F, R>(handler: F) -> io::Result<Self>
    where
        F: Fn(HttpRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Self::on(listener, handler)
    }

    /// Starts a server on a port that is listened to already: before the first client, or again after a crash.
    ///
    /// # Errors
    /// When the port cannot be told.
    pub fn on<F, R>(listener: TcpListener, handler: F) -> io::Result<Self>
    where
        F: Fn(HttpRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        Self::with(listener, true, handler)
    }

    /// As [`on`](Self::on), for servers that run long: nothing is kept of what was asked.
    pub(crate) fn forgetful<F, R>(listener: TcpListener, handler: F) -> io::Result<Self>
    where
        F: Fn(HttpRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        Self::with(listener, false, handler)
    }

    fn with<F, R>(listener: TcpListener, keeps: bool, handler: F) -> io::Result<Self>
    where
        F: Fn(HttpRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen { keeps, requests: Mutex::default(), count: watch::Sender::new(0) });
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        let accepting = {
            let seen = Arc::clone(&seen);
            Accepting::start(listener, move |stream, number| {
                serve(stream, number, Arc::clone(&seen), Arc::clone(&handler))
            })
        };
        Ok(Self { address, seen, _accepting: accepting })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.seen.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a request that `wanted` accepts, whenever it came.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_for(&self, wanted: impl Fn(&HttpRequest) -> bool) -> HttpRequest {
        let mut count = self.seen.count.subscribe();
        loop {
            if let Some(request) = self.requests().into_iter().find(|request| wanted(request)) {
                return request;
            }
            // The sender lives as long as the server.
            let _ = count.changed().await;
        }
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn serve(stream: TcpStream, connection: u64, seen: Arc<Seen>, handler: Handler) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (seen, handler) = (Arc::clone(&seen), Arc::clone(&handler));
        async move {
            let (head, body) = request.into_parts();
            let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            let request = HttpRequest { method: head.method, path, headers: head.headers, body, connection };
            if seen.keeps {
                seen.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
                seen.count.send_modify(|count| *count += 1);
            }
            handler(request).await.into_response()
        }
    });
    // How it ended is the client's to see.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
