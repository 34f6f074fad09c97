//! What was measured, as it is kept: one JSON object a line, a file a piece.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

/// All rows that are kept.
#[derive(Default)]
pub struct Rows {
    rows: BTreeMap<Key, Vec<Row>>,
    /// Runs that failed: who, where, and why.
    pub failures: BTreeSet<String>,
}

/// The figure of runs that count instead of measuring.
const COUNTED: &str = "allocs_per_call";

/// Workload, transport and contestant.
type Key = (String, String, String);

/// One run of one contestant.
struct Row {
    round: u64,
    figures: Map<String, Value>,
}

impl Rows {
    /// Reads every piece.
    pub fn read(dir: &Path) -> Result<Self> {
        let mut rows = Self::default();
        for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let piece = path.file_stem().unwrap_or_default().to_string_lossy();
                rows.add(&piece, &text).with_context(|| format!("{} is no list of rows", path.display()))?;
            }
        }
        Ok(rows)
    }

    fn add(&mut self, piece: &str, text: &str) -> Result<()> {
        for line in text.lines() {
            let mut figures: Map<String, Value> = serde_json::from_str(line)?;
            let word = |name: &str| figures.get(name).and_then(Value::as_str).map(str::to_owned);
            let (transport, name) = (word("mode").context("no mode")?, word("name").context("no name")?);
            if let Some(error) = word("error") {
                self.failures.insert(format!("{name} fails in {piece} over {transport}: {error}"));
                continue;
            }
            let workload = word("workload").context("no workload")?;
            let round = figures.get("round").and_then(Value::as_u64).unwrap_or_default();
            if figures.contains_key(COUNTED) {
                // Whoever counts is slow: these times are nobody's.
                figures.retain(|figure, _| figure == COUNTED);
            }
            self.rows.entry((workload, transport, name)).or_default().push(Row { round, figures });
        }
        Ok(())
    }

    fn of(&self, workload: &str, transport: &str, name: &str, figure: &str) -> BTreeMap<u64, f64> {
        let key = (workload.to_owned(), transport.to_owned(), name.to_owned());
        let rows = self.rows.get(&key).into_iter().flatten();
        rows.filter_map(|row| Some((row.round, row.figures.get(figure)?.as_f64()?))).collect()
    }

    /// The median of a figure.
    pub fn median(&self, workload: &str, transport: &str, name: &str, figure: &str) -> Option<f64> {
        median(self.of(workload, transport, name, figure).into_values().collect())
    }

    /// How a figure of one contestant stands to that of another: the median of the rounds' own ratios, since what
    /// disturbs a round disturbs both.
    pub fn ratio(&self, workload: &str, transport: &str, figure: &str, name: &str, to: &str) -> Option<f64> {
        let (ours, theirs) = (self.of(workload, transport, name, figure), self.of(workload, transport, to, figure));
        let both = ours.iter().filter_map(|(round, a)| Some((a, theirs.get(round)?)));
        median(both.filter(|(_, b)| **b > 0.0).map(|(a, b)| a / b).collect())
    }

    /// Rows of one round of one workload.
    #[cfg(test)]
    pub fn of_round(workload: &str, transport: &str, figure: &str, figures: &[(&str, f64)]) -> Self {
        let mut rows = Self::default();
        for (name, value) in figures {
            let row = serde_json::json!({
                "round": 0, "mode": transport, "name": name, "workload": workload, figure: value,
            });
            rows.add(workload, &row.to_string()).expect("a row");
        }
        rows
    }

    /// How many rounds there are of the workload that has the fewest, counted ones aside.
    pub fn rounds(&self) -> usize {
        let timed =
            self.rows.values().filter(|rows| rows.iter().any(|row| row.figures.contains_key("cpu_us_per_call")));
        timed.map(Vec::len).min().unwrap_or_default()
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let (low, high) = (figures.get(figures.len().checked_sub(1)? / 2)?, figures.get(figures.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// Adds a row to a piece.
pub fn append(file: &Path, row: &Value) -> Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(file)?;
    writeln!(file, "{row}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(figures: &[(u64, &str, f64)]) -> Rows {
        let mut rows = Rows::default();
        for (round, name, p50) in figures {
            let row =
                serde_json::json!({ "round": round, "mode": "stdio", "name": name, "workload": "w2", "p50_us": p50 });
            rows.add("w2", &row.to_string()).expect("a row");
        }
        rows
    }

    #[test]
    fn a_ratio_is_of_rounds_that_both_have() {
        let rows = rows(&[(0, "raw", 1.0), (0, "b", 3.0), (1, "raw", 10.0), (1, "b", 20.0), (2, "b", 900.0)]);
        assert_eq!(rows.ratio("w2", "stdio", "p50_us", "b", "raw"), Some(2.5));
        assert_eq!(rows.median("w2", "stdio", "b", "p50_us"), Some(20.0));
        assert_eq!(rows.median("w2", "http", "b", "p50_us"), None);
    }

    #[test]
    fn a_failure_is_told_and_what_was_counted_is_no_time() {
        let mut rows = rows(&[(0, "b", 3.0)]);
        let counted = r#"{"round":0,"mode":"stdio","name":"b","workload":"w2","p50_us":99.0,"allocs_per_call":7.0}"#;
        rows.add("allocs", counted).expect("a row");
        rows.add("w3", r#"{"round":0,"mode":"http","name":"b","error":"gone"}"#).expect("a row");
        assert_eq!(rows.median("w2", "stdio", "b", "p50_us"), Some(3.0));
        assert_eq!(rows.median("w2", "stdio", "b", COUNTED), Some(7.0));
        assert_eq!(rows.failures.first().map(String::as_str), Some("b fails in w3 over http: gone"));
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(median(Vec::new()), None);
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
    }
}
