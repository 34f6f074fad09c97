//! What the scenarios found, as a table.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::servers::Server;

/// One result, as `tests/it/interop.rs` writes it. A list is `null` where the server has no such thing.
#[derive(Deserialize)]
struct Found {
    revision: String,
    tools: Option<u64>,
    resources: Option<u64>,
    templates: Option<u64>,
    prompts: Option<u64>,
    checked: String,
    milliseconds: u64,
}

/// Prints a row for each server; one without a result failed.
pub fn print(results: &Path, servers: &[&Server]) -> Result<()> {
    let head = ["server", "revision", "tools", "resources", "templates", "prompts", "ms", "result", "checked"];
    let mut rows = vec![head.map(str::to_owned)];
    for server in servers {
        rows.push(row(results, server)?);
    }
    println!();
    columns(&rows);
    Ok(())
}

/// Prints rows whose columns stand under each other.
pub fn columns<const N: usize>(rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

/// A list's length; a dash where the server has no such thing.
pub fn count(list: Option<u64>) -> String {
    list.map_or("–".to_owned(), |count| count.to_string())
}

fn row(results: &Path, server: &Server) -> Result<[String; 9]> {
    let name = server.pins.join(" ");
    let Ok(text) = fs::read_to_string(results.join(format!("{}.json", server.name))) else {
        let dash = String::new;
        return Ok([name, dash(), dash(), dash(), dash(), dash(), dash(), "FAILED".to_owned(), dash()]);
    };
    let found: Found =
        serde_json::from_str(&text).with_context(|| format!("the result of {} is malformed", server.name))?;
    Ok([
        name,
        found.revision,
        count(found.tools),
        count(found.resources),
        count(found.templates),
        count(found.prompts),
        found.milliseconds.to_string(),
        "ok".to_owned(),
        found.checked,
    ])
}
