//! From a configured server to a way to it.

#[cfg(feature = "hub")]
mod connector;
#[cfg(feature = "resilience")]
mod layers;
#[cfg(feature = "hub")]
mod members;
#[cfg(all(feature = "hub", feature = "auth"))]
mod oauth;
#[cfg(feature = "watch")]
mod watch;
#[cfg(feature = "guard")]
mod way;

#[cfg(feature = "resilience")]
pub use self::layers::ConfiguredLayers;
#[cfg(feature = "hub")]
pub use self::members::{Members, pool_settings};
#[cfg(feature = "watch")]
pub use self::watch::{ConfigEvent, ConfigWatch};
#[cfg(feature = "guard")]
pub use self::way::{earlier_identity, identity};

use bowline_client::Error;
use bowline_config::{Address, Endpoint, Way};

use crate::target::{Target, TargetOptions, TransportChoice, config};

impl Target {
    /// The way to a server of a configuration, once its variables are filled in.
    ///
    /// ```no_run
    /// use bowline::config::{Configuration, Resolver, Sources, Surroundings};
    /// use bowline::{Client, Target};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let around = Surroundings::of_process();
    /// let config = Configuration::load(&around, &Sources::default());
    /// let endpoint = config.server("tickets")?.resolve(&Resolver::new(around))?;
    /// let client = Client::builder().connect(Target::configured(&endpoint)?).await?;
    /// # client.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where the address is none, its feature is off, or what the
    /// server is given does not fit it.
    pub fn configured(endpoint: &Endpoint) -> Result<Self, Error> {
        match endpoint {
            Endpoint::Remote(address) => Self::to_address(address, TargetOptions::default()),
            #[cfg(feature = "stdio")]
            Endpoint::Program(program) => Ok(Self::of(Box::new(program_of(program)))),
            #[cfg(not(feature = "stdio"))]
            Endpoint::Program(_) => Err(crate::target::without("stdio")),
            _ => Err(config("this version has no way to such a server")),
        }
    }

    /// The way to an address of a configuration, with more options: a transport that is set there wins, and so does a
    /// token. A header that is set there takes the place of one of its name.
    ///
    /// # Errors
    /// As [`configured`](Self::configured).
    pub fn to_address(address: &Address, options: TargetOptions) -> Result<Self, Error> {
        // What is no address would be taken for a command line.
        if !Self::is_url(address.url.trim()) {
            return Err(config("the url of the server is none of http:, https:, ws:, wss:, unix: and tcp:"));
        }
        let mut all = TargetOptions { bearer: options.bearer.or_else(|| address.bearer.clone()), ..options };
        if all.transport == TransportChoice::Auto {
            all.transport = match address.way {
                Way::Http => TransportChoice::Http,
                Way::Sse => TransportChoice::Sse,
                Way::SseFirst => TransportChoice::SseFirst,
                Way::WebSocket => TransportChoice::WebSocket,
                _ => TransportChoice::Auto,
            };
        }
        for (name, value) in &address.headers {
            if !all.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                all.headers.push((name.clone(), value.clone()));
            }
        }
        Self::parse_with(&address.url, &all)
    }
}

/// A guard's layer as a server's entry wants it: the way to the server is pinned as the entry has it, what the server says
/// of its tools is believed where the entry says `trust`, and tools that the entry, or the policy that it names, `approve`s
/// are called without a question where both permit them.
#[cfg(feature = "guard")]
pub fn guarded(
    layer: bowline_guard::GuardLayer,
    server: &bowline_config::Server,
    policy: Option<&bowline_config::Policy>,
) -> bowline_guard::GuardLayer {
    let layer = match server.trust {
        Some(trust) => layer.trust(trust),
        None => layer,
    };
    let rules: Vec<_> = std::iter::once(&server.tools).chain(policy.map(|policy| &policy.tools)).cloned().collect();
    let earlier = earlier_identity(server);
    layer.identity(identity(server)).earlier_identity(earlier).approve(move |tool| {
        rules.iter().all(|rules| rules.permits(tool)) && rules.iter().any(|rules| rules.approves(tool))
    })
}

/// A program of a configuration, with the settings of [`stdio`](fn@crate::stdio) beside its own.
#[cfg(feature = "stdio")]
pub fn program_of(program: &bowline_config::Program) -> bowline_stdio::StdioConnect {
    let start = crate::stdio(program.command.as_str()).args(program.args.iter().map(String::as_str));
    let start = program.env.iter().fold(start, |start, (name, value)| start.env(name, value));
    match &program.cwd {
        Some(folder) => start.current_dir(folder),
        None => start,
    }
}

#[cfg(test)]
#[cfg(all(feature = "stdio", feature = "http"))]
mod tests {
    use bowline_client::ErrorKind;
    use bowline_config::{Configuration, Host, Resolver, Surroundings, System};
    use bowline_transport::Connect;

    use super::*;

    fn target(entry: &str) -> Result<Target, Error> {
        let text = format!("{{\"mcpServers\":{{\"a\":{entry}}}}}");
        let config = Configuration::read(Host::Generic, "f.json", &text);
        let resolver = Resolver::new(Surroundings::new(System::current()));
        Target::configured(&config.server("a").unwrap().resolve(&resolver).unwrap())
    }

    #[test]
    fn a_configured_server_has_its_way() {
        assert!(!target(r#"{"command":"srv","args":["a b"],"env":{"K":"v"},"cwd":"/x"}"#).unwrap().server_lives_on());
        assert!(target(r#"{"url":"http://h/mcp","headers":{"A":"b"}}"#).unwrap().server_lives_on());
        assert!(target(r#"{"type":"http","url":"http://h/sse"}"#).unwrap().server_lives_on());
    }

    #[test]
    fn what_is_no_address_is_not_started_as_a_program() {
        // One that stands in the file as such is refused by whoever reads that.
        for url in ["touch /tmp/x", "stdio:touch x", "file:///x"] {
            let entry = format!("{{\"url\":\"${{U:-{url}}}\"}}");
            assert_eq!(target(&entry).map(|_| ()).unwrap_err().kind(), ErrorKind::Config, "{entry}");
        }
        // Nor is one that does not fit its transport.
        let entry = r#"{"type":"ws","url":"${U:-http://h}"}"#;
        assert_eq!(target(entry).map(|_| ()).unwrap_err().kind(), ErrorKind::Config);
    }
}
