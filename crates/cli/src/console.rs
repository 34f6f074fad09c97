//! Standard error: everything that is not data.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};
use crossterm::cursor::Show;
use crossterm::event::DisableBracketedPaste;
use crossterm::style::Print;
use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing_subscriber::fmt::MakeWriter;

use crate::exit::CliError;
use crate::options::{Format, Global};
use crate::sanitize;
use crate::styled::Styled;

/// The one way to standard error. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Console(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bars: MultiProgress,
    shows_bars: bool,
    colour: bool,
    json: bool,
    quiet: bool,
    verbose: u8,
    /// Lines that wait until the terminal is free again, while a person fills in a form.
    held: Mutex<Option<Vec<String>>>,
}

/// Lines that wait for the terminal; what comes after them is dropped.
const MOST_HELD: usize = 1_000;

impl Console {
    pub(crate) fn new(global: &Global) -> Self {
        let json = global.format() == Format::Json;
        let shows_bars = io::stderr().is_terminal() && !global.quiet && (!json || global.verbose > 0);
        let target = if shows_bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self(Arc::new(Inner {
            bars: MultiProgress::with_draw_target(target),
            shows_bars,
            colour: !global.no_color && AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            json,
            quiet: global.quiet,
            verbose: if global.quiet { 0 } else { global.verbose },
            held: Mutex::new(None),
        }))
    }

    /// Prints a line; what it says is foreign or ours, it is harmless either way.
    pub(crate) fn line(&self, text: Styled) {
        self.print(text.line().render(self.0.colour));
    }

    /// Prints a line at once, also while the terminal is taken.
    pub(crate) fn show(&self, text: Styled) {
        write_all(text.line().render(self.0.colour).as_bytes());
    }

    fn print(&self, text: String) {
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(lines) if lines.len() < MOST_HELD => lines.push(text),
            Some(_) => {}
            None => self.0.bars.suspend(|| write_all(text.as_bytes())),
        }
    }

    /// Something a person may want to know. Left out with `-q`, and with JSON output unless `-v` asks for it.
    pub(crate) fn note(&self, text: impl Into<String>) {
        if self.is_talkative() {
            self.line(Styled::new().dim(text));
        }
    }

    /// What may be wrong. Left out with `-q` only.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        if !self.0.quiet {
            self.line(Styled::new().bold("warning: ").plain(text));
        }
    }

    /// Details, with `-v` only.
    pub(crate) fn detail(&self, text: impl Into<String>) {
        if self.0.verbose > 0 {
            self.line(Styled::new().dim(text));
        }
    }

    /// The error that ends the run: text, or one JSON object.
    pub(crate) fn error(&self, error: &CliError) {
        if self.0.json {
            let text = format!("{}\n", sanitize::json(&error.to_json().to_string()));
            return self.print(text);
        }
        let mut text = Styled::new().bold("error: ").plain(sanitize::line(&error.message));
        if let Some(detail) = &error.detail {
            text = text.line();
            for line in detail.trim_end().lines() {
                text = text.dim("  | ").plain(line).line();
            }
        }
        if let Some(hint) = &error.hint {
            text = text.line().line().bold("hint: ").plain(sanitize::line(hint));
        }
        self.line(text);
    }

    pub(crate) fn is_talkative(&self) -> bool {
        !self.0.quiet && (!self.0.json || self.0.verbose > 0)
    }

    pub(crate) fn verbose(&self) -> u8 {
        self.0.verbose
    }

    /// Where progress bars are drawn; none where they are not.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        self.0.shows_bars.then_some(&self.0.bars)
    }

    /// Runs `f` with the terminal to itself: bars are hidden, and other lines wait.
    pub(crate) fn paused<T>(&self, f: impl FnOnce() -> T) -> T {
        let held = || self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.bars.set_draw_target(ProgressDrawTarget::hidden());
        *held() = Some(Vec::new());
        let result = f();
        let lines = held().take().unwrap_or_default();
        if self.0.shows_bars {
            self.0.bars.set_draw_target(ProgressDrawTarget::stderr());
        }
        for line in lines {
            self.print(line);
        }
        result
    }

    /// Whether somebody has the terminal to themselves: a form is open, and its thread waits for a person.
    pub(crate) fn is_asking(&self) -> bool {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes the terminal back from a form that is still open when the run ends, so that the error can be read and
    /// the shell works afterwards.
    pub(crate) fn take_back(&self) {
        let Some(lines) = self.0.held.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // Where this fails there is no terminal to set right.
        let _ = crossterm::terminal::disable_raw_mode();
        let _ = crossterm::execute!(io::stderr(), DisableBracketedPaste, Show, Print("\r\n"));
        for line in lines {
            self.print(line);
        }
    }
}

/// Standard error that went away leaves nobody to tell.
fn write_all(bytes: &[u8]) {
    let mut stream = AutoStream::always_ansi(io::stderr());
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
}

impl<'a> MakeWriter<'a> for Console {
    type Writer = Diagnostics;

    fn make_writer(&'a self) -> Diagnostics {
        Diagnostics(self.clone())
    }
}

/// Lines of the wire's diagnostics, harmless and between the bars.
#[derive(Debug)]
pub(crate) struct Diagnostics(Console);

impl Write for Diagnostics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.print(sanitize::text(&text).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
