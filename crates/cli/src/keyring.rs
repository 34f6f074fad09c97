//! The key that tokens are encrypted with, in the keyring of the system.

use bowline::auth::StoreKey;

/// The key, made where there is none; or why there is no keyring. May wait for a person who is to unlock it.
pub(crate) fn key() -> Result<StoreKey, String> {
    StoreKey::from_keyring("bowline", "credentials").map_err(|error| error.to_string())
}
