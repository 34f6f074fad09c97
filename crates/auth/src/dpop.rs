//! Proofs that whoever sends a token has the key that it is bound to (DPoP, RFC 9449).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, json};
use url::Url;

use crate::error::{AuthError, AuthErrorKind};
use crate::key::PrivateKey;
use crate::random;

pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
pub(crate) const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// How many origins' nonces are kept, and how many bytes one may have.
const MAX_ORIGINS: usize = 16;
const MAX_NONCE: usize = 1024;

/// When tokens are bound to a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpopUse {
    /// Where the server asks for it: by its challenge, or in its metadata.
    #[default]
    WhenAsked,
    /// Always; an authorization server that does not bind them is refused.
    Always,
    /// Never.
    Never,
}

/// A key, and the nonces that servers gave for it.
pub(crate) struct Dpop {
    key: PrivateKey,
    nonces: Mutex<HashMap<String, String>>,
}

impl Dpop {
    pub(crate) fn new(key: PrivateKey) -> Self {
        Self { key, nonces: Mutex::default() }
    }

    pub(crate) const fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Takes the nonce of an answer from this origin, if it has one. Says whether there was one.
    pub(crate) fn heard(&self, origin: &str, headers: &HeaderMap) -> bool {
        let nonce = headers.get(NONCE).and_then(|value| value.to_str().ok());
        let Some(nonce) = nonce.filter(|nonce| !nonce.is_empty() && nonce.len() <= MAX_NONCE) else { return false };
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.len() >= MAX_ORIGINS && !nonces.contains_key(origin) {
            nonces.clear();
        }
        nonces.insert(origin.to_owned(), nonce.to_owned());
        true
    }

    /// A fresh proof for one request; `token` is what it is sent with, and `now` the time in seconds since 1970.
    pub(crate) fn proof(
        &self,
        method: &Method,
        url: &Url,
        token: Option<&str>,
        now: i64,
    ) -> Result<HeaderValue, AuthError> {
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        let mut claims = Map::from_iter([
            ("jti".to_owned(), random::text()?.into()),
            ("htm".to_owned(), method.as_str().into()),
            ("htu".to_owned(), bare.as_str().into()),
            ("iat".to_owned(), now.into()),
        ]);
        if let Some(token) = token {
            claims.insert("ath".to_owned(), random::sha256(token).into());
        }
        let origin = url.origin().ascii_serialization();
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nonce) = nonces.get(&origin) {
            claims.insert("nonce".to_owned(), nonce.as_str().into());
        }
        drop(nonces);
        let jwk = self.key.jwk().ok_or_else(|| {
            AuthError::new(AuthErrorKind::Config, "proofs want a key of P-256; leave the key to be made")
        })?;
        let proof = self.key.jwt(json!({ "typ": "dpop+jwt", "jwk": jwk }), &claims.into())?;
        let mut value = HeaderValue::try_from(proof)
            .map_err(|_| AuthError::new(AuthErrorKind::Config, "the proof does not fit into a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dpop").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;

    use super::*;

    fn parts(proof: &HeaderValue) -> [Value; 2] {
        let mut parts = proof.to_str().unwrap().split('.');
        [(); 2].map(|()| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap())
    }

    #[test]
    fn a_proof_is_of_one_request_and_has_the_nonce_of_its_origin() {
        let dpop = Dpop::new(PrivateKey::generate().unwrap());
        let url = "https://mcp.example/mcp?a=1#b".parse().unwrap();
        let first = dpop.proof(&Method::POST, &url, Some("tok"), 7).unwrap();
        let [header, claims] = parts(&first);
        assert_eq!((header["typ"].as_str(), header["jwk"]["d"].as_str()), (Some("dpop+jwt"), None));
        assert_eq!((claims["htm"].as_str(), claims["htu"].as_str()), (Some("POST"), Some("https://mcp.example/mcp")));
        assert_eq!((claims["iat"].as_i64(), claims["ath"].as_str()), (Some(7), Some(&*random::sha256("tok"))));
        assert_eq!(claims.get("nonce"), None);
        assert!(first.is_sensitive());

        let headers = HeaderMap::from_iter([(NONCE, HeaderValue::from_static("n-1"))]);
        assert!(dpop.heard("https://mcp.example", &headers) && !dpop.heard("https://x", &HeaderMap::new()));
        let [_, second] = parts(&dpop.proof(&Method::GET, &url, None, 7).unwrap());
        assert_eq!((second["nonce"].as_str(), second.get("ath")), (Some("n-1"), None));
        assert_ne!(second["jti"], claims["jti"]);
        let other = "https://as.example/token".parse().unwrap();
        assert_eq!(parts(&dpop.proof(&Method::GET, &other, None, 7).unwrap())[1].get("nonce"), None);
    }

    #[test]
    fn nonces_are_bounded() {
        let dpop = Dpop::new(PrivateKey::generate().unwrap());
        let nonce = |text: &str| HeaderMap::from_iter([(NONCE, text.parse().unwrap())]);
        assert!(!dpop.heard("o", &nonce(&"x".repeat(MAX_NONCE + 1))));
        for n in 0..100 {
            dpop.heard(&n.to_string(), &nonce("n"));
        }
        assert!(dpop.nonces.lock().unwrap().len() <= MAX_ORIGINS);
    }
}
