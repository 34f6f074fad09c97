//! One module a command.

mod call;
mod complete;
mod demo;
mod info;
mod list;
mod ping;
mod prompt;
mod read;
mod watch;

use bowline::protocol::ItemProblem;
use bowline::{Client, Listed};

use crate::console::Console;
use crate::exit::Stop;
use crate::options::{Command, Format, Save};
use crate::output::Output;
use crate::render::{Renderer, Saver};
use crate::sanitize;
use crate::session::Run;

/// Does what the command line asks for.
pub(crate) async fn run(command: Command, run: &Run, out: &mut Output) -> Result<(), Stop> {
    match command {
        Command::Demo(options) => Box::pin(demo::run(options, run, out)).await,
        Command::List(options) => Box::pin(list::run(options, run, out)).await,
        Command::Info(options) => Box::pin(info::run(options, run, out)).await,
        Command::Call(options) => Box::pin(call::run(options, run, out)).await,
        Command::Read(options) => Box::pin(read::run(options, run, out)).await,
        Command::Prompt(options) => Box::pin(prompt::run(options, run, out)).await,
        Command::Complete(options) => Box::pin(complete::run(options, run, out)).await,
        Command::Ping(options) => Box::pin(ping::run(options, run, out)).await,
        Command::Watch(options) => Box::pin(watch::run(options, run, out)).await,
    }
}

/// A renderer as the options want it.
fn renderer(out: &Output, save: &Save) -> Renderer {
    Renderer { markdown: out.format() == Format::Md, saver: save.folder.as_deref().map(Saver::new) }
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
