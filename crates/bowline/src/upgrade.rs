//! WebSocket with credentials: the hook of HTTP requests, asked for the upgrade.

use std::sync::{Arc, Mutex, PoisonError};

use bowline_http::{AuthRequest, Authorize, Challenge, Retry};
use bowline_transport::{BoxFuture, Connect, Transport, TransportError, TransportErrorKind, WrapConnect};
use bowline_websocket::WebSocketConnect;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// A server over WebSocket that somebody has credentials for.
pub(crate) struct Authorized {
    way: WebSocketConnect,
    url: Url,
    authorize: Arc<dyn Authorize>,
}

impl Authorized {
    pub(crate) fn new(way: WebSocketConnect, url: &str, authorize: Arc<dyn Authorize>) -> Result<Self, TransportError> {
        let url = Url::parse(url.trim()).map_err(|error| {
            TransportError::new(TransportErrorKind::Config, format!("the address is no URL ({error})"))
        })?;
        Ok(Self { way, url, authorize })
    }

    async fn open(&self) -> Result<Box<dyn Transport>, TransportError> {
        let mut attempt = 1;
        loop {
            let mut headers = HeaderMap::new();
            self.authorize.authorize(&mut AuthRequest::new(&Method::GET, &self.url, &mut headers)).await?;
            let mut way = self.way.clone();
            for (name, value) in &headers {
                way = way.header(name, value.to_str().unwrap_or_default());
            }
            let told = Arc::new(Mutex::new(HeaderMap::new()));
            let hear = Arc::clone(&told);
            way = way.on_answer(move |headers| {
                headers.clone_into(&mut hear.lock().unwrap_or_else(PoisonError::into_inner));
            });
            let done = way.connect().await;
            let told = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
            self.authorize.answered(&told);
            let error = match done {
                Ok(transport) => {
                    if let Some(sent) = headers.get(AUTHORIZATION) {
                        self.authorize.accepted(sent);
                    }
                    return Ok(transport);
                }
                Err(error) => error,
            };
            let status = match error.status() {
                Some(401) => StatusCode::UNAUTHORIZED,
                Some(403) => StatusCode::FORBIDDEN,
                _ => return Err(error),
            };
            let sent = headers.get(AUTHORIZATION);
            let challenge = Challenge::new(status, &self.url, &told, sent, attempt);
            if attempt == Challenge::MAX_ATTEMPTS || self.authorize.challenged(challenge).await? == Retry::GiveUp {
                return Err(error);
            }
            attempt += 1;
        }
    }
}

impl WrapConnect for Authorized {
    type Inner = WebSocketConnect;

    fn inner(&self) -> &WebSocketConnect {
        &self.way
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(self.open())
    }

    fn waits_for_person(&self) -> bool {
        self.authorize.waits_for_person()
    }
}
