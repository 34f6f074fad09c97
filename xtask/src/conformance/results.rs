//! What the suite wrote down: `checks.json` in a folder for each scenario.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The length of what the suite puts behind a scenario's name, such as `-2026-01-31T12-00-00-000Z`.
const TIMESTAMP: usize = 25;

/// What came of one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The run that it belongs to: the revision on the wire, or `all`.
    pub run: String,
    /// Its name.
    pub name: String,
    /// How many of its checks ended how.
    pub tally: Tally,
    /// The checks that failed or warned, each with what it says.
    pub troubles: Vec<String>,
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub success: u64,
    pub failure: u64,
    pub warning: u64,
    pub skipped: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    status: String,
    error_message: Option<String>,
}

/// Reads the scenarios of a run, in the order of their names. `prefix` is what their folders begin with.
pub fn read(run: &str, results: &Path, prefix: &str) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    walk(run, results, "", prefix, &mut scenarios)?;
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scenarios)
}

/// A name with a slash in it is a folder in a folder.
fn walk(run: &str, folder: &Path, name: &str, prefix: &str, scenarios: &mut Vec<Scenario>) -> Result<()> {
    let file = folder.join("checks.json");
    if file.is_file() {
        let text = fs::read_to_string(&file)?;
        let checks: Vec<Check> =
            serde_json::from_str(&text).with_context(|| format!("{} has an unknown shape", file.display()))?;
        scenarios.push(tally(run, scenario(name, prefix), checks));
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(last) = path.file_name().and_then(|last| last.to_str()).filter(|_| path.is_dir()) else { continue };
        let name = if name.is_empty() { last.to_owned() } else { format!("{name}/{last}") };
        walk(run, &path, &name, prefix, scenarios)?;
    }
    Ok(())
}

/// The name of a scenario, from that of its folder.
fn scenario<'a>(folder: &'a str, prefix: &str) -> &'a str {
    let name = folder.strip_prefix(prefix).unwrap_or(folder);
    name.get(..name.len().saturating_sub(TIMESTAMP)).unwrap_or(name)
}

fn tally(run: &str, name: &str, checks: Vec<Check>) -> Scenario {
    let (mut tally, mut troubles) = (Tally::default(), Vec::new());
    for check in checks {
        match check.status.as_str() {
            "SUCCESS" => tally.success += 1,
            "SKIPPED" => tally.skipped += 1,
            "INFO" => {}
            status => {
                // A status that is new is as bad as a failure, until somebody has looked at it.
                if status == "WARNING" {
                    tally.warning += 1
                } else {
                    tally.failure += 1
                }
                troubles.push(format!("{status} {}: {}", check.id, check.error_message.unwrap_or_default()));
            }
        }
    }
    Scenario { run: run.to_owned(), name: name.to_owned(), tally, troubles }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_prefix_and_time() {
        assert_eq!(scenario("server-tools-list-2026-11-26T06-54-46-622Z", "server-"), "tools-list");
        assert_eq!(scenario("auth/basic-cimd-2026-11-26T06-54-46-622Z", ""), "auth/basic-cimd");
    }

    #[test]
    fn checks_are_counted_by_their_status_and_a_new_status_is_a_failure() {
        let checks = r#"[
            {"id": "a", "status": "SUCCESS"}, {"id": "b", "status": "SKIPPED"}, {"id": "c", "status": "INFO"},
            {"id": "d", "status": "WARNING", "errorMessage": "late"}, {"id": "e", "status": "ODD"}
        ]"#;
        let found = tally("all", "x", serde_json::from_str(checks).unwrap());
        assert_eq!(found.tally, Tally { success: 1, failure: 1, warning: 1, skipped: 1 });
        assert_eq!(found.troubles, ["WARNING d: late", "ODD e: "]);
    }
}
