//! What came of the scenarios, as a table.

use super::client::Waiting;
use super::results::Scenario;

/// Prints a row for each scenario, and what failed below it; then one for each that did not run.
pub fn print(scenarios: &[Scenario], waiting: &[Waiting]) {
    let names = scenarios.iter().map(|scenario| &scenario.name).chain(waiting.iter().map(|waiting| &waiting.name));
    let width = names.map(String::len).max().unwrap_or_default().max(8);
    let head = ["SUCCESS", "FAILURE", "WARNING", "SKIPPED"].join("  ");
    println!("\n{:width$}  {:10}  {head}", "scenario", "wire");
    for Scenario { run, name, tally, troubles } in scenarios {
        let cells = [tally.success, tally.failure, tally.warning, tally.skipped].map(|count| format!("{count:>7}"));
        println!("{name:width$}  {run:10}  {}", cells.join("  "));
        for trouble in troubles {
            println!("    {trouble}");
        }
    }
    for Waiting { run, name, reason } in waiting {
        println!("{name:width$}  {run:10}  not run, waits for {reason}");
    }
}
