//! The guard around the calls of one client.

mod arguments;
mod asking;
mod decide;
mod definitions;
mod ending;
mod lists;
mod meeting;
mod service;
mod subscribing;
mod welcome;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bowline_client::ClientBuilder;
use tower_layer::Layer;

use self::lists::Seat;
pub use self::service::GuardService;
use self::welcome::Owed;
use crate::guard::Core;

/// The guard around the calls to one server; made by [`Guard::layer`](crate::Guard::layer). It belongs outside of all
/// other layers: what is repeated, cached or hedged inside of it is one call to it.
///
/// Lists that pass it are held against the pins, and what is held back is taken out of them. Before a call of a tool or
/// prompt its definition is known: where no list has passed since the connection was made, since the server said that a
/// list changed, or for [a while](crate::GuardBuilder::definitions_for), it asks for one. What is of the protocol
/// itself (lists, pings, looks at tasks, subscriptions to lists and tasks) goes without a verdict.
#[derive(Clone)]
pub struct GuardLayer {
    core: Arc<Core>,
    seat: SeatSettings,
}

/// What a layer knows of the server that it is for.
#[derive(Debug, Clone)]
pub(crate) struct SeatSettings {
    /// The name that it has for rules, records and people.
    pub(crate) server: Arc<str>,
    /// What its pins are kept under.
    pub(crate) key: Arc<str>,
    /// What answers about it are kept under; the key, where nothing else is said.
    pub(crate) answers_key: Option<Arc<str>>,
    pub(crate) identity: Option<String>,
    /// What an earlier version named the way by.
    pub(crate) earlier: Option<String>,
    pub(crate) is_trusted: bool,
    pub(crate) is_pinned: bool,
    pub(crate) caller: Option<Arc<str>>,
    pub(crate) approved: Option<Approved>,
    /// Whether it was told that the server is reached another way than was pinned.
    pub(crate) told_moved: Arc<AtomicBool>,
    /// What has to be pinned of its last handshake.
    pub(crate) owed: Arc<Owed>,
}

/// Which tools need no question.
#[derive(Clone)]
pub(crate) struct Approved(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl SeatSettings {
    pub(crate) fn answers_key(&self) -> &Arc<str> {
        self.answers_key.as_ref().unwrap_or(&self.key)
    }

    /// Whether calls of a tool were approved before any was made.
    pub(crate) fn approves(&self, tool: &str) -> bool {
        self.approved.as_ref().is_some_and(|Approved(approved)| approved(tool))
    }
}

impl fmt::Debug for Approved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Approved")
    }
}

impl GuardLayer {
    pub(crate) fn new(core: Arc<Core>, server: Arc<str>, caller: Option<Arc<str>>) -> Self {
        let is_trusted = core.policy.as_ref().is_some_and(|policy| policy.trusts(&server));
        let key = Arc::clone(&server);
        Self {
            core,
            seat: SeatSettings {
                server,
                key,
                answers_key: None,
                identity: None,
                earlier: None,
                is_trusted,
                is_pinned: true,
                caller,
                approved: None,
                told_moved: Arc::default(),
                owed: Arc::default(),
            },
        }
    }

    /// Sets what the server's pins and the answers about it are kept under. Default: its name, which rules, `trust`, records,
    /// events and questions have whatever the key is. Set it where two servers of one name share a lock file or a memory, as
    /// those of two projects do.
    #[must_use]
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.seat.key = key.into();
        self
    }

    /// Sets what the answers about the server are kept under, where that is not the [key](Self::key): a lock file belongs to
    /// one project, and what keeps answers may be for many.
    #[must_use]
    pub fn answers_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.seat.answers_key = Some(key.into());
        self
    }

    /// Sets what names the way to the server, without secrets: its address, or its command line
    /// ([`Connect::identity`](bowline_transport::Connect::identity)). It is pinned with the server. Default: nothing.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.seat.identity = Some(identity.into());
        self
    }

    /// Sets what the way was named by in lock files of format 1, where that is another text than the
    /// [identity](Self::identity). In such a file the server is the same by it, once, and is pinned by its identity from then
    /// on. Default: the identity.
    #[must_use]
    pub fn earlier_identity(mut self, identity: impl Into<String>) -> Self {
        self.seat.earlier = Some(identity.into());
        self
    }

    /// Sets whether definitions are pinned, where the guard has pins. Default: yes. Say no for a server whose name is not its
    /// own for long.
    #[must_use]
    pub const fn pin(mut self, is_pinned: bool) -> Self {
        self.seat.is_pinned = is_pinned;
        self
    }

    /// Sets whether what the server says of its tools (annotations) is believed. Default: what the policy says.
    #[must_use]
    pub const fn trust(mut self, is_trusted: bool) -> Self {
        self.seat.is_trusted = is_trusted;
        self
    }

    /// Sets which of the server's tools are called without asking somebody where the policy asks. Default: none. What was
    /// refused for good before ([`Answer::Never`](crate::Answer::Never)) stays refused, and about a definition that is new or
    /// changed somebody is asked all the same.
    #[must_use]
    pub fn approve(mut self, tools: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.seat.approved = Some(Approved(Arc::new(tools)));
        self
    }

    /// A client's settings with this layer, inside of the layers that it has already. Three things pass no layer: what the
    /// server says of itself in the handshake, its instructions among it; a subscription to resources
    /// ([`Client::subscribe`](bowline_client::Client::subscribe)); and what the server asks. Here the first is looked at, and
    /// held against its pins, the second is decided on, and the third is refused to another program or address under a known
    /// name, which they are not where the layer is given to [`ClientBuilder::layer`].
    pub fn around(self, builder: ClientBuilder) -> ClientBuilder {
        let seat = Arc::new(Seat::new(self.seat.clone()));
        let (core, its) = (Arc::clone(&self.core), Arc::clone(&seat));
        let guards = Arc::clone(&self.core);
        let (asked, of) = (Arc::clone(&self.core), Arc::clone(&seat));
        builder
            .screen_server(move |said| welcome::look_at(&core, &its, said))
            .screen_requests(move |method| meeting::admit(&asked, &of, method))
            .screen_subscriptions(move |call| {
                let (core, seat) = (Arc::clone(&guards), Arc::clone(&seat));
                async move { subscribing::admit(&core, &seat, call).await }
            })
            .layer(self)
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService::new(Arc::clone(&self.core), Arc::new(Seat::new(self.seat.clone())), inner)
    }
}

impl fmt::Debug for GuardLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardLayer").field("seat", &self.seat).finish_non_exhaustive()
    }
}
