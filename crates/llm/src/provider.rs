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
use bowline_protocol::excerpt;
use bowline_transport::{BoxFuture, Secrets, Sent, TransportError, TransportErrorKind};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

pub use self::builder::HttpModelBuilder;
pub use self::sigv4::AwsCredentials;
use self::sigv4::Signer;
use crate::format::without_mark;
use crate::toolbox::Toolbox;
use crate::{Encoded, Events, Features, Format, Model, ModelError, ModelErrorKind, Request, Target};

/// How much of an error's body is read, in bytes, and for how long.
const ERROR_BYTES: usize = 64 << 10;
const ERROR_WITHIN: Duration = Duration::from_secs(10);
/// How what is packed with gzip begins, also where nobody says that it is.
const GZIP: &[u8] = b"\x1f\x8b";
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
                // As long as nothing of an answer came, nothing is lost.
                Ok(Ok(response)) => match self.events(response, encoded, ends).await {
                    Ok(mut events) => match events.next().await {
                        Some(Err(error)) if is_soon_over(&error) => (error, true),
                        first => return Ok(Events::new(stream::iter(first).chain(events))),
                    },
                    Err(error) if is_soon_over(&error) => (error, true),
                    Err(error) => return Err(error),
                },
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
        let wait = wait_of(response.headers());
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

    async fn events(&self, mut response: HttpResponse, encoded: &Encoded, ends: Instant) -> Result<Events, ModelError> {
        if let Some(encoding) = foreign_encoding(response.headers()) {
            return Err(self.packed(&encoding, &response));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_page = kind.trim_start().to_ascii_lowercase().starts_with("text/html");
        let head = self.head(&mut response, ends).await?;
        if head.starts_with(GZIP) {
            return Err(self.packed("gzip", &response));
        }
        // What it is it says by how it begins: what it is said to be is often wrong, or missing.
        match without_mark(&head).trim_ascii_start().first() {
            _ if is_page => Err(self.page(head, response).await),
            Some(b'<') => Err(self.page(head, response).await),
            // Of one line, or of many: each is JSON.
            Some(b'{' | b'[') if self.target.stream && self.target.format == Format::Ollama => {
                Ok(events::stream(self, head, response, encoded.assembler(), ends))
            }
            Some(b'{' | b'[') => {
                let body = self.whole(head, response, ends).await?;
                let answer = encoded.decode(&body)?;
                Ok(answer.into_events(usize::MAX))
            }
            _ => Ok(events::stream(self, head, response, encoded.assembler(), ends)),
        }
    }

    /// The error for an answer in an encoding that is not read here.
    fn packed(&self, encoding: &str, response: &HttpResponse) -> ModelError {
        let why = format!(
            "{} answered in the content encoding \"{encoding}\", which was not asked for and is not read here; have it, or the proxy before it, answer as it is asked to",
            shown(&self.url)
        );
        ModelError::new(ModelErrorKind::Unreadable, why).with_status(response.status().as_u16())
    }

    /// The beginning of an answer, up to where it says something; empty where there is none.
    async fn head(&self, response: &mut HttpResponse, ends: Instant) -> Result<Bytes, ModelError> {
        loop {
            match self.chunk(response, ends, "no answer").await? {
                // Blanks keep a connection open until there is an answer.
                Some(chunk) if chunk.trim_ascii().is_empty() => {}
                chunk => return Ok(chunk.unwrap_or_default()),
            }
        }
    }

    /// The next piece of an answer.
    async fn chunk(
        &self,
        response: &mut HttpResponse,
        ends: Instant,
        missing: &str,
    ) -> Result<Option<Bytes>, ModelError> {
        let until = ends.min(Instant::now() + self.limits.idle);
        let chunk = timeout_at(until, response.chunk()).await.map_err(|_| self.late(missing, self.limits.idle))?;
        chunk.map_err(|error| ModelError::new(ModelErrorKind::Cut, broke_off(&error)))
    }

    /// The error for a page where an answer should be.
    async fn page(&self, head: Bytes, mut response: HttpResponse) -> ModelError {
        let status = response.status().as_u16();
        let mut said = head.to_vec();
        let reading = async {
            while said.len() < ERROR_BYTES
                && let Ok(Some(chunk)) = response.chunk().await
            {
                said.extend_from_slice(&chunk);
            }
        };
        // What came by then is enough.
        let _ = timeout(ERROR_WITHIN, reading).await;
        said.truncate(ERROR_BYTES);
        let said = self.secrets.hide(&String::from_utf8_lossy(&said));
        let told = ModelError::of_answer(status, said.as_bytes(), None);
        let why = format!("{told}; is {} the address of the API?", shown(&self.url));
        ModelError::new(ModelErrorKind::Unreadable, why).with_status(status)
    }

    /// An answer that comes whole.
    async fn whole(&self, head: Bytes, mut response: HttpResponse, ends: Instant) -> Result<Vec<u8>, ModelError> {
        let mut body = head.to_vec();
        loop {
            if body.len() > self.limits.answer_bytes {
                let why = "the model's answer is larger than the limit; raise max_answer_bytes";
                return Err(ModelError::new(ModelErrorKind::TooLarge, why));
            }
            match self.chunk(&mut response, ends, "no more").await? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return Ok(body),
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

/// How long the provider asks to be left alone: in milliseconds where it says so, else in seconds, with a fraction or
/// without, or up to a date.
fn wait_of(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok();
    let millis = text("retry-after-ms").and_then(number).map(|millis| millis / 1e3);
    let after = text(RETRY_AFTER.as_str());
    if let Some(seconds) = millis.or_else(|| after.and_then(number)) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(after?).ok()?;
    // A date that has passed asks for no wait.
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What is said of an answer whose connection ended before it did.
fn broke_off(error: &TransportError) -> String {
    format!("the model's answer ended in the middle ({error}); ask again")
}

/// The encoding of an answer that is not read here; none where it has none.
fn foreign_encoding(headers: &HeaderMap) -> Option<String> {
    let encoding = headers.get(CONTENT_ENCODING)?;
    let encoding = excerpt(&String::from_utf8_lossy(encoding.as_bytes()), 40);
    (!encoding.trim().is_empty() && !encoding.trim().eq_ignore_ascii_case("identity")).then_some(encoding)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        wait_of(&headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect())
    }

    #[test]
    fn a_wait_is_told_in_milliseconds_seconds_or_as_a_date() {
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", " 2 ")]), Some(Duration::from_secs(2)));
        assert_eq!(wait(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(wait(&[("retry-after", "2"), ("retry-after-ms", "1500")]), Some(Duration::from_millis(1500)));
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]), Some(Duration::ZERO));
        assert!(wait(&[("retry-after", "Fri, 21 Oct 2039 07:28:00 GMT")]).unwrap() > Duration::from_secs(24 * 3600));
        for bad in ["-1", "NaN", "soon", "1e300", ""] {
            assert_eq!(wait(&[("retry-after", bad)]), None, "{bad}");
        }
    }

    #[test]
    fn an_encoding_that_says_nothing_is_none() {
        let of = |value: &str| foreign_encoding(&HeaderMap::from_iter([(CONTENT_ENCODING, value.parse().unwrap())]));
        assert_eq!((of("Identity"), of(""), of("br").as_deref()), (None, None, Some("br")));
    }
}
