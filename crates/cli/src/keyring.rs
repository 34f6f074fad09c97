//! The key that tokens are encrypted with, in the keyring of the system.

use bowline::auth::{AuthError, StoreKey};

/// The key, made where there is none. May wait for a person who is to unlock the keyring.
pub(crate) fn key() -> Result<StoreKey, AuthError> {
    StoreKey::from_keyring("bowline", "credentials")
}
