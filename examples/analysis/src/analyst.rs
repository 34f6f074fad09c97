//! The assistant: a model with the database's tools, and what the person sees of its work.

use std::io::{Write as _, stdout};

use anyhow::{Context as _, Result};
use bowline::hub::Hub;
use bowline::llm::{Agent, AgentEvent, Content, Conversation, HubTools, Model, Prefer, ResultPolicy, ToolResult};
use bowline::prelude::*;
use tokio::signal::ctrl_c;

use crate::database::Table;
use crate::table;

const RULES: &str = "You answer questions about a company's sales. Ask the database rather than guess, let it do the sums, \
    and show a chart where that says more than a table. The person sees tables and charts as they come.";

/// How long the person waits for a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until Ctrl-C.
    UntilInterrupted,
    /// Until a query has told of its progress so often, and then as with Ctrl-C.
    Reports(u32),
}

/// What the person was shown.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) tables: Vec<Table>,
    /// The bytes of images.
    pub(crate) charts: Vec<Vec<u8>>,
    pub(crate) reports: u32,
    pub(crate) is_answered: bool,
}

pub(crate) struct Analyst(Agent);

impl Analyst {
    pub(crate) fn new(hub: Hub, model: impl Model + 'static) -> Self {
        // The model gets what the terminal shows, and by the same bytes: the structured result.
        let mut results = ResultPolicy::default();
        results.prefer = Prefer::Structured;
        Self(Agent::builder(model, HubTools::new(hub)).system(RULES).results(results).build())
    }

    /// Answers one question, for as long as the person waits.
    pub(crate) async fn ask(&self, question: &str, patience: Patience) -> Result<Shown> {
        let mut conversation = Conversation::new();
        let mut run = self.0.run(&mut conversation, question);
        let mut shown = Shown::default();
        let interrupted = ctrl_c();
        tokio::pin!(interrupted);
        loop {
            let event = tokio::select! {
                event = run.next() => event,
                interrupted = &mut interrupted => {
                    interrupted.context("Ctrl-C cannot be heard")?;
                    None
                }
            };
            // Whoever leaves here drops the run: that cancels the open call, and the server ends its query.
            let Some(event) = event else { return Ok(shown) };
            show(event?, &mut shown)?;
            if patience == Patience::Reports(shown.reports) {
                println!("  (called off)");
                return Ok(shown);
            }
        }
    }
}

fn show(event: AgentEvent, shown: &mut Shown) -> Result<()> {
    match event {
        AgentEvent::Text { text } => {
            print!("{text}");
            stdout().flush()?;
        }
        AgentEvent::CallBegun { tool, .. } => println!("  [{tool}]"),
        AgentEvent::Progress { progress, message, .. } => {
            shown.reports += 1;
            println!("  … {progress} {}", table::plain(&message.unwrap_or_default()));
        }
        AgentEvent::ForUser { content: ContentBlock::Image(image), .. } => {
            shown.charts.push(image.decode().context("the chart is no base64")?);
        }
        AgentEvent::CallEnded { result, .. } if result.is_error => {
            println!("  failed: {}", table::plain(&text_of(&result)));
        }
        AgentEvent::CallEnded { result, .. } => {
            if let Some(table) = table_of(&result) {
                table::lines(&table).iter().for_each(|line| println!("    {line}"));
                shown.tables.push(table);
            }
        }
        AgentEvent::Done(_) => {
            shown.is_answered = true;
            println!();
        }
        _ => {}
    }
    Ok(())
}

/// The table of a result that has one. It fits the server's output schema: the client has looked.
fn table_of(result: &ToolResult) -> Option<Table> {
    result.content.iter().find_map(|content| match content {
        Content::Json(json) => json.parse().ok(),
        _ => None,
    })
}

fn text_of(result: &ToolResult) -> String {
    let texts = result
        .content
        .iter()
        .filter_map(|content| if let Content::Text(text) = content { Some(text.as_str()) } else { None });
    texts.collect::<Vec<_>>().join(" ")
}
