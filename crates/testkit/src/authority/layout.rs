//! Which path is what: the layouts that servers have.

use super::answer::Endpoint;

/// Where an authorization server has its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataAt {
    /// RFC 8414: `/.well-known/oauth-authorization-server`, and the issuer's path after it.
    OAuth,
    /// OpenID Connect, as RFC 8414 has it: `/.well-known/openid-configuration`, and the issuer's path after it.
    OpenIdInserted,
    /// OpenID Connect, as it was at first: the issuer, and `/.well-known/openid-configuration` after it.
    OpenIdAppended,
}

/// Where a protected server has its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceMetadataAt {
    /// `/.well-known/oauth-protected-resource`, and the server's path after it.
    Inserted,
    /// `/.well-known/oauth-protected-resource`, and nothing after it.
    Root,
    /// This path, which only a challenge can tell.
    Path(String),
}

/// What a 401 says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengeWith {
    /// A challenge with the URL of the metadata.
    MetadataUrl,
    /// A challenge with the path of the metadata, without scheme and host.
    MetadataPath,
    /// A challenge that says nothing of metadata.
    NoMetadata,
    /// No `WWW-Authenticate` header at all.
    Nothing,
    /// This header, with `{origin}` for the origin of the server.
    Header(String),
}

impl MetadataAt {
    /// The path of the metadata of an issuer that has this path.
    pub(super) fn path(self, issuer: &str) -> String {
        match self {
            Self::OAuth => format!("/.well-known/oauth-authorization-server{issuer}"),
            Self::OpenIdInserted => format!("/.well-known/openid-configuration{issuer}"),
            Self::OpenIdAppended => format!("{issuer}/.well-known/openid-configuration"),
        }
    }
}

impl ResourceMetadataAt {
    /// The path of the metadata of a server that has this path.
    pub(super) fn path(&self, server: &str) -> String {
        match self {
            Self::Inserted => format!("/.well-known/oauth-protected-resource{server}"),
            Self::Root => "/.well-known/oauth-protected-resource".to_owned(),
            Self::Path(path) => path.clone(),
        }
    }
}

/// Which endpoint of an issuer a path is, where `served` says what metadata there is.
pub(super) fn endpoint(path: &str, issuer: &str, served: &[MetadataAt]) -> Endpoint {
    if served.iter().any(|at| at.path(issuer) == path) {
        return Endpoint::Metadata;
    }
    match path.strip_prefix(issuer) {
        Some("/register") => Endpoint::Register,
        Some("/authorize") => Endpoint::Authorize,
        Some("/token") => Endpoint::Token,
        Some("/revoke") => Endpoint::Revoke,
        Some("/device") => Endpoint::Device,
        Some("/keys") => Endpoint::Keys,
        _ => Endpoint::Elsewhere,
    }
}

/// Whether a path is one where metadata of an authorization server is looked for.
pub(super) fn is_discovery(path: &str) -> bool {
    path.contains("/.well-known/oauth-authorization-server") || path.contains("/.well-known/openid-configuration")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_with_a_path_has_its_endpoints_below_it() {
        let served = [MetadataAt::OAuth, MetadataAt::OpenIdAppended];
        for (path, wanted) in [
            ("/.well-known/oauth-authorization-server/t/x", Endpoint::Metadata),
            ("/.well-known/openid-configuration/t/x", Endpoint::Elsewhere),
            ("/t/x/.well-known/openid-configuration", Endpoint::Metadata),
            ("/.well-known/oauth-authorization-server", Endpoint::Elsewhere),
            ("/t/x/token", Endpoint::Token),
            ("/token", Endpoint::Elsewhere),
        ] {
            assert_eq!(endpoint(path, "/t/x", &served), wanted, "{path}");
        }
    }
}
