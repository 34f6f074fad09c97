//! A person in a browser: the authorization code with PKCE.

use std::time::Duration;

use bowline_http::shown;
use bowline_protocol::{VisitUrl, excerpt};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::error::{AuthError, AuthErrorKind};
use crate::grant::Asking;
use crate::redirect::{Listener, Page};
use crate::response::{Pending, Returned};
use crate::token::{Form, Issued};
use crate::visitor::{Visit, Visited, Visitor};

/// Where the answer comes to.
pub(crate) enum Back {
    /// A listener on this machine.
    Here(Listener),
    /// Somebody brings the address.
    Brought(String),
}

impl Back {
    pub(crate) fn uri(&self) -> &str {
        match self {
            Self::Here(listener) => listener.uri(),
            Self::Brought(uri) => uri,
        }
    }

    /// Goes on under another spelling of the address.
    pub(crate) async fn rename(&mut self, text: &str) -> Result<(), AuthError> {
        match self {
            Self::Here(listener) => listener.rename(text).await,
            Self::Brought(uri) => {
                text.clone_into(uri);
                Ok(())
            }
        }
    }
}

/// Has a person agree, and asks for the token with what comes back. `within` bounds the person's part.
pub(crate) async fn run(
    asking: Asking<'_>,
    server: &Url,
    visitor: &dyn Visitor,
    back: Back,
    within: Duration,
) -> Result<Issued, AuthError> {
    let issuer = &asking.found.issuer;
    let refused = |why: String| AuthError::new(AuthErrorKind::Discovery, why);
    let id = excerpt(&issuer.id, 200);
    // 2025-11-25, security considerations: without it the authorization server may not know PKCE at all.
    if issuer.s256 != Some(true) {
        return Err(refused(format!(
            "{id} does not say that it does PKCE with S256 (`code_challenge_methods_supported`); it is not safe to log in there"
        )));
    }
    let Some(authorize) = &issuer.authorize else {
        return Err(refused(format!("{id} has no `authorization_endpoint`; nobody can log in there by browser")));
    };
    let pending = Pending::new(&issuer.id, issuer.says_iss, back.uri())?;
    let page = page(asking, authorize, &pending);
    let url = VisitUrl::parse(page.as_str()).map_err(|error| {
        let why = format!("`authorization_endpoint` of {id} must not be opened: {error}");
        AuthError::new(AuthErrorKind::Blocked, why)
    })?;
    let visit = Visit {
        url,
        server: shown(server),
        issuer: issuer.id.clone(),
        redirect_uri: pending.redirect_uri().to_owned(),
    };
    let code = match tokio::time::timeout(within, answer(visitor, &visit, back, &pending)).await {
        Ok(code) => code?,
        Err(_) => {
            let why = format!("nobody logged in at {id} within {} s; try again", within.as_secs());
            return Err(AuthError::new(AuthErrorKind::Timeout, why));
        }
    };
    let form = Form::new("authorization_code")
        .with("code", code.expose_secret())
        .with("redirect_uri", pending.redirect_uri())
        .with("code_verifier", pending.verifier());
    Ok(asking.token(form).await?)
}

/// The address of the page that asks the person.
fn page(asking: Asking<'_>, authorize: &Url, pending: &Pending) -> Url {
    let mut url = authorize.clone();
    let client = asking.client.map(|client| client.id.as_str()).unwrap_or_default();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", client)
        .append_pair("redirect_uri", pending.redirect_uri())
        .append_pair("state", pending.state())
        .append_pair("code_challenge", &pending.challenge())
        .append_pair("code_challenge_method", "S256")
        .append_pair("resource", &asking.found.resource);
    // RFC 9449, section 10: the code is of no use without the key either.
    if let Some(thumbprint) = asking.dpop.and_then(|dpop| dpop.key().thumbprint()) {
        query.append_pair("dpop_jkt", &thumbprint);
    }
    if let Some(scopes) = asking.scopes {
        query.append_pair("scope", &scopes.to_string());
        // OpenID Connect Core, section 11: without it there is no refresh token for this scope.
        if scopes.contains("offline_access") {
            query.append_pair("prompt", "consent");
        }
    }
    drop(query);
    url
}

/// Sends the person away and waits until they are back.
async fn answer(
    visitor: &dyn Visitor,
    visit: &Visit,
    back: Back,
    pending: &Pending,
) -> Result<SecretString, AuthError> {
    let brought = |visited: Visited| match visited {
        Visited::Opened => None,
        Visited::Returned(address) => Some(pending.read_address(address.expose_secret())),
    };
    let listener = match back {
        Back::Here(listener) => listener,
        Back::Brought(_) => {
            let returned = brought(visitor.visit(visit).await?);
            return code(returned.unwrap_or(Returned::Stray));
        }
    };
    let waiting = listener.wait(|query| match pending.read(query) {
        Returned::Stray => (Page::Stray, None),
        returned @ Returned::Failed(_) => (Page::Failed, Some(returned)),
        returned @ Returned::Code(_) => (Page::Received, Some(returned)),
    });
    tokio::pin!(waiting);
    let visited = tokio::select! {
        returned = &mut waiting => return code(returned?),
        visited = visitor.visit(visit) => visited?,
    };
    match brought(visited) {
        Some(returned) => code(returned),
        None => code(waiting.await?),
    }
}

fn code(returned: Returned) -> Result<SecretString, AuthError> {
    match returned {
        Returned::Code(code) => Ok(code),
        Returned::Failed(error) => Err(error),
        Returned::Stray => {
            let why = "the page was opened, and nothing here hears of its end; use a visitor that brings the address";
            Err(AuthError::new(AuthErrorKind::Config, why))
        }
    }
}
