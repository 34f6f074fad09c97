//! The settings of an authorization.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_http::HttpClient;
use bowline_protocol::excerpt;
use secrecy::SecretString;
use url::Url;

use super::OAuth;
use super::state::{Grant, Inner, Settings};
use crate::discovery::Choose;
use crate::dpop::DpopUse;
use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::is_here;
use crate::grant::assertion::AssertionSource;
use crate::grant::device::DevicePrompt;
use crate::grant::enterprise::EnterpriseManaged;
use crate::identity::{self, Identity};
use crate::issuer::Compare;
use crate::key::PrivateKey;
use crate::redirect::Redirect;
use crate::scope::Scopes;
use crate::store::{CredentialStore, MemoryStore};
use crate::visitor::Visitor;

/// Settings of an [`OAuth`]; made by [`OAuth::builder`].
#[must_use]
pub struct OAuthBuilder {
    server: String,
    account: String,
    identity: Identity,
    document: Option<String>,
    scopes: Option<Scopes>,
    grant: Grant,
    visitor: Option<Arc<dyn Visitor>>,
    device: Option<Arc<dyn DevicePrompt>>,
    redirect: Option<String>,
    login_within: Duration,
    store: Arc<dyn CredentialStore>,
    http: Option<HttpClient>,
    choose: Option<Arc<Choose>>,
    dpop: DpopUse,
    private_networks: bool,
    lenient_slash: bool,
    any_issuer: bool,
}

impl OAuthBuilder {
    pub(super) fn new(server: String) -> Self {
        Self {
            server,
            account: String::new(),
            identity: Identity { name: "bowline".to_owned(), ..Identity::default() },
            document: None,
            scopes: None,
            grant: Grant::Code,
            visitor: None,
            device: None,
            redirect: None,
            login_within: Duration::from_secs(300),
            store: Arc::new(MemoryStore::default()),
            http: None,
            choose: None,
            dpop: DpopUse::default(),
            private_networks: false,
            lenient_slash: false,
            any_issuer: false,
        }
    }

    /// What people are shown as the name of this program. Default `bowline`.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.identity.name = name.into();
        self
    }

    /// The id that the authorization server knows this program by. No registration is tried then.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.identity.id = Some(id.into());
        self
    }

    /// The secret that goes with the id.
    pub fn client_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.identity.secret = Some(secret.into());
        self
    }

    /// The key that this program signs with to show who it is (`private_key_jwt`), in place of a secret.
    pub fn client_key(mut self, key: PrivateKey) -> Self {
        self.identity.key = Some(key);
        self
    }

    /// The one authorization server that is trusted, whoever this program is there. Should the server not name it,
    /// that is an error, and nothing is sent to those that it names. Default: the first that it names
    /// and that can be had.
    ///
    /// It has to be set where there is a secret, a key or an assertion: without it, the server says who gets to see
    /// them.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.identity.issuer = Some(issuer.into());
        self
    }

    /// Shows secrets and assertions to whichever authorization server the server names, without an
    /// [issuer](Self::issuer): for tests, and for servers that are trusted with them.
    pub const fn danger_trust_any_issuer(mut self) -> Self {
        self.any_issuer = true;
        self
    }

    /// Where this program describes itself, by `https` and with a path (a client ID metadata document). It is the id
    /// at authorization servers that take it.
    pub fn client_metadata_url(mut self, url: impl Into<String>) -> Self {
        self.document = Some(url.into());
        self
    }

    /// Scopes to ask for in any case, in place of all that the resource lists. Those of a challenge are added.
    pub fn scopes<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes: Vec<S> = scopes.into_iter().collect();
        self.scopes = Some(scopes.iter().map(AsRef::as_ref).collect()).filter(|scopes: &Scopes| !scopes.is_empty());
        self
    }

    /// Has a person log in by this. Without a visitor a login is an error of kind
    /// [`LoginRequired`](AuthErrorKind::LoginRequired).
    pub fn visitor(mut self, visitor: impl Visitor) -> Self {
        self.visitor = Some(Arc::new(visitor));
        self
    }

    /// Has a person log in with another device by this, at authorization servers that can do it (the device code).
    /// At others the [visitor](Self::visitor) is asked, where there is one.
    pub fn device(mut self, prompt: impl DevicePrompt) -> Self {
        self.device = Some(Arc::new(prompt));
        self
    }

    /// The address that browsers are sent back to, to the letter as it is registered: on this machine by `http`, or
    /// by `https` where the [visitor](Self::visitor) brings what comes there. Default `/callback` at a free port.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect = Some(uri.into());
        self
    }

    /// How long a person may take to log in. Default 5 minutes.
    pub const fn login_timeout(mut self, within: Duration) -> Self {
        self.login_within = within;
        self
    }

    /// The program acts for itself, with its id and its secret or key.
    pub fn client_credentials(mut self) -> Self {
        self.grant = Grant::ClientCredentials;
        self
    }

    /// The program acts for itself, by what the platform that it runs on says of it (workload identity, by the
    /// grant `jwt-bearer`).
    pub fn workload_identity(mut self, assertion: impl AssertionSource) -> Self {
        self.grant = Grant::Assertion(Arc::new(assertion));
        self
    }

    /// The program acts for a person whose organisation manages access.
    pub fn enterprise_managed(mut self, managed: EnterpriseManaged) -> Self {
        self.grant = Grant::Enterprise(managed);
        self
    }

    /// Whether tokens are bound to a key (DPoP). Default [`DpopUse::WhenAsked`].
    pub const fn dpop(mut self, when: DpopUse) -> Self {
        self.dpop = when;
        self
    }

    /// Keeps credentials there. Default: in memory.
    pub fn store(mut self, store: impl CredentialStore) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Tells accounts at one server apart in the store. Default: the empty text.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// Asks by this client: certificates, proxies and timeouts are its matter. Its connections are not used; what
    /// servers name is asked over connections of its own, to addresses that were checked.
    pub fn http_client(mut self, client: HttpClient) -> Self {
        self.http = Some(client);
        self
    }

    /// Chooses among several authorization servers that a server names; `None` refuses them all. Default: the one
    /// that there are credentials for; else, with a [`client_id`](Self::client_id), the first, and without one the first
    /// of four whose metadata can be had.
    pub fn choose_issuer(mut self, choose: impl Fn(&[String]) -> Option<usize> + Send + Sync + 'static) -> Self {
        self.choose = Some(Arc::new(choose));
        self
    }

    /// Lets what a server names lie in private networks, as inside a company. Loopback and link-local addresses stay
    /// out of reach; a server on this machine may name what is on it.
    pub const fn allow_private_networks(mut self) -> Self {
        self.private_networks = true;
        self
    }

    /// Takes an issuer that differs from what was asked for by one slash at its end, and reports it as a `tracing`
    /// warning: for servers of revisions before 2026-07-28 that nobody mends.
    pub const fn lenient_issuer_slash(mut self) -> Self {
        self.lenient_slash = true;
        self
    }

    /// Makes the authorization. Nothing is asked of anybody.
    ///
    /// # Errors
    /// [`AuthErrorKind::Config`] when an address is none or not safe, or when the settings lack something.
    pub fn build(self) -> Result<OAuth, AuthError> {
        let server = server(&self.server)?;
        let mut identity = self.identity;
        identity.document = self.document.as_deref().map(identity::document).transpose()?;
        let lacks = |what: &str| Err(AuthError::new(AuthErrorKind::Config, what.to_owned()));
        if identity.id.is_none() && identity.secret.is_some() {
            return lacks("there is a client secret and no client id; give both");
        }
        if matches!(self.grant, Grant::ClientCredentials) {
            if identity.id.is_none() {
                return lacks("client credentials want a client id; set `client_id`");
            }
            if identity.secret.is_none() && identity.key.is_none() {
                return lacks("client credentials want a secret or a key; set `client_secret` or `client_key`");
            }
        }
        let shows = match &self.grant {
            _ if identity.secret.is_some() => Some("a client secret"),
            _ if identity.key.is_some() => Some("a client key"),
            Grant::Assertion(_) => Some("an assertion"),
            Grant::Enterprise(_) => Some("an identity assertion"),
            Grant::Code | Grant::ClientCredentials => None,
        };
        if let Some(what) = shows.filter(|_| identity.issuer.is_none() && !self.any_issuer) {
            return lacks(&format!(
                "there is {what}, and nothing says which authorization server may see it; set `issuer` to that server's identifier"
            ));
        }
        let http = match self.http {
            Some(http) => http,
            None => HttpClient::builder()
                .build()
                .map_err(|error| AuthError::new(AuthErrorKind::Config, error.to_string()).with_source(error))?,
        };
        let redirect = self.redirect.as_deref().map(Redirect::fixed).transpose()?.unwrap_or_default();
        let settings = Settings {
            identity,
            scopes: self.scopes,
            grant: self.grant,
            visitor: self.visitor,
            device: self.device,
            redirect,
            login_within: self.login_within,
            choose: self.choose,
            dpop: self.dpop,
            compare: if self.lenient_slash { Compare::ButASlash } else { Compare::Exactly },
        };
        let inner = Inner::new(server, &self.account, settings, self.store, http, self.private_networks);
        Ok(OAuth::start(Arc::new(inner)))
    }
}

/// Reads the address of a server; those of WebSocket become those of HTTP, which are what OAuth speaks of.
fn server(text: &str) -> Result<Url, AuthError> {
    let bad = |why: &str| Err(AuthError::new(AuthErrorKind::Config, format!("the address of the server {why}")));
    let Ok(mut url) = Url::parse(text.trim()) else { return bad("is no URL; write it as https://host/path") };
    let scheme = match url.scheme() {
        "https" | "wss" => "https",
        "http" | "ws" => "http",
        other => {
            let why = format!("is of the scheme \"{}\"; authorization is for http and https", excerpt(other, 20));
            return bad(&why);
        }
    };
    // Between special schemes this always works.
    if url.set_scheme(scheme).is_err() || !url.has_host() {
        return bad("has no host");
    }
    if scheme == "http" && !is_here(&url) {
        return bad("is http and on another machine, where a token would be sent in the clear; use https");
    }
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    Ok(url)
}

impl fmt::Debug for OAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthBuilder")
            .field("client_id", &self.identity.id)
            .field("scopes", &self.scopes)
            .field("grant", &self.grant)
            .field("visitor", &self.visitor)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: OAuthBuilder) -> String {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn tokens_go_over_https_or_stay_on_this_machine() {
        for good in ["https://h/mcp", "wss://h/mcp", "http://localhost:3000/mcp", "ws://127.0.0.1/mcp", "http://[::1]/"]
        {
            assert!(OAuth::builder(good).build().is_ok(), "{good}");
        }
        for bad in ["http://mcp.example/mcp", "ws://10.0.0.1/mcp", "stdio:x", "", "mcp.example"] {
            refused(OAuth::builder(bad));
        }
    }

    fn key() -> PrivateKey {
        PrivateKey::generate().unwrap()
    }

    #[test]
    fn settings_that_do_not_fit_together_are_refused() {
        let builder = || OAuth::builder("https://h/mcp");
        assert!(refused(builder().client_secret("s")).contains("client id"));
        assert!(refused(builder().client_credentials()).contains("`client_id`"));
        assert!(refused(builder().client_credentials().client_id("c")).contains("`client_secret`"));
        let secret = || builder().client_id("c").client_secret("s-SECRET");
        let assertion = || builder().workload_identity(SecretString::from("a-SECRET"));
        for shows in [secret(), secret().client_credentials(), assertion(), builder().client_id("c").client_key(key())]
        {
            let why = refused(shows);
            assert!(why.contains("`issuer`") && !why.contains("SECRET"), "{why}");
        }
        for said in
            [secret().issuer("https://as"), assertion().issuer("https://as"), secret().danger_trust_any_issuer()]
        {
            assert!(said.build().is_ok());
        }
        assert!(builder().client_id("c").build().is_ok(), "an id alone is no secret");
        assert!(refused(builder().redirect_uri("http://example.com/cb")).contains("not on this machine"));
        assert!(refused(builder().client_metadata_url("http://h/c")).contains("not https"));
        let oauth = OAuth::builder("https://h/mcp?key=q-SECRET").build().unwrap();
        assert_eq!(format!("{oauth:?}"), "OAuth { server: \"https://h/mcp?\u{2026}\", .. }");
        let debug = format!("{:?}", builder().client_id("c").client_secret("s-SECRET"));
        assert!(!debug.contains("SECRET") && debug.contains("Code"), "{debug}");
    }
}
