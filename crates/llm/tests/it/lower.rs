//! Schemas as each provider gets them.

mod hostile;
mod words;

use bowline_llm::{LoweredSchema, SchemaTarget};
use serde_json::Value;

fn lowered(schema: &Value, target: SchemaTarget) -> LoweredSchema {
    LoweredSchema::new(&schema.clone().into(), target)
}

fn told(lowered: &LoweredSchema) -> Vec<String> {
    lowered.losses.iter().map(ToString::to_string).collect()
}
