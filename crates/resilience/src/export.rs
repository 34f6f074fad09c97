//! Counters of layers, for whoever collects them.

mod page;
mod tables;

pub use page::Prometheus;

/// What kind of number a [`Counter`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CounterKind {
    /// It only grows.
    Counter,
    /// It is how something stands now.
    Gauge,
}

/// One number of a layer, with a name that stays the same.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Counter {
    /// Its name, by the rules of Prometheus: `bowline_retry_retries_total`.
    pub name: &'static str,
    /// What it counts, in a sentence.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: CounterKind,
    /// How much it is.
    pub value: f64,
}

/// A snapshot of the counters of a layer, number by number: for the collector that a program has, whichever that is.
///
/// The snapshots can be serialised as well, and [`Prometheus`] writes them as a page.
///
/// ```
/// use bowline_resilience::{Counters, CounterKind, recommended};
///
/// let layers = recommended();
/// layers.stats().each(&mut |counter| match counter.kind {
///     CounterKind::Counter => println!("counter {} is at {}", counter.name, counter.value),
///     _ => println!("gauge {} is at {}", counter.name, counter.value),
/// });
/// ```
pub trait Counters {
    /// Tells each number.
    fn each(&self, tell: &mut dyn FnMut(Counter));
}
