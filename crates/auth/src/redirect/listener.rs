//! The listener on this machine that a browser is sent back to.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinSet};
use url::{Host, Url};

use super::{PATH, Page};
use crate::error::{AuthError, AuthErrorKind};

/// How many browsers' connections are open at once.
const MAX_CONNECTIONS: usize = 16;
/// How long a connection may take for its request, and in all.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const CONNECTION_WITHIN: Duration = Duration::from_secs(30);
/// How long the last page may be on its way.
const PAGE_WITHIN: Duration = Duration::from_secs(2);
/// How long nothing is accepted after that failed, as when there are too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens at the redirect address, on loopback alone.
#[derive(Debug)]
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    uri: String,
    path: String,
}

/// A visit to the redirect address, and where its page is decided.
struct Arrival {
    query: String,
    connection: Id,
    page: tokio::sync::oneshot::Sender<Page>,
}

impl Listener {
    /// Listens at a port that is free.
    pub(crate) async fn anywhere() -> Result<Self, AuthError> {
        let socket = bind(IpAddr::from(Ipv4Addr::LOCALHOST), 0).await.map_err(|error| cannot(0, &error))?;
        let port = socket.local_addr().map_err(|error| cannot(0, &error))?.port();
        Ok(Self { sockets: vec![socket], uri: format!("http://127.0.0.1:{port}{PATH}"), path: PATH.to_owned() })
    }

    /// Listens at the port of an address on this machine. `text` is how the address is registered.
    pub(crate) async fn at(text: &str, url: &Url) -> Result<Self, AuthError> {
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = match url.host() {
            Some(Host::Ipv4(address)) => vec![IpAddr::from(address)],
            Some(Host::Ipv6(address)) => vec![IpAddr::from(address)],
            // A browser may take either.
            _ => vec![IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)],
        };
        let mut sockets = Vec::new();
        let mut failure = None;
        for address in addresses {
            match bind(address, port).await {
                Ok(socket) => sockets.push(socket),
                Err(error) if address.is_ipv6() && !sockets.is_empty() && !is_taken(&error) => lacks_ipv6(&error),
                Err(error) => failure = Some(cannot(port, &error)),
            }
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(Self { sockets, uri: text.to_owned(), path: url.path().to_owned() }),
        }
    }

    /// The address that it listens at, to the letter as it is registered.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Goes on under another spelling of its address, over both protocols: a browser may take either for a name.
    pub(crate) async fn rename(&mut self, text: &str) -> Result<(), AuthError> {
        let port = self.sockets.first().and_then(|socket| socket.local_addr().ok()).map(|address| address.port());
        if let Some(port) = port.filter(|_| self.sockets.len() == 1) {
            match bind(IpAddr::from(Ipv6Addr::LOCALHOST), port).await {
                Ok(socket) => self.sockets.push(socket),
                Err(error) if is_taken(&error) => return Err(cannot(port, &error)),
                Err(error) => lacks_ipv6(&error),
            }
        }
        self.uri = text.to_owned();
        Ok(())
    }

    /// Waits until `judge`, which is given the query of each visit, says that one was the answer. The page follows
    /// from what it says. The port is free again when this ends.
    pub(crate) async fn wait<T>(self, mut judge: impl FnMut(&str) -> (Page, Option<T>)) -> Result<T, AuthError> {
        let (sender, mut arrivals) = mpsc::channel::<Arrival>(MAX_CONNECTIONS);
        let path: Arc<str> = self.path.as_str().into();
        // Ends with this future.
        let mut connections = Connections::default();
        let (first, second) = (self.sockets.first(), self.sockets.get(1));
        loop {
            tokio::select! {
                stream = accept(first) => connections.serve(stream, &path, &sender),
                stream = accept(second) => connections.serve(stream, &path, &sender),
                Some(_) = connections.open.join_next() => {}
                Some(arrival) = arrivals.recv() => {
                    let (page, found) = judge(&arrival.query);
                    let _ = arrival.page.send(page);
                    if let Some(found) = found {
                        let _ = tokio::time::timeout(PAGE_WITHIN, connections.end(arrival.connection)).await;
                        return Ok(found);
                    }
                }
            }
        }
    }
}

/// The connections of browsers, and of whoever else comes.
#[derive(Default)]
struct Connections {
    open: JoinSet<()>,
    /// As they came.
    order: VecDeque<AbortHandle>,
}

impl Connections {
    fn serve(&mut self, stream: TcpStream, path: &Arc<str>, arrivals: &mpsc::Sender<Arrival>) {
        self.order.retain(|connection| !connection.is_finished());
        // Those that are idle must not keep the browser out.
        if self.order.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        self.order.push_back(self.open.spawn(converse(stream, Arc::clone(path), arrivals.clone())));
    }

    /// Waits for the end of one.
    async fn end(&mut self, connection: Id) {
        while let Some(ended) = self.open.join_next_with_id().await {
            let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
            if id == connection {
                return;
            }
        }
    }
}

async fn bind(address: IpAddr, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(address, port)).await
}

/// Whether somebody else has the port. A browser may go to them then, with the code.
fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// This machine may have no such addresses.
fn lacks_ipv6(error: &io::Error) {
    tracing::debug!(%error, "the redirect address is not listened at over IPv6");
}

fn cannot(port: u16, error: &io::Error) -> AuthError {
    let why = format!(
        "port {port} of this machine, where the browser would be sent back to, cannot be listened at ({error}); end what has it, or set another redirect address"
    );
    AuthError::new(AuthErrorKind::Config, why)
}

async fn accept(socket: Option<&TcpListener>) -> TcpStream {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        match socket.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::debug!(%error, "the redirect address takes no connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, path: Arc<str>, arrivals: mpsc::Sender<Arrival>) {
    let service = service_fn(move |request| respond(request, Arc::clone(&path), arrivals.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(32 << 10)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_WITHIN, connection).await {
        tracing::debug!(%error, "a connection to the redirect address broke off");
    }
}

async fn respond(
    request: Request<Incoming>,
    path: Arc<str>,
    arrivals: mpsc::Sender<Arrival>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let page = if request.method() == Method::GET && request.uri().path() == &*path {
        let (sender, page) = tokio::sync::oneshot::channel();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let connection = tokio::task::id();
        match arrivals.send(Arrival { query, connection, page: sender }).await {
            Ok(()) => page.await.unwrap_or(Page::Stray),
            Err(_) => Page::Stray,
        }
    } else {
        Page::Nothing
    };
    let mut response = Response::new(Full::new(Bytes::from(page.html())));
    *response.status_mut() = page.status();
    // The address has a code in it: nothing may be loaded that would be told it.
    const HEADERS: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CONNECTION, HeaderValue::from_static("close")),
    ];
    response.headers_mut().extend(HEADERS);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use bowline_http::HttpClient;
    use http::HeaderMap;

    use super::*;

    async fn visit(url: &str) -> (u16, String) {
        let client = HttpClient::builder().without_proxy().build().unwrap();
        let mut response = client.send(Method::GET, &url.parse().unwrap(), HeaderMap::new(), None).await.unwrap();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            body.extend_from_slice(&chunk);
        }
        (response.status().as_u16(), String::from_utf8(body).unwrap())
    }

    fn judge(query: &str) -> (Page, Option<String>) {
        match query {
            "state=mine" => (Page::Received, Some(query.to_owned())),
            _ => (Page::Stray, None),
        }
    }

    #[tokio::test]
    async fn case_auth_032_the_page_says_signed_in_only_for_the_answer_that_was_waited_for() {
        let listener = Listener::anywhere().await.unwrap();
        let uri = listener.uri().to_owned();
        let waiting = tokio::spawn(listener.wait(judge));
        let (status, page) = visit(&format!("{uri}?state=other")).await;
        assert!(status == 400 && page.contains("Not signed in"), "{page}");
        assert_eq!(visit(&uri.replace(PATH, "/callback/x")).await.0, 404);
        assert_eq!(visit(&uri.replace(PATH, "/favicon.ico")).await.0, 404);
        let (status, page) = visit(&format!("{uri}?state=mine")).await;
        assert!(status == 200 && page.contains("Answer received"), "{page}");
        assert_eq!(waiting.await.unwrap().unwrap(), "state=mine");
        let url: Url = uri.parse().unwrap();
        assert!(Listener::at(&uri, &url).await.is_ok(), "the port is free again");
    }

    #[tokio::test]
    async fn connections_that_say_nothing_keep_the_browser_neither_out_nor_from_its_page() {
        let listener = Listener::anywhere().await.unwrap();
        let uri = listener.uri().to_owned();
        let address = listener.sockets[0].local_addr().unwrap();
        let waiting = tokio::spawn(listener.wait(judge));
        let mut idle = Vec::new();
        for _ in 0..2 * MAX_CONNECTIONS {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        // Without any doing, the idle ones end after twice as long.
        let page = tokio::time::timeout(HEAD_WITHIN, visit(&format!("{uri}?state=mine"))).await;
        assert_eq!(page.unwrap().0, 200);
        assert!(waiting.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn case_auth_029_a_name_is_listened_at_over_both_protocols_and_kept_to_the_letter() {
        let free = Listener::anywhere().await.unwrap();
        let url: Url = free.uri().parse().unwrap();
        let port = url.port().unwrap();
        assert!(Listener::at(free.uri(), &url).await.unwrap_err().to_string().contains(&port.to_string()));
        drop(free);
        let text = format!("http://localhost:{port}/callback");
        let listener = Listener::at(&text, &text.parse().unwrap()).await.unwrap();
        assert_eq!(listener.uri(), text);
        assert!(listener.sockets.iter().all(|socket| socket.local_addr().unwrap().ip().is_loopback()));
        let waiting = tokio::spawn(listener.wait(judge));
        assert_eq!(visit(&format!("http://127.0.0.1:{port}/callback?state=mine")).await.0, 200);
        assert!(waiting.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn case_auth_029_a_name_whose_port_somebody_else_has_over_one_protocol_is_not_listened_at() {
        let (port, _other) = loop {
            let Ok(other) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
                // Nobody has a port over a protocol that a machine lacks: the name is listened at over the other one.
                let mut listener = Listener::anywhere().await.unwrap();
                let text = listener.uri().replace("127.0.0.1", "localhost");
                assert!(listener.rename(&text).await.is_ok());
                assert_eq!((listener.uri(), listener.sockets.len()), (text.as_str(), 1));
                return;
            };
            let port = other.local_addr().unwrap().port();
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                break (port, other);
            }
        };
        let text = format!("http://localhost:{port}/callback");
        let error = Listener::at(&text, &text.parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains(&format!("port {port} of this machine")), "{error}");
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let number = format!("http://127.0.0.1:{port}{PATH}");
        let mut listener = Listener { sockets: vec![socket], uri: number.clone(), path: PATH.to_owned() };
        assert!(listener.rename(&text).await.is_err());
        assert_eq!((listener.uri(), listener.sockets.len()), (number.as_str(), 1));
    }

    #[test]
    fn a_page_repeats_nothing() {
        for page in [Page::Received, Page::Failed, Page::Stray, Page::Nothing] {
            assert!(page.html().starts_with("<!doctype html>") && !page.html().contains("script"));
        }
    }
}
