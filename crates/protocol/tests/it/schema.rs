//! The types against the specification's own schemas and examples.
//!
//! They are another project's text and not part of this repository: `BOWLINE_SPEC_DIR` says where they are, by
//! default `../shared/spec` beside the workspace. Without them these tests say that they were skipped, which is an
//! error where `CI=true`.

mod built;
mod coverage;
mod examples;
mod sample;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use bowline_protocol::Revision;
use serde_json::{Map, Value, json};

/// The folder of the specification, unless this machine has none.
#[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was skipped")]
fn spec_dir() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec");
    let dir = std::env::var_os("BOWLINE_SPEC_DIR").map_or_else(default, PathBuf::from);
    if dir.join("schema").is_dir() {
        return Some(dir);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no schema under {}: set BOWLINE_SPEC_DIR", dir.display());
    eprintln!("skipped: no schema under {}; set BOWLINE_SPEC_DIR", dir.display());
    None
}

/// The schema of one revision.
struct Schema {
    revision: Revision,
    root: Value,
}

impl Schema {
    fn load(spec: &Path, revision: Revision) -> Self {
        let path = spec.join("schema").join(revision.as_str()).join("schema.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { revision, root: serde_json::from_str(&text).unwrap() }
    }

    fn all() -> Option<Vec<Self>> {
        let spec = spec_dir()?;
        Some(Revision::ALL.into_iter().map(|revision| Self::load(&spec, revision)).collect())
    }

    fn key(&self) -> &'static str {
        if self.root.get("$defs").is_some() { "$defs" } else { "definitions" }
    }

    fn definitions(&self) -> &Map<String, Value> {
        self.root[self.key()].as_object().unwrap()
    }

    /// Collects a definition and those that it refers to: compiling all of them each time takes long.
    fn collect(&self, definition: &str, needed: &mut Map<String, Value>) {
        if !needed.contains_key(definition) {
            let shape = self.definitions()[definition].clone();
            needed.insert(definition.to_owned(), shape.clone());
            references(&shape, &mut |name| self.collect(name, needed));
        }
    }

    /// What checks values of a definition.
    fn validator(&self, definition: &str) -> Validator {
        let key = self.key();
        let mut needed = Map::new();
        self.collect(definition, &mut needed);
        let schema = json!({
            "$schema": self.root["$schema"],
            "$ref": format!("#/{key}/{definition}"),
            key: needed,
        });
        Validator {
            name: format!("{} {definition}", self.revision),
            inner: jsonschema::validator_for(&schema).unwrap(),
        }
    }
}

/// Calls `visit` with the name of each definition that a schema refers to.
fn references(shape: &Value, visit: &mut dyn FnMut(&str)) {
    match shape {
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
                visit(name);
            }
            members.values().for_each(|member| references(member, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, visit)),
        _ => {}
    }
}

/// The schema of one definition, compiled.
struct Validator {
    name: String,
    inner: jsonschema::Validator,
}

impl Validator {
    /// What is wrong with a value.
    fn check(&self, value: &Value) -> Result<(), String> {
        self.inner.validate(value).map_err(|e| format!("{}: {e} in {value}", self.name))
    }
}
