//! What came of the scenarios, as a table.

use super::results::Scenario;

/// Prints a row for each scenario, and what failed below it.
pub fn print(scenarios: &[Scenario]) {
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default().max(8);
    let head = ["SUCCESS", "FAILURE", "WARNING", "SKIPPED"].join("  ");
    println!("\n{:width$}  {:10}  {head}", "scenario", "wire");
    for Scenario { run, name, tally, troubles } in scenarios {
        let cells = [tally.success, tally.failure, tally.warning, tally.skipped].map(|count| format!("{count:>7}"));
        println!("{name:width$}  {run:10}  {}", cells.join("  "));
        for trouble in troubles {
            println!("    {trouble}");
        }
    }
}
