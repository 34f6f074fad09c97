//! The key that a store encrypts with.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretBox};

use crate::error::{AuthError, AuthErrorKind};
use crate::random;

/// A key of 256 bits to encrypt credentials with.
///
/// It comes from where secrets are kept: an environment variable that a secret manager fills, or, with the feature
/// `keyring`, the keyring of the system (`from_keyring`).
///
/// ```
/// use bowline_auth::StoreKey;
///
/// let key = StoreKey::generate()?;
/// assert!(StoreKey::from_base64(&key.to_base64()).is_ok());
/// assert!(StoreKey::from_base64("too short").is_err());
/// # Ok::<(), bowline_auth::AuthError>(())
/// ```
#[derive(Clone)]
pub struct StoreKey(Arc<SecretBox<[u8; 32]>>);

impl StoreKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, AuthError> {
        random::bytes().map(Self::from_bytes)
    }

    /// A key of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Arc::new(SecretBox::new(Box::new(bytes))))
    }

    /// Reads a key: 32 bytes in Base64.
    ///
    /// # Errors
    /// [`AuthErrorKind::Config`] for anything else.
    pub fn from_base64(text: &str) -> Result<Self, AuthError> {
        let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self::from_bytes).ok_or_else(|| {
            AuthError::new(AuthErrorKind::Config, "the key for credentials is not 32 bytes in Base64; make one that is")
        })
    }

    /// Reads a key from an environment variable; none where it is not set.
    ///
    /// # Errors
    /// [`AuthErrorKind::Config`] when it is set to anything but 32 bytes in Base64.
    pub fn from_env(name: &str) -> Result<Option<Self>, AuthError> {
        match std::env::var(name) {
            Ok(text) => Self::from_base64(&text).map(Some),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Self::from_base64("").map(Some),
        }
    }

    /// The key in Base64, to be kept where secrets are.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.bytes())
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(\u{2026})")
    }
}
