//! Asking the model: again where its answer was cut, without a tool that its provider refuses, and with a lighter history
//! where that is what it does not take.

use bowline_protocol::excerpt;
use tokio::time::timeout_at;

use super::event::{AgentError, AgentEvent};
use super::lighten::lighten;
use super::refused;
use super::work::Work;
use crate::{Answer, Event, ModelError, ModelErrorKind, Usage};

/// How often an answer that was cut is asked for again.
const CUTS: usize = 1;
/// How many tools are left out of one run because a provider refuses them.
const MOST_REFUSED: usize = 16;

/// What came of asking the model.
pub(super) enum Asked {
    Answer(Answer),
    TimeUp,
}

impl Work<'_> {
    /// Asks the model: once more where its answer was cut, and without a tool that its provider refuses.
    pub(super) async fn ask(&mut self) -> Result<Asked, AgentError> {
        let (mut cuts, mut refused) = (0, Vec::new());
        loop {
            let error = match self.attempt().await {
                Ok(Asked::TimeUp) => {
                    // Nobody told what it took.
                    self.spend_tokens(Usage { input_tokens: self.tokens, ..Usage::default() });
                    return Ok(Asked::TimeUp);
                }
                Ok(asked) => {
                    // Only now is it known that it was their fault.
                    self.conversation.refuses(self.agent.model.name(), &mut refused);
                    if self.heavy.take().is_some() {
                        self.conversation.memo.changed();
                    }
                    return Ok(asked);
                }
                Err(error) => error,
            };
            // What came counts, whatever it came to.
            let is_cut = error.kind() == ModelErrorKind::Cut;
            let is_some = |came: &&Answer| is_cut || !came.parts.is_empty() || came.usage.total() > 0;
            if let Some(came) = error.partial().filter(is_some) {
                self.count(came);
            }
            if is_cut && cuts < CUTS {
                cuts += 1;
                self.tell.tell(AgentEvent::Restarted { reason: error.to_string() }).await;
                self.tell_spent().await;
            } else if error.kind() == ModelErrorKind::Refused
                && refused.len() < MOST_REFUSED
                && let Some(name) = self.at_fault(&error).await
            {
                let (tool, why) = (excerpt(&name, 80), excerpt(&error.to_string(), 300));
                self.tell.notice(format!("the provider refuses the tool {tool}, so it is left out: {why}")).await;
                self.request.tools.retain(|spec| spec.name != name);
                self.around = None;
                refused.push(name);
            } else if self.heavy.is_none() && self.lighten(error.kind()) {
                let why = excerpt(&error.to_string(), 300);
                let lighter = "the conversation is sent without its images and other media";
                let cut = if error.kind() == ModelErrorKind::TooLong { ", its long results cut" } else { "" };
                self.tell.notice(format!("{lighter}{cut}, as the provider does not take it: {why}")).await;
            } else {
                self.restore_heavy();
                return Err(error.into());
            }
        }
    }

    /// Makes the messages lighter, for one more try. `false` where that cannot help.
    fn lighten(&mut self, kind: ModelErrorKind) -> bool {
        if !matches!(kind, ModelErrorKind::Refused | ModelErrorKind::TooLong) {
            return false;
        }
        let mut lighter = self.request.messages.clone();
        if lighten(&mut lighter, kind == ModelErrorKind::TooLong) == 0 {
            return false;
        }
        self.heavy = Some(std::mem::replace(&mut self.request.messages, lighter));
        self.conversation.memo.forget();
        true
    }

    /// Takes the messages back as they were: their weight was not what the provider refused.
    pub(super) fn restore_heavy(&mut self) {
        if let Some(heavy) = self.heavy.take() {
            self.request.messages = heavy;
            self.conversation.memo.forget();
        }
    }

    async fn attempt(&self) -> Result<Asked, ModelError> {
        let answered = timeout_at(self.deadline, async {
            let mut events = self.agent.model.stream(&self.request).await?;
            while let Some(event) = events.next().await {
                match event? {
                    Event::Text(text) => self.tell.tell(AgentEvent::Text { text }).await,
                    Event::Reasoning(text) => self.tell.tell(AgentEvent::Reasoning { text }).await,
                    Event::Done(answer) => return Ok(answer),
                    // Calls are told when they are made.
                    _ => {}
                }
            }
            Err(ModelError::new(ModelErrorKind::Cut, "the model's answer ended before it was whole; ask again"))
        });
        match answered.await {
            Ok(answer) => answer.map(Asked::Answer),
            Err(_) => Ok(Asked::TimeUp),
        }
    }

    /// The tool that a provider refuses, if it is one of those that were sent. What it takes to find it is spent.
    async fn at_fault(&mut self, error: &ModelError) -> Option<String> {
        let sent = &self.request.tools;
        let mut prober = refused::Prober::new(&self.agent.model);
        let found = timeout_at(self.deadline, async {
            // What a provider's message names is believed once it is tried.
            let named = error.refused_tool().and_then(|name| sent.iter().find(|spec| spec.name == name));
            if let Some(named) = named
                && prober.is_guilty(named).await
            {
                return Some(named.name.clone());
            }
            prober.find(sent).await
        });
        let found = found.await.ok().flatten();
        let usage = Usage { input_tokens: prober.tokens(), ..Usage::default() };
        self.spend_tokens(usage);
        found
    }
}
