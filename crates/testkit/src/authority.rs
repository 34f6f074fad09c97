//! Authorization to test against: a server that gives tokens, and an MCP server that wants them.
//!
//! [`AuthServer`] speaks OAuth 2.1 as MCP has it in all its revisions: discovery in each layout, registration, codes
//! with PKCE that is checked, refresh tokens that are used once, client credentials by secret and by signature, device
//! codes, assertions and their exchange, proofs of possession, revocation. It consents at once, without a page, so that
//! a test needs no browser: whoever follows the redirect of `/authorize` is back. [`ProtectedServer`] is a
//! [`MockServer`] behind HTTP that takes none but its tokens.
//!
//! Both can be told to do wrong, also while they run; both keep what they were asked, with `…` in place of every secret.
//!
//! ```
//! use bowline_testkit::MockServer;
//! use bowline_testkit::authority::{Answer, AuthServer, ChallengeWith, Endpoint, MetadataAt, ProtectedSettings};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let auth = AuthServer::builder().issuer_path("/tenant/x").metadata_at(&[MetadataAt::OpenIdAppended]).start().await?;
//! let settings = ProtectedSettings::default().challenge(ChallengeWith::NoMetadata).challenge_scope("files:read");
//! let server = auth.protect(MockServer::builder().build(), settings).await?;
//! println!("connect to {}, which trusts {}", server.url(), auth.issuer());
//!
//! // What goes wrong, and what was seen of it.
//! auth.change(|settings| settings.answer_once(Endpoint::Token, Answer::Html(200)));
//! auth.expire_tokens();
//! assert_eq!(auth.counts().refreshes, 0);
//! assert!(server.asked().is_empty());
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

mod answer;
mod assertion;
mod authorize;
mod clients;
mod core;
mod device;
mod dpop;
mod form;
mod jwt;
mod layout;
mod ledger;
mod log;
mod overwrites;
mod protected;
mod refusal;
mod settings;
mod token;

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::time::Instant;

pub use self::answer::{Answer, Endpoint};
pub use self::clients::{Client, ClientAuth};
pub use self::jwt::SigningKey;
pub use self::layout::{ChallengeWith, MetadataAt, ResourceMetadataAt};
pub use self::log::{Asked, AuthCounts};
pub use self::protected::{ProtectedServer, ProtectedSettings};
pub use self::settings::{AuthSettings, Iss, State};

use self::core::{Core, lock};
use crate::http::HttpServer;
use crate::server::MockServer;

/// An authorization server on a free port of this machine; see the [module](self).
///
/// It keeps all that it gave out and was asked until it is dropped, which closes everything at once.
pub struct AuthServer {
    http: HttpServer,
    core: Arc<Core>,
}

impl AuthServer {
    /// What it is to do, to be filled in and [started](AuthSettings::start).
    pub fn builder() -> AuthSettings {
        AuthSettings::default()
    }

    /// Starts it on a port that is listened to already: again after a restart, for instance. It knows nothing of what
    /// one before it gave out.
    ///
    /// # Errors
    /// When the port cannot be told, or no key be made.
    pub fn on(listener: TcpListener, settings: AuthSettings) -> io::Result<Self> {
        let core = Arc::new(Core::new(settings)?);
        let http = {
            let core = Arc::clone(&core);
            HttpServer::forgetful(listener, move |request| {
                let core = Arc::clone(&core);
                async move { core.handle(request).await }
            })?
        };
        Ok(Self { http, core })
    }

    /// Puts a mock server behind tokens of this one, on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn protect(&self, server: MockServer, settings: ProtectedSettings) -> io::Result<ProtectedServer> {
        ProtectedServer::on(TcpListener::bind("127.0.0.1:0").await?, server, self.trusted(), settings)
    }

    /// Who it is: its origin and, where it has one, its path.
    pub fn issuer(&self) -> String {
        self.http.url(&lock(&self.core.settings).issuer_path)
    }

    /// The URL of a path of its origin.
    pub fn url(&self, path: &str) -> String {
        self.http.url(path)
    }

    /// Changes what it does, from the next request on.
    pub fn change(&self, change: impl FnOnce(AuthSettings) -> AuthSettings) {
        let mut settings = lock(&self.core.settings);
        *settings = change(settings.clone());
    }

    /// Lets every access token expire that it gave out so far.
    pub fn expire_tokens(&self) {
        lock(&self.core.ledger).expire_access(Instant::now());
    }

    /// Makes void all that it gave out so far, refresh tokens included.
    pub fn revoke_all(&self) {
        lock(&self.core.ledger).revoke_all();
    }

    /// Forgets every client that has registered: it was restarted without its memory.
    pub fn forget_clients(&self) {
        lock(&self.core.ledger).clients.clear();
    }

    /// Consents for the device that shows this code, as a person does who visits its page; false where none does.
    pub fn approve_device(&self, user_code: &str) -> bool {
        self.core.judge_device(user_code, true)
    }

    /// Says no to the device that shows this code; false where none does.
    pub fn deny_device(&self, user_code: &str) -> bool {
        self.core.judge_device(user_code, false)
    }

    /// Gives another nonce from now on, and takes no proof with the one before.
    pub fn change_nonce(&self) {
        *lock(&self.core.nonce) = jwt::secret("nonce");
    }

    /// A token that says who somebody is, for a client of this server: what a company's sign-on has given it.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn id_token(&self, client: &str, subject: &str) -> io::Result<String> {
        self.core.id_token(&self.issuer(), client, subject)
    }

    /// How often what happened.
    pub fn counts(&self) -> AuthCounts {
        lock(&self.core.ledger).counts
    }

    /// What it was asked so far, in this order.
    pub fn asked(&self) -> Vec<Asked> {
        self.core.log.all()
    }

    /// Waits for a request that `wanted` accepts, whenever it came.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_for(&self, wanted: impl Fn(&Asked) -> bool) -> Asked {
        self.core.log.wait_for(wanted).await
    }
}

impl fmt::Debug for AuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServer").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}
