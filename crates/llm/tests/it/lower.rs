//! Schemas as each provider gets them.

mod hostile;

use bowline_llm::{LoweredSchema, SchemaTarget};
use serde_json::Value;

fn lowered(schema: &Value, target: SchemaTarget) -> LoweredSchema {
    LoweredSchema::new(&schema.clone().into(), target)
}
