//! Which examples there are, and their programs.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::context::Context;

/// What the names of packages under `examples/` begin with.
const PREFIX: &str = "bowline-example-";

/// One that was built.
pub struct Example {
    pub name: String,
    pub package: String,
    pub program: PathBuf,
}

/// A line of cargo's, of which only those about programs are read whole.
#[derive(Deserialize)]
struct Line {
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds all, with the features that the tests have, so that little is compiled twice.
pub fn all(context: &Context) -> Result<Vec<Example>> {
    let packages = context.packages.iter().filter(|package| package.name.starts_with(PREFIX));
    let bins = packages.flat_map(|package| ["--bin", package.name.as_str()]);
    let mut command = context.command("cargo", &["build", "--workspace", "--all-features", "--examples"]);
    command.args(bins).arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    eprintln!("$ {command:?}");
    let mut child = command.spawn().context("cannot start cargo")?;
    let lines = BufReader::new(child.stdout.take().context("the output of cargo is missing")?).lines();
    let mut examples = Vec::new();
    for line in lines {
        examples.extend(example(context, &line?));
    }
    if !child.wait()?.success() {
        bail!("an example does not compile");
    }
    examples.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(examples)
}

fn example(context: &Context, line: &str) -> Option<Example> {
    let line: Line = serde_json::from_str(line).ok()?;
    let (target, program, manifest) = (line.target?, line.executable?, line.manifest_path?);
    let package = context.packages.iter().find(|package| package.manifest_path == manifest)?;
    let name = if target.kind.iter().any(|kind| kind == "example") {
        target.name
    } else {
        target.name.strip_prefix(PREFIX)?.to_owned()
    };
    Some(Example { name, package: package.name.clone(), program })
}
