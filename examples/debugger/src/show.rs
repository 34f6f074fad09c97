//! What a person sees.

use bowline_testkit::{Direction, FrameKind, Inspected, InspectorCounts, Passed};

use crate::finding::Finding;

/// How much of a frame is shown, in characters.
const SHOWN: usize = 90;

/// One line for whatever passed.
pub(crate) fn passed(seen: &Inspected) {
    let what = match &seen.what {
        Passed::Opened { server } => format!("== connection {} to {server}", seen.connection),
        Passed::Frame(frame) => {
            let way = if frame.direction == Direction::ToServer { "->" } else { "<-" };
            let took = frame.took.map(|took| format!(" after {:.1} ms", took.as_secs_f64() * 1e3)).unwrap_or_default();
            let kind = match frame.kind {
                FrameKind::Request | FrameKind::Notification => frame.method.clone(),
                FrameKind::Result | FrameKind::Error if frame.method.is_empty() => {
                    "answer to nothing that is open".to_owned()
                }
                FrameKind::Result => format!("result of {}", frame.method),
                FrameKind::Error => format!("error of {}", frame.method),
                FrameKind::Unreadable => "unreadable".to_owned(),
            };
            format!("{way} {kind}{took}, {} bytes: {}", frame.bytes, cut(&frame.text))
        }
        Passed::GaveUp { id, reason } => format!("-- request {id} was given up: {reason}"),
        Passed::Failed { error, .. } => format!("!! {error}"),
        Passed::Odd(what) => format!("!! {what}"),
        Passed::Closing => "== the client closes".to_owned(),
        Passed::Closed(why) => format!("== closed: {why}"),
        other => format!("{other:?}"),
    };
    println!("{:>8.1} ms  {what}", seen.at.as_secs_f64() * 1e3);
}

/// How often what was asked, and how long the answers took.
pub(crate) fn counts(counts: &InspectorCounts) {
    println!("\n{:28} {:>6} {:>9} {:>7} {:>6} {:>10}", "method", "sent", "answered", "errors", "lost", "slowest");
    for (method, of) in counts.methods.iter().filter(|(method, _)| !method.is_empty()) {
        let slowest = format!("{:.1} ms", of.slowest.as_secs_f64() * 1e3);
        println!("{method:28} {:>6} {:>9} {:>7} {:>6} {slowest:>10}", of.sent, of.answered, of.errors, of.lost);
    }
}

/// What was wrong.
pub(crate) fn findings(findings: &[Finding]) {
    println!("\n{} findings", findings.len());
    for Finding { during, what, then } in findings {
        println!("- {during}: {what}\n  {then}");
    }
}

fn cut(text: &str) -> String {
    // What a server wrote is shown with its control characters spelled out.
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
