//! Requests signed with the keys of an AWS account: Signature Version 4.

use std::fmt;
use std::time::SystemTime;

use bowline_protocol::{hex, timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, InvalidHeaderValue};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use url::Url;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Keys of an AWS account, that requests to Bedrock are signed with. Where they come from (the environment, a file, a
/// role) is the caller's to know; keys that expire are given to a new model.
///
/// ```
/// use bowline_llm::{AwsCredentials, Format, HttpModel};
///
/// let keys = AwsCredentials::new("AKIDEXAMPLE", "a secret".to_owned()).with_session_token("a token".to_owned());
/// let model = HttpModel::builder(Format::Bedrock, "amazon.nova-lite-v1:0").region("eu-central-1").aws(keys).build()?;
/// # Ok::<(), bowline_llm::ModelError>(())
/// ```
#[derive(Clone)]
pub struct AwsCredentials {
    id: String,
    secret: SecretString,
    token: Option<SecretString>,
}

impl AwsCredentials {
    /// The id of an access key, and its secret.
    pub fn new(id: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        Self { id: id.into(), secret: secret.into(), token: None }
    }

    /// Sets the token of a session, which keys that expire come with.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<SecretString>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// What nobody else may read of them.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        [Some(&self.secret), self.token.as_ref()].into_iter().flatten().map(|secret| secret.expose_secret().trim())
    }
}

impl fmt::Debug for AwsCredentials {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCredentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Signs the requests of one model.
pub(super) struct Signer {
    pub(super) keys: AwsCredentials,
    pub(super) region: String,
    pub(super) service: &'static str,
}

impl Signer {
    /// Adds what tells whose the request is: when it was signed, and the signature over its address, its body, and those
    /// of its headers that no proxy may change.
    pub(super) fn sign(
        &self,
        method: &Method,
        url: &Url,
        headers: &mut HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), InvalidHeaderValue> {
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let at = basic(now);
        headers.insert(HOST, HeaderValue::try_from(host)?);
        headers.insert(DATE, HeaderValue::try_from(at.as_str())?);
        if let Some(token) = &self.keys.token {
            headers.insert(TOKEN, sensitive(token.expose_secret().trim())?);
        }
        // In the order of their names.
        let all = [CONTENT_TYPE, HOST, DATE, TOKEN];
        let signed: Vec<(&str, &str)> =
            all.iter().filter_map(|name| Some((name.as_str(), headers.get(name)?.to_str().ok()?.trim()))).collect();
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let request =
            [method.as_str(), &encoded(url.path(), true), &query(url), &lines, &names, &hex(&Sha256::digest(body))]
                .join("\n");
        let day = at.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let told = format!("{ALGORITHM}\n{at}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
        let signature = hex(&mac(&self.key(day), &told));
        let id = self.keys.id.trim();
        let authorization =
            format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
        headers.insert(AUTHORIZATION, sensitive(&authorization)?);
        Ok(())
    }

    /// The key of one day, region and service: the secret itself signs nothing.
    fn key(&self, day: &str) -> [u8; 32] {
        let first = format!("AWS4{}", self.keys.secret.expose_secret().trim());
        let of_day = mac(first.as_bytes(), day);
        [self.region.as_str(), self.service, "aws4_request"].iter().fold(of_day, |key, part| mac(&key, part))
    }
}

fn sensitive(value: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(value)?;
    value.set_sensitive(true);
    Ok(value)
}

#[expect(clippy::expect_used, reason = "the algorithm takes keys of any length")]
fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("keys have any length");
    mac.chain_update(text).finalize().into_bytes().into()
}

/// A time without separators, as in `20150830T123600Z`.
fn basic(time: SystemTime) -> String {
    let time = timestamp(time);
    let digits: String = time.chars().take_while(|c| *c != '.').filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}

/// Everything but letters, digits and four marks as `%` and two digits. A path is encoded so on top of what it has: all
/// services but one read it twice.
fn encoded(text: &str, is_path: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if is_path => out.push('/'),
            other => {
                out.push('%');
                out.push_str(&hex(&[other]).to_ascii_uppercase());
            }
        }
    }
    out
}

/// The query, in the order of what its members are encoded to.
fn query(url: &Url) -> String {
    let mut pairs: Vec<_> = url
        .query_pairs()
        .map(|(name, value)| format!("{}={}", encoded(&name, false), encoded(&value, false)))
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// Of the published test suite.
    const SESSION: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn signer(service: &'static str, token: Option<&str>) -> Signer {
        let keys = AwsCredentials::new("AKIDEXAMPLE", SECRET.to_owned());
        let keys = match token {
            Some(token) => keys.with_session_token(token.to_owned()),
            None => keys,
        };
        Signer { keys, region: "us-east-1".to_owned(), service }
    }

    /// 2015-08-30 at 12:36.
    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
    }

    /// What the provider publishes for its signatures.
    #[test]
    fn requests_are_signed_as_the_published_ones_are() {
        const FORM: &str = "application/x-www-form-urlencoded";
        let vanilla = "https://example.amazonaws.com/";
        let users = "https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers";
        let published = [
            ("GET", vanilla, "", "", None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", vanilla, "", "", None, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "POST",
                vanilla,
                FORM,
                "Param1=value1",
                None,
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "POST",
                vanilla,
                "",
                "",
                Some(SESSION),
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
            (
                "GET",
                users,
                "application/x-www-form-urlencoded; charset=utf-8",
                "",
                None,
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ];
        for (method, url, kind, body, token, signature) in published {
            let service = if url == users { "iam" } else { "service" };
            let mut headers = HeaderMap::new();
            if !kind.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            let (method, url) = (method.parse().unwrap(), url.parse().unwrap());
            signer(service, token).sign(&method, &url, &mut headers, body.as_bytes(), noon()).unwrap();
            let told = headers[AUTHORIZATION].to_str().unwrap();
            let scope = format!("AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request");
            assert!(told.starts_with(&format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=")), "{told}");
            assert!(told.ends_with(&format!(", Signature={signature}")), "{method} {url}: {told}");
        }
    }

    #[test]
    fn a_key_is_derived_as_the_published_one_is() {
        let derived = hex(&signer("iam", None).key("20150830"));
        assert_eq!(derived, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn a_path_is_encoded_twice_and_secrets_are_shown_nowhere() {
        assert_eq!(encoded("/model/a%3Ab/converse", true), "/model/a%253Ab/converse");
        let (signer, mut headers) = (signer("bedrock", Some("a-session")), HeaderMap::new());
        let url = "http://127.0.0.1:8080/model/a%3A0/converse".parse().unwrap();
        signer.sign(&Method::POST, &url, &mut headers, b"{}", noon()).unwrap();
        assert!(headers[HOST] == "127.0.0.1:8080" && headers[DATE] == "20150830T123600Z");
        let shown = format!("{:?}{headers:?}", signer.keys);
        assert!(!shown.contains("wJalr") && !shown.contains("a-session") && !shown.contains("Signature"), "{shown}");
        let odd = AwsCredentials::new("line\nbreak", "s".to_owned());
        let odd = Signer { keys: odd, region: "r".to_owned(), service: "bedrock" };
        assert!(odd.sign(&Method::POST, &url, &mut headers, b"", noon()).is_err());
    }
}
