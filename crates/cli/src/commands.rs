//! One module a command.

mod audit;
mod auth;
mod bench;
mod call;
mod chat;
mod complete;
mod config;
mod demo;
mod doctor;
mod guard;
mod info;
mod inspect;
mod list;
mod manual;
mod ping;
mod prompt;
mod read;
mod record;
mod replay;
mod scan;
mod search;
mod watch;

use bowline::protocol::ItemProblem;
use bowline::{Client, Listed};

use crate::args::{Given, Word, parse_object, read_file};
use crate::console::Console;
use crate::exit::{CliError, Stop};
use crate::options::{Arguments, Command, Format, Save};
use crate::output::Output;
use crate::render::{Renderer, Saver};
use crate::sanitize;
use crate::session::Run;
use crate::stdin;

/// Does what the command line asks for.
pub(crate) async fn run(command: Command, run: &Run, out: &mut Output) -> Result<(), Stop> {
    match command {
        Command::Demo(options) => Box::pin(demo::run(options, run, out)).await,
        Command::List(options) => Box::pin(list::run(options, run, out)).await,
        Command::Info(options) => Box::pin(info::run(options, run, out)).await,
        Command::Search(options) => Box::pin(search::run(&search::Wanted::words(&options), run, out)).await,
        Command::Grep(options) => Box::pin(search::run(&search::Wanted::names(&options), run, out)).await,
        Command::Call(options) => Box::pin(call::run(options, run, out)).await,
        Command::Chat(options) => Box::pin(chat::run(options, run, out)).await,
        Command::Read(options) => Box::pin(read::run(options, run, out)).await,
        Command::Prompt(options) => Box::pin(prompt::run(options, run, out)).await,
        Command::Complete(options) => Box::pin(complete::run(options, run, out)).await,
        Command::Ping(options) => Box::pin(ping::run(options, run, out)).await,
        Command::Doctor(options) => Box::pin(doctor::run(options, run, out)).await,
        Command::Watch(options) => Box::pin(watch::run(options, run, out)).await,
        Command::Inspect(options) => Box::pin(inspect::run(options, run, out)).await,
        Command::Record(options) => Box::pin(record::run(options, run)).await,
        Command::Replay(options) => Box::pin(replay::run(options, run, out)).await,
        Command::Scan(options) => Box::pin(scan::run(options, run, out)).await,
        Command::Auth(options) => Box::pin(auth::run(options, run, out)).await,
        Command::Bench(options) => Box::pin(bench::run(options, run, out)).await,
        Command::Add(options) => config::change::add(&options, run, out),
        Command::Remove(options) => config::change::remove(&options, run, out),
        Command::Config(options) => config::run(options.command, run, out),
        Command::Guard(options) => Box::pin(guard::run(options, run, out)).await,
        Command::Audit(options) => audit::run(options, run, out),
        Command::Completions(options) => manual::completions(options.shell, out),
        Command::Man(options) => manual::man(&options, out),
    }
}

/// A renderer as the options want it.
fn renderer(out: &Output, save: &Save) -> Renderer {
    Renderer { markdown: out.format() == Format::Md, saver: save.folder.as_deref().map(Saver::new) }
}

/// What the command line says about the arguments. Nothing is started before this is understood.
fn given(options: &Arguments) -> Result<Given, CliError> {
    let mut given = Given { raw_strings: options.raw_strings, ..Given::default() };
    for file in &options.args_file {
        let object = if file == "-" {
            parse_object(&stdin::read()?, "standard input")?
        } else {
            parse_object(&read_file(file)?, &format!("the file `{file}`"))?
        };
        given.objects.push(object);
    }
    for json in &options.args_json {
        given.objects.push(parse_object(json, "--args-json")?);
    }
    for word in &options.words {
        match Word::parse(word)? {
            Word::Object(object) => given.objects.push(object),
            Word::Pair(pair) => given.pairs.push(pair),
        }
    }
    Ok(given)
}

/// All items of a list; those that could not be read are told about.
async fn all<T: Listed>(mut pages: bowline::Pages<T>, console: &Console) -> Result<Vec<T>, Stop> {
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item?);
    }
    tell_problems(pages.problems(), console);
    Ok(items)
}

/// One item of a list by its name, or the names of all.
///
/// Stops at the page that has it.
async fn find<T: Listed>(
    mut pages: bowline::Pages<T>,
    name: &str,
    name_of: impl Fn(&T) -> &str,
) -> Result<Result<T, Vec<String>>, bowline::Error> {
    let mut names = Vec::new();
    while let Some(item) = pages.next().await {
        let item = item?;
        if name_of(&item) == name {
            return Ok(Ok(item));
        }
        names.push(name_of(&item).to_owned());
    }
    Ok(Err(names))
}

fn tell_problems(problems: &[ItemProblem], console: &Console) {
    for problem in problems {
        console.warn(format!("entry {} of the list cannot be read and is left out: {}", problem.index, problem.error));
    }
}

/// What the server is called, for messages.
fn server_name(client: &Client) -> String {
    sanitize::excerpt(&client.server().info.name, 80)
}
