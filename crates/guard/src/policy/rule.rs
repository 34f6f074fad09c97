//! One rule: when it fits, and how often.

use std::num::NonZeroU32;
use std::time::Duration;

use bowline_protocol::method;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::Action;
use super::argument::Argument;
use super::file::{LimitFile, Patterns, RuleFile};
use super::subject::{Arguments, Subject};
use super::when::{Days, Hours, Zone};
use crate::clock::RuntimeClock;

type Rate = RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Duration>>;

/// A rule of a policy.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) reason: Option<String>,
    server: Option<Patterns>,
    tool: Option<Patterns>,
    prompt: Option<Patterns>,
    resource: Option<Patterns>,
    method: Option<Patterns>,
    caller: Option<Patterns>,
    hints: Hints,
    arguments: Vec<Argument>,
    hours: Option<Hours>,
    days: Option<Days>,
    limit: Option<Limit>,
}

/// What has to be so of what a call may do.
#[derive(Debug, Clone, Copy)]
struct Hints {
    read_only: Option<bool>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
    open_world: Option<bool>,
}

#[derive(Debug)]
struct Limit {
    rate: Rate,
    clock: RuntimeClock,
    calls: NonZeroU32,
    per: Duration,
}

impl Limit {
    fn new(file: LimitFile) -> Option<Self> {
        let per = Duration::from_secs(file.per.seconds());
        let clock = RuntimeClock::new();
        // More than one in a nanosecond is no limit that a clock could keep.
        let each = (per / file.calls.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(each)?.allow_burst(file.calls);
        Some(Self { rate: Rate::direct_with_clock(quota, clock.clone()), clock, calls: file.calls, per })
    }
}

impl Rule {
    /// The rule at this place of the policy, from 1.
    pub(super) fn new(file: RuleFile, number: usize) -> Self {
        Self {
            name: file.name.unwrap_or_else(|| format!("#{number}")),
            action: file.action,
            reason: file.reason,
            server: file.server,
            tool: file.tool,
            prompt: file.prompt,
            resource: file.resource,
            method: file.method,
            caller: file.caller,
            hints: Hints {
                read_only: file.read_only,
                destructive: file.destructive,
                idempotent: file.idempotent,
                open_world: file.open_world,
            },
            arguments: file.argument.into_iter().map(Argument::from).collect(),
            hours: file.hours,
            days: file.days,
            limit: file.limit.and_then(Limit::new),
        }
    }

    /// The conditions that do not hold, at most so many.
    pub(super) fn failures(
        &self,
        subject: &Subject<'_>,
        arguments: &Arguments<'_>,
        zone: &Zone,
        most: usize,
    ) -> Vec<String> {
        let mut failures = Vec::new();
        macro_rules! fail {
            ($($text:tt)*) => {
                failures.push(format!($($text)*));
                if failures.len() >= most {
                    return failures;
                }
            };
        }
        for (what, patterns, value) in [
            ("server", &self.server, Some(subject.server)),
            ("method", &self.method, Some(subject.method)),
            ("tool", &self.tool, subject.name.filter(|_| subject.method == method::TOOLS_CALL)),
            ("prompt", &self.prompt, subject.name.filter(|_| subject.method == method::PROMPTS_GET)),
            ("resource", &self.resource, subject.name.filter(|_| is_of_resources(subject.method))),
            ("caller", &self.caller, subject.caller),
        ] {
            if let Some(patterns) = patterns
                && !value.is_some_and(|value| patterns.fit(value))
            {
                fail!("no pattern of `{what}` fits");
            }
        }
        for (what, wanted, is) in [
            ("read_only", self.hints.read_only, subject.is_read_only()),
            ("destructive", self.hints.destructive, subject.is_destructive()),
            ("idempotent", self.hints.idempotent, subject.is_idempotent()),
            ("open_world", self.hints.open_world, subject.is_open_world()),
        ] {
            if wanted.is_some_and(|wanted| wanted != is) {
                let why = if subject.is_trusted { "" } else { " (what a server says counts where it is trusted)" };
                fail!("`{what}` is {is}{why}");
            }
        }
        if self.hours.is_some() || self.days.is_some() {
            let now = zone.at(subject.at);
            if let Some(hours) = &self.hours
                && !hours.hold(now.time())
            {
                fail!("it is {} now, and not {hours}", now.strftime("%H:%M"));
            }
            if let Some(days) = &self.days
                && !days.hold(now.weekday())
            {
                fail!("it is {} now", now.strftime("%A"));
            }
        }
        for argument in &self.arguments {
            match arguments.get() {
                Some(arguments) => {
                    if let Some(why) = argument.fails(arguments, self.action) {
                        fail!("{why}");
                    }
                }
                // What cannot be looked at is not let through by it, and not past it.
                None if self.action == Action::Allow => {
                    fail!("the arguments cannot be read");
                }
                None => {}
            }
        }
        failures
    }

    /// Counts a call; when the next one is let through, where this one is too many.
    pub(super) fn count(&self) -> Option<Exceeded> {
        let limit = self.limit.as_ref()?;
        let wait = limit.rate.check().err()?.wait_time_from(limit.clock.now());
        Some(Exceeded { calls: limit.calls.get(), per: limit.per, wait })
    }
}

/// Whether a method is applied to a resource.
fn is_of_resources(method: &str) -> bool {
    matches!(method, method::RESOURCES_READ | method::RESOURCES_SUBSCRIBE | method::RESOURCES_UNSUBSCRIBE)
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exceeded {
    pub(super) calls: u32,
    pub(super) per: Duration,
    pub(super) wait: Duration,
}
