//! The answer that comes back through the browser: what it is held against before its code goes anywhere.

use std::fmt;

use bowline_protocol::excerpt;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Url, form_urlencoded};

use crate::error::{AuthError, AuthErrorKind};
use crate::random;

/// What was recorded of one request before the browser was sent away with it.
///
/// 2026-07-28, authorization response validation: the issuer is that of metadata that was checked, and is kept
/// together with the verifier and the state.
pub(crate) struct Pending {
    state: String,
    verifier: SecretString,
    issuer: String,
    says_iss: bool,
    redirect_uri: String,
}

/// What a visit to the redirect address amounts to.
#[derive(Debug)]
pub(crate) enum Returned {
    /// The code of this request.
    Code(SecretString),
    /// The end of this request.
    Failed(AuthError),
    /// Nothing of this request: whoever sent it knows no state of ours.
    Stray,
}

impl Pending {
    pub(crate) fn new(issuer: &str, says_iss: bool, redirect_uri: &str) -> Result<Self, AuthError> {
        Ok(Self {
            state: random::text()?,
            verifier: random::text()?.into(),
            issuer: issuer.to_owned(),
            says_iss,
            redirect_uri: redirect_uri.to_owned(),
        })
    }

    pub(crate) fn state(&self) -> &str {
        &self.state
    }

    pub(crate) fn challenge(&self) -> String {
        random::sha256(self.verifier.expose_secret())
    }

    pub(crate) fn verifier(&self) -> &str {
        self.verifier.expose_secret()
    }

    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Reads a whole address that somebody was sent back to.
    pub(crate) fn read_address(&self, address: &str) -> Returned {
        let failed = |why: &str| {
            let why = format!("what came back {why}; give the whole address that the browser was sent to");
            Returned::Failed(AuthError::new(AuthErrorKind::Response, why))
        };
        let (Ok(url), Ok(own)) = (Url::parse(address.trim()), Url::parse(&self.redirect_uri)) else {
            return failed("is no address");
        };
        if url.origin() != own.origin() || url.path() != own.path() {
            return failed("is not the redirect address of this login");
        }
        match self.read(url.query().unwrap_or_default()) {
            Returned::Stray => failed("has not the state of this login"),
            returned => returned,
        }
    }

    /// Reads the query of an address that somebody was sent back to.
    pub(crate) fn read(&self, query: &str) -> Returned {
        let all = |name: &'static str| {
            form_urlencoded::parse(query.as_bytes()).filter(move |(known, _)| known == name).map(|(_, value)| value)
        };
        let param = |name| all(name).next();
        if !all("state").any(|state| same(&state, &self.state)) {
            return Returned::Stray;
        }
        let failed = |kind, why: String| Returned::Failed(AuthError::new(kind, why));
        // RFC 6749, section 3.1: which of two is meant would be anybody's guess, and an attacker's choice.
        if let Some(doubled) = PARAMETERS.into_iter().find(|name| all(name).nth(1).is_some()) {
            let why = format!("the authorization response has `{doubled}` more than once; log in again");
            return failed(AuthErrorKind::Response, why);
        }
        // Before anything else is looked at, an error's words included.
        match param("iss") {
            Some(iss) if iss != self.issuer => {
                let (expected, got) = (excerpt(&self.issuer, 200), excerpt(&iss, 200));
                return failed(
                    AuthErrorKind::Response,
                    format!("`iss` of the authorization response: expected {expected}, got {got}; log in again"),
                );
            }
            None if self.says_iss => {
                let issuer = excerpt(&self.issuer, 200);
                return failed(
                    AuthErrorKind::Response,
                    format!("the authorization response lacks `iss`, which {issuer} says it always has; log in again"),
                );
            }
            _ => {}
        }
        if let Some(code) = param("error") {
            let code = excerpt(&code, 80);
            let said = param("error_description").map(|said| format!(": {}", excerpt(&said, 300))).unwrap_or_default();
            let (kind, what) = match &*code {
                "access_denied" => (AuthErrorKind::Denied, "access was denied"),
                "invalid_scope" => (AuthErrorKind::Scope, "the authorization server refused the scopes"),
                _ => (AuthErrorKind::Response, "the authorization server refused"),
            };
            return Returned::Failed(AuthError::new(kind, format!("{what} ({code}{said})")).with_code(&code));
        }
        match param("code").filter(|code| !code.is_empty()) {
            Some(code) => Returned::Code(SecretString::from(&*code)),
            None => failed(
                AuthErrorKind::Response,
                "the authorization response has neither a code nor an error; log in again".to_owned(),
            ),
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What a response is made of, as far as it is read.
const PARAMETERS: [&str; 5] = ["state", "iss", "error", "error_description", "code"];

/// Compares in a time that says nothing of where two texts differ.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://as.example/a";

    fn pending(says_iss: bool) -> Pending {
        Pending::new(ISSUER, says_iss, "http://127.0.0.1:7/callback").unwrap()
    }

    fn query(pending: &Pending, rest: &[(&str, &str)]) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.append_pair("state", pending.state()).extend_pairs(rest).finish()
    }

    fn failure(returned: Returned) -> AuthError {
        match returned {
            Returned::Failed(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_23_an_answer_without_the_state_is_somebody_elses() {
        let pending = pending(false);
        for query in ["code=c", "state=&code=c", "state=x&code=c", "", "error=access_denied"] {
            assert!(matches!(pending.read(query), Returned::Stray), "{query}");
        }
        assert!(matches!(pending.read(&query(&pending, &[("code", "c")])), Returned::Code(_)));
    }

    #[test]
    fn a_25_a_26_the_issuer_is_compared_to_the_letter_and_must_be_there_where_it_is_promised() {
        for says_iss in [true, false] {
            let pending = pending(says_iss);
            let right = query(&pending, &[("code", "c"), ("iss", ISSUER)]);
            assert!(matches!(pending.read(&right), Returned::Code(_)));
            for iss in [
                "https://as.example/a/",
                "https://AS.example/a",
                "https://as.example:443/a",
                "https://as.example/%61",
                "",
            ] {
                let error = failure(pending.read(&query(&pending, &[("code", "c"), ("iss", iss)])));
                assert_eq!(error.kind(), AuthErrorKind::Response);
                assert!(error.to_string().contains("`iss`") && error.to_string().contains(ISSUER), "{error}");
            }
            let without = pending.read(&query(&pending, &[("code", "c")]));
            assert_eq!(matches!(without, Returned::Failed(_)), says_iss);
        }
    }

    #[test]
    fn an_answer_that_has_a_parameter_twice_is_refused() {
        let pending = pending(false);
        let state = pending.state().to_owned();
        for name in PARAMETERS {
            let mut rest = vec![("code", "c"), ("iss", ISSUER), (name, "other"), (name, "other")];
            rest.retain(|(known, _)| name != "error" || *known != "code");
            let error = failure(pending.read(&query(&pending, &rest)));
            assert_eq!(error.kind(), AuthErrorKind::Response);
            assert!(error.to_string().contains(&format!("`{name}` more than once")), "{error}");
        }
        let hidden = format!("state=x&state={state}&code=c");
        assert!(failure(pending.read(&hidden)).to_string().contains("`state`"));
        assert!(matches!(pending.read("state=x&state=y&code=c"), Returned::Stray), "nothing of it is ours");
        let unknown = query(&pending, &[("code", "c"), ("session_state", "1"), ("session_state", "2")]);
        assert!(matches!(pending.read(&unknown), Returned::Code(_)), "what is not read does no harm");
    }

    #[test]
    fn a_27_what_another_issuer_says_is_not_shown() {
        let pending = pending(true);
        for iss in [&[("iss", "https://evil.example")][..], &[]] {
            let rest = [&[("error", "E-WORDS"), ("error_description", "E-WORDS")][..], iss].concat();
            let error = failure(pending.read(&query(&pending, &rest)));
            assert!(!format!("{error:?}").contains("E-WORDS"), "{error:?}");
        }
    }

    #[test]
    fn case_auth_030_a_denial_is_told_with_its_words() {
        let pending = pending(false);
        let said = [("error", "access_denied"), ("error_description", "User said no\n")];
        let error = failure(pending.read(&query(&pending, &said)));
        assert_eq!((error.kind(), error.code()), (AuthErrorKind::Denied, Some("access_denied")));
        assert!(error.to_string().contains("User said no") && !error.to_string().contains('\n'), "{error}");
        let none = failure(pending.read(&query(&pending, &[("code", "")])));
        assert!(none.to_string().contains("neither a code nor an error"), "{none}");
    }

    #[test]
    fn an_address_that_is_pasted_must_be_that_of_this_login() {
        let pending = pending(false);
        let query = query(&pending, &[("code", "c")]);
        assert!(matches!(pending.read_address(&format!(" http://127.0.0.1:7/callback?{query}\n")), Returned::Code(_)));
        for address in
            ["", "c", "http://127.0.0.1:8/callback?", "http://127.0.0.1:7/other?", "https://127.0.0.1:7/callback?"]
        {
            let error = failure(pending.read_address(&format!("{address}{query}")));
            assert!(!error.to_string().contains("code=c"), "{error}");
        }
        let stale = failure(pending.read_address("http://127.0.0.1:7/callback?state=old&code=c"));
        assert!(stale.to_string().contains("state"), "{stale}");
    }
}
