//! What there is instead of cryptography without the features for it.

use crate::error::{AuthError, AuthErrorKind};

/// There are no keys.
pub(super) enum Pair {}

fn absent() -> AuthError {
    AuthError::new(AuthErrorKind::Config, "keys need the feature `aws-lc` or `ring`; turn one on")
}

impl Pair {
    pub(super) fn generate() -> Result<Self, AuthError> {
        Err(absent())
    }

    pub(super) fn from_pem(_: &str) -> Result<Self, AuthError> {
        Err(absent())
    }

    pub(super) fn from_pkcs8(_: &[u8]) -> Result<Self, AuthError> {
        Err(absent())
    }

    pub(super) fn pkcs8(&self) -> Option<&[u8]> {
        match *self {}
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match *self {}
    }

    pub(super) fn point(&self) -> Option<&[u8]> {
        match *self {}
    }

    pub(super) fn sign(&self, _: &[u8]) -> Result<Vec<u8>, AuthError> {
        match *self {}
    }
}

pub(crate) fn seal(_: &[u8; 32], _: &[u8], _: &[u8]) -> Result<Vec<u8>, AuthError> {
    Err(absent())
}

pub(crate) fn open(_: &[u8; 32], _: &[u8], _: &[u8]) -> Result<Vec<u8>, AuthError> {
    Err(absent())
}
