//! The ways to a token, a file each.

pub(crate) mod assertion;
pub(crate) mod client_credentials;
pub(crate) mod code;
pub(crate) mod device;
pub(crate) mod enterprise;
pub(crate) mod refresh;

use bowline_http::shown;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use url::Url;

use crate::clock::Clock;
use crate::discovery::Discovered;
use crate::dpop::{DPOP, Dpop};
use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::{Answer, Body, Fetcher};
use crate::identity::{AuthMethod, Client};
use crate::key::PrivateKey;
use crate::random;
use crate::scope::Scopes;
use crate::token::{self, Form, Issued};

/// What every grant works with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) fetcher: &'a Fetcher,
    pub(crate) clock: &'a Clock,
    pub(crate) found: &'a Discovered,
    /// None where the grant itself says who asks.
    pub(crate) client: Option<&'a Client>,
    pub(crate) key: Option<&'a PrivateKey>,
    pub(crate) dpop: Option<&'a Dpop>,
    pub(crate) scopes: Option<&'a Scopes>,
}

impl Asking<'_> {
    /// Asks the token endpoint of the authorization server, for this server.
    pub(crate) async fn token(&self, form: Form) -> Result<Issued, AuthError> {
        let form = form.with("resource", &self.found.resource);
        let issuer = &self.found.issuer;
        // Where nothing is known of a server but its host, it may know itself by its endpoint alone.
        let audience = if issuer.old { issuer.token.as_str() } else { &issuer.id };
        let who = Who { client: self.client, key: self.key, audience };
        ask_token(self.fetcher, self.clock, &issuer.token, who, self.dpop, form).await
    }
}

/// Who asks, and whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) client: Option<&'a Client>,
    pub(crate) key: Option<&'a PrivateKey>,
    /// Whom what is signed is for.
    pub(crate) audience: &'a str,
}

impl Who<'_> {
    /// Adds what shows who asks, in the way that was agreed on. A public client says its id, and nothing else.
    pub(crate) fn sign(&self, form: Form, headers: &mut HeaderMap, now: i64) -> Result<Form, AuthError> {
        let Some(client) = self.client else { return Ok(form) };
        Ok(match client.method {
            AuthMethod::None => form.with("client_id", &client.id),
            AuthMethod::SecretPost => form.with("client_id", &client.id).with("client_secret", client.secret()),
            AuthMethod::SecretBasic => {
                let value = token::basic(&client.id, client.secret());
                let mut value = HeaderValue::try_from(value)
                    .map_err(|_| AuthError::new(AuthErrorKind::Config, "the client id does not fit into a header"))?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
                form
            }
            AuthMethod::PrivateKeyJwt => {
                let key = self.key.ok_or_else(|| {
                    AuthError::new(AuthErrorKind::Config, "the client has no private key to sign with; set one")
                })?;
                // RFC 7523, section 3.
                let claims = json!({
                    "iss": client.id, "sub": client.id, "aud": self.audience,
                    "jti": random::text()?, "iat": now, "exp": now + ASSERTION_LIVES,
                });
                form.with("client_id", &client.id)
                    .with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                    .with("client_assertion", &key.jwt(json!({ "typ": "JWT" }), &claims)?)
            }
        })
    }
}

/// How long what a client signs of itself is good for, in seconds.
const ASSERTION_LIVES: i64 = 300;

/// Asks a token endpoint; once more where it wants a nonce in the proof.
pub(crate) async fn ask_token(
    fetcher: &Fetcher,
    clock: &Clock,
    at: &Url,
    who: Who<'_>,
    dpop: Option<&Dpop>,
    form: Form,
) -> Result<Issued, AuthError> {
    let (answer, signed) = post(fetcher, clock, at, who, dpop, &form).await?;
    let read = |answer: &Answer, signed: &Form| token::read(answer.status, &answer.body, &shown(at), &signed.secrets());
    match read(&answer, &signed) {
        // RFC 9449, section 8. The nonce was taken from the answer.
        Err(error) if dpop.is_some() && error.code() == Some("use_dpop_nonce") => {
            let (answer, signed) = post(fetcher, clock, at, who, dpop, &form).await?;
            read(&answer, &signed)
        }
        issued => issued,
    }
}

async fn post(
    fetcher: &Fetcher,
    clock: &Clock,
    at: &Url,
    who: Who<'_>,
    dpop: Option<&Dpop>,
    form: &Form,
) -> Result<(Answer, Form), AuthError> {
    let mut headers = HeaderMap::new();
    let signed = who.sign(form.clone(), &mut headers, clock.there())?;
    if let Some(dpop) = dpop {
        headers.insert(DPOP, dpop.proof(&Method::POST, at, None, clock.there())?);
    }
    let answer = fetcher.post("token endpoint", at, headers, Body::Form(signed.encode())).await?;
    clock.heard(&answer.headers);
    if let Some(dpop) = dpop {
        dpop.heard(&at.origin().ascii_serialization(), &answer.headers);
    }
    Ok((answer, signed))
}
