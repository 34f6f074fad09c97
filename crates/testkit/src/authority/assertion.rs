//! Tokens for tokens: assertions (RFC 7523) and their exchange (RFC 8693).

use serde_json::json;

use super::clients::Client;
use super::core::{Core, Question, lock};
use super::jwt::{Parts, secret};
use super::ledger::Grant;
use super::refusal::Refusal;
use crate::http::Reply;

pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const IDENTITY_ASSERTION: &str = "urn:ietf:params:oauth:token-type:id-jag";
/// The type in the header of an identity assertion.
const IDENTITY_ASSERTION_TYPE: &str = "oauth-id-jag+jwt";

/// How long an identity assertion holds, in seconds.
const ASSERTION_LIFE: i64 = 300;

impl Core {
    /// A token for what an assertion says.
    pub(super) fn by_assertion(&self, question: &Question<'_>, client: &Client) -> Result<Grant, Refusal> {
        let Question { settings, place, form, .. } = question;
        let refuse = |text: &str| Err(Refusal::new("invalid_grant", text));
        let Some(parts) = Parts::read(form.needed("assertion")?) else {
            return refuse("the assertion is no signed token");
        };
        if !settings.trusted.get(parts.claim("iss")).is_some_and(|key| parts.is_signed_by(key)) {
            return refuse("the assertion is not signed by an issuer that is trusted");
        }
        if !parts.is_for(&place.issuer) && !parts.is_for(&format!("{}/token", place.issuer)) {
            return refuse("the assertion is for another server");
        }
        if parts.seconds("exp").is_none_or(|end| end <= self.now()) {
            return refuse("the assertion has expired");
        }
        let is_identity = parts.header("typ") == IDENTITY_ASSERTION_TYPE;
        if is_identity && parts.claim("client_id") != client.id {
            return refuse("the assertion was made for another client");
        }
        let id = parts.claim("jti");
        if !id.is_empty() && !lock(&self.ledger).is_new(id) {
            return refuse("the assertion was used already");
        }
        let resource = match parts.claim("resource") {
            named if is_identity && !named.is_empty() => Some(named.to_owned()),
            _ => self.resource(question, None)?,
        };
        self.own(question, &client.id, resource)
    }

    /// Makes an identity assertion for another authorization server out of a token of its own.
    pub(super) fn exchange(&self, question: &Question<'_>, client: &Client) -> Result<Reply, Refusal> {
        let Question { settings, place, form, .. } = question;
        let refuse = |text: &str| Err(Refusal::new("invalid_request", text));
        if form.needed("requested_token_type")? != IDENTITY_ASSERTION {
            return refuse("only identity assertions can be had");
        }
        if form.needed("subject_token_type")? != ID_TOKEN {
            return refuse("only an identity token is taken");
        }
        let parts =
            Parts::read(form.needed("subject_token")?).filter(|parts| parts.is_signed_by(&self.key.public_jwk()));
        let Some(parts) = parts else { return refuse("the subject token is none of this server's") };
        if !parts.is_for(&client.id) {
            return refuse("the subject token is another client's");
        }
        let now = self.now();
        if parts.seconds("exp").is_none_or(|end| end <= now) {
            return refuse("the subject token has expired");
        }
        let claims = json!({
            "iss": place.issuer,
            "sub": parts.claim("sub"),
            "aud": form.needed("audience")?,
            "resource": form.needed("resource")?,
            "client_id": settings.elsewhere.get(&client.id).unwrap_or(&client.id),
            "scope": form.text("scope"),
            "jti": secret("assertion"),
            "iat": now,
            "exp": now.saturating_add(ASSERTION_LIFE),
        });
        let header = json!({ "typ": IDENTITY_ASSERTION_TYPE });
        let assertion = self.key.sign(&header, &claims);
        let assertion = assertion.map_err(|error| Refusal::new("server_error", error.to_string()).status(500))?;
        lock(&self.ledger).counts.tokens += 1;
        Ok(Reply::json(json!({
            "access_token": assertion,
            "issued_token_type": IDENTITY_ASSERTION,
            "token_type": "N_A",
            "expires_in": ASSERTION_LIFE,
        }))
        .with("cache-control", "no-store"))
    }

    /// A token that says who somebody is, for a client of this server.
    pub(super) fn id_token(&self, issuer: &str, client: &str, subject: &str) -> std::io::Result<String> {
        let now = self.now();
        let claims =
            json!({ "iss": issuer, "sub": subject, "aud": client, "iat": now, "exp": now.saturating_add(3_600) });
        self.key.sign(&json!({ "typ": "JWT" }), &claims)
    }
}
