//! Many servers of the configuration at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bowline::config::{Configuration, ErrorKind, Policy, Server};
use bowline::hub::{Hub, Lists, Member, Offer};
use bowline::{ClientBuilder, Error, Members};
use serde_json::{Value, json};

use crate::configured;
use crate::exit::{CliError, Stop};
use crate::guarded;
use crate::sanitize;
use crate::server;
use crate::session::{Run, Signals, interrupted};
use crate::suggest;

/// The configuration, and how its servers are reached as the options say.
pub(crate) struct Fleet {
    run: Run,
    config: Configuration,
    is_guarded: bool,
    tells_problems: bool,
}

impl Fleet {
    /// Reads the configuration. What is wrong with it is told, and the rest goes on.
    pub(crate) fn load(run: &Run) -> Self {
        let config = configured::load(&run.global.config);
        for problem in config.problems().iter().filter(configured::is_of_file) {
            run.console.warn(configured::shown(problem));
        }
        Self { tells_problems: true, ..Self::of(run, config) }
    }

    /// The same for a configuration that was read already, and whose problems are told elsewhere.
    pub(crate) fn of(run: &Run, config: Configuration) -> Self {
        Self { run: run.for_many(), config, is_guarded: true, tells_problems: false }
    }

    /// Without a guard: what servers say is seen as they say it, and nothing is pinned. For whoever calls nothing.
    pub(crate) fn without_guard(mut self) -> Self {
        self.is_guarded = false;
        self
    }

    /// The configuration.
    pub(crate) const fn config(&self) -> &Configuration {
        &self.config
    }

    /// What tells one state of a server's entry, and of its policy, from another; none for an entry that is broken.
    pub(crate) fn fingerprint(&self, server: &str) -> Option<String> {
        let server = self.config.server(server).ok()?;
        let mut policy = DefaultHasher::new();
        format!("{:?}", self.config.policy_of(server).ok()?).hash(&mut policy);
        Some(format!("{}-{:016x}", server.fingerprint(), policy.finish()))
    }

    /// The names of the servers that are meant: those that are named, in a group, or all, where they are switched on.
    ///
    /// # Errors
    /// Where there is no such group or server.
    pub(crate) fn select(&self, named: &[String], group: Option<&str>) -> Result<HashSet<String>, CliError> {
        let mut selected: HashSet<String> = {
            let on = self.config.servers().iter().filter(|server| server.enabled);
            on.map(|server| server.name.clone()).chain(self.config.broken().iter().cloned()).collect()
        };
        if let Some(wanted) = group {
            let groups = self.config.groups();
            let Some(found) = groups.iter().find(|group| group.name == wanted) else {
                let hint = suggest::did_you_mean(wanted, groups.iter().map(|group| group.name.as_str()));
                let hint = hint.unwrap_or_else(|| "groups stand in `[groups]` of a bowline.toml".to_owned());
                return Err(CliError::usage(format!("no group is called `{}`", sanitize::line(wanted))).hint(hint));
            };
            selected.retain(|name| found.servers.contains(name));
        }
        if !named.is_empty() {
            // One that is unknown or switched off is told as anywhere.
            for name in named {
                let server = self.config.server(name);
                match server {
                    Ok(server) if !server.enabled => {
                        configured::endpoint(&self.run.global, server)?;
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::Unknown => {
                        let names = self.config.servers().iter().map(|server| server.name.as_str());
                        let hint = suggest::did_you_mean(name, names);
                        let hint = hint.unwrap_or_else(|| "`bowline config list` shows those there are".to_owned());
                        return Err(configured::told(&error).hint(hint));
                    }
                    Err(error) => return Err(configured::told(&error)),
                }
            }
            selected.retain(|name| named.contains(name));
        }
        if selected.is_empty() {
            self.run.console.note(if self.config.servers().is_empty() {
                "no configuration names a server; `bowline add NAME URL` or `bowline add NAME -- COMMAND` does"
            } else {
                "the configuration names no such server; `bowline config list` shows those there are"
            });
        }
        Ok(selected)
    }

    /// Runs `body` with a hub of these servers, and ends it in order.
    ///
    /// # Errors
    /// Those of `body`, and where options are for one server alone.
    pub(crate) async fn with_hub(
        &self,
        selected: &HashSet<String>,
        body: impl AsyncFnOnce(&Hub) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut signals = Signals::new()?;
        let hub = Hub::builder().members(self.members(selected)?).build()?;
        let result = tokio::select! {
            biased;
            () = signals.next() => Err(interrupted()),
            result = body(&hub) => result,
        };
        tokio::select! {
            biased;
            () = signals.next() => {}
            _ = hub.close() => {}
        }
        result
    }

    /// These servers as members of a hub. What they may be given otherwise than somebody meant is told.
    ///
    /// # Errors
    /// Where options are for one server alone.
    pub(crate) fn members(&self, selected: &HashSet<String>) -> Result<Vec<Member>, CliError> {
        let global = &self.run.global;
        if let Some(option) = global.stated_for_urls().or_else(|| global.stated_for_programs()) {
            let message = format!("{option} is for one server, and this is about many");
            return Err(CliError::usage(message).hint(format!("leave {option} out, or name one server")));
        }
        let meant = self.config.servers().iter().filter(|server| selected.contains(&server.name));
        for doubt in meant.filter(|_| self.tells_problems).flat_map(|server| configured::doubts(&self.config, server)) {
            self.run.console.warn(doubt);
        }
        let (ways, clients) = (self.run.clone(), self.run.clone());
        let settings = self.run.settings()?;
        let policy = |server: &Server| Some((server.name.clone(), self.config.policy_of(server).ok()??.clone()));
        let policies: HashMap<String, Policy> = self.config.servers().iter().filter_map(policy).collect();
        let is_guarded = self.is_guarded;
        if is_guarded {
            self.run.guard()?;
        }
        let members = Members::new(configured::resolver(global)?)
            .with_way(move |server, endpoint| {
                let run = ways.clone();
                async move {
                    let way = server::way(&run, &run.global, &server.name, endpoint).await;
                    way.map(|named| run.inspected(named.into_connector())).map_err(|error| Error::config(error.message))
                }
            })
            .with_client(move |server, builder: ClientBuilder| {
                let builder = settings.apply(builder).timeouts(clients.timeouts(&server.timeouts));
                if !is_guarded {
                    return builder;
                }
                match clients.guard_layer(&guarded::Named::Configured(server, policies.get(&server.name))) {
                    Ok(layer) => layer.around(builder),
                    // It was made before the first member is.
                    Err(_) => builder,
                }
            });
        let list_limit = global.max_time.or(global.timeout);
        let members = members.of(&self.config).into_iter().filter(|member| selected.contains(member.name()));
        let timed = members.map(|member| {
            let member = match global.connect_timeout {
                Some(limit) => member.connect_deadline(limit),
                None => member,
            };
            match list_limit {
                Some(limit) => member.list_deadline(limit),
                None => member,
            }
        });
        Ok(timed.collect())
    }

    /// Hands on the list of each server as it comes. What is odd about one is told, and what failed, once a server.
    pub(crate) async fn read<T: Offer + Clone>(
        &self,
        lists: Lists<T>,
        failures: &mut Failures,
        mut take: impl AsyncFnMut(&str, Vec<T>),
    ) {
        let mut lists = lists.by_member();
        while let Some(list) = lists.next().await {
            for finding in &list.findings {
                self.run.console.warn(sanitize::excerpt(&finding.to_string(), 500));
            }
            let name = list.member.as_ref();
            match list.error {
                Some(_) if failures.0.contains_key(name) => {}
                Some(error) => {
                    failures.0.insert(name.to_owned(), self.tell_failure(name, error));
                }
                None => take(name, list.items.into_iter().map(|offered| (*offered.item).clone()).collect()).await,
            }
        }
    }

    /// Tells why a server could not say what it has.
    fn tell_failure(&self, server: &str, error: Error) -> CliError {
        let error = CliError::from(error);
        let member = sanitize::line(server);
        let hint =
            if error.wants_login { format!("; `bowline list {member}` asks for a login") } else { String::new() };
        let message = sanitize::excerpt(&error.message, 500);
        self.run.console.warn(format!("{member}: {message}{hint}"));
        error
    }
}

/// Why servers could not say what they have, by their names.
#[derive(Default)]
pub(crate) struct Failures(pub(crate) BTreeMap<String, CliError>);

impl Failures {
    pub(crate) fn to_json(&self) -> Vec<Value> {
        let json = self.0.iter().map(|(server, error)| {
            json!({"server": server, "error": error.to_json().get("error").cloned().unwrap_or_default()})
        });
        json.collect()
    }
}
