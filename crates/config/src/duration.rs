//! Durations as people type them.

use std::time::Duration;

/// Ten years: more than anybody waits, and far from where clocks overflow.
const LONGEST: f64 = 10.0 * 365.0 * 24.0 * 3600.0;

/// Reads `500ms`, `30s`, `1.5m`, `2h`; a bare number is seconds.
///
/// # Errors
/// Why the text is none: an unit that is not known, or a time that is less than a millisecond or more than ten years.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "ms" => 0.001,
        "" | "s" | "sec" | "secs" => 1.0,
        "m" | "min" | "mins" => 60.0,
        "h" => 3600.0,
        other => {
            let other = crate::problem::shown(other);
            return Err(format!("unknown unit `{other}`; write for instance 500ms, 30s, 2m or 1h"));
        }
    };
    let number = number.parse::<f64>().map_err(|_| {
        let text = crate::problem::shown(text);
        format!("`{text}` is no duration; write for instance 500ms, 30s, 2m or 1h")
    })?;
    seconds(number * factor).ok_or_else(|| {
        let text = crate::problem::shown(text);
        format!("`{text}` is out of range; a duration is at least 1 ms and at most ten years")
    })
}

/// So many seconds, where that is a time that can be waited: a millisecond at least, which is what times are counted in.
pub(crate) fn seconds(seconds: f64) -> Option<Duration> {
    let duration = (seconds > 0.0 && seconds <= LONGEST).then(|| Duration::from_secs_f64(seconds))?;
    (duration >= Duration::from_millis(1)).then_some(duration)
}

/// As it is written in a file: whole milliseconds or seconds.
pub(crate) fn written(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
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
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
            assert_eq!(parse_duration(&written(Duration::from_millis(ms))), Ok(Duration::from_millis(ms)));
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "-1s",
            "0",
            "0ms",
            "1d",
            "1.2.3s",
            "NaN",
            "inf",
            "1e9",
            "0.0001ms",
            "0.0000000001",
            "99999999999999h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
