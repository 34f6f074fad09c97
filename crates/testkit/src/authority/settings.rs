//! What an authorization server is to do.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use url::Url;

use super::answer::{Answer, Endpoint};
use super::clients::{Client, ClientAuth};
use super::layout::MetadataAt;
use super::overwrites::Overwrites;
use super::{AuthServer, SigningKey};

/// What a redirect back to the client says about its issuer (RFC 9207).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Iss {
    /// The issuer.
    Right,
    /// Nothing.
    Absent,
    /// This, with `{issuer}` for the issuer.
    Value(String),
}

/// What a redirect back to the client has as its `state`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// The one of the request.
    Right,
    /// None.
    Absent,
    /// This one.
    Value(String),
}

/// What an [`AuthServer`] is to do: at first, and by [`AuthServer::change`] from then on.
///
/// By default it is what a good server is: metadata by RFC 8414, PKCE, dynamic registration, exact redirect URIs, the
/// resource of a token checked, refresh tokens that are used once, a token's life of an hour, `iss` in its redirects,
/// consent without a question.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    pub(super) issuer_path: String,
    pub(super) metadata_at: Vec<MetadataAt>,
    pub(super) metadata: Overwrites,
    pub(super) registers: bool,
    pub(super) registered_as: Option<ClientAuth>,
    pub(super) clients: HashMap<String, Client>,
    pub(super) answers: HashMap<Endpoint, (Answer, bool)>,
    pub(super) iss: Iss,
    pub(super) advertises_iss: bool,
    pub(super) state: State,
    pub(super) denies: Option<(String, String)>,
    pub(super) spends_codes: bool,
    pub(super) grants: Option<Vec<String>>,
    pub(super) audience: Option<String>,
    pub(super) checks_resource: bool,
    pub(super) life: Option<Duration>,
    pub(super) refreshes: bool,
    pub(super) rotates: bool,
    pub(super) token_answer: Overwrites,
    pub(super) demands_dpop: bool,
    pub(super) demands_nonce: bool,
    pub(super) clock_ahead: i64,
    pub(super) trusted: HashMap<String, Value>,
    pub(super) device_interval: u64,
    pub(super) elsewhere: HashMap<String, String>,
    pub(super) any_loopback_port: bool,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            issuer_path: String::new(),
            metadata_at: vec![MetadataAt::OAuth],
            metadata: Overwrites::default(),
            registers: true,
            registered_as: None,
            clients: HashMap::new(),
            answers: HashMap::new(),
            iss: Iss::Right,
            advertises_iss: true,
            state: State::Right,
            denies: None,
            spends_codes: false,
            grants: None,
            audience: None,
            checks_resource: true,
            life: Some(Duration::from_secs(3_600)),
            refreshes: true,
            rotates: true,
            token_answer: Overwrites::default(),
            demands_dpop: false,
            demands_nonce: false,
            clock_ahead: 0,
            trusted: HashMap::new(),
            device_interval: 5,
            elsewhere: HashMap::new(),
            any_loopback_port: false,
        }
    }
}

impl AuthSettings {
    /// Gives the issuer a path, such as `/tenant/x`. Its endpoints are below it. Default none.
    #[must_use]
    pub fn issuer_path(mut self, path: &str) -> Self {
        path.trim_end_matches('/').clone_into(&mut self.issuer_path);
        self
    }

    /// Sets where there is metadata; nowhere if empty. Default [`MetadataAt::OAuth`].
    #[must_use]
    pub fn metadata_at(mut self, places: &[MetadataAt]) -> Self {
        self.metadata_at = places.to_vec();
        self
    }

    /// Writes a member of the metadata over, whatever it is: another issuer, an endpoint at `file:`, a wrong type.
    ///
    /// In texts `{origin}` and `{issuer}` stand for those of the server. Null is written as null.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.write(name, value);
        self
    }

    /// Leaves a member of the metadata out, such as `code_challenge_methods_supported`.
    #[must_use]
    pub fn without_metadata(mut self, name: &str) -> Self {
        self.metadata.leave_out(name);
        self
    }

    /// Registers no client, and says of no endpoint for that.
    #[must_use]
    pub fn without_registration(mut self) -> Self {
        self.registers = false;
        self
    }

    /// Says how a client that is registered shows itself at the token endpoint, whatever it asked for. Default: as it
    /// asked, and in public where it did not.
    #[must_use]
    pub fn register_as(mut self, auth: ClientAuth) -> Self {
        self.registered_as = Some(auth);
        self
    }

    /// Knows a client that was registered beforehand.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.clients.insert(client.id.clone(), client);
        self
    }

    /// Knows what is at the URL of a client ID metadata document, and says that it takes such. It fetches nothing.
    #[must_use]
    pub fn client_document(mut self, url: &str, document: &Value) -> Self {
        self.clients.insert(url.to_owned(), Client::from_document(url, document));
        self.metadata("client_id_metadata_document_supported", true)
    }

    /// Answers this in place of the right thing, each time.
    #[must_use]
    pub fn answer(mut self, endpoint: Endpoint, answer: Answer) -> Self {
        self.answers.insert(endpoint, (answer, false));
        self
    }

    /// Answers this in place of the right thing, the next time.
    #[must_use]
    pub fn answer_once(mut self, endpoint: Endpoint, answer: Answer) -> Self {
        self.answers.insert(endpoint, (answer, true));
        self
    }

    /// Answers the right thing again.
    #[must_use]
    pub fn behave(mut self, endpoint: Endpoint) -> Self {
        self.answers.remove(&endpoint);
        self
    }

    /// Sets whether the metadata says that redirects have `iss`. Default yes.
    #[must_use]
    pub fn advertise_iss(mut self, says: bool) -> Self {
        self.advertises_iss = says;
        self
    }

    /// Sets what redirects say about their issuer.
    #[must_use]
    pub fn iss(mut self, iss: Iss) -> Self {
        self.iss = iss;
        self
    }

    /// Sets what redirects have as their `state`.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// Redirects back with an error, such as `access_denied`, and what it says about it.
    #[must_use]
    pub fn deny(mut self, error: &str, description: &str) -> Self {
        self.denies = Some((error.to_owned(), description.to_owned()));
        self
    }

    /// Consents again.
    #[must_use]
    pub fn consent(mut self) -> Self {
        self.denies = None;
        self
    }

    /// Redirects back with codes that have been used already.
    #[must_use]
    pub fn spent_codes(mut self) -> Self {
        self.spends_codes = true;
        self
    }

    /// Grants none but these of the scopes that are asked for.
    #[must_use]
    pub fn grant_only(mut self, scopes: &[&str]) -> Self {
        self.grants = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self
    }

    /// Makes tokens for this resource, whichever was asked for.
    #[must_use]
    pub fn audience(mut self, resource: &str) -> Self {
        self.audience = Some(resource.to_owned());
        self
    }

    /// Takes any `resource`, and also none: so do servers that do not know the parameter.
    #[must_use]
    pub fn any_resource(mut self) -> Self {
        self.checks_resource = false;
        self
    }

    /// Sets how long a token lives, in whole seconds. Default an hour.
    #[must_use]
    pub fn life(mut self, life: Duration) -> Self {
        self.life = Some(life);
        self
    }

    /// Makes tokens that live until they are expired on command, and answers without `expires_in`.
    #[must_use]
    pub fn unknown_life(mut self) -> Self {
        self.life = None;
        self
    }

    /// Gives no refresh tokens.
    #[must_use]
    pub fn without_refresh(mut self) -> Self {
        self.refreshes = false;
        self
    }

    /// Lets refresh tokens be used again and again, and answers a refresh without one.
    #[must_use]
    pub fn without_rotation(mut self) -> Self {
        self.rotates = false;
        self
    }

    /// Writes a member of token answers over, such as `expires_in` with a text.
    #[must_use]
    pub fn token_answer(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.token_answer.write(name, value);
        self
    }

    /// Leaves a member of token answers out.
    #[must_use]
    pub fn without_token_answer(mut self, name: &str) -> Self {
        self.token_answer.leave_out(name);
        self
    }

    /// Gives tokens only for proofs of possession (RFC 9449), which it takes in any case.
    #[must_use]
    pub fn demand_dpop(mut self) -> Self {
        self.demands_dpop = true;
        self
    }

    /// Wants proofs with a nonce that it gives; a nonce is good for one proof.
    #[must_use]
    pub fn demand_nonce(mut self) -> Self {
        self.demands_nonce = true;
        self
    }

    /// Sets how far its clock, and that of the servers that it protects, is ahead of this machine's, in seconds; behind,
    /// if negative.
    #[must_use]
    pub fn clock_ahead(mut self, seconds: i64) -> Self {
        self.clock_ahead = seconds;
        self
    }

    /// Takes assertions of this issuer that are signed by this key: of a workload's platform, or of the company's
    /// identity provider.
    #[must_use]
    pub fn trust(mut self, issuer: &str, key: &SigningKey) -> Self {
        self.trusted.insert(issuer.to_owned(), key.public_jwk());
        self
    }

    /// Takes assertions of another of these servers: identity assertions that it made by token exchange.
    #[must_use]
    pub fn trust_server(mut self, provider: &AuthServer) -> Self {
        self.trusted.insert(provider.issuer(), provider.core.key.public_jwk());
        self
    }

    /// Sets how often a device may ask whether it was approved, in seconds. Default 5; it is not enforced.
    #[must_use]
    pub fn device_interval(mut self, seconds: u64) -> Self {
        self.device_interval = seconds;
        self
    }

    /// Says which client of another server a client of this one is, for identity assertions. Default: the same id.
    #[must_use]
    pub fn client_elsewhere(mut self, here: &str, there: &str) -> Self {
        self.elsewhere.insert(here.to_owned(), there.to_owned());
        self
    }

    /// Takes redirects to this machine with any port, as native clients need (RFC 8252, section 7.3). Default: they
    /// are compared character by character, as others are.
    #[must_use]
    pub fn any_loopback_port(mut self) -> Self {
        self.any_loopback_port = true;
        self
    }

    /// Starts it on a free port.
    ///
    /// # Errors
    /// When no port can be had, or no key be made.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start(self) -> io::Result<AuthServer> {
        AuthServer::on(TcpListener::bind("127.0.0.1:0").await?, self)
    }
}

impl AuthSettings {
    /// Those of the scopes that are granted.
    pub(super) fn granted(&self, asked: Vec<String>) -> Vec<String> {
        match &self.grants {
            Some(granted) => asked.into_iter().filter(|scope| granted.contains(scope)).collect(),
            None => asked,
        }
    }

    pub(super) fn is_same_redirect(&self, known: &str, shown: &str) -> bool {
        let without_port = |text: &str| {
            let mut url = Url::parse(text).ok().filter(|url| matches!(url.host_str(), Some("127.0.0.1" | "[::1]")))?;
            url.set_port(None).ok()?;
            Some(url)
        };
        known == shown
            || (self.any_loopback_port && without_port(known).is_some_and(|known| without_port(shown) == Some(known)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_compared_to_the_letter_unless_ports_are_free() {
        let known = "http://127.0.0.1:7/callback";
        let strict = AuthSettings::default();
        assert!(strict.is_same_redirect(known, known));
        assert!(!strict.is_same_redirect(known, "http://127.0.0.1:8/callback"));
        let free = strict.any_loopback_port();
        assert!(free.is_same_redirect(known, "http://127.0.0.1:8/callback"));
        for other in ["http://localhost:8/callback", "http://127.0.0.1:8/", "http://evil.example:7/callback", "", "x"] {
            assert!(!free.is_same_redirect(known, other), "{other}");
        }
    }
}
