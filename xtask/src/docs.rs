//! `cargo xtask docs`: the book and the API documentation.

use anyhow::Result;
use xshell::cmd;

use crate::context::Context;
use crate::report::Report;

/// Builds both under the target directory.
pub fn build(context: &Context, report: &mut Report) -> Result<()> {
    cmd!(context.shell, "cargo doc --workspace --no-deps --all-features").run()?;
    report.notes.push(format!("API documentation: {}", context.target.join("doc/bowline/index.html").display()));
    if !context.has("mdbook", &["--version"]) {
        report.missing("the book", "install with `cargo install --locked mdbook`");
        return Ok(());
    }
    let book = context.target.join("book");
    cmd!(context.shell, "mdbook build docs --dest-dir {book}").run()?;
    report.notes.push(format!("book: {}", book.join("index.html").display()));
    Ok(())
}
