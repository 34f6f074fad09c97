//! Chores of the workspace, run as `cargo xtask COMMAND`.

mod bench;
mod conformance;
mod context;
mod counts;
mod docs;
mod duties;
mod examples;
mod files;
mod fuzz;
mod interop;
mod listening;
mod markdown;
mod reference;
mod report;
mod soak;
mod test;
mod tidy;
mod weight;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::context::Context;

/// Chores of the bowline workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every check that a change must pass, and reports each.
    Test(test::Args),
    /// Runs the client against published servers, pinned and installed under `target/`.
    Interop(interop::Args),
    /// Runs the official conformance suite, pinned and installed under `target/`.
    Conformance(conformance::Args),
    /// Checks what a linter cannot: crate docs, dependency directions, the book, dead links, leftovers.
    Tidy,
    /// Tells which duties of the specification have no test.
    Duties(duties::Args),
    /// Runs very many calls through faults, and holds their outcomes against what the server counted.
    Soak(soak::Args),
    /// Feeds foreign bytes to every decoder.
    Fuzz(fuzz::Args),
    /// Counts the packages of a minimal program.
    Weight,
    /// Measures bowline beside a hand-written client and other libraries.
    Bench(bench::Args),
    /// Runs every example, each by itself and with a bound on its time.
    Examples(examples::Args),
    /// Writes the book's pages of commands and of settings, from the code.
    Reference,
    /// Builds the book and the API documentation, without warnings and dead links.
    Docs,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = || {
        let context = Context::load()?;
        match cli.command {
            Command::Test(args) => test::run(&context, &args),
            Command::Interop(args) => interop::run(&context, &args),
            Command::Conformance(args) => conformance::run(&context, &args),
            Command::Tidy => report::single(&context, tidy::check),
            Command::Duties(args) => duties::run(&context, &args),
            Command::Soak(args) => soak::run(&context, &args),
            Command::Fuzz(args) => fuzz::run(&context, &args),
            Command::Weight => report::single(&context, weight::check),
            Command::Bench(args) => bench::run(&context, &args),
            Command::Examples(args) => examples::run(&context, &args),
            Command::Reference => report::single(&context, reference::write),
            Command::Docs => report::single(&context, docs::build),
        }
    };
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder of the workspace.
    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

    #[test]
    fn every_chore_that_a_document_names_is_one() {
        let mut seen = 0;
        let mut wrong = Vec::new();
        let files = files::read(ROOT.as_ref()).unwrap();
        for file in files.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "md")) {
            let blocks = markdown::blocks(&file.text).into_iter().filter(|block| block.language == "sh");
            let lines = blocks.flat_map(|block| block.lines);
            let lines = lines.map(|line| line.split('#').next().unwrap_or_default());
            let named = markdown::prose(&file.text).flat_map(|(_, line)| markdown::code(line));
            for command in lines.chain(named).filter_map(|line| line.trim().strip_prefix("cargo xtask ")) {
                let words = command.split_whitespace().map(|word| word.trim_matches('"'));
                seen += 1;
                if let Err(error) = Cli::try_parse_from(std::iter::once("cargo xtask").chain(words)) {
                    wrong.push(format!("{}: {command}: {}", file.path.display(), error.kind()));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(seen > 20, "only {seen} chores were found");
    }
}
