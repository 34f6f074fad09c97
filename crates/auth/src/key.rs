//! Private keys, and what is signed with them.

#[cfg(any(feature = "aws-lc", feature = "ring"))]
#[path = "key/provider.rs"]
mod provider;
#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
#[path = "key/absent.rs"]
mod provider;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) use self::provider::{open, seal};

use self::provider::Pair;
use crate::error::AuthError;
use crate::random;

/// A private key: of the elliptic curve P-256 (`ES256`), or RSA of 2,048 bits and more (`RS256`).
///
/// With it a client shows who it is without a secret that travels (`private_key_jwt`).
///
/// ```
/// let key = bowline_auth::PrivateKey::generate()?;
/// assert_eq!(format!("{key:?}"), "PrivateKey(ES256)");
/// # Ok::<(), bowline_auth::AuthError>(())
/// ```
#[derive(Clone)]
pub struct PrivateKey(Arc<Pair>);

impl PrivateKey {
    /// Makes a key for `ES256`.
    ///
    /// # Errors
    /// [`AuthErrorKind::Config`](crate::AuthErrorKind::Config) without the feature `aws-lc` or `ring`.
    pub fn generate() -> Result<Self, AuthError> {
        Pair::generate().map(|pair| Self(Arc::new(pair)))
    }

    /// Reads a key in PEM: PKCS#8, PKCS#1 for RSA, or SEC 1 for P-256.
    ///
    /// # Errors
    /// [`AuthErrorKind::Config`](crate::AuthErrorKind::Config) when there is no such key in the text, or without
    /// the feature `aws-lc` or `ring`.
    pub fn from_pem(pem: &str) -> Result<Self, AuthError> {
        Pair::from_pem(pem).map(|pair| Self(Arc::new(pair)))
    }

    /// Reads what [`Self::pkcs8`] gave.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, AuthError> {
        Pair::from_pkcs8(der).map(|pair| Self(Arc::new(pair)))
    }

    /// The key itself, where it was made here.
    pub(crate) fn pkcs8(&self) -> Option<&[u8]> {
        self.0.pkcs8()
    }

    /// How it signs, as JOSE calls it.
    pub fn algorithm(&self) -> &'static str {
        self.0.algorithm()
    }

    /// The public half as a JWK; of P-256 keys alone.
    pub(crate) fn jwk(&self) -> Option<Value> {
        let point = self.0.point()?;
        // An uncompressed point: 4, x, y.
        let (x, y) = point.get(1..33).zip(point.get(33..65))?;
        let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
        Some(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }))
    }

    /// What tells the public half from any other (RFC 7638); of P-256 keys alone.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        let jwk = self.jwk()?;
        let [x, y] = ["x", "y"].map(|name| jwk.get(name).and_then(Value::as_str).unwrap_or_default());
        // In this order and without blanks, whatever order maps are written in.
        Some(random::sha256(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)))
    }

    /// Signs claims: a JWT. `header` has what it says beside `alg`.
    pub(crate) fn jwt(&self, mut header: Value, claims: &Value) -> Result<String, AuthError> {
        if let Some(header) = header.as_object_mut() {
            header.insert("alg".to_owned(), self.algorithm().into());
        }
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.0.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm())
    }
}
