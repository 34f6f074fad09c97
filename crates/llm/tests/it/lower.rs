//! Schemas as each provider gets them, beside what is expected, which people can read: `lower/*.json`.

mod hostile;
mod names;
mod words;

use bowline_llm::{LoweredSchema, SchemaTarget};
use serde_json::{Value, json};

const EVERYTHING: &str = include_str!("lower/everything.json");
const STRICT: &str = include_str!("lower/strict.json");

fn lowered(schema: &Value, target: SchemaTarget) -> LoweredSchema {
    LoweredSchema::new(&schema.clone().into(), target)
}

fn told(lowered: &LoweredSchema) -> Vec<String> {
    lowered.losses.iter().map(ToString::to_string).collect()
}

/// Compares what came with a file of `lower/`.
fn is_as_written(schema: &str, target: SchemaTarget, expected: &str) {
    let lowered = lowered(&serde_json::from_str(schema).unwrap(), target);
    let got = json!({"is_strict": lowered.is_strict, "schema": lowered.schema, "losses": told(&lowered)});
    let expected: Value = serde_json::from_str(expected).unwrap_or_default();
    assert!(got == expected, "{target:?} is otherwise now:\n{got:#}");
}

#[test]
fn every_keyword_for_anthropic() {
    is_as_written(EVERYTHING, SchemaTarget::Anthropic, include_str!("lower/anthropic.json"));
}

#[test]
fn every_keyword_for_openai() {
    is_as_written(EVERYTHING, SchemaTarget::OpenAi, include_str!("lower/openai.json"));
}

#[test]
fn every_keyword_for_gemini() {
    is_as_written(EVERYTHING, SchemaTarget::Gemini, include_str!("lower/gemini.json"));
}

#[test]
fn every_keyword_for_gemini_as_open_api() {
    is_as_written(EVERYTHING, SchemaTarget::GeminiOpenApi, include_str!("lower/gemini-open-api.json"));
}

#[test]
fn every_keyword_for_nova() {
    is_as_written(EVERYTHING, SchemaTarget::Nova, include_str!("lower/nova.json"));
}

#[test]
fn every_keyword_for_ollama() {
    is_as_written(EVERYTHING, SchemaTarget::Ollama, include_str!("lower/ollama.json"));
}

#[test]
fn every_keyword_that_anthropic_takes_in_strict_mode() {
    is_as_written(STRICT, SchemaTarget::AnthropicStrict, include_str!("lower/anthropic-strict.json"));
}

#[test]
fn every_keyword_that_openai_takes_in_strict_mode() {
    is_as_written(STRICT, SchemaTarget::OpenAiStrict, include_str!("lower/openai-strict.json"));
}

#[test]
fn a_schema_that_no_strict_mode_takes_is_lowered_as_without_it() {
    let everything = serde_json::from_str(EVERYTHING).unwrap();
    for (strict, plain) in
        [(SchemaTarget::AnthropicStrict, SchemaTarget::Anthropic), (SchemaTarget::OpenAiStrict, SchemaTarget::OpenAi)]
    {
        assert_eq!(lowered(&everything, strict), lowered(&everything, plain));
    }
}
