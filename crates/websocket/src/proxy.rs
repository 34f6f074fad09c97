//! The way through a proxy, by HTTP CONNECT. RFC 9110, section 9.3.6.

use std::time::Duration;

use bowline_socket::TcpConnect;
use bowline_transport::{TransportError, TransportErrorKind};
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, Uri};
use http_body_util::Empty;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;

use crate::stream::Bytestream;
use crate::target::{Target, config};
use crate::upgrade::switch;

/// A proxy that leads to a server.
pub(crate) struct Proxy {
    /// Host and port.
    address: String,
    /// What the proxy itself wants to know; nothing of the server's is ever sent to it.
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// The proxy that the environment or the system names for a server, if it does.
    pub(crate) fn from_system(target: &Target) -> Result<Option<Self>, TransportError> {
        Self::of(target, &Matcher::from_system())
    }

    fn of(target: &Target, matcher: &Matcher) -> Result<Option<Self>, TransportError> {
        // The rules know the schemes of HTTP alone.
        let scheme = if target.secure { "https" } else { "http" };
        let found = format!("{scheme}://{}/", target.authority).parse::<Uri>().ok();
        let Some(found) = found.and_then(|uri| matcher.intercept(&uri)) else { return Ok(None) };
        let (uri, authorization) = (found.uri(), found.basic_auth().cloned());
        let host = uri.host().unwrap_or_default();
        if uri.scheme_str() != Some("http") || host.is_empty() {
            let scheme = uri.scheme_str().unwrap_or_default();
            return Err(config(format!(
                "the proxy for `{target}` is spoken to by {scheme}, and by http alone it can be; name one by http:// in HTTPS_PROXY or HTTP_PROXY, or the host in NO_PROXY"
            )));
        }
        Ok(Some(Self { address: format!("{host}:{}", uri.port_u16().unwrap_or(80)), authorization }))
    }

    /// Connects through the proxy. `limit` is for the connection to the proxy.
    pub(crate) async fn tunnel(self, target: &Target, limit: Duration) -> Result<Box<dyn Bytestream>, TransportError> {
        let at = &self.address;
        let failed = |why: String| {
            let message = format!(
                "the proxy at `{at}` does not lead to `{target}`: {why}; correct HTTPS_PROXY or HTTP_PROXY, or name the host in NO_PROXY"
            );
            TransportError::new(TransportErrorKind::Connect, message)
        };
        let tcp = TcpConnect::new(at).connect_timeout(limit).open().await;
        let tcp = tcp.map_err(|error| failed(error.to_string()).with_source(error))?;
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(target.address.as_str())
            .header(HOST, target.address.as_str())
            .body(Empty::new());
        let mut request =
            request.map_err(|error| config(format!("a proxy cannot be asked for `{target}`")).with_source(error))?;
        if let Some(authorization) = self.authorization.clone() {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        let judge = async |response: hyper::Response<_>| match response.status().as_u16() {
            200..=299 => Ok(response),
            407 => Err(failed("it wants other credentials (status 407), as in http://user:password@host:port".into())),
            status => Err(failed(format!("it answered with status {status}"))),
        };
        let hung_up = |error: hyper::Error| failed("it speaks no HTTP, or hung up".to_owned()).with_source(error);
        let upgraded = switch(tcp, request, judge, hung_up).await?;
        tracing::debug!(proxy = %at, server = %target, "connected through a proxy");
        Ok(Box::new(TokioIo::new(upgraded)))
    }
}

#[cfg(test)]
mod tests;
