//! `cargo xtask test`: every check that a change must pass.

mod steps;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::context::Context;
use crate::counts::Counts;
use crate::report::Report;

#[derive(clap::Args)]
pub struct Args {
    /// Leaves out what others published: servers, and the conformance suite.
    #[arg(long)]
    no_interop: bool,
    /// Runs this step alone; may be given more than once.
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Prints the steps and what each does.
    #[arg(long)]
    list: bool,
}

/// One step: its name, what it does, and the function that does it.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Context, &mut Report) -> Result<()>,
}

/// How a step ended.
struct Outcome {
    name: &'static str,
    took: Duration,
    report: Report,
    failure: Option<String>,
}

/// Runs all steps, also after one failed, so that one run tells everything; the answer is whether all passed.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    if args.list {
        for step in steps::ALL {
            println!("{:11} {}", step.name, step.about);
        }
        return Ok(true);
    }
    let outcomes: Vec<Outcome> = chosen(args)?.into_iter().map(|step| run_step(context, step)).collect();
    Ok(summarize(&outcomes))
}

fn chosen(args: &Args) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = args.only.iter().find(|name| steps::ALL.iter().all(|step| step.name != name.as_str())) {
        let names: Vec<_> = steps::ALL.iter().map(|step| step.name).collect();
        bail!("there is no step `{unknown}`; the steps are {}", names.join(", "));
    }
    let wanted = |step: &&Step| {
        let asked = args.only.is_empty() || args.only.iter().any(|name| name == step.name);
        asked && !(args.no_interop && matches!(step.name, "interop" | "conformance" | "mock"))
    };
    Ok(steps::ALL.iter().filter(wanted).collect())
}

fn run_step(context: &Context, step: &'static Step) -> Outcome {
    println!("\n== {}: {}", step.name, step.about);
    let start = Instant::now();
    let mut report = Report::default();
    let mut failure = (step.run)(context, &mut report).err().map(|error| format!("{error:#}"));
    if failure.is_none() && report.lacks(context) {
        failure = Some("something is missing, which CI=true does not allow".to_owned());
    }
    if let Some(failure) = &failure {
        eprintln!("error: {}: {failure}", step.name);
    }
    Outcome { name: step.name, took: start.elapsed(), report, failure }
}

fn summarize(outcomes: &[Outcome]) -> bool {
    println!("\n== summary");
    let mut counts = Counts::default();
    for outcome in outcomes {
        let word = match (&outcome.failure, outcome.report.missing.is_empty()) {
            (Some(_), _) => "FAILED",
            (None, false) => "partly",
            (None, true) => "ok",
        };
        let tests = outcome.report.counts;
        let tests = if tests == Counts::default() {
            String::new()
        } else {
            format!("  {} tests passed, {} failed", tests.passed, tests.failed)
        };
        println!("{word:6} {:11} {:>6.1} s{tests}", outcome.name, outcome.took.as_secs_f64());
        for line in outcome.failure.iter().cloned().chain(outcome.report.lines()) {
            println!("         {line}");
        }
        counts.add(outcome.report.counts);
    }
    println!("\n{} passed, {} failed", counts.passed, counts.failed);
    outcomes.iter().all(|outcome| outcome.failure.is_none())
}

#[cfg(test)]
mod tests {
    use super::{Args, chosen};

    fn args(no_interop: bool, only: &[&str]) -> Args {
        Args { no_interop, only: only.iter().map(|&name| name.to_owned()).collect(), list: false }
    }

    #[test]
    fn only_picks_steps_and_no_interop_leaves_one_out() {
        let names = |args: &Args| chosen(args).unwrap().iter().map(|step| step.name).collect::<Vec<_>>();
        assert_eq!(names(&args(false, &["tidy", "format"])), ["format", "tidy"]);
        assert!(names(&args(false, &[])).contains(&"interop"));
        assert!(!names(&args(true, &[])).contains(&"interop"));
    }

    #[test]
    fn an_unknown_step_is_named_with_the_known_ones() {
        let error = chosen(&args(false, &["tidi"])).err().unwrap().to_string();
        assert!(error.contains("`tidi`") && error.contains("tidy"), "{error}");
    }
}
