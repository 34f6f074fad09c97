//! Servers that ask for a model get one: with consent, and within limits.
//!
//! Specification: client/sampling, which 2026-07-28 marks for removal; so all of it is here.

mod convert;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bowline_client::{HandlerResult, RequestContext, SamplingHandler, SamplingSupport, refused};
use bowline_protocol::{
    CreateMessageRequestParams, CreateMessageResult, ErrorCode, ErrorObject, ModelPreferences, excerpt,
};
use bowline_transport::BoxFuture;
use tokio::sync::{Mutex, Semaphore};

use crate::{Answer, Message, Model, ModelError, ModelErrorKind, Request};

/// Says whether a server gets an answer. A person should see both what is asked and what is answered.
pub trait Consent: Send + Sync + 'static {
    /// Whether the model is asked this for a server; the request may be changed. Dropping the future takes the question
    /// back.
    fn ask<'a>(&'a self, server: &'a str, request: &'a mut Request) -> BoxFuture<'a, bool>;

    /// Whether the server gets this answer; it may be changed. Default: yes.
    fn reply<'a>(&'a self, server: &'a str, answer: &'a mut Answer) -> BoxFuture<'a, bool> {
        let _ = (server, answer);
        Box::pin(std::future::ready(true))
    }
}

impl<C: Consent + ?Sized> Consent for Arc<C> {
    fn ask<'a>(&'a self, server: &'a str, request: &'a mut Request) -> BoxFuture<'a, bool> {
        (**self).ask(server, request)
    }

    fn reply<'a>(&'a self, server: &'a str, answer: &'a mut Answer) -> BoxFuture<'a, bool> {
        (**self).reply(server, answer)
    }
}

/// How much servers get of a model. How often they may ask is the client's own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplingLimits {
    /// The most tokens of one answer, whatever the server asks for. Default: 2,048.
    pub answer_tokens: u32,
    /// The most tokens of one request, estimated. Default: 32,000.
    pub request_tokens: u64,
    /// The most tokens of all requests and answers, as the provider counts them. Default: 500,000.
    pub all_tokens: u64,
    /// How many requests are open at once; more wait. Default: 2.
    pub at_once: usize,
}

impl Default for SamplingLimits {
    fn default() -> Self {
        Self { answer_tokens: 2_048, request_tokens: 32_000, all_tokens: 500_000, at_once: 2 }
    }
}

impl SamplingLimits {
    /// Sets the most tokens of one answer.
    #[must_use]
    pub const fn with_answer_tokens(mut self, tokens: u32) -> Self {
        self.answer_tokens = tokens;
        self
    }

    /// Sets the most tokens of one request.
    #[must_use]
    pub const fn with_request_tokens(mut self, tokens: u64) -> Self {
        self.request_tokens = tokens;
        self
    }

    /// Sets the most tokens of all.
    #[must_use]
    pub const fn with_all_tokens(mut self, tokens: u64) -> Self {
        self.all_tokens = tokens;
        self
    }

    /// Sets how many requests are open at once; one at least.
    #[must_use]
    pub const fn with_at_once(mut self, requests: usize) -> Self {
        self.at_once = if requests == 0 { 1 } else { requests };
        self
    }
}

/// What a model is like beside the others, each from 0 to 1, for servers that say what matters to them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Traits {
    /// How cheap it is.
    pub cheap: f64,
    /// How fast it is.
    pub fast: f64,
    /// How able it is.
    pub able: f64,
}

impl Traits {
    /// How cheap, fast and able a model is.
    pub const fn new(cheap: f64, fast: f64, able: f64) -> Self {
        Self { cheap, fast, able }
    }
}

/// Answers servers' requests for sampling by models of the host.
///
/// ```
/// use bowline_client::Client;
/// use bowline_llm::{Consent, ModelSampling, Request, ScriptedModel, Turn};
/// use bowline_transport::BoxFuture;
///
/// struct Person;
/// impl Consent for Person {
///     fn ask<'a>(&'a self, server: &'a str, request: &'a mut Request) -> BoxFuture<'a, bool> {
///         // Show them, and wait for a yes.
///         Box::pin(async { true })
///     }
/// }
///
/// let sampling = ModelSampling::new(ScriptedModel::new([Turn::say("Paris")]), Person);
/// let builder = Client::builder().on_sampling(sampling);
/// ```
pub struct ModelSampling {
    first: (Arc<dyn Model>, Traits),
    others: Vec<(Arc<dyn Model>, Traits)>,
    consent: Box<dyn Consent>,
    limits: SamplingLimits,
    servers: Option<BTreeSet<String>>,
    open: Semaphore,
    used: AtomicU64,
    /// One question at a time.
    asking: Mutex<()>,
}

impl ModelSampling {
    /// Answers by this model, where the consent says so.
    pub fn new(model: impl Model, consent: impl Consent) -> Self {
        let limits = SamplingLimits::default();
        Self {
            first: (Arc::new(model), Traits::default()),
            others: Vec::new(),
            consent: Box::new(consent),
            limits,
            servers: None,
            open: Semaphore::new(limits.at_once),
            used: AtomicU64::new(0),
            asking: Mutex::new(()),
        }
    }

    /// Says what the first model is like.
    #[must_use]
    pub fn with_traits(mut self, traits: Traits) -> Self {
        self.first.1 = traits;
        self
    }

    /// Adds a model. A server's hints choose by parts of its name; else what matters to the server does; else the model
    /// that was given first.
    #[must_use]
    pub fn with_model(mut self, model: impl Model, traits: Traits) -> Self {
        self.others.push((Arc::new(model), traits));
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: SamplingLimits) -> Self {
        self.open = Semaphore::new(limits.at_once);
        self.limits = limits;
        self
    }

    /// Allows these servers alone, by the names that this side gave them
    /// ([`RequestContext::member`]); a client of one server has no such name, and then none is allowed.
    #[must_use]
    pub fn only<S: Into<String>>(mut self, servers: impl IntoIterator<Item = S>) -> Self {
        self.servers = Some(servers.into_iter().map(Into::into).collect());
        self
    }

    async fn answer(
        &self,
        asked: CreateMessageRequestParams,
        context: RequestContext,
    ) -> HandlerResult<CreateMessageResult> {
        let server = self.server(&context)?;
        let model = self.choose(asked.model_preferences.as_ref());
        let mut request = convert::request(asked, &model.features())?;
        let most = self.limits.answer_tokens;
        request.max_tokens = Some(request.max_tokens.map_or(most, |wanted| wanted.min(most)));
        let (tokens, limit) = (request.estimated_tokens(), self.limits.request_tokens);
        if tokens > limit {
            let why =
                format!("the request has some {tokens} tokens, and {limit} are allowed; send less of the conversation");
            return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, why));
        }
        // The gate is never closed.
        let _open = self.open.acquire().await.map_err(|_| failed("no model is there any more"))?;
        // Looked at here, where those before have been counted.
        if self.used.load(Ordering::Relaxed) >= self.limits.all_tokens {
            return Err(failed("the tokens that servers may use are used up"));
        }
        {
            let _turn = self.asking.lock().await;
            if !self.consent.ask(&server, &mut request).await {
                return Err(refused());
            }
        }
        // A server that takes its request back has used what it took all the same.
        let open = Unanswered { sampling: self, tokens: request.estimated_tokens() };
        let answered = model.answer(&request).await;
        open.answered();
        self.count(&request, &answered);
        let mut answer = answered.map_err(|error| told(&error))?;
        let _turn = self.asking.lock().await;
        if !self.consent.reply(&server, &mut answer).await {
            return Err(refused());
        }
        convert::result(answer, model.name())
    }

    /// Counts what a request took, also where its answer was cut; where nobody counted, what it has by an estimate.
    fn count(&self, request: &Request, answered: &Result<Answer, ModelError>) {
        let came = match answered {
            Ok(answer) => Some(answer),
            Err(error) => error.partial(),
        };
        let Some(came) = came else { return };
        let tokens = match came.usage.total() {
            0 => request.estimated_tokens() + Message::Assistant(came.parts.clone()).estimated_tokens(),
            counted => counted,
        };
        self.add(tokens);
    }

    fn add(&self, tokens: u64) {
        // The sum stays at the end of what can be counted.
        let add = |used: u64| Some(used.saturating_add(tokens));
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Who asks, if they may.
    fn server(&self, context: &RequestContext) -> Result<String, ErrorObject> {
        let named = context.member();
        if self.servers.as_ref().is_some_and(|allowed| !named.is_some_and(|name| allowed.contains(name))) {
            return Err(refused());
        }
        let told = || context.server().map_or_else(|| "unknown".to_owned(), |server| excerpt(&server.name, 80));
        Ok(named.map_or_else(told, str::to_owned))
    }

    fn models(&self) -> impl Iterator<Item = &(Arc<dyn Model>, Traits)> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The model that fits what a server would like.
    fn choose(&self, wanted: Option<&ModelPreferences>) -> Arc<dyn Model> {
        let hints = wanted.and_then(|wanted| wanted.hints.as_ref()).into_iter().flatten();
        for hint in hints.filter_map(|hint| hint.name.as_deref()).filter(|name| !name.trim().is_empty()) {
            let hint = hint.trim().to_lowercase();
            if let Some((model, _)) = self.models().find(|(model, _)| model.name().to_lowercase().contains(&hint)) {
                return Arc::clone(model);
            }
        }
        let weight =
            |wanted: Option<f64>| wanted.filter(|weight| weight.is_finite()).unwrap_or_default().clamp(0.0, 1.0);
        let weights = wanted
            .map(|wanted| [wanted.cost_priority, wanted.speed_priority, wanted.intelligence_priority].map(weight));
        let [cheap, fast, able] = weights.unwrap_or_default();
        let score = |of: &Traits| cheap * of.cheap + fast * of.fast + able * of.able;
        // Of those that are as good, the first.
        let mut best = &self.first;
        for other in &self.others {
            if score(&other.1) > score(&best.1) {
                best = other;
            }
        }
        Arc::clone(&best.0)
    }
}

/// A request that the model was asked and has not answered yet. Dropped so, it counts by an estimate.
struct Unanswered<'s> {
    sampling: &'s ModelSampling,
    tokens: u64,
}

impl Unanswered<'_> {
    fn answered(mut self) {
        self.tokens = 0;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.sampling.add(self.tokens);
    }
}

impl SamplingHandler for ModelSampling {
    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<CreateMessageResult>> {
        Box::pin(self.answer(request, context))
    }

    fn support(&self) -> SamplingSupport {
        SamplingSupport::default().with_tools()
    }
}

impl fmt::Debug for ModelSampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let models: Vec<&str> = self.models().map(|(model, _)| model.name()).collect();
        f.debug_struct("ModelSampling").field("models", &models).field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn failed(why: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::INTERNAL_ERROR, why.to_owned())
}

/// What a server is told of a model that failed: not what its provider said, which is none of its business.
fn told(error: &ModelError) -> ErrorObject {
    tracing::warn!(%error, "the model failed for a server");
    failed(match error.kind() {
        ModelErrorKind::RateLimited | ModelErrorKind::Overloaded => "the model is busy; ask again later",
        ModelErrorKind::TooLong => "the request is larger than the model takes; send less of the conversation",
        _ => "the model gave no answer",
    })
}
