//! `bowline call`: calls a tool.

use bowline::protocol::{CallToolResult, ErrorCode, Task, Tool};
use bowline::{Client, OutputSchemas};

use super::info::unknown_tool;
use super::{find, given, renderer};
use crate::args::{Built, parse_object};
use crate::configured::Configured;
use crate::exit::{CliError, Code, Stop};
use crate::options::{Call, Format, Save};
use crate::output::Output;
use crate::progress::ProgressView;
use crate::render::{self, Renderer};
use crate::sanitize;
use crate::schema::Schema;
use crate::session::{Logs, Run};
use crate::stdin::{self, Offer};

pub(crate) async fn run(options: Call, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let mut given = given(&options.given)?;
    let name = options.tool.as_str();
    let configured = options.server.configured.as_deref();
    configured.map_or(Ok(()), |configured| configured.permit_name(name))?;
    let policy = options.output_schema.map(OutputSchemas::from);
    let builder = run.builder(Logs::Console)?.output_schemas(policy.unwrap_or_default());
    // The schema of the result comes with the list of tools.
    let wants_schema = policy.is_some_and(|policy| policy != OutputSchemas::Ignore);
    let wants_listed = wants_schema || configured.is_some_and(Configured::reads_annotations);
    run.with_server_as(&options.server, builder, async |client| {
        // Whoever writes JSON says exactly what to send: no schema is needed, and the tool need not be listed.
        let tool = match listed_tool_if(client, name, !given.is_json_alone() || wants_listed).await {
            // What is held back is in no list: then the guard says why, or asks.
            Err(_) if run.guarding.holds(name) => None,
            tool => tool?,
        };
        if let (Some(configured), Some(tool)) = (configured, &tool) {
            configured.permit(tool)?;
        }
        let schema = tool.as_ref().map(|tool| tool.input_schema.to_value()).unwrap_or_default();
        let schema = Schema::new(&schema);
        let mut silent = false;
        if given.is_empty() && !schema.properties().is_empty() {
            match stdin::offered().await? {
                Offer::Text(text) => given.objects.push(parse_object(&text, "standard input")?),
                Offer::Silent => silent = true,
                Offer::Nothing => {}
            }
        }
        let built = given.build(name, schema).map_err(|error| if silent { about_silence(error) } else { error })?;
        if silent {
            run.console
                .note("standard input is open, but nothing came: no arguments are sent (--args-file - waits for them)");
        }
        let result = match call(client, run, name, built, options.task).await {
            Ok(result) => result,
            Err(error) => return Err(refused(name, tool.is_some(), error, &options.save, out)?),
        };
        finish(name, &result, &options.save, run, out)
    })
    .await
}

async fn listed_tool_if(client: &Client, name: &str, is_wanted: bool) -> Result<Option<Tool>, Stop> {
    if is_wanted { listed_tool(client, name).await.map(Some) } else { Ok(None) }
}

pub(super) async fn listed_tool(client: &Client, name: &str) -> Result<Tool, Stop> {
    if client.server().capabilities.tools.is_none() {
        return Err(unknown_tool(name, &[], client).into());
    }
    let found = find(client.tools(), name, |tool| &tool.name).await?;
    found.map_err(|known| unknown_tool(name, &known, client).into())
}

async fn call(
    client: &Client,
    run: &Run,
    name: &str,
    built: Built,
    as_task: bool,
) -> Result<CallToolResult, bowline::Error> {
    for warning in &built.warnings {
        run.console.warn(warning.as_str());
    }
    let progress = ProgressView::new(&run.console, name);
    let view = progress.clone();
    let request = client.call(name).args(&built.members).on_progress(move |report| view.update(&report));
    let result = if as_task {
        let console = run.console.clone();
        request.as_task().on_status(move |task| console.note(task_line(task))).await
    } else {
        request.await
    };
    progress.finish();
    result
}

/// How a task stands, on one line.
fn task_line(task: &Task) -> String {
    let status = sanitize::excerpt(task.status.as_str(), 40).replace('_', " ");
    let message = task.status_message.as_deref().filter(|message| !message.trim().is_empty());
    let message = message.map(|message| format!(": {}", sanitize::excerpt(message, 200))).unwrap_or_default();
    format!("task {status}{message}")
}

/// The error of a call, with the result where there is one that was refused: it is not lost.
fn refused(name: &str, listed: bool, error: bowline::Error, save: &Save, out: &mut Output) -> Result<Stop, Stop> {
    let Some(result) = error.tool_result().cloned() else { return Ok(told(name, listed, error)) };
    if out.format() == Format::Json {
        out.json(&result)?;
    }
    let text = renderer(out, save).call(name, &result)?.render(false);
    let error = CliError::from(error).detail(Some(text)).hint("--output-schema warn shows the result all the same");
    Ok(error.into())
}

/// The error of a call. Servers say "unknown tool" with the code for invalid parameters.
fn told(name: &str, listed: bool, error: bowline::Error) -> Stop {
    let is_unknown = error.server_error().is_some_and(|object| {
        let message = object.message.to_lowercase();
        object.code == ErrorCode::INVALID_PARAMS
            && !listed
            && (message.contains("unknown tool") || message.contains("not found") || message.contains("no such tool"))
    });
    let mut error = CliError::from(error);
    if is_unknown {
        error.code = Code::Tool;
        error = error.hint("`bowline list` shows the server's tools");
    } else if error.server_error.is_some() && error.hint.is_none() {
        error = error.hint(sanitize::line(&format!("`bowline info {name}` shows what the tool takes")));
    }
    error.into()
}

fn about_silence(error: CliError) -> CliError {
    let hint = error.hint.clone().unwrap_or_default();
    error.hint(format!("{hint}; standard input is open, but nothing came (--args-file - waits for it)"))
}

/// Shows a result; one of a tool that failed ends the run with an error.
fn finish(name: &str, result: &CallToolResult, save: &Save, run: &Run, out: &mut Output) -> Result<(), Stop> {
    for problem in &result.problems {
        run.console.warn(format!("block {} of the result cannot be read: {}", problem.index, problem.error));
    }
    let mut renderer: Renderer = renderer(out, save);
    if !result.is_error() {
        return match out.format() {
            Format::Json => {
                if renderer.saver.is_some() {
                    renderer.call(name, result)?;
                }
                out.json(result)
            }
            Format::Raw => out.raw(&raw(result)),
            _ => out.long_text(&renderer.call(name, result)?),
        };
    }
    if out.format() == Format::Json {
        out.json(result)?;
    }
    let text = renderer.call(name, result)?.render(false);
    Err(CliError::new(Code::Tool, format!("the tool `{}` failed", sanitize::line(name))).detail(Some(text)).into())
}

fn raw(result: &CallToolResult) -> Vec<u8> {
    match &result.structured_content {
        Some(structured) if result.content.is_empty() => structured.as_str().as_bytes().to_vec(),
        _ => render::raw_blocks(&result.content),
    }
}
