//! The server: the database by MCP, over standard input and output.

use anyhow::Result;
use bowline::prelude::*;
use bowline::protocol::{Annotations, ErrorCode, ErrorObject, ImageContent, Role, ToolAnnotations};
use bowline_testkit::{MockServer, ToolCall};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::chart;
use crate::database::{Database, Table};

const SQL: &str = "One SELECT for SQLite. The table is sales (day TEXT as 2025-12-31, product TEXT, euros INTEGER).";

pub(crate) fn server() -> Result<MockServer> {
    let database = Database::open()?;
    let (queries, charts, counts) = (database.clone(), database.clone(), database);
    let server = MockServer::builder()
        .tool(tool("query", "What a query gives, 100 rows at most").with_output_schema(table_schema()), move |call| {
            let database = queries.clone();
            async move {
                let table = match run(&database, &call).await? {
                    Ok(table) => table,
                    Err(why) => return Ok(CallToolResult::error(why)),
                };
                Ok(CallToolResult::new([]).with_structured_content(raw(&table)?))
            }
        })
        .tool(tool("chart", "Shows the person a bar for each row: a name and a number"), move |call| {
            let database = charts.clone();
            async move {
                let table = run(&database, &call).await?;
                Ok(match table.and_then(|table| drawn(&table)) {
                    Ok((bars, image)) => CallToolResult::new([
                        ContentBlock::text(format!("the person sees a chart with {bars} bars")),
                        ContentBlock::Image(image),
                    ]),
                    Err(why) => CallToolResult::error(why),
                })
            }
        })
        .tool(Tool::new("ended", RawJson::EMPTY_OBJECT).with_annotations(reads()), move |_| {
            let database = counts.clone();
            async move {
                let ended = spawn_blocking(move || database.ended()).await.map_err(|_| internal())?;
                Ok(CallToolResult::new([]).with_structured_content(raw(&ended)?))
            }
        });
    Ok(server.build())
}

/// Runs the query of a call on a thread of its own, for as long as the caller wants it.
async fn run(database: &Database, call: &ToolCall) -> Result<Result<Table, String>, ErrorObject> {
    let (database, sql) = (database.clone(), call.argument::<String>("sql")?);
    // The query waits for whoever tells of it, so that no more is kept than one step.
    let (tell, mut told) = mpsc::channel(1);
    let query = spawn_blocking(move || database.query(&sql, tell));
    loop {
        tokio::select! {
            biased;
            () = call.cancelled() => break,
            millions = told.recv() => match millions {
                Some(millions) => call.progress(millions as f64, None, Some("million steps")).await,
                None => break,
            }
        }
    }
    // Where the query still runs, this is what ends it.
    drop(told);
    query.await.map_err(|_| internal())
}

/// The chart, for the person alone: a model that reads the numbers has no need of it.
fn drawn(table: &Table) -> Result<(usize, ImageContent), String> {
    let values: Option<Vec<f64>> = table.rows.iter().map(|row| row.get(1)?.as_f64()).collect();
    let values = values.ok_or("a chart wants two columns, a name and a number")?;
    let bytes = chart::png(&values).map_err(|error| error.to_string())?;
    let for_person = Annotations::new().with_audience([Role::User]);
    Ok((values.len(), ImageContent::from_bytes(&bytes, "image/png").with_annotations(for_person)))
}

fn tool(name: &str, about: &str) -> Tool {
    let sql = json!({ "type": "string", "description": SQL });
    let schema = json!({ "type": "object", "properties": { "sql": sql }, "required": ["sql"] });
    Tool::new(name, schema).with_description(about).with_annotations(reads())
}

fn table_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "columns": { "type": "array", "items": { "type": "string" } },
            "rows": { "type": "array", "maxItems": 100, "items": { "type": "array" } },
            "has_more": { "type": "boolean" },
        },
        "required": ["columns", "rows", "has_more"],
    })
}

fn reads() -> ToolAnnotations {
    ToolAnnotations::new().with_read_only_hint(true)
}

fn raw(value: &impl serde::Serialize) -> Result<RawJson, ErrorObject> {
    RawJson::from_serialize(value).map_err(|_| internal())
}

fn internal() -> ErrorObject {
    ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the query came to no end")
}
