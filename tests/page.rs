//! A page of a list, for whatever counts or measures.

use serde_json::{Map, Value, json};

/// A page of so many tools that take 16 arguments each.
pub(crate) fn of_tools(count: usize) -> Value {
    let argument = json!({ "type": "string", "description": "some words" });
    let properties: Map<_, _> = (0..16).map(|n| (format!("property_{n}"), argument.clone())).collect();
    let schema = json!({ "type": "object", "properties": properties });
    let tool = |n| {
        let (name, about) = (format!("tool_{n}"), "It does things.");
        json!({ "name": name, "title": "A tool", "description": about, "inputSchema": schema })
    };
    json!({ "tools": (0..count).map(tool).collect::<Vec<_>>() })
}
