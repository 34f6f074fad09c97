//! Asking somebody about a call.

use std::borrow::Cow;

use bowline_client::{Call, Error};
use bowline_protocol::method;
use tokio::time::timeout;

use super::arguments::arguments_of;
use super::decide::{Doubt, named, rule_named};
use super::lists::{Held, Item, Seat};
use crate::consent::{About, Answer, Question};
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::policy::Verdict;
use crate::refusal::{Refusal, name_of, shown_name};

/// A call that somebody has to be asked about.
pub(super) struct Asking<'a> {
    pub(super) core: &'a Core,
    pub(super) seat: &'a Seat,
    pub(super) call: &'a Call,
    pub(super) item: Option<&'a Item>,
    pub(super) doubt: Option<&'a Doubt<'a>>,
    pub(super) verdict: &'a Verdict,
}

impl Asking<'_> {
    /// Asks somebody, or remembers what they said. Gives what was said, for the record, and whether it was said now.
    pub(super) async fn ask(&self) -> Result<(Cow<'static, str>, bool), Error> {
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
        let name = name_of(call);
        let redacted = match (&core.outgoing, &arguments) {
            (Some(outgoing), Some(text)) => outgoing.redact(text),
            _ => None,
        };
        let about = About {
            server: &seat.settings.server,
            key: seat.settings.answers_key(),
            method: call.method(),
            name: name.as_deref(),
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
