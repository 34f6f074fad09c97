//! Whether a call goes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bowline_client::{Call, Error, Reply};
use bowline_protocol::method;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use tower_service::Service;

use super::asking::Asking;
use super::lists::{Held, Item, Seat};
use super::{definitions, meeting};
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::pins::{Change, PinKind};
use crate::policy::{Action, OnChange, OnNew, Policy, Subject, Verdict};
use crate::refusal::{Refusal, name_of, shown_name, what};
use crate::unique::is_in_another_case;

/// A call that goes.
pub(super) struct LetGo {
    pub(super) call: Call,
    /// What the policy said, counted where its rule has a limit.
    pub(super) by: Verdict,
    /// What was said in the end, for the record.
    pub(super) verdict: Cow<'static, str>,
    pub(super) findings: Vec<&'static str>,
}

/// Whether a method is of the protocol itself, and goes without a verdict.
pub(super) fn is_free(method: &str) -> bool {
    matches!(
        method,
        method::PING
            | method::SERVER_DISCOVER
            | method::LOGGING_SET_LEVEL
            | method::TOOLS_LIST
            | method::PROMPTS_LIST
            | method::RESOURCES_LIST
            | method::RESOURCES_TEMPLATES_LIST
            | method::RESOURCES_UNSUBSCRIBE
            | method::SUBSCRIPTIONS_LISTEN
            | method::TASKS_LIST
            | method::TASKS_GET
            | method::TASKS_RESULT
    )
}

/// Decides on a call, asks where somebody has to be asked, and takes secrets out of it.
pub(super) async fn decide<S>(core: &Core, seat: &Seat, mut call: Call, inner: &S) -> Result<LetGo, Error>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send,
    S::Future: Send,
{
    if let Some(why) = unfit(core, &call) {
        return Err(Refusal::new(format!("{} does not go: {why}", named(core, seat, &call))).denied());
    }
    meeting::meet(core, seat, &call).await?;
    let kind = match call.method() {
        method::TOOLS_CALL => Some(PinKind::Tool),
        method::PROMPTS_GET => Some(PinKind::Prompt),
        _ => None,
    };
    let kind = kind.filter(|_| seat.needs_lists(core));
    let item = match kind {
        Some(kind) => definitions::look_up(core, seat, &call, kind, inner).await?,
        None => None,
    };
    let item = item.as_deref();
    let verdict = judge(core, seat, &call, item);
    if verdict.action == Action::Deny {
        return Err(denied(core, seat, &call, &verdict));
    }
    let doubt = match (item, kind) {
        (Some(item), _) => item.held.as_ref().map(Doubt::Held),
        (None, Some(kind)) => unlisted(core, seat, &call, kind),
        (None, None) => None,
    };
    if let Some(doubt) = doubt.as_ref().filter(|doubt| !doubt.may_ask()) {
        return Err(doubt.refusal(core, seat, &call, "look at it, then accept it or leave the server alone"));
    }
    let mut findings = Vec::new();
    if let Some(outgoing) = &core.outgoing
        && let Some(params) = call.params()
    {
        let seen = outgoing.params(call.method(), params);
        findings.extend(seen.findings.iter().map(|finding| finding.rule));
        let changed = seen.changed;
        found(core, seat, &call, seen.findings, seen.blocked.clone());
        if let Some(why) = seen.blocked {
            return Err(Refusal::new(format!("{}: {why}", named(core, seat, &call))).denied());
        }
        if let Some(changed) = changed {
            call = call.replacing_params(changed);
        }
    }
    let mut said = Cow::Borrowed("allow");
    if verdict.action == Action::Ask || doubt.is_some() {
        let asking = Asking { core, seat, call: &call, item, doubt: doubt.as_ref(), verdict: &verdict };
        let was_asked;
        (said, was_asked) = asking.ask().await?;
        // Somebody may have thought about it for minutes, in which the server may have made something else of it.
        if let (true, Some(kind)) = (was_asked, kind) {
            let now = definitions::read_anew(core, seat, &call, kind, inner).await?;
            if now.as_ref().and_then(|now| now.hash.as_ref()) != item.and_then(|item| item.hash.as_ref()) {
                let why = format!(
                    "{} was changed while somebody was asked about it; call it again",
                    named(core, seat, &call)
                );
                return Err(Refusal::new(why).changed());
            }
        }
    }
    // Others may have gone meanwhile.
    if let Some(policy) = &core.policy
        && let Err(exceeded) = policy.count(&verdict)
    {
        return Err(denied(core, seat, &call, &exceeded));
    }
    Ok(LetGo { call, by: verdict, verdict: said, findings })
}

/// Why a call cannot be decided on at all.
fn unfit(core: &Core, call: &Call) -> Option<&'static str> {
    let wants_record = core.policy.as_ref().is_some_and(Policy::requires_audit);
    if wants_record && core.audit.is_none() {
        return Some(
            "the policy wants it on record, and the guard has no audit; give it one with `GuardBuilder::audit`",
        );
    }
    // No rule and no pin is about it, and the server may read a name out of it all the same.
    let needs_name = matches!(
        call.method(),
        method::TOOLS_CALL | method::PROMPTS_GET | method::RESOURCES_READ | method::RESOURCES_SUBSCRIBE
    );
    match name_of(call) {
        None if needs_name => {
            Some("its parameters do not say once, as text, what is meant; write the name or the uri there")
        }
        Some(name) if needs_name && !says(call, &name) => {
            Some("its parameters do not say what the call is for by its name; write the same in both")
        }
        _ => None,
    }
}

/// Whether the parameters, which are what the server reads, say this name, whichever way a server reads them.
fn says(call: &Call, name: &str) -> bool {
    let Some(params) = call.params() else { return true };
    let member = match call.method() {
        method::TOOLS_CALL | method::PROMPTS_GET => "name",
        _ => "uri",
    };
    let said = Meant(member).deserialize(&mut serde_json::Deserializer::from_str(params.as_str()));
    said.is_ok_and(|said| said == name)
}

/// What the parameters of a call are for, as text under this member: said once, and with no other beside it, nor beside the
/// arguments, that differs in case.
struct Meant(&'static str);

/// A text, without a copy where it is written as it is.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

impl<'de> DeserializeSeed<'de> for Meant {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Meant {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut meant = None;
        while let Some(Text(name)) = members.next_key()? {
            if name == self.0 {
                let Text(text) = members.next_value()?;
                if meant.replace(text).is_some() {
                    return Err(A::Error::duplicate_field(self.0));
                }
            } else if [self.0, "arguments"].iter().any(|known| is_in_another_case(known, &name)) {
                return Err(A::Error::custom("a name in another case"));
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        meant.ok_or_else(|| A::Error::missing_field(self.0))
    }
}

/// What stands against a call, whatever the policy says.
pub(super) enum Doubt<'a> {
    /// Its definition is held back.
    Held(&'a Held),
    /// It is pinned, and the server does not list it.
    Gone { may_ask: bool },
    /// It is not pinned, the server does not list it, and nothing new is let through.
    Hidden { may_ask: bool },
}

/// What stands against a name that the server does not list.
fn unlisted(core: &Core, seat: &Seat, call: &Call, kind: PinKind) -> Option<Doubt<'static>> {
    let pins = seat.pins(core)?;
    let policy = core.policy.as_ref();
    let is_pinned = pins.table().pinned(&seat.settings.key, kind, call.name().unwrap_or_default()).is_some();
    if is_pinned {
        let on_change = policy.map(Policy::on_change).unwrap_or_default();
        return (on_change != OnChange::Note).then_some(Doubt::Gone { may_ask: on_change == OnChange::Ask });
    }
    let on_new = policy.map(Policy::on_new).unwrap_or_default();
    (on_new != OnNew::Pin).then_some(Doubt::Hidden { may_ask: on_new == OnNew::Ask })
}

impl Doubt<'_> {
    const fn may_ask(&self) -> bool {
        match self {
            Self::Held(held) => held.may_ask,
            Self::Gone { may_ask } | Self::Hidden { may_ask } => *may_ask,
        }
    }

    /// What it is, behind the name.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Held(Held { change: Some(_), .. }) => "is described otherwise than when it was pinned",
            Self::Held(_) => "is new at a server that is pinned",
            Self::Gone { .. } => "is pinned, and the server does not list it any more",
            Self::Hidden { .. } => "is not listed by the server, and nothing new is let through",
        }
    }

    pub(super) fn change(&self) -> Option<&Change> {
        match self {
            Self::Held(held) => held.change.as_ref(),
            _ => None,
        }
    }

    pub(super) fn refusal(&self, core: &Core, seat: &Seat, call: &Call, next: &str) -> Error {
        let why = format!("{} {}; {next}", named(core, seat, call), self.what());
        Refusal::new(why).about(self.change().cloned()).changed()
    }
}

fn judge(core: &Core, seat: &Seat, call: &Call, item: Option<&Item>) -> Verdict {
    let Some(policy) = &core.policy else {
        return Verdict::of(Action::Allow);
    };
    let name = name_of(call);
    let mut subject = Subject::of(&seat.settings.server, call.method(), name.as_deref())
        .with_caller(seat.settings.caller.as_deref())
        .with_annotations(item.and_then(|item| item.annotations.as_ref()), seat.settings.is_trusted);
    if let Some(params) = call.params() {
        subject = subject.with_params(params);
    }
    policy.look(&subject)
}

pub(super) fn named(core: &Core, seat: &Seat, call: &Call) -> String {
    what(&seat.settings.server, call.method(), shown_name(core, call).as_deref())
}

pub(super) fn rule_named(rule: Option<&str>) -> String {
    match rule {
        Some(rule) => format!("rule \"{}\"", bowline_protocol::excerpt(rule, 100)),
        None => "the policy's default".to_owned(),
    }
}

fn denied(core: &Core, seat: &Seat, call: &Call, verdict: &Verdict) -> Error {
    let mut why = format!("{} is denied by {}", named(core, seat, call), rule_named(verdict.rule.as_deref()));
    if let Some(reason) = &verdict.reason {
        why.push_str(&format!(": {}", bowline_protocol::excerpt(reason, 300)));
    }
    match verdict.retry_after {
        Some(wait) => why.push_str(&format!("; the next one goes in {} s", wait.as_secs_f64().ceil())),
        None => why.push_str("; change the policy if it should go"),
    }
    Refusal::new(why).by(verdict.rule.clone()).denied()
}

/// Tells what is odd about what passes.
pub(super) fn found(core: &Core, seat: &Seat, call: &Call, findings: Vec<crate::Finding>, blocked: Option<String>) {
    if findings.is_empty() && blocked.is_none() {
        return;
    }
    core.counts.findings.add(findings.len());
    core.tell(&GuardEvent::Found {
        server: Arc::clone(&seat.settings.server),
        method: call.method().to_owned(),
        name: shown_name(core, call),
        findings,
        blocked,
    });
}
