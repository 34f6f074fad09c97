//! The scenarios for clients, with the client program in `tests/conformance`.

use anyhow::Result;
use xshell::cmd;

use super::floors::Floors;
use super::results::{self, Scenario};
use super::suite::Suite;
use crate::context::Context;

/// The revisions at which a scenario of an extension is run: extensions are on no timeline of the protocol.
const EXTENSIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// A scenario that does not run, and why.
pub struct Waiting {
    /// The revision on the wire.
    pub run: String,
    /// Its name.
    pub name: String,
    /// What it waits for.
    pub reason: String,
}

/// Runs each scenario at each revision that it is for, but for those that `floors` say wait for something.
///
/// The requirements of a revision are among the scenarios that are for it. They run one after another: some have
/// windows of time, which the suite would miss if it ran all at once, and only alone a scenario takes the client's
/// exit code into account.
pub fn run(context: &Context, suite: &Suite, floors: &Floors) -> Result<(Vec<Scenario>, Vec<Waiting>)> {
    cmd!(context.shell, "cargo build --quiet --package bowline-conformance").run()?;
    let program = format!("bowline-conformance{}", std::env::consts::EXE_SUFFIX);
    let program = context.target.join("debug").join(program);
    // The suite hands it to a shell.
    let command = format!("\"{}\"", program.display());
    let (mut scenarios, mut waiting) = (Vec::new(), Vec::new());
    for (name, revisions) in suite.client_scenarios(context)? {
        let of_extension = revisions == ["extension"];
        let revisions = if of_extension { EXTENSIONS.map(str::to_owned).to_vec() } else { revisions };
        for run in revisions {
            if let Some(reason) = floors.waits_for(&name) {
                waiting.push(Waiting { run, name: name.clone(), reason: reason.to_owned() });
                continue;
            }
            let results = context.target.join("conformance/client").join(&run).join(&name);
            let mut args = vec!["client", "--command", &command, "--scenario", &name, "--spec-version", &run];
            if of_extension {
                args.push("--force");
            }
            let is_content = suite.run(context, &args, &results)?;
            let mut found = results::read(&run, &results, "")?;
            for scenario in &mut found {
                scenario.name.clone_from(&name);
                if !is_content && scenario.troubles.is_empty() {
                    let log = results.with_extension("log");
                    scenario.troubles.push(format!("the client failed, or was late; see {}", log.display()));
                }
            }
            scenarios.append(&mut found);
        }
    }
    Ok((scenarios, waiting))
}
