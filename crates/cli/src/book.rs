//! What the documents of the workspace show of the command line and of configuration files is understood by this
//! program: commands are parsed, and files are read, by the code that does so for a person.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use bowline::config::{Configuration, Host};
use bowline::guard::Policy;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::options::Cli;

/// A fenced block, with where it stands.
struct Block {
    place: String,
    language: String,
    text: String,
}

/// The pages of the book, and what else a newcomer reads.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let in_folder = |folder: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
    };
    let mut documents = in_folder("docs/src");
    documents.extend(["README.md", "CONTRIBUTING.md", "crates/cli/README.md"].map(|file| root.join(file)));
    documents.sort();
    documents
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let mut open: Option<Block> = None;
        for (number, line) in (1..).zip(text.lines()) {
            match (line.strip_prefix("```"), open.as_mut()) {
                (Some(info), None) => {
                    let language = info.split([',', ' ']).next().unwrap_or_default().to_owned();
                    let place = format!("{}:{number}", path.display());
                    open = Some(Block { place, language, text: String::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
    }
    blocks
}

/// The command lines of a block of a shell: continued lines are one, and of a transcript (`console`) those with a prompt.
fn lines(block: &Block) -> Vec<String> {
    let joined = block.text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    match block.language.as_str() {
        "sh" => lines.filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        "console" => lines.filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The words that this program gets, where a simple command runs it: `bowline …`, or `cargo run -- …` in this workspace.
fn words_of_ours(simple: &[String]) -> Option<Vec<OsString>> {
    let is_variable = |word: &&String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let rest: Vec<&String> = simple.iter().skip_while(is_variable).collect();
    let words = match rest.as_slice() {
        [program, words @ ..] if *program == "bowline" => words,
        [cargo, run, hyphens, words @ ..] if *cargo == "cargo" && *run == "run" && *hyphens == "--" => words,
        _ => return None,
    };
    // Where the output goes is the shell's.
    let words = words.iter().take_while(|word| !matches!(word.as_str(), ">" | ">>" | "2>"));
    Some(std::iter::once("bowline".into()).chain(words.map(OsString::from)).collect())
}

/// Parses as the program does, for a configuration that knows every name.
fn parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    let error = match Cli::from_words(words.iter().cloned()) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else { return Err(error) };
    let Some(at) = words.iter().position(|word| word.to_str() == Some(name)) else { return Err(error) };
    let verb = if name.contains(['.', '/']) { "call" } else { "list" };
    let (before, behind) = words.split_at(at);
    Cli::from_words(before.iter().cloned().chain([verb.into()]).chain(behind.iter().cloned()))
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for block in blocks() {
        for line in lines(&block) {
            let Some(words) = shlex::split(&line) else {
                wrong.push(format!("{}: quotes that do not end: {line}", block.place));
                continue;
            };
            for simple in words.split(|word| matches!(word.as_str(), "|" | "&&" | "||" | ";")) {
                let Some(words) = words_of_ours(simple) else { continue };
                seen += 1;
                match parse(&words) {
                    Err(error) if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                        wrong.push(format!("{}: {line}\n{error}", block.place));
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 50, "only {seen} commands were found: are the documents where they were?");
}

/// Commands that stand in a sentence may leave arguments out; names of commands and options are there.
#[test]
fn every_command_that_a_sentence_names_is_one() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.split('`').skip(1).step_by(2);
            for command in code.filter(|code| code.starts_with("bowline ") && !code.contains(['…', '[', '|', '<'])) {
                let Some(words) = shlex::split(command) else { continue };
                seen += 1;
                let may_be = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion, ErrorKind::MissingRequiredArgument];
                let may_also_be = [ErrorKind::MissingSubcommand, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
                let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
                match parse(&words) {
                    Err(error) if !may_be.contains(&error.kind()) && !may_also_be.contains(&error.kind()) => {
                        wrong.push(format!("{}:{number}: {command}\n{error}", path.display()));
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 50, "only {seen} commands were found: are the documents where they were?");
}

#[test]
fn every_configuration_in_the_documents_is_read() {
    let (mut configurations, mut policies, mut documents) = (0, 0, 0);
    for Block { place, language, text } in blocks() {
        match language.as_str() {
            "toml" if is_manifest(&text) => {}
            "toml" if is_policy(&text) => {
                policies += 1;
                let whole = whole_policy(&text);
                if let Err(error) = whole.parse::<Policy>() {
                    panic!("{place}: {error}");
                }
            }
            "toml" => {
                configurations += 1;
                let read = Configuration::read(Host::Bowline, "bowline.toml", &text);
                // An entry may change one that stands in the file of another host, which is not there.
                let is_elsewhere = |problem: &String| problem.contains("no file says what this server is");
                let problems: Vec<_> =
                    read.problems().iter().map(ToString::to_string).filter(|problem| !is_elsewhere(problem)).collect();
                assert!(problems.is_empty(), "{place}: {}", problems.join("; "));
            }
            "json" => {
                documents += 1;
                if let Err(error) = serde_json::from_str::<serde_json::Value>(&text) {
                    panic!("{place}: {error}");
                }
            }
            _ => {}
        }
    }
    assert!(
        configurations > 0 && policies > 0,
        "{configurations} configurations, {policies} policies, {documents} of json"
    );
}

/// What belongs into a `Cargo.toml`.
fn is_manifest(text: &str) -> bool {
    text.lines().any(|line| line == "[dependencies]" || line.starts_with("bowline = "))
}

fn is_policy(text: &str) -> bool {
    text.lines().any(|line| matches!(line.trim(), "[[rule]]" | "[content]" | "[secrets]" | "[pins]"))
}

/// A part of a policy with what every policy has.
fn whole_policy(text: &str) -> String {
    let version = if text.contains("version =") { "" } else { "version = 1\n" };
    let end = if text.trim_end().ends_with("# end") { "" } else { "# end\n" };
    format!("{version}{text}{end}")
}
