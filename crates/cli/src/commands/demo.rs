//! `bowline demo`: every feature once, against a server inside this program.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline::protocol::{
    CallToolResult, CompletionReference, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, Revision, Root, TextContent,
};
use bowline::{Client, ClientBuilder, Event, RequestContext};
use bowline_testkit::{MockServer, demo};
use serde::Serialize;
use serde_json::{Value, json};

use super::all;
use crate::elicit;
use crate::exit::{CliError, Code, Stop};
use crate::options::{Demo, Format};
use crate::output::Output;
use crate::progress::ProgressView;
use crate::render::{self, Renderer};
use crate::sanitize;
use crate::session::{Logs, Run, log_line};
use crate::styled::Styled;

/// The resource that is read and watched.
const RESOURCE: &str = "demo://log-book";
/// How long the server inside this program may take to tell something.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(options: Demo, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let server = demo::server();
    if options.serve {
        return match server.serve_stdio().await {
            Ok(_) => Ok(()),
            Err(error) => Err(CliError::new(Code::Unexpected, format!("the demo server ended: {error}")).into()),
        };
    }
    if options.ask && !elicit::is_interactive() {
        return Err(CliError::usage("--ask needs a terminal").hint("without it the form is filled in for you").into());
    }
    let asked = Asked::default();
    let builder = builder(run, &options, &asked)?;
    run.with_client(builder, server.connector(), async |client| {
        let mut tour = Tour { out, steps: Vec::new(), renderer: Renderer { markdown: false, saver: None } };
        connect(client, &mut tour)?;
        list(client, run, &mut tour).await?;
        call(client, &mut tour).await?;
        progress(client, run, &mut tour).await?;
        read(client, &mut tour).await?;
        prompt(client, &mut tour).await?;
        complete(client, &mut tour).await?;
        ask_back(client, &asked, &mut tour).await?;
        watch(client, &server, &mut tour).await?;
        fail(client, &mut tour).await?;
        tour.finish(client)
    })
    .await
}

/// What the server asked, and what it was told.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<Vec<(String, String)>>>);

impl Asked {
    fn note(&self, question: impl Into<String>, answer: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((question.into(), answer.to_owned()));
    }

    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A client that the server can ask anything, with answers at hand.
fn builder(run: &Run, options: &Demo, asked: &Asked) -> Result<ClientBuilder, CliError> {
    let model = asked.clone();
    let mut builder = run.builder(Logs::Command)?;
    if run.global.revision.is_none() {
        // The tour shows what only sessions have too: pings, subscriptions, and questions while a call runs.
        builder = builder.revision(Revision::LATEST_HANDSHAKE);
    }
    let mut builder = builder.on_sampling(move |request: CreateMessageRequestParams, _: RequestContext| {
        let question = format!("a model to answer {} message(s)", request.messages.len());
        let answer = "A knot that holds under load and comes undone when you want it to.";
        model.note(question, answer);
        async move { Ok(CreateMessageResult::new("stand-in", TextContent::new(answer))) }
    });
    if run.global.roots.is_empty() {
        let folder =
            Root::from_path(&std::env::temp_dir()).map_err(|e| CliError::new(Code::Unexpected, e.to_string()))?;
        builder = builder.roots(vec![folder.with_name("a folder for the demo")]);
    }
    if options.ask {
        return Ok(builder.on_elicitation(elicit::Terminal::new(run)));
    }
    let person = asked.clone();
    Ok(builder.on_elicitation(move |request: ElicitRequestParams, _: RequestContext| {
        person.note(request.message().unwrap_or_default(), "Ada");
        async { Ok(ElicitResult::accept([("name", json!("Ada"))])) }
    }))
}

/// What was shown so far.
struct Tour<'o> {
    out: &'o mut Output,
    steps: Vec<Value>,
    renderer: Renderer,
}

impl Tour<'_> {
    /// One step: the command that does the same, and what came.
    fn step(&mut self, title: &str, command: &str, text: &Styled, result: &impl Serialize) -> Result<(), Stop> {
        if self.out.format() == Format::Json {
            let result = serde_json::to_value(result).unwrap_or_default();
            self.steps.push(json!({"step": title, "command": command, "result": result}));
            return Ok(());
        }
        let mut step = Styled::new().bold(title).dim(format!("    {command}")).line();
        for line in text.render(false).trim_end().lines() {
            step = if line.trim().is_empty() { step.line() } else { step.plain(format!("  {line}")).line() };
        }
        self.out.text(&step.line())
    }

    fn called(&mut self, title: &str, command: &str, tool: &str, result: &CallToolResult) -> Result<(), Stop> {
        let text = self.renderer.call(tool, result)?;
        self.step(title, command, &text, result)
    }

    fn finish(mut self, client: &Client) -> Result<(), Stop> {
        if self.out.format() == Format::Json {
            let server = client.server().info.clone();
            let steps = std::mem::take(&mut self.steps);
            return self.out.json(&json!({"server": server, "steps": steps}));
        }
        let next = Styled::new()
            .plain("Each command above works with `-- bowline demo --serve` behind it. With a server from elsewhere:")
            .line()
            .plain("  bowline list -- npx -y @modelcontextprotocol/server-everything\n")
            .plain("  bowline call echo message=hi -- npx -y @modelcontextprotocol/server-everything\n")
            .plain("Servers that other programs are set up with: `bowline list`. What is missing here: `bowline doctor`.\n");
        self.out.text(&next)
    }
}

fn connect(client: &Client, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let server = client.server();
    let mut text = Styled::new()
        .plain(format!("{} {}, revision {}", server.info.name, server.info.version, server.revision))
        .line();
    if let Some(instructions) = &server.instructions {
        text = text.plain(sanitize::line(instructions));
    }
    let facts = json!({"protocolVersion": server.revision.as_str(), "capabilities": server.capabilities, "instructions": server.instructions});
    tour.step("Connect", "bowline info", &text, &facts)
}

async fn list(client: &Client, run: &Run, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let tools = all(client.tools(), &run.console).await?;
    tour.step("List the tools", "bowline list", &render::tools(&tools, false), &tools)?;
    let resources = all(client.resources(), &run.console).await?;
    let templates = all(client.resource_templates(), &run.console).await?;
    let prompts = all(client.prompts(), &run.console).await?;
    let mut text = render::resources(&resources, false);
    text.append(render::templates(&templates, false));
    text.append(render::prompts(&prompts, false));
    let lists = json!({"resources": resources, "resourceTemplates": templates, "prompts": prompts});
    tour.step("List the rest", "bowline list --resources --templates --prompts", &text, &lists)
}

async fn call(client: &Client, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let mut events = client.events();
    let result = client.call("echo").arg("message", "ahoy").await?;
    tour.called("Call a tool", "bowline call echo message=ahoy", "echo", &result)?;
    let log = until(&mut events, |event| match event {
        Event::Log(log) => Some(log),
        _ => None,
    })
    .await?;
    tour.step("It wrote a log message", "bowline call echo message=ahoy -v", &log_line(&log), &log)?;
    let sum = client.call("add").arg("a", 2).arg("b", 3).await?;
    let structured = sum.structured_content.as_ref().map(|raw| raw.as_str().to_owned()).unwrap_or_default();
    tour.step("With a structured result", "bowline call add a=2 b=3 --json", &Styled::new().plain(structured), &sum)
}

async fn progress(client: &Client, run: &Run, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let view = ProgressView::new(&run.console, "countdown");
    let reports = Arc::new(Mutex::new(0_usize));
    let (bar, count) = (view.clone(), Arc::clone(&reports));
    let result = client
        .call("countdown")
        .arg("from", 5)
        .on_progress(move |report| {
            *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            bar.update(&report);
        })
        .await;
    view.finish();
    let result = result?;
    let reports = *reports.lock().unwrap_or_else(PoisonError::into_inner);
    let text = Styled::new().plain(format!("{} ({reports} reports of progress)", result.joined_text()));
    tour.step(
        "See its progress",
        "bowline call countdown from=5",
        &text,
        &json!({"reports": reports, "result": result}),
    )
}

async fn read(client: &Client, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let contents = client.read(RESOURCE).await?;
    let text = tour.renderer.read(&contents)?;
    tour.step("Read a resource", &format!("bowline read {RESOURCE}"), &text, &contents)
}

async fn prompt(client: &Client, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let prompt = client.prompt("review").arg("code", "let x = 1;").arg("language", "rust").await?;
    let text = tour.renderer.prompt("review", &prompt)?;
    tour.step("Fill in a prompt", "bowline prompt review code='let x = 1;' language=rust", &text, &prompt)
}

async fn complete(client: &Client, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let result = client.complete(CompletionReference::prompt("review"), "language", "ru").await?;
    let text = Styled::new().plain(sanitize::line(&result.completion.values.join(", ")));
    tour.step("Complete an argument", "bowline complete prompt:review language=ru", &text, &result)
}

/// The server asks the person, the model and for the roots.
async fn ask_back(client: &Client, asked: &Asked, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let tools = [
        ("The server asks you", "ask-name", None),
        ("It asks a model", "summarise", Some("The bowline.")),
        ("It asks where it may work", "roots", None),
    ];
    for (title, tool, text) in tools {
        let mut request = client.call(tool);
        let mut command = format!("bowline call {tool}");
        if let Some(text) = text {
            request = request.arg("text", text);
            command.push_str(&format!(" text='{text}'"));
        }
        let result = request.await?;
        let mut shown = Styled::new();
        for (question, answer) in asked.take() {
            shown = shown.plain(format!("it asks: {}", sanitize::line(&question))).line();
            shown = shown.plain(format!("answer:  {answer}")).line();
        }
        shown.append(tour.renderer.call(tool, &result)?);
        tour.step(title, &command, &shown, &result)?;
    }
    Ok(())
}

async fn watch(client: &Client, server: &MockServer, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let mut events = client.events();
    let _subscription = client.subscribe(RESOURCE).await?;
    server.resource_updated(RESOURCE).await;
    let uri = until(&mut events, |event| match event {
        Event::ResourceUpdated { uri } => Some(uri),
        _ => None,
    })
    .await?;
    let text = Styled::new().plain(format!("resource updated {}", sanitize::line(&uri)));
    tour.step(
        "Watch a resource",
        &format!("bowline watch {RESOURCE}"),
        &text,
        &json!({"event": "resource-updated", "uri": uri}),
    )
}

async fn fail(client: &Client, tour: &mut Tour<'_>) -> Result<(), Stop> {
    let result = client.call("fail").await?;
    tour.called("See a tool fail (exit code 5)", "bowline call fail", "fail", &result)
}

/// The first event that `pick` takes.
async fn until<T>(events: &mut bowline::Events, pick: impl Fn(Event) -> Option<T>) -> Result<T, Stop> {
    let found = tokio::time::timeout(PATIENCE, async {
        while let Some(event) = events.next().await {
            if let Some(found) = pick(event) {
                return Some(found);
            }
        }
        None
    });
    let found = found.await.ok().flatten();
    found.ok_or_else(|| CliError::new(Code::Protocol, "the demo server did not tell what it should").into())
}
