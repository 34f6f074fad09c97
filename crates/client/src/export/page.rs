//! A page in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt;

use super::{CounterKind, Counters};

/// Counters in the text format of Prometheus (version 0.0.4), as an endpoint for it answers with.
///
/// ```
/// use bowline_client::{Counter, CounterKind, Counters, Prometheus};
///
/// struct Calls(u64);
///
/// impl Counters for Calls {
///     fn each(&self, tell: &mut dyn FnMut(Counter)) {
///         tell(Counter::new("calls_total", "Calls that came.", CounterKind::Counter, self.0 as f64));
///     }
/// }
///
/// let mut page = Prometheus::new();
/// page.add(&[("server", "search")], &Calls(7));
/// page.add(&[("server", "files")], &Calls(0));
/// let text = page.to_string();
/// assert!(text.contains("# TYPE calls_total counter\n"));
/// assert!(text.contains("calls_total{server=\"search\"} 7\n"));
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

    /// Adds a snapshot under these labels, which tell it from others of the same kind. In the name of a label what may
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
    use crate::export::Counter;

    struct Two;

    impl Counters for Two {
        fn each(&self, tell: &mut dyn FnMut(Counter)) {
            tell(Counter::new("waiting", "Calls that wait.", CounterKind::Gauge, 0.0));
            tell(Counter::new("calls_total", "Calls that came.", CounterKind::Counter, 2.5));
        }
    }

    #[test]
    fn what_belongs_together_stands_together_under_its_labels() {
        let mut page = Prometheus::new();
        for server in ["a", "b\"\\\n"] {
            page.add(&[("server", server), ("1-tier", "x")], &Two);
        }
        let text = page.to_string();
        let calls = "# HELP calls_total Calls that came.\n# TYPE calls_total counter\n\
            calls_total{server=\"a\",_1_tier=\"x\"} 2.5\n\
            calls_total{server=\"b\\\"\\\\\\n\",_1_tier=\"x\"} 2.5\n";
        assert!(text.starts_with(calls), "{text}");
        assert_eq!(text.matches("# TYPE waiting gauge\n").count(), 1);
        assert_eq!(Prometheus::new().add(&[], &Two).to_string().matches('{').count(), 0);
    }
}
