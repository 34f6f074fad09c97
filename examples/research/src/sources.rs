//! Twelve sources, some of which are as sources are.

use bowline::hub::Member;
use bowline::prelude::*;
use bowline_testkit::{Misbehaviour, MockServer, MockServerBuilder, When};
use serde_json::json;

/// Those that answer, and what they say.
const ANSWERS: &[(&str, &str)] = &[
    ("almanac", "in use at sea by the 1600s"),
    ("atlas", "nothing about knots"),
    ("dictionary", "bowline: first written down in the 14th century, then as the name of a rope"),
    ("encyclopedia", "the knot is described in the Seaman's Grammar of 1627"),
    ("gazette", "no article"),
    ("handbook", "the king of knots"),
    ("library", "three books, the oldest of 1627"),
    ("museum", "a rope with a bowline was found in a ship of Cheops, some 4,500 years old"),
    ("newspaper", "one article, of 1987"),
];

/// All members, the good ones first.
pub(crate) fn all() -> Vec<Member> {
    let good = ANSWERS.iter().map(|(name, says)| Member::new(*name, source(says).build().connector()));
    let failing = source("").misbehave(When::method("tools/call"), Misbehaviour::Answer(failure())).build();
    let silent = source("").misbehave(When::method("tools/call"), Misbehaviour::NeverAnswer).build();
    let dead = source("").misbehave(When::always(), Misbehaviour::ExitBefore(1)).build();
    let others = [("archive", failing), ("observatory", silent), ("university", dead)];
    good.chain(others.map(|(name, server)| Member::new(name, server.connector()))).collect()
}

/// The names of those that answer.
pub(crate) fn answers() -> impl Iterator<Item = &'static str> {
    ANSWERS.iter().map(|(name, _)| *name)
}

fn source(says: &'static str) -> MockServerBuilder {
    let schema = json!({ "type": "object", "properties": { "query": { "type": "string" } }, "required": ["query"] });
    MockServer::builder().tool(Tool::new("search", schema), move |call| async move {
        call.progress(1.0, Some(2.0), Some("reading the index")).await;
        call.progress(2.0, Some(2.0), Some("reading what it names")).await;
        Ok(CallToolResult::text(says))
    })
}

fn failure() -> RawJson {
    RawJson::from(json!({ "content": [{ "type": "text", "text": "the catalogue is being rebuilt" }], "isError": true }))
}
