//! w8: how large a program is, how many crates it brings, how long it builds.
//!
//! The harness has this for its own contestants only. bowline's is built with what the workloads need and no more, as
//! the others' name it: without TLS and the older transport, which are on by default.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use serde_json::json;
use xshell::cmd;

use super::{Bench, contestant_dir, package_of, rows};

pub fn measure(bench: &Bench<'_>) -> Result<()> {
    let (file, shell) = (bench.piece("w8")?, &bench.context.shell);
    let temporary = shell.create_temp_dir()?;
    for (name, mut program) in bench.contestants() {
        let (package, dir, features): (_, _, &[&str]) = match name {
            "bowline" => ("bowline-contestant", contestant_dir(bench.context), &["--no-default-features"]),
            name => (package_of(name), bench.harness.clone(), &[]),
        };
        if name == "bowline" {
            let target = bench.context.target.join("bench/minimal");
            let _dir = shell.push_dir(&dir);
            cmd!(shell, "cargo build --quiet --release {features...} --target-dir {target}").run()?;
            program = target.join("release").join(package);
        }
        let stripped = temporary.path().join(name);
        cmd!(shell, "strip -o {stripped} {program}").run()?;
        let bytes = std::fs::metadata(&stripped)?.len();
        let _dir = shell.push_dir(dir);
        let tree =
            cmd!(shell, "cargo tree --package {package} {features...} --edges normal,build --prefix none").read()?;
        let mut row = json!({
            "round": 0, "mode": "all", "name": name, "workload": "w8",
            "stripped_kib": bytes / 1024, "crates": crates(&tree, package),
        });
        if bench.args.clean_build {
            let (target, started) = (temporary.path().join("target"), Instant::now());
            cmd!(shell, "cargo build --release --quiet --package {package} {features...}")
                .env("CARGO_TARGET_DIR", &target)
                .run()?;
            row["build_s"] = json!(started.elapsed().as_secs());
            shell.remove_path(&target)?;
        }
        rows::append(&file, &row)?;
    }
    Ok(())
}

/// How many crates there are beside the contestant and what all contestants share.
fn crates(tree: &str, package: &str) -> usize {
    let names = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?))
    });
    names.filter(|(name, _)| ![package, "bench-common"].contains(name)).collect::<BTreeSet<_>>().len()
}
