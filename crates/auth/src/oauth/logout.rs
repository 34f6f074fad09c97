//! The end of an authorization.

use std::time::Duration;

use bowline_http::shown;
use http::HeaderMap;
use secrecy::ExposeSecret as _;

use super::state::Inner;
use super::status::Logout;
use crate::credentials::{Record, Tokens};
use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::Body;
use crate::grant::Who;
use crate::token::{Form, refusal};

/// How long another process may be at a renewal.
const LEASE_WITHIN: Duration = Duration::from_secs(30);
/// How long the authorization server may take to be found and to revoke, in all: nobody is kept logged in by that.
const REVOKE_WITHIN: Duration = Duration::from_secs(30);

impl Inner {
    /// Revokes and forgets tokens.
    pub(super) async fn logout(&self) -> Result<Logout, AuthError> {
        // Whoever renews meanwhile would put back what is taken away.
        let _lease = self.store.lease(&self.key, LEASE_WITHIN).await?;
        if let Err(error) = self.reload().await {
            // What cannot be read can still be forgotten.
            tracing::warn!(%error, "the credentials are forgotten unread");
            self.forget_unread().await?;
            return Ok(Logout { was_authorized: true, revoked: false });
        }
        let record = self.lock().record.clone();
        let revoked = match &record.tokens {
            Some(tokens) => {
                let late = |_| {
                    let why = format!("the authorization server took longer than {} s", REVOKE_WITHIN.as_secs());
                    Err(AuthError::new(AuthErrorKind::Timeout, why))
                };
                let done = tokio::time::timeout(REVOKE_WITHIN, self.revoke(tokens)).await.unwrap_or_else(late);
                done.map_err(|error| tracing::warn!(%error, "not revoked")).is_ok()
            }
            None => false,
        };
        let was_authorized = record.tokens.is_some();
        self.try_amend(|state| {
            (state.held, state.dpop) = (None, None);
            state.forget_refusals();
            state.record = Record { clients: std::mem::take(&mut state.record.clients), ..Record::default() };
            true
        })
        .await?;
        Ok(Logout { was_authorized, revoked })
    }

    /// Has the authorization server revoke the tokens (RFC 7009): first the one that others are got with.
    async fn revoke(&self, tokens: &Tokens) -> Result<(), AuthError> {
        let found = self.known_or_found().await?;
        let lacks = |why: &str| AuthError::new(AuthErrorKind::Discovery, format!("{} {why}", tokens.issuer));
        if found.issuer.id != tokens.issuer {
            return Err(lacks("is no longer named by the server"));
        }
        let Some(at) = &found.issuer.revoke else { return Err(lacks("has no `revocation_endpoint`")) };
        let client = self.client_of(&found, tokens)?;
        let who = Who { client: client.as_ref(), key: self.settings.identity.key.as_ref(), audience: &found.issuer.id };
        let both = [("refresh_token", tokens.refresh.as_ref()), ("access_token", Some(&tokens.access))];
        let mut refused = Ok(());
        for (hint, token) in both.into_iter().filter_map(|(hint, token)| Some((hint, token?))) {
            let mut headers = HeaderMap::new();
            let form = Form::default().with("token", token.expose_secret()).with("token_type_hint", hint);
            let form = who.sign(form, &mut headers, self.clock.there(at))?;
            let answer = self.fetcher.post("revocation endpoint", at, headers, Body::Form(form.encode())).await?;
            if !answer.status.is_success() {
                let error = refusal(answer.status, &answer.body, &shown(at), &who.hide(form.secrets()));
                // RFC 7009, section 2.2.1: one that cannot be revoked ends by itself, and soon.
                if hint == "access_token" && error.code() == Some("unsupported_token_type") && tokens.refresh.is_some()
                {
                    continue;
                }
                // The other one may be revoked all the same.
                refused = refused.and(Err(error));
            }
        }
        refused
    }
}
