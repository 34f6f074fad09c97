//! A person who lets servers ask the model, or does not.

use bowline::llm::{Answer, Consent, Message, Part, Request};
use bowline::transport::BoxFuture;

use super::screen::shown;
use crate::person::Person;
use crate::sanitize;
use crate::styled::Styled;

/// How much of a message is shown, in bytes.
const SHOWN: usize = 4_000;

/// What is asked and what is answered is shown, and asked about both times.
impl Consent for Person {
    fn ask<'a>(&'a self, server: &'a str, request: &'a mut Request) -> BoxFuture<'a, bool> {
        Box::pin(self.says_yes(asked(server, request), "Ask the model?"))
    }

    fn reply<'a>(&'a self, server: &'a str, answer: &'a mut Answer) -> BoxFuture<'a, bool> {
        let server = sanitize::excerpt(server, 80);
        let says = Styled::new().line().bold(format!("The model answers the server `{server}`:")).line();
        let all: Vec<String> = answer.parts.iter().filter_map(part).collect();
        Box::pin(self.says_yes(says.plain(cut(&all.join("\n"))), "Send it?"))
    }
}

/// What a server asks: all of it, as far as it can be read.
fn asked(server: &str, request: &Request) -> Styled {
    let server = sanitize::excerpt(server, 80);
    let mut text = Styled::new().line().bold(format!("The server `{server}` wants to ask the model:"));
    if let Some(system) = &request.system {
        text = text.line().dim("system: ").plain(cut(system));
    }
    for message in &request.messages {
        let (who, said) = match message {
            Message::User(said) => ("user", said.iter().map(shown).collect()),
            Message::Assistant(parts) => ("model", parts.iter().filter_map(part).collect::<Vec<_>>()),
            Message::Results(results) => {
                ("result", results.iter().flat_map(|result| &result.content).map(shown).collect())
            }
            _ => ("other", Vec::new()),
        };
        text = text.line().dim(format!("{who}: ")).plain(cut(&said.join("\n")));
    }
    for tool in &request.tools {
        let about = sanitize::excerpt(&tool.description, 300);
        text = text.line().dim(format!("tool {}: ", sanitize::excerpt(&tool.name, 80))).plain(about);
    }
    if !request.stop_sequences.is_empty() {
        text = text.line().dim("ends at: ").plain(cut(&request.stop_sequences.join(", ")));
    }
    text
}

fn part(part: &Part) -> Option<String> {
    match part {
        Part::Text { text, .. } => Some(text.clone()),
        Part::Call(call) => Some(format!("[calls {} {}]", call.name, call.arguments.text())),
        Part::Media(media) => Some(format!("[{}, {} bytes]", media.mime_type, media.size())),
        _ => None,
    }
}

/// A text with its middle left out where it is long: what is put in front must not hide the end.
pub(super) fn cut(text: &str) -> String {
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let head = text.get(..text.floor_char_boundary(SHOWN / 2)).unwrap_or_default();
    let tail = text.get(text.ceil_char_boundary(text.len() - SHOWN / 2)..).unwrap_or_default();
    let left = text.len() - head.len() - tail.len();
    format!("{head}\n[… {left} bytes are not shown …]\n{tail}")
}
