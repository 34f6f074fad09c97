//! The examples that the schema of 2026-07-28 ships.

use std::fs;

use bowline_protocol::Revision;
use serde_json::Value;

use super::{Schema, spec_dir, table};

#[test]
fn every_example_is_read_into_its_type_and_written_back_the_same() {
    let Some(spec) = spec_dir() else { return };
    let schema = Schema::load(&spec, Revision::V2026_07_28);
    let root = spec.join("schema/2026-07-28/examples");
    let mut seen = 0;
    for folder in fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
        let definition = folder.file_name().unwrap().to_str().unwrap();
        let read = table::reader(definition).unwrap_or_else(|| panic!("no type for {definition}"));
        let validator = schema.validator(definition);
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let example: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            let back = read(&example).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            assert_eq!(back.written, example, "{}", file.display());
            assert_eq!(back.unknown(), None, "{}", file.display());
            validator.check(&back.written).unwrap();
            seen += 1;
        }
    }
    assert!(seen >= 129, "{seen} examples");
}
