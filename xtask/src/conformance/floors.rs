//! How many checks have to succeed in each scenario, as it is stored in the repository.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result};

use super::results::Scenario;

/// The least numbers of successes, by run and scenario.
///
/// The file is TOML of the simplest kind: a table for each run, a number for each scenario.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Floors(BTreeMap<(String, String), u64>);

impl Floors {
    /// What succeeds now.
    pub fn of(scenarios: &[Scenario]) -> Self {
        let key = |scenario: &Scenario| (scenario.run.clone(), scenario.name.clone());
        Self(scenarios.iter().map(|scenario| (key(scenario), scenario.tally.success)).collect())
    }

    /// What is wrong with these scenarios, a line each.
    pub fn judge(&self, scenarios: &[Scenario]) -> Vec<String> {
        let mut complaints = troubles(scenarios);
        for ((run, name), least) in &self.0 {
            match scenarios.iter().find(|scenario| scenario.run == *run && scenario.name == *name) {
                None => complaints.push(format!("{run} {name}: the scenario did not run")),
                Some(scenario) if scenario.tally.success < *least => complaints.push(format!(
                    "{run} {name}: {} checks succeeded, at least {least} have to",
                    scenario.tally.success
                )),
                Some(_) => {}
            }
        }
        let known = |scenario: &Scenario| self.0.contains_key(&(scenario.run.clone(), scenario.name.clone()));
        complaints.extend(scenarios.iter().filter(|scenario| !known(scenario)).map(|scenario| {
            format!("{} {}: the scenario is new; take it up with --store", scenario.run, scenario.name)
        }));
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
        for ((run, name), least) in &self.0 {
            if last.replace(run) != Some(run) {
                writeln!(f, "\n[\"{run}\"]")?;
            }
            writeln!(f, "\"{name}\" = {least}")?;
        }
        Ok(())
    }
}

impl FromStr for Floors {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (mut floors, mut run) = (Self::default(), String::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(table) = line.strip_prefix("[\"").and_then(|rest| rest.strip_suffix("\"]")) {
                table.clone_into(&mut run);
                continue;
            }
            let entry = line.split_once(" = ").and_then(|(name, least)| {
                Some((name.strip_prefix('"')?.strip_suffix('"')?.to_owned(), least.parse().ok()?))
            });
            let (name, least) =
                entry.with_context(|| format!("line {number} is no `\"SCENARIO\" = NUMBER`: {line}"))?;
            floors.0.insert((run.clone(), name), least);
        }
        Ok(floors)
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::Tally;
    use super::*;

    fn scenario(name: &str, success: u64) -> Scenario {
        let tally = Tally { success, ..Tally::default() };
        Scenario { run: "all".to_owned(), name: name.to_owned(), tally, troubles: Vec::new() }
    }

    #[test]
    fn what_is_stored_reads_back() {
        let floors = Floors::of(&[scenario("auth/a", 3), scenario("b", 0)]);
        assert_eq!(floors.to_string().parse::<Floors>().unwrap(), floors);
        assert!("\"b\" is three".parse::<Floors>().is_err());
    }

    #[test]
    fn fewer_successes_missing_new_and_failing_scenarios_are_complained_of() {
        let floors = Floors::of(&[scenario("a", 3), scenario("b", 1), scenario("c", 1)]);
        assert_eq!(floors.judge(&[scenario("a", 3), scenario("b", 5), scenario("c", 1)]), [""; 0]);
        let mut failing = scenario("c", 1);
        failing.troubles.push("FAILURE x: no".to_owned());
        let complaints = floors.judge(&[scenario("a", 2), failing, scenario("d", 1)]);
        let all = complaints.join("\n");
        assert_eq!(complaints.len(), 4, "{all}");
        for part in
            ["all c: FAILURE x: no", "a: 2 checks succeeded", "b: the scenario did not run", "d: the scenario is new"]
        {
            assert!(all.contains(part), "{part} in {all}");
        }
    }
}
