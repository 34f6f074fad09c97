//! Proofs that a key is at hand (RFC 9449).

use super::jwt::{Parts, sha256, thumbprint};
use super::ledger::Ledger;

/// How far the clock of a proof may be off, in seconds.
const MOST_OFF: u64 = 300;

/// What a proof is to be about.
pub(super) struct Wanted<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    /// The token that is shown with it.
    pub(super) token: Option<&'a str>,
    /// The nonce that it is to have.
    pub(super) nonce: Option<&'a str>,
    /// In seconds since 1970.
    pub(super) now: i64,
}

/// What is wrong with a proof.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Proof(&'static str),
    Nonce,
}

impl Wanted<'_> {
    /// Checks a proof; the thumbprint of its key.
    pub(super) fn check(&self, proof: &str, ledger: &mut Ledger) -> Result<String, Fault> {
        let parts = Parts::read(proof).ok_or(Fault::Proof("the proof is no signed token"))?;
        let key = parts.header.get("jwk").ok_or(Fault::Proof("the proof has no key"))?;
        let fault = [
            (parts.header("typ") == "dpop+jwt", "the proof is not of the type dpop+jwt"),
            (key.get("d").is_none(), "the proof shows a private key"),
            (parts.is_signed_by(key), "the proof is not signed by its key"),
            (parts.claim("htm") == self.method, "the proof is for another method"),
            (parts.claim("htu") == self.url, "the proof is for another url"),
            (self.token.is_none_or(|token| parts.claim("ath") == sha256(token)), "the proof is for another token"),
            (
                // A nonce says that the proof is fresh whatever the clock of its maker says.
                self.nonce.is_some() || parts.seconds("iat").is_some_and(|made| made.abs_diff(self.now) <= MOST_OFF),
                "the proof is not of now",
            ),
        ];
        if let Some((_, text)) = fault.into_iter().find(|(holds, _)| !holds) {
            return Err(Fault::Proof(text));
        }
        if self.nonce.is_some_and(|nonce| parts.claim("nonce") != nonce) {
            return Err(Fault::Nonce);
        }
        if !ledger.is_new(parts.claim("jti")) {
            return Err(Fault::Proof("the proof was used already, or has no id"));
        }
        thumbprint(key).ok_or(Fault::Proof("the key of the proof is of an unknown type"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::SigningKey;
    use super::*;

    #[test]
    fn a_proof_is_about_one_request_and_used_once() {
        let key = SigningKey::es256().unwrap();
        let mut ledger = Ledger::default();
        let wanted = Wanted { method: "POST", url: "http://h/mcp", token: Some("t"), nonce: None, now: 1_000 };
        let header = json!({ "typ": "dpop+jwt", "jwk": key.public_jwk() });
        let claims = json!({ "htm": "POST", "htu": "http://h/mcp", "iat": 990, "jti": "1", "ath": sha256("t") });
        let mut check = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims["jti"] = json!(format!("{name}{value}"));
            claims[name] = value;
            let proof = key.sign(&header, &claims).unwrap();
            let first = wanted.check(&proof, &mut ledger);
            assert!(wanted.check(&proof, &mut ledger).is_err(), "used twice");
            first
        };
        assert_eq!(check("x", json!(1)).unwrap(), thumbprint(&key.public_jwk()).unwrap());
        for (name, value) in [
            ("htm", json!("GET")),
            ("htu", json!("http://h/mcp?x")),
            ("ath", json!(sha256("u"))),
            ("iat", json!(1)),
            ("iat", json!(i64::MIN)),
            ("jti", json!("")),
        ] {
            assert!(check(name, value.clone()).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn with_a_nonce_the_clock_does_not_matter() {
        let key = SigningKey::es256().unwrap();
        let header = json!({ "typ": "dpop+jwt", "jwk": key.public_jwk() });
        for (nonce, outcome) in [("n", None), ("m", Some(Fault::Nonce))] {
            let claims = json!({ "htm": "POST", "htu": "http://h/t", "iat": 1, "jti": "1", "nonce": nonce });
            let wanted = Wanted { method: "POST", url: "http://h/t", token: None, nonce: Some("n"), now: 99_999 };
            let checked = wanted.check(&key.sign(&header, &claims).unwrap(), &mut Ledger::default());
            assert_eq!(checked.err(), outcome);
        }
    }
}
