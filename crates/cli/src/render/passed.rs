//! What passed on the wire, a line each.

use bowline_testkit::{Direction, Inspected, Passed};

use crate::duration;
use crate::sanitize;
use crate::styled::Styled;

/// A line about a frame, of which at most so many characters are shown, or about the connection.
pub(crate) fn passed(told: &Inspected, max: usize) -> Styled {
    let at = format!("{:>10.3} ms ", told.at.as_secs_f64() * 1_000.0);
    let mut line = Styled::new().dim(at);
    if told.connection > 1 {
        line = line.dim(format!("#{} ", told.connection));
    }
    let event = |line: Styled, word: &str, text: &str| line.bold(word).plain(sanitize::excerpt(text, 1_000));
    match &told.what {
        Passed::Frame(frame) => {
            let (arrow, what) = match (frame.direction, frame.method.as_str()) {
                (Direction::ToServer, "") => ("→ ", "answer"),
                (Direction::ToClient, "") => ("← ", "answer"),
                (Direction::ToServer, method) => ("→ ", method),
                (Direction::ToClient, method) => ("← ", method),
            };
            line = line.plain(arrow).bold(sanitize::excerpt(what, 80));
            if let Some(id) = &frame.id {
                line = line.plain(format!(" {}", sanitize::excerpt(&id.to_string(), 80)));
            }
            if let Some(took) = frame.took {
                line = line.dim(format!(" ({})", duration::show(took)));
            }
            line.plain(format!("  {}", sanitize::excerpt(&frame.text, max)))
        }
        Passed::Opened { server } => event(line, "connected to ", server),
        Passed::GaveUp { id, reason } => event(line, "→ gave up ", &format!("{id}: {reason}")),
        Passed::Failed { id: Some(id), error } => event(line, "failed ", &format!("{id} ({}): {error}", error.sent())),
        Passed::Failed { id: None, error } => event(line, "failed ", &format!("({}): {error}", error.sent())),
        Passed::Odd(what) => event(line, "odd: ", what),
        Passed::Closing => line.bold("closing"),
        Passed::Closed(why) => event(line, "closed: ", why),
        _ => line,
    }
}
