//! Turn by turn: a person or a question in advance, and the model's answers.

use bowline::hub::Hub;
use bowline::llm::{Agent, AgentError, AgentEvent, Bound, Conversation, End, ModelErrorKind, Outcome, Stop as Stopped};
use inquire::InquireError;

use super::history::Kept;
use super::screen::Screen;
use super::slash::{self, Slash};
use crate::exit::{CliError, Code, Stop};
use crate::output::Output;
use crate::prompts::{Inquire, Prompts as _};
use crate::sanitize;
use crate::session::{Run, Signals, interrupted};
use crate::styled::Styled;

/// A conversation as it goes on.
pub(super) struct Talk<'a> {
    pub(super) agent: Agent,
    pub(super) hub: &'a Hub,
    pub(super) conversation: Conversation,
    pub(super) run: &'a Run,
    pub(super) out: &'a mut Output,
    pub(super) signals: &'a mut Signals,
}

impl Talk<'_> {
    /// Answers one question.
    pub(super) async fn once(&mut self, question: String) -> Result<(), Stop> {
        self.conversation.say(question);
        self.resumed().await
    }

    /// Answers what stands in the conversation.
    pub(super) async fn resumed(&mut self) -> Result<(), Stop> {
        match self.turn().await? {
            Some(outcome) => {
                self.tell(&outcome);
                Ok(())
            }
            None => Err(interrupted()),
        }
    }

    /// Talks with a person, until they have enough.
    pub(super) async fn go_on(&mut self, kept: Option<&Kept>) -> Result<(), Stop> {
        let model = sanitize::excerpt(self.agent.model().name(), 80);
        self.run.console.note(format!("{model}; /help tells what there is beside talking"));
        let mut again = false;
        loop {
            let said = match self.line().await {
                Ok(said) => said,
                // Once is a slip, twice is meant.
                Err(InquireError::OperationInterrupted) if !again => {
                    again = true;
                    self.run.console.note("Ctrl-C once more, or /quit, ends this");
                    continue;
                }
                Err(InquireError::OperationCanceled) => continue,
                Err(_) => break,
            };
            again = false;
            match slash::read(&said) {
                None if said.trim().is_empty() => {}
                None => {
                    self.conversation.say(slash::said(&said));
                    self.answer().await?;
                }
                Some(Ok(Slash::Quit)) => break,
                Some(Ok(command)) => slash::run(command, self).await?,
                Some(Err(error)) => self.run.console.error(&error),
            }
        }
        if let Some(kept) = kept.filter(|_| !self.conversation.messages().is_empty()) {
            self.run.console.note(format!("bowline chat --resume={} goes on with this", kept.id));
        }
        Ok(())
    }

    /// Answers, and tells what went wrong: the person can say something else.
    async fn answer(&mut self) -> Result<(), Stop> {
        match self.turn().await {
            Ok(Some(outcome)) => self.tell(&outcome),
            Ok(None) => self.run.console.note("stopped"),
            Err(Stop::Error(error)) => self.run.console.error(&error),
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    /// One run of the agent; none where the person stopped it.
    async fn turn(&mut self) -> Result<Option<Outcome>, Stop> {
        let mut screen = Screen::new(self.out, &self.run.console);
        let mut run = self.agent.resume(&mut self.conversation);
        let ended = loop {
            let event = tokio::select! {
                biased;
                () = self.signals.next() => break Ok(None),
                () = self.run.interrupted.notified() => break Ok(None),
                event = run.next() => event,
            };
            match event {
                Some(Ok(event)) => {
                    screen.show(&event)?;
                    if let AgentEvent::Done(outcome) = event {
                        break Ok(Some(outcome));
                    }
                }
                Some(Err(error)) => break Err(told(&error).into()),
                None => break Ok(None),
            }
        };
        // What is open is given up here, and the servers are told.
        drop(run);
        screen.finish()?;
        ended
    }

    /// Says where an answer is not what was asked for.
    fn tell(&self, outcome: &Outcome) {
        let why = match &outcome.end {
            End::Answered if !outcome.text.trim().is_empty() => return,
            End::Answered => "the model's answer is empty".to_owned(),
            End::Bound(Bound::Rounds) => "the bound of --max-rounds is reached".to_owned(),
            End::Bound(Bound::Tokens) => "the bound of --max-tokens is reached".to_owned(),
            End::Bound(Bound::Time) => "the time is up".to_owned(),
            End::Bound(_) => "a bound is reached".to_owned(),
            End::Circles => "the model went round in circles".to_owned(),
            End::Stopped(Stopped::MaxTokens) => {
                "the answer is cut: it is as long as the model's answers may be".to_owned()
            }
            End::Stopped(Stopped::Refusal) => "the model refused".to_owned(),
            End::Stopped(Stopped::ContextFull) => "the conversation is as long as the model can take".to_owned(),
            End::Stopped(Stopped::Other(why)) => format!("the model stopped: {}", sanitize::excerpt(why, 80)),
            _ => "the model stopped".to_owned(),
        };
        self.run.console.warn(why);
    }

    /// What a person types.
    async fn line(&self) -> Result<String, InquireError> {
        let _turn = self.run.asking.lock().await;
        let console = self.run.console.clone();
        let typed = tokio::task::spawn_blocking(move || console.paused(|| Inquire.text(">", None, "")));
        // A thread that broke is a terminal that is gone.
        typed.await.unwrap_or(Err(InquireError::NotTTY))
    }

    pub(super) fn print(&mut self, text: &Styled) -> Result<(), Stop> {
        self.out.long_text(text)
    }
}

/// Why there is no answer, as an error of this command.
fn told(error: &AgentError) -> CliError {
    let (code, hint) = match error {
        AgentError::Model(model) => match model.kind() {
            ModelErrorKind::Auth | ModelErrorKind::Quota => (Code::Authorization, None),
            ModelErrorKind::Connect => (Code::Connect, Some("--base-url says where a model of your own is")),
            ModelErrorKind::NotFound => (Code::Connect, Some("look at --model and --base-url")),
            ModelErrorKind::Timeout => (Code::Timeout, None),
            ModelErrorKind::Config => (Code::Usage, None),
            ModelErrorKind::TooLong => (Code::Protocol, Some("begin a new conversation, or name fewer servers")),
            _ => (Code::Protocol, None),
        },
        AgentError::Journal(_) => (Code::Unexpected, Some("--no-history keeps nothing")),
        _ => (Code::Usage, None),
    };
    CliError::new(code, error.to_string()).hint_if(hint.map(str::to_owned))
}
