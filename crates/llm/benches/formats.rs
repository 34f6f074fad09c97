//! What it costs to write tools in each provider's format: a thousand of them, at most 10 ms.

#![expect(clippy::unwrap_used, reason = "benchmarks may panic")]

use std::sync::Arc;

use bowline_llm::{Format, Message, Request, Target, ToolSpec};
use divan::Bencher;
use serde_json::json;

/// How many tools there are.
const TOOLS: usize = 1000;

fn main() {
    divan::main();
}

/// Tools as servers have them: some properties, one of them an object, one of several kinds.
fn tools() -> Vec<Arc<ToolSpec>> {
    let schema = json!({
        "type": "object",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {
            "path": {"type": "string", "description": "Where the file is, below the folder of the project"},
            "lines": {"type": "integer", "minimum": 1, "description": "How many lines are wanted"},
            "mode": {"type": "string", "enum": ["text", "binary"], "default": "text"},
            "filter": {"type": "object", "properties": {"like": {"type": "string"}, "not": {"type": ["string", "null"]}}},
            "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        },
        "required": ["path"],
        "additionalProperties": false,
    });
    let tool = |n: usize| {
        let tool = ToolSpec::new(format!("server{:02}__read_file_{n}", n / 20), schema.clone());
        Arc::new(
            tool.with_description("Reads a file, or a part of it, and gives its text with the numbers of its lines"),
        )
    };
    (0..TOOLS).map(tool).collect()
}

#[divan::bench(args = Format::ALL, sample_count = 50, sample_size = 1)]
fn lower_1000_tools(bencher: Bencher<'_, '_>, format: Format) {
    let request = Request::new(vec![Message::user("ahoy")]).with_tools(tools());
    let target = Target::new(format, "model");
    bencher.bench_local(|| target.encode(&request).unwrap());
}
