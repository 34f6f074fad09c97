//! Durations as people type them.

use std::time::Duration;

pub(crate) use bowline::config::parse_duration as parse;

/// A duration as people read it: `3.2 ms`, `1.25 s`.
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}
