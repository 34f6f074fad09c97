//! Getting a token: the grant that the settings name, with what was found out.

use std::sync::Arc;
use std::time::Duration;

use bowline_http::shown;
use bowline_protocol::excerpt;
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::cause::Cause;
use super::flight::{LEASE_WITHIN, before, given_up};
use super::held::{Ahead, Held, How};
use super::state::{Grant, Inner, Settings, State};
use crate::clock::Clock;
use crate::credentials::Tokens;
use crate::discovery::Discovered;
use crate::dpop::{Dpop, DpopUse};
use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::Body;
use crate::grant::code::Back;
use crate::grant::{Asking, assertion, client_credentials, code, device, enterprise, refresh};
use crate::identity::{AuthMethod, Client, Identity, Way};
use crate::issuer::Issuer;
use crate::key::PrivateKey;
use crate::scope::{self, Scopes};
use crate::token::{Issued, NotIssued, TokenKind};

impl Inner {
    /// Gets a token by the grant of the settings, and keeps it.
    pub(super) async fn obtain(self: &Arc<Self>, cause: &Cause, found: &Discovered) -> Result<(), AuthError> {
        self.check_binding(found)?;
        let before = match cause {
            Cause::Login { .. } => None,
            _ => before(self, &found.issuer.id),
        };
        let wanted = cause.wanted();
        let scopes = scope::choose(&scope::Sources {
            configured: self.settings.scopes.as_ref(),
            before: before.as_ref(),
            challenged: wanted.and_then(|wanted| wanted.scopes.as_ref()),
            of_resource: found.scopes.as_ref(),
            of_issuer: found.issuer.scopes.as_ref(),
            refreshable: !self.settings.acts_by_itself(),
        });
        let dpop = self.dpop_for(cause, found)?;
        let (issued, client) = match &self.settings.grant {
            Grant::Code => self.by_person(found, scopes.as_ref(), dpop.as_deref()).await,
            _ => self.by_itself(found, scopes.as_ref(), dpop.as_deref()).await,
        }
        .inspect_err(|error| self.remember_denial(cause, error))?;
        let mut lease = None;
        if self.settings.asks_somebody() {
            // A refresh by another process must not put in place of this what it brings for the token before.
            match self.hold(LEASE_WITHIN).await {
                Ok(held) => lease = held,
                Err(error) => tracing::warn!(%error, "what the login brought is kept all the same"),
            }
        }
        let done = self.issued(found, client.as_ref(), scopes.unwrap_or_default(), dpop, issued, None).await;
        drop(lease);
        done
    }

    /// The scopes that were denied are not asked for again by themselves.
    fn remember_denial(&self, cause: &Cause, error: &AuthError) {
        if let Cause::StepUp { wanted, .. } = cause
            && matches!(error.kind(), AuthErrorKind::Denied | AuthErrorKind::Scope)
        {
            let mut state = self.lock();
            state.denied = state.denied.union(&wanted.scopes.clone().unwrap_or_default());
        }
    }

    /// An id that was given beforehand belongs to the authorization server that it was first used with.
    fn check_binding(&self, found: &Discovered) -> Result<(), AuthError> {
        let state = self.lock();
        let (Some(id), Some(bound)) = (&self.settings.identity.id, &state.record.bound) else { return Ok(()) };
        if bound.client != *id || bound.issuer == found.issuer.id {
            return Ok(());
        }
        let (first, now) = (excerpt(&bound.issuer, 200), excerpt(&found.issuer.id, 200));
        let why = format!(
            "the client id {} was used with {first}, and the server now names {now}; log out and register with that one if you trust it",
            excerpt(id, 80)
        );
        Err(AuthError::new(AuthErrorKind::Registration, why))
    }

    /// The key that the next token is bound to, where it is to be bound.
    fn dpop_for(&self, cause: &Cause, found: &Discovered) -> Result<Option<Arc<Dpop>>, AuthError> {
        let issuer = &found.issuer;
        let can = issuer.dpop_algs.as_ref().map(|algs| algs.iter().any(|alg| alg == "ES256"));
        let challenged = cause.wanted().is_some_and(|wanted| wanted.dpop);
        let bearer_will_do = cause.wanted().is_none_or(|wanted| wanted.bearer);
        let state = self.lock();
        let was_bound = state.record.tokens.as_ref().is_some_and(|tokens| tokens.kind == TokenKind::Dpop);
        drop(state);
        let wanted = match self.settings.dpop {
            DpopUse::Never => false,
            DpopUse::Always => true,
            DpopUse::WhenAsked => {
                found.dpop || (challenged && (can == Some(true) || !bearer_will_do)) || (was_bound && can == Some(true))
            }
        };
        if !wanted {
            return Ok(None);
        }
        if can == Some(false) {
            let why = format!(
                "tokens are to be bound to a key, and {} takes no ES256 (`dpop_signing_alg_values_supported`)",
                excerpt(&issuer.id, 200)
            );
            return Err(AuthError::new(AuthErrorKind::Discovery, why));
        }
        if let Some(dpop) = &self.lock().dpop {
            return Ok(Some(Arc::clone(dpop)));
        }
        let dpop = Arc::new(Dpop::new(PrivateKey::generate()?));
        self.lock().dpop = Some(Arc::clone(&dpop));
        Ok(Some(dpop))
    }

    fn asking<'a>(
        &'a self,
        found: &'a Discovered,
        client: Option<&'a Client>,
        scopes: Option<&'a Scopes>,
        dpop: Option<&'a Dpop>,
    ) -> Asking<'a> {
        let key = self.settings.identity.key.as_ref();
        Asking { fetcher: self.fetcher(), clock: &self.clock, found, client, key, dpop, scopes }
    }

    /// Has a person log in: with another device where that can be, else in a browser.
    async fn by_person(
        self: &Arc<Self>,
        found: &Discovered,
        scopes: Option<&Scopes>,
        dpop: Option<&Dpop>,
    ) -> Result<(Issued, Option<Client>), AuthError> {
        let Settings { visitor, device, redirect, login_within, .. } = &self.settings;
        let device = device.as_ref().zip(found.issuer.device.as_ref());
        let back = match (device, visitor) {
            (None, None) => return Err(self.login_required()),
            (None, Some(visitor)) if visitor.listens() => {
                let before = self.kept_client(found).and_then(|client| client.registered);
                redirect.listen(before.and_then(|uris| uris.into_iter().next()).as_deref()).await?
            }
            _ => None,
        };
        let mut back = back.map_or_else(|| Back::Brought(redirect.unattended()), Back::Here);
        let client = match (self.client(found, back.uri()).await, redirect.by_name(back.uri())) {
            // 2026-07-28, client registration, on constraints of redirect URIs.
            (Err(refused), Some(by_name)) if refused.code() == Some("invalid_redirect_uri") => {
                tracing::debug!(%refused, "the registration is tried with the name of this machine");
                back.rename(&by_name).await?;
                self.client(found, &by_name).await.map_err(|_| refused)?
            }
            (client, _) => client?,
        };
        let asking = self.asking(found, Some(&client), scopes, dpop);
        let login = async {
            match (device, visitor) {
                (Some((prompt, at)), _) => {
                    let login = device::run(asking, &self.server, at, &**prompt);
                    tokio::time::timeout(*login_within, login).await.unwrap_or_else(|_| Err(late(*login_within)))
                }
                (None, Some(visitor)) => code::run(asking, &self.server, &**visitor, back, *login_within).await,
                (None, None) => Err(self.login_required()),
            }
        };
        self.asking.send_replace(true);
        let issued = tokio::select! {
            issued = login => issued,
            () = self.is_let_go() => Err(given_up()),
        };
        self.asking.send_replace(false);
        if let Err(error) = &issued
            && matches!(error.code(), Some("invalid_client" | "unauthorized_client"))
        {
            // The next login registers anew.
            let issuer = &found.issuer.id;
            self.amend(|state| {
                let clients = &mut state.record.clients;
                clients.get(issuer).is_some_and(|kept| kept.id == client.id) && clients.remove(issuer).is_some()
            })
            .await;
        }
        Ok((issued?, Some(client)))
    }

    /// The registration that was made on the spot before.
    fn kept_client(&self, found: &Discovered) -> Option<Client> {
        self.lock().record.clients.get(&found.issuer.id).cloned()
    }

    async fn by_itself(
        &self,
        found: &Discovered,
        scopes: Option<&Scopes>,
        dpop: Option<&Dpop>,
    ) -> Result<(Issued, Option<Client>), AuthError> {
        let identity = &self.settings.identity;
        let client = match identity.way(&found.issuer) {
            Ok(Way::Known(client)) => Some(client),
            // An assertion may say all of who asks.
            _ if identity.id.is_none() && !matches!(self.settings.grant, Grant::ClientCredentials) => None,
            Ok(Way::Register(_)) => return Err(self.login_required()),
            Err(error) => return Err(error),
        };
        let asking = self.asking(found, client.as_ref(), scopes, dpop);
        let issued = match &self.settings.grant {
            Grant::ClientCredentials => client_credentials::run(asking).await?,
            Grant::Assertion(source) => assertion::run(asking, &**source).await?,
            Grant::Enterprise(managed) => enterprise::run(asking, managed, &self.http).await?,
            Grant::Code => return Err(self.login_required()),
        };
        Ok((issued, client))
    }

    /// The client that this program is at an authorization server; registered there, where it has to be.
    async fn client(&self, found: &Discovered, redirect_uri: &str) -> Result<Client, AuthError> {
        let issuer = &found.issuer;
        let identity = &self.settings.identity;
        let at = match identity.way(issuer)? {
            Way::Known(client) => return Ok(client),
            Way::Register(at) => at,
        };
        if let Some(kept) = self.kept_client(found).filter(|client| client.serves(redirect_uri)) {
            return Ok(kept);
        }
        let client = self.register(issuer, at, redirect_uri).await?;
        // That its secret has ended already is what this machine's clock says.
        if !client.knows(redirect_uri) {
            let why = format!(
                "the registration endpoint {} registered other redirect addresses than {redirect_uri}; register this program by hand",
                shown(at)
            );
            return Err(AuthError::new(AuthErrorKind::Registration, why));
        }
        // It is kept also where nobody logs in after it; but not in place of one that there is a refresh token of,
        // which would be worth nothing without it.
        if !self.lock().refreshes_with(&issuer.id) {
            self.keep_client(&issuer.id, &client).await;
        }
        Ok(client)
    }

    /// Registers; once more as a client with a secret, where it may be that others are not taken.
    async fn register(&self, issuer: &Issuer, at: &Url, redirect_uri: &str) -> Result<Client, AuthError> {
        let device = self.settings.device.is_some();
        let mut methods = Identity::methods(issuer).into_iter().peekable();
        loop {
            let method = methods.next().unwrap_or(AuthMethod::None);
            let body = self.settings.identity.registration(redirect_uri, method, device);
            let what = "registration endpoint";
            let answer = self.fetcher().post(what, at, HeaderMap::new(), Body::Json(body.to_string())).await?;
            match Identity::registered(answer.status, &answer.body, issuer, redirect_uri) {
                Err(refused) if refused.code() == Some("invalid_client_metadata") && methods.peek().is_some() => {
                    tracing::debug!(%refused, "the registration is tried as a client with a secret");
                }
                done => return done,
            }
        }
    }

    async fn keep_client(&self, issuer: &str, client: &Client) {
        self.amend(|state| {
            let is_kept = state.record.clients.get(issuer).is_some_and(|kept| kept.id == client.id);
            if !is_kept {
                state.record.keep_client(issuer, client.clone());
            }
            !is_kept
        })
        .await;
    }

    /// Refreshes, and keeps what comes.
    pub(super) async fn ask_refresh(
        &self,
        found: &Discovered,
        tokens: &Tokens,
        refresh: &str,
    ) -> Result<(), AuthError> {
        let client = self.client_of(found, tokens)?;
        let dpop = self.lock().dpop.clone().filter(|_| tokens.kind == TokenKind::Dpop);
        let asking = self.asking(found, client.as_ref(), None, dpop.as_deref());
        let done = match refresh::run(asking, refresh).await {
            Ok(issued) => {
                let rotated = issued.refresh.clone();
                let done = self.issued(found, client.as_ref(), tokens.asked.clone(), dpop, issued, Some(tokens)).await;
                done.map_err(|error| NotIssued { error, refresh: rotated })
            }
            Err(not) => Err(not),
        };
        match done {
            Ok(()) => Ok(()),
            Err(NotIssued { error, refresh: None }) => Err(error),
            Err(NotIssued { error, refresh: Some(rotated) }) => {
                self.keep_rotated(refresh, rotated).await;
                let why = format!("{error}; what to refresh with next came with it and is kept, so try again");
                Err(AuthError::new(error.kind(), why).with_source(error))
            }
        }
    }

    /// Keeps what to refresh with next, where the token that it came with is none: the one that was shown is used up.
    async fn keep_rotated(&self, shown: &str, rotated: SecretString) {
        self.amend(|state| {
            let Some(tokens) = &mut state.record.tokens else { return false };
            if tokens.refresh.as_ref().is_none_or(|refresh| refresh.expose_secret() != shown) {
                return false;
            }
            tokens.refresh = Some(rotated.clone());
            true
        })
        .await;
    }

    /// The client that tokens were issued to; none where an assertion said who asked.
    pub(super) fn client_of(&self, found: &Discovered, tokens: &Tokens) -> Result<Option<Client>, AuthError> {
        if tokens.client.is_empty() {
            return Ok(None);
        }
        let client = match self.settings.identity.way(&found.issuer) {
            Ok(Way::Known(client)) => Some(client),
            Ok(Way::Register(_)) => self.kept_client(found),
            Err(error) => return Err(error),
        };
        client.filter(|client| client.id == tokens.client).map(Some).ok_or_else(|| self.login_required())
    }

    /// Keeps what was issued. `before` are the tokens that it takes the place of by a refresh.
    async fn issued(
        &self,
        found: &Discovered,
        client: Option<&Client>,
        asked: Scopes,
        dpop: Option<Arc<Dpop>>,
        issued: Issued,
        before: Option<&Tokens>,
    ) -> Result<(), AuthError> {
        let unfit = |why: &str| {
            let why = format!("the token endpoint {} {why}", shown(&found.issuer.token));
            Err(AuthError::new(AuthErrorKind::Token, why))
        };
        match (issued.kind, &dpop) {
            (TokenKind::Dpop, None) => return unfit("bound the token to a key that it was not told"),
            (TokenKind::Bearer, Some(_)) if self.settings.dpop == DpopUse::Always => {
                return unfit("did not bind the token to the key");
            }
            _ => {}
        }
        let now = Clock::here();
        let life = issued.expires_in;
        let seconds = |life: Duration| i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let tokens = Tokens {
            issuer: found.issuer.id.clone(),
            client: client.map(|client| client.id.clone()).unwrap_or_default(),
            resource: found.resource.clone(),
            access: issued.access,
            kind: issued.kind,
            // Not every server gives another one; then the old one goes on.
            refresh: issued.refresh.or_else(|| before.and_then(|before| before.refresh.clone())),
            asked,
            granted: issued.scopes.or_else(|| before.and_then(|before| before.granted.clone())),
            issued_at: now,
            expires_at: life.map(|life| now.saturating_add(seconds(life))),
        };
        let how = if before.is_some() { How::Refreshed } else { How::Granted };
        let Some(held) = Held::new(&tokens, dpop.as_ref(), life, how) else {
            return unfit("gave a token that does not fit into a header");
        };
        let bound = dpop.filter(|_| tokens.kind == TokenKind::Dpop);
        {
            let mut state = self.lock();
            state.renewals += 1;
            state.ahead = Ahead::default();
        }
        // Of what others keep meanwhile the rest stays: what the authorization server has just said is newer than
        // their tokens alone.
        self.amend(|state| {
            state.held = Some(held.clone());
            state.record.tokens = Some(tokens.clone());
            if let Some(client) = client.filter(|client| client.registered.is_some()) {
                state.record.keep_client(&found.issuer.id, client.clone());
            }
            if let Some(dpop) = &bound {
                state.record.key = Some(dpop.key().clone());
                state.dpop = Some(Arc::clone(dpop));
            }
            if let Some(id) = &self.settings.identity.id {
                state.record.bind(id, &found.issuer.id);
            }
            true
        })
        .await;
        Ok(())
    }
}

impl State {
    /// Whether there is a refresh token that goes with the registration that is kept.
    fn refreshes_with(&self, issuer: &str) -> bool {
        let tokens = self.record.tokens.as_ref().filter(|tokens| tokens.issuer == issuer && tokens.refresh.is_some());
        let kept = self.record.clients.get(issuer);
        tokens.zip(kept).is_some_and(|(tokens, kept)| tokens.client == kept.id)
    }
}

/// Nobody has logged in with another device.
fn late(within: Duration) -> AuthError {
    let why = format!("nobody logged in within {} s; try again, or set a longer `login_timeout`", within.as_secs());
    AuthError::new(AuthErrorKind::Timeout, why)
}
