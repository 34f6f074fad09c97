//! The authorization endpoint: consent, which is given at once or not at all, and the redirect back.

use url::Url;

use super::core::{Core, Question, lock};
use super::form::scopes;
use super::jwt::secret;
use super::ledger::{Code, Grant};
use super::refusal::Refusal;
use super::settings::{Iss, State};
use crate::http::Reply;

impl Core {
    pub(super) fn authorize(&self, question: &Question<'_>) -> Result<Reply, Refusal> {
        let Question { settings, form, .. } = question;
        // Until the redirect is known to be the client's, nobody is sent there.
        let client = self.client(form.needed("client_id")?, settings);
        let client = client.ok_or_else(|| Refusal::new("invalid_client", "there is no such client"))?;
        let redirect = form.needed("redirect_uri")?;
        if !client.redirects.iter().any(|known| settings.is_same_redirect(known, redirect)) {
            let text = format!("`{redirect}` is none of the client's redirects: {}", client.redirects.join(" "));
            return Err(Refusal::new("invalid_redirect_uri", text));
        }
        let to = Url::parse(redirect).map_err(|_| Refusal::new("invalid_request", "the redirect is no url"))?;
        if let Some((error, description)) = &settings.denies {
            return Ok(back(question, to, &[("error", error), ("error_description", description)]));
        }
        match self.code(question, &client.id) {
            Ok(code) => Ok(back(question, to, &[("code", &code)])),
            Err(refusal) => {
                let members = [("error", refusal.error), ("error_description", refusal.description.as_str())];
                Ok(back(question, to, &members))
            }
        }
    }

    /// A code for what is asked, where that may be had.
    fn code(&self, question: &Question<'_>, client: &str) -> Result<String, Refusal> {
        let Question { settings, form, .. } = question;
        if form.text("response_type") != "code" {
            return Err(Refusal::new("unsupported_response_type", "the response type is `code`"));
        }
        let challenge = form.needed("code_challenge")?;
        if form.text("code_challenge_method") != "S256" {
            return Err(Refusal::new("invalid_request", "the code challenge is to be made by S256"));
        }
        let resource = self.resource(question, None)?;
        let asked = scopes(form.text("scope"));
        let mut ledger = lock(&self.ledger);
        let family = ledger.family();
        let grant = Grant {
            client: client.to_owned(),
            scopes: settings.granted(asked),
            resource,
            key: form.get("dpop_jkt").map(str::to_owned),
            family,
        };
        let code = secret("code");
        ledger.counts.codes += 1;
        let given = Code {
            grant,
            redirect: form.text("redirect_uri").to_owned(),
            challenge: challenge.to_owned(),
            spent: settings.spends_codes,
        };
        ledger.codes.insert(code.clone(), given);
        Ok(code)
    }

    /// The resource that is asked for, where a token for it may be had. What was said `before` is kept to.
    pub(super) fn resource(&self, question: &Question<'_>, before: Option<&str>) -> Result<Option<String>, Refusal> {
        let Question { settings, form, .. } = question;
        let wanted = form.get("resource").or(before);
        if settings.checks_resource {
            let known = &lock(&self.ledger).resources;
            match form.get("resource") {
                None => return Err(Refusal::new("invalid_target", "`resource` is missing")),
                Some(wanted) if !known.is_empty() && !known.contains(wanted) => {
                    let text = format!("`{wanted}` is no resource of this server");
                    return Err(Refusal::new("invalid_target", text));
                }
                Some(wanted) if before.is_some_and(|before| before != wanted) => {
                    return Err(Refusal::new("invalid_target", "this is not the resource that was consented to"));
                }
                Some(_) => {}
            }
        }
        Ok(settings.audience.clone().or_else(|| wanted.map(str::to_owned)))
    }
}

/// The redirect back to the client.
fn back(question: &Question<'_>, mut to: Url, members: &[(&str, &str)]) -> Reply {
    let Question { settings, place, form, .. } = question;
    {
        let mut query = to.query_pairs_mut();
        query.extend_pairs(members);
        match &settings.state {
            State::Right => query.extend_pairs(form.get("state").map(|state| ("state", state))),
            State::Absent => &mut query,
            State::Value(state) => query.append_pair("state", state),
        };
        match &settings.iss {
            Iss::Right => query.append_pair("iss", &place.issuer),
            Iss::Absent => &mut query,
            Iss::Value(iss) => query.append_pair("iss", &place.fill(iss)),
        };
    }
    Reply::status(302).with("location", to.as_str()).with("cache-control", "no-store")
}
