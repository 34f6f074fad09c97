//! Who this program is to an authorization server: registered beforehand, described by a document, or registered on
//! the spot.

use bowline_protocol::excerpt;
use bytes::Bytes;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::clock::Clock;
use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::is_here;
use crate::grant::device::DEVICE_CODE;
use crate::issuer::Issuer;
use crate::json;
use crate::key::PrivateKey;
use crate::token::{is_refusal, refusal};

/// How a client shows who it is at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    None,
    SecretBasic,
    SecretPost,
    PrivateKeyJwt,
}

impl AuthMethod {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::None, Self::SecretBasic, Self::SecretPost, Self::PrivateKeyJwt]
            .into_iter()
            .find(|method| method.name() == name)
    }
}

/// What the program's settings say of who it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    /// An id that an authorization server knows already.
    pub(crate) id: Option<String>,
    pub(crate) secret: Option<SecretString>,
    pub(crate) key: Option<PrivateKey>,
    /// The one authorization server that the id is for.
    pub(crate) issuer: Option<String>,
    /// Where the program describes itself.
    pub(crate) document: Option<Url>,
    /// What people are shown.
    pub(crate) name: String,
}

/// A client as one authorization server knows it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<SecretString>,
    pub(crate) method: AuthMethod,
    /// The addresses that a registration on the spot was made with; none where it was not.
    pub(crate) registered: Option<Vec<String>>,
    /// When the secret ends, in seconds since 1970.
    pub(crate) expires_at: Option<i64>,
}

/// How to come to a client id.
#[derive(Debug)]
pub(crate) enum Way<'a> {
    /// It is there.
    Known(Client),
    /// It has to be asked for at this address.
    Register(&'a Url),
}

impl Identity {
    /// Chooses how to come to a client id: registered beforehand, a document, registered on the spot.
    ///
    /// 2026-07-28, basic/authorization, client registration, the order of priority.
    pub(crate) fn way<'a>(&self, issuer: &'a Issuer) -> Result<Way<'a>, AuthError> {
        if let Some(id) = &self.id {
            if let Some(expected) = self.issuer.as_ref().filter(|expected| **expected != issuer.id) {
                let (id, got) = (excerpt(id, 80), excerpt(&issuer.id, 200));
                let expected = excerpt(expected, 200);
                let why = format!(
                    "the client id {id} is registered with {expected}, and the server now names {got}; register with that one if you trust it"
                );
                return Err(AuthError::new(AuthErrorKind::Registration, why));
            }
            let method = self.method(issuer, None)?;
            return Ok(Way::Known(Client {
                id: id.clone(),
                secret: self.secret.clone(),
                method,
                registered: None,
                expires_at: None,
            }));
        }
        if let Some(document) = self.document.as_ref().filter(|_| issuer.metadata_documents) {
            let method = if self.key.is_some() { AuthMethod::PrivateKeyJwt } else { AuthMethod::None };
            return Ok(Way::Known(Client {
                id: document.to_string(),
                secret: None,
                method,
                registered: None,
                expires_at: None,
            }));
        }
        issuer.register.as_ref().map(Way::Register).ok_or_else(|| {
            let at = excerpt(&issuer.id, 200);
            let why = format!(
                "{at} registers no clients by itself; register this program there, and give its client id (`client_id`)"
            );
            AuthError::new(AuthErrorKind::Registration, why)
        })
    }

    /// How a client that has what the settings say shows who it is. `told` is what a registration said.
    fn method(&self, issuer: &Issuer, told: Option<AuthMethod>) -> Result<AuthMethod, AuthError> {
        if self.key.is_some() {
            return Ok(AuthMethod::PrivateKeyJwt);
        }
        Ok(method_of_secret(self.secret.is_some(), issuer, told))
    }

    /// How a client that has to be registered is to show who it is, the first choice first.
    pub(crate) fn methods(issuer: &Issuer) -> Vec<AuthMethod> {
        let Some(listed) = &issuer.auth_methods else {
            // A program on a person's machine keeps no secret; what stands in for a list that is not there (RFC 8414)
            // is one that wants one.
            return vec![AuthMethod::None, AuthMethod::SecretBasic];
        };
        let methods = [AuthMethod::None, AuthMethod::SecretBasic, AuthMethod::SecretPost];
        let first = methods.into_iter().find(|method| listed.iter().any(|known| known == method.name()));
        vec![first.unwrap_or(AuthMethod::None)]
    }

    /// A request to be registered.
    ///
    /// It names `application_type`, since without it servers of OpenID Connect take a client for a web site, which
    /// may not be sent back to this machine (2026-07-28, client registration).
    pub(crate) fn registration(&self, redirect_uri: &str, method: AuthMethod, device: bool) -> Value {
        let mut grants = vec!["authorization_code", "refresh_token"];
        if device {
            grants.push(DEVICE_CODE);
        }
        let here = Url::parse(redirect_uri).is_ok_and(|url| url.scheme() != "https");
        json!({
            "client_name": self.name,
            "redirect_uris": [redirect_uri],
            "grant_types": grants,
            "response_types": ["code"],
            "token_endpoint_auth_method": method.name(),
            "application_type": if here { "native" } else { "web" },
        })
    }

    /// Reads the answer to [`registration`](Self::registration).
    pub(crate) fn registered(
        status: StatusCode,
        body: &Bytes,
        issuer: &Issuer,
        redirect_uri: &str,
    ) -> Result<Client, AuthError> {
        let at = issuer.register.as_ref().map(bowline_http::shown).unwrap_or_default();
        let says_no = json::object(body).is_ok_and(|object| is_refusal(&object, "client_id"));
        if !status.is_success() || says_no {
            let refused = refusal(status, body, &format!("the registration endpoint {at}"), &<_>::default());
            let next = match refused.code() {
                Some("invalid_redirect_uri") => format!(
                    "; it does not take {redirect_uri}: set one that it takes (`redirect_uri`), or register this program by hand"
                ),
                _ => "; register this program there by hand, and give its client id (`client_id`)".to_owned(),
            };
            let error = AuthError::new(AuthErrorKind::Registration, format!("{refused}{next}"));
            return Err(match refused.code() {
                Some(code) => error.with_code(code),
                None => error,
            });
        }
        let wrong = |wrong: String| {
            let why = format!("the registration endpoint {at} gave an unusable answer: {}", excerpt(&wrong, 200));
            AuthError::new(AuthErrorKind::Registration, why)
        };
        let object = json::object(body).map_err(wrong)?;
        let id = json::required(&object, "client_id").map_err(wrong)?.to_owned();
        let secret = json::text(&object, "client_secret").map_err(wrong)?.map(SecretString::from);
        let told = json::text(&object, "token_endpoint_auth_method").map_err(wrong)?;
        let told = match told {
            Some(name) => Some(
                AuthMethod::of(name)
                    .filter(|method| *method != AuthMethod::PrivateKeyJwt)
                    .ok_or_else(|| wrong(format!("`token_endpoint_auth_method` is {name}, which was not asked for")))?,
            ),
            None => None,
        };
        let method = method_of_secret(secret.is_some(), issuer, told);
        let uris = json::texts(&object, "redirect_uris").map_err(wrong)?.filter(|uris| !uris.is_empty());
        let expires_at = object.get("client_secret_expires_at").and_then(Value::as_i64).filter(|at| *at > 0);
        let own = || redirect_uri.to_owned();
        let as_asked = |uri: String| if covers(&uri, redirect_uri) { own() } else { uri };
        let registered = uris.map_or_else(|| vec![own()], |uris| uris.into_iter().map(as_asked).collect());
        Ok(Client {
            id,
            secret,
            method,
            registered: Some(registered),
            expires_at: expires_at.filter(|_| secret_is(&object)),
        })
    }
}

fn secret_is(object: &serde_json::Map<String, Value>) -> bool {
    object.get("client_secret").is_some_and(Value::is_string)
}

/// How a client with or without a secret shows who it is.
fn method_of_secret(secret: bool, issuer: &Issuer, told: Option<AuthMethod>) -> AuthMethod {
    if !secret {
        return AuthMethod::None;
    }
    if let Some(told) = told {
        return told;
    }
    let Some(methods) = &issuer.auth_methods else { return AuthMethod::SecretBasic };
    let known = methods.iter().filter_map(|name| AuthMethod::of(name)).collect::<Vec<_>>();
    [AuthMethod::SecretBasic, AuthMethod::SecretPost, AuthMethod::None]
        .into_iter()
        .find(|method| known.contains(method))
        .unwrap_or(AuthMethod::SecretBasic)
}

impl Client {
    /// Whether a registration that was kept still serves: its secret lives, and it knows this address.
    pub(crate) fn serves(&self, redirect_uri: &str) -> bool {
        self.expires_at.is_none_or(|at| at > Clock::here()) && self.knows(redirect_uri)
    }

    /// Whether it was registered with this address.
    pub(crate) fn knows(&self, redirect_uri: &str) -> bool {
        self.registered.as_ref().is_none_or(|uris| uris.iter().any(|uri| uri == redirect_uri))
    }

    pub(crate) fn secret(&self) -> &str {
        self.secret.as_ref().map(|secret| secret.expose_secret()).unwrap_or_default()
    }
}

/// Whether an address that was registered is this one, to the letter, or this one but for the port: some servers keep
/// addresses of a person's own machine without it, since any port has to do there (RFC 8252, section 7.3).
fn covers(registered: &str, redirect_uri: &str) -> bool {
    let without_port = || {
        let mut url = Url::parse(redirect_uri).ok().filter(|url| url.scheme() == "http" && is_here(url))?;
        url.set_port(None).ok()?;
        Some(url)
    };
    registered == redirect_uri || without_port().is_some_and(|url| Url::parse(registered).is_ok_and(|same| same == url))
}

/// Checks the address of a document by which a program describes itself.
///
/// 2026-07-28, client registration: https, with a path.
pub(crate) fn document(text: &str) -> Result<Url, AuthError> {
    let bad = |why: &str| {
        let why = format!("the client metadata URL {} {why}; write it as https://host/path", excerpt(text, 200));
        AuthError::new(AuthErrorKind::Config, why)
    };
    let url = Url::parse(text).map_err(|_| bad("is no URL"))?;
    if url.scheme() != "https" || !url.has_host() {
        return Err(bad("is not https"));
    }
    if url.path() == "/" {
        return Err(bad("has no path"));
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(bad("has a fragment, user or password"));
    }
    // The server compares it to the letter with what stands in the document.
    if url.as_str() != text {
        return Err(bad("is not in its plain spelling"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuer::Compare;

    fn issuer(more: &str) -> Issuer {
        let body = format!(r#"{{"issuer":"https://as","token_endpoint":"https://as/t"{more}}}"#);
        Issuer::read(body.as_bytes(), "https://as", Compare::Exactly).unwrap()
    }

    fn identity(id: Option<&str>, secret: Option<&str>) -> Identity {
        let document = Some("https://me.example/client.json".parse().unwrap());
        let (id, secret) = (id.map(str::to_owned), secret.map(SecretString::from));
        Identity { id, secret, document, name: "knots".to_owned(), ..Identity::default() }
    }

    const REGISTERS: &str = r#","registration_endpoint":"https://as/r""#;
    const DOCUMENTS: &str = r#","client_id_metadata_document_supported":true"#;

    #[test]
    fn case_auth_027_an_address_that_was_registered_without_its_port_is_the_same() {
        let here = "http://127.0.0.1:41777/callback";
        assert!(covers(here, here) && covers("http://127.0.0.1/callback", here));
        for other in [
            "http://127.0.0.1:41778/callback",
            "http://localhost/callback",
            "http://127.0.0.1/other",
            "https://127.0.0.1/callback",
        ] {
            assert!(!covers(other, here), "{other}");
        }
        assert!(!covers("https://me.example/c", "https://me.example:8443/c"), "elsewhere the port counts");

        let body = Bytes::from_static(br#"{"client_id":"c1","redirect_uris":["http://127.0.0.1/callback"]}"#);
        let client = Identity::registered(StatusCode::CREATED, &body, &issuer(REGISTERS), here).unwrap();
        assert!(client.serves(here), "what was asked for is what is kept, and its port taken again");
        assert!(!client.serves("http://127.0.0.1:41778/callback"), "another port is registered anew");
    }

    #[test]
    fn a_13_the_order_is_known_then_a_document_then_a_registration() {
        let both = issuer(&format!("{REGISTERS}{DOCUMENTS}"));
        let Way::Known(known) = identity(Some("abc"), None).way(&both).unwrap() else { panic!() };
        assert_eq!((&*known.id, known.method), ("abc", AuthMethod::None));
        let Way::Known(known) = identity(None, None).way(&both).unwrap() else { panic!() };
        assert_eq!((&*known.id, known.method), ("https://me.example/client.json", AuthMethod::None));
        let plain = issuer(REGISTERS);
        let Way::Register(at) = identity(None, None).way(&plain).unwrap() else { panic!() };
        assert_eq!(at.as_str(), "https://as/r");
    }

    #[test]
    fn case_auth_020_without_any_way_the_error_says_what_to_give() {
        for more in ["", r#","registration_endpoint":null"#] {
            let error = Identity::default().way(&issuer(more)).unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::Registration);
            assert!(error.to_string().contains("client_id"), "{error}");
        }
    }

    #[test]
    fn a_18_an_id_that_is_for_another_issuer_is_not_used_and_both_are_named() {
        let mut mine = identity(Some("abc"), None);
        mine.issuer = Some("https://other".to_owned());
        let error = mine.way(&issuer(REGISTERS)).unwrap_err().to_string();
        assert!(error.contains("https://other") && error.contains("https://as"), "{error}");
    }

    #[test]
    fn case_auth_021_a_secret_is_shown_by_a_method_that_the_server_lists() {
        let method = |methods: &str| {
            let issuer = issuer(&format!(r#","token_endpoint_auth_methods_supported":{methods}"#));
            let Way::Known(client) = identity(Some("abc"), Some("s")).way(&issuer).unwrap() else { panic!() };
            client.method
        };
        assert_eq!(method("null"), AuthMethod::SecretBasic);
        assert_eq!(method(r#"["client_secret_post","client_secret_basic"]"#), AuthMethod::SecretBasic);
        assert_eq!(method(r#"["private_key_jwt","client_secret_post"]"#), AuthMethod::SecretPost);
        assert_eq!(method(r#"["none"]"#), AuthMethod::None);
    }

    #[test]
    fn case_auth_025_a_client_without_a_secret_is_the_first_choice() {
        let methods = |more: &str| Identity::methods(&issuer(more));
        assert_eq!(methods(""), [AuthMethod::None, AuthMethod::SecretBasic]);
        for (listed, method) in [
            (r#"["client_secret_post","none"]"#, AuthMethod::None),
            (r#"["client_secret_post","client_secret_basic"]"#, AuthMethod::SecretBasic),
            (r#"["private_key_jwt","client_secret_post"]"#, AuthMethod::SecretPost),
            (r#"["private_key_jwt"]"#, AuthMethod::None),
        ] {
            assert_eq!(methods(&format!(r#","token_endpoint_auth_methods_supported":{listed}"#)), [method], "{listed}");
        }
    }

    #[test]
    fn a_17_a_registration_says_what_kind_of_program_it_is() {
        let body = identity(None, None).registration("http://127.0.0.1:7/callback", AuthMethod::None, false);
        assert_eq!(
            body,
            json!({
                "client_name": "knots", "redirect_uris": ["http://127.0.0.1:7/callback"],
                "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
                "token_endpoint_auth_method": "none", "application_type": "native",
            })
        );
        let body = identity(None, None).registration("https://me.example/callback", AuthMethod::None, true);
        assert_eq!((body["application_type"].as_str(), body["grant_types"][2].is_string()), (Some("web"), true));
    }

    #[test]
    fn case_auth_025_a_public_client_has_no_secret() {
        let read = |status, body: &'static str| {
            Identity::registered(status, &Bytes::from_static(body.as_bytes()), &issuer(REGISTERS), "http://127.0.0.1/c")
        };
        let client = read(StatusCode::CREATED, r#"{"client_id":"c1","token_endpoint_auth_method":"none"}"#).unwrap();
        assert_eq!((&*client.id, client.method, client.secret.is_none()), ("c1", AuthMethod::None, true));
        assert!(client.serves("http://127.0.0.1/c") && !client.serves("http://127.0.0.1:1/c"));
        let client = read(StatusCode::OK, r#"{"client_id":"c1","client_secret":"s","client_secret_expires_at":1}"#);
        let client = client.unwrap();
        assert_eq!((client.method, client.serves("http://127.0.0.1/c")), (AuthMethod::SecretBasic, false));
        assert!(client.knows("http://127.0.0.1/c"), "it is the secret that ended, and no other address");
        for (body, wanted) in [
            ("<html>", "it is HTML"),
            ("{}", "`client_id` is missing"),
            (r#"{"client_id":"c","token_endpoint_auth_method":"tls_client_auth"}"#, "which was not asked for"),
        ] {
            let error = read(StatusCode::OK, body).unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("https://as/r"), "{error}");
        }
        let refused = read(StatusCode::BAD_REQUEST, r#"{"error":"invalid_redirect_uri"}"#).unwrap_err();
        assert_eq!(
            (refused.code(), refused.to_string().contains("`redirect_uri`")),
            (Some("invalid_redirect_uri"), true)
        );
    }

    #[test]
    fn a_16_the_document_is_at_https_with_a_path() {
        assert!(document("https://me.example/client.json").is_ok());
        for url in [
            "http://me.example/c",
            "https://me.example",
            "https://me.example/",
            "https://me.example/c#x",
            "https://u@me.example/c",
            "https://ME.example/c",
            "nonsense",
        ] {
            assert_eq!(document(url).unwrap_err().kind(), AuthErrorKind::Config, "{url}");
        }
    }
}
