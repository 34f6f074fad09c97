//! One run: rounds of asking and calling, until there is an answer.

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::excerpt;
use tokio::time::{Instant, timeout_at};

use super::bounds::{Bound, Spent};
use super::conversation::{Conversation, Cut};
use super::event::{AgentError, AgentEvent, End, Outcome};
use super::lighten::lighten;
use super::offer::{Known, offer};
use super::run::Tell;
use super::{Inner, refused};
use crate::breaker::Breaker;
use crate::{
    Answer, Content, Event, Message, ModelError, ModelErrorKind, Request, Stop, ToolCall, ToolChoice, ToolResult,
    Usage, estimate_tokens,
};

/// How long the last answer may take beyond the bound of time.
const LAST_ANSWER: Duration = Duration::from_secs(60);
/// How often an answer that was cut is asked for again.
const CUTS: usize = 1;
/// How many tools are left out of one run because a provider refuses them.
const MOST_REFUSED: usize = 16;

/// A run as it goes on.
pub(super) struct Work<'c> {
    pub(super) agent: Arc<Inner>,
    pub(super) conversation: &'c mut Conversation,
    /// It holds the conversation's messages while the run goes on, so that none is copied.
    request: Request,
    pub(super) tell: Tell,
    pub(super) known: Option<Arc<Known>>,
    pub(super) breaker: Breaker,
    pub(super) deadline: Instant,
    rounds: u32,
    pub(super) calls: u32,
    spent: Spent,
    /// How many tokens the results of the answer's calls may still have.
    pub(super) room: u64,
    /// Whether the breaker says that it is enough.
    pub(super) in_circles: bool,
    /// Why calls have no result, where the run ends now.
    cut: Cut,
    /// How many tokens the tools and the first messages have, estimated, and how many messages these are: each is
    /// counted once.
    tokens: u64,
    counted: usize,
    /// The messages as they were, while it is tried whether the provider takes lighter ones.
    heavy: Option<Vec<Message>>,
}

/// What came of asking the model.
enum Asked {
    Answer(Answer),
    TimeUp,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.give_back();
        self.conversation.settle(self.cut);
    }
}

impl<'c> Work<'c> {
    pub(super) fn new(agent: Arc<Inner>, conversation: &'c mut Conversation, tell: Tell) -> Self {
        let request = Request {
            system: agent.system.clone(),
            max_tokens: agent.max_tokens,
            temperature: agent.temperature,
            cache: true,
            ..Request::default()
        };
        let breaker = Breaker::new(agent.breaker);
        Self {
            agent,
            conversation,
            request,
            tell,
            known: None,
            breaker,
            deadline: Instant::now(),
            rounds: 0,
            calls: 0,
            spent: Spent::default(),
            room: 0,
            in_circles: false,
            cut: Cut::Cancelled,
            tokens: 0,
            counted: 0,
            heavy: None,
        }
    }

    pub(super) async fn drive(mut self) -> Result<Outcome, AgentError> {
        let ended = self.run().await;
        if ended.is_err() {
            self.cut = Cut::Failed;
        }
        ended
    }

    async fn run(&mut self) -> Result<Outcome, AgentError> {
        if self.conversation.messages.is_empty() {
            return Err(AgentError::Empty);
        }
        self.deadline = Instant::now() + self.agent.bounds.time;
        self.conversation.settle(Cut::Ended);
        self.journal().await?;
        self.list().await;
        self.take();
        let mut last = None;
        loop {
            if last.is_none() {
                last = self.enough();
                if let Some(end) = &last {
                    let end = end.clone();
                    self.conclude(&end);
                }
            }
            self.rounds += 1;
            let (tools, tokens) = (self.request.tools.len(), self.estimated_tokens());
            self.tell.tell(AgentEvent::Round { round: self.rounds, tools, estimated_tokens: tokens }).await;
            let answer = match self.ask().await? {
                Asked::Answer(answer) => answer,
                Asked::TimeUp => match last {
                    Some(end) => return Ok(self.outcome(String::new(), end)),
                    None => continue,
                },
            };
            let (text, stop) = (answer.text(), answer.stop.clone());
            let calls: Vec<ToolCall> = answer.calls().cloned().collect();
            self.spend(&answer).await;
            if !answer.parts.is_empty() {
                self.request.messages.push(answer.into_message());
            }
            if !calls.is_empty() {
                match (&last, &stop) {
                    (Some(_), _) => self.refuse_all(&calls, "no tool can be called any more"),
                    // The last call may be half of what it was to be, and look whole.
                    (None, Stop::MaxTokens | Stop::ContextFull | Stop::Refusal) => {
                        self.refuse_all(&calls, "your answer was cut. Write the call again, with less around it");
                    }
                    (None, _) => self.make(&calls).await?,
                }
            }
            self.journal().await?;
            match (last, calls.is_empty(), stop) {
                (Some(end), ..) => return Ok(self.outcome(text, end)),
                (None, false, stop @ (Stop::ContextFull | Stop::Refusal)) => {
                    return Ok(self.outcome(text, End::Stopped(stop)));
                }
                (None, false, _) => last = None,
                (None, true, Stop::Paused) => last = None,
                (None, true, Stop::MalformedCall) => {
                    self.say(
                        "[Your call could not be read. Write it once more, as one valid call, or answer without it.]",
                    );
                    last = None;
                }
                (None, true, Stop::EndTurn) => return Ok(self.outcome(text, End::Answered)),
                (None, true, stop) => return Ok(self.outcome(text, End::Stopped(stop))),
            }
        }
    }

    /// Reads what tools there are, and chooses those that the model is shown.
    async fn list(&mut self) {
        let list = self.agent.tools.list().await;
        for failure in &list.failures {
            self.tell.notice(excerpt(failure, 500)).await;
        }
        let (known, fault) = self.agent.known(list.tools).await;
        let (tools, other_fault) = offer(&self.agent, &known, self.conversation).await;
        if let Some(fault) = fault.or(other_fault) {
            let fault = excerpt(&fault, 300);
            self.tell.notice(format!("tools are found by words alone, as the embedder failed: {fault}")).await;
        }
        self.request.tools = tools;
        self.known = Some(known);
    }

    /// Why the model gets no more tools, if it does not.
    fn enough(&self) -> Option<End> {
        if self.in_circles {
            return Some(End::Circles);
        }
        if self.is_late() {
            return Some(End::Bound(Bound::Time));
        }
        self.agent.bounds.reached(self.rounds, self.calls, &self.spent).map(End::Bound)
    }

    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Has the next answer be the last: without tools, from what is there.
    fn conclude(&mut self, end: &End) {
        let bounds = &self.agent.bounds;
        let why = match end {
            End::Bound(Bound::Rounds) => format!("The limit of {} rounds of calls is reached.", bounds.rounds),
            End::Bound(Bound::Calls) => format!("The limit of {} calls is reached.", bounds.calls),
            End::Bound(Bound::Tokens) => "The limit of tokens is reached.".to_owned(),
            End::Bound(Bound::Cost) => "The limit of cost is reached.".to_owned(),
            End::Bound(Bound::Time) => "The time is up.".to_owned(),
            _ => "Your calls went round in circles.".to_owned(),
        };
        self.say(&format!(
            "[{why} No tool can be called any more. Answer now from what you have, and say what is missing.]"
        ));
        self.request.tool_choice = ToolChoice::None;
        self.deadline = Instant::now() + LAST_ANSWER;
    }

    /// Says something to the model for the program.
    fn say(&mut self, text: &str) {
        match self.request.messages.last_mut() {
            Some(Message::User(said)) => {
                said.push(Content::text(text));
                if self.counted == self.request.messages.len() {
                    self.tokens += estimate_tokens(text);
                }
            }
            _ => self.request.messages.push(Message::user(text)),
        }
    }

    /// As [`Request::estimated_tokens`] says, without counting again what was counted before.
    fn estimated_tokens(&mut self) -> u64 {
        if self.counted == 0 {
            let tools = Request { tools: self.request.tools.clone(), ..Request::default() };
            self.tokens = tools.estimated_tokens() + self.request.system.as_deref().map_or(0, estimate_tokens);
        }
        let fresh = self.request.messages.get(self.counted..).unwrap_or_default();
        self.tokens += fresh.iter().map(Message::estimated_tokens).sum::<u64>();
        self.counted = self.request.messages.len();
        self.tokens
    }

    /// Asks the model: once more where its answer was cut, and without a tool that its provider refuses.
    async fn ask(&mut self) -> Result<Asked, AgentError> {
        let (mut cuts, mut refused) = (0, Vec::new());
        loop {
            let error = match self.attempt().await {
                Ok(asked) => {
                    // Only now is it known that it was their fault.
                    self.conversation.refused.append(&mut refused);
                    self.heavy = None;
                    return Ok(asked);
                }
                Err(error) => error,
            };
            if error.kind() == ModelErrorKind::Cut && cuts < CUTS {
                cuts += 1;
                if let Some(partial) = error.partial() {
                    self.spend(partial).await;
                }
                self.tell.tell(AgentEvent::Restarted { reason: error.to_string() }).await;
            } else if error.kind() == ModelErrorKind::Refused
                && refused.len() < MOST_REFUSED
                && let Some(name) = self.at_fault(&error).await
            {
                let (tool, why) = (excerpt(&name, 80), excerpt(&error.to_string(), 300));
                self.tell.notice(format!("the provider refuses the tool {tool}, so it is left out: {why}")).await;
                self.request.tools.retain(|spec| spec.name != name);
                self.counted = 0;
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
        self.counted = 0;
        true
    }

    /// Takes the messages back as they were: their weight was not what the provider refused.
    fn restore_heavy(&mut self) {
        if let Some(heavy) = self.heavy.take() {
            self.request.messages = heavy;
            self.counted = 0;
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

    fn spend_tokens(&mut self, usage: Usage) {
        let price = self.agent.prices.of(self.agent.model.name());
        self.spent.add(usage, price);
        self.conversation.spent.add(usage, price);
    }

    async fn spend(&mut self, answer: &Answer) {
        let mut usage = answer.usage;
        if usage.total() == 0 {
            // Some servers do not count; a bound has to hold all the same.
            usage.input_tokens = self.tokens;
            usage.output_tokens = Message::Assistant(answer.parts.clone()).estimated_tokens();
        }
        self.spend_tokens(usage);
        self.tell.tell(AgentEvent::Answered { spent: self.spent }).await;
    }

    /// Calls that are not made have a result all the same.
    fn refuse_all(&mut self, calls: &[ToolCall], why: &str) {
        let results = calls.iter().map(|call| ToolResult::error(call, format!("not called: {why}")));
        self.request.messages.push(Message::Results(results.collect()));
    }

    /// Has what happened kept.
    pub(super) async fn journal(&mut self) -> Result<(), AgentError> {
        let Some(journal) = self.agent.journal.clone() else { return Ok(()) };
        let had = self.give_back();
        let written = journal.write(self.conversation).await;
        if had {
            self.take();
        }
        written.map_err(AgentError::Journal)
    }

    /// Puts the results of calls into the history.
    pub(super) fn finish_calls(&mut self) {
        self.give_back();
        self.conversation.settle(Cut::TimeUp);
        self.take();
    }

    /// Moves the messages into the request.
    fn take(&mut self) {
        self.request.messages = std::mem::take(&mut self.conversation.messages);
    }

    /// Moves the messages back, if they are in the request.
    fn give_back(&mut self) -> bool {
        self.restore_heavy();
        let has = !self.request.messages.is_empty();
        if has {
            self.conversation.messages = std::mem::take(&mut self.request.messages);
        }
        has
    }

    fn outcome(&self, text: String, end: End) -> Outcome {
        Outcome { text, end, rounds: self.rounds, calls: self.calls, spent: self.spent }
    }
}
