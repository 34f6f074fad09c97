//! The statistics as numbers with labels.

use bowline_client::{Counter, CounterKind, Counters, Prometheus};

use super::snapshot::{CallStats, NamedStats, StatsSnapshot};

/// What tools are called together that have no label of their own.
const OTHER: &str = "other";

impl Counters for CallStats {
    fn each(&self, tell: &mut dyn FnMut(Counter)) {
        let Self { calls, tool_failures, given_up, failures, errors: _, times } = self;
        for (name, help, count) in [
            ("bowline_calls_total", "Calls that ended.", calls),
            ("bowline_calls_tool_failed_total", "Calls whose tool says that it failed.", tool_failures),
            ("bowline_calls_failed_total", "Calls that ended with an error.", failures),
            ("bowline_calls_given_up_total", "Calls that the caller gave up.", given_up),
            ("bowline_calls_answered_total", "Calls that ended with a result.", &times.count),
        ] {
            tell(Counter::new(name, help, CounterKind::Counter, *count as f64));
        }
        let help = "How long calls took together that ended with a result.";
        tell(Counter::new("bowline_calls_seconds_total", help, CounterKind::Counter, times.sum.as_secs_f64()));
        for (name, help, time) in [
            ("bowline_calls_seconds_p50", "What half of the calls did not exceed.", times.p50),
            ("bowline_calls_seconds_p95", "What 95 of a hundred calls did not exceed.", times.p95),
            ("bowline_calls_seconds_p99", "What 99 of a hundred calls did not exceed.", times.p99),
        ] {
            tell(Counter::new(name, help, CounterKind::Gauge, time.as_secs_f64()));
        }
    }
}

/// How many calls ended with an error of one kind.
struct OfKind(u64);

impl Counters for OfKind {
    fn each(&self, tell: &mut dyn FnMut(Counter)) {
        let help = "Calls that ended with an error, by its kind.";
        tell(Counter::new("bowline_calls_errors_total", help, CounterKind::Counter, self.0 as f64));
    }
}

fn add(page: &mut Prometheus, labels: [(&str, &str); 2], stats: &CallStats) {
    page.add(&labels, stats);
    for (kind, count) in &stats.errors {
        let [server, what] = labels;
        page.add(&[server, what, ("kind", kind)], &OfKind(*count));
    }
}

impl StatsSnapshot {
    /// The statistics as a page for Prometheus, by the labels `server` and `tool`, or `method`.
    ///
    /// Names of tools are the servers' affair, so no more than `tools` have labels of their own: those with the most
    /// calls. The rest of each server is under `other`, without its quantiles.
    /// A tool whose rank changes gains or loses its label, and `other` falls or rises by its counts, which a rate takes for
    /// a reset: allow as many as there are tools where rates matter.
    pub fn prometheus(&self, tools: usize) -> Prometheus {
        let mut page = Prometheus::new();
        let least = self.least(tools);
        for server in &self.servers {
            let name = ("server", server.name.as_str());
            let mut other = server.other_tools.clone().unwrap_or_default();
            for NamedStats { name: tool, stats } in &server.tools {
                if stats.calls >= least && tool != OTHER {
                    add(&mut page, [name, ("tool", tool)], stats);
                } else {
                    other.merge(stats);
                }
            }
            if other.calls > 0 {
                add(&mut page, [name, ("tool", OTHER)], &other);
            }
            for NamedStats { name: method, stats } in &server.methods {
                add(&mut page, [name, ("method", method)], stats);
            }
        }
        page
    }

    /// How many calls a tool must have to be among the first `most`, at least 1.
    fn least(&self, most: usize) -> u64 {
        let tools = self.servers.iter().flat_map(|server| &server.tools);
        let mut calls: Vec<u64> = tools.map(|tool| tool.stats.calls).collect();
        if calls.len() <= most {
            return 1;
        }
        // What has as many as the first one that is left out is left out as well, so that there are never more.
        let (_, first_out, _) = calls.select_nth_unstable_by(most, |one, other| other.cmp(one));
        first_out.saturating_add(1)
    }
}

impl CallStats {
    /// Adds counts of others. Quantiles cannot be added, and are left out.
    fn merge(&mut self, more: &Self) {
        for (sum, count) in [
            (&mut self.calls, more.calls),
            (&mut self.tool_failures, more.tool_failures),
            (&mut self.given_up, more.given_up),
            (&mut self.failures, more.failures),
            (&mut self.times.count, more.times.count),
        ] {
            *sum = sum.saturating_add(count);
        }
        for (kind, count) in &more.errors {
            let sum = self.errors.entry(kind).or_default();
            *sum = sum.saturating_add(*count);
        }
        let super::snapshot::Times { count, sum, max, .. } = self.times;
        let (sum, max) = (sum.saturating_add(more.times.sum), max.max(more.times.max));
        self.times = super::snapshot::Times { count, sum, max, ..Default::default() };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Outcome, Stats};

    #[test]
    fn times_that_no_sum_can_hold_are_added_as_far_as_it_goes() {
        let stats = Stats::new();
        let server = stats.server("slow");
        for tool in ["a", "b", "c"] {
            server.record(tool, Outcome::Answered, Duration::MAX);
        }
        let page = stats.snapshot().prometheus(0).to_string();
        assert!(page.contains("bowline_calls_total{server=\"slow\",tool=\"other\"} 3\n"), "{page}");
    }
}
