//! A fresh token for one that ended.

use crate::grant::Asking;
use crate::token::{Form, Issued, NotIssued};

/// Asks for a fresh token. Scopes are not named: those that were granted are meant.
pub(crate) async fn run(asking: Asking<'_>, refresh: &str) -> Result<Issued, NotIssued> {
    asking.token(Form::new("refresh_token").with("refresh_token", refresh)).await
}
