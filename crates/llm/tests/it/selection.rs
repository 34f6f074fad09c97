//! Two thousand tools over a hundred servers: what a model is shown of them, by a labelled set of tasks.
//!
//! The set is in `selection/servers.txt` and `selection/tasks.txt`. Half of the tasks is set aside: words and weights of
//! the selection are never chosen by those.

use std::collections::BTreeMap;

use bowline_llm::{
    Agent, Conversation, Everything, ListedTool, Request, ScriptedModel, Selection, ToolList, ToolRequest, Tools, Turn,
};
use bowline_protocol::{CallToolResult, Tool};
use bowline_transport::BoxFuture;
use serde_json::{Value, json};

/// The tools of the set.
#[derive(Clone)]
pub(crate) struct Set(Vec<ListedTool>);

impl Set {
    pub(crate) fn new() -> Self {
        let servers = include_str!("selection/servers.txt").lines().filter(|line| !line.starts_with('#'));
        Self(servers.flat_map(tools_of).collect())
    }
}

impl Tools for Set {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        Box::pin(std::future::ready(ToolList::new(self.0.clone())))
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, bowline_client::Error>> {
        Box::pin(std::future::ready(Ok(CallToolResult::text(format!("{} was called", call.name)))))
    }
}

/// The tools of one line: `name|style|what|kind:verb,verb kind …`.
fn tools_of(line: &str) -> Vec<ListedTool> {
    let [server, style, what, kinds] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
    let tool = |kind: &str, verb: &str| {
        let label = format!("{verb}_{kind}");
        let name = match style {
            "camel" => camel(&label),
            "kebab" => label.replace('_', "-"),
            _ => label.clone(),
        };
        let tool = Tool::new(name, schema(kind, verb)).with_description(description(kind, verb, what));
        ListedTool::new(format!("{server}__{label}"), server, tool)
    };
    let kinds = kinds.split(' ').map(|kind| kind.split_once(':').unwrap_or((kind, "list,get,create,update")));
    kinds
        .flat_map(|(kind, verbs)| verbs.split(',').map(move |verb| (kind, verb)))
        .map(|(kind, verb)| tool(kind, verb))
        .collect()
}

fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

/// What servers say of such tools.
fn description(kind: &str, verb: &str, what: &str) -> String {
    let kind = kind.replace('_', " ");
    let said = match verb {
        "list" => format!("Lists {kind}s, newest first, a page at a time"),
        "get" | "describe" | "read" => format!("Returns one {kind} with all of its details"),
        "create" => format!("Creates a {kind} and returns its identifier"),
        "update" => format!("Changes fields of an existing {kind}"),
        "delete" | "remove" => format!("Deletes a {kind} for good"),
        "search" | "find" | "query" => format!("Returns every {kind} that matches a query"),
        verb => format!("Performs the operation \"{}\" on a {kind}", verb.replace('_', " ")),
    };
    format!("{said}. Part of {what}.")
}

fn schema(kind: &str, verb: &str) -> Value {
    let id = format!("{kind}_id");
    let about = format!("Identifier of the {}", kind.replace('_', " "));
    let (properties, required) = match verb {
        "list" => (
            json!({"limit": {"type": "integer", "description": "Page size, 1 to 100"}, "cursor": {"type": "string"}}),
            json!([]),
        ),
        "search" | "find" | "query" => (
            json!({"query": {"type": "string", "description": "What to look for"}, "limit": {"type": "integer"}}),
            json!(["query"]),
        ),
        "create" | "add" | "send" | "upload" => (
            json!({"title": {"type": "string"}, "body": {"type": "string", "description": "The content"}, "parent": {"type": "string"}}),
            json!(["title"]),
        ),
        "update" => (
            json!({&id: {"type": "string", "description": about}, "fields": {"type": "object"}}),
            json!([&id, "fields"]),
        ),
        _ => (json!({&id: {"type": "string", "description": about}}), json!([&id])),
    };
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// A task, and what is right for it.
struct Task {
    held: bool,
    right: Vec<String>,
    says: &'static str,
}

fn tasks() -> Vec<Task> {
    let lines = include_str!("selection/tasks.txt").lines().filter(|line| !line.starts_with('#'));
    let task = |line: &'static str| {
        let [half, right, says] = line.splitn(3, '|').collect::<Vec<_>>().try_into().unwrap();
        let right = right.split(',').map(|label: &str| label.replacen('.', "__", 1)).collect();
        Task { held: half == "h", right, says }
    };
    lines.map(task).collect()
}

/// What the model is asked first for each task.
async fn first_requests(selection: Selection) -> Vec<(Task, Request)> {
    let model = ScriptedModel::by(|_| Turn::say("fine"));
    let agent = Agent::builder(model.clone(), Set::new()).approve(Everything::default()).selection(selection).build();
    let mut all = Vec::new();
    for task in tasks() {
        agent.run(&mut Conversation::new(), task.says).outcome().await.unwrap();
        all.push((task, model.requests().pop().unwrap()));
    }
    all
}

fn is_offered(task: &Task, request: &Request) -> bool {
    request.tools.iter().any(|tool| task.right.contains(&tool.name))
}

#[test]
fn the_set_has_two_thousand_tools_and_every_task_names_one_of_them() {
    let set = Set::new();
    let mut servers = BTreeMap::<_, usize>::new();
    for tool in &set.0 {
        *servers.entry(&tool.server).or_default() += 1;
    }
    assert_eq!((servers.len(), set.0.len()), (100, 2_000));
    let tasks = tasks();
    let halves = tasks.iter().filter(|task| task.held).count();
    assert!(tasks.len() >= 100 && halves * 2 == tasks.len());
    for task in tasks {
        assert!(task.right.iter().all(|right| set.0.iter().any(|tool| *tool.name == **right)), "{}", task.says);
    }
}

/// Whether the person names the server, as people do who have a hundred of them.
fn names_its_server(task: &Task) -> bool {
    let says = task.says.to_lowercase();
    task.right.iter().any(|right| {
        let server = right.split("__").next().unwrap_or_default();
        says.contains(&server.replace('_', " ")) || server.split('_').any(|word| word.len() > 3 && says.contains(word))
    })
}

/// How many tasks there are, and for how many of them the right tool was offered: first of those that do not name their
/// server, then of those that do.
#[derive(Debug, Default, Clone, Copy)]
struct Recall([(usize, usize); 2]);

impl Recall {
    fn add(&mut self, task: &Task, is_offered: bool) {
        let [unnamed, named] = &mut self.0;
        let (all, right) = if names_its_server(task) { named } else { unnamed };
        *all += 1;
        *right += usize::from(is_offered);
    }

    fn is_at_least(self, percent: usize) -> bool {
        let [(unnamed, some), (named, more)] = self.0;
        (some + more) * 100 >= (unnamed + named) * percent
    }
}

#[test]
fn half_of_the_tasks_do_not_name_their_server() {
    for held in [false, true] {
        let tasks: Vec<_> = tasks().into_iter().filter(|task| task.held == held).collect();
        let unnamed = tasks.iter().filter(|task| !names_its_server(task)).count();
        assert!(unnamed * 2 >= tasks.len(), "{unnamed} of {}, held: {held}", tasks.len());
    }
}

/// A harder question than what is shown by default: a server has twenty tools.
#[tokio::test]
async fn the_right_one_is_mostly_among_the_first_ten() {
    let requests = first_requests(Selection::search().with_most(10)).await;
    let mut recall = Recall::default();
    for (task, request) in &requests {
        recall.add(task, is_offered(task, request));
    }
    println!("unnamed and named: {recall:?}");
    assert!(recall.is_at_least(85), "unnamed and named: {recall:?}");
}

#[tokio::test]
async fn of_two_thousand_tools_the_right_one_is_shown_within_eight_thousand_tokens() {
    let requests = first_requests(Selection::default()).await;
    let mut halves = [Recall::default(); 2];
    let mut missed = Vec::new();
    for (task, request) in &requests {
        let tokens = request.estimated_tokens();
        assert!(tokens < 8_000, "{tokens} tokens for: {}", task.says);
        let is_offered = is_offered(task, request);
        halves[usize::from(task.held)].add(task, is_offered);
        // Whoever tunes by the half that is set aside has none any more: it is not told.
        if !is_offered && !task.held {
            missed.push(format!("{}: {}", task.right.join(","), task.says));
        }
    }
    let most = requests.iter().map(|(_, request)| request.estimated_tokens()).max();
    println!("tuned: {:?}, set aside: {:?}, largest request: {most:?} tokens", halves[0], halves[1]);
    println!("missed of those for tuning:\n{}", missed.join("\n"));
    let [tuned, aside] = halves;
    assert!(tuned.is_at_least(95) && aside.is_at_least(95), "tuned: {tuned:?}, set aside: {aside:?}");
}
