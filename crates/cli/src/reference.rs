//! The book's pages of all commands and options, and of all settings, from what the code reads.
//!
//! `cargo xtask reference` writes them; these tests fail where a page says something else.

mod settings;
mod shapes;

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use crate::options::Cli;

/// The variable that has the pages written in place of read.
const WRITE: &str = "BOWLINE_WRITE_REFERENCE";

const HEAD: &str = "\
# Command reference

Every command, argument and option, as `bowline COMMAND --help` has them; the page is written from the definition of the
command line by `cargo xtask reference`. [The guide](cli.md) says how they are used.

";

#[test]
fn the_reference_of_commands_is_what_the_command_line_says() {
    hold("cli-reference.md", &page());
}

/// Holds a page of the book against what it has to be, or writes it.
fn hold(name: &str, wanted: &str) {
    let path = format!("{}/../../docs/src/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os(WRITE).is_some() {
        return std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).position(|(found, wanted)| found != wanted);
    let line = differs.unwrap_or_else(|| found.lines().count().min(wanted.lines().count())) + 1;
    assert!(found == wanted, "{path}:{line} is not what the code says: run `cargo xtask reference`");
}

fn page() -> String {
    let mut whole = Cli::definition();
    whole.build();
    let mut out = HEAD.to_owned();
    for command in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(&mut out, command, "bowline", 2);
    }
    out += "## Options of every command\n\n";
    let mut heading = "";
    for arg in whole.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let own = arg.get_help_heading().unwrap_or("Help");
        if own != heading {
            heading = own;
            let _ = write!(out, "\n### {heading}\n\n| option | meaning |\n|---|---|\n");
        }
        row(&mut out, arg);
    }
    out.replace("\n\n\n", "\n\n")
}

fn section(out: &mut String, command: &Command, before: &str, level: usize) {
    let name = format!("{before} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(out, "{} `{name}`\n\n{}.\n\n", "#".repeat(level), escaped(&about));
    let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        let _ = write!(out, "Also {}.\n\n", aliases.join(", "));
    }
    let inner: Vec<&Command> = command.get_subcommands().filter(|inner| !inner.is_hide_set()).collect();
    if inner.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let _ = write!(out, "```text\n{usage}\n```\n\n");
    }
    if let Some(shape) = name.strip_prefix("bowline ").and_then(shapes::of) {
        let _ = write!(out, "{}\n\n", shape.sentence());
    }
    let own = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help";
    let args: Vec<&Arg> = command.get_arguments().filter(own).collect();
    if !args.is_empty() {
        *out += "| argument | meaning |\n|---|---|\n";
        for arg in args {
            row(out, arg);
        }
        out.push('\n');
    }
    if let Some(examples) = command.get_after_help() {
        let _ = write!(out, "```text\n{}\n```\n\n", examples.to_string().trim_end());
    }
    for inner in inner {
        section(out, inner, &name, level + 1);
    }
}

fn row(out: &mut String, arg: &Arg) {
    let mut spelling = Vec::new();
    let values =
        arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    if let Some(short) = arg.get_short() {
        spelling.push(format!("`-{short}`"));
    }
    match arg.get_long() {
        Some(long) if takes => spelling.push(format!("`--{long} {values}`")),
        Some(long) => spelling.push(format!("`--{long}`")),
        None if arg.is_last_set() => spelling.push(format!("`-- {values}…`")),
        None => spelling.push(format!("`{values}`")),
    }
    let mut meaning = arg.get_help().map(|help| escaped(&help.to_string())).unwrap_or_default();
    let hidden = arg.is_hide_possible_values_set() || !takes;
    let choices: Vec<_> = arg.get_possible_values().into_iter().filter(|_| !hidden).collect();
    if !choices.is_empty() {
        let choices = choices.iter().map(|choice| match choice.get_help() {
            Some(help) => format!("`{}` ({})", choice.get_name(), escaped(&help.to_string())),
            None => format!("`{}`", choice.get_name()),
        });
        let _ = write!(meaning, "; one of {}", choices.collect::<Vec<_>>().join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes && !defaults.is_empty() {
        let _ = write!(meaning, " [default: {}]", defaults.join(" "));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(meaning, " (`{}`)", variable.to_string_lossy());
    }
    let _ = writeln!(out, "| {} | {meaning} |", spelling.join(", "));
}

/// A text of a table's cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*").replace('\n', " ")
}
