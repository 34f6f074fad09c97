//! An agent's calls, approved as a guard approves calls: by its policy, and by whom it asks.

use std::fmt;

use bowline_guard::{Action, Answer, Approver, Policy, Question, Remembered, Subject, Verdict};
use bowline_llm::{Approval, Approve, Asked};
use bowline_protocol::{CallToolRequestParams, RawJson, excerpt};
use bowline_transport::BoxFuture;

/// Approves an agent's calls by a [`Policy`]: what it allows is called, what it denies the model is told of, and where it
/// asks, an [`Approver`] is asked, the same that a [`Guard`](bowline_guard::Guard) has.
///
/// This is for tools that no guard's layer is around: functions of the program, and servers whose clients have none.
/// Servers behind a layer need nothing here, as all that an agent calls goes through it: such an agent has
/// [`Everything`](bowline_llm::Everything) for its approval, and the layer decides.
///
/// An answer for calls to come is kept for the same tool, as its server describes it now, for as long as this lives, or
/// where [`remember`](Self::remember) says.
///
/// ```
/// use bowline::PolicyApproval;
/// use bowline::guard::{Answer, Policy, Question};
/// use bowline::llm::{Agent, Functions, ScriptedModel};
///
/// let policy: Policy = "default = 'ask'\n[[rule]]\ntool = 'delete_*'\naction = 'deny'\n# end".parse()?;
/// let approval = PolicyApproval::new(policy).approver(|question: Question| async move {
///     println!("{}?", question.title());
///     Answer::Deny
/// });
/// let agent = Agent::builder(ScriptedModel::new([]), Functions::new()).approve(approval).build();
/// # Ok::<(), bowline::guard::PolicyError>(())
/// ```
#[must_use = "it approves nothing before an agent has it"]
pub struct PolicyApproval {
    policy: Policy,
    approver: Option<Box<dyn Approver>>,
    remembered: Remembered,
    is_trusting: bool,
    caller: Option<String>,
}

impl PolicyApproval {
    /// By this policy. Its limits count the calls that are let go here.
    pub fn new(policy: Policy) -> Self {
        Self { policy, approver: None, remembered: Remembered::in_memory(), is_trusting: false, caller: None }
    }

    /// Sets who is asked. Default: nobody, and such calls are not made.
    pub fn approver(mut self, approver: impl Approver) -> Self {
        self.approver = Some(Box::new(approver));
        self
    }

    /// Sets where answers for calls to come are kept. Default: in memory.
    pub fn remember(mut self, remembered: Remembered) -> Self {
        self.remembered = remembered;
        self
    }

    /// Sets whether rules believe what all servers say of their tools, such as that they only read. Default: those that
    /// the policy trusts.
    pub const fn trust(mut self, is_trusting: bool) -> Self {
        self.is_trusting = is_trusting;
        self
    }

    /// Sets who calls, for rules (`caller`), questions and answers. Default: nobody in particular.
    pub fn caller(mut self, caller: impl Into<String>) -> Self {
        self.caller = Some(caller.into());
        self
    }

    async fn answer(&self, asked: Asked) -> Approval {
        let (server, tool) = (&*asked.tool.server, &*asked.tool.tool);
        let params = CallToolRequestParams::new(&tool.name).with_arguments(asked.arguments.clone());
        let Ok(params) = RawJson::from_serialize(&params) else {
            return Approval::No("the arguments cannot be judged".to_owned());
        };
        let subject = Subject::tool(server, &tool.name)
            .with_params(&params)
            .with_caller(self.caller.as_deref())
            .with_annotations(tool.annotations.as_ref(), self.is_trusting || self.policy.trusts(server));
        let verdict = self.policy.look(&subject);
        let reason = reason_of(&verdict);
        match verdict.action {
            Action::Allow => return self.let_go(&verdict),
            Action::Deny => return Approval::No(format!("the policy denies it{reason}")),
            Action::Ask => {}
        }
        let Some(approver) = &self.approver else {
            return Approval::No(format!("the policy wants somebody asked, and nobody is there{reason}"));
        };
        let (caller, rule) = (self.caller.as_deref(), verdict.rule.as_deref());
        let question = Question::of_tool(server, tool, caller, rule, asked.arguments.as_str())
            .because(verdict.reason.as_deref().unwrap_or("the policy asks"));
        // A store that fails remembers nothing: somebody is asked again.
        let answer = match self.remembered.answer(&question).await.ok().flatten() {
            Some(answer) => answer,
            None => {
                let answer = approver.ask(question.clone()).await;
                if answer.is_lasting() {
                    let _ = self.remembered.keep(&question, answer).await;
                }
                answer
            }
        };
        match answer {
            answer if answer.lets_go() => self.let_go(&verdict),
            Answer::Absent => Approval::No("nobody is there who could allow it".to_owned()),
            _ => Approval::No("the user said no".to_owned()),
        }
    }

    /// It goes, unless others went meanwhile and reached the rule's limit.
    fn let_go(&self, verdict: &Verdict) -> Approval {
        match self.policy.count(verdict) {
            Ok(()) => Approval::Yes,
            Err(exceeded) => Approval::No(format!("the policy denies it{}", reason_of(&exceeded))),
        }
    }
}

fn reason_of(verdict: &Verdict) -> String {
    verdict.reason.as_deref().map(|reason| format!(": {}", excerpt(reason, 300))).unwrap_or_default()
}

impl Approve for PolicyApproval {
    fn approve(&self, asked: Asked) -> BoxFuture<'_, Approval> {
        Box::pin(self.answer(asked))
    }
}

impl fmt::Debug for PolicyApproval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyApproval").field("policy", &self.policy).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use bowline_llm::{Agent, Conversation, Functions, ListedTool, Message, ScriptedModel, Turn};
    use bowline_protocol::{CallToolResult, Tool};
    use serde_json::json;

    use super::*;

    const POLICY: &str = "default = 'ask'
[[rule]]
name = 'reading'
tool = 'read_*'
action = 'allow'
[[rule]]
name = 'no deletions'
tool = 'delete_*'
action = 'deny'
reason = 'nothing is deleted here'
# end";

    fn tool(name: &str) -> Tool {
        Tool::new(name, json!({"type": "object"}))
    }

    fn asked(tool: Tool) -> Asked {
        Asked::new(ListedTool::new(format!("files__{}", tool.name), "files", tool), RawJson::EMPTY_OBJECT)
    }

    #[tokio::test]
    async fn an_agents_calls_go_through_the_policy_and_its_approver() {
        let made = Arc::new(Mutex::new(Vec::new()));
        let names = ["read_file", "delete_file", "write_file"];
        let tools = names.into_iter().fold(Functions::new(), |tools, name| {
            let made = Arc::clone(&made);
            tools.with(tool(name), move |_| {
                made.lock().unwrap().push(name);
                async { CallToolResult::text("done") }
            })
        });
        let questions = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&questions);
        let approval = PolicyApproval::new(POLICY.parse().unwrap()).approver(move |question: Question| {
            seen.lock().unwrap().push(question);
            async { Answer::Deny }
        });
        let model = ScriptedModel::new([Turn::calls(names.map(|name| (name, r#"{"at": "pier"}"#))), Turn::say("done")]);
        let mut conversation = Conversation::new();
        let agent = Agent::builder(model, tools).approve(approval).build();
        agent.run(&mut conversation, "go").outcome().await.unwrap();
        assert_eq!(*made.lock().unwrap(), ["read_file"]);
        let questions = questions.lock().unwrap();
        assert_eq!(questions.len(), 1);
        assert!(questions[0].title().ends_with("write_file"), "{:?}", questions[0]);
        assert!(questions[0].arguments.as_deref().unwrap().contains("pier"));
        let Message::Results(results) = &conversation.messages()[2] else { panic!("results") };
        let told = format!("{results:?}");
        assert!(told.contains("nothing is deleted here") && told.contains("the user said no"), "{told}");
    }

    #[tokio::test]
    async fn a_lasting_answer_is_for_the_tool_as_it_was_described() {
        let times = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&times);
        let approval = PolicyApproval::new(POLICY.parse().unwrap()).approver(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Answer::Always }
        });
        for _ in 0..3 {
            assert!(matches!(approval.approve(asked(tool("send"))).await, Approval::Yes));
        }
        assert_eq!(times.load(Ordering::Relaxed), 1);
        let other = tool("send").with_description("Sends it to everybody");
        assert!(matches!(approval.approve(asked(other)).await, Approval::Yes));
        assert_eq!(times.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_calls_is_known_to_rules_and_to_who_is_asked() {
        let policy: Policy = "default = 'ask'\n[[rule]]\ncaller = 'ci'\naction = 'deny'\n# end".parse().unwrap();
        let approval = |caller: &str| {
            PolicyApproval::new(policy.clone()).caller(caller).approver(|question: Question| async move {
                if question.caller.as_deref() == Some("ann") { Answer::Allow } else { Answer::Deny }
            })
        };
        assert!(matches!(approval("ann").approve(asked(tool("send"))).await, Approval::Yes));
        let Approval::No(why) = approval("ci").approve(asked(tool("send"))).await else { panic!("no") };
        assert!(why.contains("the policy denies it"), "{why}");
    }

    #[tokio::test]
    async fn a_limit_counts_what_is_let_go() {
        let policy = "default = 'deny'\n[[rule]]\naction = 'ask'\nlimit = { calls = 1, per = 'day' }\n# end";
        let answers = Arc::new(Mutex::new(vec![Answer::Allow, Answer::Deny]));
        let approval = PolicyApproval::new(policy.parse().unwrap()).approver(move |_| {
            let answer = answers.lock().unwrap().pop().unwrap();
            async move { answer }
        });
        assert!(matches!(approval.approve(asked(tool("send"))).await, Approval::No(_)));
        assert!(matches!(approval.approve(asked(tool("send"))).await, Approval::Yes));
        let Approval::No(why) = approval.approve(asked(tool("send"))).await else { panic!("no") };
        assert!(why.contains("limit of 1 calls"), "{why}");
    }

    #[tokio::test]
    async fn where_nobody_can_be_asked_nothing_is_allowed() {
        let approval = PolicyApproval::new(POLICY.parse().unwrap());
        let Approval::No(why) = approval.approve(asked(tool("send"))).await else { panic!("no") };
        assert!(why.contains("nobody is there"), "{why}");
    }
}
