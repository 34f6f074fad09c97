//! How far a run may go, and how far it went.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Usage;

/// How far one run may go. At a bound the model is asked once more, without tools, for an answer from what it has.
///
/// ```
/// use std::time::Duration;
///
/// use bowline_llm::Bounds;
///
/// let bounds = Bounds::default().with_rounds(8).with_time(Duration::from_secs(60)).with_tokens(50_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Bounds {
    /// How often the model is asked with tools. Default: 25.
    pub rounds: u32,
    /// How many calls are made in all. Default: 200.
    pub calls: u32,
    /// How many calls of one answer are made; the model is told that the others were not. Default: 32.
    pub calls_a_round: usize,
    /// How many calls are open at once. Default: 8.
    pub calls_at_once: usize,
    /// How many tokens the answers and requests may take together, as the provider counts them. Default: no bound.
    pub tokens: Option<u64>,
    /// How much it may cost, in the currency of the [`Prices`]. Default: no bound.
    pub cost: Option<f64>,
    /// How long it may take. The last answer has 60 s beyond it. Default: 10 minutes.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            rounds: 25,
            calls: 200,
            calls_a_round: 32,
            calls_at_once: 8,
            tokens: None,
            cost: None,
            time: Duration::from_secs(600),
        }
    }
}

impl Bounds {
    /// Sets how often the model is asked with tools.
    #[must_use]
    pub const fn with_rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets how many calls are made in all.
    #[must_use]
    pub const fn with_calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// Sets how many calls of one answer are made.
    #[must_use]
    pub const fn with_calls_a_round(mut self, calls: usize) -> Self {
        self.calls_a_round = calls;
        self
    }

    /// Sets how many calls are open at once; one at least.
    #[must_use]
    pub const fn with_calls_at_once(mut self, calls: usize) -> Self {
        self.calls_at_once = if calls == 0 { 1 } else { calls };
        self
    }

    /// Sets how many tokens it may take.
    #[must_use]
    pub const fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Sets how much it may cost.
    #[must_use]
    pub const fn with_cost(mut self, cost: f64) -> Self {
        self.cost = Some(cost);
        self
    }

    /// Sets how long it may take.
    #[must_use]
    pub const fn with_time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// The bound that is reached, if one is.
    pub(crate) fn reached(&self, rounds: u32, calls: u32, spent: &Spent) -> Option<Bound> {
        if rounds >= self.rounds {
            Some(Bound::Rounds)
        } else if calls >= self.calls {
            Some(Bound::Calls)
        } else if self.tokens.is_some_and(|most| spent.usage.total() >= most) {
            Some(Bound::Tokens)
        } else if self.cost.is_some_and(|most| spent.cost.is_some_and(|cost| cost >= most)) {
            Some(Bound::Cost)
        } else {
            None
        }
    }
}

/// Which bound a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bound {
    /// [`Bounds::rounds`].
    Rounds,
    /// [`Bounds::calls`].
    Calls,
    /// [`Bounds::tokens`].
    Tokens,
    /// [`Bounds::cost`].
    Cost,
    /// [`Bounds::time`].
    Time,
}

/// What tokens of models cost. There are none built in: they change, and what is right is on the provider's page.
///
/// ```
/// use bowline_llm::{Price, Prices};
///
/// let prices = Prices::default().with("anthropic/some-model", Price::per_million(3.0, 15.0).with_cached(0.3));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices(HashMap<String, Price>);

/// What a million tokens cost.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Price {
    /// Of the request.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
    /// Of the request, where the provider still had them.
    pub cached: f64,
    /// Of the request, where the provider keeps them.
    pub cache_write: f64,
}

impl Price {
    /// A price where the provider's cache changes nothing.
    pub const fn per_million(input: f64, output: f64) -> Self {
        Self { input, output, cached: input, cache_write: input }
    }

    /// Sets what tokens cost that the provider still had.
    #[must_use]
    pub const fn with_cached(mut self, price: f64) -> Self {
        self.cached = price;
        self
    }

    /// Sets what tokens cost that the provider keeps.
    #[must_use]
    pub const fn with_cache_write(mut self, price: f64) -> Self {
        self.cache_write = price;
        self
    }

    /// What this costs.
    ///
    /// ```
    /// use bowline_llm::{Price, Usage};
    ///
    /// let mut usage = Usage::default();
    /// (usage.input_tokens, usage.output_tokens) = (1_000_000, 100_000);
    /// assert_eq!(Price::per_million(3.0, 15.0).of(&usage), 4.5);
    /// ```
    pub fn of(&self, usage: &Usage) -> f64 {
        let plain =
            usage.input_tokens.saturating_sub(usage.cached_input_tokens.saturating_add(usage.cache_write_tokens));
        let parts = [
            (plain, self.input),
            (usage.cached_input_tokens, self.cached),
            (usage.cache_write_tokens, self.cache_write),
            (usage.output_tokens, self.output),
        ];
        parts.iter().map(|(tokens, price)| *tokens as f64 * price / 1e6).sum()
    }
}

impl Prices {
    /// Sets the price of a model, by the name that [`Model::name`](crate::Model::name) gives.
    #[must_use]
    pub fn with(mut self, model: impl Into<String>, price: Price) -> Self {
        self.0.insert(model.into(), price);
        self
    }

    /// The price of a model.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.0.get(model).copied()
    }
}

/// What was used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Spent {
    /// Tokens, as the provider counts them.
    pub usage: Usage,
    /// What they cost; none where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

impl Spent {
    pub(crate) fn add(&mut self, usage: Usage, price: Option<Price>) {
        self.usage += usage;
        if let Some(price) = price {
            self.cost = Some(self.cost.unwrap_or_default() + price.of(&usage));
        }
    }
}
