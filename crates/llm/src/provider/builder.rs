//! Settings of a model over HTTP.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_http::HttpClient;
use bowline_protocol::excerpt;
use bowline_transport::Secrets;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::sigv4::{AwsCredentials, Signer};
use super::{HttpModel, Inner, Limits};
use crate::format::MAX_ANSWER;
use crate::{Features, Format, ModelError, SchemaTarget, Target};

/// The longest time that means anything.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Settings of an [`HttpModel`]; made by [`HttpModel::builder`].
#[must_use]
pub struct HttpModelBuilder {
    target: Target,
    features: Option<Features>,
    base_url: Option<String>,
    region: Option<String>,
    key: Option<SecretString>,
    aws: Option<AwsCredentials>,
    client: Option<HttpClient>,
    limits: Limits,
}

impl HttpModelBuilder {
    pub(super) fn new(format: Format, model: String) -> Self {
        let limits = Limits {
            retries: 3,
            longest_wait: Duration::from_secs(60),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(900),
            answer_bytes: MAX_ANSWER,
        };
        Self {
            target: Target::new(format, model),
            features: None,
            base_url: None,
            region: None,
            key: None,
            aws: None,
            client: None,
            limits,
        }
    }

    /// Sets the address, up to where the format's own path begins: for OpenAI, Mistral and what is compatible with them
    /// with `/v1` (`http://127.0.0.1:8080/v1`), for the others without a path. Default: the provider's own, and for
    /// Ollama `http://127.0.0.1:11434`.
    ///
    /// What only OpenAI itself knows is then left out of requests in its formats.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the region that Bedrock is asked in. Without one there is an error, unless there is an address and no
    /// [`aws`](Self::aws).
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets the key. Bedrock takes its API keys here, and the keys of an account by [`aws`](Self::aws).
    pub fn key(mut self, key: impl Into<SecretString>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the keys of an AWS account, with which requests to Bedrock are signed, in place of a [`key`](Self::key).
    pub fn aws(mut self, keys: AwsCredentials) -> Self {
        self.aws = Some(keys);
        self
    }

    /// Sets whether answers are streamed. Default: they are. Without, an answer comes at once, as the same events.
    pub const fn streaming(mut self, streaming: bool) -> Self {
        self.target.stream = streaming;
        self
    }

    /// Sets the client for HTTP, such as one that knows a certificate authority. Default: one of its own.
    pub fn http(mut self, client: HttpClient) -> Self {
        self.client = Some(client);
        self
    }

    /// Sets what the model can take, where its name does not tell. Default: what is known of models of this name, and
    /// at an address that was set text alone.
    pub fn features(mut self, features: Features) -> Self {
        self.features = Some(features);
        self
    }

    /// Sets what schemas are lowered to, such as `GeminiOpenApi` for older clients of Gemini.
    pub const fn schemas(mut self, schemas: SchemaTarget) -> Self {
        self.target.schemas = schemas;
        self
    }

    /// Sets how often a request is sent again at most. Default 3.
    pub const fn retries(mut self, retries: u32) -> Self {
        self.limits.retries = retries;
        self
    }

    /// Sets the longest wait between two attempts. Default 60 s; a provider that asks for more is not asked again.
    pub const fn longest_wait(mut self, wait: Duration) -> Self {
        self.limits.longest_wait = wait;
        self
    }

    /// Sets for how long nothing may come, before and within an answer. Default 120 s.
    pub const fn idle_timeout(mut self, idle: Duration) -> Self {
        self.limits.idle = idle;
        self
    }

    /// Sets how long a request may take from its first attempt to the end of its answer. Default 15 min.
    pub const fn total_timeout(mut self, total: Duration) -> Self {
        self.limits.total = total;
        self
    }

    /// Sets how large an answer may be, in bytes. Default 32 MiB.
    pub const fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.limits.answer_bytes = bytes;
        self
    }

    /// Makes the model. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config` where the address is none, the key has characters that no header may have, Bedrock has no region, or
    /// there are keys of AWS for another provider, or beside a key.
    pub fn build(self) -> Result<HttpModel, ModelError> {
        let Self { mut target, features, base_url, region, key, aws, client, mut limits } = self;
        limits.idle = limits.idle.min(LONGEST);
        limits.total = limits.total.min(LONGEST);
        target = target.with_compatible(base_url.is_some());
        if let Some(features) = features {
            target.features = features;
        }
        let base = match base_url {
            Some(base) => base,
            None => default_base(target.format, region.as_deref())?,
        };
        let url = address(&target, &base)?;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        // Nothing else is taken, so nothing comes compressed that has to be unpacked piece by piece.
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if target.format == Format::Anthropic {
            headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));
        }
        let mut secrets = Secrets::default();
        if let Some(key) = key {
            let key = key.expose_secret().trim();
            secrets = secrets.with(key);
            let (name, value) = match target.format {
                Format::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
                Format::Gemini => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
                _ => (AUTHORIZATION, format!("Bearer {key}")),
            };
            let mut value = HeaderValue::try_from(value).map_err(|_| unwritable_key())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let signer = match aws {
            Some(_) if target.format != Format::Bedrock => {
                return Err(config("keys of AWS are for Bedrock alone; leave out aws(), or set a key()".to_owned()));
            }
            Some(_) if headers.contains_key(AUTHORIZATION) => {
                return Err(config("there is a key() and there are keys by aws(); leave one of them out".to_owned()));
            }
            Some(keys) => {
                secrets = keys.secrets().fold(secrets, Secrets::with);
                Some(Signer { keys, region: checked(region.as_deref())?.to_owned(), service: "bedrock" })
            }
            None => None,
        };
        let client = match client {
            Some(client) => client,
            None => HttpClient::builder().build().map_err(|error| super::of_transport(&error))?,
        };
        let name = format!("{}/{}", target.format, target.model);
        Ok(HttpModel(Arc::new(Inner {
            target,
            name,
            url,
            headers,
            signer,
            secrets,
            client,
            limits,
            toolbox: Mutex::new(None),
        })))
    }
}

fn default_base(format: Format, region: Option<&str>) -> Result<String, ModelError> {
    Ok(match format {
        Format::Anthropic => "https://api.anthropic.com".to_owned(),
        Format::OpenAiChat | Format::OpenAiResponses => "https://api.openai.com/v1".to_owned(),
        Format::Gemini => "https://generativelanguage.googleapis.com".to_owned(),
        Format::Mistral => "https://api.mistral.ai/v1".to_owned(),
        Format::Ollama => "http://127.0.0.1:11434".to_owned(),
        Format::Bedrock => {
            format!("https://bedrock-runtime.{}.amazonaws.com", checked(region)?)
        }
    })
}

/// The region, where it can be one.
fn checked(region: Option<&str>) -> Result<&str, ModelError> {
    let region =
        region.ok_or_else(|| config("Bedrock is asked in a region; set one, such as eu-central-1".to_owned()))?;
    let is_one =
        !region.is_empty() && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if is_one {
        return Ok(region);
    }
    Err(config(format!("\"{}\" is no region; set one such as eu-central-1", excerpt(region, 40))))
}

/// The address of the model's requests.
fn address(target: &Target, base: &str) -> Result<Url, ModelError> {
    let bad = |why: &str| {
        config(format!("\"{}\" is no address of an API ({why}); set one such as https://host/v1", excerpt(base, 100)))
    };
    let mut url = Url::parse(base).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("neither http nor https"));
    }
    if target.model.trim().is_empty() {
        return Err(config("the model has no name; set one".to_owned()));
    }
    let (model, stream) = (target.model.as_str(), target.stream);
    let mut action = String::new();
    let steps: Vec<&str> = match target.format {
        Format::Anthropic => vec!["v1", "messages"],
        Format::OpenAiChat | Format::Mistral => vec!["chat", "completions"],
        Format::OpenAiResponses => vec!["responses"],
        Format::Gemini => {
            let call = if stream { "streamGenerateContent" } else { "generateContent" };
            action.push_str(&format!("{}:{call}", model.strip_prefix("models/").unwrap_or(model)));
            vec!["v1beta", "models", &action]
        }
        Format::Bedrock => vec!["model", model, if stream { "converse-stream" } else { "converse" }],
        Format::Ollama => vec!["api", "chat"],
    };
    // Names of models may hold slashes, and are one step all the same.
    url.path_segments_mut().map_err(|()| bad("it has no path"))?.pop_if_empty().extend(steps);
    if target.format == Format::Bedrock {
        // As its own clients write it, so that both sides sign the same.
        let path = url.path().replace(':', "%3A");
        url.set_path(&path);
    }
    if target.format == Format::Gemini && stream {
        url.query_pairs_mut().append_pair("alt", "sse");
    }
    Ok(url)
}

/// The error for a key that cannot stand in a header.
pub(super) fn unwritable_key() -> ModelError {
    config("the key has characters that no header may have; check for line breaks".to_owned())
}

fn config(why: String) -> ModelError {
    ModelError::config(why)
}

impl fmt::Debug for HttpModelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpModelBuilder")
            .field("target", &self.target)
            .field("has_key", &self.key.is_some())
            .field("aws", &self.aws)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelErrorKind;

    #[test]
    fn addresses_are_the_providers_or_under_the_one_that_is_set() {
        let url = |format, base: Option<&str>, stream| {
            let mut builder = HttpModel::builder(format, "a/b:c").region("eu-central-1").streaming(stream);
            if let Some(base) = base {
                builder = builder.base_url(base);
            }
            builder.build().unwrap().0.url.to_string()
        };
        assert_eq!(url(Format::OpenAiResponses, None, true), "https://api.openai.com/v1/responses");
        assert_eq!(url(Format::OpenAiChat, Some("http://h:1/v1/"), true), "http://h:1/v1/chat/completions");
        let gemini = "https://generativelanguage.googleapis.com/v1beta/models/a%2Fb:c:streamGenerateContent?alt=sse";
        assert_eq!(url(Format::Gemini, None, true), gemini);
        let bedrock = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/a%2Fb%3Ac/converse";
        assert_eq!(url(Format::Bedrock, None, false), bedrock);
        assert_eq!(url(Format::Ollama, None, true), "http://127.0.0.1:11434/api/chat");
    }

    #[test]
    fn keys_are_shown_nowhere_and_bad_settings_are_told() {
        let builder = HttpModel::builder(Format::Anthropic, "m").key("sk-knot".to_owned());
        assert!(!format!("{builder:?}").contains("sk-knot"));
        let model = builder.build().unwrap();
        assert!(!format!("{model:?}{:?}{:?}", model.0.headers, model.0.secrets).contains("sk-knot"));
        let error = HttpModel::builder(Format::Bedrock, "m").build().unwrap_err();
        assert!(error.to_string().contains("region"), "{error}");
        for bad in ["nonsense", "ftp://host", "data:x"] {
            let error = HttpModel::builder(Format::Ollama, "m").base_url(bad).build().unwrap_err();
            assert_eq!(error.kind(), ModelErrorKind::Config, "{bad}");
        }
        let error = HttpModel::builder(Format::Mistral, "m").key("a\nb".to_owned()).build().unwrap_err();
        assert!(!error.to_string().contains("a\nb"));
    }
}
