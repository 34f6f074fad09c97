//! The library against the authorization server of the testkit.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod login;
mod logout;
mod proxy;
mod refresh;
mod scopes;
mod support;
