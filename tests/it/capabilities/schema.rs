//! The specification's own schemas.
//!
//! They are another project's text and not part of this repository: `BOWLINE_SPEC_DIR` says where they are, by
//! default `../shared/spec` beside the workspace. Without them nothing is checked, which is an error where `CI=true`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bowline::prelude::Revision;
use serde_json::{Value, json};

/// The schema of one revision.
pub(crate) struct Schema {
    revision: Revision,
    root: Value,
    compiled: HashMap<&'static str, jsonschema::Validator>,
}

impl Schema {
    /// Reads the schema, unless this machine has none.
    pub(crate) fn load(revision: Revision) -> Option<Self> {
        let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/spec");
        let folder = std::env::var_os("BOWLINE_SPEC_DIR").map_or_else(default, PathBuf::from).join("schema");
        let Ok(text) = fs::read_to_string(folder.join(revision.as_str()).join("schema.json")) else {
            let in_ci = std::env::var("CI").as_deref() == Ok("true");
            assert!(!in_ci, "no schema of {revision} under {}: set BOWLINE_SPEC_DIR", folder.display());
            println!("skipped: no schema of {revision} under {}; set BOWLINE_SPEC_DIR", folder.display());
            return None;
        };
        Some(Self { revision, root: serde_json::from_str(&text).unwrap(), compiled: HashMap::new() })
    }

    /// Asserts that a value fits a definition.
    pub(crate) fn check(&mut self, definition: &'static str, value: &Value) {
        let Self { revision, root, compiled } = self;
        let validator = compiled.entry(definition).or_insert_with(|| {
            let key = if root.get("$defs").is_some() { "$defs" } else { "definitions" };
            assert!(root[key].get(definition).is_some(), "{revision} has no {definition}");
            let mut schema = root.clone();
            schema["$ref"] = json!(format!("#/{key}/{definition}"));
            jsonschema::validator_for(&schema).unwrap()
        });
        if let Err(error) = validator.validate(value) {
            panic!("{revision} {definition}: {error} in {value}");
        }
    }
}
