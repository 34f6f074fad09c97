//! The guard around what this command asks of servers: its policy, its pins, its questions and its record.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bowline::config::{self, Host, Scope, Surroundings, locations};
use bowline::guard::{
    Answer, Approver, Audit, AuditFile, Content, Guard, GuardBuilder, GuardEvent, GuardLayer, Pins, Policy, Question,
    Remembered, Secrets, Severity, content, secrets,
};
use bowline::store::EmbeddedStore;
use bowline::transport::BoxFuture;

use crate::console::Console;
use crate::exit::CliError;
use crate::options::{Global, Server};
use crate::sanitize;
use crate::state;

mod asked;
mod terminal;

pub(crate) use self::asked::Shared;
pub(crate) use self::terminal::{Terminal, details};

/// The lock file in the folder for what this command keeps. One that lies in a project counts where it is named: it comes
/// from whoever wrote the project.
const LOCK: &str = "bowline.lock";
/// The record of calls, in the same folder.
const AUDIT: &str = "audit.jsonl";
/// The policy of a person, beside their `bowline.toml`.
const POLICY: &str = "policy.toml";

/// The guard of a run, made when it is first needed. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guarding(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    made: OnceLock<Result<Guard, (String, Option<String>)>>,
    /// Where answers and questions are kept.
    store: OnceLock<Option<EmbeddedStore>>,
    /// What is held back, by server and name.
    held: Arc<Mutex<HashSet<(String, String)>>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guarding {
    /// The guard as the options and files want it.
    ///
    /// # Errors
    /// Where a policy or a lock file is refused: then nothing is asked of any server.
    pub(crate) fn guard(&self, global: &Global, terminal: impl FnOnce() -> Terminal) -> Result<&Guard, CliError> {
        let made =
            self.0.made.get_or_init(|| self.make(global, terminal()).map_err(|error| (error.message, error.hint)));
        made.as_ref().map_err(|(message, hint)| CliError::usage(message.as_str()).hint_if(hint.clone()))
    }

    fn make(&self, global: &Global, terminal: Terminal) -> Result<Guard, CliError> {
        let policy = policy(global)?;
        let mut builder = Guard::builder();
        if let Some(path) = lock_file(global) {
            let pins = Pins::open(path).map_err(|error| {
                CliError::usage(error.to_string()).hint("without the file everything is pinned anew, as at a first use")
            })?;
            builder = builder.pins(pins);
        }
        if let Some(audit) = audit_file(global, policy.requires_audit())? {
            builder = builder.audit(Audit::new(AuditFile::new(audit)));
        }
        // With --yes nobody is asked, now or before.
        if let Some(store) = self.store().filter(|_| !global.yes) {
            builder = builder.remember(Remembered::in_store(store));
        }
        builder = patient(builder, global);
        let (console, held) = (terminal.console().clone(), Arc::clone(&self.0.held));
        let approver = Yes { to_calls: global.yes, then: terminal };
        // A terminal is shown what servers send escaped, JSON is left as it came, and whoever types a credential means it:
        // unless the policy says otherwise, what is odd is told, and questions and records are without secrets.
        if policy.content().is_none() {
            builder = builder.content(Content::new(content::Rules::noting()));
        }
        if policy.secrets().is_none() {
            builder = builder.secrets(Secrets::new(secrets::Rules::default().with_action(secrets::Action::Note)));
        }
        let builder = builder.policy(policy).approver(approver).on_event(move |event| hear(event, &console, &held));
        let guard = builder.build();
        Ok(match caller(global) {
            Some(caller) => guard.for_caller(caller),
            None => guard,
        })
    }

    /// The layer for a server: by its own name for rules, records and questions, and by its key for pins and answers.
    ///
    /// # Errors
    /// Those of [`guard`](Self::guard).
    pub(crate) fn layer(
        &self,
        global: &Global,
        server: &Named<'_>,
        terminal: impl FnOnce() -> Terminal,
    ) -> Result<GuardLayer, CliError> {
        let guard = self.guard(global, terminal)?;
        let layer = guard.layer(server.name()).key(server.key(global)).answers_key(server.answers_key());
        let layer = layer.pin(server.is_pinned(global));
        let layer = match server {
            Named::Configured(server, policy) => bowline::guarded(layer, server, *policy),
            Named::ByHand(_) => layer.identity(server.identity()),
        };
        Ok(if global.trust { layer.trust(true) } else { layer })
    }

    /// Whether something of this name is held back, of whichever server.
    pub(crate) fn holds(&self, name: &str) -> bool {
        lock(&self.0.held).iter().any(|(_, held)| held == name)
    }

    /// Where answers and questions are kept.
    pub(crate) fn store(&self) -> Option<EmbeddedStore> {
        let open = || state::folder().map(|folder| EmbeddedStore::new(folder.join("state.redb")));
        self.0.store.get_or_init(open).clone()
    }

    /// Waits until the record of all calls is kept, and tells what became of answers that were.
    pub(crate) async fn settle(&self, console: &Console) {
        if let Some(Some(store)) = self.0.store.get()
            && store.set_aside() > 0
        {
            let path = sanitize::line(&store.path().display().to_string());
            console
                .warn(format!("{path} was damaged, and is set aside; answers and questions that were in it are gone"));
        }
        let Some(Ok(guard)) = self.0.made.get() else { return };
        if let Some(audit) = guard.audit()
            && let Err(error) = audit.flush().await
        {
            console.warn(format!("calls are not on record: {error}"));
        }
    }
}

/// Who is asked elsewhere is waited for as long as that was said.
const fn patient(builder: GuardBuilder, global: &Global) -> GuardBuilder {
    match global.defer {
        Some(wait) => builder.patience(wait),
        None => builder,
    }
}

/// A server as rules and pins know it.
pub(crate) enum Named<'s> {
    /// Of a configuration, with the policy that it is under there.
    Configured(&'s config::Server, Option<&'s config::Policy>),
    /// Given by hand: without a name that lasts.
    ByHand(&'s Server),
}

impl<'s> Named<'s> {
    pub(crate) fn of(server: &'s Server) -> Self {
        match server.configured.as_deref() {
            Some(configured) => Self::Configured(configured.server(), configured.policy()),
            None => Self::ByHand(server),
        }
    }

    /// Whether its definitions are pinned. A server that is given by hand has no name that lasts: another one may be at its
    /// address tomorrow. So it is where a lock file is named for it.
    const fn is_pinned(&self, global: &Global) -> bool {
        matches!(self, Self::Configured(..)) || global.lock.is_some()
    }

    /// What names the way to it.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Configured(server, _) => bowline::identity(server),
            Self::ByHand(server) => by_hand(server),
        }
    }

    /// What lock files of format 1 name the way to it by.
    pub(crate) fn earlier_identity(&self) -> String {
        match self {
            Self::Configured(server, _) => bowline::earlier_identity(server),
            Self::ByHand(server) => by_hand(server),
        }
    }

    /// The name that rules, records and people have for it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Configured(server, _) => server.name.clone(),
            Self::ByHand(server) => by_hand(server),
        }
    }

    /// What its pins are kept under: in a lock file that is named the server's own name, elsewhere what answers about it are
    /// kept under.
    pub(crate) fn key(&self, global: &Global) -> String {
        if global.lock.is_some() { self.name() } else { self.answers_key() }
    }

    /// What the answers about it are kept under, all of them in one place. The name of a project's server goes with its file,
    /// since other projects may have another server of the name.
    pub(crate) fn answers_key(&self) -> String {
        match self {
            Self::Configured(server, _) if server.scope == Scope::Project => {
                format!("{} ({})", server.name, server.place.file.display())
            }
            _ => self.name(),
        }
    }
}

/// A server that is given by hand: its address, or its program without arguments, which may be secret.
fn by_hand(server: &Server) -> String {
    match (&server.url, server.command.first()) {
        (Some(url), _) => url.parse().map_or_else(|_| "URL".to_owned(), |url| bowline::http::shown(&url)),
        (None, Some(program)) => program.to_string_lossy().into_owned(),
        (None, None) => "--stdio".to_owned(),
    }
}

/// Where pins are: the file that is named, or the one of this command.
fn lock_file(global: &Global) -> Option<PathBuf> {
    global.lock.clone().or_else(|| state::folder().map(|folder| folder.join(LOCK)))
}

/// Where calls are put on record; nowhere unless that is wanted.
fn audit_file(global: &Global, is_required: bool) -> Result<Option<PathBuf>, CliError> {
    match (&global.audit, default_audit()) {
        (Some(path), _) => Ok(Some(path.clone())),
        (None, Some(path)) if is_required => Ok(Some(path)),
        (None, None) if is_required => {
            Err(CliError::usage("the policy wants calls on record, and there is no folder for that")
                .hint("name a file with --audit FILE"))
        }
        (None, _) => Ok(None),
    }
}

/// The record that is there where no other is named.
pub(crate) fn default_audit() -> Option<PathBuf> {
    state::folder().map(|folder| folder.join(AUDIT))
}

/// The policy that is named, that of the person, or that of this command.
pub(crate) fn policy(global: &Global) -> Result<Policy, CliError> {
    let own = || {
        let places = locations(Host::Bowline, &Surroundings::of_process());
        let own = places.into_iter().find(|place| place.scope == Scope::User)?;
        Some(Path::new(&own.path).with_file_name(POLICY)).filter(|path| is_there(path))
    };
    let Some(path) = global.policy.clone().or_else(own) else { return Ok(Policy::read_only()) };
    Policy::open(&path).map_err(|error| {
        let name = sanitize::line(&path.display().to_string());
        let message = match error.line() {
            0 => error.to_string(),
            _ => format!("{name}: {error}"),
        };
        CliError::usage(message).hint("nothing of the policy holds until it is mended, so nothing is called")
    })
}

/// Whether something stands there, be it a link to nowhere or what cannot be looked at: a policy that cannot be read is not
/// none.
fn is_there(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    !path.symlink_metadata().is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

/// Who calls, for rules and records: who is named, or the person whose account this is, as the environment has it.
pub(crate) fn caller(global: &Global) -> Option<String> {
    let account = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    global.caller.clone().or_else(account).filter(|caller| !caller.is_empty())
}

/// Tells what the guard noticed, where a person should know.
fn hear(event: &GuardEvent, console: &Console, held: &Mutex<HashSet<(String, String)>>) {
    let hold = |server: &str, name: &str| {
        lock(held).insert((server.to_owned(), name.to_owned()));
    };
    match event {
        GuardEvent::FirstUse { .. } => console.note(event.to_string()),
        GuardEvent::Changed { server, change, held: is_held, .. } => {
            if *is_held {
                hold(server, &change.name);
            }
            console.warn(event.to_string());
        }
        GuardEvent::New { server, name, held: is_held, .. } => {
            if *is_held {
                hold(server, name);
            }
            console.note(event.to_string());
        }
        GuardEvent::Refused { .. } => {}
        GuardEvent::Answered { remembered, .. } => {
            if *remembered {
                console.detail(event.to_string());
            }
        }
        // Colours in a result and the like are usual.
        GuardEvent::Found { findings, blocked: None, .. }
            if findings.iter().all(|finding| finding.severity < Severity::Medium) =>
        {
            console.detail(event.to_string());
        }
        _ => console.warn(event.to_string()),
    }
}

/// Answers what the command line answers already, and hands on the rest.
struct Yes {
    to_calls: bool,
    then: Terminal,
}

impl Approver for Yes {
    fn ask(&self, question: Question) -> BoxFuture<'_, Answer> {
        // That a definition changed was known to nobody who said yes before.
        if self.to_calls && !question.about_definition {
            return Box::pin(std::future::ready(Answer::Allow));
        }
        self.then.ask(question)
    }
}

#[cfg(test)]
mod tests {
    use crate::options::Cli;
    use crate::session::Run;

    use super::*;

    #[test]
    fn who_is_asked_elsewhere_has_the_time_that_was_said() {
        for (words, patience, total) in [
            ("--defer 1h", "patience: 3600s", 4_200),
            ("--defer 1h --max-time 30m", "patience: 3600s", 1_800),
            ("", "patience: 300s", 600),
        ] {
            let words = std::iter::once("bowline").chain(words.split_whitespace()).chain(["list"]);
            let global = Cli::from_words(words.map(Into::into)).unwrap().global;
            let guard = patient(Guard::builder(), &global).build();
            assert!(format!("{guard:?}").contains(patience), "{guard:?}");
            let timeouts = Run::new(global).timeouts(&config::Timeouts::default());
            assert_eq!(timeouts.total.as_secs(), total);
        }
    }
}
