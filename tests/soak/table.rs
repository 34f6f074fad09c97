//! The invariants and whether they hold.

use std::fmt;

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    facts: Vec<(String, String)>,
}

struct Row {
    world: String,
    invariant: String,
    found: String,
    holds: bool,
}

impl Table {
    /// Something that has to hold, with what was found.
    pub(crate) fn row(&mut self, world: &str, invariant: &str, found: impl fmt::Display, holds: bool) {
        let (world, invariant, found) = (world.to_owned(), invariant.to_owned(), found.to_string());
        self.rows.push(Row { world, invariant, found, holds });
    }

    /// Something that may not happen at all, with how often it did.
    pub(crate) fn never(&mut self, world: &str, invariant: &str, count: usize) {
        self.row(world, invariant, count, count == 0);
    }

    pub(crate) fn fact(&mut self, world: &str, fact: impl fmt::Display) {
        self.facts.push((world.to_owned(), fact.to_string()));
    }

    pub(crate) fn failed(&mut self, world: &str, error: &str) {
        self.row(world, "it runs", error, false);
    }

    /// Prints what is known of a world beside its invariants.
    pub(crate) fn tell(&self, world: &str) {
        for (_, fact) in self.facts.iter().filter(|(of, _)| of == world) {
            println!("{world:12} {fact}");
        }
    }

    /// Whether there are rows, and all hold.
    pub(crate) fn holds(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.holds)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:12} {:58} {:>10}", "world", "invariant", "found")?;
        for Row { world, invariant, found, holds } in &self.rows {
            writeln!(f, "{world:12} {invariant:58} {found:>10}  {}", if *holds { "holds" } else { "BROKEN" })?;
        }
        Ok(())
    }
}
