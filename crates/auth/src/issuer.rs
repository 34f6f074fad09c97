//! Authorization servers: where their metadata is looked for, and what it says (RFC 8414, OpenID Connect Discovery).

use bowline_protocol::excerpt;
use serde_json::{Map, Value};
use url::Url;

use crate::json::{self, Wrong};
use crate::scope::Scopes;

/// What an authorization server says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    /// The identifier, to the letter: credentials are kept under it.
    pub(crate) id: String,
    pub(crate) authorize: Option<Url>,
    pub(crate) token: Url,
    pub(crate) register: Option<Url>,
    pub(crate) revoke: Option<Url>,
    pub(crate) device: Option<Url>,
    pub(crate) scopes: Option<Scopes>,
    /// How clients may show who they are at the token endpoint; none where it does not say.
    pub(crate) auth_methods: Option<Vec<String>>,
    /// Whether PKCE with S256 is known to work; none where it does not say.
    pub(crate) s256: Option<bool>,
    pub(crate) metadata_documents: bool,
    /// Whether every answer through the browser has to name the issuer.
    pub(crate) says_iss: bool,
    /// How proofs may be signed; none where it takes none.
    pub(crate) dpop_algs: Option<Vec<String>>,
    /// Whether it is of revision 2025-03-26: found without metadata of the resource.
    pub(crate) old: bool,
}

/// How the `issuer` of metadata is compared with the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// To the letter.
    Exactly,
    /// But for one slash at the end. For servers of revisions that do not ask for more.
    ButASlash,
}

impl Issuer {
    /// Reads metadata and holds it against the issuer that it is to be about.
    pub(crate) fn read(body: &[u8], expected: &str, compare: Compare) -> Result<Self, Refusal> {
        let object = json::object(body)?;
        let id = json::required(&object, "issuer")?;
        let bare = |text: &str| text.strip_suffix('/').unwrap_or(text).to_owned();
        let but_a_slash = bare(id) == bare(expected);
        if id != expected && !(but_a_slash && compare == Compare::ButASlash) {
            let next = if but_a_slash { "; a slash alone is taken with `lenient_issuer_slash`" } else { "" };
            let (expected, got) = (excerpt(expected, 200), excerpt(id, 200));
            return Err(Refusal::OfAnother(format!("`issuer`: expected {expected}, got {got}{next}")));
        }
        if id != expected {
            tracing::warn!(expected, got = id, "the issuer differs by a slash at its end");
        }
        Ok(Self::of(&object, id)?)
    }

    fn of(object: &Map<String, Value>, id: &str) -> Result<Self, Wrong> {
        let token = json::required(object, "token_endpoint")?;
        let scopes = json::texts(object, "scopes_supported")?;
        let methods = json::texts(object, "code_challenge_methods_supported")?;
        Ok(Self {
            id: id.to_owned(),
            authorize: endpoint(object, "authorization_endpoint")?,
            token: parsed("token_endpoint", token)?,
            register: endpoint(object, "registration_endpoint")?,
            revoke: spare(object, "revocation_endpoint"),
            device: spare(object, "device_authorization_endpoint"),
            scopes: scopes.map(|scopes| scopes.iter().map(String::as_str).collect()),
            auth_methods: json::texts(object, "token_endpoint_auth_methods_supported")?,
            s256: methods.map(|methods| methods.iter().any(|method| method == "S256")),
            metadata_documents: json::is_true(object, "client_id_metadata_document_supported"),
            says_iss: json::is_true(object, "authorization_response_iss_parameter_supported"),
            dpop_algs: json::texts(object, "dpop_signing_alg_values_supported")?,
            old: false,
        })
    }

    /// What is assumed of a server of revision 2025-03-26 without any metadata.
    ///
    /// 2025-03-26, basic/authorization, section on fallbacks for servers without metadata discovery.
    pub(crate) fn by_default(base: &Url) -> Self {
        let at = |path: &str| {
            let mut url = base.clone();
            url.set_query(None);
            url.set_fragment(None);
            url.set_path(path);
            url
        };
        Self {
            id: base.origin().ascii_serialization(),
            authorize: Some(at("/authorize")),
            token: at("/token"),
            register: Some(at("/register")),
            revoke: None,
            device: None,
            scopes: None,
            auth_methods: None,
            // It has no metadata to say so in, and its revision wants PKCE of everybody.
            s256: Some(true),
            metadata_documents: false,
            says_iss: false,
            dpop_algs: None,
            old: true,
        }
    }

    /// The addresses that a login may need. Others are looked at by whoever asks them.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (&'static str, &Url)> {
        [
            ("authorization_endpoint", self.authorize.as_ref()),
            ("token_endpoint", Some(&self.token)),
            ("registration_endpoint", self.register.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, url)| Some((name, url?)))
    }
}

/// Why metadata is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is none; another place may have it.
    None(Wrong),
    /// It is that of another issuer: nothing goes on from here.
    OfAnother(Wrong),
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Self {
        Self::None(wrong)
    }
}

fn endpoint(object: &Map<String, Value>, name: &str) -> Result<Option<Url>, Wrong> {
    json::text(object, name)?.map(|text| parsed(name, text)).transpose()
}

/// An address that most logins do without: one that is none is as if it were not there.
fn spare(object: &Map<String, Value>, name: &str) -> Option<Url> {
    endpoint(object, name).unwrap_or_else(|wrong| {
        tracing::warn!(%wrong, "an endpoint of the authorization server is left out");
        None
    })
}

fn parsed(name: &str, text: &str) -> Result<Url, Wrong> {
    let mut url = Url::parse(text).map_err(|error| format!("`{name}` is no URL ({error}): {}", excerpt(text, 100)))?;
    url.set_fragment(None);
    Ok(url)
}

/// Where the metadata of an issuer is looked for, in order.
///
/// 2026-07-28, basic/authorization, authorization server metadata discovery.
pub(crate) fn places(issuer: &Url) -> Vec<Url> {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    const OIDC: &str = "/.well-known/openid-configuration";
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.set_path(&path);
        url
    };
    let path = issuer.path().trim_end_matches('/');
    let mut places = vec![at(format!("{OAUTH}{path}")), at(format!("{OIDC}{path}"))];
    if !path.is_empty() {
        places.push(at(format!("{path}{OIDC}")));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(issuer: &str) -> Vec<String> {
        places(&issuer.parse().unwrap()).iter().map(Url::to_string).collect()
    }

    #[test]
    fn a_08_case_auth_003_a_path_is_inserted_then_appended_to() {
        assert_eq!(
            shown("https://as.example/tenant/xyz"),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant/xyz",
                "https://as.example/.well-known/openid-configuration/tenant/xyz",
                "https://as.example/tenant/xyz/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            shown("https://as.example/"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
    }

    fn metadata(issuer: &str) -> String {
        format!(r#"{{"issuer":"{issuer}","token_endpoint":"https://as.example/t"}}"#)
    }

    #[test]
    fn a_09_case_auth_004_an_issuer_is_compared_to_the_letter() {
        let read = |got: &str, compare| Issuer::read(metadata(got).as_bytes(), "https://as.example/a", compare);
        assert_eq!(read("https://as.example/a", Compare::Exactly).unwrap().id, "https://as.example/a");
        for got in ["https://as.example", "https://as.example/a/", "https://AS.example/a", "https://as.example:443/a"] {
            let Err(Refusal::OfAnother(why)) = read(got, Compare::Exactly) else { panic!("{got} was taken") };
            assert!(why.contains("expected https://as.example/a") && why.contains(&format!("got {got}")), "{why}");
            assert_eq!(why.contains("`lenient_issuer_slash`"), got.ends_with("/a/"), "{why}");
        }
        assert!(read("https://as.example/a/", Compare::ButASlash).is_ok());
        assert!(read("https://as.example/A/", Compare::ButASlash).is_err());
    }

    #[test]
    fn case_auth_020_an_endpoint_that_is_null_is_absent() {
        let body = r#"{"issuer":"i","token_endpoint":"https://as.example/t","registration_endpoint":null}"#;
        let issuer = Issuer::read(body.as_bytes(), "i", Compare::Exactly).unwrap();
        assert_eq!((issuer.register, issuer.s256), (None, None));
    }

    #[test]
    fn an_endpoint_that_a_login_does_without_spoils_nothing() {
        for bad in [r#""n/a""#, r#""""#, "7", "{}"] {
            let body = format!(
                r#"{{"issuer":"i","token_endpoint":"https://t","revocation_endpoint":{bad},"device_authorization_endpoint":{bad}}}"#
            );
            let issuer = Issuer::read(body.as_bytes(), "i", Compare::Exactly).unwrap();
            assert_eq!((issuer.revoke, issuer.device), (None, None), "{bad}");
        }
    }

    #[test]
    fn metadata_that_is_none_names_the_check() {
        let wrong = |body: &str| match Issuer::read(body.as_bytes(), "i", Compare::Exactly).unwrap_err() {
            Refusal::None(why) | Refusal::OfAnother(why) => why,
        };
        assert_eq!(wrong("<html>"), "it is HTML, not JSON");
        assert_eq!(wrong("{}"), "`issuer` is missing");
        assert_eq!(wrong(r#"{"issuer":"i"}"#), "`token_endpoint` is missing");
        assert_eq!(wrong(r#"{"issuer":"i","token_endpoint":[]}"#), "`token_endpoint` is an array, not a string");
        assert!(wrong(r#"{"issuer":"i","token_endpoint":"t"}"#).starts_with("`token_endpoint` is no URL"));
        let methods = r#"{"issuer":"i","token_endpoint":"https://t","code_challenge_methods_supported":7}"#;
        assert_eq!(wrong(methods), "`code_challenge_methods_supported` is a number, not an array");
    }

    #[test]
    fn a_10_a_server_of_2025_03_26_without_metadata_has_default_endpoints() {
        let issuer = Issuer::by_default(&"https://h:8443/v1/mcp?x=1".parse().unwrap());
        let shown: Vec<_> = issuer.endpoints().map(|(_, url)| url.to_string()).collect();
        assert_eq!(shown, ["https://h:8443/authorize", "https://h:8443/token", "https://h:8443/register"]);
        assert!(issuer.old && issuer.s256 == Some(true) && issuer.id == "https://h:8443");
    }
}
