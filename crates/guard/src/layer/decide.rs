//! Whether a call goes.

use std::borrow::Cow;

use bowline_client::{Call, Error, Reply};
use bowline_protocol::{RawJson, method};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tower_service::Service;

use super::definitions;
use super::lists::{Held, Item, Seat};
use crate::consent::{About, Answer, Question};
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::hex;
use crate::pins::{Change, PinKind, canonical};
use crate::policy::{Action, OnChange, OnNew, Policy, Subject, Verdict};
use crate::refusal::{Refusal, shown_name, what};

/// A call that goes.
pub(super) struct LetGo {
    pub(super) call: Call,
    pub(super) rule: Option<String>,
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
    if let Some(moved) = seat.moved() {
        let why = format!("{}: {moved}; accept the server anew if that is right", named(core, seat, &call));
        return Err(Refusal::new(why).changed());
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
    if verdict.action != Action::Ask && doubt.is_none() {
        return Ok(LetGo { call, rule: verdict.rule, verdict: Cow::Borrowed("allow"), findings });
    }
    let asking = Asking { core, seat, call: &call, item, doubt: doubt.as_ref(), verdict: &verdict };
    let (said, was_asked) = asking.ask().await?;
    // Somebody may have thought about it for minutes, in which the server may have made something else of it.
    if let (true, Some(kind)) = (was_asked, kind) {
        let now = definitions::read_anew(core, seat, &call, kind, inner).await?;
        if now.as_ref().and_then(|now| now.hash.as_ref()) != item.and_then(|item| item.hash.as_ref()) {
            let why =
                format!("{} was changed while somebody was asked about it; call it again", named(core, seat, &call));
            return Err(Refusal::new(why).changed());
        }
    }
    Ok(LetGo { call, rule: verdict.rule, verdict: said, findings })
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
    let needs_name = matches!(call.method(), method::TOOLS_CALL | method::PROMPTS_GET | method::RESOURCES_READ);
    (needs_name && call.name().is_none())
        .then_some("its parameters do not say once, as text, what is meant; write the name or the uri there")
}

/// What stands against a call, whatever the policy says.
enum Doubt<'a> {
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
    const fn what(&self) -> &'static str {
        match self {
            Self::Held(Held { change: Some(_), .. }) => "is described otherwise than when it was pinned",
            Self::Held(_) => "is new at a server that is pinned",
            Self::Gone { .. } => "is pinned, and the server does not list it any more",
            Self::Hidden { .. } => "is not listed by the server, and nothing new is let through",
        }
    }

    fn change(&self) -> Option<&Change> {
        match self {
            Self::Held(held) => held.change.as_ref(),
            _ => None,
        }
    }

    fn refusal(&self, core: &Core, seat: &Seat, call: &Call, next: &str) -> Error {
        let why = format!("{} {}; {next}", named(core, seat, call), self.what());
        Refusal::new(why).about(self.change().cloned()).changed()
    }
}

fn judge(core: &Core, seat: &Seat, call: &Call, item: Option<&Item>) -> Verdict {
    let Some(policy) = &core.policy else {
        return Verdict { action: Action::Allow, rule: None, reason: None, retry_after: None };
    };
    let mut subject = Subject::of(&seat.settings.server, call.method(), call.name())
        .with_caller(seat.settings.caller.as_deref())
        .with_annotations(item.and_then(|item| item.annotations.as_ref()), seat.settings.is_trusted);
    if let Some(params) = call.params() {
        subject = subject.with_params(params);
    }
    policy.judge(&subject)
}

pub(super) fn named(core: &Core, seat: &Seat, call: &Call) -> String {
    what(&seat.settings.server, call.method(), shown_name(core, call).as_deref())
}

fn rule_named(rule: Option<&str>) -> String {
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
        server: std::sync::Arc::clone(&seat.settings.server),
        method: call.method().to_owned(),
        name: shown_name(core, call),
        findings,
        blocked,
    });
}

/// A call that somebody has to be asked about.
struct Asking<'a> {
    core: &'a Core,
    seat: &'a Seat,
    call: &'a Call,
    item: Option<&'a Item>,
    doubt: Option<&'a Doubt<'a>>,
    verdict: &'a Verdict,
}

impl Asking<'_> {
    /// Asks somebody, or remembers what they said. Gives what was said, for the record, and whether it was said now.
    async fn ask(&self) -> Result<(Cow<'static, str>, bool), Error> {
        let core = self.core;
        let question = self.question();
        // What was said of a definition is not said of another one; nor is anything said of what has none.
        let remembered = core.remembered.as_ref().filter(|_| self.doubt.is_none() && self.is_defined());
        if let Some(remembered) = remembered {
            match remembered.answer(&question).await {
                Ok(Some(answer)) => {
                    core.counts.remembered.add(1);
                    return Ok((self.answered(&question, answer, true).await?, false));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "what was answered before cannot be read; somebody is asked again");
                }
            }
        }
        let is_approved = || {
            let name = self.call.name().filter(|_| self.call.method() == method::TOOLS_CALL && self.doubt.is_none());
            name.is_some_and(|tool| self.seat.settings.approves(tool))
        };
        if is_approved() {
            return Ok((Cow::Borrowed("allow (approved beforehand)"), false));
        }
        let Some(approver) = &core.approver else {
            return Ok((self.answered(&question, Answer::Absent, false).await?, false));
        };
        core.counts.asked.add(1);
        let answer = timeout(core.patience, approver.0.ask(question.clone())).await.unwrap_or(Answer::Absent);
        if let Some(remembered) = remembered.filter(|_| answer.is_lasting())
            && let Err(error) = remembered.keep(&question, answer).await
        {
            tracing::warn!(%error, "an answer cannot be kept; somebody is asked again next time");
        }
        Ok((self.answered(&question, answer, false).await?, true))
    }

    /// Whether what is called has a definition that is known; resources and other methods have none.
    fn is_defined(&self) -> bool {
        !matches!(self.call.method(), method::TOOLS_CALL | method::PROMPTS_GET) || self.item.is_some()
    }

    fn question(&self) -> Question {
        let Self { core, seat, call, item, doubt, verdict } = *self;
        let arguments = call.params().and_then(|params| arguments_of(call.method(), params));
        let redacted = match (&core.outgoing, &arguments) {
            (Some(outgoing), Some(text)) => outgoing.redact(text),
            _ => None,
        };
        let about = About {
            server: &seat.settings.server,
            key: &seat.settings.key,
            method: call.method(),
            name: call.name(),
            caller: seat.settings.caller.as_deref(),
            rule: verdict.rule.as_deref(),
            definition: item.and_then(|item| item.hash.as_deref()),
        };
        let mut question = Question::about(&about, shown_name(core, call))
            .with_arguments(arguments.as_deref(), redacted.as_deref().or(arguments.as_deref()));
        question.why = match (doubt, &verdict.reason) {
            (Some(doubt), _) => format!("it {}", doubt.what()),
            (None, Some(reason)) => bowline_protocol::excerpt(reason, 300),
            (None, None) => format!("{} asks", rule_named(verdict.rule.as_deref())),
        };
        question.change = doubt.and_then(Doubt::change).map(ToString::to_string);
        question.about_definition = doubt.is_some();
        if let Some(Doubt::Held(Held { definition, change: None, .. })) = doubt {
            question.description =
                definition.fields().get("description").map(|text| bowline_protocol::excerpt(text, 1024));
        }
        question
    }

    async fn answered(
        &self,
        question: &Question,
        answer: Answer,
        remembered: bool,
    ) -> Result<Cow<'static, str>, Error> {
        let Self { core, seat, call, doubt, verdict, .. } = *self;
        if answer != Answer::Absent {
            core.tell(&GuardEvent::Answered { title: question.title(), answer, remembered });
        }
        if answer.lets_go() {
            if let Some(Doubt::Held(held)) = doubt {
                accept(core, seat, held).await;
            }
            return Ok(Cow::Owned(format!(
                "allow ({}{})",
                answer.name(),
                if remembered { ", remembered" } else { "" }
            )));
        }
        let named = named(core, seat, call);
        if answer == Answer::Absent {
            if let Some(doubt) = doubt {
                let next = "somebody has to accept that, and nobody was there to be asked";
                return Err(doubt.refusal(core, seat, call, next));
            }
            let why = format!(
                "{named} needs somebody's approval by {}, and nobody was there to be asked; approve it, or write a rule \
                 that allows it",
                rule_named(verdict.rule.as_deref())
            );
            return Err(Refusal::new(why).by(verdict.rule.clone()).wanting_approval().denied());
        }
        let before =
            if remembered { "was refused before, which is remembered" } else { "was refused by who was asked" };
        Err(Refusal::new(format!("{named} {before}")).by(verdict.rule.clone()).denied())
    }
}

/// Pins a definition that somebody let through.
async fn accept(core: &Core, seat: &Seat, held: &Held) {
    let Some(pins) = seat.pins(core) else { return };
    let definition = held.definition.clone();
    let (kind, name, hash) = (definition.kind(), definition.name().to_owned(), definition.hash().to_owned());
    if let Err(error) = pins.accept(&seat.settings.key, [definition]).await {
        core.tell(&GuardEvent::PinsFailed { why: error.to_string() });
    }
    seat.accept(kind, &name, Some(&hash));
}

/// The arguments of a tool or prompt, or the parameters of another method, as JSON text.
fn arguments_of(method: &str, params: &RawJson) -> Option<String> {
    match method {
        method::TOOLS_CALL | method::PROMPTS_GET => {
            #[derive(serde::Deserialize)]
            struct Params {
                arguments: Option<RawJson>,
            }
            let arguments = params.parse::<Params>().ok()?.arguments?;
            Some(arguments.as_str().to_owned())
        }
        _ => Some(params.as_str().to_owned()),
    }
}

/// The hash of a call's arguments, and what may be kept of them as text.
pub(super) fn arguments_for_record(core: &Core, call: &Call, shows: bool) -> Option<crate::audit::Arguments> {
    /// How much text of arguments is kept, in bytes.
    const MAX_KEPT: usize = 4096;

    let params = call.params()?;
    match (&core.outgoing, shows) {
        (Some(outgoing), true) => {
            let text = arguments_of(call.method(), params)?;
            let text = outgoing.redact(&text).unwrap_or(text);
            Some(crate::audit::Arguments::Json(bowline_protocol::excerpt(&text, MAX_KEPT)))
        }
        // Without somebody who takes secrets out there is the hash alone.
        _ => {
            let arguments = arguments_of(call.method(), params).and_then(|text| text.parse().ok());
            let arguments = arguments.as_ref().unwrap_or(params);
            let text = canonical(arguments).unwrap_or_else(|| arguments.as_str().to_owned());
            Some(crate::audit::Arguments::Sha256(hex(&Sha256::digest(text))))
        }
    }
}
