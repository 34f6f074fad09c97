//! Counters of layers and of what is around clients, for whoever collects them.

mod page;

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

/// One number of a snapshot, with a name that stays the same.
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

impl Counter {
    /// One number. `name` and `help` are one line each.
    pub const fn new(name: &'static str, help: &'static str, kind: CounterKind, value: f64) -> Self {
        Self { name, help, kind, value }
    }
}

/// A snapshot of counters, number by number: for the collector that a program has, whichever that is.
///
/// [`Prometheus`] writes them as a page.
///
/// ```
/// use bowline_client::{Counter, CounterKind, Counters};
///
/// /// What a queue of one's own counts.
/// struct Queue {
///     waiting: usize,
/// }
///
/// impl Counters for Queue {
///     fn each(&self, tell: &mut dyn FnMut(Counter)) {
///         let help = "Entries that wait.";
///         tell(Counter::new("queue_waiting", help, CounterKind::Gauge, self.waiting as f64));
///     }
/// }
///
/// Queue { waiting: 2 }.each(&mut |counter| println!("{} is at {}", counter.name, counter.value));
/// ```
pub trait Counters {
    /// Tells each number.
    fn each(&self, tell: &mut dyn FnMut(Counter));
}
