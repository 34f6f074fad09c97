//! Signed tokens (RFC 7515, 7517, 7519), as far as authorization needs them: ES256 and RS256.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey,
};
use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// A key pair that signs tokens, made anew each time.
///
/// ```
/// use bowline_testkit::authority::SigningKey;
/// use serde_json::json;
///
/// let key = SigningKey::es256()?;
/// let token = key.sign(&json!({ "typ": "JWT" }), &json!({ "iss": "https://me.example", "sub": "build-7" }))?;
/// assert_eq!(token.split('.').count(), 3);
/// assert!(key.pem().starts_with("-----BEGIN PRIVATE KEY-----"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SigningKey {
    pair: Pair,
    pkcs8: Vec<u8>,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(Box<RsaKeyPair>),
}

impl SigningKey {
    /// A key on the curve P-256, for ES256.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn es256() -> std::io::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(no_key)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(no_key)?.as_ref().to_vec();
        Ok(Self { pair: Pair::Es256(pair), pkcs8 })
    }

    /// A key of 2,048 bits, for RS256. It takes a good part of a second to make.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn rs256() -> std::io::Result<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(no_key)?;
        let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).map_err(no_key)?.as_ref().to_vec();
        Ok(Self { pair: Pair::Rs256(Box::new(pair)), pkcs8 })
    }

    /// The name of the algorithm.
    pub const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// The private key in PEM (PKCS #8): what a client is configured with.
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.pkcs8);
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        pem
    }

    /// The public key as a JSON Web Key.
    pub fn public_jwk(&self) -> Value {
        match &self.pair {
            Pair::Es256(pair) => {
                // Uncompressed: a byte that says so, then both coordinates.
                let point = pair.public_key().as_ref().get(1..65).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Pair::Rs256(pair) => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": encode(&parts.n), "e": encode(&parts.e) })
            }
        }
    }

    /// A signed token with these claims; `header` needs no `alg`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn sign(&self, header: &Value, claims: &Value) -> std::io::Result<String> {
        let mut header = header.clone();
        if let Value::Object(members) = &mut header {
            members.insert("alg".to_owned(), self.algorithm().into());
        }
        let mut token = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Es256(pair) => pair.sign(&random, token.as_bytes()).map_err(no_key)?.as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).map_err(no_key)?;
                signature
            }
        };
        token.push('.');
        token.push_str(&encode(signature));
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

fn no_key(error: impl fmt::Display) -> std::io::Error {
    std::io::Error::other(format!("cannot make or use a key: {error}"))
}

/// A token that was taken apart; whether its signature is right is not known yet.
pub(super) struct Parts<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

impl<'a> Parts<'a> {
    pub(super) fn read(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| serde_json::from_slice(&decode(part)?).ok();
        Some(Self { signed, signature: decode(signature)?, header: object(header)?, claims: object(claims)? })
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.header.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn claim(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn seconds(&self, name: &str) -> Option<i64> {
        self.claims.get(name).and_then(Value::as_i64)
    }

    /// Whether `wanted` is among those that the token is for.
    pub(super) fn is_for(&self, wanted: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(audience)) => audience == wanted,
            Some(Value::Array(all)) => all.iter().any(|audience| audience == wanted),
            _ => false,
        }
    }

    /// Whether this key has signed it.
    pub(super) fn is_signed_by(&self, jwk: &Value) -> bool {
        let part = |name: &str| jwk.get(name).and_then(Value::as_str).and_then(decode);
        let message = self.signed.as_bytes();
        let verified = match (self.header("alg"), jwk.get("kty").and_then(Value::as_str)) {
            ("ES256", Some("EC")) => {
                let (Some(x), Some(y)) = (part("x"), part("y")) else { return false };
                let point = [&[4], x.as_slice(), &y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &self.signature)
            }
            ("RS256", Some("RSA")) => {
                let (Some(n), Some(e)) = (part("n"), part("e")) else { return false };
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, &self.signature)
            }
            _ => return false,
        };
        verified.is_ok()
    }
}

/// The thumbprint of a key (RFC 7638).
pub(super) fn thumbprint(jwk: &Value) -> Option<String> {
    let member = |name: &str| jwk.get(name).and_then(Value::as_str);
    // Only the members that it is made of, sorted by name, which is how this map is written.
    let needed = match member("kty")? {
        "EC" => json!({ "crv": member("crv")?, "kty": "EC", "x": member("x")?, "y": member("y")? }),
        "RSA" => json!({ "e": member("e")?, "kty": "RSA", "n": member("n")? }),
        _ => return None,
    };
    Some(sha256(needed.to_string()))
}

/// A hash, as it stands in challenges and claims.
pub(super) fn sha256(text: impl AsRef<[u8]>) -> String {
    encode(digest::digest(&digest::SHA256, text.as_ref()))
}

/// A text that nobody guesses, with a word in front that says what it is.
pub(super) fn secret(kind: &str) -> String {
    let mut bytes = [0; 24];
    // Without random bytes nothing of a test's worth can go on: all texts are the same, and the first check fails.
    let _ = rand::fill(&mut bytes);
    format!("{kind}-{}", encode(bytes))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_and_its_text_alone() {
        for key in [SigningKey::es256().unwrap(), SigningKey::rs256().unwrap()] {
            let token = key.sign(&json!({}), &json!({ "aud": ["a", "b"] })).unwrap();
            let parts = Parts::read(&token).unwrap();
            assert!(parts.is_signed_by(&key.public_jwk()) && parts.is_for("b") && !parts.is_for("c"));
            assert!(!parts.is_signed_by(&SigningKey::es256().unwrap().public_jwk()));
            let (head, rest) = token.split_once('.').unwrap();
            let (_, signature) = rest.split_once('.').unwrap();
            let other = format!("{head}.{}.{signature}", encode(r#"{"aud":"c"}"#));
            assert!(!Parts::read(&other).unwrap().is_signed_by(&key.public_jwk()));
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        // RFC 7638, section 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk = json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
        assert_eq!(thumbprint(&jwk).unwrap(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn what_is_no_token_is_none() {
        for text in ["", "a", "a.b", "a.b.c", "..", "e30.e30"] {
            assert!(Parts::read(text).is_none(), "{text}");
        }
    }
}
