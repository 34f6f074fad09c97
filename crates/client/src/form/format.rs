//! The four formats of text.
//!
//! Rough checks, which catch slips of the finger: what passes them may still be refused by the server.

use bowline_protocol::StringFormat;

/// What the text must be, where it is not.
pub(super) fn check(format: &StringFormat, text: &str) -> Result<(), &'static str> {
    let (fits, wanted) = match format {
        StringFormat::Email => (is_email(text), "an email address such as name@example.com"),
        StringFormat::Uri => (is_uri(text), "a URI such as https://example.com/"),
        StringFormat::Date => (is_date(text), "a date such as 2025-11-25"),
        StringFormat::DateTime => (is_date_time(text), "a date and time such as 2025-11-25T12:00:00Z"),
        // A format that this library does not know: the server will judge.
        _ => (true, ""),
    };
    if fits { Ok(()) } else { Err(wanted) }
}

fn is_email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|s| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    }) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn is_date(text: &str) -> bool {
    let part = |text: Option<&str>, length: usize| {
        text.filter(|t| t.len() == length && t.bytes().all(|b| b.is_ascii_digit())).and_then(|t| t.parse::<u32>().ok())
    };
    let mut parts = text.split('-');
    let (year, month, day) = (part(parts.next(), 4), part(parts.next(), 2), part(parts.next(), 2));
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't']) else { return false };
    let (Some(clock), Some(rest)) = (time.get(..8), time.get(8..)) else { return false };
    let zone =
        rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let offset = || {
        let hours = zone.strip_prefix(['+', '-'])?;
        (hours.len() == 5 && is_clock(hours, 2)).then_some(())
    };
    is_date(date) && is_clock(clock, 3) && (matches!(zone, "Z" | "z") || offset().is_some())
}

/// Two digits for each part, none beyond its range.
fn is_clock(text: &str, parts: usize) -> bool {
    let mut count = 0;
    let fits = text.split(':').all(|part| {
        count += 1;
        // A leap second is one.
        let most = match count {
            1 => 23,
            2 => 59,
            _ => 60,
        };
        part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u32>().is_ok_and(|n| n <= most)
    });
    fits && count == parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d_06_slips_of_the_finger_are_caught() {
        let fits = |format: StringFormat, text: &str| check(&format, text).is_ok();
        assert!(fits(StringFormat::Email, "ö@b") && !fits(StringFormat::Email, "a b@c"));
        assert!(!fits(StringFormat::Email, "@c") && !fits(StringFormat::Email, "a"));
        assert!(fits(StringFormat::Uri, "urn:x") && !fits(StringFormat::Uri, "/x") && !fits(StringFormat::Uri, "a:\n"));
        for (date, good) in [
            ("2024-02-29", true),
            ("2025-02-29", false),
            ("1900-02-29", false),
            ("2025-13-01", false),
            ("2025-11-31", false),
            ("2025-11-00", false),
            ("+025-11-01", false),
            ("2025-11-1", false),
            ("2025-11-01-1", false),
            ("25.11.2025", false),
        ] {
            assert_eq!(fits(StringFormat::Date, date), good, "{date}");
        }
        for (time, good) in [
            ("2025-11-25T12:00:00Z", true),
            ("2025-11-25t12:00:00.123z", true),
            ("2025-11-25T23:59:60+02:00", true),
            ("2025-11-25T12:00:00", false),
            ("2025-11-25T12:00:00.5", false),
            ("2025-11-25T24:00:00Z", false),
            ("2025-11-25T12:00Z", false),
            ("2025-11-25T12:00:00Zx", false),
            ("2025-11-25T12:00:00+2", false),
            ("2025-11-25T12:00:0é", false),
            ("2025-11-25", false),
        ] {
            assert_eq!(fits(StringFormat::DateTime, time), good, "{time}");
        }
        assert!(fits(StringFormat::from("hostname"), "anything"));
    }
}
