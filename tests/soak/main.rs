//! What has to hold over very many calls, whatever happens to the wire: `cargo xtask soak`.
//!
//! `soak [--short] [--only WORLD]… [--calls N] [--seed S]`: each world is a way to a server that counts what it carries
//! out. Exits with 1 where an invariant does not hold.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod hub;
mod kill;
mod ledger;
mod load;
mod system;
mod table;
mod worlds;

use std::process::ExitCode;

use clap::Parser;

use crate::table::Table;
use crate::worlds::World;

/// Runs very many calls through faults, and holds their outcomes against what the server counted.
#[derive(Parser)]
struct Args {
    /// A twentieth of the calls.
    #[arg(long)]
    short: bool,
    /// This world alone; may be given more than once.
    #[arg(long, value_enum)]
    only: Vec<World>,
    /// How many calls in each world, in place of 1,000,000 in memory, 500,000 through a hub, and 100,000 over stdio and
    /// http.
    #[arg(long)]
    calls: Option<usize>,
    /// The seed of the faults.
    #[arg(long, default_value_t = 20_261_126)]
    seed: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    println!("seed {}", args.seed);
    let mut table = Table::default();
    for world in World::ALL {
        if !args.only.is_empty() && !args.only.contains(&world) {
            continue;
        }
        let calls = args.calls.unwrap_or(world.calls() / if args.short { 20 } else { 1 });
        if let Err(error) = world.run(calls, args.seed, &mut table) {
            table.failed(world.name(), &error.to_string());
        }
        // A world takes minutes; what is known of it is told at once.
        table.tell(world.name());
    }
    print!("{table}");
    if table.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
