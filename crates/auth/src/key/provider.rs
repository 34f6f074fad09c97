//! The seam to the library of cryptography: aws-lc-rs, or ring, which has the same shape.

#[cfg(feature = "aws-lc")]
use aws_lc_rs as library;
#[cfg(not(feature = "aws-lc"))]
use ring as library;

use library::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use library::rand::SystemRandom;
use library::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::{AuthError, AuthErrorKind};
use crate::random;

pub(super) enum Pair {
    Ec { pair: EcdsaKeyPair, pkcs8: Option<Vec<u8>> },
    Rsa(RsaKeyPair),
}

const UNKNOWN: &str = "is neither of P-256 nor RSA with at least 2048 bits; give one of these in PEM, as PKCS#8";

impl Pair {
    pub(super) fn generate() -> Result<Self, AuthError> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| unusable("could not be made"))?;
        let pkcs8 = made.as_ref().to_vec();
        Ok(Self::Ec { pair: ec(&pkcs8).ok_or_else(|| unusable("could not be made"))?, pkcs8: Some(pkcs8) })
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, AuthError> {
        if let Some(pair) = ec(der) {
            return Ok(Self::Ec { pair, pkcs8: Some(der.to_vec()) });
        }
        RsaKeyPair::from_pkcs8(der).map(Self::Rsa).map_err(|_| unusable(UNKNOWN))
    }

    pub(super) fn from_pem(pem: &str) -> Result<Self, AuthError> {
        match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => Self::from_pkcs8(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).map(Self::Rsa).map_err(|_| unusable(UNKNOWN))
            }
            Ok(PrivateKeyDer::Sec1(der)) => {
                sec1(der.secret_sec1_der()).map(|pair| Self::Ec { pair, pkcs8: None }).ok_or_else(|| unusable(UNKNOWN))
            }
            Ok(_) => Err(unusable(UNKNOWN)),
            Err(_) => Err(unusable("is no PEM; it begins with `-----BEGIN PRIVATE KEY-----`")),
        }
    }

    pub(super) fn pkcs8(&self) -> Option<&[u8]> {
        match self {
            Self::Ec { pkcs8, .. } => pkcs8.as_deref(),
            Self::Rsa(_) => None,
        }
    }

    pub(super) const fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec { .. } => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    pub(super) fn point(&self) -> Option<&[u8]> {
        match self {
            Self::Ec { pair, .. } => Some(pair.public_key().as_ref()),
            Self::Rsa(_) => None,
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthError> {
        let random = SystemRandom::new();
        match self {
            Self::Ec { pair, .. } => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; rsa_bytes(pair)];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
        }
        .map_err(|_| unusable("could not sign"))
    }
}

#[cfg(feature = "aws-lc")]
fn ec(pkcs8: &[u8]) -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()
}

#[cfg(not(feature = "aws-lc"))]
fn ec(pkcs8: &[u8]) -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).ok()
}

#[cfg(feature = "aws-lc")]
fn sec1(der: &[u8]) -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()
}

/// Unknown to ring.
#[cfg(not(feature = "aws-lc"))]
const fn sec1(_: &[u8]) -> Option<EcdsaKeyPair> {
    None
}

#[cfg(feature = "aws-lc")]
fn rsa_bytes(pair: &RsaKeyPair) -> usize {
    pair.public_modulus_len()
}

#[cfg(not(feature = "aws-lc"))]
fn rsa_bytes(pair: &RsaKeyPair) -> usize {
    pair.public().modulus_len()
}

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// Encrypts `plain` with AES-256-GCM; `about` is bound to it. The nonce comes first.
pub(crate) fn seal(key: &[u8; 32], about: &[u8], plain: &[u8]) -> Result<Vec<u8>, AuthError> {
    let nonce = random::bytes::<NONCE_LEN>()?;
    let mut sealed = plain.to_vec();
    cipher(key)
        .and_then(|key| {
            key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut sealed).ok()
        })
        .ok_or_else(|| AuthError::store("the credentials could not be encrypted"))?;
    Ok([&nonce[..], &sealed].concat())
}

/// Decrypts what [`seal`] gave.
pub(crate) fn open(key: &[u8; 32], about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, AuthError> {
    let wrong = || AuthError::store("the credentials cannot be decrypted; is it the key that they were kept with?");
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
    let mut plain = sealed.to_vec();
    let key = cipher(key).ok_or_else(wrong)?;
    let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(about), &mut plain);
    let length = opened.map_err(|_| wrong())?.len();
    plain.truncate(length);
    Ok(plain)
}

fn unusable(why: &str) -> AuthError {
    AuthError::new(AuthErrorKind::Config, format!("the private key {why}"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use library::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;
    use crate::key::PrivateKey;

    #[test]
    fn what_is_signed_can_be_verified_with_the_public_half() {
        let key = PrivateKey::generate().unwrap();
        let jwt = key.jwt(json!({ "typ": "x" }), &json!({ "a": 1 })).unwrap();
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        let jwk = key.jwk().unwrap();
        let half = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [vec![4], half("x"), half("y")].concat();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
        assert!(public.verify(signed.as_bytes(), &signature).is_ok());
        let header = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().0).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header, json!({ "typ": "x", "alg": "ES256" }));
    }

    #[test]
    fn a_key_that_was_kept_is_the_same_key() {
        let key = PrivateKey::generate().unwrap();
        let again = PrivateKey::from_pkcs8(key.pkcs8().unwrap()).unwrap();
        assert_eq!(key.jwk(), again.jwk());
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64::engine::general_purpose::STANDARD.encode(key.pkcs8().unwrap())
        );
        assert_eq!(PrivateKey::from_pem(&pem).unwrap().jwk(), key.jwk());
        for (pem, why) in [("", "no PEM"), ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "neither")]
        {
            assert!(PrivateKey::from_pem(pem).unwrap_err().to_string().contains(why));
        }
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_and_about_its_matter_alone() {
        let sealed = seal(&[1; 32], b"a", b"token").unwrap();
        assert_eq!(open(&[1; 32], b"a", &sealed).unwrap(), b"token");
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        assert!(open(&[2; 32], b"a", &sealed).is_err() && open(&[1; 32], b"b", &sealed).is_err());
        let mut changed = sealed.clone();
        changed[14] ^= 1;
        assert!(open(&[1; 32], b"a", &changed).is_err() && open(&[1; 32], b"a", &sealed[..5]).is_err());
    }
}
