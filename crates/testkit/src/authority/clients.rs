//! Who may ask for tokens, and how a client shows who it is.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::SigningKey;
use super::form::Form;
use super::jwt::Parts;
use super::refusal::Refusal;

/// How a client shows itself at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// By its id alone: it can keep no secret.
    None,
    /// By a secret in the `Authorization` header.
    SecretBasic,
    /// By a secret in the body.
    SecretPost,
    /// By a token that it signs.
    PrivateKeyJwt,
}

impl ClientAuth {
    /// Its name in metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::None, Self::SecretBasic, Self::SecretPost, Self::PrivateKeyJwt]
            .into_iter()
            .find(|auth| auth.as_str() == name)
    }
}

/// A client that an authorization server knows.
///
/// ```
/// use bowline_testkit::authority::Client;
///
/// let client = Client::secret_basic("service", "s3cret").redirect("http://127.0.0.1:9/callback");
/// assert!(!format!("{client:?}").contains("s3cret"));
/// ```
#[derive(Clone)]
pub struct Client {
    pub(super) id: String,
    pub(super) auth: ClientAuth,
    pub(super) secret: String,
    pub(super) keys: Vec<Value>,
    pub(super) redirects: Vec<String>,
}

impl Client {
    /// One that can keep no secret.
    pub fn public(id: &str) -> Self {
        Self::new(id, ClientAuth::None)
    }

    /// One with a secret, for the `Authorization` header.
    pub fn secret_basic(id: &str, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..Self::new(id, ClientAuth::SecretBasic) }
    }

    /// One with a secret, for the body.
    pub fn secret_post(id: &str, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..Self::new(id, ClientAuth::SecretPost) }
    }

    /// One that signs tokens with this key.
    pub fn private_key_jwt(id: &str, key: &SigningKey) -> Self {
        Self { keys: vec![key.public_jwk()], ..Self::new(id, ClientAuth::PrivateKeyJwt) }
    }

    /// Adds a redirect URI, which is compared character by character. None are permitted but those.
    #[must_use]
    pub fn redirect(mut self, uri: &str) -> Self {
        self.redirects.push(uri.to_owned());
        self
    }

    pub(super) fn new(id: &str, auth: ClientAuth) -> Self {
        Self { id: id.to_owned(), auth, secret: String::new(), keys: Vec::new(), redirects: Vec::new() }
    }

    /// The one that a document describes.
    pub(super) fn from_document(id: &str, document: &Value) -> Self {
        let auth = document.get("token_endpoint_auth_method").and_then(Value::as_str).and_then(ClientAuth::named);
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let redirects = list(document.get("redirect_uris"));
        Self {
            keys: list(document.pointer("/jwks/keys")),
            redirects: redirects.iter().filter_map(|uri| uri.as_str().map(str::to_owned)).collect(),
            ..Self::new(id, auth.unwrap_or(ClientAuth::None))
        }
    }

    /// Whether a request is this client's, and nothing but what belongs to its way of showing itself.
    pub(super) fn check(&self, shown: &Shown, audiences: &[String], now: i64) -> Result<(), Refusal> {
        let fits = match (self.auth, &shown.proof) {
            (ClientAuth::None, Proof::Nothing) => true,
            (ClientAuth::SecretBasic, Proof::Basic(secret)) | (ClientAuth::SecretPost, Proof::Post(secret)) => {
                *secret == self.secret
            }
            (ClientAuth::PrivateKeyJwt, Proof::Assertion(token)) => {
                return self.check_assertion(token, audiences, now);
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let text = format!("the client shows itself by {}, and is to by {}", shown.proof.name(), self.auth.as_str());
        Err(Refusal::new("invalid_client", text).status(401))
    }

    fn check_assertion(&self, token: &str, audiences: &[String], now: i64) -> Result<(), Refusal> {
        let refuse = |text: &str| Err(Refusal::new("invalid_client", text).status(401));
        let Some(parts) = Parts::read(token) else { return refuse("the client assertion is no signed token") };
        if !self.keys.iter().any(|key| parts.is_signed_by(key)) {
            return refuse("the client assertion is not signed by the client's key");
        }
        if parts.claim("iss") != self.id || parts.claim("sub") != self.id {
            return refuse("issuer and subject of the client assertion are not the client");
        }
        if !audiences.iter().any(|audience| parts.is_for(audience)) {
            return refuse("the client assertion is for another server");
        }
        if parts.seconds("exp").is_none_or(|end| end <= now) {
            return refuse("the client assertion has expired");
        }
        if parts.claim("jti").is_empty() {
            return refuse("the client assertion has no id");
        }
        Ok(())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("auth", &self.auth)
            .field("redirects", &self.redirects)
            .finish_non_exhaustive()
    }
}

/// Who a request says that it comes from, and how.
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) proof: Proof,
}

pub(super) enum Proof {
    Nothing,
    Basic(String),
    Post(String),
    Assertion(String),
}

impl Proof {
    const fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Basic(_) => "client_secret_basic",
            Self::Post(_) => "client_secret_post",
            Self::Assertion(_) => "private_key_jwt",
        }
    }
}

impl Shown {
    /// What a request shows, by one way only (RFC 6749, section 2.3).
    pub(super) fn read(authorization: &str, form: &Form) -> Result<Self, Refusal> {
        let secret = form.get("client_secret");
        let assertion = form.get("client_assertion");
        let basic = authorization.strip_prefix("Basic ");
        if usize::from(secret.is_some()) + usize::from(assertion.is_some()) + usize::from(basic.is_some()) > 1 {
            return Err(Refusal::new("invalid_request", "the client shows itself in more than one way"));
        }
        let id = form.text("client_id").to_owned();
        if let Some(basic) = basic {
            let refuse =
                || Refusal::new("invalid_client", "the Authorization header is not of the form Basic").status(401);
            let text = STANDARD.decode(basic.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(refuse)?;
            let (id, secret) = text.split_once(':').ok_or_else(refuse)?;
            // RFC 6749, section 2.3.1: both are encoded as in a form first.
            return Ok(Self { id: unescaped(id), proof: Proof::Basic(unescaped(secret)) });
        }
        if let Some(assertion) = assertion {
            let subject = Parts::read(assertion).map(|parts| parts.claim("sub").to_owned()).unwrap_or_default();
            let id = if id.is_empty() { subject } else { id };
            return Ok(Self { id, proof: Proof::Assertion(assertion.to_owned()) });
        }
        let proof = secret.map_or(Proof::Nothing, |secret| Proof::Post(secret.to_owned()));
        Ok(Self { id, proof })
    }
}

fn unescaped(text: &str) -> String {
    Form::read(format!("v={text}").as_bytes()).text("v").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_client_may_show_no_secret_not_even_an_empty_one() {
        let client = Client::public("c");
        for (authorization, body, passes) in
            [("", "client_id=c", true), ("", "client_id=c&client_secret=", false), ("Basic Yzo=", "client_id=c", false)]
        {
            let shown = Shown::read(authorization, &Form::read(body.as_bytes())).unwrap();
            assert_eq!(client.check(&shown, &[], 0).is_ok(), passes, "{authorization} {body}");
        }
    }

    #[test]
    fn a_secret_is_wanted_at_its_own_place() {
        let (basic, post) = ("Basic Yzpz", "client_id=c&client_secret=s");
        let read = |authorization: &str, body: &str| Shown::read(authorization, &Form::read(body.as_bytes()));
        assert!(Client::secret_basic("c", "s").check(&read(basic, "").unwrap(), &[], 0).is_ok());
        assert!(Client::secret_basic("c", "s").check(&read("", post).unwrap(), &[], 0).is_err());
        assert!(Client::secret_post("c", "s").check(&read("", post).unwrap(), &[], 0).is_ok());
        assert!(Client::secret_post("c", "t").check(&read("", post).unwrap(), &[], 0).is_err());
        assert!(read(basic, post).is_err());
    }

    #[test]
    fn an_assertion_is_for_this_server_from_this_client_and_not_for_ever() {
        let key = SigningKey::es256().unwrap();
        let client = Client::private_key_jwt("c", &key);
        let audiences = ["https://as".to_owned()];
        for (iss, aud, exp, passes) in [
            ("c", "https://as", 20, true),
            ("d", "https://as", 20, false),
            ("c", "https://other", 20, false),
            ("c", "https://as", 10, false),
        ] {
            let claims = serde_json::json!({ "iss": iss, "sub": "c", "aud": aud, "exp": exp, "jti": "1" });
            let token = key.sign(&serde_json::json!({}), &claims).unwrap();
            assert_eq!(client.check_assertion(&token, &audiences, 10).is_ok(), passes, "{claims}");
        }
    }
}
