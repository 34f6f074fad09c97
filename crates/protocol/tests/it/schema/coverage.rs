//! Every definition of every schema has a type, and the type knows all its members.

use super::{Schema, sample, table};

#[test]
fn every_definition_has_a_type_or_a_reason() {
    let Some(schemas) = Schema::all() else { return };
    for schema in &schemas {
        for name in schema.definitions().keys() {
            let excepted = table::EXCEPTIONS.iter().any(|(exception, _)| exception == name);
            assert_ne!(table::reader(name).is_some(), excepted, "{} {name}", schema.revision);
        }
    }
    for (name, _) in table::EXCEPTIONS {
        assert!(schemas.iter().any(|schema| schema.definitions().contains_key(*name)), "{name} is in no schema");
    }
}

#[test]
fn every_member_of_every_definition_is_known_and_survives() {
    let Some(schemas) = Schema::all() else { return };
    let mut problems = Vec::new();
    for schema in &schemas {
        for name in schema.definitions().keys() {
            let Some(read) = table::reader(name) else { continue };
            let mut samples: Vec<_> = (0..sample::VARIANTS).map(|variant| sample::of(schema, name, variant)).collect();
            samples.dedup();
            let validator = schema.validator(name);
            for sample in samples {
                let at = format!("{} {name}", schema.revision);
                match read(&sample) {
                    Err(error) => problems.push(format!("{at}: {error} in {sample}")),
                    Ok(seen) => {
                        if seen.written != sample {
                            problems.push(format!("{at}: {sample} became {}", seen.written));
                        }
                        problems.extend(validator.check(&seen.written).err());
                        problems.extend(seen.unknown().map(|unknown| format!("{at}: not known: {unknown:.200}")));
                    }
                }
            }
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
