//! Access that an organisation manages: its identity provider vouches for the person at the authorization server.
//!
//! Extension enterprise-managed-authorization: a token exchange (RFC 8693) at the identity provider gives an identity
//! assertion (ID-JAG), which is then shown to the authorization server (RFC 7523).

use std::fmt;
use std::sync::Arc;

use bowline_http::HttpClient;
use bowline_protocol::excerpt;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::Fetcher;
use crate::grant::assertion::AssertionSource;
use crate::grant::{Asking, Who, ask_token, assertion};
use crate::identity::{AuthMethod, Client};
use crate::token::Form;
use crate::token::Issued;

/// How an identity provider is asked to vouch for a person.
///
/// ```
/// use bowline_auth::{EnterpriseManaged, OAuth};
///
/// let id_token = bowline_auth::SecretString::from("eyJ…");
/// let managed = EnterpriseManaged::new("https://idp.example/token", "idp-client", id_token)?;
/// let oauth = OAuth::builder("https://mcp.example/mcp").issuer("https://as.example").client_id("abc");
/// let oauth = oauth.enterprise_managed(managed).build()?;
/// # let _ = oauth;
/// # Ok::<(), bowline_auth::AuthError>(())
/// ```
#[derive(Clone)]
pub struct EnterpriseManaged {
    token_endpoint: Url,
    client_id: String,
    client_secret: Option<SecretString>,
    subject: Arc<dyn AssertionSource>,
    subject_type: &'static str,
}

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";

impl EnterpriseManaged {
    /// The token endpoint of the identity provider, what this program is called there, and the ID token of the person.
    ///
    /// # Errors
    /// [`AuthErrorKind::Config`] when the endpoint is no URL.
    pub fn new(
        token_endpoint: &str,
        client_id: impl Into<String>,
        id_token: impl AssertionSource,
    ) -> Result<Self, AuthError> {
        let token_endpoint = Url::parse(token_endpoint).map_err(|error| {
            let why = format!("the token endpoint of the identity provider is no URL ({error})");
            AuthError::new(AuthErrorKind::Config, why)
        })?;
        let (client_id, subject) = (client_id.into(), Arc::new(id_token));
        Ok(Self { token_endpoint, client_id, client_secret: None, subject, subject_type: ID_TOKEN })
    }

    /// Shows this secret to the identity provider.
    #[must_use]
    pub fn client_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// What is shown of the person is a SAML 2.0 assertion, not an ID token.
    #[must_use]
    pub const fn saml(mut self) -> Self {
        self.subject_type = SAML2;
        self
    }
}

impl fmt::Debug for EnterpriseManaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterpriseManaged")
            .field("token_endpoint", &bowline_http::shown(&self.token_endpoint))
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Has the identity provider vouch, and shows what it said.
pub(crate) async fn run(
    asking: Asking<'_>,
    managed: &EnterpriseManaged,
    http: &HttpClient,
) -> Result<Issued, AuthError> {
    let at = &managed.token_endpoint;
    // The program named it, as it named the server.
    let fetcher = Fetcher::new(http.clone(), at, false);
    let subject = assertion::given(&*managed.subject, at.as_str()).await?;
    let method = if managed.client_secret.is_some() { AuthMethod::SecretPost } else { AuthMethod::None };
    let client = Client {
        id: managed.client_id.clone(),
        secret: managed.client_secret.clone(),
        method,
        registered: None,
        expires_at: None,
    };
    let form = Form::new(EXCHANGE)
        .with("requested_token_type", ID_JAG)
        .with("audience", &asking.found.issuer.id)
        .with("resource", &asking.found.resource)
        .with("subject_token", subject.expose_secret())
        .with("subject_token_type", managed.subject_type)
        .with_scopes(asking.scopes);
    let who = Who { client: Some(&client), key: None, audience: at.as_str() };
    let vouched = ask_token(&fetcher, asking.clock, at, who, None, form).await?;
    if let Some(kind) = vouched.issued_type.as_deref().filter(|kind| *kind != ID_JAG) {
        let why = format!("the identity provider: `issued_token_type`: expected {ID_JAG}, got {}", excerpt(kind, 100));
        return Err(AuthError::new(AuthErrorKind::Token, why));
    }
    assertion::show(asking, vouched.access.expose_secret()).await
}
