//! Questions about a database, answered with tables and charts.

#![expect(clippy::print_stdout, reason = "it is what the person reads")]

mod analyst;
mod chart;
mod database;
mod model;
mod server;
mod table;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use bowline::OutputSchemas;
use bowline::hub::{Hub, Member};

use crate::analyst::{Analyst, Patience, Shown};
use crate::database::Ended;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    if words == ["serve"] {
        return Ok(server::server()?.serve_stdio().await?);
    }
    // The server is this program once more: a process of its own, as servers are.
    let server = bowline::stdio(env::current_exe()?).arg("serve");
    let database = Member::new("database", server).client(|client| client.output_schemas(OutputSchemas::Reject));
    let hub = Hub::builder().member(database).build()?;
    let outcome = if words.is_empty() { examine(&hub).await } else { answer(&hub, &words.join(" ")).await };
    // Also after an error: no process is left behind.
    hub.close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// A question of one's own. Its chart is left in `chart.png`.
async fn answer(hub: &Hub, question: &str) -> Result<()> {
    let analyst = Analyst::new(hub.clone(), model::of_environment()?);
    let shown = analyst.ask(question, Patience::UntilInterrupted).await?;
    if let Some(chart) = shown.charts.last() {
        save(chart, Path::new("chart.png"))?;
    }
    ensure!(shown.is_answered, "interrupted");
    Ok(())
}

/// Three questions whose answers are known, and a look at what the server says of its queries.
async fn examine(hub: &Hub) -> Result<()> {
    let analyst = Analyst::new(hub.clone(), model::script());
    let folder = tempfile::tempdir()?;
    let best = ask(&analyst, "Which quarter sold best? Show me the months.", Patience::UntilInterrupted).await?;
    let chart = best.charts.first().context("no chart was shown")?;
    save(chart, &folder.path().join("chart.png"))?;
    let quarters = &best.tables.first().context("no table was shown")?.rows;
    let euros = |row: &Vec<serde_json::Value>| row.get(2).and_then(serde_json::Value::as_i64);
    let top = quarters.iter().max_by_key(|row| euros(row)).and_then(|row| row.first()?.as_i64());
    ensure!(quarters.len() == 4 && top == Some(2), "the second quarter did not sell best");

    let pairs = ask(&analyst, "How many pairs of a cheaper and a dearer sale?", Patience::UntilInterrupted).await?;
    ensure!(pairs.is_answered && pairs.reports > 0, "a long query did not tell how far it was");

    let triples = ask(&analyst, "And how many triples?", Patience::Reports(3)).await?;
    ensure!(!triples.is_answered && triples.tables.is_empty(), "the query was over before it was called off");
    let ended = hub.call("database/ended").await?;
    let ended: Ended = ended.structured_content.context("the server does not say how its queries ended")?.parse()?;
    println!("the server: {} queries done, {} called off, {} failed", ended.done, ended.called_off, ended.failed);
    ensure!(ended == Ended { done: 3, called_off: 1, failed: 0 }, "these are other queries than were made");
    Ok(())
}

async fn ask(analyst: &Analyst, question: &str, patience: Patience) -> Result<Shown> {
    println!("> {question}");
    analyst.ask(question, patience).await
}

fn save(chart: &[u8], path: &Path) -> Result<()> {
    let (width, height) = chart::size(chart).context("the chart is no PNG")?;
    std::fs::write(path, chart).with_context(|| format!("{} cannot be written", path.display()))?;
    println!("  chart: {width} × {height}, {} bytes\n", chart.len());
    Ok(())
}
