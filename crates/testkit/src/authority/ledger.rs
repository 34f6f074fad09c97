//! What was given out, and what of it still holds; without I/O.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::clients::Client;
use super::jwt::secret;
use super::log::AuthCounts;
use super::refusal::Refusal;

/// What somebody was permitted.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) client: String,
    pub(super) scopes: Vec<String>,
    pub(super) resource: Option<String>,
    /// The key that its tokens are bound to.
    pub(super) key: Option<String>,
    /// All tokens that come of one consent are void together.
    pub(super) family: u64,
}

/// What a code was given for.
pub(super) struct Code {
    pub(super) grant: Grant,
    pub(super) redirect: String,
    pub(super) challenge: String,
    pub(super) spent: bool,
}

struct Access {
    grant: Grant,
    until: Option<Instant>,
}

struct Refresh {
    grant: Grant,
    spent: bool,
}

/// A device that waits to be approved.
pub(super) struct Device {
    pub(super) grant: Grant,
    pub(super) user_code: String,
    pub(super) verdict: Option<bool>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Void {
    Unknown,
    Expired,
    Revoked,
}

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) clients: HashMap<String, Client>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) devices: HashMap<String, Device>,
    pub(super) resources: HashSet<String>,
    pub(super) counts: AuthCounts,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    void: HashSet<u64>,
    families: u64,
    /// The ids of proofs and assertions that were used.
    used: HashSet<String>,
}

impl Ledger {
    pub(super) fn family(&mut self) -> u64 {
        self.families += 1;
        self.families
    }

    /// Takes a code, once: with the second use all that came of it is void (OAuth 2.1, section 4.1.3).
    pub(super) fn spend_code(&mut self, code: &str) -> Result<(Grant, String, String), Refusal> {
        let known = self.codes.get_mut(code).ok_or_else(|| Refusal::new("invalid_grant", "there is no such code"))?;
        if std::mem::replace(&mut known.spent, true) {
            self.counts.reuses += 1;
            self.void.insert(known.grant.family);
            return Err(Refusal::new("invalid_grant", "the code was used already"));
        }
        Ok((known.grant.clone(), known.redirect.clone(), known.challenge.clone()))
    }

    pub(super) fn give_access(&mut self, grant: &Grant, until: Option<Instant>) -> String {
        let token = secret("access");
        self.access.insert(token.clone(), Access { grant: grant.clone(), until });
        self.counts.tokens += 1;
        token
    }

    pub(super) fn give_refresh(&mut self, grant: &Grant) -> String {
        let token = secret("refresh");
        self.refresh.insert(token.clone(), Refresh { grant: grant.clone(), spent: false });
        token
    }

    /// What a refresh token stands for. Where tokens are used once, the second use makes all of its family void.
    pub(super) fn refresh(&mut self, token: &str, client: &str, rotates: bool) -> Result<Grant, Refusal> {
        let outcome = self.try_refresh(token, client, rotates);
        match &outcome {
            Ok(_) => self.counts.refreshes += 1,
            Err(_) => self.counts.refused_refreshes += 1,
        }
        outcome
    }

    fn try_refresh(&mut self, token: &str, client: &str, rotates: bool) -> Result<Grant, Refusal> {
        let refuse = |text: &str| Err(Refusal::new("invalid_grant", text));
        let Some(known) = self.refresh.get_mut(token) else { return refuse("there is no such refresh token") };
        if known.grant.client != client {
            return refuse("the refresh token is another client's");
        }
        if self.void.contains(&known.grant.family) {
            return refuse("the refresh token was revoked");
        }
        if rotates && std::mem::replace(&mut known.spent, true) {
            self.counts.reuses += 1;
            self.void.insert(known.grant.family);
            return refuse("the refresh token was used already; all that came of it is void");
        }
        Ok(known.grant.clone())
    }

    /// What an access token stands for.
    pub(super) fn access(&self, token: &str, now: Instant) -> Result<&Grant, Void> {
        let known = self.access.get(token).ok_or(Void::Unknown)?;
        if self.void.contains(&known.grant.family) {
            return Err(Void::Revoked);
        }
        if known.until.is_some_and(|until| until <= now) {
            return Err(Void::Expired);
        }
        Ok(&known.grant)
    }

    /// Makes a token void, and with a refresh token all that came of the same consent. One that nobody knows is as
    /// good as revoked (RFC 7009, section 2.2).
    pub(super) fn revoke(&mut self, token: &str, client: &str) {
        if let Some(known) = self.refresh.get(token).filter(|known| known.grant.client == client) {
            self.void.insert(known.grant.family);
            self.counts.revocations += 1;
        } else if self.access.get(token).is_some_and(|known| known.grant.client == client) {
            self.access.remove(token);
            self.counts.revocations += 1;
        }
    }

    pub(super) fn expire_access(&mut self, now: Instant) {
        for known in self.access.values_mut() {
            known.until = Some(now);
        }
    }

    pub(super) fn revoke_all(&mut self) {
        self.void.extend(1..=self.families);
    }

    /// Whether an id of a proof or an assertion is new; from now on it is not.
    pub(super) fn is_new(&mut self, id: &str) -> bool {
        !id.is_empty() && self.used.insert(id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(ledger: &mut Ledger) -> Grant {
        let family = ledger.family();
        Grant { client: "c".to_owned(), scopes: Vec::new(), resource: None, key: None, family }
    }

    #[tokio::test]
    async fn a_refresh_token_that_is_used_twice_takes_its_whole_family_along() {
        let mut ledger = Ledger::default();
        let (first, other) = (grant(&mut ledger), grant(&mut ledger));
        let (used, kept) = (ledger.give_refresh(&first), ledger.give_refresh(&other));
        assert!(ledger.refresh(&used, "c", true).is_ok());
        let (next, access) = (ledger.give_refresh(&first), ledger.give_access(&first, None));
        assert!(ledger.access(&access, Instant::now()).is_ok());
        assert!(ledger.refresh(&used, "c", true).is_err());
        assert!(ledger.refresh(&next, "c", true).is_err());
        assert_eq!(ledger.access(&access, Instant::now()).err(), Some(Void::Revoked));
        assert!(ledger.refresh(&kept, "c", true).is_ok());
        let counts = ledger.counts;
        assert_eq!((counts.refreshes, counts.refused_refreshes, counts.reuses), (2, 2, 1));
    }

    #[tokio::test]
    async fn a_token_of_another_client_is_neither_refreshed_nor_revoked() {
        let mut ledger = Ledger::default();
        let first = grant(&mut ledger);
        let token = ledger.give_refresh(&first);
        ledger.revoke(&token, "d");
        assert!(ledger.refresh(&token, "d", true).is_err());
        assert!(ledger.refresh(&token, "c", true).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_ends_with_its_time_or_on_command() {
        let mut ledger = Ledger::default();
        let first = grant(&mut ledger);
        let now = Instant::now();
        let short = ledger.give_access(&first, Some(now + std::time::Duration::from_secs(5)));
        let long = ledger.give_access(&first, None);
        assert!(ledger.access(&short, now).is_ok());
        assert_eq!(ledger.access(&short, now + std::time::Duration::from_secs(5)).err(), Some(Void::Expired));
        ledger.expire_access(now);
        assert_eq!(ledger.access(&long, now).err(), Some(Void::Expired));
        assert_eq!(ledger.access("none", now).err(), Some(Void::Unknown));
    }
}
