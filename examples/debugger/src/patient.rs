//! A server whose faults are known.

use bowline::prelude::*;
use bowline::protocol::ToolAnnotations;
use bowline_testkit::{Misbehaviour, MockServer, MockServerBuilder, When};
use serde_json::json;

use crate::finding::Finding;

/// A tool, what the server does wrong when it is called, and words of the finding.
struct Fault {
    tool: &'static str,
    wrong: fn() -> Misbehaviour,
    told: &'static str,
}

const FAULTS: &[Fault] = &[
    Fault { tool: "repeats", wrong: || Misbehaviour::Duplicate(1), told: "which is not open" },
    Fault { tool: "chats", wrong: || Misbehaviour::Garbage("Listening…".into()), told: "no message" },
    Fault { tool: "spells", wrong: || Misbehaviour::IdAsString, told: "as that of the integer id" },
    Fault { tool: "bundles", wrong: || Misbehaviour::Batch, told: "from an array" },
    Fault { tool: "mumbles", wrong: || Misbehaviour::WrongShape, told: "result" },
    Fault { tool: "blames", wrong: || Misbehaviour::ErrorWithoutId, told: "for no request in particular" },
    Fault { tool: "mistakes", wrong: || Misbehaviour::WrongId, told: "which is not open" },
    Fault { tool: "sleeps", wrong: || Misbehaviour::NeverAnswer, told: "300ms" },
    // The last of them: it takes the connection with it, and the client opens another.
    Fault { tool: "leaves", wrong: || Misbehaviour::HalfMessage, told: "closed" },
];

/// Tools that only read; the first works, and each of the others has its fault.
pub(crate) fn server() -> MockServer {
    let mut builder = tool(MockServer::builder(), "works");
    for (nth, fault) in (2..).zip(FAULTS) {
        builder = tool(builder, fault.tool).misbehave(When::method("tools/call").nth(nth), (fault.wrong)());
    }
    tool(builder, "works again").build()
}

/// The faults that no finding tells of.
pub(crate) fn missed(findings: &[Finding]) -> Vec<&'static str> {
    let found = |fault: &&Fault| findings.iter().any(|it| it.during == fault.tool && it.what.contains(fault.told));
    let mut missed: Vec<_> = FAULTS.iter().filter(|fault| !found(fault)).map(|fault| fault.tool).collect();
    // And nothing was found at tools without a fault.
    let healthy = ["connect", "list", "works", "works again"];
    missed.extend(healthy.into_iter().filter(|name| findings.iter().any(|finding| finding.during == *name)));
    missed
}

fn tool(builder: MockServerBuilder, name: &'static str) -> MockServerBuilder {
    let tool =
        Tool::new(name, json!({ "type": "object" })).with_annotations(ToolAnnotations::new().with_read_only_hint(true));
    builder.tool(tool, async |_| Ok(CallToolResult::text("fine")))
}
