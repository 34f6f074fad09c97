//! Faults of the wire, by a plan that a seed decides.

#[cfg(any(feature = "http", feature = "socket"))]
mod bytes;
mod connect;
mod exchange;
mod plan;
#[cfg(any(feature = "http", feature = "socket"))]
mod proxy;
mod seed;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline_transport::Connect;

pub use self::connect::FaultyConnect;
pub use self::plan::FaultPlan;
#[cfg(any(feature = "http", feature = "socket"))]
pub use self::proxy::FaultyProxy;
pub use self::seed::Seed;

use self::plan::What;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a wire has two ends")]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToServer => "to the server",
            Self::ToClient => "to the client",
        })
    }
}

/// What goes wrong between a client and a server, by a [`FaultPlan`] for each direction.
///
/// The same seed makes the same faults: what happens to the n-th message of a direction on the m-th connection depends
/// on these numbers and on nothing else. Clones share the counters and the number of the connection.
///
/// A request is never handed on twice: that would be the wire's doing, and whoever counts what a server carries out
/// wants to see the client's. What is dropped or garbled on its way counts as sent for the client, as it would for
/// any sender.
///
/// ```
/// use bowline_testkit::{FaultPlan, Faults, MockServer};
/// use bowline_transport::{Connect, Transport};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = MockServer::builder().build();
/// let faults = Faults::seeded(7)
///     .to_client(FaultPlan::new().delay(0.2, Duration::from_millis(5)).drop(0.01).cut(0.001))
///     .spare("initialize");
/// let connect = faults.wrap(server.connector());
/// connect.connect().await?.close().await?;
/// assert!(faults.counts().to_string().starts_with("0 messages"));
/// println!("{faults}"); // the seed, to see the same again
/// # Ok::<(), bowline_transport::TransportError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

/// What all connections of a [`Faults`] share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plans {
    to_server: FaultPlan,
    to_client: FaultPlan,
    spared: Vec<String>,
}

struct Shared {
    seed: Seed,
    plans: Plans,
    connections: AtomicU64,
    counts: Mutex<FaultCounts>,
}

/// How often what went wrong. Of a proxy, messages are blocks of 1,024 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultCounts {
    /// Messages that came by, spared ones left out.
    pub messages: u64,
    /// Those that were handed on late.
    pub delayed: u64,
    /// Those that were lost.
    pub dropped: u64,
    /// Connections that were cut.
    pub cut: u64,
    /// Those that came twice.
    pub duplicated: u64,
    /// Those that were overtaken.
    pub reordered: u64,
    /// Those that were made unreadable.
    pub garbled: u64,
}

impl Faults {
    /// Without a plan nothing goes wrong.
    pub fn seeded(seed: u64) -> Self {
        Self::with(Seed::new(seed), Plans::default())
    }

    fn with(seed: Seed, plans: Plans) -> Self {
        Self(Arc::new(Shared { seed, plans, connections: AtomicU64::new(0), counts: Mutex::default() }))
    }

    fn changed(self, change: impl FnOnce(&mut Plans)) -> Self {
        let mut plans = self.0.plans.clone();
        change(&mut plans);
        Self::with(self.0.seed, plans)
    }

    /// Sets what goes wrong on the way to the server.
    #[must_use]
    pub fn to_server(self, plan: FaultPlan) -> Self {
        self.changed(|plans| plans.to_server = plan)
    }

    /// Sets what goes wrong on the way to the client.
    #[must_use]
    pub fn to_client(self, plan: FaultPlan) -> Self {
        self.changed(|plans| plans.to_client = plan)
    }

    /// Leaves this method, and the answers to it, alone; may be called again. A proxy of bytes knows no methods.
    #[must_use]
    pub fn spare(self, method: impl Into<String>) -> Self {
        self.changed(|plans| plans.spared.push(method.into()))
    }

    /// Puts the faults between a client and what `inner` connects to.
    pub fn wrap<C: Connect>(&self, inner: C) -> FaultyConnect<C> {
        FaultyConnect::new(self.clone(), inner)
    }

    /// The seed, to see the same faults again.
    pub fn seed(&self) -> u64 {
        self.0.seed.number()
    }

    /// What went wrong so far, on all connections.
    pub fn counts(&self) -> FaultCounts {
        *self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_spared(&self, method: &str) -> bool {
        self.0.plans.spared.iter().any(|spared| spared == method)
    }

    fn plan(&self, direction: Direction) -> &FaultPlan {
        match direction {
            Direction::ToServer => &self.0.plans.to_server,
            Direction::ToClient => &self.0.plans.to_client,
        }
    }

    /// The number of a fresh connection, from 1.
    fn next_connection(&self) -> u64 {
        self.0.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What happens to the n-th message or block, counted.
    fn decide(&self, connection: u64, direction: Direction, n: u64) -> (What, Seed) {
        let mut seed = self.0.seed.at(&[connection, direction as u64, n]);
        let what = self.plan(direction).choose(&mut seed);
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.messages += 1;
        match what {
            What::Nothing => {}
            What::Delay(_) => counts.delayed += 1,
            What::Drop => counts.dropped += 1,
            What::Cut => counts.cut += 1,
            What::Duplicate => counts.duplicated += 1,
            What::Reorder => counts.reordered += 1,
            What::Garble => counts.garbled += 1,
        }
        drop(counts);
        (what, seed)
    }

    /// How long so many bytes keep the wire busy.
    fn time_of(&self, direction: Direction, bytes: usize) -> Duration {
        self.plan(direction).time_of(bytes)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed(), self.counts())
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("seed", &self.seed())
            .field("plans", &self.0.plans)
            .field("counts", &self.counts())
            .finish()
    }
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, delayed, dropped, cut, duplicated, reordered, garbled } = self;
        write!(
            f,
            "{messages} messages, {delayed} delayed, {dropped} dropped, {cut} cut, {duplicated} duplicated, \
             {reordered} reordered, {garbled} garbled"
        )
    }
}

#[cfg(test)]
mod tests;
