//! A page in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt;

use super::{CounterKind, Counters};

/// Counters in the text format of Prometheus (version 0.0.4), as an endpoint for it answers with.
///
/// ```
/// use bowline_resilience::{Prometheus, recommended};
///
/// let (search, files) = (recommended(), recommended());
/// let mut page = Prometheus::new();
/// page.add(&[("server", "search")], &search.stats());
/// page.add(&[("server", "files")], &files.stats());
/// let text = page.to_string();
/// assert!(text.contains("# TYPE bowline_retry_retries_total counter\n"));
/// assert!(text.contains("bowline_retry_retries_total{server=\"search\"} 0\n"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Prometheus {
    /// What belongs to one name has to stand together.
    families: BTreeMap<&'static str, Family>,
}

#[derive(Debug, Clone)]
struct Family {
    help: &'static str,
    kind: CounterKind,
    /// Each with its labels, as they are written.
    samples: Vec<(String, f64)>,
}

impl Prometheus {
    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a snapshot under these labels, which tell it from others of the same layer. In the name of a label what may
    /// not stand there becomes `_`; its value may be anything.
    pub fn add(&mut self, labels: &[(&str, &str)], counters: &impl Counters) -> &mut Self {
        let labels = written(labels);
        counters.each(&mut |counter| {
            let family = self.families.entry(counter.name).or_insert_with(|| Family {
                help: counter.help,
                kind: counter.kind,
                samples: Vec::new(),
            });
            family.samples.push((labels.clone(), counter.value));
        });
        self
    }
}

impl fmt::Display for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Family { help, kind, samples }) in &self.families {
            let kind = match kind {
                CounterKind::Counter => "counter",
                CounterKind::Gauge => "gauge",
            };
            writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
            for (labels, value) in samples {
                writeln!(f, "{name}{labels} {value}")?;
            }
        }
        Ok(())
    }
}

fn written(labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{}=\"{}\"", label(name), escaped(value))).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

fn label(name: &str) -> String {
    let mut label = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_");
    if !label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        label.insert(0, '_');
    }
    label
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BreakerLayer, CacheLayer, DrainLayer, FallbackLayer, HedgeLayer, LimitLayer, recommended};

    #[test]
    fn what_belongs_together_stands_together_under_its_labels() {
        let mut page = Prometheus::new();
        for server in ["a", "b\"\\\n"] {
            page.add(&[("server", server), ("1-tier", "x")], &LimitLayer::default().stats());
        }
        let text = page.to_string();
        let waiting = "# HELP bowline_limit_waiting Calls that wait.\n# TYPE bowline_limit_waiting gauge\n\
            bowline_limit_waiting{server=\"a\",_1_tier=\"x\"} 0\n\
            bowline_limit_waiting{server=\"b\\\"\\\\\\n\",_1_tier=\"x\"} 0\n";
        assert!(text.ends_with(waiting), "{text}");
        assert_eq!(text.matches("# TYPE bowline_limit_calls_total counter\n").count(), 1);
        assert_eq!(Prometheus::new().add(&[], &BreakerLayer::default().stats()).to_string().matches('{').count(), 0);
    }

    #[test]
    fn no_two_counters_have_the_same_name_and_all_names_are_valid() {
        let mut names = Vec::new();
        let mut note = |counter: super::super::Counter| {
            let total = counter.name.ends_with("_total");
            assert_eq!(total, counter.kind == CounterKind::Counter, "{}", counter.name);
            assert!(counter.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", counter.name);
            assert!(!counter.help.contains('\n'));
            names.push(counter.name);
        };
        recommended().stats().each(&mut note);
        CacheLayer::default().stats().each(&mut note);
        HedgeLayer::default().stats().each(&mut note);
        DrainLayer::new().stats().each(&mut note);
        FallbackLayer::answer(|_, _| None).stats().each(&mut note);
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
