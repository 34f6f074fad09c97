//! What stands for the keyring of the system in builds without it.

use bowline::auth::{AuthError, StoreKey};

pub(crate) fn key() -> Result<StoreKey, AuthError> {
    Err(AuthError::no_keyring("this command was built without the keyring of the system"))
}
