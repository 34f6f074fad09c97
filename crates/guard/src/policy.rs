//! What may be called: rules in TOML, checked when they are read.

mod argument;
mod error;
mod file;
mod limit;
mod rule;
mod subject;
mod uri;
mod when;

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::excerpt;
use serde::{Deserialize, Serialize};

pub use self::error::PolicyError;
pub use self::file::{OnChange, OnNew};
use self::file::{Patterns, PolicyFile};
use self::limit::{Exceeded, Limit};
use self::rule::Rule;
use self::subject::Arguments;
pub use self::subject::Subject;
use self::when::Zone;
use crate::ordinary::is_no_file;
use crate::{content, secrets};

/// What the binary does where nobody wrote a policy.
const READ_ONLY: &str = "\
version = 1
default = 'ask'

[[rule]]
name = 'read-only'
action = 'allow'
read_only = true
# end
";

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "it goes, it does not, or somebody else says")]
pub enum Action {
    /// It goes.
    Allow,
    /// It does not.
    Deny,
    /// An [`Approver`](crate::Approver) is asked.
    Ask,
}

impl Action {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Ask => "ask",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which calls go, which do not, and which somebody is asked about. A clone shares its rate limits.
///
/// Rules are tried in their order, and the first that fits decides; where none does, `default` does (`deny` unless the
/// file says otherwise). All conditions of a rule have to hold. What is written is checked when it is read: a key or
/// value that is not known refuses the policy as a whole, with line and column, and so does a last line that is not
/// `# end`, since a policy that was cut would read like a shorter one.
///
/// ```
/// use bowline_guard::{Action, Policy, Subject};
/// use bowline_protocol::RawJson;
///
/// let policy: Policy = r#"
/// version = 1
/// default = "ask"
///
/// [[rule]]
/// name = "home alone"
/// server = "files"
/// tool = ["read_*", "list_*"]
/// action = "allow"
/// argument = [{ pointer = "/path", glob = "/home/*" }, { pointer = "/path", regex = '(^|/)\.\.(/|$)', not = true }]
/// ## end
/// "#.parse()?;
///
/// let params: RawJson = r#"{"name":"read_file","arguments":{"path":"/etc/shadow"}}"#.parse()?;
/// let explained = policy.explain(&Subject::tool("files", "read_file").with_params(&params));
/// assert_eq!(explained.action, Action::Ask);
/// assert_eq!(explained.near[0].to_string(), "rule home alone (allow) would fit, but /path does not fit the glob");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Policy(Arc<Inner>);

struct Inner {
    rules: Vec<Rule>,
    default: Action,
    zone: Zone,
    trust: Patterns,
    on_change: OnChange,
    on_new: OnNew,
    audit_required: bool,
    content: Option<content::Rules>,
    secrets: Option<secrets::Rules>,
}

/// What a policy says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What becomes of it.
    pub action: Action,
    /// The rule that says so; none where no rule fits.
    pub rule: Option<String>,
    /// Why, in the words of the rule, or of a limit that is reached.
    pub reason: Option<String>,
    /// Where a limit is reached: when the next call is let through.
    pub retry_after: Option<Duration>,
    /// Which rule it is, from 0: names need not be different.
    place: Option<usize>,
}

impl Verdict {
    /// One that no rule has given.
    pub(crate) const fn of(action: Action) -> Self {
        Self { action, rule: None, reason: None, retry_after: None, place: None }
    }
}

/// What a policy says of a call, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// What becomes of it.
    pub action: Action,
    /// The rule that says so; none where no rule fits.
    pub rule: Option<String>,
    /// Why, in the words of the rule.
    pub reason: Option<String>,
    /// Rules before that one that one condition kept from fitting.
    pub near: Vec<NearMiss>,
}

/// A rule that one condition kept from fitting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NearMiss {
    /// Which one.
    pub rule: String,
    /// What it would have said.
    pub action: Action,
    /// The condition.
    pub why: String,
}

impl Policy {
    /// What the binary does where nobody wrote a policy: what only reads goes, and somebody is asked about the rest.
    ///
    /// Reading is what the method says (`resources/read`, `resources/subscribe`, `prompts/get`), or what a server that is
    /// trusted says of a tool.
    ///
    /// ```
    /// use bowline_guard::{Action, Policy, Subject};
    ///
    /// let policy = Policy::read_only();
    /// assert_eq!(policy.judge(&Subject::of("files", "resources/read", Some("file:///a"))).action, Action::Allow);
    /// assert_eq!(policy.judge(&Subject::tool("files", "read")).action, Action::Ask);
    /// ```
    pub fn read_only() -> Self {
        Self::read(READ_ONLY).unwrap_or_else(|_| Self::all(Action::Ask))
    }

    /// One answer to all calls.
    pub fn all(action: Action) -> Self {
        Self(Arc::new(Inner {
            rules: Vec::new(),
            default: action,
            zone: Zone::default(),
            trust: Patterns::default(),
            on_change: OnChange::default(),
            on_new: OnNew::default(),
            audit_required: false,
            content: None,
            secrets: None,
        }))
    }

    /// The policy of a file. It waits for the disk.
    ///
    /// # Errors
    /// Where it cannot be read, or is refused.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let path = path.as_ref();
        let failed = |error: &std::io::Error| PolicyError::io(path, error);
        if is_no_file(path) {
            return Err(failed(&std::io::Error::other("it is no file")));
        }
        let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
        let mut text = String::new();
        file.take(file::MAX_BYTES as u64 + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
        if text.len() > file::MAX_BYTES {
            return Err(failed(&std::io::ErrorKind::FileTooLarge.into()));
        }
        Self::read(&text)
    }

    fn read(text: &str) -> Result<Self, PolicyError> {
        let PolicyFile { default, zone, trust, pins, audit, content, secrets, rule, .. } = file::read(text)?;
        Ok(Self(Arc::new(Inner {
            rules: rule.into_iter().zip(1..).map(|(rule, number)| Rule::new(rule, number)).collect(),
            default: default.unwrap_or(Action::Deny),
            zone,
            trust,
            on_change: pins.change.unwrap_or_default(),
            on_new: pins.new.unwrap_or_default(),
            audit_required: audit.required.unwrap_or_default(),
            content,
            secrets,
        })))
    }

    /// Judges a call that goes, if that is what is said of it, and counts it then where its rule has a limit. A call that
    /// somebody is asked about counts as well: where it does not go in the end, use [`look`](Self::look) and
    /// [`count`](Self::count).
    pub fn judge(&self, subject: &Subject<'_>) -> Verdict {
        let verdict = self.look(subject);
        if verdict.action == Action::Deny {
            return verdict;
        }
        match self.count(&verdict) {
            Ok(()) => verdict,
            Err(exceeded) => exceeded,
        }
    }

    /// Judges a call, with regard to limits that are reached, and counts nothing.
    pub fn look(&self, subject: &Subject<'_>) -> Verdict {
        let arguments = Arguments::of(subject);
        let fits = |rule: &Rule| rule.failures(subject, &arguments, &self.0.zone, 1).is_empty();
        let Some((place, rule)) = self.0.rules.iter().enumerate().find(|(_, rule)| fits(rule)) else {
            return Verdict::of(self.0.default);
        };
        match rule.limit.as_ref().filter(|_| rule.action != Action::Deny).and_then(Limit::look) {
            Some(exceeded) => Self::exceeded(place, rule, exceeded),
            None => Verdict {
                action: rule.action,
                rule: Some(rule.name.clone()),
                reason: rule.reason.clone(),
                retry_after: None,
                place: Some(place),
            },
        }
    }

    /// Counts a call that goes by this verdict, which is one of this policy, where its rule has a limit.
    ///
    /// # Errors
    /// Where the limit was reached since the call was judged: what becomes of it now.
    pub fn count(&self, verdict: &Verdict) -> Result<(), Verdict> {
        let Some((place, rule)) = self.rule_of(verdict) else { return Ok(()) };
        let counted = rule.limit.as_ref().map_or(Ok(()), Limit::count);
        counted.map_err(|exceeded| Self::exceeded(place, rule, exceeded))
    }

    /// Takes back that a call went by this verdict.
    pub(crate) fn give_back(&self, verdict: &Verdict) {
        if let Some(limit) = self.rule_of(verdict).and_then(|(_, rule)| rule.limit.as_ref()) {
            limit.give_back();
        }
    }

    fn rule_of(&self, verdict: &Verdict) -> Option<(usize, &Rule)> {
        let place = verdict.place?;
        Some((place, self.0.rules.get(place)?))
    }

    fn exceeded(place: usize, rule: &Rule, exceeded: Exceeded) -> Verdict {
        Verdict {
            action: Action::Deny,
            rule: Some(rule.name.clone()),
            reason: Some(format!("its limit of {} calls in {:?} is reached", exceeded.calls, exceeded.per)),
            retry_after: Some(exceeded.wait),
            place: Some(place),
        }
    }

    /// Says what would become of a call, and why. Nothing is counted.
    pub fn explain(&self, subject: &Subject<'_>) -> Explanation {
        /// How many near misses are told.
        const MOST_NEAR: usize = 10;

        let arguments = Arguments::of(subject);
        let mut near = Vec::new();
        for rule in &self.0.rules {
            let mut failures = rule.failures(subject, &arguments, &self.0.zone, 2);
            match (failures.pop(), failures.is_empty()) {
                (None, _) => {
                    let (rule, action, reason) = (Some(rule.name.clone()), rule.action, rule.reason.clone());
                    return Explanation { action, rule, reason, near };
                }
                (Some(why), true) if near.len() < MOST_NEAR => {
                    near.push(NearMiss { rule: rule.name.clone(), action: rule.action, why });
                }
                _ => {}
            }
        }
        Explanation { action: self.0.default, rule: None, reason: None, near }
    }

    /// Whether the policy believes what this server says of its tools.
    pub fn trusts(&self, server: &str) -> bool {
        self.0.trust.fit(server)
    }

    /// What becomes of definitions that are others than were pinned.
    pub fn on_change(&self) -> OnChange {
        self.0.on_change
    }

    /// What becomes of definitions of names that were not pinned.
    pub fn on_new(&self) -> OnNew {
        self.0.on_new
    }

    /// Whether a call that cannot be put on record does not go.
    pub fn requires_audit(&self) -> bool {
        self.0.audit_required
    }

    /// What is done about what servers send, where the policy says so in its table `content`.
    pub fn content(&self) -> Option<&content::Rules> {
        self.0.content.as_ref()
    }

    /// What is done about credentials in what goes out, where the policy says so in its table `secrets`.
    pub fn secrets(&self) -> Option<&secrets::Rules> {
        self.0.secrets.as_ref()
    }
}

impl std::str::FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::read(text)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("rules", &self.0.rules.len())
            .field("default", &self.0.default)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = excerpt(&self.rule, 100);
        write!(f, "rule {rule} ({}) would fit, but {}", self.action, excerpt(&self.why, 300))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{}: rule {}", self.action, excerpt(rule, 100))?,
            None => write!(f, "{}: no rule fits, and this is the default", self.action)?,
        }
        if let Some(reason) = &self.reason {
            write!(f, "; {}", excerpt(reason, 300))?;
        }
        self.near.iter().try_for_each(|near| write!(f, "\n  {near}"))
    }
}

#[cfg(test)]
mod tests;
