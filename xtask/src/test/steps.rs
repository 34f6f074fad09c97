//! The steps of `cargo xtask test`, cheap ones first.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use super::Step;
use crate::context::Context;
use crate::report::Report;
use crate::{conformance, counts, duties, examples, fuzz, interop, soak, tidy, weight};

/// Property tests draw the same cases in each run of this command, so that a change is judged by what it changes.
/// Runs of `cargo test` by hand draw new ones, as many as `PROPTEST_CASES` says.
const PROPERTY_SEED: &str = "PROPTEST_RNG_SEED";

const BENCHES: &[&str] = &["calls", "wire", "layers", "hub", "pool", "search", "content", "guard", "agent", "formats"];

pub const ALL: &[Step] = &[
    Step { name: "format", about: "the formatting is rustfmt's", run: format },
    Step { name: "tidy", about: "crate docs, dependency directions, links, leftovers", run: tidy::check },
    Step { name: "duties", about: "each duty of the specification has a test or a reason", run: duties::check },
    Step { name: "msrv", about: "the stated Rust version is the one that is tested", run: msrv },
    Step { name: "weight", about: "a minimal program stays within its package bound", run: weight::check },
    Step { name: "clippy", about: "no warning anywhere", run: clippy },
    Step { name: "tests", about: "unit and whole-system tests", run: tests },
    Step { name: "benches", about: "each benchmark runs, once and unmeasured", run: benches },
    Step { name: "examples", about: "each example and application runs to its end", run: examples::all },
    Step { name: "soak", about: "what has to hold over many calls through faults, the short form", run: soak::short },
    Step { name: "fuzz", about: "foreign bytes for every decoder, the short form", run: fuzz::short },
    Step { name: "doctests", about: "the examples in the documentation", run: doctests },
    Step { name: "doc", about: "the API documentation builds without a warning", run: doc },
    Step {
        name: "features",
        about: "each feature compiles alone, and with each other one that it meets",
        run: features,
    },
    Step { name: "deny", about: "licences, banned crates, sources, advisories", run: deny },
    Step { name: "conformance", about: "the official suite against the client, pinned", run: conformance::client },
    Step { name: "mock", about: "the official suite against the mock server, pinned", run: conformance::server },
    Step { name: "interop", about: "published servers, pinned", run: interop::core },
];

fn format(context: &Context, _: &mut Report) -> Result<()> {
    Ok(cmd!(context.shell, "cargo fmt --all --check").run()?)
}

/// A newer toolchain on a developer's machine is fine; in CI it would leave the stated version untested.
fn msrv(context: &Context, report: &mut Report) -> Result<()> {
    let stated = context.packages.iter().find_map(|package| package.rust_version.clone());
    let stated = stated.context("no rust-version is stated")?;
    let rustc = cmd!(context.shell, "rustc --version").read()?;
    if rustc.split(' ').nth(1).is_some_and(|version| version.starts_with(&format!("{stated}."))) {
        report.notes.push(format!("rust-version {stated}, tested with {rustc}"));
    } else if context.ci {
        bail!("rust-version is {stated}, but CI builds with {rustc}");
    } else {
        report.unreachable(&format!("rust-version is {stated}, this machine has {rustc}"));
    }
    Ok(())
}

fn clippy(context: &Context, _: &mut Report) -> Result<()> {
    Ok(cmd!(context.shell, "cargo clippy --workspace --all-targets --all-features -- -D warnings").run()?)
}

fn tests(context: &Context, report: &mut Report) -> Result<()> {
    let schemas =
        std::env::var_os("BOWLINE_SPEC_DIR").map_or_else(|| context.root.join("../shared/spec"), PathBuf::from);
    if !schemas.join("schema").is_dir() {
        report.missing(
            "tests against the official schemas",
            "BOWLINE_SPEC_DIR names no folder with schema/REVISION/schema.json",
        );
    }
    let mut command = if context.has_nextest() {
        // The published servers and the provider have a step of their own.
        let but_interop = "not (package(bowline-tests) and test(/^(interop|auth::provider)::/))";
        context
            .command("cargo", &["nextest", "run", "--workspace", "--all-features", "--no-fail-fast", "-E", but_interop])
    } else {
        println!("cargo-nextest is not there: `cargo test` does its work, slower");
        context.command(
            "cargo",
            &["test", "--workspace", "--all-features", "--lib", "--bins", "--tests", "--no-fail-fast"],
        )
    };
    command.env_remove(interop::DIRECTORY);
    if std::env::var_os(PROPERTY_SEED).is_none() {
        command.env(PROPERTY_SEED, "2026");
    }
    counts::run(command, &mut report.counts)
}

/// Without `--bench`, which `cargo bench` says to them, they run everything once, as tests. The features are those of
/// the tests before, so that nothing is built twice.
fn benches(context: &Context, _: &mut Report) -> Result<()> {
    let benches = BENCHES.iter().flat_map(|name| ["--bench", name]);
    Ok(cmd!(context.shell, "cargo test --workspace --all-features").args(benches).run()?)
}

fn doctests(context: &Context, report: &mut Report) -> Result<()> {
    let command = context.command("cargo", &["test", "--workspace", "--all-features", "--doc", "--no-fail-fast"]);
    counts::run(command, &mut report.counts)
}

fn doc(context: &Context, _: &mut Report) -> Result<()> {
    let command = cmd!(context.shell, "cargo doc --workspace --no-deps --all-features");
    Ok(command.env("RUSTDOCFLAGS", "-D warnings").run()?)
}

/// Features of the facade that meet no other one in its own code: they hand on to other crates, where their pairs are
/// checked, are several others at once, or stand by themselves.
const ALONE: &str = "default,full,http2,keyring,llm,schema,skills,sse,tls-aws-lc,tls-ring,trace-context,watch";

/// Without `--all-targets` the features of dev-dependencies stay out, so the manifests need no change for this.
fn features(context: &Context, report: &mut Report) -> Result<()> {
    if !context.has("cargo", &["hack", "--version"]) {
        report.missing("each feature alone", "install with `cargo install --locked cargo-hack`");
        return Ok(());
    }
    let hack = |package: &str, sets: &[&str]| {
        cmd!(context.shell, "cargo hack clippy --package {package}").args(sets).args(["--", "-D", "warnings"]).run()
    };
    const PAIRS: [&str; 3] = ["--feature-powerset", "--depth", "2"];
    for package in context.packages.iter().filter(|package| !package.features.is_empty()) {
        if package.name == "bowline" {
            hack(&package.name, &["--each-feature"])?;
            hack(&package.name, &[&PAIRS[..], &["--exclude-features", ALONE]].concat())?;
            // The one pair of those.
            hack(&package.name, &["--no-default-features", "--features", "guard,llm"])?;
        } else {
            hack(&package.name, &PAIRS)?;
        }
    }
    Ok(())
}

fn deny(context: &Context, report: &mut Report) -> Result<()> {
    if !context.has("cargo", &["deny", "--version"]) {
        report.missing("licences, bans, sources, advisories", "install with `cargo install --locked cargo-deny`");
        return Ok(());
    }
    cmd!(context.shell, "cargo deny check --hide-inclusion-graph bans licenses sources").run()?;
    if !context.has("cargo", &["deny", "fetch", "db"]) {
        report.unreachable("advisories: their database cannot be fetched from here");
        return Ok(());
    }
    Ok(cmd!(context.shell, "cargo deny check --disable-fetch advisories").run()?)
}
