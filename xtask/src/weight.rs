//! `cargo xtask weight`: how many packages a minimal program brings.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use xshell::cmd;

use crate::context::Context;
use crate::report::Report;

/// The most packages that `bowline` with `stdio` alone may bring, itself included.
const BOUND: usize = 55;

/// Counts the packages and fails above the bound.
pub fn check(context: &Context, report: &mut Report) -> Result<()> {
    let tree = cmd!(
        context.shell,
        "cargo tree -p bowline --no-default-features --features stdio -e normal,build --prefix none"
    )
    .read()?;
    let count = packages(&tree).len();
    if count > BOUND {
        bail!("bowline with stdio brings {count} packages, the bound is {BOUND}");
    }
    report.notes.push(format!("bowline with stdio brings {count} packages (bound: {BOUND})"));
    Ok(())
}

/// Name and version of each package, once.
fn packages(tree: &str) -> BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::packages;

    #[test]
    fn a_package_that_is_listed_again_counts_once_and_two_versions_count_twice() {
        let tree = "bowline v0.1.0 (path)\nserde v1.0.1\nserde v1.0.1 (*)\nsyn v2.0.0 (proc-macro)\nsyn v3.0.0";
        assert_eq!(packages(tree).len(), 4);
    }
}
