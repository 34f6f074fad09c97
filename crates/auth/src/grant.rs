//! The ways to a token, a file each.

pub(crate) mod assertion;
pub(crate) mod client_credentials;
pub(crate) mod code;
pub(crate) mod device;
pub(crate) mod enterprise;
pub(crate) mod refresh;

use bowline_http::shown;
use bowline_transport::Secrets;
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
use crate::token::{self, Form, Issued, NotIssued};

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
    pub(crate) async fn token(&self, form: Form) -> Result<Issued, NotIssued> {
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
    /// Whether what shows who asks names a time.
    fn signs(&self) -> bool {
        self.client.is_some_and(|client| client.method == AuthMethod::PrivateKeyJwt)
    }

    /// Adds what the form does not hold: a secret that went in a header, which the other side may quote all the same.
    pub(crate) fn hide(&self, secrets: Secrets) -> Secrets {
        let Some(client) = self.client.filter(|client| client.method == AuthMethod::SecretBasic) else {
            return secrets;
        };
        let value = token::basic(&client.id, client.secret());
        let encoded = value.strip_prefix("Basic ").unwrap_or_default();
        secrets.with(client.secret()).with(encoded)
    }

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

/// Asks a token endpoint; once more where it wants a nonce in the proof, or refuses what was signed at a time that is
/// not its own.
pub(crate) async fn ask_token(
    fetcher: &Fetcher,
    clock: &Clock,
    at: &Url,
    who: Who<'_>,
    dpop: Option<&Dpop>,
    form: Form,
) -> Result<Issued, NotIssued> {
    let read = |answer: &Answer, signed: &Form| {
        let secrets = who.hide(signed.secrets());
        token::read(answer.status, &answer.body, &shown(at), &secrets)
    };
    let (mut nonce, mut time) = (dpop.is_some(), who.signs() || dpop.is_some());
    loop {
        let (answer, signed) = post(fetcher, clock, at, who, dpop, &form).await?;
        let not = match read(&answer, &signed) {
            Err(not) => not,
            issued => return issued,
        };
        match not.error.code() {
            // RFC 9449, section 8. The nonce was taken from the answer.
            Some("use_dpop_nonce") if nonce => nonce = false,
            // Neither uses a code or a refresh token up, for who asked was not known yet.
            Some("invalid_client" | "invalid_dpop_proof") if time && clock.refused(at, &answer.headers) => time = false,
            _ => return Err(not),
        }
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
    let signed = who.sign(form.clone(), &mut headers, clock.there(at))?;
    if let Some(dpop) = dpop {
        headers.insert(DPOP, dpop.proof(&Method::POST, at, None, clock.there(at))?);
    }
    let answer = fetcher.post("token endpoint", at, headers, Body::Form(signed.encode())).await?;
    if let Some(dpop) = dpop {
        dpop.heard(&at.origin().ascii_serialization(), &answer.headers);
    }
    Ok((answer, signed))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use bowline_http::HttpClient;
    use bowline_testkit::http::{HttpServer, Reply};

    use super::*;

    /// When what a request was signed with says that it was made.
    fn signed_at(body: &[u8]) -> i64 {
        let form: HashMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
        let claims = form["client_assertion"].split('.').nth(1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        claims["iat"].as_i64().unwrap()
    }

    #[tokio::test]
    async fn what_is_signed_by_a_wrong_clock_is_signed_once_more_by_the_clock_of_the_server() {
        // The server's time, and how often it is asked: where the clocks agree, another reason is meant.
        for (date, asked) in [("Sat, 01 Jan 2000 00:00:00 GMT", 2), ("", 1)] {
            let server = HttpServer::start(move |_| async move {
                let refused = Reply::status(401).body(r#"{"error":"invalid_client"}"#);
                if date.is_empty() { refused } else { refused.with("date", date) }
            });
            let server = server.await.unwrap();
            let at: Url = server.url("/token").parse().unwrap();
            let fetcher = Fetcher::new(HttpClient::builder().build().unwrap(), &at, false);
            let key = PrivateKey::generate().unwrap();
            let client = Client {
                id: "c".to_owned(),
                secret: None,
                method: AuthMethod::PrivateKeyJwt,
                registered: None,
                expires_at: None,
            };
            let who = Who { client: Some(&client), key: Some(&key), audience: "https://as" };
            let error =
                ask_token(&fetcher, &Clock::default(), &at, who, None, Form::default()).await.unwrap_err().error;
            assert_eq!(error.code(), Some("invalid_client"));
            let times: Vec<_> = server.requests().iter().map(|request| signed_at(&request.body)).collect();
            assert_eq!(times.len(), asked, "{times:?}");
            // 2000-01-01
            assert!(date.is_empty() || (946_684_800..946_684_900).contains(&times[1]), "{times:?}");
        }
    }

    #[test]
    fn a_secret_that_went_in_a_header_is_not_quoted_either() {
        let client = Client {
            id: "c".to_owned(),
            secret: Some("s-SECRET".into()),
            method: AuthMethod::SecretBasic,
            registered: None,
            expires_at: None,
        };
        let who = Who { client: Some(&client), key: None, audience: "https://as" };
        let said = format!("no such client {} or s-SECRET", token::basic("c", "s-SECRET"));
        let hidden = who.hide(Form::default().secrets()).hide(&said);
        assert!(!hidden.contains("SECRET") && !hidden.contains("Yzpz"), "{hidden}");
    }
}
