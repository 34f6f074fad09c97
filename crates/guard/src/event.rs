//! What a guard tells of.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::excerpt;

use crate::consent::Answer;
use crate::finding::Finding;
use crate::pins::{Change, PinKind};

/// Something that a guard noticed or did. Its text is one line, made harmless.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum GuardEvent {
    /// A server was used for the first time, and so much of it is pinned from now on.
    FirstUse {
        /// The server.
        server: Arc<str>,
        /// What is pinned.
        kind: PinKind,
        /// How many.
        count: usize,
    },
    /// A server that has pins has something that it had not.
    New {
        /// The server.
        server: Arc<str>,
        /// What it is.
        kind: PinKind,
        /// Its name.
        name: String,
        /// Whether it is held back.
        held: bool,
    },
    /// Something, or the server itself by its instructions, is described otherwise than when it was pinned.
    Changed {
        /// The server.
        server: Arc<str>,
        /// How.
        change: Arc<Change>,
        /// Whether it is held back.
        held: bool,
    },
    /// A server lists a name more than once. The first counts, and the others are left out.
    Repeated {
        /// The server.
        server: Arc<str>,
        /// What it is.
        kind: PinKind,
        /// Its name.
        name: String,
    },
    /// A server has a tool of a name that another one's tool has, too.
    Shadowed {
        /// The server.
        server: Arc<str>,
        /// The tool.
        tool: String,
        /// The others.
        by: Vec<String>,
    },
    /// A server has a tool whose name looks like that of another one's tool: by its letters, or but for their case. Of a page
    /// of a list, 100 of them are told at most.
    Alike {
        /// The server.
        server: Arc<str>,
        /// The tool.
        tool: String,
        /// The others, and their tools; 20 at most.
        to: Vec<(String, String)>,
    },
    /// A server says that it is another one, or is reached another way, than when it was pinned.
    ServerChanged {
        /// The server.
        server: Arc<str>,
        /// What is different, and how.
        what: String,
    },
    /// Pins could not be kept.
    PinsFailed {
        /// Why.
        why: String,
    },
    /// A call does not go.
    Refused {
        /// The server.
        server: Arc<str>,
        /// The method.
        method: String,
        /// The tool, prompt or URI.
        name: Option<String>,
        /// Why.
        why: String,
    },
    /// Somebody was asked about a call, or had been before.
    Answered {
        /// What it was about.
        title: String,
        /// What was said.
        answer: Answer,
        /// Whether it was said before, and remembered.
        remembered: bool,
    },
    /// Something is odd about what passed.
    Found {
        /// The server.
        server: Arc<str>,
        /// The method.
        method: String,
        /// The tool, prompt or URI.
        name: Option<String>,
        /// What.
        findings: Vec<Finding>,
        /// Why it was held back, where it was.
        blocked: Option<String>,
    },
    /// A call could not be put on record.
    AuditFailed {
        /// Why.
        why: String,
    },
}

impl fmt::Display for GuardEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |name: &str| excerpt(name, 100);
        match self {
            Self::FirstUse { server, kind, count } => {
                let s = if *count == 1 { "" } else { "s" };
                match kind {
                    PinKind::Instructions => {
                        write!(f, "{}: used for the first time; its {kind} are pinned", of(server))
                    }
                    _ => write!(f, "{}: used for the first time; {count} {kind}{s} pinned", of(server)),
                }
            }
            Self::New { server, kind, name, held } => {
                let then = if *held { "held back" } else { "pinned" };
                let (what, is) = (kind.called(&of(name)), is(*kind));
                write!(f, "{}: the {what} {is} new; {then}", of(server))
            }
            Self::Changed { server, change, held } => {
                let (what, is) = (change.kind.called(&of(&change.name)), is(change.kind));
                let then = match (*held, change.kind) {
                    (true, _) => "held back",
                    (false, PinKind::Instructions) => "pinned as they are now",
                    (false, _) => "pinned as it is now",
                };
                write!(f, "{}: the {what} {is} not what was pinned; {then}", of(server))
            }
            Self::Repeated { server, kind, name } => {
                write!(f, "{}: the {kind} {} is listed more than once; the first counts", of(server), of(name))
            }
            Self::Shadowed { server, tool, by } => {
                let others = by.iter().take(5).map(|other| of(other)).collect::<Vec<_>>().join(", ");
                write!(f, "{}: the tool {} has the name of one of {others}", of(server), of(tool))
            }
            Self::Alike { server, tool, to } => {
                let others = to.iter().take(5).map(|(server, tool)| format!("{} of {}", of(tool), of(server)));
                let others = others.collect::<Vec<_>>().join(", ");
                write!(f, "{}: the name of the tool {} looks like {others}", of(server), of(tool))
            }
            Self::ServerChanged { server, what } => write!(f, "{}: {}", of(server), excerpt(what, 400)),
            Self::PinsFailed { why } => write!(f, "pins are not kept: {}", excerpt(why, 400)),
            Self::Refused { server, method, name, why } => {
                write!(f, "{}: {}{} does not go: {}", of(server), of(method), named(name.as_deref()), excerpt(why, 400))
            }
            Self::Answered { title, answer, remembered } => {
                let before = if *remembered { " (remembered)" } else { "" };
                write!(f, "{}: {}{before}", excerpt(title, 300), answer.name())
            }
            Self::Found { server, method, name, findings, blocked } => {
                let name = named(name.as_deref());
                let s = if findings.len() == 1 { "" } else { "s" };
                write!(f, "{}: {}{name}: {} finding{s}", of(server), of(method), findings.len())?;
                if let Some(first) = findings.first() {
                    write!(f, ", first {}", excerpt(&first.to_string(), 300))?;
                }
                match blocked {
                    Some(why) => write!(f, "; held back: {}", excerpt(why, 300)),
                    None => Ok(()),
                }
            }
            Self::AuditFailed { why } => write!(f, "not on record: {}", excerpt(why, 400)),
        }
    }
}

/// The verb to what it is.
const fn is(kind: PinKind) -> &'static str {
    if matches!(kind, PinKind::Instructions) { "are" } else { "is" }
}

fn named(name: Option<&str>) -> String {
    name.map(|name| format!(" {}", excerpt(name, 100))).unwrap_or_default()
}
