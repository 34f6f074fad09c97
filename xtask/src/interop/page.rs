//! What came of all published servers: as a table in the terminal, and as a page of the book.

use std::fmt::Write as _;

use super::probe::{Found, Outcome, Row};
use super::table::{columns, count};

/// The page of the book.
pub const PATH: &str = "docs/src/interop.md";

const HEAD: &str = "\
# Servers of others

<!-- Written by `cargo xtask interop --all`; change xtask/src/interop/page.rs or xtask/interop/servers.jsonl instead. -->

Published servers that bowline was run against, each pinned and in a process of its own: connect, list everything, \
call a tool, call a tool and a method that do not exist, close, and see that no process is left. `cargo xtask interop \
--all` installs them, runs them and writes this page; `--only NAME` runs one. *Revision* is what was agreed on, where \
the client asks for the newest that the server speaks; in a *handshake* a session begins, *stateless* has none (see \
[Eras](eras.md)). A dash stands for what a server does not have.

";

/// Whether a row is the fault of somebody who has to look.
pub fn is_failure(row: &Row<'_>) -> bool {
    match &row.outcome {
        Outcome::Ran(found) => found.failure.is_some(),
        Outcome::NotInstalled(_) => true,
    }
}

/// Prints the table.
pub fn print(rows: &[Row<'_>]) {
    let head = ["server", "version", "transport", "revision", "lists", "ms", "call", "outcome"];
    let mut table = vec![head.map(str::to_owned)];
    for row in rows {
        let found = found(row);
        let milliseconds = found.map_or(0, |found| found.total_ms).to_string();
        let revision = found.map(|found| found.revision.clone()).unwrap_or_default();
        let (package, version) = package(row);
        table.push([
            package,
            version,
            row.server.transport().to_owned(),
            revision,
            lists(found),
            milliseconds,
            call(row),
            outcome(row),
        ]);
    }
    println!();
    columns(&table);
    println!("\n{}", summary(rows));
}

/// The page.
pub fn text(rows: &[Row<'_>]) -> String {
    let mut page = String::from(HEAD);
    let _ = writeln!(page, "{}\n", summary(rows));
    page.push_str(
        "| server | version | transport | revision | tools / resources / templates / prompts | call | outcome |\n",
    );
    page.push_str("|---|---|---|---|---|---|---|\n");
    for row in rows {
        let found = found(row);
        let revision = found.map(|found| found.revision.as_str()).unwrap_or_default();
        let (package, version) = package(row);
        let cells = [
            package,
            version,
            row.server.transport().to_owned(),
            format!("{revision}, {}", era(revision)),
            lists(found),
            call(row),
            outcome(row),
        ];
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page.push_str("\n## What had to be tolerated\n\n");
    for row in rows {
        for oddity in found(row).iter().flat_map(|found| found.notes.iter().chain(&found.oddities)) {
            let _ = writeln!(page, "- `{}`: {}", row.server.name, oddity.replace('<', "&lt;"));
        }
    }
    page
}

fn summary(rows: &[Row<'_>]) -> String {
    let failed = rows.iter().filter(|row| is_failure(row)).count();
    let called =
        rows.iter().filter(|row| found(row).is_some_and(|found| found.steps.iter().any(|step| step == "call")));
    let called = called.count();
    format!(
        "{} rows: {} did all that was asked, {failed} did not; in {called} a call was made.",
        rows.len(),
        rows.len() - failed
    )
}

fn found<'a>(row: &'a Row<'_>) -> Option<&'a Found> {
    match &row.outcome {
        Outcome::Ran(found) => Some(found),
        Outcome::NotInstalled(_) => None,
    }
}

/// The first pin, taken apart.
fn package(row: &Row<'_>) -> (String, String) {
    let pin = row.server.pins.first().map(String::as_str).unwrap_or_default();
    let parts = pin.split_once("==").or_else(|| pin.rsplit_once('@'));
    parts.map_or((pin.to_owned(), String::new()), |(name, version)| (name.to_owned(), version.to_owned()))
}

fn era(revision: &str) -> &'static str {
    match revision {
        "" => "",
        "2026-07-28" => "stateless",
        _ => "handshake",
    }
}

fn lists(found: Option<&Found>) -> String {
    let Some(found) = found else { return String::new() };
    [found.tools, found.resources, found.templates, found.prompts].map(count).join(" / ")
}

fn call(row: &Row<'_>) -> String {
    let lacked = found(row).is_some_and(|found| found.lacked.is_some());
    row.server.call.as_ref().filter(|_| !lacked).map_or("–".to_owned(), |call| format!("`{}`", call.tool))
}

fn outcome(row: &Row<'_>) -> String {
    match &row.outcome {
        Outcome::NotInstalled(why) => format!("FAILED: {why}"),
        Outcome::Ran(Found { failure: Some(why), .. }) => format!("FAILED: {why}"),
        Outcome::Ran(Found { lacked: Some(what), .. }) => format!("ok; the call is skipped, it needs {what}"),
        Outcome::Ran(_) => "ok".to_owned(),
    }
}
