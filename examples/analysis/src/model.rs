//! Which model answers: a script for the questions that are known, one of a provider for all others.

use anyhow::{Context as _, Result};
use bowline::llm::{HttpModel, ScriptedModel, Turn};

/// `MODEL` is `FORMAT/NAME`, `MODEL_KEY` its key, `MODEL_URL` an address other than the provider's own.
pub(crate) fn of_environment() -> Result<HttpModel> {
    let builder = HttpModel::from_env("MODEL")?;
    Ok(builder.context("a question of your own wants a model: set MODEL, as the README says")?.build()?)
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
