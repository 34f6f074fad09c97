//! What each figure is to be, and whether it is.

use super::rows::Rows;

/// What is asked of one figure of one workload.
pub struct Goal {
    pub workload: &'static str,
    /// What the workload is, in words.
    pub what: &'static str,
    pub transport: &'static str,
    pub figure: Figure,
    pub asked: Asked,
    /// The most that it may be of rmcp's.
    pub of_rmcp: Option<f64>,
}

/// What is asked of a figure beside the floor's, or beside that of a library that is below the floor.
pub enum Asked {
    /// At most so many times the floor's: what must hold, and what is aimed at.
    Ratio(f64, f64),
    /// At most so much: what must hold, and what is aimed at.
    Absolute(f64, f64),
    /// Nothing.
    Nothing,
}

/// A figure of the harness.
#[derive(Clone, Copy)]
pub struct Figure {
    pub key: &'static str,
    pub label: &'static str,
}

const fn figure(key: &'static str, label: &'static str) -> Figure {
    Figure { key, label }
}

const TIME: Figure = figure("p50_us", "time, µs");
const PROCESSOR: Figure = figure("cpu_us_per_call", "processor time a call, µs");
const PER_CALL: Figure = figure("us_per_call", "time a call, µs");
const PEAK: Figure = figure("rss_kib", "peak memory, KiB");
const ALLOCATIONS: Figure = figure("allocs_per_call", "allocations a call");

const fn goal(
    (workload, what): (&'static str, &'static str),
    transport: &'static str,
    figure: Figure,
    asked: Asked,
    of_rmcp: Option<f64>,
) -> Goal {
    Goal { workload, what, transport, figure, asked, of_rmcp }
}

const W1: (&str, &str) = ("w1", "one small call after the other");
const W2: (&str, &str) = ("w2", "64 small calls at once");
const W3: (&str, &str) = ("w3", "a text of 10 MiB");
const W4: (&str, &str) = ("w4", "a list of 1,000 tools of 1 KiB");
const W5: (&str, &str) = ("w5", "cold start, the whole process");
const W6: (&str, &str) = ("w6", "1,000 progress notifications");
const W7: (&str, &str) = ("w7", "200 open clients");
const W8: (&str, &str) = ("w8", "footprint");
const W9: (&str, &str) = ("w9", "a structured result of 4⁶ leaves");

use Asked::{Absolute, Nothing, Ratio};

/// All goals, in the order of the table.
pub const GOALS: &[Goal] = &[
    goal(W1, "stdio", PROCESSOR, Ratio(1.3, 1.15), Some(0.6)),
    goal(W1, "http", TIME, Ratio(1.3, 1.15), Some(0.4)),
    goal(W1, "sse", TIME, Ratio(1.3, 1.15), Some(0.4)),
    goal(W1, "stdio", ALLOCATIONS, Absolute(12.0, 8.0), Some(0.15)),
    goal(W1, "http", ALLOCATIONS, Absolute(30.0, 22.0), Some(0.15)),
    goal(W2, "stdio", PER_CALL, Ratio(1.4, 1.2), Some(0.3)),
    goal(W2, "http", PER_CALL, Ratio(1.5, 1.2), Some(0.15)),
    goal(W3, "stdio", TIME, Ratio(1.1, 1.0), Some(0.9)),
    goal(W3, "stdio", PEAK, Ratio(1.3, 1.0), Some(0.4)),
    goal(W3, "http", TIME, Ratio(1.1, 1.0), Some(0.9)),
    goal(W3, "http", PEAK, Ratio(1.3, 1.0), Some(0.4)),
    goal(W3, "sse", TIME, Ratio(1.1, 1.0), Some(0.9)),
    goal(W3, "sse", PEAK, Ratio(1.3, 1.0), Some(0.4)),
    goal(W4, "stdio", TIME, Ratio(1.3, 1.0), Some(0.25)),
    goal(W4, "http", TIME, Ratio(1.3, 1.0), Some(0.25)),
    goal(W5, "stdio", figure("wall_us", "time, µs"), Ratio(1.1, 1.0), Some(0.95)),
    goal(W5, "http", figure("wall_us", "time, µs"), Ratio(1.1, 1.0), Some(0.95)),
    goal(W6, "stdio", TIME, Ratio(2.0, 1.3), Some(0.25)),
    goal(W6, "stdio", figure("late_per_call", "late"), Absolute(0.0, 0.0), None),
    goal(W6, "stdio", figure("lost_per_call", "lost"), Absolute(0.0, 0.0), None),
    goal(W6, "http", TIME, Ratio(2.0, 1.3), Some(0.25)),
    goal(W6, "http", figure("late_per_call", "late"), Absolute(0.0, 0.0), None),
    goal(W6, "http", figure("lost_per_call", "lost"), Absolute(0.0, 0.0), None),
    goal(W7, "http", figure("kib_per_client", "memory a client, KiB"), Ratio(1.5, 1.2), Some(0.6)),
    goal(W8, "all", figure("stripped_kib", "program without symbols, KiB"), Nothing, Some(1.0)),
    goal(W8, "all", figure("crates", "crates"), Nothing, Some(1.0)),
    goal(W8, "all", figure("build_s", "clean build, s"), Nothing, Some(1.0)),
    goal(W9, "stdio", TIME, Ratio(1.2, 1.0), Some(0.6)),
    goal(W9, "http", TIME, Ratio(1.2, 1.0), Some(0.6)),
];

impl Goal {
    /// How bowline stands to another contestant.
    pub fn ratio(&self, rows: &Rows, name: &str, to: &str) -> Option<f64> {
        rows.ratio(self.workload, self.transport, self.figure.key, name, to)
    }

    pub fn median(&self, rows: &Rows, name: &str) -> Option<f64> {
        rows.median(self.workload, self.transport, name, self.figure.key)
    }

    /// Whose figure the goal is a ratio of: the floor's, or that of a library that is below it.
    fn mark(&self, rows: &Rows) -> &'static str {
        let below = |name: &'static str| Some((self.ratio(rows, name, "raw").filter(|ratio| *ratio < 1.0)?, name));
        let best = ["rmcp", "tower-mcp"].into_iter().filter_map(below).min_by(|(a, _), (b, _)| a.total_cmp(b));
        best.map_or("raw", |(_, name)| name)
    }

    /// The verdict beside the [`mark`](Self::mark), or in absolute figures.
    pub fn floor_verdict(&self, rows: &Rows) -> Option<String> {
        let (value, must, aim, of) = match self.asked {
            Ratio(must, aim) => {
                let mark = self.mark(rows);
                let value = self.ratio(rows, "bowline", mark)?;
                (value, must, aim, if mark == "raw" { String::new() } else { format!("×{value:.2} of {mark}: ") })
            }
            Absolute(must, aim) => (self.median(rows, "bowline")?, must, aim, String::new()),
            Nothing => return None,
        };
        if must == aim {
            return Some(format!("{of}≤ {must} {}", word(value, must)));
        }
        Some(format!("{of}≤ {must} {}, ≤ {aim} {}", word(value, must), word(value, aim)))
    }

    /// The verdict beside rmcp.
    pub fn rmcp_verdict(&self, rows: &Rows) -> Option<String> {
        let (most, value) = (self.of_rmcp?, self.ratio(rows, "bowline", "rmcp")?);
        Some(format!("×{value:.2}: ≤ {most} {}", word(value, most)))
    }
}

fn word(value: f64, most: f64) -> &'static str {
    if value <= most { "held" } else { "**missed**" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_below_the_floor_is_the_mark() {
        let verdict = |tower: f64| {
            let figures = [("raw", 10.0), ("bowline", 7.0), ("rmcp", 20.0), ("tower-mcp", tower)];
            let rows = Rows::of_round("w3", "stdio", TIME.key, &figures);
            let goal = GOALS.iter().find(|goal| goal.workload == "w3").expect("a goal");
            goal.floor_verdict(&rows).expect("a verdict")
        };
        assert_eq!(verdict(12.0), "≤ 1.1 held, ≤ 1 held");
        assert_eq!(verdict(5.0), "×1.40 of tower-mcp: ≤ 1.1 **missed**, ≤ 1 **missed**");
    }
}
