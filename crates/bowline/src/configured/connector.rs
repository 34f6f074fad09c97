//! A configured server whose variables are filled in when it is connected to.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_client::Error;
use bowline_config::{Endpoint, Replica, Resolver, Server, Transport as Reached, VariableSource};
use bowline_protocol::Era;
use bowline_transport::{BoxFuture, Connect, Transport, TransportError, TransportErrorKind};

/// From an endpoint to a way to it.
pub(super) type MakeWay =
    dyn Fn(Arc<Server>, Endpoint) -> BoxFuture<'static, Result<Box<dyn Connect>, Error>> + Send + Sync;

/// The way to one address of a configured server.
///
/// What the system is asked for (files, the keyring, commands) is asked anew for each connection: secrets change while
/// a program runs, and nobody wants a password manager to open for servers that are not used.
pub(super) struct Configured {
    server: Arc<Server>,
    replica: Option<Replica>,
    resolver: Arc<Resolver>,
    make_way: Arc<MakeWay>,
    /// The way that was taken last. It is kept as long as its endpoint stays the same, since ways learn.
    last: Mutex<Option<(Endpoint, Arc<dyn Connect>)>>,
}

impl Configured {
    pub(super) fn new(
        server: Arc<Server>,
        replica: Option<Replica>,
        resolver: Arc<Resolver>,
        make_way: Arc<MakeWay>,
    ) -> Self {
        Self { server, replica, resolver, make_way, last: Mutex::new(None) }
    }

    fn last(&self) -> MutexGuard<'_, Option<(Endpoint, Arc<dyn Connect>)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn way(&self) -> Result<Arc<dyn Connect>, TransportError> {
        let endpoint = if waits(&self.server) {
            let (server, replica) = (Arc::clone(&self.server), self.replica.clone());
            let resolver = Arc::clone(&self.resolver);
            let filled = tokio::task::spawn_blocking(move || resolved(&server, replica.as_ref(), &resolver));
            filled.await.map_err(|_| refused("the variables of the server could not be filled in"))?
        } else {
            resolved(&self.server, self.replica.as_ref(), &self.resolver)
        };
        let endpoint = endpoint.map_err(|error| refused(error.to_string()).with_source(error))?;
        if let Some((last, way)) = &*self.last()
            && *last == endpoint
        {
            return Ok(Arc::clone(way));
        }
        let way = (self.make_way)(Arc::clone(&self.server), endpoint.clone()).await;
        let way: Arc<dyn Connect> = Arc::from(way.map_err(|error| refused(error.to_string()).with_source(error))?);
        *self.last() = Some((endpoint, Arc::clone(&way)));
        Ok(way)
    }

    fn known<T>(&self, what: impl FnOnce(&dyn Connect) -> Option<T>) -> Option<T> {
        let last = self.last();
        last.as_ref().and_then(|(_, way)| what(&**way))
    }
}

/// Fills in the variables.
fn resolved(
    server: &Server,
    replica: Option<&Replica>,
    resolver: &Resolver,
) -> Result<Endpoint, bowline_config::Error> {
    match replica {
        Some(replica) => server.resolve_replica(replica, resolver),
        None => server.resolve(resolver),
    }
}

/// Whether filling in the variables may take its time.
fn waits(server: &Server) -> bool {
    let reads_file = matches!(&server.transport, Reached::Stdio(stdio) if stdio.env_file.is_some());
    reads_file
        || server.variables().any(|variable| {
            matches!(variable.source, VariableSource::File | VariableSource::Keyring | VariableSource::Command)
        })
}

/// What is wrong with the entry will be so at the next attempt as well.
fn refused(why: impl Into<String>) -> TransportError {
    TransportError::new(TransportErrorKind::Config, why)
}

impl Connect for Configured {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move { self.way().await?.connect().await })
    }

    fn describe(&self) -> String {
        let shown = |server: &Server| match (&server.transport, &self.replica) {
            (_, Some(replica)) => replica.shown_url(),
            (Reached::Remote(remote), None) => remote.shown_url(),
            (Reached::Stdio(stdio), None) => stdio.command.shown(),
            _ => String::new(),
        };
        self.known(|way| Some(way.describe())).unwrap_or_else(|| shown(&self.server))
    }

    fn server_lives_on(&self) -> bool {
        !matches!(self.server.transport, Reached::Stdio(_))
    }

    fn era(&self) -> Option<Era> {
        self.known(Connect::era)
    }

    fn identity(&self) -> Option<String> {
        // The same before and after variables are filled in, and without what they stand for.
        let url = match (&self.server.transport, &self.replica) {
            (_, Some(replica)) => replica.shown_url(),
            (Reached::Remote(remote), None) => remote.shown_url(),
            _ => return None,
        };
        url.split(['?', '#']).next().map(str::to_owned)
    }
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("server", &self.server.name).finish_non_exhaustive()
    }
}

/// An entry that cannot be used: whoever connects is told why.
#[derive(Debug)]
pub(super) struct Unusable(pub(super) String);

impl Connect for Unusable {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(std::future::ready(Err(refused(self.0.as_str()))))
    }

    fn describe(&self) -> String {
        "an entry that cannot be used".to_owned()
    }
}
