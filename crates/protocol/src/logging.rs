//! Log messages of the server.
//!
//! Specification: server/utilities/logging.

use std::cmp::Ordering;

use crate::raw::RawJson;
use crate::wire::{object, open_enum};

open_enum! {
    /// How severe a log message is, as in RFC 5424.
    ///
    /// Levels are ordered by severity; one that this library does not know compares with none but itself.
    ///
    /// ```
    /// use bowline_protocol::LoggingLevel;
    ///
    /// assert!(LoggingLevel::Debug < LoggingLevel::Error);
    /// assert_eq!(LoggingLevel::from("warning"), LoggingLevel::Warning);
    /// assert!(LoggingLevel::from("trace").severity().is_none());
    /// ```
    pub enum LoggingLevel {
        /// Details for finding faults.
        "debug" => Debug,
        /// What happens.
        "info" => Info,
        /// Normal, but worth noting.
        "notice" => Notice,
        /// Not right, though no error.
        "warning" => Warning,
        /// Something failed.
        "error" => Error,
        /// A part fails.
        "critical" => Critical,
        /// Somebody must act at once.
        "alert" => Alert,
        /// Nothing works.
        "emergency" => Emergency,
    }
}

impl LoggingLevel {
    /// The severity from 0, debug, to 7, emergency; none for a level that this library does not know.
    pub fn severity(&self) -> Option<usize> {
        Self::KNOWN.iter().position(|level| level == self)
    }
}

impl PartialOrd for LoggingLevel {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.severity(), other.severity()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => (self == other).then_some(Ordering::Equal),
        }
    }
}

object! {
    /// The parameters of `logging/setLevel` (until 2025-11-25).
    pub struct SetLevelRequestParams (meta) {
        required {
            /// The least severe level to be sent.
            level: LoggingLevel,
        }
    }
}

object! {
    /// The parameters of `notifications/message`: a log message.
    ///
    /// It comes from the server and may hold anything: make it harmless before it reaches a terminal.
    pub struct LoggingMessageNotificationParams (meta) {
        required {
            /// How severe it is; `info` where the server did not say.
            #[serde(default = "info")]
            level: LoggingLevel,
            /// What is said, often a string; null where the server sent none.
            #[serde(default = "null")]
            data: RawJson,
        }
        optional {
            /// Who says it.
            #[serde(deserialize_with = "crate::lenient::label")]
            logger: String => with_logger,
        }
    }
}

const fn info() -> LoggingLevel {
    LoggingLevel::Info
}

const fn null() -> RawJson {
    RawJson::NULL
}
