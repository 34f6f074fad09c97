//! `cargo xtask docs`: the book and the API documentation.

mod built;

use anyhow::{Result, bail};
use xshell::cmd;

use crate::context::Context;
use crate::report::Report;
use crate::{files, tidy};

/// Builds both under the target directory, without a warning and without a dead link.
pub fn build(context: &Context, report: &mut Report) -> Result<()> {
    fail_on("documents", &tidy::documents(&files::read(&context.root)?, &context.root))?;
    book(context, report)?;
    cmd!(context.shell, "cargo doc --workspace --no-deps --all-features").env("RUSTDOCFLAGS", "-D warnings").run()?;
    report.notes.push(format!("API documentation: {}", context.target.join("doc/bowline/index.html").display()));
    Ok(())
}

fn book(context: &Context, report: &mut Report) -> Result<()> {
    if !context.has("mdbook", &["--version"]) {
        report.missing("the book", "install with `cargo install --locked mdbook`");
        return Ok(());
    }
    let book = context.target.join("book");
    let output = cmd!(context.shell, "mdbook build docs --dest-dir {book}").output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let warnings: Vec<String> = said.lines().filter(|line| is_warning(line)).map(str::to_owned).collect();
    fail_on("mdbook", &warnings)?;
    fail_on("built book", &built::dead_links(&book)?)?;
    report.notes.push(format!("book: {}", book.join("index.html").display()));
    Ok(())
}

fn is_warning(line: &str) -> bool {
    line.split_whitespace().any(|word| matches!(word.trim_matches(['[', ']']), "WARN" | "ERROR"))
}

fn fail_on(what: &str, findings: &[String]) -> Result<()> {
    for finding in findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{what}: {} things to mend", findings.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_told_from_what_is_fine() {
        assert!(is_warning(" WARN unclosed HTML tag `<b>` found in `a.md`"));
        assert!(is_warning("2026-11-27 [ERROR] (mdbook::utils): no"));
        assert!(!is_warning(" INFO Book building has started"));
    }
}
