//! Durations as people type them.

use std::time::Duration;

/// Ten years: more than anybody waits, and far from where clocks overflow.
const LONGEST: f64 = 10.0 * 365.0 * 24.0 * 3600.0;

/// Reads `500ms`, `30s`, `1.5m`, `2h`; a bare number is seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "ms" => 0.001,
        "" | "s" | "sec" | "secs" => 1.0,
        "m" | "min" | "mins" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("unknown unit `{other}`; write for instance 500ms, 30s, 2m or 1h")),
    };
    let seconds = number
        .parse::<f64>()
        .map_err(|_| format!("`{text}` is no duration; write for instance 500ms, 30s, 2m or 1h"))?
        * factor;
    if seconds <= 0.0 || seconds > LONGEST {
        return Err(format!("`{text}` is out of range; a duration is more than zero and at most ten years"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_seconds_and_units_scale() {
        for (text, ms) in
            [("2", 2000), ("0.5", 500), ("500ms", 500), ("30s", 30_000), ("1.5m", 90_000), ("1h", 3_600_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "-1s", "0", "0ms", "1d", "1.2.3s", "NaN", "inf", "1e9", "99999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
