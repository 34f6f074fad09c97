//! Whether a call goes.

use std::borrow::Cow;

use bowline_client::{Call, Error, Reply};
use bowline_protocol::{RawJson, method};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tower_service::Service;

use super::definitions;
use super::lists::{Held, Item, Lookup, Seat};
use crate::consent::{Answer, Question};
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::hex;
use crate::pins::{PinKind, canonical};
use crate::policy::{Action, Subject, Verdict};
use crate::refusal::{Refusal, what};

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
            | method::RESOURCES_SUBSCRIBE
            | method::RESOURCES_UNSUBSCRIBE
            | method::SUBSCRIPTIONS_LISTEN
            | method::TASKS_LIST
            | method::TASKS_GET
            | method::TASKS_RESULT
            | method::TASKS_CANCEL
    )
}

/// Decides on a call, asks where somebody has to be asked, and takes secrets out of it.
pub(super) async fn decide<S>(core: &Core, seat: &Seat, mut call: Call, inner: &S) -> Result<LetGo, Error>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send,
    S::Future: Send,
{
    let kind = match call.method() {
        method::TOOLS_CALL => Some(PinKind::Tool),
        method::PROMPTS_GET => Some(PinKind::Prompt),
        _ => None,
    };
    let needs_lists = core.pins.is_some() || (seat.settings.is_trusted && core.policy.is_some());
    let item = match kind.filter(|_| needs_lists) {
        Some(kind) => match definitions::look_up(core, seat, &call, kind, inner).await? {
            Lookup::Listed(item) => Some(item),
            Lookup::Unlisted | Lookup::Unknown => None,
        },
        None => None,
    };
    let item = item.as_deref();
    let verdict = judge(core, seat, &call, item);
    if verdict.action == Action::Deny {
        return Err(denied(seat, &call, &verdict));
    }
    let held = item.and_then(|item| item.held.as_ref());
    if let Some(held) = held.filter(|held| !held.may_ask) {
        return Err(held_back(seat, &call, held, "look at the change, then accept it or leave the server alone"));
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
            return Err(Refusal::new(format!("{}: {why}", named(seat, &call))).denied());
        }
        if let Some(changed) = changed {
            call = call.replacing_params(changed);
        }
    }
    let asks = verdict.action == Action::Ask || held.is_some();
    let said = if asks { ask(core, seat, &call, item, held, &verdict).await? } else { Cow::Borrowed("allow") };
    Ok(LetGo { call, rule: verdict.rule, verdict: said, findings })
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

fn named(seat: &Seat, call: &Call) -> String {
    what(&seat.settings.server, call.method(), call.name())
}

fn rule_named(rule: Option<&str>) -> String {
    match rule {
        Some(rule) => format!("rule \"{}\"", bowline_protocol::excerpt(rule, 100)),
        None => "the policy's default".to_owned(),
    }
}

fn denied(seat: &Seat, call: &Call, verdict: &Verdict) -> Error {
    let mut why = format!("{} is denied by {}", named(seat, call), rule_named(verdict.rule.as_deref()));
    if let Some(reason) = &verdict.reason {
        why.push_str(&format!(": {}", bowline_protocol::excerpt(reason, 300)));
    }
    match verdict.retry_after {
        Some(wait) => why.push_str(&format!("; the next one goes in {} s", wait.as_secs_f64().ceil())),
        None => why.push_str("; change the policy if it should go"),
    }
    Refusal::new(why).by(verdict.rule.clone()).denied()
}

fn held_back(seat: &Seat, call: &Call, held: &Held, next: &str) -> Error {
    let named = named(seat, call);
    match &held.change {
        Some(change) => {
            let why = format!("{named} is described otherwise than when it was pinned; {next}");
            Refusal::new(why).about(Some(change.clone())).changed()
        }
        None => Refusal::new(format!("{named} is new at a server that is pinned; {next}")).changed(),
    }
}

/// Tells what is odd about what passes.
pub(super) fn found(core: &Core, seat: &Seat, call: &Call, findings: Vec<crate::Finding>, blocked: Option<String>) {
    if findings.is_empty() && blocked.is_none() {
        return;
    }
    core.counts.findings.add(findings.len());
    core.tell(GuardEvent::Found {
        server: std::sync::Arc::clone(&seat.settings.server),
        method: call.method().to_owned(),
        name: call.name().map(str::to_owned),
        findings,
        blocked,
    });
}

/// Asks somebody, or remembers what they said. Gives what was said, for the record.
async fn ask(
    core: &Core,
    seat: &Seat,
    call: &Call,
    item: Option<&Item>,
    held: Option<&Held>,
    verdict: &Verdict,
) -> Result<Cow<'static, str>, Error> {
    let question = question(core, seat, call, item, held, verdict);
    // What was said of a definition is not said of another one.
    if held.is_none()
        && let Some(remembered) = &core.remembered
    {
        match remembered.answer(&question).await {
            Ok(Some(answer)) => {
                core.counts.remembered.add(1);
                return answered(core, seat, call, held, verdict, &question, answer, true).await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "what was answered before cannot be read; somebody is asked again"),
        }
    }
    let Some(approver) = &core.approver else {
        return answered(core, seat, call, held, verdict, &question, Answer::Absent, false).await;
    };
    core.counts.asked.add(1);
    let answer = timeout(core.patience, approver.0.ask(question.clone())).await.unwrap_or(Answer::Absent);
    if answer.is_lasting()
        && let Some(remembered) = &core.remembered
        && let Err(error) = remembered.keep(&question, answer).await
    {
        tracing::warn!(%error, "an answer cannot be kept; somebody is asked again next time");
    }
    answered(core, seat, call, held, verdict, &question, answer, false).await
}

fn question(
    core: &Core,
    seat: &Seat,
    call: &Call,
    item: Option<&Item>,
    held: Option<&Held>,
    verdict: &Verdict,
) -> Question {
    let arguments = call.params().and_then(|params| arguments_of(call.method(), params));
    let redacted = match (&core.outgoing, arguments) {
        (Some(outgoing), Some(text)) => Some(outgoing.redact(&text).unwrap_or(text)),
        (None, arguments) => arguments,
        (Some(_), None) => None,
    };
    let mut question =
        Question::of(&seat.settings.server, call.method(), call.name()).with_arguments(redacted.as_deref());
    question.caller = seat.settings.caller.as_deref().map(|caller| bowline_protocol::excerpt(caller, 200));
    question.rule = verdict.rule.as_deref().map(|rule| bowline_protocol::excerpt(rule, 100));
    question.why = match (held, &verdict.reason) {
        (Some(Held { change: Some(_), .. }), _) => "it is described otherwise than when it was pinned".to_owned(),
        (Some(_), _) => "it is new at a server that is pinned".to_owned(),
        (None, Some(reason)) => bowline_protocol::excerpt(reason, 300),
        (None, None) => format!("{} asks", rule_named(verdict.rule.as_deref())),
    };
    question.change = held.and_then(|held| held.change.as_ref()).map(ToString::to_string);
    question.definition = item.and_then(|item| item.hash.clone());
    question
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

#[expect(clippy::too_many_arguments, reason = "one place for the ends of a question, whoever answered it")]
async fn answered(
    core: &Core,
    seat: &Seat,
    call: &Call,
    held: Option<&Held>,
    verdict: &Verdict,
    question: &Question,
    answer: Answer,
    remembered: bool,
) -> Result<Cow<'static, str>, Error> {
    if answer != Answer::Absent {
        core.tell(GuardEvent::Answered { title: question.title(), answer, remembered });
    }
    if answer.lets_go() {
        if let Some(held) = held {
            accept(core, seat, held, question).await;
        }
        return Ok(Cow::Owned(format!("allow ({}{})", answer.name(), if remembered { ", remembered" } else { "" })));
    }
    if answer == Answer::Absent {
        if let Some(held) = held {
            return Err(held_back(seat, call, held, "somebody has to accept that, and nobody was there to be asked"));
        }
        let why = format!(
            "{} needs somebody's approval by {}, and nobody was there to be asked; approve it, or write a rule that \
             allows it",
            named(seat, call),
            rule_named(verdict.rule.as_deref())
        );
        return Err(Refusal::new(why).by(verdict.rule.clone()).wanting_approval().denied());
    }
    let before = if remembered { "was refused before, which is remembered" } else { "was refused by who was asked" };
    Err(Refusal::new(format!("{} {before}", named(seat, call))).by(verdict.rule.clone()).denied())
}

/// Pins a definition that somebody let through.
async fn accept(core: &Core, seat: &Seat, held: &Held, question: &Question) {
    let Some(pins) = &core.pins else { return };
    let definition = held.definition.clone();
    let (kind, name) = (definition.kind(), definition.name().to_owned());
    if let Err(error) = pins.accept(&seat.settings.server, [definition]).await {
        core.tell(GuardEvent::PinsFailed { why: error.to_string() });
    }
    seat.accept(kind, &name, question.definition.as_deref());
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
            let text = canonical(params).unwrap_or_else(|| params.as_str().to_owned());
            Some(crate::audit::Arguments::Sha256(hex(&Sha256::digest(text))))
        }
    }
}
