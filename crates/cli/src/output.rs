//! Standard output: data and nothing else.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::exit::{CliError, Code, Stop};
use crate::json;
use crate::options::{Format, Global};
use crate::sanitize;
use crate::screen::Screen;
use crate::styled::Styled;

/// The one way to standard output.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    terminal: bool,
    /// None where there is no terminal.
    screen: Option<Screen>,
    colour: bool,
    pager: bool,
    /// Whether a JSON document went out, so that an error need not send one.
    answered: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = io::stdout().is_terminal();
        let format = match global.format() {
            Format::Auto => Format::Text,
            format => format,
        };
        Self {
            format,
            terminal,
            screen: Screen::of_stdout(),
            colour: !global.no_color && AutoStream::choice(&io::stdout()) != ColorChoice::Never,
            pager: terminal && !global.no_pager,
            answered: false,
        }
    }

    /// The form asked for; never [`Format::Auto`].
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    pub(crate) const fn answered(&self) -> bool {
        self.answered
    }

    /// How many columns a line may have; none where nobody counts them.
    pub(crate) fn width(&self) -> Option<usize> {
        self.screen.map(|screen| screen.columns)
    }

    /// Prints text at once.
    pub(crate) fn text(&mut self, text: &Styled) -> Result<(), Stop> {
        let text = text.render_within(self.width(), self.colour);
        self.bytes(text.as_bytes())
    }

    /// Prints a text that may be long: through the pager, if there is a terminal.
    pub(crate) fn long_text(&mut self, text: &Styled) -> Result<(), Stop> {
        let shown = text.render_within(self.width(), self.colour);
        if self.pager && self.screen.is_some_and(|screen| is_long(&shown, screen)) && page(&shown) {
            return Ok(());
        }
        self.bytes(shown.as_bytes())
    }

    /// Prints one JSON document: the only one of this run.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Stop> {
        self.answered = true;
        let text = to_json(value)?;
        self.bytes(format!("{}\n", json::for_stdout(&text, self.terminal)).as_bytes())
    }

    /// Prints one JSON document of many, on one line.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Stop> {
        self.answered = true;
        let text = to_json(value)?;
        let text = if self.terminal { sanitize::json(&text).into_owned() } else { text };
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Writes bytes as they are; to a terminal, harmless text, and nothing that is no text.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if !self.terminal {
            return self.bytes(bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.bytes(sanitize::text(text).as_bytes()),
            Err(_) => Err(CliError::new(Code::Usage, format!("the content is {} bytes that are no text", bytes.len()))
                .hint("send standard output to a file, or use --save DIR")
                .into()),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        // Styles were decided on when the text was made; this switches a Windows console to understand them.
        let choice = if self.colour { ColorChoice::Always } else { ColorChoice::AlwaysAnsi };
        let mut stream = AutoStream::new(io::stdout(), choice);
        stream.write_all(bytes).and_then(|()| stream.flush()).map_err(|error| Stop::from_write(&error))
    }
}

fn to_json(value: &impl Serialize) -> Result<String, Stop> {
    serde_json::to_string(value)
        .map_err(|error| CliError::new(Code::Unexpected, format!("cannot write JSON: {error}")).into())
}

/// Whether a text is longer than the terminal, which breaks lines that are too wide.
fn is_long(text: &str, screen: Screen) -> bool {
    let lines = |line: &str| anstream::adapter::strip_str(line).to_string().width().div_ceil(screen.columns).max(1);
    text.lines().map(lines).sum::<usize>() >= screen.lines
}

/// Shows a text in the pager of the environment; tells whether one could be started.
///
/// The pager gets an end of its own by the person, so what comes of writing to it does not matter.
fn page(text: &str) -> bool {
    let command =
        std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty()).unwrap_or_else(|| "less".to_owned());
    let Some((program, arguments)) = shlex::split(&command).and_then(|words| {
        let mut words = words.into_iter();
        words.next().map(|program| (program, words.collect::<Vec<_>>()))
    }) else {
        return false;
    };
    let mut pager = Command::new(program);
    pager.args(arguments).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // As git does: leave at once what fits on the screen, keep the colours, keep the screen.
        pager.env("LESS", "FRX");
    }
    let Ok(mut child) = pager.spawn() else { return false };
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_a_terminal_breaks_count_for_what_they_take() {
        let screen = Screen { columns: 10, lines: 4 };
        assert!(!is_long("a\nb\nc\n", screen) && is_long("a\nb\nc\nd\n", screen));
        assert!(is_long("0123456789 123456789 123456789 1", screen) && !is_long("東京東京東 東京東京東", screen));
        assert!(!is_long("\u{1b}[1m0123456789\u{1b}[0m\n", screen));
    }
}
