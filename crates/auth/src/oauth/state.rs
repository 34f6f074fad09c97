//! What an authorization knows at a moment.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_http::{HttpClient, shown};
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use url::Url;

use super::flight::Flight;
use crate::clock::Clock;
use crate::credentials::{Record, Tokens};
use crate::discovery::{Choose, Discovered};
use crate::dpop::{Dpop, DpopUse};
use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::Fetcher;
use crate::grant::assertion::AssertionSource;
use crate::grant::device::DevicePrompt;
use crate::grant::enterprise::EnterpriseManaged;
use crate::identity::Identity;
use crate::issuer::Compare;
use crate::redirect::Redirect;
use crate::resource::canonical;
use crate::scope::Scopes;
use crate::store::{CredentialStore, Kept, Lease, Saved};
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
    /// Whether a person is being asked.
    pub(super) asking: watch::Sender<bool>,
    held_outside: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Whether the store was asked.
    loaded: bool,
    pub(super) record: Record,
    version: Option<u64>,
    /// Counts the changes of the record, so that what was read before one is not taken for newer.
    changes: u64,
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

/// The token that requests are sent with.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) header: HeaderValue,
    token: SecretString,
    dpop: Option<Arc<Dpop>>,
    /// When it ends, and from when on a fresh one is got; none where nobody knows.
    ends: Option<Instant>,
    due: Option<Instant>,
    pub(super) how: How,
    since: Instant,
    /// Whether the server has taken it.
    proven: bool,
}

/// How this process came by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By the grant of the settings.
    Granted,
    /// By a refresh.
    Refreshed,
    /// It was in the store: when it was issued, and whether it ever worked, is another's to know.
    Adopted,
}

/// Renewals ahead of an end that failed, one after another.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ahead {
    failures: u32,
    until: Option<Instant>,
}

/// How long after a failure the next renewal ahead of an end begins: at first, doubled each time, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LAST_PAUSE: Duration = Duration::from_secs(30);

impl Ahead {
    pub(super) fn may_begin(self) -> bool {
        self.until.is_none_or(|until| Instant::now() >= until)
    }

    pub(super) fn failed(&mut self) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8)).min(LAST_PAUSE);
        *self = Self { failures: self.failures.saturating_add(1), until: Some(Instant::now() + pause) };
    }
}

/// How long before its end a token is renewed, at most; a tenth of a shorter life.
const AHEAD: Duration = Duration::from_secs(60);
/// How long a token that the server has not taken yet is new: one that is refused by then did not just end.
const NEW_FOR: Duration = Duration::from_secs(60);
/// How often a change is tried that others come before.
const TRIES: u32 = 8;

impl Held {
    /// `life` is how long it lives from now on.
    pub(super) fn new(tokens: &Tokens, dpop: Option<&Arc<Dpop>>, life: Option<Duration>, how: How) -> Option<Self> {
        let mut header = HeaderValue::try_from(tokens.header()).ok()?;
        header.set_sensitive(true);
        let now = Instant::now();
        let ends = life.and_then(|life| now.checked_add(life));
        let due = life.and_then(|life| now.checked_add(life.saturating_sub(AHEAD.min(life / 10))));
        let dpop = dpop.filter(|_| tokens.kind == TokenKind::Dpop).cloned();
        Some(Self { header, token: tokens.access.clone(), dpop, ends, due, how, since: now, proven: false })
    }

    /// Whether this process has just got it, and the server has not taken it yet.
    pub(super) fn is_new(&self) -> bool {
        self.how != How::Adopted && !self.proven && self.since.elapsed() < NEW_FOR
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
    fn is_at(&self, version: Option<u64>) -> bool {
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

/// What the store holds; nothing where it has no entry.
fn record_of(kept: Option<&Kept>) -> Result<Record, AuthError> {
    Ok(kept.map(|kept| Record::decode(&kept.text)).transpose()?.unwrap_or_default())
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

    /// Asks the store, where it was not asked yet.
    pub(super) async fn load(&self) -> Result<(), AuthError> {
        if self.lock().loaded {
            return Ok(());
        }
        self.reload().await
    }

    /// Takes what the store holds, where it is not what is known.
    pub(super) async fn reload(&self) -> Result<(), AuthError> {
        for _ in 0..TRIES {
            let before = self.lock().changes;
            let kept = self.store.load(&self.key).await?;
            let version = kept.as_ref().map(|kept| kept.version);
            if self.lock().is_at(version) {
                return Ok(());
            }
            let record = record_of(kept.as_ref())?;
            let mut state = self.lock();
            // Else a renewal was faster, and what was read is older than what it brought.
            if state.changes == before {
                state.adopt(record, version);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Holds the credentials against other processes, and takes what they left.
    ///
    /// A store that fails after it was read once stops nobody: what is known goes on in this process alone. One that
    /// somebody else holds for too long does, for two must not show the same refresh token.
    pub(super) async fn hold(&self, within: Duration) -> Result<Option<Lease>, AuthError> {
        let lease = match self.store.lease(&self.key, within).await {
            Ok(lease) => Some(lease),
            Err(error) => self.unless_known(error).map(|()| None)?,
        };
        if let Err(error) = self.reload().await {
            self.unless_known(error)?;
        }
        Ok(lease)
    }

    fn unless_known(&self, error: AuthError) -> Result<(), AuthError> {
        if error.kind() != AuthErrorKind::Store || !self.lock().loaded {
            return Err(error);
        }
        tracing::warn!(%error, "the store fails; the credentials are good for this process alone");
        Ok(())
    }

    /// Changes what is known and kept. `edit` says whether there is anything to change; it is asked again, of what
    /// the store holds by then, where somebody else was faster.
    ///
    /// A store that fails costs the next process a login, and this one nothing: what was just issued is used.
    pub(super) async fn amend(&self, edit: impl Fn(&mut State) -> bool + Send + Sync) {
        if let Err(error) = self.try_amend(edit).await {
            tracing::warn!(%error, "the credentials are not kept; they are good for this process alone");
        }
    }

    pub(super) async fn try_amend(&self, edit: impl Fn(&mut State) -> bool + Send + Sync) -> Result<(), AuthError> {
        for _ in 0..TRIES {
            let (text, seen) = {
                let mut state = self.lock();
                if !edit(&mut state) {
                    return Ok(());
                }
                state.changes += 1;
                let text = (!state.record.is_empty()).then(|| state.record.encode()).transpose()?;
                (text, state.version)
            };
            let is_kept = text.is_some();
            match self.store.save(&self.key, text, seen).await? {
                Saved::As(version) => {
                    self.lock().version = is_kept.then_some(version);
                    return Ok(());
                }
                Saved::Conflict => {
                    let kept = self.store.load(&self.key).await?;
                    let version = kept.as_ref().map(|kept| kept.version);
                    let record = record_of(kept.as_ref())?;
                    self.lock().adopt(record, version);
                }
            }
        }
        Err(AuthError::store("the store changes faster than it can be written"))
    }

    /// Takes what cannot be read out of the store, and all that is known out of use.
    pub(super) async fn forget_unread(&self) -> Result<(), AuthError> {
        self.store.remove(&self.key).await?;
        let mut state = self.lock();
        state.dpop = None;
        state.adopt(Record::default(), None);
        Ok(())
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

    fn tokens(refresh: &str) -> Tokens {
        Tokens {
            issuer: "https://as".to_owned(),
            client: String::new(),
            resource: "https://h".to_owned(),
            access: format!("a-{refresh}").into(),
            kind: TokenKind::Bearer,
            refresh: Some(refresh.to_owned().into()),
            asked: Scopes::default(),
            granted: None,
            issued_at: 0,
            expires_at: None,
        }
    }

    fn held(life: Option<Duration>) -> Held {
        Held::new(&tokens("SECRET"), None, life, How::Granted).unwrap()
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

    #[tokio::test(start_paused = true)]
    async fn a_renewal_ahead_of_an_end_that_fails_is_not_tried_with_every_call() {
        let mut ahead = Ahead::default();
        for pause in [5, 10, 20, 30, 30] {
            assert!(ahead.may_begin());
            ahead.failed();
            tokio::time::advance(Duration::from_secs(pause - 1)).await;
            assert!(!ahead.may_begin(), "{pause}");
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }

    fn known(inner: &Inner) -> String {
        let state = inner.lock();
        let refresh = state.record.tokens.as_ref().and_then(|tokens| tokens.refresh.as_ref());
        refresh.map(|refresh| refresh.expose_secret().to_owned()).unwrap_or_default()
    }

    async fn put(inner: &Inner, refresh: &str) {
        let fresh = tokens(refresh);
        inner
            .amend(|state| {
                state.record.tokens = Some(fresh.clone());
                true
            })
            .await;
    }

    #[tokio::test]
    async fn whoever_comes_second_decides_again_about_what_the_first_left() {
        let store = crate::MemoryStore::default();
        let oauth = || crate::OAuth::builder("https://h/mcp").store(store.clone()).build().unwrap();
        let (one, other) = (oauth(), oauth());
        let (one, other) = (&one.0.inner, &other.0.inner);
        put(one, "R1").await;
        other.load().await.unwrap();
        put(one, "R2").await;
        // It was refused R1, and knows of nothing newer.
        other
            .amend(|state| {
                let tokens =
                    state.record.tokens.as_mut().filter(|tokens| {
                        tokens.refresh.as_ref().is_some_and(|refresh| refresh.expose_secret() == "R1")
                    });
                tokens.is_some_and(|tokens| tokens.refresh.take().is_some())
            })
            .await;
        assert_eq!(known(other), "R2");
        one.reload().await.unwrap();
        assert_eq!(known(one), "R2");
    }

    /// Another is at work between what is read here and what is made of it.
    #[derive(Debug)]
    struct Slow(crate::MemoryStore, Arc<Semaphore>, Arc<Semaphore>);

    impl CredentialStore for Slow {
        fn load<'a>(&'a self, key: &'a str) -> bowline_transport::BoxFuture<'a, Result<Option<Kept>, AuthError>> {
            Box::pin(async move {
                let kept = self.0.load(key).await;
                self.2.add_permits(1);
                self.1.acquire().await.unwrap().forget();
                kept
            })
        }

        fn save<'a>(
            &'a self,
            key: &'a str,
            text: Option<SecretString>,
            seen: Option<u64>,
        ) -> bowline_transport::BoxFuture<'a, Result<Saved, AuthError>> {
            self.0.save(key, text, seen)
        }

        fn lease<'a>(
            &'a self,
            key: &'a str,
            within: Duration,
        ) -> bowline_transport::BoxFuture<'a, Result<Lease, AuthError>> {
            self.0.lease(key, within)
        }
    }

    #[tokio::test]
    async fn what_was_read_before_a_renewal_does_not_come_back_after_it() {
        let (go, read) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(0)));
        let store = Slow(crate::MemoryStore::default(), Arc::clone(&go), Arc::clone(&read));
        let oauth = crate::OAuth::builder("https://h/mcp").store(store).build().unwrap();
        let inner = Arc::clone(&oauth.0.inner);
        inner.load().await.unwrap();
        read.acquire().await.unwrap().forget();
        put(&inner, "R1").await;
        // Somebody looks, and before it is done with that another token comes.
        inner.lock().version = None;
        let looking = tokio::spawn({
            let inner = Arc::clone(&inner);
            async move { inner.reload().await }
        });
        read.acquire().await.unwrap().forget();
        inner.lock().version = Some(1);
        put(&inner, "R2").await;
        go.add_permits(2);
        looking.await.unwrap().unwrap();
        assert_eq!(known(&inner), "R2");
    }
}
