//! A program that acts for itself.

use crate::error::AuthError;
use crate::grant::Asking;
use crate::token::{Form, Issued};

pub(crate) async fn run(asking: Asking<'_>) -> Result<Issued, AuthError> {
    Ok(asking.token(Form::new("client_credentials").with_scopes(asking.scopes)).await?)
}
