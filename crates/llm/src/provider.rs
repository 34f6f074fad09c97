//! Models over the HTTP APIs of their providers.

mod builder;
mod environment;
mod events;
mod frames;
mod lines;
mod sigv4;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bowline_http::{Handover, HttpClient, HttpResponse, shown};
use bowline_transport::{BoxFuture, Secrets, Sent, TransportError, TransportErrorKind};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

pub use self::builder::HttpModelBuilder;
pub use self::sigv4::AwsCredentials;
use self::sigv4::Signer;
use crate::toolbox::Toolbox;
use crate::{Encoded, Events, Features, Format, Model, ModelError, ModelErrorKind, Request, Target};

/// How much of an error's body is read, in bytes, and for how long.
const ERROR_BYTES: usize = 64 << 10;
const ERROR_WITHIN: Duration = Duration::from_secs(10);
/// The first wait before a request is sent again, where the provider does not say; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A model of a provider, or of a server that speaks a provider's format.
///
/// A request is sent again after 429, 500, 502, 503 and 529, where the provider breaks off so in its stream, and where it
/// never left, at most three times, and only
/// before anything of an answer came. What the provider asks to wait is waited, within a bound. Clones share
/// connections.
///
/// ```no_run
/// use bowline_llm::{Format, HttpModel, Message, Model as _, Request};
///
/// # async fn example(key: String) -> Result<(), bowline_llm::ModelError> {
/// let model = HttpModel::builder(Format::Anthropic, "claude-sonnet-4-5").key(key).build()?;
/// let answer = model.answer(&Request::new(vec![Message::user("How deep is a fathom?")])).await?;
/// println!("{}", answer.text());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpModel(Arc<Inner>);

struct Inner {
    target: Target,
    name: String,
    url: Url,
    headers: HeaderMap,
    /// Signs each request, where no key in a header does.
    signer: Option<Signer>,
    secrets: Secrets,
    client: HttpClient,
    limits: Limits,
    /// The tools of the last request, as the provider gets them: the next one mostly has the same.
    toolbox: Mutex<Option<Arc<Toolbox>>>,
}

/// How long and how much.
#[derive(Debug, Clone)]
struct Limits {
    retries: u32,
    longest_wait: Duration,
    idle: Duration,
    total: Duration,
    answer_bytes: usize,
}

impl HttpModel {
    /// Settings for a model of this provider, with the defaults.
    pub fn builder(format: Format, model: impl Into<String>) -> HttpModelBuilder {
        HttpModelBuilder::new(format, model.into())
    }

    /// What its requests are written for.
    pub fn target(&self) -> &Target {
        &self.0.target
    }
}

impl Model for HttpModel {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn features(&self) -> Features {
        self.0.target.features.clone()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Events, ModelError>> {
        Box::pin(async move {
            let this = &self.0;
            let encoded = this.target.encode_with(request, this.toolbox(request)?)?;
            let encoded = encoded.with_max_answer_bytes(this.limits.answer_bytes).with_secrets(this.secrets.clone());
            let asked = this.ask(&encoded).await;
            asked.map_err(|error| error.hiding(&this.secrets).of_tool(&encoded))
        })
    }
}

impl Inner {
    fn toolbox(&self, request: &Request) -> Result<Arc<Toolbox>, ModelError> {
        let last = self.toolbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_same = |last: &Arc<Toolbox>| {
            let specs = last.tools.iter().map(|tool| &tool.spec);
            last.tools.len() == request.tools.len() && specs.zip(&request.tools).all(|(old, new)| Arc::ptr_eq(old, new))
        };
        if let Some(last) = last.filter(is_same) {
            return Ok(last);
        }
        let toolbox = Arc::new(Toolbox::new(&self.target, &request.tools)?);
        *self.toolbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&toolbox));
        Ok(toolbox)
    }

    async fn ask(&self, encoded: &Encoded) -> Result<Events, ModelError> {
        let body = Bytes::from(encoded.to_json()?);
        let ends = Instant::now() + self.limits.total;
        let mut attempt = 0;
        loop {
            let asked = timeout_at(ends, self.attempt(body.clone())).await;
            let (error, again) = match asked {
                Ok(Ok(response)) => {
                    let mut events = self.events(response, encoded, ends).await?;
                    match events.next().await {
                        // Nothing of an answer came yet, so nothing is lost.
                        Some(Err(error)) if is_soon_over(&error) => (error, true),
                        first => return Ok(Events::new(stream::iter(first).chain(events))),
                    }
                }
                Ok(Err(failure)) => failure,
                Err(_) => return Err(self.late("no answer", self.limits.total)),
            };
            let wait = error.retry_after().unwrap_or_else(|| pause(attempt));
            let is_over =
                attempt >= self.limits.retries || wait > self.limits.longest_wait || Instant::now() + wait >= ends;
            if !again || is_over {
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends the request once. With the error comes whether it may be sent again.
    async fn attempt(&self, body: Bytes) -> Result<HttpResponse, (ModelError, bool)> {
        let handover = Arc::new(Handover::default());
        let mut headers = self.headers.clone();
        if let Some(signer) = &self.signer {
            // Anew for each attempt: a signature is good for some minutes.
            let signed = signer.sign(&Method::POST, &self.url, &mut headers, &body, SystemTime::now());
            signed.map_err(|_| (builder::unwritable_key(), false))?;
        }
        let sending = self.client.send(Method::POST, &self.url, headers, Some((body, &handover)));
        let mut response = match timeout(self.limits.idle, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let again = error.sent() == Sent::No && error.kind() == TransportErrorKind::Connect;
                return Err((of_transport(&error), again));
            }
            Err(_) => return Err((self.late("no answer", self.limits.idle), false)),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            let why = format!(
                "{} redirects, and keys are not sent elsewhere; set the address that it leads to",
                shown(&self.url)
            );
            return Err((ModelError::new(ModelErrorKind::Config, why).with_status(status.as_u16()), false));
        }
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(wait_of);
        let mut said = Vec::new();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                said.extend_from_slice(&chunk);
                if said.len() >= ERROR_BYTES {
                    break;
                }
            }
        };
        // What came by then is enough.
        let _ = timeout(ERROR_WITHIN, reading).await;
        said.truncate(ERROR_BYTES);
        let said = self.secrets.hide(&String::from_utf8_lossy(&said));
        let error = ModelError::of_answer(status.as_u16(), said.as_bytes(), wait);
        let again = matches!(status.as_u16(), 429 | 500 | 502 | 503 | 529) && error.kind() != ModelErrorKind::Quota;
        Err((error, again))
    }

    async fn events(&self, response: HttpResponse, encoded: &Encoded, ends: Instant) -> Result<Events, ModelError> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        let is_stream =
            self.target.stream && (!kind.starts_with("application/json") || self.target.format == Format::Ollama);
        if kind.starts_with("text/html") {
            return Err(self.page(response).await);
        }
        if is_stream {
            return Ok(events::stream(self, response, encoded.assembler(), ends));
        }
        let body = self.whole(response, ends).await?;
        let answer = encoded.decode(&body)?;
        Ok(answer.into_events(usize::MAX))
    }

    /// The error for a page where an answer should be.
    async fn page(&self, mut response: HttpResponse) -> ModelError {
        let status = response.status().as_u16();
        let mut said = Vec::new();
        if let Ok(Ok(Some(chunk))) = timeout(ERROR_WITHIN, response.chunk()).await {
            said.extend_from_slice(chunk.get(..ERROR_BYTES).unwrap_or(&chunk));
        }
        let said = self.secrets.hide(&String::from_utf8_lossy(&said));
        let told = ModelError::of_answer(status, said.as_bytes(), None);
        let why = format!("{told}; is {} the address of the API?", shown(&self.url));
        ModelError::new(ModelErrorKind::Unreadable, why).with_status(status)
    }

    /// An answer that comes whole.
    async fn whole(&self, mut response: HttpResponse, ends: Instant) -> Result<Vec<u8>, ModelError> {
        let mut body = Vec::new();
        loop {
            let until = ends.min(Instant::now() + self.limits.idle);
            let chunk =
                timeout_at(until, response.chunk()).await.map_err(|_| self.late("no more", self.limits.idle))?;
            match chunk {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) => {
                    let why = format!("the model's answer ended in the middle ({error}); ask again");
                    return Err(ModelError::new(ModelErrorKind::Cut, why));
                }
            }
            if body.len() > self.limits.answer_bytes {
                let why = "the model's answer is larger than the limit; raise max_answer_bytes";
                return Err(ModelError::new(ModelErrorKind::TooLarge, why));
            }
        }
    }

    fn late(&self, what: &str, limit: Duration) -> ModelError {
        let why = format!(
            "{what} came from {} within {} s; ask again, or raise the limit",
            shown(&self.url),
            limit.as_secs()
        );
        ModelError::new(ModelErrorKind::Timeout, why)
    }
}

/// Whether a provider that breaks off so may answer a moment later.
fn is_soon_over(error: &ModelError) -> bool {
    matches!(error.kind(), ModelErrorKind::Overloaded | ModelErrorKind::RateLimited | ModelErrorKind::Server)
}

fn of_transport(error: &TransportError) -> ModelError {
    let kind = match error.kind() {
        TransportErrorKind::Timeout => ModelErrorKind::Timeout,
        TransportErrorKind::TooLarge => ModelErrorKind::TooLarge,
        TransportErrorKind::Config => ModelErrorKind::Config,
        _ => ModelErrorKind::Connect,
    };
    ModelError::new(kind, error.to_string()).with_source(error.clone())
}

/// The wait before another attempt, of half to all of its length: clients that failed together come back apart.
fn pause(attempt: u32) -> Duration {
    FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempt)).mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// How long the provider asks to be left alone: seconds, with a fraction or without. A date is not one of theirs.
fn wait_of(value: &str) -> Option<Duration> {
    let seconds: f64 = value.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

impl fmt::Debug for HttpModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpModel")
            .field("name", &self.0.name)
            .field("url", &shown(&self.0.url))
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
