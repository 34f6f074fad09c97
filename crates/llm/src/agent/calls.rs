//! The calls of one answer: what may be made is made, next to each other where that is safe, and each has a result.

use std::sync::Arc;

use bowline_client::{Error, ErrorKind, Safety};
use bowline_protocol::{CallToolResult, RawJson, excerpt};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::builtin::{self, Builtin};
use super::conversation::Cut;
use super::event::{AgentError, AgentEvent, CallEnd};
use super::offer::Known;
use super::told::{self, Digest};
use super::work::Work;
use crate::approve::{Approval, Asked};
use crate::artifacts::KeepFor;
use crate::breaker::{CallKey, Verdict};
use crate::tools::{ListedTool, ToolRequest};
use crate::{Arguments, Content, Fitted, ToolCall, ToolResult};

/// How many results of an answer may be as long as one may be. What comes beyond is cut shorter, so that many long ones
/// together do not fill the model's window.
const FULL_RESULTS: u64 = 3;
/// How many tokens a result may have in any case.
const LEAST_RESULT: u64 = 1_000;

/// A call that may be made.
struct Ready {
    call: ToolCall,
    tool: ListedTool,
    arguments: Value,
    key: CallKey,
    /// Whether a person changed the arguments.
    is_changed: bool,
}

/// What is to be done about a call.
enum Plan {
    /// It may be made, if it is allowed.
    Make(Box<Ready>),
    /// It has its result already.
    Told { tool: String, end: CallEnd, result: ToolResult },
}

impl Work<'_> {
    /// Makes the calls of an answer, and puts their results into the history.
    pub(super) async fn make(&mut self, calls: &[ToolCall]) -> Result<(), AgentError> {
        self.conversation.begin(calls);
        self.breaker.next_answer();
        let Some(known) = self.known.clone() else {
            self.finish_calls();
            return Ok(());
        };
        self.room = known.results.max_tokens.saturating_mul(FULL_RESULTS);
        let most = self.agent.bounds.calls_a_round;
        let mut together = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            if self.is_late() {
                break;
            }
            let plan = if at < most { self.plan(&known, call).await } else { one_too_many(call, most) };
            let ready = match plan {
                Plan::Make(ready) => ready,
                Plan::Told { tool, end, result } => {
                    self.told(tool, end, result).await;
                    continue;
                }
            };
            let alone = self.agent.in_order || ready.tool.safety() != Safety::ReadOnly;
            if alone {
                self.send(&known, std::mem::take(&mut together)).await?;
            }
            match self.allowed(*ready).await {
                Ok(ready) if alone => self.send(&known, vec![ready]).await?,
                Ok(ready) => together.push(ready),
                Err(Plan::Told { tool, end, result }) => self.told(tool, end, result).await,
                Err(Plan::Make(ready)) => together.push(*ready),
            }
        }
        self.send(&known, together).await?;
        for open in self.conversation.open.clone() {
            let (end, tool) = (if open.sent { CallEnd::Failed } else { CallEnd::NotMade }, open.call.name.clone());
            self.told(tool, end, open.result(Cut::TimeUp)).await;
        }
        self.finish_calls();
        Ok(())
    }

    /// What is to be done about a call, before anybody is asked.
    async fn plan(&mut self, known: &Known, call: &ToolCall) -> Plan {
        let own = known.builtins.of_name(&call.name);
        let Some(arguments) = call.arguments.as_object() else {
            let fault = call.arguments.fault().unwrap_or_default();
            return self.refuse(call, &call.name, fault);
        };
        let Ok(mut arguments) = arguments.parse::<Value>() else {
            return self.refuse(call, &call.name, "the arguments are nested too deeply; write flatter ones".to_owned());
        };
        let mut name = call.name.clone();
        match own {
            Some(Builtin::Call) => match unwrapped(&mut arguments) {
                Ok(inner) => (name, arguments) = inner,
                Err(fault) => return self.refuse(call, &call.name, fault),
            },
            Some(own) => return self.own(known, own, call, &arguments).await,
            None => {}
        }
        if self.conversation.refused.contains(&name) {
            let told = excerpt(&name, 80);
            let fault = format!("{told} is left out: your provider refuses how it is described. Do without it");
            return self.refuse(call, &name, fault);
        }
        let Some(tool) = known.catalog.get(&name) else {
            let fault = unknown(known, &name);
            return self.refuse(call, &name, fault);
        };
        if let Err(fault) = self.agent.checker.check(tool, &mut arguments) {
            return self.refuse(call, &name, fault);
        }
        let key = CallKey::new(&name, &arguments);
        match self.breaker.ask(&name, key) {
            Verdict::Go => {}
            held => return self.held(call, &name, held),
        }
        Plan::Make(Box::new(Ready { call: call.clone(), tool: tool.clone(), arguments, key, is_changed: false }))
    }

    /// A call of one of the agent's own tools.
    async fn own(&mut self, known: &Known, own: Builtin, call: &ToolCall, arguments: &Value) -> Plan {
        let key = CallKey::new(&call.name, arguments);
        match self.breaker.ask(&call.name, key) {
            Verdict::Go => {}
            held => return self.held(call, &call.name, held),
        }
        let answer = match own {
            Builtin::Search => builtin::search(&self.agent, &known.catalog, arguments).await,
            Builtin::Read | Builtin::Call => {
                builtin::read(&self.agent.artifacts, &self.conversation.artifacts, arguments)
            }
        };
        self.breaker.told(&call.name, key, &answer, answer.is_err());
        let (end, result) = match answer {
            Ok(text) => (CallEnd::Done, ToolResult::text(call, text)),
            Err(text) => (CallEnd::Failed, ToolResult::error(call, text)),
        };
        Plan::Told { tool: call.name.clone(), end, result }
    }

    /// The result of what is no call of a tool.
    fn refuse(&mut self, call: &ToolCall, tool: &str, fault: String) -> Plan {
        match self.breaker.refused(tool) {
            Verdict::Go => {
                Plan::Told { tool: tool.to_owned(), end: CallEnd::NotMade, result: ToolResult::error(call, fault) }
            }
            Verdict::Held(advice) => self.held(call, tool, Verdict::Held(format!("{fault}. {advice}"))),
            Verdict::End(advice) => self.held(call, tool, Verdict::End(format!("{fault}. {advice}"))),
        }
    }

    /// The result of a call that the breaker held back.
    fn held(&mut self, call: &ToolCall, tool: &str, verdict: Verdict) -> Plan {
        let advice = match verdict {
            Verdict::Go => String::new(),
            Verdict::Held(advice) => advice,
            Verdict::End(advice) => {
                self.in_circles = true;
                advice
            }
        };
        Plan::Told { tool: tool.to_owned(), end: CallEnd::NotMade, result: ToolResult::error(call, advice) }
    }

    /// Asks whether a call is made. The time that this takes is not the model's.
    async fn allowed(&mut self, mut ready: Ready) -> Result<Ready, Plan> {
        let not_made = |ready: &Ready, end: CallEnd, why: String| Plan::Told {
            tool: ready.tool.name.to_string(),
            end,
            result: ToolResult::error(&ready.call, why),
        };
        let most = self.agent.bounds.calls;
        if self.calls >= most {
            return Err(not_made(&ready, CallEnd::NotMade, format!("not called: no more than {most} calls are made")));
        }
        let Ok(arguments) = RawJson::from_serialize(&ready.arguments) else {
            return Err(not_made(&ready, CallEnd::NotMade, "not called: the arguments cannot be written".to_owned()));
        };
        let began = Instant::now();
        let approval = self.agent.approve.approve(Asked::new(ready.tool.clone(), arguments)).await;
        self.deadline += began.elapsed();
        match approval {
            Approval::Yes => {}
            Approval::No(why) => {
                let why = format!("not called: the user does not allow it: {why}. Do without it, or ask the user");
                return Err(not_made(&ready, CallEnd::Denied, why));
            }
            Approval::Change(changed) => {
                let mut changed = match Arguments::read(changed.as_str()) {
                    Arguments::Object(changed) => changed.to_value(),
                    Arguments::Broken(_) => Value::Null,
                };
                if !changed.is_object() || self.agent.checker.check(&ready.tool, &mut changed).is_err() {
                    let why = "not called: what the user changed the arguments to does not fit the tool; ask the user";
                    return Err(not_made(&ready, CallEnd::NotMade, why.to_owned()));
                }
                ready.arguments = changed;
                ready.is_changed = true;
            }
        }
        self.calls += 1;
        Ok(ready)
    }

    /// Sends calls, so many at once as the bounds say, and takes their results.
    async fn send(&mut self, known: &Known, calls: Vec<Ready>) -> Result<(), AgentError> {
        if calls.is_empty() {
            return Ok(());
        }
        for ready in &calls {
            self.conversation.sends(&ready.call.id);
        }
        // What may have been sent has to be known of, whatever happens to this program.
        self.journal().await?;
        let (agent, tell) = (Arc::clone(&self.agent), self.tell.clone());
        let calls = stream::iter(calls).map(|ready| {
            let (agent, tell) = (&agent, &tell);
            async move {
                let id = ready.call.id.clone();
                let begun = AgentEvent::CallBegun {
                    id: id.clone(),
                    tool: ready.tool.name.to_string(),
                    server: ready.tool.server.to_string(),
                    arguments: ready.arguments.clone(),
                    safety: ready.tool.safety(),
                };
                tell.tell(begun).await;
                let progress = tell.clone();
                let arguments = RawJson::from_serialize(&ready.arguments).unwrap_or(RawJson::EMPTY_OBJECT);
                let mut request = ToolRequest::new(Arc::clone(&ready.tool.name), arguments);
                request.progress = Some(Box::new(move |told| {
                    progress.try_tell(AgentEvent::Progress {
                        id: id.clone(),
                        progress: told.progress,
                        total: told.total,
                        message: told.message,
                    });
                }));
                let began = Instant::now();
                let result = agent.tools.call(request).await;
                (ready, result, began)
            }
        });
        let mut running = std::pin::pin!(calls.buffer_unordered(self.agent.bounds.calls_at_once));
        while let Ok(Some((ready, result, began))) = timeout_at(self.deadline, running.next()).await {
            self.ended(known, &ready, result, began).await;
        }
        Ok(())
    }

    /// Takes what came of a call.
    async fn ended(&mut self, known: &Known, ready: &Ready, result: Result<CallToolResult, Error>, began: Instant) {
        let (name, call) = (&*ready.tool.name, &ready.call);
        let (end, result) = match whole(result) {
            Ok(result) => {
                let failed = result.is_error();
                self.breaker.told(name, ready.key, Digest(&result), failed);
                let keep = KeepFor::new(&self.agent.artifacts, name);
                let mut policy = known.results.clone();
                policy.max_tokens = policy.max_tokens.min(self.room.max(LEAST_RESULT));
                let features = self.agent.model.features();
                let Fitted { result, for_host, kept, .. } = policy.fit(call, result, &features, &keep);
                let tokens = result.content.iter().map(Content::estimated_tokens).sum();
                self.room = self.room.saturating_sub(tokens);
                self.conversation.kept(kept);
                for content in for_host {
                    self.tell.tell(AgentEvent::ForUser { tool: name.to_owned(), content }).await;
                }
                (if failed { CallEnd::Failed } else { CallEnd::Done }, result)
            }
            Err(error) => {
                self.breaker.told(name, ready.key, error.to_string(), true);
                if told::is_for_people(&error) {
                    self.tell.notice(format!("{}: {}", excerpt(name, 80), excerpt(&error.to_string(), 500))).await;
                }
                (CallEnd::Failed, ToolResult::error(call, told::of_error(&error)))
            }
        };
        let mut result = result;
        if ready.is_changed {
            let arguments = excerpt(&ready.arguments.to_string(), 2_000);
            result.content.insert(0, Content::text(format!("[The user changed the arguments to {arguments}]")));
        }
        self.conversation.ended(result.clone());
        let (tool, took) = (name.to_owned(), began.elapsed());
        self.tell.tell(AgentEvent::CallEnded { tool, end, result, took }).await;
    }

    /// Notes and tells a result that took no call.
    async fn told(&mut self, tool: String, end: CallEnd, result: ToolResult) {
        self.conversation.ended(result.clone());
        self.tell.tell(AgentEvent::CallEnded { tool, end, result, took: std::time::Duration::ZERO }).await;
    }
}

/// A result that does not fit what the tool promises is a result all the same.
fn whole(result: Result<CallToolResult, Error>) -> Result<CallToolResult, Error> {
    match result {
        Err(error) if error.kind() == ErrorKind::Output => error.tool_result().cloned().ok_or(error),
        result => result,
    }
}

fn one_too_many(call: &ToolCall, most: usize) -> Plan {
    let why =
        format!("not called: no more than {most} calls of one answer are made. Call it again if it is still wanted");
    Plan::Told { tool: call.name.clone(), end: CallEnd::NotMade, result: ToolResult::error(call, why) }
}

/// The tool and its arguments in a call of a call.
fn unwrapped(arguments: &mut Value) -> Result<(String, Value), String> {
    let Some(name) = arguments.get("name").and_then(Value::as_str).map(str::to_owned) else {
        return Err("say which tool to call, as name".to_owned());
    };
    let inner = match arguments.get_mut("arguments").map(Value::take) {
        None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
        // Some models write an object as a text.
        Some(Value::String(text)) => match Arguments::read(&text) {
            Arguments::Object(object) => object.to_value(),
            broken => return Err(broken.fault().unwrap_or_default()),
        },
        Some(object @ Value::Object(_)) => object,
        Some(_) => return Err("arguments has to be an object".to_owned()),
    };
    Ok((name, inner))
}

fn unknown(known: &Known, name: &str) -> String {
    let told = excerpt(name, 80);
    match known.catalog.near(name) {
        Some(near) => format!("there is no tool {told}; did you mean {near}?"),
        None => format!("there is no tool {told}; use one of those that you were given, or answer without"),
    }
}
