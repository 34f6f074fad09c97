//! The paces themselves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bowline::prelude::*;
use bowline::protocol::TextContent;
use bowline::{ClientBuilder, Target};

use super::listening::Listening;
use super::plan::{Call, Found, Plan};
use super::processes::{self, MARK};

/// From the start of a server to its answer; Python servers import for many seconds on a loaded machine.
const CONNECT: Duration = Duration::from_secs(90);
/// How long any one answer may take.
const ANSWER: Duration = Duration::from_secs(45);
/// How long the refusal of a method may take.
const REFUSAL: Duration = Duration::from_secs(5);
/// When the slow call is given up.
const GIVEN_UP: Duration = Duration::from_millis(500);
/// A tool that no server has.
const NO_SUCH_TOOL: &str = "bowline-no-such-tool";
/// A method that no server has.
const NO_SUCH_METHOD: &str = "bowline/no-such-method";
/// How many characters of a text are shown.
const SHOWN: usize = 200;
/// How many oddities are shown.
const MAX_ODDITIES: usize = 5;

/// Runs a plan. What was found until a failure stays in `found`.
pub(crate) async fn run(plan: &Plan, found: &mut Found) -> Result<(), String> {
    let started = Instant::now();
    let mark = format!("probe-{}", std::process::id());
    let listening = match &plan.url {
        Some(url) => Some(Listening::start(plan, url, &mark).await?),
        None => None,
    };
    let oddities = Arc::new(Mutex::new(Vec::new()));
    let client = connect(plan, listening.as_ref(), &mark, Arc::clone(&oddities)).await?;
    let outcome = paces(plan, &client, found).await;
    let closed = client.close().await.map_err(|error| format!("close: {}", line(&error.to_string())));
    drop(listening);
    let left = processes::left(&mark).await;
    found.total_ms = milliseconds(started);
    found.oddities = std::mem::take(&mut *oddities.lock().unwrap_or_else(PoisonError::into_inner));
    outcome?;
    closed?;
    if !left.is_empty() {
        return Err(format!("{} of its processes are left after close", left.len()));
    }
    found.steps.push("close");
    Ok(())
}

async fn connect(
    plan: &Plan,
    listening: Option<&Listening>,
    mark: &str,
    oddities: Arc<Mutex<Vec<String>>>,
) -> Result<Client, String> {
    let builder = builder(plan)?.on_event(move |event| {
        let Event::Fault(fault) = event else { return };
        let mut oddities = oddities.lock().unwrap_or_else(PoisonError::into_inner);
        if oddities.len() < MAX_ODDITIES {
            oddities.push(line(&fault.to_string()));
        }
    });
    let connected = match listening {
        Some(listening) => builder.connect(Target::parse(&listening.url).map_err(|error| error.to_string())?).await,
        None => {
            let stdio = bowline::stdio(&plan.program).args(plan.args.iter()).current_dir(&plan.work).env(MARK, mark);
            builder.connect(plan.env.iter().fold(stdio, |stdio, (name, value)| stdio.env(name, value))).await
        }
    };
    connected.map_err(|error| format!("connect: {}", line(&error.to_string())))
}

/// A client that can do all that a server may ask for.
fn builder(plan: &Plan) -> Result<ClientBuilder, String> {
    let root = Root::from_path(&plan.work).map_err(|error| error.to_string())?;
    Ok(Client::builder()
        .timeouts(Timeouts::default().with_connect(CONNECT).with_idle(ANSWER))
        .roots(vec![root])
        .on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async {
            Ok(CreateMessageResult::new("a-model", TextContent::new("sampled words")))
        })
        .on_elicitation(|_: ElicitRequestParams, _: RequestContext| async { Ok(ElicitResult::decline()) }))
}

async fn paces(plan: &Plan, client: &Client, found: &mut Found) -> Result<(), String> {
    found.revision = client.server().revision.to_string();
    found.steps.push("connect");

    found.tools = listed("tools", client.tools().all().await)?.map(|list| list.len());
    found.resources = listed("resources", client.resources().all().await)?.map(|list| list.len());
    found.templates = listed("templates", client.resource_templates().all().await)?.map(|list| list.len());
    found.prompts = listed("prompts", client.prompts().all().await)?.map(|list| list.len());
    found.steps.push("list");

    if let Some(call) = &plan.call {
        does(client, call).await?;
        found.steps.push("call");
    }
    has_no_such_tool(client, found).await?;
    if let Some(call) = &plan.failing {
        fails(client, call).await?;
        found.steps.push("failing call");
    }
    if let Some(call) = &plan.progress {
        progresses(client, call).await?;
        found.steps.push("progress");
    }
    if let Some(call) = &plan.slow {
        is_given_up(client, call).await?;
        found.steps.push("cancel");
        // The connection goes on.
        match &plan.call {
            Some(call) => does(client, call).await?,
            None => drop(client.tools().all().await.map_err(|error| format!("after a cancel: {error}"))?),
        }
    }
    has_no_such_method(client, found).await?;
    found.steps.push("refusals");
    Ok(())
}

/// A list; none where the server declared no such thing, or declared it and knows nothing of it.
fn listed<T>(what: &str, list: Result<Vec<T>, Error>) -> Result<Option<Vec<T>>, String> {
    match list {
        Ok(items) => Ok(Some(items)),
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Server) => Ok(None),
        Err(error) => Err(format!("list {what}: {}", line(&error.to_string()))),
    }
}

async fn does(client: &Client, call: &Call) -> Result<(), String> {
    let result = client.call(&call.tool).args(&call.args).await;
    let result = result.map_err(|error| format!("call {}: {}", call.tool, line(&error.to_string())))?;
    let text = text_of(&result);
    if result.is_error() {
        return Err(format!("the tool {} failed: {}", call.tool, line(&text)));
    }
    if !text.contains(&call.text) {
        return Err(format!("call {}: no \"{}\" in \"{}\"", call.tool, call.text, line(&text)));
    }
    Ok(())
}

/// The call of a tool that the server has not. Some answer it with a text that is marked as no error.
async fn has_no_such_tool(client: &Client, found: &mut Found) -> Result<(), String> {
    match client.call(NO_SUCH_TOOL).await {
        Ok(result) if result.is_error() => {}
        Ok(_) => found.notes.push("answers the call of a tool that it has not as if it went well"),
        Err(error) if error.kind() == ErrorKind::Server => {}
        Err(error) => return Err(format!("call {NO_SUCH_TOOL}: {}", line(&error.to_string()))),
    }
    Ok(())
}

/// A method that nobody has. It is the last of all, since some servers do not survive it.
async fn has_no_such_method(client: &Client, found: &mut Found) -> Result<(), String> {
    match client.request(NO_SUCH_METHOD).max_time(REFUSAL).await {
        Ok(_) => found.notes.push("answers a method that nobody has as if it went well"),
        Err(error) if error.kind() == ErrorKind::Server => {}
        Err(error) if error.is_timeout() || error.is_closed() => found.notes.push("breaks at a method that nobody has"),
        Err(error) => return Err(format!("{NO_SUCH_METHOD}: {}", line(&error.to_string()))),
    }
    Ok(())
}

/// A call that must fail: with an error, or with a result that says so.
async fn fails(client: &Client, call: &Call) -> Result<(), String> {
    let said = match client.call(&call.tool).args(&call.args).await {
        Ok(result) if result.is_error() => text_of(&result),
        Ok(result) => {
            return Err(format!("call {} went well and should not: {}", call.tool, line(&text_of(&result))));
        }
        Err(error) if error.kind() == ErrorKind::Server => error.to_string(),
        Err(error) => return Err(format!("call {}: {}", call.tool, line(&error.to_string()))),
    };
    if !said.contains(&call.text) {
        return Err(format!("call {}: no \"{}\" in \"{}\"", call.tool, call.text, line(&said)));
    }
    Ok(())
}

async fn progresses(client: &Client, call: &Call) -> Result<(), String> {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let request = client.call(&call.tool).args(&call.args);
    let told = request.on_progress(move |step| seen.lock().unwrap_or_else(PoisonError::into_inner).push(step.progress));
    told.await.map_err(|error| format!("call {}: {}", call.tool, line(&error.to_string())))?;
    let steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
    if steps.is_empty() || !steps.is_sorted() {
        return Err(format!("call {}: its progress was {steps:?}", call.tool));
    }
    Ok(())
}

async fn is_given_up(client: &Client, call: &Call) -> Result<(), String> {
    match client.call(&call.tool).args(&call.args).max_time(GIVEN_UP).await {
        Err(error) if error.is_timeout() => Ok(()),
        Err(error) => Err(format!("call {}: {}", call.tool, line(&error.to_string()))),
        Ok(result) => Err(format!("call {} was to be given up and ended: {}", call.tool, line(&text_of(&result)))),
    }
}

/// The text of a result, and its structure, which is all that some give.
fn text_of(result: &CallToolResult) -> String {
    let structure = result.structured_content.as_ref().map(|content| content.to_string()).unwrap_or_default();
    format!("{} {structure}", result.joined_text())
}

/// One line of bounded length.
fn line(text: &str) -> String {
    bowline::protocol::excerpt(&text.split_whitespace().collect::<Vec<_>>().join(" "), SHOWN).to_string()
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
