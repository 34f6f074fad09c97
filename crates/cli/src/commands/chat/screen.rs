//! What a run tells, as a person or a program reads it.

use std::collections::HashMap;
use std::io::IsTerminal as _;

use bowline::llm::{AgentEvent, CallEnd, Content, ToolResult};
use bowline::protocol::ProgressNotificationParams;

use crate::console::Console;
use crate::exit::Stop;
use crate::options::Format;
use crate::output::Output;
use crate::progress::ProgressView;
use crate::sanitize::{self, Pieces};
use crate::styled::Styled;

/// Shows the events of one run: the model's text on standard output, all else beside it; or each as JSON.
pub(super) struct Screen<'o> {
    out: &'o mut Output,
    console: Console,
    pieces: Pieces,
    /// What the model says until the answer is whole, where nobody reads it as it comes: one that is cut counts for
    /// nothing.
    held: Option<String>,
    /// Whether the last line on standard output has no end yet.
    within_line: bool,
    bars: HashMap<String, ProgressView>,
    /// The tools of open calls, by the calls' ids.
    open: HashMap<String, String>,
}

impl<'o> Screen<'o> {
    pub(super) fn new(out: &'o mut Output, console: &Console) -> Self {
        let (pieces, bars, open) = Default::default();
        let held = (!std::io::stdout().is_terminal()).then(String::new);
        Self { out, console: console.clone(), pieces, held, within_line: false, bars, open }
    }

    pub(super) fn show(&mut self, event: &AgentEvent) -> Result<(), Stop> {
        if self.out.format() == Format::Json {
            return self.out.json_line(event);
        }
        match event {
            AgentEvent::Text { text } => {
                let text = self.pieces.push(text);
                match &mut self.held {
                    Some(held) => held.push_str(&text),
                    None => self.text(text)?,
                }
            }
            AgentEvent::Restarted { reason } => {
                match &mut self.held {
                    Some(held) => {
                        held.clear();
                        let _ = self.pieces.finish();
                    }
                    None => self.end_line()?,
                }
                self.console.warn(format!("asked again: {}", sanitize::excerpt(reason, 300)));
            }
            AgentEvent::CallBegun { id, tool, arguments, .. } => {
                self.end_line()?;
                let arguments = sanitize::excerpt(&arguments.to_string(), 160);
                let tool = sanitize::excerpt(tool, 80);
                if self.console.is_talkative() {
                    self.console.line(Styled::new().dim("→ ").bold(tool.as_str()).dim(format!(" {arguments}")));
                }
                self.open.insert(id.clone(), tool);
            }
            AgentEvent::Progress { id, progress, total, message } => {
                self.progress(id, *progress, *total, message.as_deref());
            }
            AgentEvent::CallEnded { tool, end, result, .. } => {
                self.end_line()?;
                self.open.remove(&result.call_id);
                if let Some(bar) = self.bars.remove(&result.call_id) {
                    bar.finish();
                }
                self.console.note(ended(tool, *end, result));
            }
            AgentEvent::ForUser { tool, content } => {
                if let Some(text) = content.as_text() {
                    self.end_line()?;
                    self.console.note(format!("{}: {}", sanitize::excerpt(tool, 80), sanitize::excerpt(text, 2_000)));
                }
            }
            AgentEvent::Notice { text } => {
                self.end_line()?;
                self.console.warn(sanitize::excerpt(text, 600));
            }
            AgentEvent::Answered { .. } | AgentEvent::Done(_) => self.end_line()?,
            AgentEvent::Round { round, tools, estimated_tokens } => {
                self.console.detail(format!("round {round}: {tools} tools, some {estimated_tokens} tokens"));
            }
            // What a model thinks is in the events.
            _ => {}
        }
        Ok(())
    }

    /// Ends what is open on the screen, however the run ended.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        for (_, bar) in self.bars.drain() {
            bar.finish();
        }
        self.end_line()
    }

    fn progress(&mut self, id: &str, progress: f64, total: Option<f64>, message: Option<&str>) {
        let Some(tool) = self.open.get(id) else { return };
        let bar = self.bars.entry(id.to_owned()).or_insert_with(|| ProgressView::new(&self.console, tool));
        let mut report = ProgressNotificationParams::new(0, progress);
        (report.total, report.message) = (total, message.map(str::to_owned));
        bar.update(&report);
    }

    fn text(&mut self, text: String) -> Result<(), Stop> {
        if !text.is_empty() {
            self.within_line = !text.ends_with('\n');
            self.out.text(&Styled::new().plain(text))?;
        }
        Ok(())
    }

    /// Shows what was held back.
    fn release(&mut self) -> Result<(), Stop> {
        let held = self.held.as_mut().map(std::mem::take).unwrap_or_default();
        self.text(held)
    }

    fn end_line(&mut self) -> Result<(), Stop> {
        self.release()?;
        let rest = self.pieces.finish();
        self.text(rest)?;
        if std::mem::take(&mut self.within_line) {
            self.out.text(&Styled::new().line())?;
        }
        Ok(())
    }
}

/// What a person or a tool gave, as text.
pub(super) fn shown(content: &Content) -> String {
    match content {
        Content::Text(text) => text.clone(),
        Content::Json(json) => json.as_str().to_owned(),
        Content::Media(media) => format!("[{}, {} bytes]", media.mime_type, media.size()),
        _ => "[something else]".to_owned(),
    }
}

/// The end of a call on one line.
fn ended(tool: &str, end: CallEnd, result: &ToolResult) -> String {
    let tool = sanitize::excerpt(tool, 80);
    let told = result.content.first().map(shown).unwrap_or_default();
    let told = sanitize::excerpt(&told, 160);
    match end {
        CallEnd::Done => format!("✓ {tool}: {told}"),
        CallEnd::Failed => format!("✗ {tool} failed: {told}"),
        CallEnd::Denied => format!("✗ {tool} was not allowed"),
        _ => format!("✗ {tool} was not called: {told}"),
    }
}

#[cfg(test)]
mod tests {
    use bowline::llm::{Arguments, ToolCall};

    use super::*;

    #[test]
    fn the_end_of_a_call_is_one_harmless_line() {
        let call = ToolCall::new("1", "s__t\u{1b}[2J", Arguments::read("{}"));
        let line = ended(&call.name, CallEnd::Done, &ToolResult::text(&call, "a\nb\u{202e}"));
        assert_eq!(line, "✓ s__t: a b\\u{202e}");
        let line = ended(&call.name, CallEnd::Failed, &ToolResult::error(&call, "x".repeat(1_000)));
        assert!(line.starts_with("✗ s__t failed: xxx") && line.chars().count() < 200);
    }
}
