//! One server: its address, its headers, its credentials, and which redirects are followed.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_transport::{Network, Secrets, Sent, TransportError, TransportErrorKind};
use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::answer::{self, Kind};
use crate::authorize::{AuthRequest, Authorize, Challenge, Retry};
use crate::client::{HttpClient, HttpResponse, Target, shown};
use crate::events::EventReader;
use crate::handover::Handover;
use crate::header::Headers;

/// How many redirects are followed, one after another.
const MAX_REDIRECTS: usize = 5;

/// A server that speaks HTTP: who asks it, with which headers and credentials.
///
/// Whatever it sends stays on the server's origin. Headers and credentials are nowhere shown.
///
/// ```
/// use bowline_http::Endpoint;
///
/// let endpoint = Endpoint::new("https://me:secret@mcp.example/mcp?key=secret")?;
/// assert_eq!(endpoint.describe(), "https://mcp.example/mcp?\u{2026}");
/// # Ok::<(), bowline_transport::TransportError>(())
/// ```
#[derive(Clone)]
pub struct Endpoint {
    client: HttpClient,
    url: Url,
    headers: HeaderMap,
    authorize: Option<Arc<dyn Authorize>>,
}

impl Endpoint {
    /// The server at an `http` or `https` URL. A user and password in it become basic authentication.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when the URL is none, or of another scheme.
    pub fn new(url: &str) -> Result<Self, TransportError> {
        let config = |message: String| TransportError::new(TransportErrorKind::Config, message);
        let mut url = Url::parse(url.trim())
            .map_err(|error| config(format!("the address is no URL ({error}); write it as https://host/path")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(config(format!("the scheme \"{}\" is not spoken here; use http or https", url.scheme())));
        }
        let mut headers = HeaderMap::new();
        if !url.username().is_empty() || url.password().is_some() {
            let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
            let pair = [decoded(url.username()), decoded(url.password().unwrap_or_default())].join(&b':');
            if let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))) {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            // A URL with a host takes both.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        url.set_fragment(None);
        Ok(Self { client: HttpClient::builder().build()?, url, headers, authorize: None })
    }

    /// Speaks through this client, which may be shared with others.
    #[must_use]
    pub fn client(mut self, client: HttpClient) -> Self {
        self.client = client;
        self
    }

    /// Sends a header with every request. Those of the protocol itself, such as `Accept`, cannot be changed.
    #[must_use]
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// Asks this for credentials.
    #[must_use]
    pub fn authorize(mut self, authorize: Arc<dyn Authorize>) -> Self {
        self.authorize = Some(authorize);
        self
    }

    /// The address.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The headers that go with every request, to be added to.
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The client.
    pub const fn http(&self) -> &HttpClient {
        &self.client
    }

    /// The address for messages, without secrets.
    pub fn describe(&self) -> String {
        shown(&self.url)
    }

    /// What the server is reached by, for traces.
    pub fn network(&self) -> Network {
        let network = Network::new("tcp").with_protocol("http");
        match self.url.host_str() {
            // An address of IPv6 is in brackets only where a port may follow it.
            Some(host) => network.with_server(host.trim_matches(['[', ']']), self.url.port_or_known_default()),
            None => network,
        }
    }

    /// Whether somebody is being asked for credentials right now ([`Authorize::waits_for_person`]).
    pub fn waits_for_person(&self) -> bool {
        self.authorize.as_ref().is_some_and(|authorize| authorize.waits_for_person())
    }

    /// What the request for a stream told the server in confidence, to be kept out of what quotes the stream, and what
    /// the queries of the other addresses that belong to it hold.
    pub fn confided(&self, stream: &EventReader, others: &[&Url]) -> Secrets {
        let secrets = confided(&self.url, &self.headers, stream.given());
        others.iter().fold(secrets, |secrets, url| with_query(secrets, url))
    }

    /// Sends a request and waits for the head of the answer, which may have any status.
    ///
    /// `headers` begin as [`headers`](Self::headers); credentials are added. Redirects that keep the method (307,
    /// 308) are followed within the origin, five at most; the answer comes with the address that it came from.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer, when credentials cannot be had, or when it redirects
    /// elsewhere.
    ///
    /// # Cancel safety
    /// Dropping the future gives the request up; the [`Handover`] tells whether it may have left.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &HeaderMap,
        body: Option<(&Bytes, &Arc<Handover>)>,
    ) -> Result<(HttpResponse, Option<Url>), TransportError> {
        if url.origin() != self.url.origin() {
            return Err(refused(format!("{} is on another origin than {}", shown(url), self.describe())));
        }
        let target = self.client.target(url.clone());
        let (response, moved) = self.send_to(method, &target, headers.into(), body).await?;
        Ok((response, moved.map(|target| target.url().clone())))
    }

    /// As [`send`](Self::send), to an address on this origin.
    pub(crate) async fn send_to(
        &self,
        method: Method,
        target: &Target,
        headers: Headers<'_>,
        body: Option<(&Bytes, &Arc<Handover>)>,
    ) -> Result<(HttpResponse, Option<Target>), TransportError> {
        let (response, sent) = self.ask(&method, target, headers, body).await?;
        if !wants_another(&response) {
            return Ok((response, None));
        }
        // On the heap, so that other requests have no room for it.
        Box::pin(self.go_on(response, sent, method, target, headers, body)).await
    }

    /// As [`send_to`](Self::send_to), once: nobody is asked for other credentials, and no redirect is followed.
    pub(crate) async fn send_once(
        &self,
        method: Method,
        target: &Target,
        headers: Headers<'_>,
    ) -> Result<HttpResponse, TransportError> {
        self.ask(&method, target, headers, None).await.map(|(response, _)| response)
    }

    /// Sends a request once. Tells the credentials that it was sent with too, where somebody gives them.
    async fn ask(
        &self,
        method: &Method,
        target: &Target,
        headers: Headers<'_>,
        body: Option<(&Bytes, &Arc<Handover>)>,
    ) -> Result<(HttpResponse, Option<HeaderValue>), TransportError> {
        let base = headers.base;
        let mut headers = headers.make()?;
        let mut given = Vec::new();
        let mut credentials = None;
        if let Some(authorize) = &self.authorize {
            authorize.authorize(&mut AuthRequest::new(method, target.url(), headers.to_mut())).await?;
            given = added(&headers, base);
            credentials = headers.get(AUTHORIZATION).cloned();
        }
        let mut response = self.client.send_to(method.clone(), target, headers, body, false).await?;
        if let Some(authorize) = &self.authorize {
            authorize.answered(response.headers());
            if let Some(sent) = credentials.as_ref().filter(|_| response.status().is_success()) {
                authorize.accepted(sent);
            }
        }
        // Of a success with a message in it no error quotes more than that.
        let good = response.status().is_success()
            && match answer::kind(&response) {
                Kind::Events => true,
                Kind::Json => method == Method::POST,
                Kind::Untyped | Kind::Other => false,
            };
        if good {
            response.keep_given(given);
        } else {
            response.confide(confided(target.url(), base, &given));
        }
        Ok((response, credentials))
    }

    /// Goes on after an answer that asks for credentials or leads elsewhere.
    async fn go_on(
        &self,
        mut response: HttpResponse,
        mut sent: Option<HeaderValue>,
        method: Method,
        target: &Target,
        headers: Headers<'_>,
        body: Option<(&Bytes, &Arc<Handover>)>,
    ) -> Result<(HttpResponse, Option<Target>), TransportError> {
        let mut moved: Option<Target> = None;
        let (mut redirects, mut attempt) = (0, 1);
        while wants_another(&response) {
            let at = moved.as_ref().unwrap_or(target).url();
            let status = response.status();
            if status.is_redirection() {
                redirects += 1;
                let next = self.follow(at, &response, redirects)?;
                moved = Some(self.client.target(next));
            } else {
                let Some(authorize) = self.authorize.as_ref().filter(|_| attempt < Challenge::MAX_ATTEMPTS) else {
                    break;
                };
                let challenge = Challenge::new(status, at, response.headers(), sent.as_ref(), attempt);
                if authorize.challenged(challenge).await? == Retry::GiveUp {
                    break;
                }
                attempt += 1;
            }
            // Neither was processed.
            if let Some((_, handover)) = body {
                handover.again();
            }
            (response, sent) = self.ask(&method, moved.as_ref().unwrap_or(target), headers, body).await?;
        }
        Ok((response, moved))
    }

    /// Where a redirect leads, if it may be followed.
    fn follow(&self, from: &Url, response: &HttpResponse, count: usize) -> Result<Url, TransportError> {
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(to) = location.and_then(|location| from.join(location).ok()) else {
            return Err(refused(format!("{} redirects ({status}) to an address that is none", shown(from))));
        };
        let (from, at) = (response.hide(&shown(from)), response.hide(&shown(&to)));
        let error = if !matches!(status, 307 | 308) {
            format!("{from} redirects ({status}) to {at} in a way that loses the message; connect to that address")
        } else if to.origin() != self.url.origin() {
            format!(
                "{from} redirects ({status}) to another origin, {at}, where no credentials may go; connect to that address if you trust it"
            )
        } else if count > MAX_REDIRECTS {
            format!("{from} redirects ({status}) more than {MAX_REDIRECTS} times, at last to {at}; check the address")
        } else {
            return Ok(to);
        };
        Err(refused(error).with_status(status))
    }
}

/// Whether an answer may ask for another request: with credentials, or elsewhere.
fn wants_another(response: &HttpResponse) -> bool {
    let status = response.status();
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        || (status.is_redirection() && response.headers().contains_key(LOCATION))
}

/// A request that was not processed, or not even sent.
fn refused(message: String) -> TransportError {
    TransportError::new(TransportErrorKind::Protocol, message).with_sent(Sent::No)
}

/// The values that the hook for credentials added; what the protocol itself writes is none.
fn added(headers: &HeaderMap, base: &HeaderMap) -> Vec<HeaderValue> {
    let own = headers.iter().filter(|(name, _)| !name.as_str().starts_with("mcp-"));
    let added = own.filter(|(name, value)| base.get(*name) != Some(value));
    added.map(|(_, value)| value.clone()).collect()
}

/// What a request told the server in confidence: its query, credentials, session and headers of the caller's own.
pub(crate) fn confided(url: &Url, base: &HeaderMap, given: &[HeaderValue]) -> Secrets {
    let mut secrets = with_query(Secrets::default(), url);
    for value in base.values().filter(|value| value.is_sensitive()).chain(given) {
        let text = String::from_utf8_lossy(value.as_bytes());
        secrets = secrets.with_header(&text);
        let basic = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        if let Some(pair) = basic.and_then(|(_, pair)| STANDARD.decode(pair.trim()).ok()) {
            let pair = String::from_utf8_lossy(&pair);
            secrets = secrets.with(&*pair);
            secrets = pair.splitn(2, ':').fold(secrets, Secrets::with);
        }
    }
    secrets
}

/// Adds the values of a query, as they are written and as they are meant.
fn with_query(secrets: Secrets, url: &Url) -> Secrets {
    let secrets = secrets.with_query(url.query().unwrap_or_default());
    url.query_pairs().fold(secrets, |secrets, (_, value)| secrets.with(value))
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.describe())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("authorize", &self.authorize)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_is_spoken() {
        for url in ["ftp://h/", "mcp.example", "file:///etc/passwd", "", "javascript:alert(1)"] {
            assert_eq!(Endpoint::new(url).unwrap_err().kind(), TransportErrorKind::Config, "{url}");
        }
        assert!(Endpoint::new(" HTTPS://Mcp.Example ").is_ok());
    }

    #[test]
    fn case_security_010_a_password_in_the_url_becomes_a_header_and_is_nowhere_shown() {
        let endpoint = Endpoint::new("https://u:pw-SECRET%3A4@h/mcp?key=q-SECRET-5#SECRET").unwrap();
        let endpoint = endpoint.header(HeaderName::from_static("x-api-key"), HeaderValue::from_static("k-SECRET-2"));
        assert_eq!(endpoint.headers()[AUTHORIZATION], format!("Basic {}", STANDARD.encode("u:pw-SECRET:4")).as_str());
        let text = format!("{endpoint:?} {} {:?}", endpoint.describe(), endpoint.headers());
        assert!(!text.contains("SECRET") && !text.contains("dTpw"), "{text}");
    }

    #[test]
    fn case_security_010_what_a_request_says_in_confidence_is_known() {
        let endpoint = Endpoint::new("https://me-SECRET-1:pw-SECRET-2@h/mcp?key=q%20SECRET%2D3").unwrap();
        let endpoint = endpoint.header(HeaderName::from_static("x-api-key"), HeaderValue::from_static("k-SECRET-4"));
        let base = endpoint.headers();
        let mut headers = base.clone();
        headers.insert("dpop", HeaderValue::from_static("p-SECRET-5"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("DPoP tok-SECRET-6"));
        let given = added(&headers, base);
        let secrets = confided(endpoint.url(), base, &given);
        let echo = format!(
            "me-SECRET-1 pw-SECRET-2 q%20SECRET%2D3 {:?} k-SECRET-4 p-SECRET-5 tok-SECRET-6 {}",
            "q SECRET-3",
            STANDARD.encode("me-SECRET-1:pw-SECRET-2")
        );
        let hidden = secrets.hide(&echo);
        assert_eq!(hidden, "(hidden) (hidden) (hidden) \"(hidden)\" (hidden) (hidden) (hidden) (hidden)");
    }
}
