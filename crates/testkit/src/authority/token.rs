//! The token endpoint.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::assertion;
use super::clients::{Client, ClientAuth, Shown};
use super::core::{Core, Question, lock};
use super::dpop::{Fault, Wanted};
use super::form::scopes;
use super::jwt::sha256;
use super::ledger::Grant;
use super::refusal::Refusal;
use crate::http::Reply;

impl Core {
    pub(super) fn token(&self, question: &Question<'_>) -> Result<Reply, Refusal> {
        let Question { request, form, .. } = question;
        if !request.header("content-type").starts_with("application/x-www-form-urlencoded") {
            return Err(Refusal::new("invalid_request", "a token request is a form"));
        }
        let client = self.authenticate(question)?;
        let key = self.proof(question)?;
        let grant = match form.needed("grant_type")? {
            "authorization_code" => self.by_code(question, &client)?,
            "refresh_token" => return self.by_refresh(question, &client, key.as_deref()),
            "client_credentials" => self.by_credentials(question, &client)?,
            assertion::DEVICE_CODE => self.by_device(question, &client)?,
            assertion::JWT_BEARER => self.by_assertion(question, &client)?,
            assertion::TOKEN_EXCHANGE => return self.exchange(question, &client),
            _ => return Err(Refusal::new("unsupported_grant_type", "there is no such grant")),
        };
        if grant.key.is_some() && grant.key != key {
            return Err(Refusal::new("invalid_dpop_proof", "the proof is not by the key that the code is bound to"));
        }
        let grant = Grant { key, ..grant };
        let refreshes = matches!(form.text("grant_type"), "authorization_code" | assertion::DEVICE_CODE);
        Ok(self.give(question, &grant, refreshes))
    }

    /// Who asks.
    pub(super) fn authenticate(&self, question: &Question<'_>) -> Result<Client, Refusal> {
        let Question { settings, place, request, form } = question;
        let shown = Shown::read(request.header("authorization"), form)?;
        let client = self.client(&shown.id, settings);
        let client = client.ok_or_else(|| Refusal::new("invalid_client", "there is no such client").status(401))?;
        let audiences = [place.issuer.clone(), format!("{}/token", place.issuer)];
        client.check(&shown, &audiences, self.now())?;
        Ok(client)
    }

    /// The key that a request proves to have, if it does.
    fn proof(&self, question: &Question<'_>) -> Result<Option<String>, Refusal> {
        let Question { settings, place, request, .. } = question;
        let proof = request.header("dpop");
        if proof.is_empty() {
            if settings.demands_dpop {
                return Err(Refusal::new("invalid_dpop_proof", "there is no proof"));
            }
            return Ok(None);
        }
        let nonce = lock(&self.nonce).clone();
        let url = format!("{}/token", place.issuer);
        let wanted = Wanted {
            method: "POST",
            url: &url,
            token: None,
            nonce: settings.demands_nonce.then_some(nonce.as_str()),
            now: self.now(),
        };
        match wanted.check(proof, &mut lock(&self.ledger)) {
            Ok(key) => Ok(Some(key)),
            Err(Fault::Proof(text)) => Err(Refusal::new("invalid_dpop_proof", text)),
            Err(Fault::Nonce) => Err(Refusal::new("use_dpop_nonce", "the proof needs a nonce").nonce(nonce)),
        }
    }

    fn by_code(&self, question: &Question<'_>, client: &Client) -> Result<Grant, Refusal> {
        let form = question.form;
        let (grant, redirect, challenge) = lock(&self.ledger).spend_code(form.needed("code")?)?;
        let refuse = |text: &str| Err(Refusal::new("invalid_grant", text));
        if grant.client != client.id {
            return refuse("the code is another client's");
        }
        if form.text("redirect_uri") != redirect {
            return refuse("the redirect is not the one that the code was sent to");
        }
        if sha256(form.needed("code_verifier")?) != challenge {
            return refuse("the verifier does not fit the challenge");
        }
        // The audience may be another on purpose; then what was asked for cannot be compared.
        let before = grant.resource.as_deref().filter(|_| question.settings.audience.is_none());
        let resource = self.resource(question, before)?;
        Ok(Grant { resource, ..grant })
    }

    fn by_refresh(&self, question: &Question<'_>, client: &Client, key: Option<&str>) -> Result<Reply, Refusal> {
        let Question { settings, form, .. } = question;
        self.resource(question, None)?;
        let mut grant = lock(&self.ledger).refresh(form.needed("refresh_token")?, &client.id, settings.rotates)?;
        if client.auth == ClientAuth::None && grant.key.as_deref() != key {
            return Err(Refusal::new("invalid_grant", "the refresh token is bound to another key"));
        }
        grant.key = key.map(str::to_owned);
        let given = self.give(question, &grant, settings.rotates);
        Ok(given)
    }

    fn by_credentials(&self, question: &Question<'_>, client: &Client) -> Result<Grant, Refusal> {
        if client.auth == ClientAuth::None {
            return Err(Refusal::new("unauthorized_client", "this client can keep no secret"));
        }
        self.own(question, &client.id, self.resource(question, None)?)
    }

    /// A grant without a person's consent.
    pub(super) fn own(
        &self,
        question: &Question<'_>,
        client: &str,
        resource: Option<String>,
    ) -> Result<Grant, Refusal> {
        let scopes = question.settings.granted(scopes(question.form.text("scope")));
        let family = lock(&self.ledger).family();
        Ok(Grant { client: client.to_owned(), scopes, resource, key: None, family })
    }

    /// The answer with a token.
    fn give(&self, question: &Question<'_>, grant: &Grant, refreshes: bool) -> Reply {
        let Question { settings, place, .. } = question;
        let mut ledger = lock(&self.ledger);
        let token = ledger.give_access(grant, settings.life.map(|life| Instant::now() + life));
        let kind = if grant.key.is_some() { "DPoP" } else { "Bearer" };
        let mut answer = json!({ "access_token": token, "token_type": kind, "scope": grant.scopes.join(" ") });
        if let Value::Object(members) = &mut answer {
            if let Some(life) = settings.life {
                members.insert("expires_in".to_owned(), life.as_secs().into());
            }
            if settings.refreshes && refreshes {
                members.insert("refresh_token".to_owned(), ledger.give_refresh(grant).into());
            }
            settings.token_answer.apply(members, &|text| place.fill(text));
        }
        let reply = Reply::json(answer).with("cache-control", "no-store");
        if settings.demands_nonce { reply.with("dpop-nonce", &*lock(&self.nonce)) } else { reply }
    }
}
