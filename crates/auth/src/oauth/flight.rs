//! One renewal at a time: for all calls that wait, and by the store's lease for all processes.

use std::sync::Arc;
use std::time::Duration;

use bowline_http::shown;
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;

use super::out_of_scope;
use super::state::{Inner, State};
use crate::challenge::Wanted;
use crate::discovery::{Discovered, Discovery};
use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::Fetcher;
use crate::scope::Scopes;

/// How often more scopes are asked for between two logins by hand: a server that always finds another one must not
/// have the person asked for ever.
const MAX_STEP_UPS: u32 = 16;
/// How long a process waits for another one that renews by itself.
const LEASE_WITHIN: Duration = Duration::from_secs(90);

/// Why a token is renewed.
#[derive(Debug)]
pub(super) enum Cause {
    /// It ends soon.
    Due { sent: HeaderValue },
    /// The server answered 401. `fresh` where the request was sent with a token that was got for it.
    Refused { sent: Option<HeaderValue>, wanted: Wanted, fresh: bool },
    /// The server answered 403 and wants more scopes.
    StepUp { sent: Option<HeaderValue>, wanted: Wanted },
    /// Somebody asks for a login.
    Login { wanted: Wanted },
    /// Somebody asks for a refresh.
    Refresh,
}

impl Cause {
    fn purpose(&self) -> Purpose {
        match self {
            Self::Due { .. } => Purpose::Ahead,
            Self::Refused { .. } => Purpose::Another,
            Self::StepUp { wanted, .. } => Purpose::More(wanted.scopes.clone()),
            Self::Login { .. } | Self::Refresh => Purpose::ByHand,
        }
    }

    /// Whether there is another token by now than the one that will not do.
    fn is_settled(&self, state: &State) -> bool {
        let sent = match self {
            Self::Due { sent } => Some(sent),
            Self::Refused { sent, .. } | Self::StepUp { sent, .. } => sent.as_ref(),
            Self::Login { .. } | Self::Refresh => return false,
        };
        state.is_newer_than(sent)
    }

    pub(super) const fn wanted(&self) -> Option<&Wanted> {
        match self {
            Self::Refused { wanted, .. } | Self::StepUp { wanted, .. } | Self::Login { wanted } => Some(wanted),
            Self::Due { .. } | Self::Refresh => None,
        }
    }
}

/// What a renewal is to bring.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    Ahead,
    Another,
    More(Option<Scopes>),
    ByHand,
}

/// A renewal that goes on, to be waited for.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    purpose: Purpose,
    landing: watch::Receiver<Option<Result<(), AuthError>>>,
}

impl Flight {
    async fn landed(mut self) -> Result<(), AuthError> {
        let gone = || AuthError::new(AuthErrorKind::Config, "the renewal of the token was broken off with its runtime");
        let done = self.landing.wait_for(Option::is_some).await.map_err(|_| gone())?;
        done.clone().unwrap_or_else(|| Err(gone()))
    }
}

enum Boarded {
    /// There is another token already.
    Settled,
    Own(Flight),
    Shared(Flight),
}

impl Inner {
    /// Renews the token where it is due. A renewal that fails is an error once the token has ended.
    pub(super) async fn keep_fresh(self: &Arc<Self>) -> Result<(), AuthError> {
        let held = self.lock().held.clone();
        let Some(held) = held.filter(|held| held.is_due()) else { return Ok(()) };
        if !held.refreshable && !self.settings.acts_by_itself() {
            // It is used until the server refuses it.
            return Ok(());
        }
        match self.renew(Cause::Due { sent: held.header.clone() }).await {
            Err(error) if !held.has_ended() => {
                tracing::warn!(%error, "the token is not renewed ahead of its end");
                Ok(())
            }
            // The server says what it wants instead.
            Err(error) if error.is_login_required() => Ok(()),
            done => done,
        }
    }

    /// Gets another token, or waits for the flight that is at it. The flight goes on when the future is dropped: a
    /// refresh token that was shown is used up, and what came for it must be kept.
    pub(super) async fn renew(self: &Arc<Self>, cause: Cause) -> Result<(), AuthError> {
        let purpose = cause.purpose();
        let mut cause = Some(cause);
        loop {
            let flight = match self.board(&purpose, &mut cause) {
                Boarded::Settled => return Ok(()),
                Boarded::Own(flight) => return flight.landed().await,
                Boarded::Shared(flight) => flight,
            };
            // Whoever waited for the same shares its failure: nobody is asked twice. What somebody asks for by hand is
            // tried all the same.
            let shares = flight.purpose == purpose && purpose != Purpose::ByHand;
            let done = flight.landed().await;
            if shares && done.is_err() {
                return done;
            }
        }
    }

    /// Takes the flight that goes on, or starts one. Nothing is handed to those who wait, since a request that is
    /// given up may hold their future for a while without asking it.
    fn board(self: &Arc<Self>, purpose: &Purpose, cause: &mut Option<Cause>) -> Boarded {
        let mut state = self.lock();
        if let Some(flight) = state.flight.clone().filter(|flight| flight.landing.has_changed().is_ok()) {
            return Boarded::Shared(flight);
        }
        let Some(cause) = cause.take_if(|cause| !cause.is_settled(&state)) else { return Boarded::Settled };
        let (sender, landing) = watch::channel(None);
        let flight = Flight { purpose: purpose.clone(), landing };
        state.flight = Some(flight.clone());
        drop(state);
        let inner = Arc::clone(self);
        // Each step is bounded: requests by their timeout, the person by theirs, the lease by its own.
        tokio::spawn(async move {
            let done = inner.work(cause).await;
            inner.lock().flight = None;
            sender.send_replace(Some(done));
        });
        Boarded::Own(flight)
    }

    async fn work(self: &Arc<Self>, cause: Cause) -> Result<(), AuthError> {
        let login = if self.settings.asks_somebody() { self.settings.login_within } else { Duration::ZERO };
        let within = LEASE_WITHIN + login;
        let _lease = self.store.lease(&self.key, within).await?;
        self.reload().await?;
        if cause.is_settled(&self.lock()) {
            return Ok(());
        }
        self.refuse_early(&cause)?;
        if let Some(hint) = cause.wanted().and_then(|wanted| wanted.metadata.clone()) {
            self.lock().hint = Some(hint);
        }
        let found = self.found(&cause).await?;
        if self.may_refresh(&cause, &found) && self.refresh(&found).await? {
            return Ok(());
        }
        match cause {
            // The server says what it wants once it refuses the token.
            Cause::Due { .. } if !self.settings.acts_by_itself() => Err(self.login_required()),
            Cause::Refresh if !self.settings.acts_by_itself() => Err(self.login_required()),
            cause => self.obtain(&cause, &found).await,
        }
    }

    /// Stops where asking again would bring nothing.
    fn refuse_early(&self, cause: &Cause) -> Result<(), AuthError> {
        let mut state = self.lock();
        match cause {
            Cause::Refused { sent: Some(sent), fresh, .. } => {
                let just_issued = *fresh && state.held.as_ref().is_some_and(|held| !held.refreshed);
                if just_issued || state.refused.as_ref() == Some(sent) {
                    state.refused = Some(sent.clone());
                    let why = "the server refuses the token that was just issued for it (401); check that both mean the same server, or log in again";
                    return Err(AuthError::new(AuthErrorKind::Token, why));
                }
            }
            Cause::StepUp { wanted, .. } => {
                let named = wanted.scopes.clone().unwrap_or_default();
                let asked = state.record.tokens.as_ref().map(|tokens| tokens.asked.clone()).unwrap_or_default();
                let known = asked.union(&state.denied);
                let listed = state.found.as_ref().and_then(|found| found.scopes.clone()).unwrap_or_default();
                let missing = if named.is_empty() { &listed } else { &named };
                if known.covers(missing) || state.step_ups >= MAX_STEP_UPS {
                    state.denied = state.denied.union(missing);
                    return Err(out_of_scope(missing));
                }
                state.step_ups += 1;
            }
            _ => {}
        }
        Ok(())
    }

    /// What is known of the servers, found out anew where one of them refused something: they may have changed.
    async fn found(&self, cause: &Cause) -> Result<Arc<Discovered>, AuthError> {
        match cause {
            Cause::Due { .. } | Cause::Refresh => self.known_or_found().await,
            _ => self.find().await,
        }
    }

    pub(super) async fn known_or_found(&self) -> Result<Arc<Discovered>, AuthError> {
        let known = self.lock().found.clone();
        match known {
            Some(known) => Ok(known),
            None => self.find().await,
        }
    }

    async fn find(&self) -> Result<Arc<Discovered>, AuthError> {
        let (hint, issuer) = {
            let state = self.lock();
            let issuer = state.record.tokens.as_ref().map(|tokens| tokens.issuer.clone());
            (state.hint.clone(), issuer)
        };
        let preferred = self.settings.identity.issuer.clone().or(issuer);
        let discovery = Discovery {
            fetcher: &self.fetcher,
            server: &self.server,
            known: preferred.as_deref(),
            only: self.settings.identity.issuer.as_deref(),
            choose: self.settings.choose.as_deref(),
            compare: self.settings.compare,
        };
        let found = Arc::new(discovery.run(hint.as_deref()).await?);
        self.lock().found = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Whether there is something to refresh with, and a refresh would help.
    fn may_refresh(&self, cause: &Cause, found: &Discovered) -> bool {
        let helps = match cause {
            // It came by a refresh a moment ago.
            Cause::Refused { fresh, .. } => !fresh,
            Cause::Due { .. } | Cause::Refresh => true,
            Cause::StepUp { .. } | Cause::Login { .. } => false,
        };
        let state = self.lock();
        let tokens = state.record.tokens.as_ref().filter(|tokens| tokens.is_for(found));
        helps && tokens.is_some_and(|tokens| tokens.refresh.is_some())
    }

    /// Refreshes. False where the authorization server refuses for good, and what it refused is forgotten.
    async fn refresh(&self, found: &Discovered) -> Result<bool, AuthError> {
        let Some(tokens) = self.lock().record.tokens.clone() else { return Ok(false) };
        let Some(refresh) = &tokens.refresh else { return Ok(false) };
        let error = match self.ask_refresh(found, &tokens, refresh.expose_secret()).await {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        let code = error.code().unwrap_or_default();
        let client_is_gone = matches!(code, "invalid_client" | "unauthorized_client");
        if code != "invalid_grant" && !client_is_gone {
            // It may be said otherwise a moment later: nothing is thrown away.
            return Err(error);
        }
        // Somebody without the lease may have been first: then this one is not what was refused.
        self.reload().await?;
        let (mut record, mut held) = {
            let state = self.lock();
            (state.record.clone(), state.held.clone())
        };
        let Some(now) = record.tokens.as_mut().filter(|now| same(now.refresh.as_ref(), refresh)) else {
            return Ok(held.is_some());
        };
        tracing::debug!(%error, "the authorization server refuses the refresh token");
        // The token itself was not refused by this.
        now.refresh = None;
        if let Some(held) = &mut held {
            held.refreshable = false;
        }
        if client_is_gone {
            record.clients.remove(&found.issuer.id);
        }
        self.keep(record, held).await;
        Ok(false)
    }

    pub(super) fn login_required(&self) -> AuthError {
        let why = format!("{} wants a login; log in to it first", shown(&self.server));
        AuthError::new(AuthErrorKind::LoginRequired, why)
    }

    /// Asks the server without a token what it wants. One that wants nothing says nothing.
    pub(super) async fn probe(&self) -> Result<Wanted, AuthError> {
        let headers = self.fetcher.probe(&self.server).await?;
        let values = headers.get_all(http::header::WWW_AUTHENTICATE);
        Ok(Wanted::read(values.iter().filter_map(|value| value.to_str().ok())))
    }

    pub(super) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }
}

fn same(one: Option<&SecretString>, other: &SecretString) -> bool {
    one.is_some_and(|one| one.expose_secret() == other.expose_secret())
}

/// The scopes that a token was asked with before, where they still mean something.
pub(super) fn before(inner: &Inner, issuer: &str) -> Option<Scopes> {
    let state = inner.lock();
    let tokens = state.record.tokens.as_ref().filter(|tokens| tokens.issuer == issuer)?;
    Some(tokens.asked.clone())
}
