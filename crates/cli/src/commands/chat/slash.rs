//! What a person can say beside talking: `/tools` and the like.

use std::path::PathBuf;

use bowline::llm::{Message, Part};

use super::screen::shown;
use super::talk::Talk;
use crate::exit::{CliError, Code, Stop};
use crate::sanitize;
use crate::styled::Styled;
use crate::suggest;

/// What is said of each.
const ALL: [(&str, &str); 6] = [
    ("/tools", "the tools of all servers; /tools WORD shows those that have it in their name"),
    ("/servers", "the servers, and how they are"),
    ("/history", "what was said so far"),
    ("/save", "/save HANDLE FILE writes a result that was kept aside into a file"),
    ("/help", "this"),
    ("/quit", "ends this; so does Ctrl-C twice"),
];

#[derive(Debug, PartialEq)]
pub(super) enum Slash {
    Tools(Option<String>),
    Servers,
    History,
    Save(String, PathBuf),
    Help,
    Quit,
}

/// The command in a line; none where it is something to say.
pub(super) fn read(line: &str) -> Option<Result<Slash, CliError>> {
    let line = line.trim();
    // Twice, it is what somebody says: see `said`.
    let rest = line.strip_prefix('/').filter(|rest| !rest.starts_with('/'))?;
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let rest = rest.trim();
    Some(match word {
        "tools" => Ok(Slash::Tools(Some(rest.to_owned()).filter(|rest| !rest.is_empty()))),
        "servers" => Ok(Slash::Servers),
        "history" => Ok(Slash::History),
        "save" => match rest.split_once(char::is_whitespace) {
            Some((handle, file)) => Ok(Slash::Save(handle.to_owned(), file.trim().into())),
            None => Err(CliError::usage("/save wants a handle and a file").hint("such as /save artifact-1 report.txt")),
        },
        "help" | "?" => Ok(Slash::Help),
        "quit" | "exit" | "q" => Ok(Slash::Quit),
        word => {
            let names = ALL.map(|(name, _)| name.trim_start_matches('/'));
            let hint = suggest::did_you_mean(word, names).unwrap_or_else(|| "/help tells what there is".to_owned());
            Err(CliError::usage(format!("there is no /{}", sanitize::excerpt(word, 40))).hint(hint))
        }
    })
}

/// What a line says that is no command: one that begins with a slash has two.
pub(super) fn said(line: &str) -> &str {
    line.strip_prefix('/').filter(|rest| rest.starts_with('/')).unwrap_or(line)
}

/// Does what a person asks for.
pub(super) async fn run(command: Slash, talk: &mut Talk<'_>) -> Result<(), Stop> {
    let text = match command {
        Slash::Tools(word) => tools(talk, word.as_deref()).await,
        Slash::Servers => servers(talk),
        Slash::History => history(talk.conversation.messages()),
        Slash::Save(handle, file) => {
            match save(talk, &handle, &file) {
                Ok(bytes) => {
                    talk.run.console.note(format!("{bytes} bytes are in {}", sanitize::line(&file.to_string_lossy())));
                }
                Err(error) => talk.run.console.error(&error),
            }
            return Ok(());
        }
        Slash::Help | Slash::Quit => {
            ALL.iter().fold(Styled::new(), |text, (name, about)| text.bold(format!("{name:<10}")).plain(*about).line())
        }
    };
    talk.print(&text)
}

async fn tools(talk: &Talk<'_>, word: Option<&str>) -> Styled {
    let list = talk.agent.tools().await;
    let word = word.map(str::to_lowercase);
    let mut text = Styled::new();
    for tool in &list.tools {
        if word.as_ref().is_some_and(|word| !tool.name.to_lowercase().contains(word)) {
            continue;
        }
        let about =
            tool.tool.description.as_deref().and_then(|about| about.lines().find(|line| !line.trim().is_empty()));
        text = text
            .bold(sanitize::line(&tool.name))
            .dim(format!("  {}", sanitize::excerpt(about.unwrap_or_default(), 120)))
            .line();
    }
    for failure in &list.failures {
        text = text.plain(sanitize::excerpt(failure, 300)).line();
    }
    if text.is_empty() { Styled::new().plain("there are none").line() } else { text }
}

fn servers(talk: &Talk<'_>) -> Styled {
    let mut text = Styled::new();
    for status in talk.hub.status() {
        let why = status.state.why().map(|why| format!(": {}", sanitize::excerpt(&why.to_string(), 200)));
        let state =
            format!("  {}{}", if status.state.is_available() { "available" } else { "down" }, why.unwrap_or_default());
        text = text.bold(sanitize::line(&status.name)).dim(state).line();
    }
    if text.is_empty() { Styled::new().plain("there are none").line() } else { text }
}

/// What was said, calls and results on a line each.
fn history(messages: &[Message]) -> Styled {
    let mut text = Styled::new();
    for message in messages {
        match message {
            Message::User(said) => {
                for content in said {
                    text = text.bold("> ").plain(shown(content)).line();
                }
            }
            Message::Assistant(parts) => {
                for part in parts {
                    text = match part {
                        Part::Text { text: said, .. } => text.plain(said.as_str()).line(),
                        Part::Call(call) => {
                            let arguments = sanitize::excerpt(call.arguments.text(), 160);
                            text.dim(format!("→ {} {arguments}", sanitize::excerpt(&call.name, 80))).line()
                        }
                        _ => text,
                    };
                }
            }
            Message::Results(results) => {
                for result in results {
                    let mark = if result.is_error { "✗" } else { "✓" };
                    let said = result.content.first().map(shown).unwrap_or_default();
                    let said = sanitize::excerpt(&said, 160);
                    text = text.dim(format!("{mark} {}: {said}", sanitize::excerpt(&result.name, 80))).line();
                }
            }
            _ => {}
        }
    }
    if text.is_empty() { Styled::new().plain("nothing was said yet").line() } else { text }
}

/// Writes an artifact into a file that is not there yet.
fn save(talk: &Talk<'_>, handle: &str, file: &std::path::Path) -> Result<usize, CliError> {
    let Some(artifact) = talk.agent.artifacts().get(handle) else {
        let all: Vec<String> =
            talk.agent.artifacts().all().iter().map(|artifact| artifact.handle.to_string()).collect();
        let hint =
            if all.is_empty() { "nothing was kept aside".to_owned() } else { format!("there are {}", all.join(", ")) };
        return Err(CliError::usage(format!("nothing is kept as {}", sanitize::excerpt(handle, 40))).hint(hint));
    };
    let written =
        std::fs::File::create_new(file).and_then(|mut file| std::io::Write::write_all(&mut file, &artifact.content));
    match written {
        Ok(()) => Ok(artifact.content.len()),
        Err(error) => {
            let name = sanitize::line(&file.to_string_lossy());
            Err(CliError::new(Code::Unexpected, format!("cannot write {name}: {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use bowline::llm::{Arguments, ToolCall, ToolResult};

    use super::*;

    #[test]
    fn a_slash_begins_a_command_and_all_else_is_said() {
        let told = |line| read(line).map(|read| read.map_err(|error| error.hint.unwrap_or_default()));
        assert_eq!(told("what is /tools?"), None);
        assert_eq!(told(" /tools  file "), Some(Ok(Slash::Tools(Some("file".to_owned())))));
        assert_eq!(told("/quit"), Some(Ok(Slash::Quit)));
        assert_eq!((told("//etc/hosts"), said("//etc/hosts"), said("a // b")), (None, "/etc/hosts", "a // b"));
        assert_eq!(told("/save artifact-1 a b.txt"), Some(Ok(Slash::Save("artifact-1".to_owned(), "a b.txt".into()))));
        assert_eq!(told("/tool"), Some(Err("did you mean `tools`?".to_owned())));
        assert!(told("/save x").unwrap().is_err());
    }

    #[test]
    fn a_history_is_shown_harmless() {
        let call = ToolCall::new("1", "t", Arguments::read(r#"{"a":1}"#));
        let text = history(&[
            Message::user("hi\u{1b}[31m"),
            Message::Assistant(vec![Part::text("hello"), Part::Call(call.clone())]),
            Message::Results(vec![ToolResult::error(&call, "no\u{202e}")]),
        ]);
        assert_eq!(text.render(false), "> hi\nhello\n→ t {\"a\":1}\n✗ t: no\\u{202e}\n");
        assert_eq!(history(&[]).render(false), "nothing was said yet\n");
    }
}
