//! One rule: when it fits, and how often.

use bowline_protocol::method;

use super::Action;
use super::argument::Argument;
use super::file::{Patterns, RuleFile, RuleName};
use super::limit::Limit;
use super::subject::{Arguments, Subject};
use super::uri::UriPatterns;
use super::when::{Days, Hours, Zone};

/// A rule of a policy.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) reason: Option<String>,
    server: Option<Patterns>,
    tool: Option<Patterns>,
    prompt: Option<Patterns>,
    resource: Option<UriPatterns>,
    method: Option<Patterns>,
    caller: Option<Patterns>,
    hints: Hints,
    arguments: Vec<Argument>,
    hours: Option<Hours>,
    days: Option<Days>,
    pub(super) limit: Option<Limit>,
}

/// What has to be so of what a call may do.
#[derive(Debug, Clone, Copy)]
struct Hints {
    read_only: Option<bool>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
    open_world: Option<bool>,
}

impl Rule {
    /// The rule at this place of the policy, from 1.
    pub(super) fn new(file: RuleFile, number: usize) -> Self {
        Self {
            name: file.name.map_or_else(|| format!("#{number}"), |RuleName(name)| name),
            action: file.action,
            reason: file.reason,
            server: file.server,
            tool: file.tool,
            prompt: file.prompt,
            resource: file.resource.map(UriPatterns::from),
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
            limit: file.limit.map(Limit::new),
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
            ("caller", &self.caller, subject.caller),
        ] {
            if let Some(patterns) = patterns
                && !value.is_some_and(|value| patterns.fit(value))
            {
                fail!("no pattern of `{what}` fits");
            }
        }
        if let Some(patterns) = &self.resource {
            let uri = subject.name.filter(|_| is_of_resources(subject.method));
            if !uri.is_some_and(|uri| patterns.fit(uri, self.action)) {
                fail!("no pattern of `resource` fits");
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
}

/// Whether a method is applied to a resource.
fn is_of_resources(method: &str) -> bool {
    matches!(method, method::RESOURCES_READ | method::RESOURCES_SUBSCRIBE | method::RESOURCES_UNSUBSCRIBE)
}
