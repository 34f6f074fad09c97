//! `bowline bench`: one tool, many times.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bowline::Client;
use bowline::protocol::Tool;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::call::listed_tool;
use super::given;
use crate::args::Members;
use crate::duration;
use crate::exit::{CliError, Code, Stop};
use crate::options::{Bench, Format};
use crate::output::Output;
use crate::sanitize;
use crate::schema::Schema;
use crate::session::{Logs, Run};
use crate::styled::Styled;

/// The longest time that is told apart, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

pub(crate) async fn run(options: Bench, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let given = given(&options.given)?;
    let name = options.tool.as_str();
    let configured = options.server.configured.as_deref();
    configured.map_or(Ok(()), |configured| configured.permit_name(name))?;
    run.with_server(&options.server, Logs::Console, async |client| {
        let tool = listed_tool(client, name).await?;
        configured.map_or(Ok(()), |configured| configured.permit(&tool))?;
        if !run.global.yes && !does_no_harm(&tool) {
            return Err(CliError::usage(format!(
                "the tool `{}` does not say that calling it often does no harm (readOnlyHint or idempotentHint)",
                sanitize::line(name)
            ))
            .hint("--yes calls it all the same")
            .into());
        }
        let schema = tool.input_schema.to_value();
        let built = given.build(name, Schema::new(&schema))?;
        for warning in &built.warnings {
            run.console.warn(warning.as_str());
        }
        let arguments = Arc::new(built.members);
        let load = |count, for_time| {
            let left = AtomicU64::new(count);
            Load { client: client.clone(), tool: name.to_owned(), arguments: Arc::clone(&arguments), left, for_time }
        };
        if options.warm_up > 0 {
            load(options.warm_up, options.for_time).run(options.concurrency).await?;
        }
        let result = load(options.count, options.for_time).run(options.concurrency).await?;
        match out.format() {
            Format::Json => out.json(&result.to_json(name, options.concurrency))?,
            _ => out.text(&result.to_text(name, options.concurrency))?,
        }
        match result.last {
            // Nothing was measured.
            Some(error) if result.times.is_empty() => Err(Stop::Error(error)),
            Some(error) => {
                run.console.warn(format!("the last call that failed: {}", sanitize::line(&error.message)));
                Ok(())
            }
            None => Ok(()),
        }
    })
    .await
}

/// Whether a tool says that calling it again changes nothing more. The person chose the server, and so trusts it.
fn does_no_harm(tool: &Tool) -> bool {
    let hints = tool.annotations.as_ref();
    hints.is_some_and(|hints| hints.read_only_hint == Some(true) || hints.idempotent_hint == Some(true))
}

/// Calls that are to be made.
struct Load {
    client: Client,
    tool: String,
    arguments: Arc<Members>,
    left: AtomicU64,
    for_time: Duration,
}

/// What came of them.
struct Measured {
    /// How long the calls took that went well, in microseconds.
    times: Histogram<u64>,
    failed: BTreeMap<&'static str, u64>,
    last: Option<Box<CliError>>,
    took: Duration,
}

impl Load {
    async fn run(self, at_a_time: u32) -> Result<Measured, CliError> {
        let start = Instant::now();
        let load = Arc::new(self);
        let mut workers = JoinSet::new();
        for _ in 0..at_a_time {
            let load = Arc::clone(&load);
            workers.spawn(async move { load.work(start).await });
        }
        let mut all = Measured::new()?;
        while let Some(done) = workers.join_next().await {
            let done = done.map_err(|error| CliError::new(Code::Unexpected, format!("a call was lost: {error}")))??;
            all.add(done);
        }
        all.took = start.elapsed();
        Ok(all)
    }

    /// Calls until nothing is left to do.
    async fn work(&self, start: Instant) -> Result<Measured, CliError> {
        let mut measured = Measured::new()?;
        let take = |left: u64| left.checked_sub(1);
        while start.elapsed() < self.for_time
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
        {
            let begun = Instant::now();
            match self.client.call(&self.tool).args(&*self.arguments).await {
                Ok(result) if result.is_error() => {
                    let text = sanitize::excerpt(&result.joined_text(), 200);
                    measured.failed(CliError::new(Code::Tool, format!("the tool failed: {text}")));
                }
                Ok(_) => measured.times.saturating_record(begun.elapsed().as_micros().try_into().unwrap_or(u64::MAX)),
                Err(error) => {
                    measured.failed(CliError::from(error));
                    if self.client.is_closed() {
                        break;
                    }
                }
            }
        }
        Ok(measured)
    }
}

impl Measured {
    fn new() -> Result<Self, CliError> {
        let times = Histogram::new_with_bounds(1, LONGEST, 3)
            .map_err(|error| CliError::new(Code::Unexpected, format!("no histogram can be made: {error}")))?;
        Ok(Self { times, failed: BTreeMap::new(), last: None, took: Duration::ZERO })
    }

    fn failed(&mut self, error: CliError) {
        *self.failed.entry(error.code.word()).or_default() += 1;
        self.last = Some(Box::new(error));
    }

    fn add(&mut self, other: Self) {
        // Both have the same bounds.
        let _ = self.times.add(&other.times);
        for (kind, count) in other.failed {
            *self.failed.entry(kind).or_default() += count;
        }
        self.last = other.last.or(self.last.take());
    }

    fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.took.as_secs_f64().max(1e-6)
    }

    /// How many calls took up to so many microseconds: a row for each doubling that has any.
    fn rows(&self) -> Vec<(u64, u64)> {
        let mut rows = Vec::new();
        let (mut from, mut to) = (0, 1);
        while from < LONGEST {
            let count = self.times.count_between(from, to - 1);
            if count > 0 {
                rows.push((to, count));
            }
            (from, to) = (to, to * 2);
        }
        rows
    }

    fn to_json(&self, tool: &str, at_a_time: u32) -> Value {
        let ms = |us: u64| us as f64 / 1_000.0;
        let at = |quantile| ms(self.times.value_at_quantile(quantile));
        json!({
            "tool": tool,
            "calls": self.times.len() + self.failures(),
            "failed": self.failures(),
            "errors": self.failed,
            "concurrency": at_a_time,
            "elapsed_ms": self.took.as_secs_f64() * 1_000.0,
            "calls_per_second": self.per_second(),
            "latency_ms": {
                "min": ms(self.times.min()), "mean": self.times.mean() / 1_000.0, "p50": at(0.5), "p90": at(0.9),
                "p99": at(0.99), "p999": at(0.999), "max": ms(self.times.max()),
            },
            "histogram": self.rows().iter().map(|&(to, count)| json!({"below_ms": ms(to), "count": count})).collect::<Vec<_>>(),
        })
    }

    fn to_text(&self, tool: &str, at_a_time: u32) -> Styled {
        let time = |us: u64| duration::show(Duration::from_micros(us));
        let at = |quantile| time(self.times.value_at_quantile(quantile));
        let row = |text: Styled, name: &str, rest: String| text.bold(format!("{name:9}")).plain(rest).line();
        let mut text = row(Styled::new(), "tool", sanitize::excerpt(tool, 80));
        let failed: Vec<String> = self.failed.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let failed =
            if failed.is_empty() { "none failed".to_owned() } else { format!("failed: {}", failed.join(", ")) };
        text = row(text, "calls", format!("{}, {failed}", self.times.len() + self.failures()));
        let speed = format!("{}, {:.0} a second, {at_a_time} at a time", duration::show(self.took), self.per_second());
        text = row(text, "took", speed);
        if self.times.is_empty() {
            return text;
        }
        let mean = time(self.times.mean() as u64);
        text = row(
            text,
            "latency",
            format!("min {}  mean {mean}  max {}", time(self.times.min()), time(self.times.max())),
        );
        let tail = format!("p50 {}  p90 {}  p99 {}  p99.9 {}", at(0.5), at(0.9), at(0.99), at(0.999));
        text = row(text, "", tail);
        let most = self.rows().iter().map(|(_, count)| *count).max().unwrap_or(1);
        for (to, count) in self.rows() {
            let bar = "#".repeat(usize::try_from(count * 40 / most).unwrap_or(0).max(1));
            text = text.plain(format!("  < {:>9}  {count:>9}  ", time(to))).dim(bar).line();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_in_one_row_and_rows_double() {
        let mut measured = Measured::new().unwrap();
        for us in [1, 3, 3, 900, 1_000_000, u64::MAX] {
            measured.times.saturating_record(us);
        }
        let rows = measured.rows();
        assert_eq!(rows.iter().map(|(_, count)| count).sum::<u64>(), 6);
        assert_eq!(rows[..3], [(2, 1), (4, 2), (1_024, 1)]);
        let mut other = Measured::new().unwrap();
        other.failed(CliError::new(Code::Timeout, "late"));
        measured.add(other);
        assert_eq!(measured.failures(), 1);
        let json = measured.to_json("t", 2);
        assert_eq!((&json["calls"], &json["errors"]["timeout"]), (&json!(7), &json!(1)));
        assert!(measured.to_text("t", 2).render(false).contains("failed: 1 timeout"));
    }

    #[test]
    fn only_what_says_so_does_no_harm() {
        let with = |hints: Value| {
            let tool = json!({"name": "t", "inputSchema": {"type": "object"}, "annotations": hints});
            does_no_harm(&serde_json::from_value(tool).unwrap())
        };
        assert!(with(json!({"readOnlyHint": true})) && with(json!({"idempotentHint": true})));
        assert!(!with(json!({"readOnlyHint": false})) && !with(json!({"destructiveHint": false})));
    }
}
