//! The server as a protected resource: its canonical URI, and what its metadata (RFC 9728) may say.

use bowline_http::shown;
use bowline_protocol::excerpt;
use serde_json::{Map, Value};
use url::Url;

use crate::json::{self, Wrong};
use crate::scope::Scopes;

/// What the metadata of a resource says that is of use here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The identifier, to the letter: this is what `resource` parameters carry.
    pub(crate) id: String,
    pub(crate) issuers: Vec<String>,
    pub(crate) scopes: Option<Scopes>,
    /// Whether tokens are to be bound to a key.
    pub(crate) dpop: bool,
}

/// Why metadata is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is none; another place may have it.
    None(Wrong),
    /// It is metadata, and wrong: nothing goes on from here.
    Wrong(Wrong),
}

impl Resource {
    /// Reads metadata and holds it against the server that it is to be about.
    pub(crate) fn read(body: &[u8], server: &Url, place: Place) -> Result<Self, Refusal> {
        let object = json::object(body).map_err(Refusal::None)?;
        if !["resource", "authorization_servers"].iter().any(|name| object.contains_key(*name)) {
            return Err(Refusal::None("`resource` is missing".to_owned()));
        }
        Self::of(&object, server, place).map_err(Refusal::Wrong)
    }

    fn of(object: &Map<String, Value>, server: &Url, place: Place) -> Result<Self, Wrong> {
        let id = json::required(object, "resource")?;
        if !is_right(id, server, place) {
            return Err(format!("`resource` is {}, and the server asked for is {}", excerpt(id, 200), shown(server)));
        }
        let issuers = json::texts(object, "authorization_servers")?.unwrap_or_default();
        if issuers.is_empty() {
            return Err("`authorization_servers` names none".to_owned());
        }
        let scopes = json::texts(object, "scopes_supported")?;
        let scopes = scopes.map(|scopes| scopes.iter().map(String::as_str).collect::<Scopes>());
        let dpop = json::is_true(object, "dpop_bound_access_tokens_required");
        Ok(Self { id: id.to_owned(), issuers, scopes: scopes.filter(|scopes| !scopes.is_empty()), dpop })
    }
}

/// The canonical URI of a server: no fragment, no lone slash at the end, scheme and host in lower case.
///
/// 2026-07-28, basic/authorization, canonical server URI.
pub(crate) fn canonical(server: &Url) -> String {
    let mut url = server.clone();
    url.set_fragment(None);
    let text = url.to_string();
    match text.strip_suffix('/') {
        Some(bare) if url.path() == "/" && url.query().is_none() => bare.to_owned(),
        _ => text,
    }
}

/// What kind of place metadata of a resource was found at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where a challenge of the server said, which may be anywhere.
    Hinted,
    /// The well-known place with the path of the server.
    WithPath,
    /// The well-known place of the host.
    Root,
}

/// Whether metadata at a place may have this resource identifier.
///
/// RFC 9728, section 3.3, asks for the identifier that the place was made from, or that was asked for: the server's
/// own. At the root that is the host's, and the server's will do as well (case auth-001). The host's is taken from
/// nowhere else: a server that shares its host with others would have tokens issued that are good for all of them.
fn is_right(id: &str, server: &Url, place: Place) -> bool {
    let Ok(id) = Url::parse(id) else { return false };
    if id.origin() != server.origin() || id.fragment().is_some() || !id.username().is_empty() || id.password().is_some()
    {
        return false;
    }
    let is_server = id.path() == server.path() && id.query().is_none_or(|query| Some(query) == server.query());
    is_server || (place == Place::Root && id.path() == "/" && id.query().is_none())
}

/// Where metadata is looked for without a challenge that says it: with the path of the server, then at the root.
///
/// 2026-07-28, basic/authorization, authorization server discovery.
pub(crate) fn places(server: &Url) -> Vec<(Url, Place)> {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    let mut root = server.clone();
    root.set_fragment(None);
    root.set_query(None);
    root.set_path(WELL_KNOWN);
    let path = server.path();
    if path == "/" {
        return vec![(root, Place::Root)];
    }
    let mut with_path = root.clone();
    with_path.set_path(&format!("{WELL_KNOWN}{path}"));
    with_path.set_query(server.query());
    vec![(with_path, Place::WithPath), (root, Place::Root)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_22_the_canonical_uri_has_no_fragment_and_no_lone_slash() {
        for (given, wanted) in [
            ("https://mcp.example.com/", "https://mcp.example.com"),
            ("HTTPS://MCP.Example.com:443/mcp#x", "https://mcp.example.com/mcp"),
            ("https://mcp.example.com:8443", "https://mcp.example.com:8443"),
            ("https://mcp.example.com/mcp/", "https://mcp.example.com/mcp/"),
            ("https://mcp.example.com/?a=1", "https://mcp.example.com/?a=1"),
        ] {
            assert_eq!(canonical(&url(given)), wanted);
        }
    }

    #[test]
    fn a_05_case_auth_001_with_the_path_first_then_the_root() {
        let shown = |server| places(&url(server)).iter().map(|(url, _)| url.to_string()).collect::<Vec<_>>();
        assert_eq!(
            shown("https://h/api/v1/mcp"),
            [
                "https://h/.well-known/oauth-protected-resource/api/v1/mcp",
                "https://h/.well-known/oauth-protected-resource"
            ]
        );
        assert_eq!(shown("https://h/"), ["https://h/.well-known/oauth-protected-resource"]);
    }

    #[test]
    fn a_06_case_auth_019_another_resource_is_refused_with_both() {
        let read = |id: &str, server: &str| {
            let body = format!(r#"{{"resource":"{id}","authorization_servers":["https://as.example"]}}"#);
            Resource::read(body.as_bytes(), &url(server), Place::WithPath).map_err(|refusal| match refusal {
                Refusal::Wrong(wrong) => wrong,
                Refusal::None(wrong) => panic!("it is metadata, and was not taken for some: {wrong}"),
            })
        };
        assert_eq!(
            read("https://mcp.example.com", "https://mcp.example.com/").unwrap().id,
            "https://mcp.example.com",
            "what is sent is what the metadata says, to the letter (case auth-015)"
        );
        assert!(read("https://mcp.example.com/", "https://mcp.example.com").is_ok());
        assert!(read("HTTPS://MCP.example.com/mcp", "https://mcp.example.com/mcp").is_ok());
        let wrong = read("https://evil.example", "https://mcp.example.com/").unwrap_err();
        assert!(wrong.contains("https://evil.example") && wrong.contains("https://mcp.example.com"), "{wrong}");
        for id in [
            "https://mcp.example.com/mcp/other",
            "https://mcp.example.com/mc",
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com",
            "http://mcp.example.com/mcp",
            "https://mcp.example.com:444/mcp",
            "https://mcp.example.com.evil.example/mcp",
            "https://u@mcp.example.com/mcp",
            "mcp.example.com",
        ] {
            assert!(read(id, "https://mcp.example.com/mcp").is_err(), "{id}");
        }
    }

    #[test]
    fn the_resource_of_a_host_stands_at_the_root_of_the_host_alone() {
        let server = url("https://h/a/mcp");
        for (id, right) in [
            ("https://h/a/mcp", [true, true, true]),
            ("https://h", [false, false, true]),
            ("https://h/", [false, false, true]),
            ("https://h/a", [false, false, false]),
            ("https://h/?x", [false, false, false]),
        ] {
            let got = [Place::Hinted, Place::WithPath, Place::Root].map(|place| is_right(id, &server, place));
            assert_eq!(got, right, "{id}");
        }
        assert!(is_right("https://h/mcp", &url("https://h/mcp?key=1"), Place::Hinted));
        assert!(!is_right("https://h/mcp?key=2", &url("https://h/mcp?key=1"), Place::Hinted));
    }

    #[test]
    fn metadata_that_is_none_names_the_check() {
        let read = |body: &str| Resource::read(body.as_bytes(), &url("https://h/mcp"), Place::WithPath).unwrap_err();
        for (body, why) in [
            ("<!doctype html><p>hi", "it is HTML, not JSON"),
            ("[]", "it is an array, not an object"),
            ("{}", "`resource` is missing"),
            (r#"{"message":"Not Found"}"#, "`resource` is missing"),
        ] {
            assert_eq!(read(body), Refusal::None(why.to_owned()), "{body}");
        }
        for (body, why) in [
            (r#"{"authorization_servers":["https://as"]}"#, "`resource` is missing"),
            (r#"{"resource":1}"#, "`resource` is a number, not a string"),
            (r#"{"resource":"https://h/mcp"}"#, "`authorization_servers` names none"),
            (
                r#"{"resource":"https://h/mcp","authorization_servers":{"a":"https://as"}}"#,
                "`authorization_servers` is an object, not an array",
            ),
        ] {
            assert_eq!(read(body), Refusal::Wrong(why.to_owned()), "{body}");
        }
    }
}
