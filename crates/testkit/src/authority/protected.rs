//! The server that tokens are for.

mod gate;
mod settings;

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;

use self::gate::Gate;
pub(super) use self::gate::{By, Trusted};
pub use self::settings::ProtectedSettings;
use super::AuthServer;
use super::core::lock;
use super::jwt::secret;
use super::log::{Asked, Log};
use crate::http::{HttpServer, MockHttp};
use crate::server::MockServer;

/// An MCP server that wants tokens of an [`AuthServer`], on a free port of this machine; made by
/// [`AuthServer::protect`].
///
/// It counts what it was asked and never shows a token. Dropping it closes everything at once.
#[derive(Debug)]
pub struct ProtectedServer {
    http: HttpServer,
    gate: Arc<Gate>,
}
impl AuthServer {
    /// As what a protected server takes its tokens for.
    pub(super) fn trusted(&self) -> Trusted {
        Trusted { issuer: self.issuer(), by: By::Core(Arc::clone(&self.core)) }
    }
}

impl ProtectedServer {
    pub(super) fn on(
        listener: TcpListener,
        server: MockServer,
        trusted: Trusted,
        settings: ProtectedSettings,
    ) -> io::Result<Self> {
        let gate = Arc::new(Gate {
            settings: Mutex::new(settings),
            trusted: Mutex::new(vec![trusted]),
            front: MockHttp::new(server).into_front(),
            nonce: Mutex::new(secret("nonce")),
            origin: format!("http://{}", listener.local_addr()?),
            log: Log::new(),
        });
        gate.register();
        let http = {
            let gate = Arc::clone(&gate);
            HttpServer::forgetful(listener, move |request| {
                let gate = Arc::clone(&gate);
                async move { gate.handle(request).await }
            })?
        };
        Ok(Self { http, gate })
    }

    /// Puts a mock server behind tokens of any authorization server, on a free port. `judge` says whether a token is
    /// good, by the scopes that it has, such as by asking that server (RFC 7662).
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start<J, R>(
        server: MockServer,
        issuer: &str,
        judge: J,
        settings: ProtectedSettings,
    ) -> io::Result<Self>
    where
        J: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = Option<Vec<String>>> + Send + 'static,
    {
        let by = By::Judge(Arc::new(move |token| Box::pin(judge(token))));
        let trusted = Trusted { issuer: issuer.to_owned(), by };
        Self::on(TcpListener::bind("127.0.0.1:0").await?, server, trusted, settings)
    }

    /// The URL that clients connect to.
    pub fn url(&self) -> String {
        self.http.url(&lock(&self.gate.settings).path)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.gate.origin.clone()
    }

    /// The resource that tokens are to be for.
    pub fn resource(&self) -> String {
        let settings = lock(&self.gate.settings).clone();
        self.gate.resource(&settings)
    }

    /// Changes what it does, from the next request on.
    pub fn change(&self, change: impl FnOnce(ProtectedSettings) -> ProtectedSettings) {
        let mut settings = lock(&self.gate.settings);
        *settings = change(settings.clone());
        drop(settings);
        self.gate.register();
    }

    /// Names another authorization server in its metadata, and takes no tokens of the one before.
    pub fn move_to(&self, authority: &AuthServer) {
        *lock(&self.gate.trusted) = vec![authority.trusted()];
        self.gate.register();
    }

    /// Names one more authorization server in its metadata, after the others, and takes its tokens too.
    pub fn trust(&self, authority: &AuthServer) {
        lock(&self.gate.trusted).push(authority.trusted());
        self.gate.register();
    }

    /// Gives another nonce from now on, and takes no proof with the one before.
    pub fn change_nonce(&self) {
        *lock(&self.gate.nonce) = secret("nonce");
    }

    /// What it was asked so far, in this order. What [`host_authorization`](ProtectedSettings::host_authorization)
    /// answers is in the log of the [`AuthServer`].
    pub fn asked(&self) -> Vec<Asked> {
        self.gate.log.all()
    }

    /// Waits for a request that `wanted` accepts, whenever it came.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_for(&self, wanted: impl Fn(&Asked) -> bool) -> Asked {
        self.gate.log.wait_for(wanted).await
    }
}
