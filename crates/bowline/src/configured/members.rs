//! Configured servers as members of a hub.

use std::fmt;
use std::sync::Arc;

use bowline_client::{ClientBuilder, Error, Timeouts};
use bowline_config::{Configuration, Endpoint, NameRules, Policy, Resolver, Server, ToolRules};
use bowline_hub::{Filter, Member, PoolSettings};
use bowline_transport::{BoxFuture, Connect};

use super::connector::{Configured, MakeWay, Unusable};
use crate::target::Target;

type SetUp = dyn Fn(&Server, ClientBuilder) -> ClientBuilder + Send + Sync;

/// Makes members of a [`Hub`](crate::hub::Hub) of the servers of a configuration.
///
/// Each server that is switched on is a member under the name that it has there, with the pool, the layers (feature
/// `resilience`), the limits on time, the rules for tools and the groups that its entry names, and those of its policy.
/// Which tools may be used without asking somebody is for a guard ([`with_guard`](Self::with_guard)).
///
/// A server that cannot be used is a member as well, so that nobody looks for it in vain: what it is called for fails
/// with the reason, as a variable without a value, a transport that is not compiled in, or a folder that is not
/// trusted. None stops the others.
///
/// ```
/// use bowline::Members;
/// use bowline::config::{Configuration, Resolver, Sources, Surroundings};
///
/// let around = Surroundings::of_process();
/// let config = Configuration::load(&around, &Sources::default());
/// let members = Members::new(Resolver::new(around)).of(&config);
/// println!("{} servers", members.len());
/// ```
#[derive(Clone)]
pub struct Members {
    resolver: Arc<Resolver>,
    make_way: Arc<MakeWay>,
    set_up: Option<Arc<SetUp>>,
    #[cfg(feature = "guard")]
    guard: Option<bowline_guard::Guard>,
}

impl Members {
    /// Members whose variables this fills in. Texts out of files, the keyring and commands are asked for anew with each
    /// connection.
    pub fn new(resolver: Resolver) -> Self {
        let make_way: Arc<MakeWay> =
            Arc::new(|_, endpoint| Box::pin(std::future::ready(boxed(Target::configured(&endpoint)))));
        Self {
            resolver: Arc::new(resolver),
            make_way,
            set_up: None,
            #[cfg(feature = "guard")]
            guard: None,
        }
    }

    /// Has servers on the web authorized by OAuth, where they have no credentials of their own and their entry does not
    /// refuse it. `set_up` is given what the entry says (client, scopes, where the browser is sent back to) and adds a
    /// store for tokens and somebody to ask.
    ///
    /// It takes the place of [`with_way`](Self::with_way).
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn with_oauth(
        self,
        set_up: impl Fn(&Server, bowline_auth::OAuthBuilder) -> bowline_auth::OAuthBuilder + Send + Sync + 'static,
    ) -> Self {
        let (resolver, set_up) = (Arc::clone(&self.resolver), Arc::new(set_up));
        self.with_way(move |server, endpoint| {
            let (resolver, set_up) = (Arc::clone(&resolver), Arc::clone(&set_up));
            async move {
                // A secret may come from a command.
                let made = tokio::task::spawn_blocking(move || {
                    boxed(super::oauth::way(&server, &endpoint, &resolver, |oauth| set_up(&server, oauth)))
                });
                made.await.unwrap_or_else(|_| Err(crate::target::config("the login could not be made ready")))
            }
        })
    }

    /// Sets how an endpoint is reached; by default as [`Target::configured`] does. It is called for each connection whose
    /// endpoint is another one than before.
    #[must_use]
    pub fn with_way<F, R>(mut self, way: F) -> Self
    where
        F: Fn(Arc<Server>, Endpoint) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Box<dyn Connect>, Error>> + Send + 'static,
    {
        self.make_way = Arc::new(move |server, endpoint| -> BoxFuture<'static, _> { Box::pin(way(server, endpoint)) });
        self
    }

    /// Sets how the clients of members are set up: handlers, keep-alive, layers of one's own, which are outside of those
    /// of the entry. It is called for each connection; limits on time that it sets win over those of the entry.
    #[must_use]
    pub fn with_client(
        mut self,
        set_up: impl Fn(&Server, ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.set_up = Some(Arc::new(set_up));
        self
    }

    /// Guards the calls to all members, each under its own name, outside of all other layers, and as its entry wants it
    /// ([`guarded`](crate::guarded)).
    #[cfg(feature = "guard")]
    #[must_use]
    pub fn with_guard(mut self, guard: bowline_guard::Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// The members of a configuration: all servers that are switched on, and those whose entries are broken.
    pub fn of(&self, config: &Configuration) -> Vec<Member> {
        let servers = config.servers().iter().filter(|server| server.enabled);
        let members = servers.map(|server| self.member(config, server));
        let broken = config.broken().iter().map(|name| {
            let why = match config.server(name) {
                Ok(_) => "the entry cannot be used".to_owned(),
                Err(error) => error.to_string(),
            };
            in_groups(unusable(config, name, &why), config, name)
        });
        members.chain(broken).collect()
    }

    /// One server as a member.
    pub fn member(&self, config: &Configuration, server: &Server) -> Member {
        let member = match self.usable(config, server) {
            Ok(member) => member,
            Err(error) => unusable(config, &server.name, &error.to_string()),
        };
        in_groups(member, config, &server.name)
    }

    fn usable(&self, config: &Configuration, server: &Server) -> Result<Member, Error> {
        let policy = config.policy_of(server).map_err(|error| crate::target::config(error.to_string()))?;
        let shared = Arc::new(server.clone());
        let way = |replica| {
            let (resolver, make_way) = (Arc::clone(&self.resolver), Arc::clone(&self.make_way));
            Configured::new(Arc::clone(&shared), replica, resolver, make_way)
        };
        #[cfg(feature = "resilience")]
        let layers = super::ConfiguredLayers::new(&server.layers)?;
        #[cfg(feature = "guard")]
        let guard = self.guard.as_ref().map(|guard| super::guarded(guard.layer(server.name.as_str()), server, policy));
        let set_up = self.set_up.clone();
        let its = Arc::clone(&shared);
        let mut member = Member::new(server.name.as_str(), way(None))
            .filter(filter(server, policy))
            .fingerprint((server.fingerprint(), format!("{policy:?}"), groups(config, &server.name)))
            .client(move |builder| {
                let builder = builder.timeouts(timeouts(&its));
                #[cfg(feature = "guard")]
                let builder = match &guard {
                    Some(guard) => guard.clone().around(builder),
                    None => builder,
                };
                let builder = match &set_up {
                    Some(set_up) => set_up(&its, builder),
                    None => builder,
                };
                #[cfg(feature = "resilience")]
                let builder = layers.around(builder);
                builder
            });
        if let Some(limit) = server.timeouts.connect {
            member = member.connect_deadline(limit);
        }
        if let Some(pool) = &server.pool {
            member = member.pool(pool_settings(pool));
            for (n, replica) in pool.replicas.iter().enumerate() {
                member =
                    member.replica(format!("{}/{}", server.name, n + 2), way(Some(replica.clone())), replica.weight);
            }
        }
        Ok(member)
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}

fn boxed(way: Result<Target, Error>) -> Result<Box<dyn Connect>, Error> {
    way.map(|way| Box::new(way) as Box<dyn Connect>)
}

/// A member that fails with a reason.
fn unusable(config: &Configuration, name: &str, why: &str) -> Member {
    Member::new(name, Unusable(why.to_owned())).fingerprint(("unusable", why, groups(config, name)))
}

fn groups<'c>(config: &'c Configuration, name: &str) -> Vec<&'c str> {
    let of_it = config.groups().iter().filter(|group| group.servers.iter().any(|server| server == name));
    of_it.map(|group| group.name.as_str()).collect()
}

fn in_groups(member: Member, config: &Configuration, name: &str) -> Member {
    groups(config, name).into_iter().fold(member, |member, group| member.group(group))
}

/// What both the server's own rules and its policy let through.
fn filter(server: &Server, policy: Option<&Policy>) -> Filter {
    let of = |tools: &ToolRules, prompts: &NameRules, resources: &NameRules| {
        let mut filter = Filter::new()
            .deny(tools.deny.iter().cloned())
            .deny_prompts(prompts.deny.iter().cloned())
            .deny_resources(resources.deny.iter().cloned());
        if let Some(allow) = &tools.allow {
            filter = filter.allow(allow.iter().cloned());
        }
        if let Some(allow) = &prompts.allow {
            filter = filter.allow_prompts(allow.iter().cloned());
        }
        if let Some(allow) = &resources.allow {
            filter = filter.allow_resources(allow.iter().cloned());
        }
        filter
    };
    let own = of(&server.tools, &server.prompts, &server.resources);
    match policy {
        Some(policy) => {
            let both = own.and(of(&policy.tools, &policy.prompts, &policy.resources));
            if policy.read_only { both.read_only() } else { both }
        }
        None => own,
    }
}

/// How long clients of a server wait.
fn timeouts(server: &Server) -> Timeouts {
    let configured = &server.timeouts;
    let mut timeouts = Timeouts::default();
    if let Some(limit) = configured.connect {
        timeouts = timeouts.with_connect(limit);
    }
    if let Some(limit) = configured.idle {
        timeouts = timeouts.with_idle(limit);
    }
    if let Some(limit) = configured.total {
        timeouts = timeouts.with_total(limit).with_task(limit);
    }
    timeouts
}

/// The settings of a pool as an entry has them. Its replicas are not among them.
pub fn pool_settings(pool: &bowline_config::Pool) -> PoolSettings {
    PoolSettings::default().with_connections(pool.connections).with_sticky(pool.sticky)
}

#[cfg(test)]
mod tests {
    use bowline_client::ErrorKind;
    use bowline_config::{Host, Surroundings, System};
    use bowline_hub::Hub;
    use bowline_protocol::{
        CallToolResult, GetPromptResult, Prompt, RawJson, Resource, ResourceContents, Tool, ToolAnnotations,
    };
    use bowline_testkit::MockServer;

    use super::*;

    fn config(text: &str) -> Configuration {
        Configuration::read(Host::Bowline, "bowline.toml", text)
    }

    fn members() -> Members {
        Members::new(Resolver::new(Surroundings::new(System::current()))).with_way(|_, _| async {
            let tool = |name: &str| Tool::new(name, RawJson::EMPTY_OBJECT);
            let reads = tool("read_x").with_annotations(ToolAnnotations::new().with_read_only_hint(true));
            let ok = |_| async { Ok(CallToolResult::text("done")) };
            let server = MockServer::builder().tool(reads, ok).tool(tool("read_y"), ok).tool(tool("write_x"), ok);
            Ok(Box::new(server.build().connector()) as Box<dyn Connect>)
        })
    }

    fn hub(text: &str) -> Hub {
        Hub::builder().members(members().of(&config(text))).build().unwrap()
    }

    async fn tools(hub: &Hub, member: &str) -> Vec<String> {
        let listing = hub.tools().of([member]).await;
        assert!(listing.failures.is_empty(), "{:?}", listing.failures);
        listing.items.iter().map(|tool| tool.own_name().to_string()).collect()
    }

    #[tokio::test]
    async fn each_server_that_is_on_is_a_member_and_one_that_cannot_be_used_says_why() {
        let hub = hub("[servers.good]\ncommand = 'x'\n[servers.off]\ncommand = 'x'\nenabled = false\n\
             [servers.blank]\ncommand = '${NOBODY_SETS_THIS}'\n[servers.odd]\ncommand = 3\n\
             [servers.loose]\ncommand = 'x'\npolicy = 'nobody'\n[groups]\nall = ['good', 'blank']\n");
        let names: Vec<_> = hub.status().iter().map(|status| status.name.to_string()).collect();
        assert_eq!(names, ["blank", "good", "loose", "odd"]);
        assert_eq!(hub.call("good.write_x").await.unwrap().joined_text(), "done");
        let reasons =
            [("blank", "${NOBODY_SETS_THIS} has no value"), ("odd", "`command`"), ("loose", "no policy `nobody`")];
        for (name, why) in reasons {
            let error = hub.client(name).await.map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(hub.status_of(name).unwrap().state.name(), "failed");
        }
        let listing = hub.tools().group("all").await;
        assert_eq!((listing.items.len(), listing.failures.len()), (3, 1));
        hub.close().await;
    }

    #[tokio::test]
    async fn the_rules_of_a_server_and_of_its_policy_both_hold() {
        let servers = "[servers.plain]\ncommand = 'x'\n[servers.own]\ncommand = 'x'\ntools = { allow = ['read_*'] }\n\
             [servers.both]\ncommand = 'x'\ntools = { allow = ['read_*'] }\npolicy = 'p'\n\
             [servers.reads]\ncommand = 'x'\npolicy = 'q'\n\
             [policies.p]\nallow = ['*_x']\n[policies.q]\nread_only = true\n";
        let hub = hub(servers);
        assert_eq!(tools(&hub, "plain").await, ["read_x", "read_y", "write_x"]);
        assert_eq!(tools(&hub, "own").await, ["read_x", "read_y"]);
        assert_eq!(tools(&hub, "both").await, ["read_x"]);
        assert_eq!(tools(&hub, "reads").await, ["read_x"]);
        for refused in ["own.write_x", "both.read_y", "both.write_x", "reads.read_y"] {
            assert_eq!(hub.call(refused).await.unwrap_err().kind(), ErrorKind::Denied, "{refused}");
        }
        hub.close().await;
    }

    #[tokio::test]
    async fn prompts_and_resources_have_rules_as_tools_have() {
        let members = Members::new(Resolver::new(Surroundings::new(System::current()))).with_way(|_, _| async {
            let prompt = |_| async { Ok(GetPromptResult::new(Vec::new())) };
            let mut server =
                MockServer::builder().prompt(Prompt::new("plan_a"), prompt).prompt(Prompt::new("other"), prompt);
            for uri in ["note://open/1", "note://secret/1"] {
                server = server.resource(Resource::new(uri, uri), ResourceContents::text(uri, "text"));
            }
            Ok(Box::new(server.build().connector()) as Box<dyn Connect>)
        });
        let text = "[servers.own]\ncommand = 'x'\nprompts.allow = ['plan_*']\nresources.deny = ['note://secret/*']\n\
             [servers.under]\ncommand = 'x'\npolicy = 'p'\n\
             [policies.p]\nprompts.deny = ['plan_*']\nresources.allow = ['note://secret/*']\n";
        let hub = Hub::builder().members(members.of(&config(text))).build().unwrap();
        let prompts = hub.prompts().await;
        let names: Vec<_> = prompts.items.iter().map(|prompt| prompt.own_name().to_string()).collect();
        assert_eq!(names, ["plan_a", "other"]);
        hub.prompt("own.plan_a").await.unwrap();
        for refused in ["own.other", "under.plan_a"] {
            assert_eq!(hub.prompt(refused).await.unwrap_err().kind(), ErrorKind::Denied, "{refused}");
        }
        assert!(hub.read_from("own", "note://open/1").await.is_ok());
        assert!(hub.read_from("under", "note://secret/1").await.is_ok());
        for (member, uri) in [("own", "note://secret/1"), ("under", "note://open/1")] {
            let error = hub.read_from(member, uri).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{member} {uri}");
        }
        hub.close().await;
    }

    #[tokio::test]
    async fn a_change_of_one_of_a_thousand_entries_touches_one_member() {
        let text = |changed: usize| {
            let entry = |n: usize| {
                let moved = if n == changed { "timeout = '9s'\n" } else { "" };
                format!("[servers.s{n}]\ncommand = 'x'\nargs = ['{n}']\n{moved}")
            };
            (0..1000).map(entry).collect::<String>()
        };
        let hub = hub(&text(1000));
        let again = hub.reload(members().of(&config(&text(1000)))).unwrap();
        assert_eq!((again.unchanged, again.replaced.len()), (1000, 0));
        let client = hub.client("s499").await.unwrap();
        let changed = hub.reload(members().of(&config(&text(500)))).unwrap();
        assert_eq!(changed.replaced.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["s500"]);
        assert_eq!((changed.unchanged, changed.added.len(), changed.removed.len()), (999, 0, 0));
        assert_eq!(client.call("read_x").await.unwrap().joined_text(), "done");
        drop(client);
        hub.close().await;
    }

    #[tokio::test]
    async fn a_policy_that_changes_is_a_change_of_the_servers_under_it() {
        let text = |rule: &str| {
            format!("[servers.a]\ncommand = 'x'\npolicy = 'p'\n[servers.b]\ncommand = 'x'\n[policies.p]\n{rule}\n")
        };
        let hub = hub(&text(""));
        let changed = hub.reload(members().of(&config(&text("deny = ['write_*']")))).unwrap();
        assert_eq!(changed.replaced.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a"]);
        assert_eq!(tools(&hub, "a").await, ["read_x", "read_y"]);
        hub.close().await;
    }
}
