//! The token that requests are sent with, and how long it is good for.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::credentials::Tokens;
use crate::dpop::Dpop;
use crate::token::TokenKind;

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
    pub(super) since: Instant,
    /// Whether the server has taken it.
    pub(super) proven: bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Scopes;

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
        Held::new(&tokens, None, life, How::Granted).unwrap()
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
}
