//! Servers that others wrote and published, one scenario each: connect, list everything, call a tool and check its
//! answer, read or prompt where there is something, close, and no process is left.
//!
//! `cargo xtask interop` installs the servers and runs this; without it each test says that it skipped itself.

mod http;
mod listening;
mod websocket;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bowline::prelude::*;
use bowline::protocol::{CompletionReference, ErrorCode, TextContent};
use bowline::transport::Connect;
use bowline::{ClientBuilder, stdio::StdioConnect};
use serde_json::{Value, json};

#[tokio::test]
async fn everything_calls_asks_back_reads_prompts_and_completes() {
    let Some(server) = Installed::find("everything") else { return };
    let connector = server.npm("mcp-server-everything");
    let builder = Client::builder()
        .roots(vec![Root::from_path(&server.work).unwrap()])
        .on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async {
            Ok(CreateMessageResult::new("a-model", TextContent::new("sampled words")))
        })
        .on_elicitation(|_: ElicitRequestParams, _: RequestContext| async {
            Ok(ElicitResult::accept([("name", json!("Ashley")), ("check", json!(true))]))
        });
    let (client, lists) = server.connect(builder, connector).await;
    assert_eq!(lists, Lists { tools: Some(16), resources: Some(7), templates: Some(2), prompts: Some(4) });

    assert_eq!(client.call("echo").arg("message", "hi").await.unwrap().joined_text(), "Echo: hi");
    let sum = client.call("get-sum").arg("a", 2).arg("b", 3).await.unwrap();
    assert_eq!(sum.joined_text(), "The sum of 2 and 3 is 5.");
    let weather = client.call("get-structured-content").arg("location", "New York").await.unwrap();
    assert!(weather.structured_content.unwrap().to_value().get("temperature").is_some());
    let sampled = client.call("trigger-sampling-request").arg("prompt", "tie").await.unwrap();
    assert!(sampled.joined_text().contains("sampled words"));
    let elicited = client.call("trigger-elicitation-request").await.unwrap();
    assert!(elicited.joined_text().contains("Name: Ashley"));
    let roots = client.call("get-roots-list").await.unwrap().joined_text();
    assert!(roots.contains("1 total"), "{roots}");

    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let slow = client.call("trigger-long-running-operation").arg("duration", 0.1).arg("steps", 3);
    slow.on_progress(move |step| seen.lock().unwrap().push(step.progress)).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), [1.0, 2.0, 3.0]);

    let text = read_text(&client, "demo://resource/dynamic/text/1").await;
    assert!(text.starts_with("Resource 1: "), "{text}");
    let prompt = client.prompt("args-prompt").arg("city", "Oslo").await.unwrap();
    assert_eq!(prompt.messages[0].content.as_text(), Some("What's weather in Oslo?"));
    let departments = client.complete(CompletionReference::prompt("completable-prompt"), "department", "E");
    assert_eq!(departments.await.unwrap().completion.values, ["Engineering"]);

    server
        .close(client, lists, "echo, sum, structured, sampling, elicitation, roots, progress, read, prompt, complete")
        .await;
}

#[tokio::test]
async fn filesystem_asks_for_the_roots_and_writes_only_inside() {
    let Some(server) = Installed::find("filesystem") else { return };
    let connector = server.npm("mcp-server-filesystem").arg(&server.work);
    let builder = Client::builder().roots(vec![Root::from_path(&server.work).unwrap()]);
    let (client, lists) = server.connect(builder, connector).await;
    assert_eq!(lists, Lists { tools: Some(14), resources: None, templates: None, prompts: None });

    let file = server.work.join("note.txt");
    let written = client.call("write_file").arg("path", &file).arg("content", "holds").await.unwrap();
    assert!(!written.is_error());
    assert_eq!(fs::read_to_string(&file).unwrap(), "holds");
    let read = client.call("read_text_file").arg("path", &file).await.unwrap();
    assert_eq!(read.joined_text(), "holds");
    let outside = client.call("read_text_file").arg("path", "/etc/hostname").await.unwrap();
    assert!(outside.is_error(), "a path outside the roots is refused by the tool");

    server.close(client, lists, "write, read, a refusal").await;
}

#[tokio::test]
async fn memory_keeps_what_it_was_told() {
    let Some(server) = Installed::find("memory") else { return };
    let connector = server.npm("mcp-server-memory").env("MEMORY_FILE_PATH", server.work.join("memory.jsonl"));
    let (client, lists) = server.connect(Client::builder(), connector).await;
    assert_eq!(lists, Lists { tools: Some(9), resources: Some(1), templates: Some(0), prompts: None });

    let knot = json!([{ "name": "bowline", "entityType": "knot", "observations": ["holds under load"] }]);
    client.call("create_entities").arg("entities", &knot).await.unwrap();
    let graph = client.call("read_graph").await.unwrap();
    assert_eq!(graph.structured_content.unwrap().to_value().get("entities"), Some(&knot));
    let text = read_text(&client, "memory://knowledge-graph").await;
    assert!(text.contains("holds under load"), "{text}");

    server.close(client, lists, "create, read back, read the resource").await;
}

#[tokio::test]
async fn code_runner_answers_among_plain_text_on_its_stdout() {
    let Some(server) = Installed::find("code-runner") else { return };
    let connector = server.npm("mcp-server-code-runner");
    let (client, lists) = server.connect(Client::builder(), connector).await;
    assert_eq!(lists, Lists { tools: Some(1), resources: None, templates: None, prompts: None });

    let run = client.call("run-code").arg("languageId", "javascript").arg("code", "console.log(6 * 7)").await.unwrap();
    assert_eq!(run.joined_text().trim(), "42");

    server.close(client, lists, "run JavaScript").await;
}

#[tokio::test]
async fn mongodb_lists_without_a_database() {
    let Some(server) = Installed::find("mongodb") else { return };
    let connector = server.npm("mongodb-mcp-server").env("MDB_MCP_TELEMETRY", "disabled").env("HOME", &server.work);
    let (client, lists) = server.connect(Client::builder(), connector).await;
    assert_eq!(lists, Lists { tools: Some(27), resources: Some(2), templates: Some(1), prompts: None });

    let connections = client.call("list-connections").await.unwrap();
    assert_eq!(connections.structured_content.unwrap().to_value(), json!({ "connections": [] }));
    let config: Value = serde_json::from_str(&read_text(&client, "config://config").await).unwrap();
    assert_eq!(config.get("telemetry"), Some(&json!("disabled")));

    server.close(client, lists, "list connections, read the configuration").await;
}

#[tokio::test]
async fn github_of_the_oldest_revision_lists_its_tools() {
    let Some(server) = Installed::find("github") else { return };
    let connector = server.npm("mcp-server-github");
    let (client, lists) = server.connect(Client::builder(), connector).await;
    assert_eq!(lists, Lists { tools: Some(26), resources: None, templates: None, prompts: None });
    assert_eq!(client.server().revision, Revision::V2024_11_05);

    // The tools themselves need the network; what is wrong with these arguments shows before that.
    let refused = client.call("get_issue").arg("owner", 1).await.unwrap_err();
    assert!(refused.to_string().contains("owner"), "{refused}");

    server.close(client, lists, "a refusal of wrong arguments").await;
}

#[tokio::test]
async fn git_tells_the_status_of_a_repository() {
    let Some(server) = Installed::find("git") else { return };
    let git = |args: &[&str]| {
        let status = Command::new("git").args(args).current_dir(&server.work).status().unwrap();
        assert!(status.success(), "git {args:?}");
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    fs::write(server.work.join("knot.txt"), "bowline").unwrap();
    let connector = server.python("mcp-server-git").arg("--repository").arg(&server.work);
    let (client, lists) = server.connect(Client::builder(), connector).await;
    assert_eq!(lists, Lists { tools: Some(12), resources: Some(0), templates: Some(0), prompts: Some(0) });

    let status = client.call("git_status").arg("repo_path", &server.work).await.unwrap().joined_text();
    assert!(status.contains("On branch main") && status.contains("knot.txt"), "{status}");

    server.close(client, lists, "status").await;
}

#[tokio::test]
async fn time_converts_between_zones() {
    let Some(server) = Installed::find("time") else { return };
    let connector = server.python("mcp-server-time").args(["--local-timezone", "UTC"]);
    let (client, lists) = server.connect(Client::builder(), connector).await;
    assert_eq!(lists, Lists { tools: Some(2), resources: Some(0), templates: Some(0), prompts: Some(0) });

    let arguments = json!({ "source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo" });
    let converted = client.call("convert_time").args(arguments).await.unwrap();
    let structured = converted.structured_content.unwrap().to_value();
    assert_eq!(structured.get("time_difference"), Some(&json!("+9.0h")));

    server.close(client, lists, "convert noon to Tokyo's time").await;
}

#[tokio::test]
async fn fastmcp_serves_one_of_each_kind() {
    let Some(server) = Installed::find("fastmcp") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/demo.py");
    let connector = server.python("python").arg(script);
    let (client, lists) = server.connect(Client::builder(), connector).await;
    assert_eq!(lists, Lists { tools: Some(2), resources: Some(1), templates: Some(1), prompts: Some(1) });

    let sum = client.call("add").arg("a", 2).arg("b", 3).await.unwrap();
    assert_eq!(sum.structured_content.unwrap().to_value(), json!({ "result": 5 }));
    let wrong = client.call("add").arg("a", "two").await;
    assert!(wrong.map_or(true, |result| result.is_error()), "arguments of the wrong type are refused");
    assert_eq!(read_text(&client, "demo://motto").await, "holds under load");
    assert_eq!(read_text(&client, "demo://knots/bowline").await, "bowline: tied");
    let prompt = client.prompt("explain").arg("knot", "bowline").await.unwrap();
    assert_eq!(prompt.messages[0].content.as_text(), Some("How is a bowline tied?"));

    server.close(client, lists, "add, a refusal, read, read by template, prompt").await;
}

#[tokio::test]
async fn sqlite_of_the_first_python_sdk_writes_and_reads_rows() {
    let Some(server) = Installed::find("sqlite") else { return };
    let connector = server.python("mcp-server-sqlite").arg("--db-path").arg(server.work.join("knots.db"));
    let (client, lists) = server.connect(Client::builder(), connector).await;
    assert_eq!(lists, Lists { tools: Some(6), resources: Some(1), templates: Some(0), prompts: Some(1) });

    for (tool, query) in
        [("create_table", "CREATE TABLE knots (name TEXT)"), ("write_query", "INSERT INTO knots VALUES ('bowline')")]
    {
        assert!(!client.call(tool).arg("query", query).await.unwrap().is_error());
    }
    let rows = client.call("read_query").arg("query", "SELECT name FROM knots").await.unwrap();
    assert_eq!(rows.joined_text(), "[{'name': 'bowline'}]");
    assert_eq!(read_text(&client, "memo://insights").await, "No business insights have been discovered yet.");
    let prompt = client.prompt("mcp-demo").arg("topic", "knots").await.unwrap();
    assert_eq!(prompt.description.as_deref(), Some("Demo template for knots"));

    // An unknown method is answered with -32602 by this SDK, and the connection goes on.
    let unknown = client.request("no/such-method").await.unwrap_err();
    assert_eq!(unknown.code(), Some(ErrorCode::INVALID_PARAMS));
    client.ping().await.unwrap();

    server.close(client, lists, "create, insert, select, read, prompt, an unknown method").await;
}

/// How many of each the server listed; `None` where it declared no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lists {
    tools: Option<usize>,
    resources: Option<usize>,
    templates: Option<usize>,
    prompts: Option<usize>,
}

/// A server that is installed, and a fresh folder for it to work in.
struct Installed {
    name: &'static str,
    /// `target/interop`.
    directory: PathBuf,
    work: PathBuf,
    started: Instant,
}

/// Marks the processes of a scenario, through their environment.
const MARK: &str = "BOWLINE_INTEROP_MARK";

impl Installed {
    /// Finds a server, or says that the test skips itself.
    fn find(name: &'static str) -> Option<Self> {
        Self::find_for(name, name)
    }

    /// As [`find`](Self::find), for one of several scenarios of a server: each works in a folder of its own.
    fn find_for(name: &'static str, scenario: &str) -> Option<Self> {
        let Some(directory) = std::env::var_os("BOWLINE_INTEROP_DIR").map(PathBuf::from) else {
            println!("skipped: run `cargo xtask interop --only {name}`");
            return None;
        };
        let work = directory.join("work").join(scenario);
        if work.exists() {
            fs::remove_dir_all(&work).unwrap();
        }
        fs::create_dir_all(&work).unwrap();
        Some(Self { name, directory, work, started: Instant::now() })
    }

    /// The command of an npm package.
    fn npm(&self, command: &str) -> StdioConnect {
        self.program(&Path::new("node_modules/.bin").join(command))
    }

    /// A command in a Python environment.
    fn python(&self, command: &str) -> StdioConnect {
        self.program(&Path::new("bin").join(command))
    }

    fn program(&self, path: &Path) -> StdioConnect {
        let program = self.directory.join("servers").join(self.name).join(path);
        bowline::stdio(program).env(MARK, self.mark()).env("TMPDIR", &self.work)
    }

    fn mark(&self) -> String {
        format!("{}-{}", self.name, std::process::id())
    }

    /// Connects, and lists all that there is.
    async fn connect(&self, builder: ClientBuilder, connector: impl Connect + 'static) -> (Client, Lists) {
        let client = builder.connect(connector).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let lists = Lists {
            tools: count(client.tools().all().await),
            resources: count(client.resources().all().await),
            templates: count(client.resource_templates().all().await),
            prompts: count(client.prompts().all().await),
        };
        (client, lists)
    }

    /// Closes, sees that nothing is left running, and writes the result that `cargo xtask interop` shows.
    async fn close(self, client: Client, lists: Lists, checked: &str) {
        let revision = client.server().revision.to_string();
        client.close().await.unwrap();
        self.record(&revision, lists, checked);
    }

    /// As [`close`](Self::close), for a client that was closed.
    fn record(self, revision: &str, lists: Lists, checked: &str) {
        assert_eq!(marked_processes(&self.mark()), [0_u32; 0], "processes are left after close");
        let result = json!({
            "revision": revision,
            "tools": lists.tools,
            "resources": lists.resources,
            "templates": lists.templates,
            "prompts": lists.prompts,
            "checked": checked,
            "milliseconds": u64::try_from(self.started.elapsed().as_millis()).unwrap(),
        });
        fs::write(self.directory.join("results").join(format!("{}.json", self.name)), result.to_string()).unwrap();
    }
}

/// The length of a list; `None` where the server declared no such thing.
fn count<T>(list: Result<Vec<T>, Error>) -> Option<usize> {
    match list {
        Ok(items) => Some(items.len()),
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        Err(error) => panic!("{error}"),
    }
}

async fn read_text(client: &Client, uri: &str) -> String {
    match client.read(uri).await.unwrap().contents.as_slice() {
        [ResourceContents::Text(text)] => text.text.clone(),
        other => panic!("{uri} has {other:?}"),
    }
}

/// The processes whose environment carries the mark. Looked at where there is a `/proc`.
fn marked_processes(mark: &str) -> Vec<u32> {
    let wanted = format!("{MARK}={mark}");
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_marked = |id: &u32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    ids.filter(is_marked).collect()
}
