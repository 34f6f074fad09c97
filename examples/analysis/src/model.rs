//! Which model answers: a script for the questions that are known, one of a provider for all others.

use std::env;

use anyhow::{Context as _, Result};
use bowline::llm::{Format, HttpModel, ScriptedModel, Turn};

/// `MODEL` is `FORMAT/NAME`, `MODEL_KEY` its key, `MODEL_URL` an address other than the provider's own.
pub(crate) fn of_environment() -> Result<HttpModel> {
    let model = env::var("MODEL").context("a question of your own wants a model: set MODEL, as the README says")?;
    let (format, name) = model.split_once('/').context("MODEL is not FORMAT/NAME, such as openai/gpt-5")?;
    let format: Format = format.parse().context("the first word of MODEL is no format")?;
    let mut builder = HttpModel::builder(format, name);
    if let Ok(url) = env::var("MODEL_URL") {
        builder = builder.base_url(url);
    }
    if let Ok(key) = env::var("MODEL_KEY") {
        builder = builder.key(key);
    }
    Ok(builder.build()?)
}

/// What a model would ask of the database, and say of what came.
pub(crate) fn script() -> ScriptedModel {
    ScriptedModel::new([
        query(
            "database__query",
            "SELECT (CAST(substr(day, 6, 2) AS INTEGER) + 2) / 3 AS quarter, count(*) AS sales, sum(euros) AS euros
             FROM sales GROUP BY 1 ORDER BY 1",
        ),
        query("database__chart", "SELECT substr(day, 1, 7), sum(euros) FROM sales GROUP BY 1 ORDER BY 1"),
        Turn::say("The second quarter sold best; the chart has the months."),
        query("database__query", "SELECT count(*) AS pairs FROM sales a, sales b WHERE a.euros < b.euros"),
        Turn::say("So many pairs have a cheaper and a dearer sale."),
        query(
            "database__query",
            "SELECT count(*) FROM sales a, sales b, sales c WHERE a.euros < b.euros AND b.euros < c.euros",
        ),
        Turn::say("This is not said, since nobody waits for it."),
    ])
}

fn query(tool: &str, sql: &str) -> Turn {
    Turn::call(tool, &serde_json::json!({ "sql": sql }).to_string())
}
