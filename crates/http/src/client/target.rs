//! Where a request goes, worked out once for all requests that go there.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_transport::{TransportError, TransportErrorKind};
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Intercept;
use tokio::sync::Semaphore;
use url::Url;

use super::pool::Pool;
use super::{Inner, shown};

/// An address, ready to be asked.
#[derive(Clone)]
pub(crate) struct Target(Arc<Known>);

struct Known {
    url: Url,
    shown: String,
    route: Result<Route, TransportError>,
}

/// What leads there.
pub(super) struct Route {
    pub(super) origin: Arc<Origin>,
    /// What the first line of a request says: the path, or all of it where a proxy reads it.
    pub(super) line: Uri,
    /// All of it.
    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "HTTP/1.1 has it in its header"))]
    pub(super) whole: Uri,
    pub(super) host: HeaderValue,
    /// What a proxy wants to know that reads the requests.
    pub(super) proxy_authorization: Option<HeaderValue>,
}

/// What the targets on one origin share.
pub(super) struct Origin {
    pub(super) secure: bool,
    /// The host as TLS knows it, without brackets.
    pub(super) name: String,
    /// The scheme, host and port alone.
    pub(super) root: Uri,
    pub(super) proxy: Option<Intercept>,
    pub(super) pool: Arc<Pool>,
    /// How many more requests may be open to the host.
    pub(super) room: Arc<Semaphore>,
}

/// Every origin that is spoken to.
#[derive(Default)]
pub(super) struct Origins(Mutex<Table>);

#[derive(Default)]
struct Table {
    origins: HashMap<(bool, String, u16), Arc<Origin>>,
    /// Limits are those of hosts, whatever the port.
    rooms: HashMap<String, Arc<Semaphore>>,
}

impl Target {
    pub(super) fn new(client: &Inner, url: Url) -> Self {
        let shown = shown(&url);
        let route = Route::to(client, &url, &shown);
        Self(Arc::new(Known { url, shown, route }))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0.url
    }

    /// The address for messages, without secrets.
    pub(crate) fn shown(&self) -> &str {
        &self.0.shown
    }

    /// What leads there; an error where nothing may.
    pub(super) fn route(&self) -> Result<&Route, TransportError> {
        self.0.route.as_ref().map_err(Clone::clone)
    }
}

impl Route {
    fn to(client: &Inner, url: &Url, shown: &str) -> Result<Self, TransportError> {
        let cannot = |why: String| {
            TransportError::new(TransportErrorKind::Config, format!("the request to {shown} cannot be made: {why}"))
        };
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(cannot(format!("the scheme \"{other}\" is not spoken here"))),
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(cannot("it has no host".to_owned()));
        };
        if secure {
            client.settings.tls.permits(host, shown)?;
        }
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{}{query}", url.path());
        let scheme = url.scheme();
        let parsed = |text: String| text.parse::<Uri>().map_err(|error| cannot(error.to_string()).with_source(error));
        let whole = parsed(format!("{scheme}://{authority}{path}"))?;
        let root = parsed(format!("{scheme}://{host}:{port}/"))?;
        let host_header = HeaderValue::try_from(&authority).map_err(|error| cannot(error.to_string()))?;
        let origin = client.origins.get(client, secure, host, port, root);
        let reads = origin.proxy.as_ref().filter(|_| !secure);
        Ok(Self {
            line: if reads.is_some() { whole.clone() } else { parsed(path)? },
            proxy_authorization: reads.and_then(Intercept::basic_auth).cloned(),
            whole,
            host: host_header,
            origin,
        })
    }
}

impl Origins {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, client: &Inner, secure: bool, host: &str, port: u16, root: Uri) -> Arc<Origin> {
        let mut table = self.lock();
        let Table { origins, rooms } = &mut *table;
        let key = (secure, host.to_owned(), port);
        if let Some(origin) = origins.get(&key) {
            return Arc::clone(origin);
        }
        // Those that nobody speaks to, and that have no connections, are as good as new.
        origins.retain(|_, origin| Arc::strong_count(origin) > 1 || !origin.pool.is_empty());
        rooms.retain(|_, room| Arc::strong_count(room) > 1);
        let per_host = client.settings.per_host.clamp(1, Semaphore::MAX_PERMITS);
        let room = rooms.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(per_host)));
        let name = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        let origin = Arc::new(Origin {
            secure,
            name: name.to_owned(),
            proxy: client.proxy_for(secure, &root),
            root,
            pool: Arc::default(),
            room: Arc::clone(room),
        });
        origins.insert(key, Arc::clone(&origin));
        origin
    }
}

impl Inner {
    /// The proxy that the environment or the system names for an origin, if it does.
    fn proxy_for(&self, secure: bool, root: &Uri) -> Option<Intercept> {
        // Nobody may stand in for this machine: what is for it would leave it, in the clear where it is `http`, and
        // to a proxy the name means the proxy's own machine.
        let here = root.host().is_some_and(bowline_tls::is_this_machine);
        let unchecked = secure && self.settings.tls.accepts_any_certificate();
        if here || unchecked || !self.settings.proxy_from_env {
            return None;
        }
        self.proxies.get_or_init(hyper_util::client::proxy::matcher::Matcher::from_system).intercept(root)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.shown()).finish()
    }
}
