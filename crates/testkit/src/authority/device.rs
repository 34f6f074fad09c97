//! The device flow (RFC 8628).

use serde_json::json;

use super::clients::Client;
use super::core::{Core, Question, lock};
use super::jwt::secret;
use super::ledger::{Device, Grant};
use super::refusal::Refusal;
use crate::http::Reply;

/// How long a device may wait, in seconds.
const LIFE: u64 = 600;

impl Core {
    pub(super) fn begin_device(&self, question: &Question<'_>) -> Result<Reply, Refusal> {
        let Question { settings, place, .. } = question;
        let client = self.authenticate(question)?;
        let grant = self.own(question, &client.id, self.resource(question, None)?)?;
        let mut ledger = lock(&self.ledger);
        let number = ledger.devices.len() + 1;
        let user_code = format!("KNOT-{number:04}");
        let page = format!("{}/device", place.issuer);
        let device_code = secret("device");
        let answer = json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={user_code}"),
            "expires_in": LIFE,
            "interval": settings.device_interval,
        });
        ledger.devices.insert(device_code, Device { grant, user_code, verdict: None });
        Ok(Reply::json(answer).with("cache-control", "no-store"))
    }

    /// A person comes with the code and consents, or does not.
    pub(super) fn visit_device(&self, question: &Question<'_>) -> Reply {
        let consents = question.settings.denies.is_none();
        if self.judge_device(question.form.text("user_code"), consents) {
            Reply::status(200).with("content-type", "text/plain").body("go back to your device")
        } else {
            Reply::status(404).body("there is no such code")
        }
    }

    /// Whether a device waits with this code; from now on it has its verdict.
    pub(super) fn judge_device(&self, user_code: &str, consents: bool) -> bool {
        let mut ledger = lock(&self.ledger);
        let device = ledger.devices.values_mut().find(|device| device.user_code == user_code);
        let Some(device) = device else { return false };
        device.verdict = Some(consents);
        true
    }

    pub(super) fn by_device(&self, question: &Question<'_>, client: &Client) -> Result<Grant, Refusal> {
        let mut ledger = lock(&self.ledger);
        let code = question.form.needed("device_code")?;
        let device = ledger.devices.get(code).filter(|device| device.grant.client == client.id);
        let device = device.ok_or_else(|| Refusal::new("invalid_grant", "there is no such device code"))?;
        match device.verdict {
            None => Err(Refusal::new("authorization_pending", "nobody has consented yet")),
            Some(false) => Err(Refusal::new("access_denied", "the person said no")),
            Some(true) => {
                let grant = device.grant.clone();
                ledger.devices.remove(code);
                Ok(grant)
            }
        }
    }
}
