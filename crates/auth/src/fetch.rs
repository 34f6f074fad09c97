//! Guarded requests: everything that authorization asks of others goes through here.
//!
//! What a server names is foreign: by it an attacker would have this machine ask for addresses of their choice
//! (security best practices, section on SSRF). So there is https alone, or plain http on this machine where the server
//! itself is on it; addresses are checked after names are resolved; redirects are not followed; sizes and times are
//! bounded.

mod address;

use std::sync::Arc;
use std::time::Duration;

use bowline_http::{Handover, HttpClient, HttpResponse, shown};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::Instant;
use url::{Host, Url};

use self::address::Reach;
use crate::error::{AuthError, AuthErrorKind};

/// The largest answer that is read, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// How long one request may take, its answer included.
const WITHIN: Duration = Duration::from_secs(30);

/// Asks others for metadata, tokens and registrations.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    /// For the server's own origin, which the program named.
    open: HttpClient,
    /// For whatever the server names.
    guarded: HttpClient,
    server: Url,
    /// Whether the server is on this machine.
    local: bool,
    /// Whether what it names may be in a private network.
    private: bool,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is sent.
pub(crate) enum Body {
    Form(String),
    Json(String),
}

impl Fetcher {
    pub(crate) fn new(client: HttpClient, server: &Url, private_networks: bool) -> Self {
        let local = is_here(server);
        let private = private_networks || local;
        let guarded = client.permit_addresses(move |address| match Reach::of(address) {
            Reach::Public => true,
            Reach::Loopback => local,
            Reach::Private => private,
            Reach::Never => false,
        });
        Self { open: client, guarded, server: server.clone(), local, private }
    }

    /// Whether an address may be asked, as far as that is told before its name is resolved.
    pub(crate) fn permits(&self, what: &str, url: &Url) -> Result<(), AuthError> {
        let at = shown(url);
        let blocked = |why: &str| Err(AuthError::new(AuthErrorKind::Blocked, format!("the {what} {at} {why}")));
        if !url.username().is_empty() || url.password().is_some() {
            return blocked("has a user or password in it; no credentials go into such addresses");
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_here(url) && self.local => Ok(()),
            "http" if is_here(url) => blocked("is on this machine, and the server that names it is not"),
            "http" => blocked("is not https, and plain http may lead to this machine only"),
            _ => blocked("is of a scheme that is not asked; only https is"),
        }
    }

    /// An answer that redirects comes without its headers and body: it is for the caller to say what it means.
    pub(crate) async fn get(&self, what: &str, url: &Url, headers: HeaderMap) -> Result<Answer, AuthError> {
        self.ask(what, Method::GET, url, headers, None).await
    }

    pub(crate) async fn post(
        &self,
        what: &str,
        url: &Url,
        mut headers: HeaderMap,
        body: Body,
    ) -> Result<Answer, AuthError> {
        let (kind, text) = match body {
            Body::Form(text) => ("application/x-www-form-urlencoded", text),
            Body::Json(text) => ("application/json", text),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        self.ask(what, Method::POST, url, headers, Some(Bytes::from(text))).await
    }

    /// The headers by which the server refuses a request without credentials; none where it does not.
    ///
    /// It is asked for a stream, and where it says nothing of credentials, as servers do that have none, by a message.
    pub(crate) async fn probe(&self, server: &Url) -> Result<HeaderMap, AuthError> {
        const EITHER: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        // It changes nothing, and is allowed before a handshake (basic/lifecycle, initialization).
        const PING: &[u8] = br#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#;
        let began = Instant::now();
        for method in [Method::GET, Method::POST] {
            let mut headers = HeaderMap::from_iter([(ACCEPT, EITHER)]);
            let handover = Arc::new(Handover::default());
            let body = (method == Method::POST).then(|| (Bytes::from_static(PING), &handover));
            if body.is_some() {
                headers.insert(CONTENT_TYPE, JSON);
            }
            // Both together take no longer than any other request. Some keep silent until they have something to say, so
            // the second has its time in any case.
            let (until, is_second) = if body.is_some() { (WITHIN, true) } else { (WITHIN / 2, false) };
            // A stream that it opens is closed again.
            let asked = self.open.send(method, server, headers, body);
            let response = match tokio::time::timeout_at(began + until, asked).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) if !is_second => return Err(error.into()),
                // Who ends a connection over a ping says nothing of credentials.
                _ => continue,
            };
            if response.status() == StatusCode::UNAUTHORIZED {
                return Ok(response.headers().clone());
            }
        }
        Ok(HeaderMap::new())
    }

    /// The status of a page, and where it redirects to, which is not asked.
    pub(crate) async fn leads_to(&self, what: &str, url: &Url) -> Result<(StatusCode, Option<Url>), AuthError> {
        self.permits(what, url)?;
        let work = self.client(url).send(Method::GET, url, HeaderMap::new(), None);
        let response = tokio::time::timeout(WITHIN, work).await.map_err(|_| late(what, url))??;
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let to = location.filter(|_| response.status().is_redirection()).and_then(|location| url.join(location).ok());
        Ok((response.status(), to))
    }

    /// The client for an address that may be asked.
    fn client(&self, url: &Url) -> &HttpClient {
        if url.origin() == self.server.origin() { &self.open } else { &self.guarded }
    }

    async fn ask(
        &self,
        what: &str,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Answer, AuthError> {
        self.permits(what, url)?;
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let client = self.client(url);
        let asks = method == Method::GET;
        let handover = Arc::new(Handover::default());
        let work = async {
            let body = body.map(|bytes| (bytes, &handover));
            let sent = client.send(method, url, headers, body).await;
            let mut response = sent.map_err(|error| self.unsent(what, url, error.into()))?;
            if response.status().is_redirection() {
                if asks {
                    // Metadata may be elsewhere. What it leads to is not read.
                    return Ok(Answer { status: response.status(), headers: HeaderMap::new(), body: Bytes::new() });
                }
                return Err(redirects(what, url));
            }
            let body = read(&mut response, what, url).await?;
            Ok(Answer { status: response.status(), headers: response.headers().clone(), body })
        };
        tokio::time::timeout(WITHIN, work).await.unwrap_or_else(|_| Err(late(what, url)))
    }

    /// Says what must not be asked, where the error names an address alone.
    fn unsent(&self, what: &str, url: &Url, error: AuthError) -> AuthError {
        if error.kind() != AuthErrorKind::Blocked {
            return error;
        }
        let next = match self.private {
            true => "",
            false => "; where it is in a network of your own, allow such (`allow_private_networks`)",
        };
        let why = format!("the {what} {} is not asked: {error}{next}", shown(url));
        AuthError::new(AuthErrorKind::Blocked, why).with_source(error)
    }
}

fn late(what: &str, url: &Url) -> AuthError {
    let why = format!("the {what} {} gave no answer within {} s; try again later", shown(url), WITHIN.as_secs());
    AuthError::new(AuthErrorKind::Timeout, why)
}

/// The error for an answer that leads elsewhere.
pub(crate) fn redirects(what: &str, url: &Url) -> AuthError {
    let why = format!("the {what} {} redirects, and redirects are not followed here", shown(url));
    AuthError::new(AuthErrorKind::Blocked, why)
}

async fn read(response: &mut HttpResponse, what: &str, url: &Url) -> Result<Bytes, AuthError> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if whole.len() + chunk.len() > MAX_BYTES {
            let why = format!("the answer of the {what} {} is larger than {} KiB", shown(url), MAX_BYTES >> 10);
            return Err(AuthError::new(AuthErrorKind::Discovery, why));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Whether a URL leads to this machine by its spelling alone.
pub(crate) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn fetcher(server: &str) -> Fetcher {
        Fetcher::new(HttpClient::builder().build().unwrap(), &server.parse().unwrap(), false)
    }

    fn permits(server: &str, url: &str) -> Result<(), String> {
        fetcher(server).permits("token endpoint", &url.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_29_se_02_only_https_or_this_machine_from_this_machine() {
        assert!(permits("https://mcp.example/mcp", "https://as.example/t").is_ok());
        for here in ["http://127.0.0.1:1/t", "http://localhost/t", "http://[::1]:9/t", "http://0x7f.1/t"] {
            assert!(permits("http://localhost:3000/mcp", here).is_ok(), "{here}");
            assert!(permits("https://mcp.example/mcp", here).is_err(), "{here}");
        }
        for url in [
            "http://as.example/t",
            "http://x.localhost/t",
            "file:///etc/passwd",
            "ftp://as.example/",
            "https://u:p@as.example/",
        ] {
            let why = permits("http://localhost/mcp", url).unwrap_err();
            assert!(why.contains("token endpoint") && !why.contains("u:p"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_the_connection_over_a_message_spoils_no_login() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}/mcp", listener.local_addr().unwrap());
        let serving = async {
            let mut seen = Vec::new();
            while !seen.iter().any(|first: &String| first.starts_with("POST")) {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                let count = stream.read(&mut head).await.unwrap();
                seen.push(String::from_utf8_lossy(&head[..count]).into_owned());
                if seen.last().unwrap().starts_with("GET") {
                    let answer = b"HTTP/1.1 405 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            }
            seen.len()
        };
        let fetcher = fetcher(&server);
        let url = server.parse().unwrap();
        let (headers, asked) = tokio::join!(fetcher.probe(&url), serving);
        assert_eq!((headers.unwrap(), asked), (HeaderMap::new(), 2));
    }

    #[tokio::test]
    async fn se_03_addresses_that_are_not_public_are_not_connected_to() {
        for url in [
            "https://169.254.169.254/latest/meta-data",
            "https://[fd00:ec2::254]/",
            "https://10.0.0.1/",
            "https://127.0.0.1:1/",
            "https://[::ffff:169.254.169.254]/",
            "https://0/",
            "https://0xa9fea9fe/",
        ] {
            let error = fetcher("https://mcp.example").get("metadata", &url.parse().unwrap(), HeaderMap::new()).await;
            let error = error.unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::Blocked, "{url}: {error}");
            let text = error.to_string();
            assert!(text.contains("metadata https://") && text.contains("`allow_private_networks`"), "{text}");
        }
        let from_here = fetcher("http://127.0.0.1:1/mcp");
        let url = "https://169.254.169.254/".parse().unwrap();
        let error = from_here.get("metadata", &url, HeaderMap::new()).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Blocked, "{error}");
    }
}
