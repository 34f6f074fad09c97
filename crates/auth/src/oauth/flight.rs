//! One renewal at a time: for all calls that wait, and by the store's lease for all processes.

use std::sync::Arc;
use std::time::Duration;

use bowline_http::shown;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;

use super::cause::{Cause, Purpose};
use super::held::{Held, How};
use super::out_of_scope;
use super::state::{Inner, State};
use crate::challenge::Wanted;
use crate::discovery::{Discovered, Discovery};
use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::Fetcher;
use crate::scope::Scopes;
use crate::store::Lease;

/// How often more scopes are asked for until the server takes a token with them: one that always finds another must
/// not have the person asked for ever.
const MAX_STEP_UPS: u32 = 4;
/// How long a process waits for another one that renews by itself.
pub(super) const LEASE_WITHIN: Duration = Duration::from_secs(90);

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
    /// Renews the token where it is due: beside the call while the token is good, before it once the token has ended.
    pub(super) async fn keep_fresh(self: &Arc<Self>) -> Result<(), AuthError> {
        let (cause, has_ended, renewals) = {
            let state = self.lock();
            let Some(held) = state.held.as_ref().filter(|held| held.is_due()) else { return Ok(()) };
            if !state.is_refreshable() && !self.settings.acts_by_itself() {
                // It is used until the server refuses it.
                return Ok(());
            }
            if !held.has_ended() && !state.ahead.may_begin() {
                return Ok(());
            }
            (Cause::Due { sent: held.header.clone() }, held.has_ended(), state.renewals)
        };
        if !has_ended {
            // Nobody waits for it. Where another renewal goes on, that one will do.
            drop(self.board(&Purpose::Ahead, &mut Some(cause), renewals));
            return Ok(());
        }
        match self.renew(cause).await {
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
        let renewals = self.lock().renewals;
        loop {
            let flight = match self.board(&purpose, &mut cause, renewals) {
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
    fn board(self: &Arc<Self>, purpose: &Purpose, cause: &mut Option<Cause>, renewals: u64) -> Boarded {
        let mut state = self.lock();
        if let Some(flight) = state.flight.clone().filter(|flight| flight.landing.has_changed().is_ok()) {
            return Boarded::Shared(flight);
        }
        let Some(cause) = cause.take_if(|cause| !cause.is_settled(&state, renewals)) else { return Boarded::Settled };
        let (sender, landing) = watch::channel(None);
        let flight = Flight { purpose: purpose.clone(), landing };
        state.flight = Some(flight.clone());
        drop(state);
        let (inner, is_ahead) = (Arc::clone(self), *purpose == Purpose::Ahead);
        // Each step is bounded: requests by their timeout, the person by theirs, the lease by its own.
        tokio::spawn(async move {
            let done = inner.work(cause, renewals).await;
            {
                let mut state = inner.lock();
                state.flight = None;
                if let Some(error) = done.as_ref().err().filter(|_| is_ahead) {
                    state.ahead.failed();
                    tracing::warn!(%error, "the token is not renewed ahead of its end");
                }
            }
            sender.send_replace(Some(done));
        });
        Boarded::Own(flight)
    }

    /// Waits for the renewal that goes on, but not for a person.
    pub(super) async fn settled(&self) {
        let Some(flight) = self.lock().flight.clone() else { return };
        let mut asking = self.asking.subscribe();
        tokio::select! {
            _ = flight.landed() => {}
            _ = asking.wait_for(|asking| *asking) => {}
        }
    }

    async fn work(self: &Arc<Self>, cause: Cause, renewals: u64) -> Result<(), AuthError> {
        let lease = self.hold(LEASE_WITHIN).await?;
        if cause.is_settled(&self.lock(), renewals) {
            return Ok(());
        }
        self.refuse_early(&cause)?;
        if let Some(hint) = cause.wanted().and_then(|wanted| wanted.metadata.clone()) {
            self.lock().hint = Some(hint);
        }
        let Some(mut found) = self.refreshed_or_found(&cause).await? else { return Ok(()) };
        // Held while it is this process that asks a person: two that want a login ask once.
        let mut turn = None;
        if self.settings.asks_somebody() {
            let now = self.turn_to_ask(Duration::ZERO).await;
            // Nobody else's refresh waits for a person.
            drop(lease);
            turn = match now {
                Err(error) if error.kind() == AuthErrorKind::Timeout => {
                    let turn = self.wait_to_ask().await?;
                    // What the other one brought may do here.
                    let _lease = self.hold(LEASE_WITHIN).await?;
                    if cause.is_settled(&self.lock(), renewals) {
                        return Ok(());
                    }
                    match self.refreshed_or_found(&cause).await? {
                        Some(again) => found = again,
                        None => return Ok(()),
                    }
                    turn
                }
                now => now?,
            };
        }
        self.obtain(&cause, &found).await?;
        drop(turn);
        let mut state = self.lock();
        // Another call may have shown it already.
        state.on_probation |= matches!(cause, Cause::Refused { .. }) && !state.is_proven();
        Ok(())
    }

    /// Waits while another process asks the person, which they have their time for as if they were asked here.
    async fn wait_to_ask(&self) -> Result<Option<Lease>, AuthError> {
        let within = self.settings.login_within.saturating_add(LEASE_WITHIN);
        self.asking.send_replace(true);
        let turn = tokio::select! {
            turn = self.turn_to_ask(within) => turn,
            () = self.is_let_go() => Err(given_up()),
        };
        self.asking.send_replace(false);
        turn
    }

    /// Refreshes, where that would help. Where not, what was found out, for whoever obtains a token.
    async fn refreshed_or_found(&self, cause: &Cause) -> Result<Option<Arc<Discovered>>, AuthError> {
        let found = self.found(cause).await?;
        if self.may_refresh(cause, &found) && self.refresh(&found).await? {
            return Ok(None);
        }
        match cause {
            // The server says what it wants once it refuses the token.
            Cause::Due { .. } | Cause::Refresh if !self.settings.acts_by_itself() => Err(self.login_required()),
            Cause::Refused { sent: Some(_), .. } if self.settings.asks_somebody() && self.lock().on_probation => {
                Err(just_issued())
            }
            _ => Ok(Some(found)),
        }
    }

    /// Stops where asking again would bring nothing.
    fn refuse_early(&self, cause: &Cause) -> Result<(), AuthError> {
        let mut state = self.lock();
        match cause {
            Cause::Refused { sent: Some(_), fresh, .. } => {
                let granted = state.held.as_ref().is_some_and(|held| held.how == How::Granted);
                if granted && state.is_just_issued(*fresh) {
                    state.on_probation = true;
                    return Err(just_issued());
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
                if !self.settings.asks_somebody() && !self.settings.acts_by_itself() {
                    return Err(self.lacks_scopes(&asked, missing));
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
            any: self.settings.identity.id.is_none(),
            compare: self.settings.compare,
        };
        let found = Arc::new(discovery.run(hint.as_deref()).await?);
        self.lock().found = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Whether there is something to refresh with, and a refresh would help.
    fn may_refresh(&self, cause: &Cause, found: &Discovered) -> bool {
        let helps = match cause {
            // It may have come by a refresh a moment ago.
            Cause::Refused { fresh, .. } => !self.lock().is_just_issued(*fresh),
            Cause::Due { .. } | Cause::Refresh => true,
            Cause::StepUp { .. } | Cause::Login { .. } => false,
        };
        let state = self.lock();
        // A refresh token is shown to nobody but who issued it.
        let tokens = state.record.tokens.as_ref().filter(|tokens| tokens.is_for(found));
        let tokens = tokens.filter(|tokens| tokens.refresh.is_some()).cloned();
        drop(state);
        // Nor without the client that it was issued to.
        helps && tokens.is_some_and(|tokens| self.client_of(found, &tokens).is_ok())
    }

    /// Refreshes. False where the authorization server refuses for good, and what it refused is forgotten.
    async fn refresh(&self, found: &Discovered) -> Result<bool, AuthError> {
        let Some(tokens) = self.lock().record.tokens.clone() else { return Ok(false) };
        let Some(refresh) = &tokens.refresh else { return Ok(false) };
        let sent = self.lock().held.as_ref().map(|held| held.header.clone());
        let error = match self.ask_refresh(found, &tokens, refresh.expose_secret()).await {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        let issuer = &found.issuer.id;
        let registered = self.lock().record.clients.get(issuer).is_some_and(|client| client.id == tokens.client);
        match error.code().unwrap_or_default() {
            code if is_end_of_refresh(code) => {}
            // A registration that is gone takes along what was issued to it. Of a client that was given beforehand it
            // says nothing: somebody else who shares the store may have the right secret, or the right time.
            "invalid_client" | "unauthorized_client" if registered => {}
            "unauthorized_client" => return Ok(false),
            // Some say so of a refresh token that has ended. It is not sure, so nothing is thrown away: whoever can be
            // asked is, and others are told what to do.
            "invalid_request" if self.settings.asks_somebody() => return Ok(false),
            "invalid_request" => {
                let why = format!("{error}; log in again if that goes on");
                return Err(AuthError::new(error.kind(), why).with_code("invalid_request").with_source(error));
            }
            // It may be said otherwise a moment later: nothing is thrown away.
            _ => return Err(error),
        }
        // Somebody without the lease may have been first: then this one is not what was refused.
        self.let_go(&error, issuer, &tokens.client, refresh).await;
        let state = self.lock();
        Ok(state.is_refreshable() || state.is_newer_than(sent.as_ref()))
    }

    /// Forgets what the authorization server refuses, where it still is what is kept.
    async fn let_go(&self, error: &AuthError, issuer: &str, client: &str, refresh: &SecretString) {
        let client_is_gone = !error.code().is_some_and(is_end_of_refresh);
        if let Err(error) = self.reload().await {
            tracing::warn!(%error, "the store fails; the credentials are good for this process alone");
        }
        self.amend(|state| {
            let record = &mut state.record;
            let Some(now) = record.tokens.as_mut().filter(|now| same(now.refresh.as_ref(), refresh)) else {
                return false;
            };
            tracing::debug!(%error, "the authorization server refuses the refresh token");
            // The token itself was not refused by this.
            now.refresh = None;
            if client_is_gone && record.clients.get(issuer).is_some_and(|kept| kept.id == client) {
                record.clients.remove(issuer);
            }
            true
        })
        .await;
    }

    pub(super) fn login_required(&self) -> AuthError {
        let next = match self.lock().record.tokens {
            None => "wants a login; log in to it first",
            // It has ended, or is not taken.
            Some(_) => "wants another login, and not the token that there is; log in to it again",
        };
        AuthError::new(AuthErrorKind::LoginRequired, format!("{} {next}", shown(&self.server)))
    }

    /// As [`login_required`](Self::login_required), for more scopes than the token was asked with.
    fn lacks_scopes(&self, asked: &Scopes, missing: &Scopes) -> AuthError {
        let (server, all) = (shown(&self.server), asked.union(missing));
        let why = match missing.is_empty() {
            true => format!("{server} wants more scopes than the token has, and names none; log in to it again"),
            false => format!(
                "{server} wants the scopes \"{missing}\", which the token lacks; log in to it again, for \"{all}\""
            ),
        };
        AuthError::new(AuthErrorKind::LoginRequired, why).with_scopes(all.to_vec())
    }

    /// Asks the server without a token what it wants. One that wants nothing says nothing.
    pub(super) async fn probe(&self) -> Result<Wanted, AuthError> {
        let headers = self.fetcher.probe(&self.server).await?;
        Ok(Wanted::read(bowline_http::www_authenticate(&headers)))
    }

    pub(super) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }
}

impl State {
    /// Whether the token that was refused has only just been got: it did not end, and a refresh would bring another of
    /// its kind. A request that had the token from the start proves that only while it is on probation.
    fn is_just_issued(&self, fresh: bool) -> bool {
        (fresh || self.on_probation) && self.held.as_ref().is_some_and(Held::is_new)
    }
}

/// Whether a refresh token is refused for good: as the standard says it (RFC 6749, section 5.2), or as large providers
/// do in place of that.
fn is_end_of_refresh(code: &str) -> bool {
    matches!(
        code,
        "invalid_grant"
            | "bad_refresh_token"
            | "invalid_refresh_token"
            | "refresh_token_not_found"
            | "refresh_token_already_used"
    )
}

/// The end of a login that nobody wants any more.
pub(super) fn given_up() -> AuthError {
    AuthError::new(AuthErrorKind::LoginRequired, "the login was given up: nobody wants it any more")
}

/// What a server does that no token satisfies.
fn just_issued() -> AuthError {
    let why = "the server refuses the token that was just issued for it (401); check that both mean the same server, or log in again";
    AuthError::new(AuthErrorKind::Token, why)
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
