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

/// How long something is still good for, as people read it, rounded down: `59 min`, `23 h`, `30 days`.
pub(crate) fn left(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;

    match duration.as_secs() {
        seconds if seconds < 2 * MINUTE => format!("{seconds} s"),
        seconds if seconds < 2 * HOUR => format!("{} min", seconds / MINUTE),
        seconds if seconds < 2 * DAY => format!("{} h", seconds / HOUR),
        seconds => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_in_the_unit_that_fits() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (3_599, "59 min"),
            (86_400, "24 h"),
            (2_592_000, "30 days"),
            (u64::MAX, "days"),
        ] {
            assert!(left(Duration::from_secs(seconds)).ends_with(text), "{seconds}");
        }
    }
}
