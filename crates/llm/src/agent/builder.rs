//! The settings of an agent.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::bounds::{Bounds, Prices};
use super::check::Checker;
use super::{Agent, Inner, Journal};
use crate::approve::{Approve, ReadOnly};
use crate::artifacts::{ArtifactLimits, Artifacts};
use crate::breaker::BreakerSettings;
use crate::selection::{Embedder, Selection};
use crate::tools::Tools;
use crate::{Model, ResultPolicy};

/// The settings of an [`Agent`]; made by [`Agent::builder`].
#[must_use = "there is no agent before build"]
pub struct AgentBuilder(Inner);

impl AgentBuilder {
    pub(super) fn new(model: Arc<dyn Model>, tools: Arc<dyn Tools>) -> Self {
        Self(Inner {
            model,
            tools,
            approve: Arc::new(ReadOnly),
            journal: None,
            embedder: None,
            system: None,
            max_tokens: None,
            temperature: None,
            bounds: Bounds::default(),
            breaker: BreakerSettings::default(),
            selection: Selection::default(),
            in_order: false,
            prices: Prices::default(),
            results: ResultPolicy::default(),
            artifacts: Artifacts::new(ArtifactLimits::default()),
            checker: Checker::default(),
            known: Mutex::new(None),
        })
    }

    /// Sets who is asked before each call. Default: [`ReadOnly`], which allows those calls alone of whose tools the
    /// servers say that they change nothing.
    pub fn approve(mut self, approve: impl Approve) -> Self {
        self.0.approve = Arc::new(approve);
        self
    }

    /// Has the conversation kept as it goes on. Default: it is not.
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.0.journal = Some(Arc::new(journal));
        self
    }

    /// Has tools found by meaning as well as by words. Default: by words alone.
    pub fn embedder(mut self, embedder: impl Embedder) -> Self {
        self.0.embedder = Some(Arc::new(embedder));
        self
    }

    /// Sets what the model is to be. Default: nothing is said of it.
    pub fn system(mut self, system: impl Into<String>) -> Self {
        self.0.system = Some(system.into());
        self
    }

    /// Sets how many tokens an answer may have. Default: as the model's implementation says.
    pub const fn max_tokens(mut self, tokens: u32) -> Self {
        self.0.max_tokens = Some(tokens);
        self
    }

    /// Sets the temperature. Default: the provider's.
    pub const fn temperature(mut self, temperature: f64) -> Self {
        self.0.temperature = Some(temperature);
        self
    }

    /// Sets how far a run may go.
    pub const fn bounds(mut self, bounds: Bounds) -> Self {
        self.0.bounds = bounds;
        self
    }

    /// Sets when a model that goes round in circles is held back.
    pub const fn breaker(mut self, settings: BreakerSettings) -> Self {
        self.0.breaker = settings;
        self
    }

    /// Sets which of many tools the model is shown.
    pub const fn selection(mut self, selection: Selection) -> Self {
        self.0.selection = selection;
        self
    }

    /// Makes one call after the other, in the order of the model. Default: calls next to each other whose servers say
    /// that they only read are made at once.
    pub const fn in_order(mut self) -> Self {
        self.0.in_order = true;
        self
    }

    /// Sets what tokens cost, for [`Bounds::cost`] and [`Spent::cost`](crate::Spent::cost). Default: nothing is known.
    pub fn prices(mut self, prices: Prices) -> Self {
        self.0.prices = prices;
        self
    }

    /// Sets how results are made fit for the model. The name of the tool that reads artifacts is set by the agent.
    pub fn results(mut self, policy: ResultPolicy) -> Self {
        self.0.results = policy;
        self
    }

    /// Sets where what is too long is kept. Several agents may share it. Default: room of its own.
    pub fn artifacts(mut self, artifacts: Artifacts) -> Self {
        self.0.artifacts = artifacts;
        self
    }

    /// The agent.
    pub fn build(self) -> Agent {
        Agent::of(self.0)
    }
}

impl fmt::Debug for AgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentBuilder").field("bounds", &self.0.bounds).finish_non_exhaustive()
    }
}
