//! How a person gets to the page of an authorization server, and back.

use std::fmt;
use std::sync::Arc;

use bowline_http::HttpClient;
use bowline_protocol::{VisitUrl, excerpt};
use bowline_transport::BoxFuture;
use secrecy::SecretString;
use url::Url;

use crate::error::AuthError;
use crate::fetch::Fetcher;

/// A page that somebody has to visit so that a program may act for them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Visit {
    /// The page. It holds nothing secret, but is of use for this login alone.
    pub url: VisitUrl,
    /// The server that the login is for, without secrets.
    pub server: String,
    /// Who asks the person: the authorization server.
    pub issuer: String,
    /// Where the person is sent back to.
    pub redirect_uri: String,
}

/// What came of a visit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Visited {
    /// The page is open; the answer comes to the listener.
    Opened,
    /// The address that the person was sent back to, whole. It is secret.
    Returned(SecretString),
}

/// Has somebody visit the page of an authorization server.
///
/// A program with a person at hand opens the browser ([`OpenWith`]) or asks for the address that the browser ends at
/// ([`PasteWith`]); one that has nobody has no visitor, and is told that a login is needed.
pub trait Visitor: fmt::Debug + Send + Sync + 'static {
    /// Opens the page. Where the listener hears the answer first, the future is dropped.
    ///
    /// # Errors
    /// When the page cannot be shown ([`AuthError::visit`]); the login fails with it.
    fn visit<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<Visited, AuthError>>;

    /// Whether an answer may come to a listener on this machine. Where not, none is opened.
    fn listens(&self) -> bool {
        true
    }
}

/// Opens pages with a function, such as one that starts the system's browser. Made with [`OpenWith::new`].
pub struct OpenWith<F>(Arc<F>);

impl<F: Fn(&Visit) -> Result<(), String> + Send + Sync + 'static> OpenWith<F> {
    /// A visitor that calls this, which may block. What it says when it fails is told to the person.
    pub fn new(open: F) -> Self {
        Self(Arc::new(open))
    }
}

impl<F: Fn(&Visit) -> Result<(), String> + Send + Sync + 'static> Visitor for OpenWith<F> {
    fn visit<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<Visited, AuthError>> {
        let (open, visit) = (Arc::clone(&self.0), visit.clone());
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || open(&visit)).await {
                Ok(Ok(())) => Ok(Visited::Opened),
                Ok(Err(why)) => Err(AuthError::visit(format!("the page cannot be opened: {}", excerpt(&why, 200)))),
                Err(_) => Err(AuthError::visit("the page cannot be opened: what opens it panicked")),
            }
        })
    }
}

impl<F> fmt::Debug for OpenWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenWith")
    }
}

/// Shows pages and asks for the address that the browser was sent to in the end, for where the browser is on another
/// machine. Made with [`PasteWith::new`].
pub struct PasteWith<F>(F);

impl<F, R> PasteWith<F>
where
    F: Fn(Visit) -> R + Send + Sync + 'static,
    R: Future<Output = Result<String, String>> + Send + 'static,
{
    /// A visitor that calls this; it gives the whole address, or says why not.
    pub const fn new(ask: F) -> Self {
        Self(ask)
    }
}

impl<F, R> Visitor for PasteWith<F>
where
    F: Fn(Visit) -> R + Send + Sync + 'static,
    R: Future<Output = Result<String, String>> + Send + 'static,
{
    fn visit<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<Visited, AuthError>> {
        let asked = (self.0)(visit.clone());
        Box::pin(async move {
            match asked.await {
                Ok(address) => Ok(Visited::Returned(address.into())),
                Err(why) => Err(AuthError::visit(excerpt(&why, 200))),
            }
        })
    }
}

impl<F> fmt::Debug for PasteWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasteWith")
    }
}

/// Visits pages without a person: asks once, and takes the address that the answer redirects to.
///
/// For authorization servers that ask nobody anything, as in tests. Nothing listens on this machine. The page is one
/// that the server has named: addresses are held to the same rules as those of its metadata.
#[derive(Debug, Clone)]
pub struct Headless {
    client: HttpClient,
    private_networks: bool,
}

impl Headless {
    /// Visits with this client.
    pub const fn new(client: HttpClient) -> Self {
        Self { client, private_networks: false }
    }

    /// Lets pages lie in private networks, as
    /// [`OAuthBuilder::allow_private_networks`](crate::OAuthBuilder::allow_private_networks) does for metadata.
    #[must_use]
    pub const fn allow_private_networks(mut self) -> Self {
        self.private_networks = true;
        self
    }
}

impl Visitor for Headless {
    fn visit<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<Visited, AuthError>> {
        Box::pin(async move {
            let [url, server] = [visit.url.as_str(), &visit.server].map(Url::parse);
            let (Ok(url), Ok(server)) = (url, server) else { return Err(AuthError::visit("the page has no address")) };
            let fetcher = Fetcher::new(self.client.clone(), &server, self.private_networks);
            let (status, back) = fetcher.leads_to("page", &url).await?;
            back.map(|back| Visited::Returned(back.as_str().into())).ok_or_else(|| {
                AuthError::visit(format!("the page answered {status} and sent nobody back; it wants a person"))
            })
        })
    }

    fn listens(&self) -> bool {
        false
    }
}
