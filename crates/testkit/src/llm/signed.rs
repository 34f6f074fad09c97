//! Whether a request is signed with the keys of an account of AWS, as the service would find it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::http::HttpRequest;

/// The keys that a request has to be signed with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AwsKeys {
    /// The id of the access key.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The token of the session, where there is one.
    pub token: Option<String>,
    /// The region.
    pub region: String,
}

impl AwsKeys {
    /// Keys that do not expire.
    pub fn new(id: impl Into<String>, secret: impl Into<String>, region: impl Into<String>) -> Self {
        Self { id: id.into(), secret: secret.into(), token: None, region: region.into() }
    }

    /// Sets the token of the session.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }
}

/// What of a request has to be signed.
const NEEDED: [&str; 3] = ["content-type", "host", "x-amz-date"];

/// Checks the signature of a request.
pub(super) fn check(keys: &AwsKeys, request: &HttpRequest) -> Result<(), String> {
    let told = request.header("authorization");
    let told = told.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("the request has no signature")?;
    let part = |name: &str| {
        let mut parts = told.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).ok_or(format!("{name} is missing"))
    };
    let (credential, names, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let at = request.header("x-amz-date");
    let day = at.split('T').next().unwrap_or_default();
    let scope = format!("{day}/{}/bedrock/aws4_request", keys.region);
    if credential != format!("{}/{scope}", keys.id) {
        return Err(format!("the credential is for {credential}"));
    }
    if request.header("x-amz-security-token") != keys.token.as_deref().unwrap_or_default() {
        return Err("the token of the session is not right".to_owned());
    }
    let signed: Vec<&str> = names.split(';').collect();
    let missing = NEEDED.iter().find(|name| !signed.contains(name));
    if let Some(missing) =
        missing.or(Some(&"x-amz-security-token").filter(|name| keys.token.is_some() && !signed.contains(name)))
    {
        return Err(format!("{missing} is not signed"));
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut canonical = format!("{}\n{}\n{query}\n", request.method, twice(path));
    for name in &signed {
        canonical += &format!("{name}:{}\n", request.header(name));
    }
    canonical += &format!("\n{names}\n{}", digits(&Sha256::digest(&request.body)));
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", digits(&Sha256::digest(canonical.as_bytes())));
    let mut key = format!("AWS4{}", keys.secret).into_bytes();
    for step in [day, &keys.region, "bedrock", "aws4_request", &text] {
        key = of(&key, step)?;
    }
    if digits(&key) == signature {
        return Ok(());
    }
    Err("the signature that was calculated does not match the one that was provided".to_owned())
}

fn of(key: &[u8], text: &str) -> Result<Vec<u8>, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

/// What is written once as `%` and two digits is so once more.
fn twice(path: &str) -> String {
    let stays = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    let written = |c: char| c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    path.chars().map(|c| if stays(c) { c.to_string() } else { written(c) }).collect()
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
