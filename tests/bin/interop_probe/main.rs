//! Puts one published server through its paces, for `cargo xtask interop`: connect, list, call, a call that must fail,
//! progress and a call that is given up where the plan has them, close, and no process is left.
//!
//! `interop-probe` reads a plan as JSON from its standard input and writes what it found as one line of JSON.

mod listening;
mod plan;
mod processes;
mod run;

use std::error::Error;
use std::io::Read;
use std::time::Duration;

use self::plan::Plan;

/// How long all of it may take. A server that hangs is a finding, not a run that does not end.
const DEADLINE: Duration = Duration::from_secs(150);
/// The longest plan that is read.
const MAX_PLAN_BYTES: u64 = 1 << 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    std::io::stdin().take(MAX_PLAN_BYTES).read_to_string(&mut text)?;
    let plan: Plan = serde_json::from_str(&text)?;
    let mut found = plan::Found::default();
    let outcome = tokio::time::timeout(DEADLINE, run::run(&plan, &mut found)).await;
    found.failure = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(_) => Some(format!("it was not done within {} s", DEADLINE.as_secs())),
    };
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}
