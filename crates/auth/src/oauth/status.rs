//! What there is of an authorization, and its end.

use std::time::Duration;

use super::state::State;
use crate::scope::Scopes;
use crate::token::TokenKind;

/// What there is of an authorization. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether there is a token.
    pub authorized: bool,
    /// The authorization server that issued it.
    pub issuer: Option<String>,
    /// The id that this program has there.
    pub client_id: Option<String>,
    /// What it is good for, as far as the authorization server said; else what was asked for.
    pub scopes: Vec<String>,
    /// How long it still lives; none where nobody said.
    pub expires_in: Option<Duration>,
    /// Whether a fresh one can be got without a login.
    pub refreshable: bool,
    /// Whether it is bound to a key (DPoP).
    pub bound: bool,
}

impl Status {
    pub(super) fn of(state: &State) -> Self {
        let tokens = state.record.tokens.as_ref();
        let scopes = tokens.map(|tokens| tokens.granted.as_ref().unwrap_or(&tokens.asked)).map(Scopes::to_vec);
        Self {
            authorized: state.held.is_some(),
            issuer: tokens.map(|tokens| tokens.issuer.clone()),
            client_id: tokens.map(|tokens| tokens.client.clone()).filter(|id| !id.is_empty()),
            scopes: scopes.unwrap_or_default(),
            expires_in: state.held.as_ref().and_then(|held| held.remaining()),
            refreshable: tokens.is_some_and(|tokens| tokens.refresh.is_some()),
            bound: tokens.is_some_and(|tokens| tokens.kind == TokenKind::Dpop),
        }
    }
}

/// What came of a logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logout {
    /// Whether there was anything to forget.
    pub was_authorized: bool,
    /// Whether the authorization server has revoked it. Where not, tokens live on until they end.
    pub revoked: bool,
}
