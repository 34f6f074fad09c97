//! Who the client is to authorization servers, and who visits their pages.

use anyhow::{Context as _, Result};
use bowline::auth::{EnterpriseManaged, Headless, OAuth, OAuthBuilder, PrivateKey, SecretString};
use bowline::http::HttpClient;
use serde_json::Value;

/// What the suite expects; nobody fetches the one, and nothing listens at the other.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";
const REDIRECT: &str = "http://localhost:3000/callback";

/// The authorization for a scenario. The suite's pages ask nobody anything.
pub(crate) fn oauth(url: &str, scenario: &str, context: &Value) -> Result<OAuth> {
    let text = |name: &str| context[name].as_str().with_context(|| format!("the context has no {name}"));
    // The suite tells who the client is, and not at which authorization server.
    let builder = OAuth::builder(url).client_name("bowline-conformance").danger_trust_any_issuer();
    let builder = match scenario {
        "auth/client-credentials-basic" => {
            builder.client_id(text("client_id")?).client_secret(text("client_secret")?).client_credentials()
        }
        "auth/client-credentials-jwt" => builder
            .client_id(text("client_id")?)
            .client_key(PrivateKey::from_pem(text("private_key_pem")?)?)
            .client_credentials(),
        "auth/wif-jwt-bearer" => {
            builder.client_id(text("client_id")?).workload_identity(SecretString::from(text("valid_jwt")?))
        }
        "auth/enterprise-managed-authorization" => {
            let id_token = SecretString::from(text("idp_id_token")?);
            let managed = EnterpriseManaged::new(text("idp_token_endpoint")?, text("idp_client_id")?, id_token)?;
            builder.client_id(text("client_id")?).client_secret(text("client_secret")?).enterprise_managed(managed)
        }
        "auth/pre-registration" => {
            by_code(builder)?.client_id(text("client_id")?).client_secret(text("client_secret")?)
        }
        _ => by_code(builder)?.client_metadata_url(DOCUMENT),
    };
    Ok(builder.build()?)
}

fn by_code(builder: OAuthBuilder) -> Result<OAuthBuilder> {
    Ok(builder.redirect_uri(REDIRECT).visitor(Headless::new(HttpClient::builder().build()?)))
}
