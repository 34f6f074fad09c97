//! Times of the day and days of the week.

use std::fmt;
use std::time::SystemTime;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The time zone that hours and days are of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Zone(pub(super) TimeZone);

impl Zone {
    /// A moment as clocks and calendars of the zone have it. One that no calendar has is its last.
    pub(super) fn at(&self, time: SystemTime) -> ZonedDateTime {
        Timestamp::try_from(time).unwrap_or(Timestamp::MAX).to_zoned_datetime(self.0.clone())
    }
}

impl Default for Zone {
    /// That of the system.
    fn default() -> Self {
        Self(TimeZone::system())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == "UTC" {
            return Ok(Self(TimeZone::UTC));
        }
        TimeZone::get(&name).map(Self).map_err(|_| {
            D::Error::custom("this system knows no time zone of this name; write UTC, or one as Europe/Berlin")
        })
    }
}

/// From one time of the day until another, which may be of the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hours {
    from: Time,
    until: Time,
}

impl Hours {
    pub(super) fn hold(&self, time: Time) -> bool {
        if self.from <= self.until {
            self.from <= time && time < self.until
        } else {
            time >= self.from || time < self.until
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.strftime("%H:%M"), self.until.strftime("%H:%M"))
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
        let parts = text.split_once('-').and_then(|(from, until)| Some((time(from)?, time(until)?)));
        match parts {
            Some((from, until)) if from != until => Ok(Self { from, until }),
            _ => Err(D::Error::custom("hours are two times of the day, as 08:00-18:00")),
        }
    }
}

/// Days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days(Vec<Weekday>);

impl Days {
    pub(super) fn hold(&self, day: Weekday) -> bool {
        self.0.contains(&day)
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        let day = |word: &String| {
            Some(match word.as_str() {
                "mon" => Weekday::Monday,
                "tue" => Weekday::Tuesday,
                "wed" => Weekday::Wednesday,
                "thu" => Weekday::Thursday,
                "fri" => Weekday::Friday,
                "sat" => Weekday::Saturday,
                "sun" => Weekday::Sunday,
                _ => return None,
            })
        };
        match words.iter().map(day).collect::<Option<Vec<_>>>() {
            Some(days) if !days.is_empty() => Ok(Self(days)),
            _ => Err(D::Error::custom("days are a list of mon, tue, wed, thu, fri, sat and sun")),
        }
    }
}
