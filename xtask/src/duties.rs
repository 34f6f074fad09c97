//! `cargo xtask duties`: which duties of the specification have a test.

mod scan;
mod table;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::context::Context;
use crate::files::{self, File};
use crate::report::Report;
use table::{Area, Row};

/// Relative to the root.
const TABLE: &str = "tests/duties.md";

#[derive(clap::Args)]
pub struct Args {
    /// Prints every duty with its tests, or the reason for having none.
    #[arg(long)]
    all: bool,
}

/// The table and the tests that were found for its rows.
struct Duties {
    areas: Vec<Area>,
    /// By id: file, line and name of each test.
    tests: BTreeMap<String, Vec<String>>,
}

/// Prints what is open and a count by area; the answer is whether nothing is open.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let duties = load(context)?;
    if args.all {
        duties.print_all();
    }
    let findings = duties.findings();
    for finding in &findings {
        println!("{finding}");
    }
    println!("\n{}", duties.counts());
    Ok(findings.is_empty())
}

/// The same as a step: what is open is a failure.
pub fn check(context: &Context, report: &mut Report) -> Result<()> {
    let duties = load(context)?;
    let findings = duties.findings();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} things are wrong with the duties; `cargo xtask duties` counts them by area", findings.len());
    }
    let rows = duties.areas.iter().map(|area| area.rows.len()).sum::<usize>();
    report.notes.push(format!("{rows} duties, of which {} have tests", duties.tests.len()));
    Ok(())
}

fn load(context: &Context) -> Result<Duties> {
    let text = fs::read_to_string(context.root.join(TABLE)).with_context(|| format!("cannot read {TABLE}"))?;
    Ok(Duties::new(table::read(&text).context(TABLE)?, &files::read(&context.root)?))
}

impl Duties {
    fn new(areas: Vec<Area>, files: &[File]) -> Self {
        let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let rows = || areas.iter().flat_map(|area| &area.rows);
        let is_area = |area: &str| rows().any(|row| table::split(&row.id).is_some_and(|(letters, _)| letters == area));
        for file in files.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "rs")) {
            for test in scan::tests(&file.text, is_area) {
                let place = format!("{}:{} {}", file.path.display(), test.line, test.name);
                for id in test.ids {
                    tests.entry(id).or_default().push(place.clone());
                }
            }
        }
        Self { areas, tests }
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.areas.iter().flat_map(|area| &area.rows)
    }

    /// Rows with neither test nor reason, reasons that a test has overtaken, tests of duties that are not there.
    fn findings(&self) -> Vec<String> {
        let row = |row: &Row| match (self.tests.get(&row.id), row.reason.is_empty()) {
            (None, true) => Some(format!("{} has no test: {}", row.id, describe(row))),
            (Some(tests), false) => {
                Some(format!("{} has tests ({}); take its reason out of {TABLE}", row.id, tests.join(", ")))
            }
            _ => None,
        };
        let mut findings: Vec<_> = self.rows().filter_map(row).collect();
        for (id, tests) in self.tests.iter().filter(|(id, _)| self.rows().all(|row| row.id != **id)) {
            findings.push(format!("{id} is no duty in {TABLE}, but named by {}", tests.join(", ")));
        }
        findings
    }

    fn print_all(&self) {
        for area in &self.areas {
            println!("\n{}", area.title);
            for row in &area.rows {
                println!("{:5} {}", row.id, describe(row));
                for test in self.tests.get(&row.id).into_iter().flatten() {
                    println!("      {test}");
                }
                if !row.reason.is_empty() {
                    println!("      {}", row.reason);
                }
            }
        }
        println!();
    }

    /// A line an area, and one for all.
    fn counts(&self) -> String {
        let mut lines = vec![format!("{:>5} {:>6} {:>6} {:>5}  area", "rows", "tested", "reason", "open")];
        let mut all = [0; 4];
        for area in &self.areas {
            let has_test = |row: &&Row| self.tests.contains_key(&row.id);
            let tested = area.rows.iter().filter(has_test).count();
            let reason = area.rows.iter().filter(|row| !has_test(row) && !row.reason.is_empty()).count();
            let counts = [area.rows.len(), tested, reason, area.rows.len() - tested - reason];
            lines.push(line(counts, &area.title));
            for (sum, count) in all.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        lines.push(line(all, "all"));
        lines.join("\n")
    }
}

fn line([rows, tested, reason, open]: [usize; 4], title: &str) -> String {
    format!("{rows:>5} {tested:>6} {reason:>6} {open:>5}  {title}")
}

fn describe(row: &Row) -> String {
    format!("{} {}, {} ({})", row.revisions, row.level, row.what, row.place)
}

#[cfg(test)]
mod tests {
    use super::{Duties, File, table};

    fn duties(code: &str) -> Duties {
        let rows = "## Ping\n| G-01 | legacy | MUST | is answered | ping | |\n| G-02 | legacy | MAY | is sent | ping | none: so |\n";
        let file = |path: &str| File { path: path.into(), text: code.to_owned() };
        Duties::new(table::read(rows).unwrap(), &[file("a.rs"), file("a.md")])
    }

    #[test]
    fn a_row_needs_a_test_or_a_reason_and_not_both() {
        assert_eq!(duties("").findings(), ["G-01 has no test: legacy MUST, is answered (ping)"]);
        assert!(duties("#[test]\nfn g_01_a() {}").findings().is_empty());
        let both = duties("#[test]\nfn g_01_and_g_02_a() {}").findings();
        let [both] = both.as_slice() else { panic!("one finding, not {both:?}") };
        assert!(both.starts_with("G-02 has tests (a.rs:2 g_01_and_g_02_a)"), "{both}");
    }

    #[test]
    fn a_test_of_a_duty_that_is_not_there_is_told() {
        let findings = duties("#[test]\nfn g_01_and_g_09_a() {}").findings();
        let [finding] = findings.as_slice() else { panic!("one finding, not {findings:?}") };
        assert!(finding.starts_with("G-09 is no duty") && finding.contains("a.rs:2"), "{finding}");
    }

    #[test]
    fn counts_are_by_area() {
        let counts = duties("#[test]\nfn g_01_a() {}").counts();
        let lines: Vec<_> = counts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, ["rows tested reason open area", "2 1 1 0 Ping", "2 1 1 0 all"]);
    }
}
