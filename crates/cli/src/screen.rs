//! How large the terminal of standard output is.

use std::env;
use std::io::IsTerminal as _;

/// Columns and lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) columns: usize,
    pub(crate) lines: usize,
}

impl Screen {
    /// None where standard output is no terminal. What `COLUMNS` and `LINES` say goes before what the terminal says.
    pub(crate) fn of_stdout() -> Option<Self> {
        if !std::io::stdout().is_terminal() {
            return None;
        }
        let said = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok()).filter(|size| *size > 0);
        let (columns, lines) = match (said("COLUMNS"), said("LINES")) {
            (Some(columns), Some(lines)) => (columns, lines),
            (columns, lines) => {
                // One that has no size, as of a recorder, says zero.
                let size = crossterm::terminal::size().unwrap_or_default();
                let (wide, high) = (usize::from(size.0), usize::from(size.1));
                (columns.unwrap_or(if wide > 0 { wide } else { 80 }), lines.unwrap_or(if high > 0 { high } else { 24 }))
            }
        };
        Some(Self { columns, lines })
    }
}
