#![doc = include_str!("../README.md")]

mod args;
#[cfg(test)]
mod book;
mod browser;
mod commands;
mod configured;
mod console;
mod credentials;
mod duration;
mod elicit;
mod exit;
mod failure;
mod fleet;
mod form;
mod guarded;
mod json;
mod kept;
#[cfg(feature = "keyring")]
mod keyring;
#[cfg(not(feature = "keyring"))]
#[path = "keyring/absent.rs"]
mod keyring;
mod login;
mod options;
mod output;
mod pasted;
mod person;
mod progress;
mod prompts;
#[cfg(test)]
mod reference;
mod render;
mod sanitize;
mod schema;
mod screen;
mod server;
mod session;
mod signature;
mod state;
mod stdin;
mod styled;
mod suggest;
mod table;
mod visit;

use std::process::ExitCode;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::configured::Catalog;
use crate::console::Console;
use crate::exit::{CliError, Code, Stop};
use crate::options::{Cli, Command, Format, Global};
use crate::output::Output;
use crate::session::Run;

/// How long servers that were being connected may take to be gone.
const SHUTDOWN: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    let mut out = Output::new(&cli.global);
    let catalog = Catalog::new(&cli.global);
    let found = cli.command.require_config(&cli.global).and_then(|()| cli.command.find_server(&cli.global, &catalog));
    let run = Run::new(cli.global);
    trace(&run.console);
    if let Err(error) = found {
        return finish(&error, &run.console, &mut out);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = CliError::new(Code::Unexpected, format!("cannot start the runtime: {error}"));
            return finish(&error, &run.console, &mut out);
        }
    };
    let relays = matches!(cli.command, Command::Inspect(_));
    let result = runtime.block_on(commands::run(cli.command, &run, &mut out));
    runtime.block_on(run.settle());
    if relays || run.console.is_asking() {
        // A thread that still reads standard input, or asks a person, must not keep the program from ending.
        runtime.shutdown_background();
    } else {
        // What was still being connected takes its server along when its task is dropped, and that takes its time.
        runtime.shutdown_timeout(SHUTDOWN);
    }
    run.console.take_back();
    match result {
        Ok(()) | Err(Stop::PipeClosed) => ExitCode::SUCCESS,
        Err(Stop::Error(error)) => finish(&error, &run.console, &mut out),
    }
}

/// Tells the error. With JSON output standard output gets it as well if it has no document yet: whoever reads it
/// always finds one.
fn finish(error: &CliError, console: &Console, out: &mut Output) -> ExitCode {
    if out.format() == Format::Json && !out.answered() {
        // Standard error still says what happened where standard output is gone.
        let _ = out.json(&error.to_json());
    }
    console.error(error);
    ExitCode::from(error.code as u8)
}

/// A command line that clap could not read, or one that asks for help or the version.
fn misread(error: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let wants_json = Global::wants_json(words.iter().cloned());
    let mut global = Global::for_json_errors();
    if !wants_json {
        (global.json, global.output) = (false, Format::Auto);
    }
    let finish = |error: &CliError| finish(error, &Console::new(&global), &mut Output::new(&global));
    if let Err(error) = configured::require_before(error, &words) {
        return finish(&error);
    }
    if !error.use_stderr() || !wants_json {
        let printed = error.print();
        // Where an error cannot be printed there is nobody to tell; help that did not arrive is one.
        if !error.use_stderr()
            && let Err(Stop::Error(failed)) = printed.map_err(|failed| Stop::from_write(&failed))
        {
            return finish(&failed);
        }
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.render().to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: ")).map(str::to_owned);
    let hint = tip.unwrap_or_else(|| "`bowline --help` and `bowline <command> --help` tell what there is".to_owned());
    let error = CliError::usage(message).hint(hint);
    finish(&error)
}

/// Shows the library's own diagnostics with `-vv`, or as `BOWLINE_LOG` says.
fn trace(console: &Console) {
    let filter = match std::env::var("BOWLINE_LOG") {
        Ok(directives) => EnvFilter::try_new(&directives).unwrap_or_else(|error| {
            console.warn(format!("BOWLINE_LOG is ignored: {error}"));
            EnvFilter::new("off")
        }),
        Err(_) if console.verbose() > 1 => {
            let crates = ["client", "transport", "stdio", "http", "sse", "event_stream", "websocket", "socket", "auth"];
            let ours = crates.map(|name| format!("bowline_{name}=trace")).join(",");
            // The frames themselves are shown by an inspector, which takes secrets out.
            EnvFilter::new(format!("bowline=trace,{ours},bowline_transport::wire=off"))
        }
        Err(_) => return,
    };
    // No colours: what a server sends is made harmless after this, and escape sequences go then.
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(console.clone()).init();
}
