//! What is kept of an authorization.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::discovery::Discovered;
use crate::error::AuthError;
use crate::identity::{AuthMethod, Client};
use crate::key::PrivateKey;
use crate::scope::Scopes;
use crate::token::TokenKind;

/// How many authorization servers' registrations are kept for one server.
const MAX_CLIENTS: usize = 8;

/// All that is kept for one server.
#[derive(Clone, Default)]
pub(crate) struct Record {
    /// The registrations that were made on the spot, by the issuer that they are with.
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) tokens: Option<Tokens>,
    /// What tokens are bound to.
    pub(crate) key: Option<PrivateKey>,
    /// Which issuer an id that was given beforehand was first used with.
    pub(crate) bound: Option<Bound>,
}

/// An id that belongs to one authorization server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bound {
    pub(crate) client: String,
    pub(crate) issuer: String,
}

/// One set of tokens.
#[derive(Clone)]
pub(crate) struct Tokens {
    /// Who issued them, and who alone may see the one to refresh with.
    pub(crate) issuer: String,
    /// The client that they were issued to.
    pub(crate) client: String,
    /// The server that they are for, as it was asked for.
    pub(crate) resource: String,
    pub(crate) access: SecretString,
    pub(crate) kind: TokenKind,
    pub(crate) refresh: Option<SecretString>,
    /// What was asked for, so that a step up keeps it.
    pub(crate) asked: Scopes,
    /// What was given, where that was said.
    pub(crate) granted: Option<Scopes>,
    /// When it was issued and when it ends, in seconds since 1970 by this machine's clock.
    pub(crate) issued_at: i64,
    pub(crate) expires_at: Option<i64>,
}

impl Tokens {
    /// Whether they are of the authorization server and for the resource that were found: a refresh token is shown to
    /// nobody but who issued it, and brings a token for what it was asked for alone.
    pub(crate) fn is_for(&self, found: &Discovered) -> bool {
        self.issuer == found.issuer.id && self.resource == found.resource
    }
}

/// The record as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    clients: BTreeMap<String, WrittenClient>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<WrittenTokens>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bound: Option<Bound>,
}

#[derive(Serialize, Deserialize)]
struct WrittenClient {
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    auth_method: String,
    redirect_uris: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct WrittenTokens {
    issuer: String,
    client_id: String,
    resource: String,
    access_token: String,
    dpop: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    asked: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    granted: Option<String>,
    issued_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl Record {
    pub(crate) fn encode(&self) -> Result<SecretString, AuthError> {
        let exposed = |secret: &SecretString| secret.expose_secret().to_owned();
        let clients = self.clients.iter().map(|(issuer, client)| {
            let written = WrittenClient {
                client_id: client.id.clone(),
                client_secret: client.secret.as_ref().map(exposed),
                auth_method: client.method.name().to_owned(),
                redirect_uris: client.registered.clone().unwrap_or_default(),
                expires_at: client.expires_at,
            };
            (issuer.clone(), written)
        });
        let tokens = self.tokens.as_ref().map(|tokens| WrittenTokens {
            issuer: tokens.issuer.clone(),
            client_id: tokens.client.clone(),
            resource: tokens.resource.clone(),
            access_token: exposed(&tokens.access),
            dpop: tokens.kind == TokenKind::Dpop,
            refresh_token: tokens.refresh.as_ref().map(exposed),
            asked: tokens.asked.to_string(),
            granted: tokens.granted.as_ref().map(Scopes::to_string),
            issued_at: tokens.issued_at,
            expires_at: tokens.expires_at,
        });
        let key = self.key.as_ref().and_then(PrivateKey::pkcs8).map(|der| STANDARD.encode(der));
        let written = Written { clients: clients.collect(), tokens, key, bound: self.bound.clone() };
        let text = serde_json::to_string(&written);
        text.map(SecretString::from).map_err(|_| AuthError::store("the credentials cannot be written"))
    }

    pub(crate) fn decode(text: &SecretString) -> Result<Self, AuthError> {
        let bad = || AuthError::store("the store holds credentials that cannot be read; log out to clear them");
        let written: Written = serde_json::from_str(text.expose_secret()).map_err(|_| bad())?;
        let mut clients = BTreeMap::new();
        for (issuer, client) in written.clients {
            let method = AuthMethod::of(&client.auth_method).ok_or_else(bad)?;
            let client = Client {
                id: client.client_id,
                secret: client.client_secret.map(SecretString::from),
                method,
                registered: Some(client.redirect_uris),
                expires_at: client.expires_at,
            };
            clients.insert(issuer, client);
        }
        let tokens = written.tokens.map(|tokens| Tokens {
            issuer: tokens.issuer,
            client: tokens.client_id,
            resource: tokens.resource,
            access: tokens.access_token.into(),
            kind: if tokens.dpop { TokenKind::Dpop } else { TokenKind::Bearer },
            refresh: tokens.refresh_token.map(SecretString::from),
            asked: Scopes::parse(&tokens.asked),
            granted: tokens.granted.as_deref().map(Scopes::parse),
            issued_at: tokens.issued_at,
            expires_at: tokens.expires_at,
        });
        let key = match written.key {
            Some(key) => Some(PrivateKey::from_pkcs8(&STANDARD.decode(key).map_err(|_| bad())?)?),
            None => None,
        };
        Ok(Self { clients, tokens, key, bound: written.bound })
    }

    /// Keeps a registration, in place of the first of the others where there are many.
    pub(crate) fn keep_client(&mut self, issuer: &str, client: Client) {
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(issuer) {
            self.clients.pop_first();
        }
        self.clients.insert(issuer.to_owned(), client);
    }

    /// Remembers whose an id is. One that is bound already stays so.
    pub(crate) fn bind(&mut self, client: &str, issuer: &str) {
        if self.bound.as_ref().is_none_or(|bound| bound.client != client) {
            self.bound = Some(Bound { client: client.to_owned(), issuer: issuer.to_owned() });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.tokens.is_none() && self.key.is_none() && self.bound.is_none()
    }
}

impl Tokens {
    /// The value of `Authorization`.
    pub(crate) fn header(&self) -> String {
        format!("{} {}", self.kind.scheme(), self.access.expose_secret())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("issuer", &self.issuer)
            .field("resource", &self.resource)
            .field("kind", &self.kind)
            .field("refreshable", &self.refresh.is_some())
            .field("asked", &self.asked)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("issuers", &self.clients.keys().collect::<Vec<_>>())
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_kept_and_shows_no_secret() {
        let tokens = Tokens {
            issuer: "https://as".to_owned(),
            client: "c1".to_owned(),
            resource: "https://h/mcp".to_owned(),
            access: "a-SECRET".into(),
            kind: TokenKind::Dpop,
            refresh: Some("r-SECRET".into()),
            asked: Scopes::parse("a b"),
            granted: None,
            issued_at: 7,
            expires_at: Some(9),
        };
        let client = Client {
            id: "c1".to_owned(),
            secret: Some("s-SECRET".into()),
            method: AuthMethod::SecretPost,
            registered: Some(vec!["http://127.0.0.1:7/c".to_owned()]),
            expires_at: None,
        };
        let mut record = Record { tokens: Some(tokens), ..Record::default() };
        record.keep_client("https://as", client);
        let text = record.encode().unwrap();
        let again = Record::decode(&text).unwrap();
        assert_eq!(again.encode().unwrap().expose_secret(), text.expose_secret());
        assert_eq!(again.tokens.as_ref().unwrap().header(), "DPoP a-SECRET");
        assert!(!format!("{record:?} {text:?}").contains("SECRET"));
        for bad in ["", "7", r#"{"tokens":{}}"#, r#"{"key":"?"}"#] {
            assert!(Record::decode(&bad.into()).is_err(), "{bad}");
        }
        assert!(Record::decode(&"{}".into()).unwrap().is_empty());
    }
}
