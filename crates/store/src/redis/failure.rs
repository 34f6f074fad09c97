//! What an error of the library means.

use std::time::Duration;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::{StoreError, StoreErrorKind};

pub(super) fn late(deadline: Duration) -> StoreError {
    let message = format!("redis did not answer within {} ms; look after the server", deadline.as_millis());
    StoreError::new(StoreErrorKind::Timeout, message)
}

pub(super) fn garbage() -> StoreError {
    let message = "what redis holds there was not written by a store; delete the key, or choose another prefix";
    StoreError::new(StoreErrorKind::Garbage, message)
}

pub(super) fn of(error: RedisError) -> StoreError {
    // Older servers wrap what a command in a script says.
    let says = |word: &str| error.code() == Some(word) || error.detail().is_some_and(|detail| detail.contains(word));
    let (kind, message) = if says("OOM") {
        (StoreErrorKind::Full, "redis has no memory left (maxmemory); raise it".to_owned())
    } else if says("WRONGTYPE") {
        return garbage().with_source(error);
    } else if error.is_timeout() {
        (StoreErrorKind::Timeout, "redis did not answer in time; look after the server".to_owned())
    } else {
        match error.kind() {
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
                let message = "what answers is not redis, or holds something else there; check the address and prefix";
                (StoreErrorKind::Garbage, message.to_owned())
            }
            ErrorKind::AuthenticationFailed => {
                (StoreErrorKind::Unavailable, "redis refused the login; check user and password".to_owned())
            }
            ErrorKind::Server(ServerErrorKind::NoPerm) => {
                (StoreErrorKind::Unavailable, "redis forbids this to the user; allow it the prefix's keys".to_owned())
            }
            ErrorKind::InvalidClientConfig => {
                (StoreErrorKind::Invalid, "redis cannot be used with these settings; check the address".to_owned())
            }
            _ => {
                let what = error.code().unwrap_or_else(|| error.category());
                (StoreErrorKind::Unavailable, format!("redis cannot be used ({what}); see that it runs"))
            }
        }
    };
    StoreError::new(kind, message).with_source(error)
}
