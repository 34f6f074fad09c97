//! The table: figures as ratios, and what became of the goals.

use super::goals::{Asked, GOALS, Goal};
use super::rows::Rows;

/// Those who are shown as a ratio to the floor.
const OTHERS: [&str; 3] = ["bowline", "rmcp", "tower-mcp"];

/// The table in Markdown, of all goals that something is known of.
pub fn of(rows: &Rows) -> String {
    let mut out = String::from(
        "| workload | transport | figure | raw | bowline | rmcp | tower-mcp | goal | beside rmcp |\n\
         |---|---|---|--:|--:|--:|--:|---|---|\n",
    );
    let mut last = "";
    for goal in GOALS.iter().filter(|goal| goal.median(rows, "bowline").is_some()) {
        let what = if goal.workload == last { String::new() } else { format!("{}: {}", goal.workload, goal.what) };
        last = goal.workload;
        let cells = OTHERS.map(|name| cell(goal, rows, name)).join(" | ");
        let floor = goal.median(rows, "raw").map_or_else(none, show);
        let verdicts = [goal.floor_verdict(rows), goal.rmcp_verdict(rows)].map(|v| v.unwrap_or_else(none)).join(" | ");
        out += &format!("| {what} | {} | {} | {floor} | {cells} | {verdicts} |\n", goal.transport, goal.figure.label);
    }
    for failure in &rows.failures {
        out += &format!("\n{failure}\n");
    }
    out
}

fn cell(goal: &Goal, rows: &Rows, name: &str) -> String {
    let Some(value) = goal.median(rows, name) else { return none() };
    match (&goal.asked, goal.ratio(rows, name, "raw")) {
        (Asked::Ratio(..), Some(ratio)) => format!("×{ratio:.2}"),
        _ => show(value),
    }
}

fn none() -> String {
    String::from("–")
}

fn show(value: f64) -> String {
    let decimals = if value >= 100.0 || value == value.trunc() { 0 } else { 1 };
    format!("{value:.decimals$}")
}
