//! The token endpoint: how a request is written, and what an answer says.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_protocol::excerpt;
use bowline_transport::Secrets;
use bytes::Bytes;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::error::{AuthError, AuthErrorKind};
use crate::json::{self, Wrong};
use crate::scope::Scopes;

/// How a token is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Bearer,
    Dpop,
}

impl TokenKind {
    pub(crate) const fn scheme(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// What a token endpoint gave.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) access: SecretString,
    pub(crate) kind: TokenKind,
    /// None where it does not say; then no life is made up.
    pub(crate) expires_in: Option<Duration>,
    pub(crate) refresh: Option<SecretString>,
    pub(crate) scopes: Option<Scopes>,
    /// What an exchange gave (RFC 8693).
    pub(crate) issued_type: Option<String>,
}

/// The parameters of a request, in a form. Values may be secret.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<(&'static str, SecretString)>);

impl Form {
    pub(crate) fn new(grant: &str) -> Self {
        Self::default().with("grant_type", grant)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, value.into()));
        self
    }

    pub(crate) fn with_scopes(self, scopes: Option<&Scopes>) -> Self {
        match scopes {
            Some(scopes) if !scopes.is_empty() => self.with("scope", &scopes.to_string()),
            _ => self,
        }
    }

    pub(crate) fn encode(&self) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            text.append_pair(name, value.expose_secret());
        }
        text.finish()
    }

    /// What must not be quoted when the other side quotes it.
    pub(crate) fn secrets(&self) -> Secrets {
        let secret = |name: &str| {
            matches!(
                name,
                "code"
                    | "code_verifier"
                    | "refresh_token"
                    | "client_secret"
                    | "assertion"
                    | "client_assertion"
                    | "subject_token"
                    | "device_code"
                    | "token"
            )
        };
        let values = self.0.iter().filter(|(name, _)| secret(name));
        values.fold(Secrets::default(), |secrets, (_, value)| secrets.with(value.expose_secret()))
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The value of `Authorization` by which a client shows its secret (RFC 6749, section 2.3.1: both are form-encoded).
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}

/// Why no token came.
#[derive(Debug)]
pub(crate) struct NotIssued {
    pub(crate) error: AuthError,
    /// What to refresh with came all the same. Whatever was shown for it is used up, so it is all that there is.
    pub(crate) refresh: Option<SecretString>,
}

impl From<AuthError> for NotIssued {
    fn from(error: AuthError) -> Self {
        Self { error, refresh: None }
    }
}

impl From<NotIssued> for AuthError {
    fn from(not: NotIssued) -> Self {
        not.error
    }
}

/// Reads an answer of a token endpoint. `at` is who answered, and `secrets` what it was told.
pub(crate) fn read(status: StatusCode, body: &Bytes, at: &str, secrets: &Secrets) -> Result<Issued, NotIssued> {
    if !status.is_success() {
        return Err(refusal(status, body, at, secrets).into());
    }
    let unusable = |wrong: &str| {
        let why = format!("the token endpoint {at} gave an unusable answer: {}", excerpt(&secrets.hide(wrong), 200));
        AuthError::new(AuthErrorKind::Token, why)
    };
    let object = json::object(body).map_err(|wrong| unusable(&wrong))?;
    if is_refusal(&object, "access_token") {
        return Err(refusal(status, body, at, secrets).into());
    }
    let refresh = text(&object, "refresh_token").map(SecretString::from);
    match issued(&object) {
        Ok(issued) => Ok(Issued { refresh, ..issued }),
        Err(wrong) => Err(NotIssued { error: unusable(&wrong), refresh }),
    }
}

/// Whether an answer that calls itself a success is an error all the same: some servers answer everything with 200.
pub(crate) fn is_refusal(object: &Map<String, Value>, wanted: &str) -> bool {
    let is_text = |name| matches!(json::text(object, name), Ok(Some(_)));
    !is_text(wanted) && is_text("error")
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    readable(json::text(object, name))
}

/// A part of an answer. What is written wrongly is as if it were not there: a code or a refresh token was used up for
/// this answer, and what it holds besides cannot be had again.
fn readable<T>(part: Result<Option<T>, Wrong>) -> Option<T> {
    part.unwrap_or_else(|wrong| {
        tracing::warn!(wrong = excerpt(&wrong, 200), "a part of the token answer is left out");
        None
    })
}

/// All but what to refresh with.
fn issued(object: &Map<String, Value>) -> Result<Issued, Wrong> {
    let access = json::required(object, "access_token")?;
    // It goes into a header.
    if !access.bytes().all(|byte| matches!(byte, 0x21..=0x7e)) {
        return Err("`access_token` has characters that no header may have".to_owned());
    }
    let kind = match json::text(object, "token_type")? {
        None => TokenKind::Bearer,
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => TokenKind::Bearer,
        Some(kind) if kind.eq_ignore_ascii_case("dpop") => TokenKind::Dpop,
        // A token exchange gives no token that is sent (RFC 8693, section 2.2.1).
        Some(kind) if kind.eq_ignore_ascii_case("n_a") => TokenKind::Bearer,
        Some(other) => return Err(format!("`token_type` is \"{}\", which is not spoken here", excerpt(other, 40))),
    };
    // A token that ends as it is issued could not be used at all: none is meant, by servers whose tokens do not end.
    let expires_in = readable(json::seconds(object, "expires_in")).filter(|life| !life.is_zero());
    let scopes = text(object, "scope").map(Scopes::parse);
    let issued_type = text(object, "issued_token_type").map(str::to_owned);
    Ok(Issued { access: access.into(), kind, expires_in, refresh: None, scopes, issued_type })
}

/// The error that a refusal amounts to.
pub(crate) fn refusal(status: StatusCode, body: &Bytes, at: &str, secrets: &Secrets) -> AuthError {
    let object = json::object(body);
    let text = |name| object.as_ref().ok().and_then(|object| json::text(object, name).ok().flatten());
    // Some have words of their own in place of those of the standard.
    let known = text("error").or_else(|| text("error_code"));
    let Some(code) = known else {
        let why = object.err().map(|wrong| format!(", and {wrong}")).unwrap_or_default();
        // Then it is no answer of who was asked, but of what stands before it.
        let is_away = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let kind = if is_away { AuthErrorKind::Network } else { AuthErrorKind::Token };
        return AuthError::new(kind, format!("{at} answered {status}{why}; try again later"));
    };
    let said = text("error_description").or_else(|| text("msg"));
    let code = excerpt(&secrets.hide(code), 80);
    let said = said.map(|said| format!(": {}", excerpt(&secrets.hide(said), 300))).unwrap_or_default();
    let kind = match &*code {
        "access_denied" => AuthErrorKind::Denied,
        "invalid_scope" => AuthErrorKind::Scope,
        _ => AuthErrorKind::Token,
    };
    AuthError::new(kind, format!("{at} refused ({status}, {code}{said})")).with_code(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(body: &str) -> Result<Issued, String> {
        read(StatusCode::OK, &Bytes::copy_from_slice(body.as_bytes()), "https://as.example/t", &Secrets::default())
            .map_err(|not| not.error.to_string())
    }

    #[test]
    fn case_auth_023_no_life_is_made_up() {
        let issued = given(r#"{"access_token":"A","token_type":"Bearer"}"#).unwrap();
        assert_eq!((issued.expires_in, issued.kind), (None, TokenKind::Bearer));
        let null = given(r#"{"access_token":"A","token_type":"Bearer","expires_in":null,"refresh_token":null}"#);
        let null = null.unwrap();
        assert!(null.expires_in.is_none() && null.refresh.is_none());
    }

    #[test]
    fn case_auth_009_the_type_is_compared_without_case() {
        let life = |text: &str| given(&format!(r#"{{"access_token":"A","token_type":"bearer","expires_in":{text}}}"#));
        assert_eq!(life("300").unwrap().expires_in, Some(Duration::from_secs(300)));
        assert_eq!(life("\"300\"").unwrap().expires_in, Some(Duration::from_secs(300)));
        for none in ["0", "\"0\"", "-5"] {
            assert_eq!(life(none).unwrap().expires_in, None, "case auth-023: {none}");
        }
        assert!(life("1e300").unwrap().expires_in < Some(Duration::from_secs(1 << 32)));
        assert_eq!(given(r#"{"access_token":"A","token_type":"dPoP"}"#).unwrap().kind, TokenKind::Dpop);
    }

    #[test]
    fn what_is_written_wrongly_beside_a_token_loses_neither_it_nor_what_it_is_refreshed_with() {
        for wrong in [r#""expires_in":true"#, r#""expires_in":"soon""#, r#""scope":["a"]"#, r#""issued_token_type":1"#]
        {
            let issued = given(&format!(r#"{{"access_token":"A","refresh_token":"R2",{wrong}}}"#)).unwrap();
            assert_eq!(issued.refresh.unwrap().expose_secret(), "R2", "{wrong}");
            assert!(issued.expires_in.is_none() && issued.scopes.is_none() && issued.issued_type.is_none());
        }
        assert!(given(r#"{"access_token":"A","refresh_token":{}}"#).unwrap().refresh.is_none());
    }

    #[test]
    fn what_to_refresh_with_is_there_also_where_the_token_is_none() {
        for wrong in [r#""access_token":7"#, r#""token_type":"mac","access_token":"A""#, r#""access_token":"a\nb""#] {
            let body = Bytes::from(format!(r#"{{"refresh_token":"R-SECRET",{wrong}}}"#));
            let not = read(StatusCode::OK, &body, "as", &Secrets::default()).unwrap_err();
            assert_eq!(not.refresh.as_ref().unwrap().expose_secret(), "R-SECRET", "{wrong}");
            assert!(!format!("{not:?}").contains("SECRET"));
        }
        let refused = Bytes::from_static(br#"{"error":"invalid_grant","refresh_token":"R"}"#);
        assert!(read(StatusCode::BAD_REQUEST, &refused, "as", &Secrets::default()).unwrap_err().refresh.is_none());
    }

    #[test]
    fn an_answer_that_is_none_names_the_check() {
        for (body, wanted) in [
            ("<html><body>login</body></html>", "it is HTML, not JSON"),
            ("", "it is empty"),
            ("{}", "`access_token` is missing"),
            (r#"{"access_token":7}"#, "`access_token` is a number, not a string"),
            (r#"{"access_token":"a\nb"}"#, "`access_token` has characters"),
            (r#"{"access_token":"A","token_type":"mac"}"#, "`token_type` is \"mac\""),
        ] {
            let error = given(body).unwrap_err();
            assert!(error.contains(wanted) && error.contains("https://as.example/t"), "{body}: {error}");
        }
    }

    #[test]
    fn a_refusal_has_its_code_and_none_of_what_was_secret() {
        let form = Form::new("refresh_token").with("refresh_token", "r-SECRET").with("client_id", "c1");
        let body = r#"{"error":"invalid_grant","error_description":"token r-SECRET was used twice"}"#;
        let error = read(StatusCode::BAD_REQUEST, &Bytes::from_static(body.as_bytes()), "as", &form.secrets());
        let error = error.unwrap_err().error;
        assert_eq!((error.kind(), error.code()), (AuthErrorKind::Token, Some("invalid_grant")));
        assert!(error.to_string().contains("used twice"), "{error}");
        assert!(!format!("{error:?} {form:?}").contains("SECRET"));
        let html = refusal(StatusCode::BAD_GATEWAY, &Bytes::from_static(b"<html>"), "as", &Secrets::default());
        assert_eq!((html.code(), html.kind()), (None, AuthErrorKind::Network));
        assert!(html.to_string().contains("502") && html.to_string().contains("HTML"), "{html}");
        let denied = Bytes::from_static(br#"{"error":"access_denied"}"#);
        let denied = refusal(StatusCode::BAD_REQUEST, &denied, "as", &Secrets::default());
        assert_eq!(denied.kind(), AuthErrorKind::Denied);
    }

    #[test]
    fn an_error_with_a_status_of_success_is_an_error() {
        let body = r#"{"error":"authorization_pending","error_description":"not yet, r-SECRET"}"#;
        let secrets = Form::new("x").with("refresh_token", "r-SECRET").secrets();
        let read = |body: &'static str| read(StatusCode::OK, &Bytes::from_static(body.as_bytes()), "as", &secrets);
        let error = read(body).unwrap_err().error;
        assert_eq!((error.kind(), error.code()), (AuthErrorKind::Token, Some("authorization_pending")));
        assert!(error.to_string().contains("not yet") && !error.to_string().contains("SECRET"), "{error}");
        let denied = read(r#"{"error":"access_denied","access_token":""}"#).unwrap_err().error;
        assert_eq!(denied.kind(), AuthErrorKind::Denied);
        assert!(read(r#"{"error":"","access_token":"A"}"#).is_ok());
        assert!(read(r#"{"error":"odd","access_token":"A"}"#).is_ok(), "what was asked for came");
    }

    #[test]
    fn a_secret_is_form_encoded_before_it_goes_into_a_header() {
        assert_eq!(basic("a:b", "p w/%"), format!("Basic {}", STANDARD.encode("a%3Ab:p+w%2F%25")));
        let form = Form::new("x").with("resource", "https://mcp.example.com").with_scopes(Some(&Scopes::parse("a b")));
        assert_eq!(form.encode(), "grant_type=x&resource=https%3A%2F%2Fmcp.example.com&scope=a+b");
        assert_eq!(Form::new("x").with_scopes(None).encode(), "grant_type=x");
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_read_or_refused(body in "\\PC{0,80}", status in 200_u16..600) {
            let status = StatusCode::from_u16(status).unwrap();
            let _ = read(status, &Bytes::from(body), "as", &Secrets::default());
        }
    }
}
