//! The page of the book that has the table.

use anyhow::{Context as _, Result};

use super::rows::Rows;
use crate::context::Context;

const PAGE: &str = "docs/src/speed.md";
const BEGIN: &str = "<!-- Written by `cargo xtask bench --write` from here -->\n";
const END: &str = "<!-- to here -->\n";

/// Puts the table in place of the one that the page has.
pub fn write(context: &Context, rows: &Rows, table: &str) -> Result<()> {
    let page = context.shell.read_file(PAGE)?;
    let marks = || format!("{PAGE} has lost the marks around its table");
    let (before, rest) = page.split_once(BEGIN).with_context(marks)?;
    let (_, after) = rest.split_once(END).with_context(marks)?;
    let machine = machine()?;
    let text = format!("{before}{BEGIN}\n{machine}; {} rounds or more.\n\n{table}\n{END}{after}", rows.rounds());
    context.shell.write_file(PAGE, text)?;
    Ok(())
}

/// The machine in general terms.
pub fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    let memory =
        kib.map_or(String::from("memory unknown"), |kib: u64| format!("{} GiB of memory", kib.div_ceil(1 << 20)));
    Ok(format!("{cores} cores, {memory}, {}", std::env::consts::OS))
}
