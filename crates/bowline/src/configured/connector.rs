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
            (Reached::Stdio(stdio), None) => stdio.shown_command(),
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

#[cfg(test)]
mod tests {
    use bowline_config::{Configuration, Host, Surroundings, System};
    use bowline_testkit::MockServer;

    use super::*;

    #[tokio::test]
    async fn a_secret_out_of_a_file_is_read_for_each_connection_and_a_way_is_kept_while_it_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        let text = "[servers.a]\ncommand = 'srv'\nargs = ['${file:secret}']\n";
        let config = Configuration::read(Host::Bowline, folder.path().join("bowline.toml"), text);
        let server = Arc::new(config.server("a").unwrap().clone());
        let resolver = Arc::new(Resolver::new(Surroundings::new(System::current())));
        let made = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&made);
        let make_way: Arc<MakeWay> = Arc::new(move |_, endpoint| {
            let Endpoint::Program(program) = endpoint else { panic!("{endpoint:?}") };
            seen.lock().unwrap().extend(program.args);
            let way: Box<dyn Connect> = Box::new(MockServer::builder().build().connector());
            Box::pin(std::future::ready(Ok(way)))
        });
        let way = Configured::new(server, None, resolver, make_way);
        let error = way.connect().await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Config);
        assert!(error.to_string().contains("secret"), "{error}");
        for text in ["one\n", "one\n", "two\n"] {
            std::fs::write(&secret, text).unwrap();
            way.connect().await.map(|_| ()).unwrap();
        }
        assert_eq!(*made.lock().unwrap(), ["one", "two"]);
    }

    #[test]
    fn what_a_server_is_called_for_the_memory_of_eras_holds_no_secret() {
        let text = "[servers.a]\nurl = 'https://u:t0p@${HOST}/mcp?key=t0p'\n[servers.b]\ncommand = 'srv'\n";
        let config = Configuration::read(Host::Bowline, "bowline.toml", text);
        let way = |name: &str| {
            let resolver = Arc::new(Resolver::new(Surroundings::new(System::current()).with_env("HOST", "t0p")));
            let make_way: Arc<MakeWay> = Arc::new(|_, _| panic!("nobody connects"));
            Configured::new(Arc::new(config.server(name).unwrap().clone()), None, resolver, make_way)
        };
        let a = way("a");
        let identity = a.identity().unwrap();
        assert_eq!(identity, "https://(hidden)@${HOST}/mcp");
        assert!(!format!("{a:?} {}", a.describe()).contains("t0p"));
        assert!(a.server_lives_on() && !way("b").server_lives_on() && way("b").identity().is_none());
    }
}
