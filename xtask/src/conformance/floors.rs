//! How many checks have to succeed in each scenario, as it is stored in the repository.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result};

use super::client::Waiting;
use super::results::Scenario;

/// The least numbers of successes, by run and scenario, and the scenarios that are not run yet.
///
/// The file is TOML of the simplest kind: a table for each run, a number for each scenario; and a table `waiting`,
/// with what a scenario waits for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Floors {
    least: BTreeMap<(String, String), u64>,
    waiting: BTreeMap<String, String>,
}

/// The table of the scenarios that are not run.
const WAITING: &str = "waiting";

impl Floors {
    /// The same file with what succeeds now.
    pub fn raised(self, scenarios: &[Scenario]) -> Self {
        let key = |scenario: &Scenario| (scenario.run.clone(), scenario.name.clone());
        let least = scenarios.iter().map(|scenario| (key(scenario), scenario.tally.success)).collect();
        Self { least, ..self }
    }

    /// What a scenario waits for, where it is not to run.
    pub fn waits_for(&self, name: &str) -> Option<&str> {
        self.waiting.get(name).map(String::as_str)
    }

    /// What is wrong with these scenarios, a line each.
    pub fn judge(&self, scenarios: &[Scenario], waiting: &[Waiting]) -> Vec<String> {
        let mut complaints = troubles(scenarios);
        for ((run, name), least) in &self.least {
            match scenarios.iter().find(|scenario| scenario.run == *run && scenario.name == *name) {
                None => complaints.push(format!("{run} {name}: the scenario did not run")),
                Some(scenario) if scenario.tally.success < *least => complaints.push(format!(
                    "{run} {name}: {} checks succeeded, at least {least} have to",
                    scenario.tally.success
                )),
                Some(_) => {}
            }
        }
        let known = |scenario: &Scenario| self.least.contains_key(&(scenario.run.clone(), scenario.name.clone()));
        complaints.extend(scenarios.iter().filter(|scenario| !known(scenario)).map(|scenario| {
            format!("{} {}: the scenario is new; take it up with --store", scenario.run, scenario.name)
        }));
        let gone = self.waiting.keys().filter(|name| waiting.iter().all(|waiting| waiting.name != **name));
        complaints.extend(gone.map(|name| format!("{name}: it waits, and the suite has no such scenario")));
        complaints
    }
}

/// The checks that failed or warned.
pub fn troubles(scenarios: &[Scenario]) -> Vec<String> {
    let of = |scenario: &Scenario| {
        let Scenario { run, name, troubles, .. } = scenario;
        troubles.iter().map(|trouble| format!("{run} {name}: {trouble}")).collect::<Vec<_>>()
    };
    scenarios.iter().flat_map(of).collect()
}

impl fmt::Display for Floors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# How many checks of the official conformance suite have to succeed in each scenario, by the run."
        )?;
        writeln!(f, "# Written by `cargo xtask conformance --store`.")?;
        let mut last = None;
        for ((run, name), least) in &self.least {
            if last.replace(run) != Some(run) {
                writeln!(f, "\n[\"{run}\"]")?;
            }
            writeln!(f, "\"{name}\" = {least}")?;
        }
        if !self.waiting.is_empty() {
            writeln!(f, "\n# What is not run, and what it waits for. Who builds that deletes the lines.\n[{WAITING}]")?;
        }
        for (name, reason) in &self.waiting {
            writeln!(f, "\"{name}\" = \"{reason}\"")?;
        }
        Ok(())
    }
}

impl FromStr for Floors {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (mut floors, mut table) = (Self::default(), String::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.trim_matches('"').clone_into(&mut table);
                continue;
            }
            floors
                .take(&table, line)
                .with_context(|| format!("line {number} is no `\"SCENARIO\" = NUMBER or \"REASON\"`: {line}"))?;
        }
        Ok(floors)
    }
}

impl Floors {
    /// Takes one line of a table.
    fn take(&mut self, table: &str, line: &str) -> Option<()> {
        let (name, value) = line.split_once(" = ")?;
        let name = unquoted(name)?;
        if table == WAITING {
            self.waiting.insert(name, unquoted(value)?);
        } else {
            self.least.insert((table.to_owned(), name), value.parse().ok()?);
        }
        Some(())
    }
}

fn unquoted(text: &str) -> Option<String> {
    Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::results::Tally;
    use super::*;

    fn scenario(name: &str, success: u64) -> Scenario {
        let tally = Tally { success, ..Tally::default() };
        Scenario { run: "all".to_owned(), name: name.to_owned(), tally, troubles: Vec::new() }
    }

    fn waiting(name: &str) -> Waiting {
        Waiting { run: "all".to_owned(), name: name.to_owned(), reason: "rain".to_owned() }
    }

    #[test]
    fn what_is_stored_reads_back_with_what_waits() {
        let before: Floors = "[\"old\"]\n\"b\" = 9\n[waiting]\n\"auth/z\" = \"rain\"\n".parse().unwrap();
        assert_eq!((before.waits_for("auth/z"), before.waits_for("b")), (Some("rain"), None));
        let floors = before.raised(&[scenario("auth/a", 3), scenario("b", 0)]);
        let text = floors.to_string();
        assert!(text.contains("\"auth/z\" = \"rain\"") && !text.contains("old"), "{text}");
        assert_eq!(text.parse::<Floors>().unwrap(), floors);
        for wrong in ["\"b\" is three", "\"b\" = \"rain\"", "[waiting]\n\"b\" = 3"] {
            assert!(wrong.parse::<Floors>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn fewer_successes_missing_new_and_failing_scenarios_are_complained_of() {
        let floors = Floors::default().raised(&[scenario("a", 3), scenario("b", 1), scenario("c", 1)]);
        assert_eq!(floors.judge(&[scenario("a", 3), scenario("b", 5), scenario("c", 1)], &[]), [""; 0]);
        let mut failing = scenario("c", 1);
        failing.troubles.push("FAILURE x: no".to_owned());
        let complaints = floors.judge(&[scenario("a", 2), failing, scenario("d", 1)], &[]);
        let all = complaints.join("\n");
        assert_eq!(complaints.len(), 4, "{all}");
        for part in
            ["all c: FAILURE x: no", "a: 2 checks succeeded", "b: the scenario did not run", "d: the scenario is new"]
        {
            assert!(all.contains(part), "{part} in {all}");
        }
    }

    #[test]
    fn a_name_that_waits_and_that_the_suite_lacks_is_complained_of() {
        let floors: Floors = "[waiting]\n\"a\" = \"rain\"\n\"b\" = \"rain\"\n".parse().unwrap();
        let complaints = floors.judge(&[], &[waiting("a")]);
        assert!(complaints.len() == 1 && complaints[0].starts_with("b: it waits"), "{complaints:?}");
    }
}
