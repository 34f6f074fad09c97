//! One run: rounds of asking and calling, until there is an answer.

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::excerpt;
use tokio::time::{Instant, timeout_at};

use super::Inner;
use super::ask::Asked;
use super::bounds::{Bound, Spent};
use super::conversation::{Conversation, Cut, extend};
use super::event::{AgentError, AgentEvent, End, Outcome};
use super::offer::{Known, offer};
use super::run::Tell;
use crate::breaker::Breaker;
use crate::{Answer, Content, Message, Request, Stop, ToolCall, ToolChoice, ToolResult, Usage};

/// How long the last answer may take beyond the bound of time.
const LAST_ANSWER: Duration = Duration::from_secs(60);

/// A run as it goes on.
pub(super) struct Work<'c> {
    pub(super) agent: Arc<Inner>,
    pub(super) conversation: &'c mut Conversation,
    /// It holds the conversation's messages while the run goes on, so that none is copied.
    pub(super) request: Request,
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
    /// How many tokens the tools and what the model is to be have, estimated; none where they are to be counted.
    pub(super) around: Option<u64>,
    /// How many the request has with its messages.
    pub(super) tokens: u64,
    /// The messages as they were, while it is tried whether the provider takes lighter ones.
    pub(super) heavy: Option<Vec<Message>>,
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
            around: None,
            tokens: 0,
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
        self.conversation.goes_on();
        self.conversation.is_asked_of(self.agent.model.name());
        self.journal().await?;
        if timeout_at(self.deadline, self.list()).await.is_err() {
            self.tell.notice("the tools were not listed in time").await;
        }
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
        extend(&mut self.request.messages, Content::text(text), &mut self.conversation.memo);
    }

    /// As [`Request::estimated_tokens`] says, without counting again what was counted before.
    fn estimated_tokens(&mut self) -> u64 {
        let around = self.around.unwrap_or_else(|| self.request.tokens_around_messages());
        self.around = Some(around);
        self.tokens = around + self.conversation.memo.count(&self.request.messages);
        self.tokens
    }

    /// Counts what was used up.
    pub(super) fn spend_tokens(&mut self, usage: Usage) {
        let price = self.agent.prices.of(self.agent.model.name());
        self.spent.add(usage, price);
        self.conversation.spent.add(usage, price);
    }

    async fn spend(&mut self, answer: &Answer) {
        self.count(answer);
        self.tell_spent().await;
    }

    /// Tells what was used up.
    pub(super) async fn tell_spent(&self) {
        self.tell.tell(AgentEvent::Answered { spent: self.spent }).await;
    }

    /// Counts what an answer took, or what came of one.
    pub(super) fn count(&mut self, answer: &Answer) {
        let mut usage = answer.usage;
        if usage.total() == 0 {
            // Some servers do not count; a bound has to hold all the same.
            usage.input_tokens = self.tokens;
            usage.output_tokens = Message::Assistant(answer.parts.clone()).estimated_tokens();
        }
        self.spend_tokens(usage);
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
