//! Every decoder of foreign bytes against bytes that nobody meant well: `cargo xtask fuzz`.
//!
//! `fuzz [--seconds N] [--seed S] [--only TARGET]… [--input FILE] [--careful]`: inputs are made from those in `corpus/`
//! by a seeded mutator, so that the same seed makes the same inputs. An input is a finding where it makes a decoder
//! panic, take more memory than a bound that grows with the input, or work longer than two seconds. Findings are kept
//! in the folder that `--findings` names. Where the whole process dies, run it again with `--careful`, which keeps
//! each input before it is tried.
#![expect(clippy::print_stdout, reason = "the report is what it is for")]

mod corpus;
mod lines;
mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bowline_testkit::Seed;
use clap::Parser;
use peak_alloc::PeakAlloc;

use crate::targets::Target;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Feeds foreign bytes to every decoder.
#[derive(Parser)]
struct Args {
    /// How long each target is tried.
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
    /// The seed of the inputs.
    #[arg(long, default_value_t = 20_261_126)]
    seed: u64,
    /// This target alone; may be given more than once.
    #[arg(long)]
    only: Vec<String>,
    /// Tries the bytes of this file alone, with the targets chosen.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Where findings are kept.
    #[arg(long, default_value = "target/fuzz")]
    findings: PathBuf,
    /// Keeps each input before it is tried.
    #[arg(long)]
    careful: bool,
}

/// How long an input may take.
const SLOW: Duration = Duration::from_secs(2);
/// How many bytes an input may take: some, and more by its size.
const SOME_MEMORY: usize = 1 << 20;
const MEMORY_PER_BYTE: usize = 512;

/// What the first panic said since it was looked at last.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// What came of one target.
#[derive(Default)]
struct Tried {
    inputs: u64,
    most_memory: usize,
    slowest: Duration,
    findings: Vec<String>,
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let args = Args::parse();
    let targets: Vec<&Target> = targets::ALL
        .iter()
        .filter(|target| args.only.is_empty() || args.only.iter().any(|name| name == target.name))
        .collect();
    if targets.is_empty() {
        let names: Vec<_> = targets::ALL.iter().map(|target| target.name).collect();
        return Err(format!("there is no such target; the targets are {}", names.join(", ")).into());
    }
    std::fs::create_dir_all(&args.findings)?;
    // A panic is kept; its report would drown the others.
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or_default().to_owned();
        PANIC.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }));
    println!("seed {}", args.seed);
    println!("{:14} {:>10} {:>12} {:>12}  findings", "target", "inputs", "most memory", "slowest");
    let mut is_well = true;
    for target in targets {
        let tried = match &args.input {
            Some(path) => one(target, &std::fs::read(path)?),
            None => run(target, &args)?,
        };
        let memory = format!("{} KiB", tried.most_memory >> 10);
        let Tried { inputs, slowest, findings, .. } = &tried;
        println!("{:14} {inputs:>10} {memory:>12} {slowest:>12.1?}  {}", target.name, findings.len());
        for finding in findings {
            println!("  {finding}");
        }
        is_well &= findings.is_empty();
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(target: &Target, input: &[u8]) -> Tried {
    let mut tried = Tried::default();
    if let Some(what) = attempt(target, input, &mut tried) {
        tried.findings.push(what);
    }
    tried
}

/// How many findings of a target are kept.
const MOST_FINDINGS: usize = 10;

fn run(target: &Target, args: &Args) -> Result<Tried, Box<dyn std::error::Error>> {
    let corpus = corpus::of(target.corpus);
    let start = Instant::now();
    let limit = Duration::from_secs_f64(args.seconds.clamp(0.0, 1e6));
    let mut tried = Tried::default();
    let current = args.findings.join(format!("{}.current", target.name));
    while start.elapsed() < limit && tried.findings.len() < MOST_FINDINGS {
        // First each input of the corpus as it is.
        let n = tried.inputs;
        let input = match usize::try_from(n).ok().and_then(|n| corpus.get(n)) {
            Some(input) => input.clone(),
            None => mutate::input(&mut Seed::new(args.seed).at(&[target.corpus as u64, n]), &corpus),
        };
        if args.careful {
            std::fs::write(&current, &input)?;
        }
        if let Some(what) = attempt(target, &input, &mut tried) {
            let path = args.findings.join(format!("{}-{n}", target.name));
            keep(&path, &input)?;
            tried.findings.push(format!("{what}; the input is {}", path.display()));
        }
    }
    if args.careful {
        std::fs::remove_file(&current)?;
    }
    Ok(tried)
}

fn keep(path: &Path, input: &[u8]) -> std::io::Result<()> {
    std::fs::write(path, input)
}

/// How long something works, as far as the system tells; else how long it takes.
fn work_of(work: impl FnOnce()) -> Duration {
    let worked = || {
        let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        spent.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    };
    let (start, before) = (Instant::now(), worked());
    let _ = catch_unwind(AssertUnwindSafe(work));
    match (before, worked()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => start.elapsed(),
    }
}

/// Tries one input; tells what is wrong with what came of it.
fn attempt(target: &Target, input: &[u8], tried: &mut Tried) -> Option<String> {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let mut took = start.elapsed();
    if took > SLOW && ended.is_ok() {
        // It may have waited for the machine rather than worked.
        took = took.min(work_of(|| (target.run)(input)));
    }
    let memory = MEMORY.peak_usage().saturating_sub(before);
    tried.inputs += 1;
    tried.most_memory = tried.most_memory.max(memory);
    tried.slowest = tried.slowest.max(took);
    // Tasks panic on their own, and then nothing unwinds here.
    let panic = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
    if ended.is_err() || panic.is_some() {
        return Some(format!("it panics: {}", panic.unwrap_or_default()));
    }
    let bound = SOME_MEMORY + MEMORY_PER_BYTE * input.len();
    if memory > bound {
        return Some(format!("{} bytes take {memory} bytes of memory, and may take {bound}", input.len()));
    }
    (took > SLOW).then(|| format!("{} bytes take {took:.1?}", input.len()))
}
