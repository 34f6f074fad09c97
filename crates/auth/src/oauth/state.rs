//! What an authorization knows at a moment.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_http::{HttpClient, shown};
use http::HeaderValue;
use tokio::sync::{Semaphore, watch};
use url::Url;

use super::flight::Flight;
use super::held::{Ahead, Held, How};
use crate::clock::Clock;
use crate::credentials::Record;
use crate::discovery::{Choose, Discovered};
use crate::dpop::{Dpop, DpopUse};
use crate::fetch::Fetcher;
use crate::grant::assertion::AssertionSource;
use crate::grant::device::DevicePrompt;
use crate::grant::enterprise::EnterpriseManaged;
use crate::identity::Identity;
use crate::issuer::Compare;
use crate::redirect::Redirect;
use crate::resource::canonical;
use crate::scope::Scopes;
use crate::store::CredentialStore;
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
    /// Whether a person is being asked, here or by another process that this one waits for.
    pub(super) asking: watch::Sender<bool>,
    held_outside: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Whether the store was asked.
    pub(super) loaded: bool,
    pub(super) record: Record,
    pub(super) version: Option<u64>,
    /// Counts the changes of the record, so that what was read before one is not taken for newer.
    pub(super) changes: u64,
    pub(super) held: Option<Held>,
    pub(super) dpop: Option<Arc<Dpop>>,
    pub(super) found: Option<Arc<Discovered>>,
    /// Where the last challenge said that the metadata is.
    pub(super) hint: Option<String>,
    /// Whether a token was got anew because of a refusal, and the server has taken none since.
    pub(super) on_probation: bool,
    /// Scopes that asking for did not bring.
    pub(super) denied: Scopes,
    /// How often more scopes were asked for since the server last took a token for the first time.
    pub(super) step_ups: u32,
    /// Counts the tokens that were got: a server may issue the same one again.
    pub(super) renewals: u64,
    /// When the next renewal ahead of an end may begin.
    pub(super) ahead: Ahead,
    /// The renewal that goes on.
    pub(super) flight: Option<Flight>,
}

impl State {
    /// Takes what the store holds.
    pub(super) fn adopt(&mut self, record: Record, version: Option<u64>) {
        (self.loaded, self.version) = (true, version);
        self.changes += 1;
        if let Some(key) = &record.key
            && self.dpop.as_ref().is_none_or(|dpop| dpop.key().pkcs8() != key.pkcs8())
        {
            self.dpop = Some(Arc::new(Dpop::new(key.clone())));
        }
        let before = self.held.take();
        self.held = record.tokens.as_ref().and_then(|tokens| {
            let life = tokens.expires_at.map(|at| {
                let left = at.saturating_sub(Clock::here());
                Duration::from_secs(u64::try_from(left).unwrap_or(0))
            });
            let mut held = Held::new(tokens, self.dpop.as_ref(), life, How::Adopted)?;
            // What is known of a token stays known.
            if let Some(before) = before.filter(|before| before.header == held.header) {
                (held.how, held.since, held.proven) = (before.how, before.since, before.proven);
            }
            Some(held)
        });
        self.record = record;
    }

    /// Whether the store holds nothing but what is known.
    pub(super) fn is_at(&self, version: Option<u64>) -> bool {
        self.loaded && self.version == version
    }

    /// Whether there is a token that is not the one that was sent.
    pub(super) fn is_newer_than(&self, sent: Option<&HeaderValue>) -> bool {
        self.held.as_ref().is_some_and(|held| Some(&held.header) != sent)
    }

    pub(super) fn forget_refusals(&mut self) {
        (self.on_probation, self.denied, self.step_ups) = (false, Scopes::default(), 0);
    }

    /// The server took a token.
    pub(super) fn accepted(&mut self, sent: &HeaderValue) {
        if let Some(held) = self.held.as_mut().filter(|held| !held.proven && held.header == *sent) {
            held.proven = true;
            (self.on_probation, self.step_ups) = (false, 0);
        }
    }

    /// Whether the server has taken the token that there is.
    pub(super) fn is_proven(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.proven)
    }

    /// Whether there is something to refresh with.
    pub(super) fn is_refreshable(&self) -> bool {
        self.record.tokens.as_ref().is_some_and(|tokens| tokens.refresh.is_some())
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
        let asking = watch::Sender::new(false);
        Self { server, key, settings, store, http, fetcher, clock, asking, held_outside, state }
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
