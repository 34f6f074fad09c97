//! `bowline chat`: a model that uses the tools of servers.

mod approve;
mod consent;
mod history;
mod provider;
mod screen;
mod shelf;
mod slash;
mod talk;

use bowline::Target;
use bowline::hub::{Hub, Member};
use bowline::llm::{Agent, Bounds, Conversation, Everything, HttpModel, HubTools, ModelSampling};

use self::approve::Approver;
use self::history::{History, Kept};
use self::talk::Talk;
use crate::elicit;
use crate::exit::{CliError, Stop};
use crate::fleet::Fleet;
use crate::options::{ApproveChoice, Chat, Server};
use crate::output::Output;
use crate::sanitize;
use crate::server;
use crate::session::{Run, Signals};
use crate::stdin::{self, Offer};

/// What the model is to be, where the command line says nothing else.
const SYSTEM: &str =
    "You are a helpful assistant in a terminal. Use the tools where they help, and answer in plain text.";

pub(crate) async fn run(options: Chat, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let model = provider::model(&options)?;
    let question = question(&options).await?;
    if question.is_none() && options.resume.is_none() && !elicit::is_interactive() {
        return Err(CliError::usage("there is nothing to answer, and no terminal to talk on")
            .hint("write the question behind -p, or pipe it in")
            .into());
    }
    let (kept, conversation) = kept(&options, run)?;
    let (hub, is_guarded) = hub(&options, run, &model).await?;
    let agent = agent(&options, run, model, &hub, is_guarded, kept.clone());
    let mut signals = Signals::new()?;
    let mut talk = Talk { agent, hub: &hub, conversation, run, out, signals: &mut signals };
    let result = match question {
        Some(question) => talk.once(question).await,
        None if elicit::is_interactive() => talk.go_on(kept.as_ref()).await,
        None => talk.resumed().await,
    };
    // The servers are told of what was given up; another Ctrl-C does not wait for them.
    tokio::select! {
        biased;
        () = signals.next() => {}
        _ = hub.close() => {}
    }
    result
}

/// What is asked, where it is said in advance: by the option, with what is piped in behind it, or by that alone.
async fn question(options: &Chat) -> Result<Option<String>, CliError> {
    let said = options.prompt.as_deref().filter(|said| *said != "-");
    let piped = match options.prompt.as_deref() {
        Some("-") => Some(stdin::read()?),
        _ => match stdin::offered().await? {
            Offer::Text(text) => Some(text),
            Offer::Nothing | Offer::Silent => None,
        },
    };
    Ok(match (said, piped) {
        (Some(said), Some(piped)) => Some(format!("{said}\n\n{piped}")),
        (Some(said), None) => Some(said.to_owned()),
        (None, piped) => piped,
    }
    .filter(|question| !question.trim().is_empty()))
}

/// Where the conversation is kept, and what was said in it before.
fn kept(options: &Chat, run: &Run) -> Result<(Option<Kept>, Conversation), CliError> {
    let history = History::open();
    match (&options.resume, history) {
        (Some(id), Some(history)) => {
            let (kept, read) = history.find(id)?;
            if let Some(cut) = read.cut {
                let cut = sanitize::excerpt(&cut, 200);
                run.console.warn(format!("the end of the conversation was not written whole, and is left out: {cut}"));
            }
            Ok((Some(kept), read.conversation))
        }
        (Some(_), None) => Err(CliError::usage("there is no folder that conversations could be kept in")
            .hint("set BOWLINE_STATE_DIR to a folder")),
        (None, Some(history)) if !options.no_history => Ok((Some(history.begin()?), Conversation::new())),
        (None, _) => Ok((None, Conversation::new())),
    }
}

/// The servers: one that the command line names, or those of the configuration; and whether the guard is around them.
async fn hub(options: &Chat, run: &Run, model: &HttpModel) -> Result<(Hub, bool), Stop> {
    let mut builder = Hub::builder();
    let (url, names): (Vec<&String>, Vec<&String>) = options.servers.iter().partition(|word| Target::is_url(word));
    // A program that a variable names is the server where the command line says no other.
    let names_none = options.servers.is_empty() && options.group.is_none();
    let by_variable = names_none && run.global.stdio.is_some();
    let has_program = !options.server.command.is_empty() || run.global.states_stdio() || by_variable;
    let one = match (url.as_slice(), names.is_empty(), has_program) {
        ([], _, false) => None,
        ([], true, true) => Some(options.server.clone()),
        ([url], true, false) => Some(Server { url: Some((*url).clone()), ..options.server.clone() }),
        _ => {
            return Err(CliError::usage("a URL or a program stands alone")
                .hint("put servers into the configuration with `bowline add`, and name them together")
                .into());
        }
    };
    let is_guarded = one.is_none();
    match one {
        Some(named) => {
            let connector = run.inspected(server::connector(run, &named).await?);
            let (settings, timeouts) = (run.settings()?, run.timeouts(&bowline::config::Timeouts::default()));
            builder = builder.member(
                Member::new("server", connector).client(move |client| settings.apply(client).timeouts(timeouts)),
            );
        }
        None => {
            let fleet = Fleet::load(run);
            let fleet = if elicit::is_interactive() { fleet.asking() } else { fleet };
            let selected = fleet.select(&options.servers, options.group.as_deref())?;
            builder = builder.members(fleet.members(&selected)?);
        }
    }
    if elicit::is_interactive() {
        builder = builder.on_elicitation(elicit::Terminal::new(run));
        if options.sampling {
            builder = builder.on_sampling(ModelSampling::new(model.clone(), consent::Person::new(run)));
        }
    } else if options.sampling {
        return Err(CliError::usage("--sampling wants a terminal")
            .hint("somebody has to be asked before servers ask the model")
            .into());
    }
    Ok((builder.build()?, is_guarded))
}

fn agent(options: &Chat, run: &Run, model: HttpModel, hub: &Hub, is_guarded: bool, kept: Option<Kept>) -> Agent {
    let mut bounds = Bounds::default().with_rounds(options.max_rounds);
    if let Some(tokens) = options.max_tokens {
        bounds = bounds.with_tokens(tokens);
    }
    if let Some(limit) = run.global.max_time {
        bounds = bounds.with_time(limit);
    }
    let agent = Agent::builder(model, HubTools::new(hub.clone()))
        .system(options.system.as_deref().unwrap_or(SYSTEM))
        .bounds(bounds);
    let agent = match options.approve {
        // The guard allows, denies and asks by its policy: nobody is asked twice of one call.
        None if is_guarded => agent.approve(Everything::default()),
        choice => agent.approve(Approver::new(run, choice.unwrap_or(ApproveChoice::ReadOnly))),
    };
    match kept {
        Some(kept) => agent.artifacts(kept.artifacts()).journal(kept).build(),
        None => agent.build(),
    }
}
