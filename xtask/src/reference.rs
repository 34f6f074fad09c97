//! `cargo xtask reference`: the book's pages that say what the code says.

use anyhow::Result;
use xshell::cmd;

use crate::context::Context;
use crate::report::Report;

/// Writes the pages of commands and of settings. The tests of the command hold them against the code, and fail where
/// they differ.
pub fn write(context: &Context, report: &mut Report) -> Result<()> {
    let command = cmd!(context.shell, "cargo test --package bowline-cli --bin bowline reference::");
    command.env("BOWLINE_WRITE_REFERENCE", "1").run()?;
    report
        .notes
        .push("docs/src/cli-reference.md and docs/src/configuration-reference.md are what the code says".to_owned());
    Ok(())
}
