//! Configured servers that want a login.

use bowline_auth::{OAuth, OAuthBuilder};
use bowline_client::Error;
use bowline_config::{Address, Auth, Endpoint, Resolver, Server};

use crate::target::{Target, TargetOptions, config};

/// The way to an endpoint, authorized where that can be.
pub(super) fn way(
    server: &Server,
    endpoint: &Endpoint,
    resolver: &Resolver,
    set_up: impl FnOnce(OAuthBuilder) -> OAuthBuilder,
) -> Result<Target, Error> {
    let Endpoint::Remote(address) = endpoint else { return Target::configured(endpoint) };
    let options = TargetOptions::default();
    if !may(&server.auth, address) {
        return Target::to_address(address, options);
    }
    let client = server.resolve_client(resolver).map_err(|error| config(error.to_string()))?;
    let mut oauth = OAuth::builder(address.url.trim()).scopes(&server.auth.scopes);
    if let Some(id) = client.id {
        oauth = oauth.client_id(id);
    }
    if let Some(secret) = client.secret {
        oauth = oauth.client_secret(secret);
    }
    if let Some(uri) = redirect_uri(&server.auth) {
        oauth = oauth.redirect_uri(uri);
    }
    if let Some(issuer) = server.auth.metadata_url.as_deref().and_then(issuer) {
        oauth = oauth.issuer(issuer);
    }
    let oauth = set_up(oauth).build().map_err(|error| config(format!("oauth: {error}")))?;
    Target::to_address(address, options.with_authorize(std::sync::Arc::new(oauth)))
}

/// Whether a login has anything to do with it: somebody's own credentials are not mixed with those of a login, and none
/// goes over the web without TLS, nor to a socket.
fn may(auth: &Auth, address: &Address) -> bool {
    let authorizes = |(name, _): &(String, String)| name.eq_ignore_ascii_case("authorization");
    let has_own = address.bearer.is_some() || address.headers.iter().any(authorizes);
    !has_own && auth.oauth != Some(false) && OAuth::builder(address.url.trim()).build().is_ok()
}

/// Where the browser is sent back to, where the entry says.
fn redirect_uri(auth: &Auth) -> Option<String> {
    let by_port = || auth.callback_port.map(|port| format!("http://127.0.0.1:{port}/callback"));
    auth.redirect_uri.clone().or_else(by_port)
}

/// The authorization server that describes itself at this address, if it is one of those that it may have (RFC 8414,
/// section 3; OpenID Connect Discovery, section 4).
fn issuer(metadata_url: &str) -> Option<String> {
    let (before, name) = metadata_url.trim().split_once("/.well-known/")?;
    let path = ["oauth-authorization-server", "openid-configuration"]
        .into_iter()
        .find_map(|known| name.strip_prefix(known))?;
    (path.is_empty() || path.starts_with('/')).then(|| format!("{before}{path}"))
}

#[cfg(test)]
mod tests {
    use bowline_config::{Configuration, Host, Surroundings, System};

    use super::*;

    fn asked(entry: &str) -> Result<bool, Error> {
        let text = format!("[servers.a]\n{entry}\n");
        let config = Configuration::read(Host::Bowline, "bowline.toml", &text);
        let server = config.server("a").unwrap_or_else(|error| panic!("{error}"));
        let resolver = Resolver::new(Surroundings::new(System::current()).with_env("SECRET", "s3cret"));
        let endpoint = server.resolve(&resolver).unwrap_or_else(|error| panic!("{error}"));
        let mut was_asked = false;
        way(server, &endpoint, &resolver, |oauth| {
            was_asked = true;
            oauth
        })
        .map(|_| was_asked)
    }

    #[test]
    fn a_login_is_for_servers_on_the_web_without_credentials_of_their_own() {
        for (entry, expected) in [
            ("url = 'https://a.example/mcp'", true),
            (
                "url = 'https://a.example/mcp'\n[servers.a.oauth]\nclient_id = 'x'\nclient_secret = '${SECRET}'\n\
                 metadata_url = 'https://as.example/.well-known/oauth-authorization-server'",
                true,
            ),
            ("url = 'https://a.example/mcp'\noauth = false", false),
            ("url = 'https://a.example/mcp'\nbearer = 'x'", false),
            ("url = 'https://a.example/mcp'\nheaders = { authorization = 'x' }", false),
            ("url = 'http://a.example/mcp'", false),
        ] {
            assert_eq!(asked(entry).unwrap_or_else(|error| panic!("{entry}: {error}")), expected, "{entry}");
        }
        let error = asked("url = 'https://a.example/mcp'\noauth = { client_secret = '${NONE}' }").unwrap_err();
        assert!(error.to_string().contains("${NONE} has no value"), "{error}");
    }

    #[test]
    fn the_issuer_is_told_by_where_it_describes_itself() {
        for (url, expected) in [
            ("https://as.example/.well-known/oauth-authorization-server", Some("https://as.example")),
            ("https://as.example/.well-known/oauth-authorization-server/a", Some("https://as.example/a")),
            ("https://as.example/a/.well-known/openid-configuration", Some("https://as.example/a")),
            ("https://as.example/.well-known/openid-configurations", None),
            ("https://as.example/metadata.json", None),
        ] {
            assert_eq!(issuer(url).as_deref(), expected, "{url}");
        }
    }
}
