//! What an authorization knows at a moment.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_http::{HttpClient, shown};
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use super::flight::Flight;
use crate::clock::Clock;
use crate::credentials::{Record, Tokens};
use crate::discovery::{Choose, Discovered};
use crate::dpop::{Dpop, DpopUse};
use crate::error::AuthError;
use crate::fetch::Fetcher;
use crate::grant::assertion::AssertionSource;
use crate::grant::device::DevicePrompt;
use crate::grant::enterprise::EnterpriseManaged;
use crate::identity::Identity;
use crate::issuer::Compare;
use crate::redirect::Redirect;
use crate::resource::canonical;
use crate::scope::Scopes;
use crate::store::{CredentialStore, Saved};
use crate::token::TokenKind;
use crate::visitor::Visitor;

/// How a token is got where there is none to refresh.
#[derive(Debug)]
pub(super) enum Grant {
    Code,
    ClientCredentials,
    Assertion(Arc<dyn AssertionSource>),
    Enterprise(EnterpriseManaged),
}

pub(super) struct Settings {
    pub(super) identity: Identity,
    pub(super) scopes: Option<Scopes>,
    pub(super) grant: Grant,
    pub(super) visitor: Option<Arc<dyn Visitor>>,
    pub(super) device: Option<Arc<dyn DevicePrompt>>,
    pub(super) redirect: Redirect,
    pub(super) login_within: Duration,
    pub(super) choose: Option<Arc<Choose>>,
    pub(super) dpop: DpopUse,
    pub(super) compare: Compare,
}

impl Settings {
    /// Whether a person can be asked.
    pub(super) const fn asks_somebody(&self) -> bool {
        matches!(self.grant, Grant::Code) && (self.visitor.is_some() || self.device.is_some())
    }

    /// Whether a token can be got without a person.
    pub(super) const fn acts_by_itself(&self) -> bool {
        !matches!(self.grant, Grant::Code)
    }
}

/// The authorization itself. What it does is in the modules beside this one.
pub(super) struct Inner {
    pub(super) server: Url,
    /// What it is kept under.
    pub(super) key: String,
    pub(super) settings: Settings,
    pub(super) store: Arc<dyn CredentialStore>,
    pub(super) http: HttpClient,
    pub(super) fetcher: Fetcher,
    pub(super) clock: Clock,
    held_outside: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Whether the store was asked.
    loaded: bool,
    pub(super) record: Record,
    version: Option<u64>,
    pub(super) held: Option<Held>,
    pub(super) dpop: Option<Arc<Dpop>>,
    pub(super) found: Option<Arc<Discovered>>,
    /// Where the last challenge said that the metadata is.
    pub(super) hint: Option<String>,
    /// The token that was refused as soon as it was issued.
    pub(super) refused: Option<HeaderValue>,
    /// Scopes that asking for did not bring.
    pub(super) denied: Scopes,
    /// How often more scopes were asked for since the last login.
    pub(super) step_ups: u32,
    /// The renewal that goes on.
    pub(super) flight: Option<Flight>,
}

/// The token that requests are sent with.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) header: HeaderValue,
    token: SecretString,
    dpop: Option<Arc<Dpop>>,
    /// When it ends, and from when on a fresh one is got; none where nobody knows.
    ends: Option<Instant>,
    due: Option<Instant>,
    pub(super) refreshable: bool,
    /// Whether it came by a refresh.
    pub(super) refreshed: bool,
}

/// How long before its end a token is renewed, at most; a tenth of a shorter life.
const AHEAD: Duration = Duration::from_secs(60);

impl Held {
    /// `life` is how long it lives from now on.
    pub(super) fn new(
        tokens: &Tokens,
        dpop: Option<&Arc<Dpop>>,
        life: Option<Duration>,
        refreshed: bool,
    ) -> Option<Self> {
        let mut header = HeaderValue::try_from(tokens.header()).ok()?;
        header.set_sensitive(true);
        let now = Instant::now();
        let ends = life.and_then(|life| now.checked_add(life));
        let due = life.and_then(|life| now.checked_add(life.saturating_sub(AHEAD.min(life / 10))));
        let dpop = dpop.filter(|_| tokens.kind == TokenKind::Dpop).cloned();
        let refreshable = tokens.refresh.is_some();
        Some(Self { header, token: tokens.access.clone(), dpop, ends, due, refreshable, refreshed })
    }

    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ends.is_some_and(|ends| Instant::now() >= ends)
    }

    /// How long it still lives, where that is known.
    pub(super) fn remaining(&self) -> Option<Duration> {
        self.ends.map(|ends| ends.saturating_duration_since(Instant::now()))
    }

    /// The key and the token, where they are bound.
    pub(super) fn bound(&self) -> Option<(&Dpop, &str)> {
        self.dpop.as_deref().map(|dpop| (dpop, self.token.expose_secret()))
    }
}

impl State {
    /// Takes what the store holds.
    fn adopt(&mut self, record: Record, version: Option<u64>) {
        self.version = version;
        if let Some(key) = &record.key
            && self.dpop.as_ref().is_none_or(|dpop| dpop.key().pkcs8() != key.pkcs8())
        {
            self.dpop = Some(Arc::new(Dpop::new(key.clone())));
        }
        self.held = record.tokens.as_ref().and_then(|tokens| {
            let life = tokens.expires_at.map(|at| {
                let left = at.saturating_sub(Clock::here());
                Duration::from_secs(u64::try_from(left).unwrap_or(0))
            });
            Held::new(tokens, self.dpop.as_ref(), life, false)
        });
        self.record = record;
    }

    /// Whether there is a token that is not the one that was sent.
    pub(super) fn is_newer_than(&self, sent: Option<&HeaderValue>) -> bool {
        self.held.as_ref().is_some_and(|held| Some(&held.header) != sent)
    }

    pub(super) fn forget_refusals(&mut self) {
        (self.refused, self.denied, self.step_ups) = (None, Scopes::default(), 0);
    }
}

impl Inner {
    pub(super) fn new(
        server: Url,
        account: &str,
        settings: Settings,
        store: Arc<dyn CredentialStore>,
        http: HttpClient,
        private_networks: bool,
    ) -> Self {
        let fetcher = Fetcher::new(http.clone(), &server, private_networks);
        let key = format!("{} {account}", canonical(&server));
        let (state, clock, held_outside) = (Mutex::default(), Clock::default(), Semaphore::new(0));
        Self { server, key, settings, store, http, fetcher, clock, held_outside, state }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address as OAuth speaks of it.
    pub(super) fn as_http(&self, url: &Url) -> Url {
        let mut url = url.clone();
        let scheme = if url.scheme() == "wss" { "https" } else { "http" };
        if matches!(url.scheme(), "ws" | "wss") {
            let _ = url.set_scheme(scheme);
        }
        url
    }

    pub(super) fn is_server(&self, url: &Url) -> bool {
        self.as_http(url).origin() == self.server.origin()
    }

    /// Asks the store, where it was not asked yet.
    pub(super) async fn load(&self) -> Result<(), AuthError> {
        if self.lock().loaded {
            return Ok(());
        }
        self.reload().await
    }

    /// Takes what the store holds, where it is not what is known.
    pub(super) async fn reload(&self) -> Result<(), AuthError> {
        let kept = self.store.load(&self.key).await?;
        let version = kept.as_ref().map(|kept| kept.version);
        {
            let mut state = self.lock();
            if state.loaded && state.version == version {
                return Ok(());
            }
            state.loaded = true;
        }
        let record = kept.map(|kept| Record::decode(&kept.text)).transpose()?.unwrap_or_default();
        self.lock().adopt(record, version);
        Ok(())
    }

    /// Keeps a record. `held` is what requests are sent with from now on.
    ///
    /// A store that fails costs the next process a login, and this one nothing: what was just issued is used.
    pub(super) async fn keep(&self, record: Record, held: Option<Held>) {
        let seen = {
            let mut state = self.lock();
            state.record = record.clone();
            state.held = held;
            state.version
        };
        match self.write(&record, seen).await {
            Ok(version) => self.lock().version = version,
            Err(error) => tracing::warn!(%error, "the credentials are not kept; they are good for this process alone"),
        }
    }

    /// Takes tokens out of the store, and out of use.
    pub(super) async fn forget(&self, record: Record) -> Result<(), AuthError> {
        let seen = {
            let mut state = self.lock();
            (state.held, state.dpop) = (None, None);
            state.record = record.clone();
            state.version
        };
        let version = self.write(&record, seen).await?;
        self.lock().version = version;
        Ok(())
    }

    async fn write(&self, record: &Record, mut seen: Option<u64>) -> Result<Option<u64>, AuthError> {
        let text = (!record.is_empty()).then(|| record.encode()).transpose()?;
        let is_kept = text.is_some();
        for _ in 0..3 {
            match self.store.save(&self.key, text.clone(), seen).await? {
                Saved::As(version) => return Ok(is_kept.then_some(version)),
                // Somebody without the lease was there. What the authorization server has just said is newer.
                Saved::Conflict => seen = self.store.load(&self.key).await?.map(|kept| kept.version),
            }
        }
        Err(AuthError::store("the store changes faster than it can be written"))
    }

    /// Ends a login that goes on, and those to come.
    pub(super) fn end_login(&self) {
        self.held_outside.close();
    }

    /// Waits until nobody outside holds the authorization.
    pub(super) async fn is_let_go(&self) {
        // It has no permits: waiting ends when it is closed.
        let _ = self.held_outside.acquire().await;
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("server", &shown(&self.server)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(life: Option<Duration>) -> Held {
        let tokens = Tokens {
            issuer: "https://as".to_owned(),
            client: String::new(),
            resource: "https://h".to_owned(),
            access: "a-SECRET".into(),
            kind: TokenKind::Bearer,
            refresh: None,
            asked: Scopes::default(),
            granted: None,
            issued_at: 0,
            expires_at: None,
        };
        Held::new(&tokens, None, life, false).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_33_a_token_is_due_shortly_before_its_end() {
        let (long, short) = (held(Some(Duration::from_secs(3600))), held(Some(Duration::from_secs(10))));
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(!short.is_due() && !long.is_due());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(short.is_due() && !short.has_ended());
        tokio::time::advance(Duration::from_secs(3600 - 60 - 9)).await;
        assert!(long.is_due() && !long.has_ended() && short.has_ended());
        assert_eq!(long.remaining(), Some(Duration::from_secs(60)));
        assert!(long.header.is_sensitive() && !format!("{:?}", long.header).contains("SECRET"));
    }

    #[tokio::test(start_paused = true)]
    async fn case_auth_023_a_token_of_unknown_life_is_never_due() {
        let unknown = held(None);
        tokio::time::advance(Duration::from_secs(2 * 86400)).await;
        assert!(!unknown.is_due() && !unknown.has_ended() && unknown.remaining().is_none());
    }
}
