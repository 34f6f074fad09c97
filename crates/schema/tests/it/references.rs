//! References: inside, to what was given, and nowhere else.

use std::net::TcpListener;

use bowline_schema::{Documents, Limits, SchemaError, Validator};
use serde_json::json;

use crate::dialects::compile;

#[test]
fn js_03_no_uri_is_ever_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let uri = format!("http://{}/schema.json", listener.local_addr().unwrap());
    for schema in [
        json!({"$ref": uri}),
        json!({"$dynamicRef": uri}),
        json!({"properties": {"a": {"$ref": format!("{uri}#/x")}}}),
        json!({"$schema": uri}),
        json!({"$id": uri, "$ref": "other.json"}),
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": uri}),
        json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "allOf": [{"$schema": uri}]}),
    ] {
        let error = compile(&schema).unwrap_err();
        // JS-05: it ends in an error that names what is missing.
        assert!(matches!(error, SchemaError::Unresolved(_) | SchemaError::UnsupportedDialect(_)), "{schema}: {error}");
        let host = listener.local_addr().unwrap().to_string();
        assert!(error.to_string().contains(&host), "{schema}: {error}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn js_05_an_unresolved_reference_is_an_error() {
    for (reference, name) in [
        ("#/$defs/none", "/$defs/none"),
        ("#none", "none"),
        ("none.json", "none.json"),
        ("file:///etc/hostname", "/etc/hostname"),
        ("urn:example:none", "urn:example:none"),
    ] {
        let error = compile(&json!({"properties": {"a": {"$ref": reference}}})).unwrap_err();
        assert!(matches!(error, SchemaError::Unresolved(_)), "{reference}: {error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn references_inside_and_to_given_documents_are_followed() {
    let inside = json!({
        "$defs": {"a": {"$anchor": "here", "type": "string"}, "b": {"$id": "https://example.com/b", "$defs": {"c": {"type": "null"}}}},
        "properties": {"x": {"$ref": "#here"}, "y": {"$ref": "https://example.com/b#/$defs/c"}},
    });
    let validator = compile(&inside).unwrap();
    assert!(validator.check_value(&json!({"x": "s", "y": null})).is_ok());
    assert!(validator.check_value(&json!({"x": 1})).is_err());
    assert!(validator.check_value(&json!({"y": 1})).is_err());

    let documents = Documents::new()
        .with("https://example.com/a", json!({"$ref": "b#/$defs/c"}).into())
        .with("https://example.com/b", json!({"$defs": {"c": {"type": "null"}}}).into());
    let outside = json!({"items": {"$ref": "https://example.com/a"}}).into();
    let validator = Validator::compile_with(&outside, &Limits::default(), &documents).unwrap();
    assert!(validator.check_value(&json!([null])).is_ok());
    assert!(validator.check_value(&json!([1])).is_err());

    let missing = Documents::new().with("https://example.com/a", json!({"$ref": "https://example.com/c"}).into());
    let error = Validator::compile_with(&outside, &Limits::default(), &missing).unwrap_err();
    assert_eq!(error, SchemaError::Unresolved("https://example.com/c".into()));
}

#[test]
fn cycles_of_references_end() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        json!({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#"}]}}, "not": {"$ref": "#/$defs/a"}}),
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#"}),
        json!({"$dynamicAnchor": "node", "unevaluatedProperties": {"$dynamicRef": "#node"}, "$ref": "#"}),
        json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveAnchor": true, "items": {"$recursiveRef": "#"}}),
    ] {
        let validator = compile(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
        for value in [json!(1), json!({"a": {"b": [1]}}), json!([[[]]])] {
            // That it ends is what counts; a cycle without more asks for nothing.
            let _ = validator.check_value(&value);
        }
    }
    let tree = json!({
        "$defs": {"node": {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}},
        "$ref": "#/$defs/node",
    });
    let validator = compile(&tree).unwrap();
    assert!(validator.check_value(&json!({"children": [{"children": []}]})).is_ok());
    assert!(validator.check_value(&json!({"children": [{"children": [1]}]})).is_err());
}
