//! `bowline chat`: a model that uses the tools of servers.

mod approve;
mod consent;
mod history;
mod provider;
mod screen;
mod shelf;
mod slash;
mod talk;

use std::time::Duration;

use bowline::Target;
use bowline::hub::{Hub, Member};
use bowline::llm::{Agent, Bounds, Conversation, Everything, HttpModel, HubTools, ModelSampling};

use self::approve::Approver;
use self::history::{History, Kept};
use self::talk::Talk;
use crate::elicit;
use crate::exit::{CliError, Stop};
use crate::fleet::Fleet;
use crate::guarded::{Named, Shared};
use crate::options::{ApproveChoice, Chat, Global, Server};
use crate::output::Output;
use crate::person::Person;
use crate::sanitize;
use crate::server;
use crate::session::{Run, Signals};
use crate::stdin::{self, Offer};

/// What the model is to be, where the command line says nothing else.
const SYSTEM: &str =
    "You are a helpful assistant in a terminal. Use the tools where they help, and answer in plain text.";

/// How long an answer may take where a person sees what goes on, is asked in between, and can end it.
const ATTENDED: Duration = Duration::from_secs(3_600);

pub(crate) async fn run(options: Chat, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let model = provider::model(&options)?;
    let question = question(&options).await?;
    if question.is_none() && options.resume.is_none() && !elicit::is_interactive() {
        return Err(CliError::usage("there is nothing to answer, and no terminal to talk on")
            .hint("write the question behind -p, or pipe it in")
            .into());
    }
    let (kept, conversation) = kept(&options, run)?;
    let run = &decided(&options, run);
    let hub = hub(&options, run, &model).await?;
    let agent = agent(&options, run, model, &hub, kept.clone());
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

/// The run with what `--approve` says to its guard, which decides on every call and asks nobody twice about one.
fn decided(options: &Chat, run: &Run) -> Run {
    let mut run = run.deciding(|global| match options.approve {
        None => {}
        // The policy decides; what servers say of their tools is believed.
        Some(ApproveChoice::ReadOnly) => global.trust = true,
        // With `none` a person is asked before each call, and so has answered what the guard would ask.
        Some(ApproveChoice::None | ApproveChoice::All) => global.yes = true,
    });
    run.without_terminal = Some("--approve all allows it");
    run
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

/// The servers, behind the guard: one that the command line names, or those of the configuration.
async fn hub(options: &Chat, run: &Run, model: &HttpModel) -> Result<Hub, Stop> {
    let guard = run.guard()?;
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
    match one {
        Some(named) => {
            let layer = run.guard_layer(&Named::of(&named))?;
            let connector = run.inspected(server::connector(run, &named).await?);
            let (settings, timeouts) = (run.settings()?, run.timeouts(&bowline::config::Timeouts::default()));
            builder = builder.member(
                Member::new("server", connector)
                    .client(move |client| layer.clone().around(settings.apply(client).timeouts(timeouts))),
            );
        }
        None => {
            let fleet = Fleet::load(run);
            let selected = fleet.select(&options.servers, options.group.as_deref())?;
            builder = builder.members(fleet.members(&selected)?);
        }
    }
    if elicit::is_interactive() {
        builder = builder.on_elicitation(Shared::new(guard, elicit::Terminal::new(run)));
        if options.sampling {
            let sampling = ModelSampling::new(model.clone(), Person::new(run));
            builder = builder.on_sampling(Shared::new(guard, sampling));
        }
    } else if options.sampling {
        return Err(CliError::usage("--sampling wants a terminal")
            .hint("somebody has to be asked before servers ask the model")
            .into());
    }
    Ok(builder.build()?)
}

/// How far one answer goes. Whoever is asked about calls, here or elsewhere, is asked within its time.
fn bounds(options: &Chat, global: &Global, is_attended: bool) -> Bounds {
    let mut bounds = Bounds::default().with_rounds(options.max_rounds);
    if let Some(tokens) = options.max_tokens {
        bounds = bounds.with_tokens(tokens);
    }
    let time = match (global.max_time, global.defer) {
        (Some(limit), _) => limit,
        (None, Some(wait)) => bounds.time.saturating_add(wait),
        (None, None) if is_attended => ATTENDED,
        (None, None) => bounds.time,
    };
    bounds.with_time(time)
}

fn agent(options: &Chat, run: &Run, model: HttpModel, hub: &Hub, kept: Option<Kept>) -> Agent {
    let bounds = bounds(options, &run.global, elicit::is_interactive());
    let agent = Agent::builder(model, HubTools::new(hub.clone()))
        .system(options.system.as_deref().unwrap_or(SYSTEM))
        .bounds(bounds);
    let agent = match options.approve {
        Some(ApproveChoice::None) => agent.approve(Approver::new(run)),
        _ => agent.approve(Everything::default()),
    };
    match kept {
        Some(kept) => agent.artifacts(kept.artifacts()).journal(kept).build(),
        None => agent.build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Cli, Command};

    #[test]
    fn an_answer_has_time_for_whoever_is_asked_in_between() {
        for (words, is_attended, time) in
            [("", false, 600), ("", true, 3_600), ("--defer 2h", false, 7_800), ("--defer 2h --max-time 5m", true, 300)]
        {
            let cli = Cli::from_words(format!("bowline chat {words}").split_whitespace().map(Into::into)).unwrap();
            let Command::Chat(options) = cli.command else { panic!("chat") };
            assert_eq!(bounds(&options, &cli.global, is_attended).time.as_secs(), time, "{words}");
        }
    }
}
