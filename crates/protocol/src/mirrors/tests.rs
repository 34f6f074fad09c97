use serde_json::json;

use super::*;

fn of(schema: Value) -> Result<HeaderMirrors, HeaderMirrorError> {
    HeaderMirrors::of(&RawJson::from(schema))
}

/// A schema with one property.
fn with(property: &Value) -> Result<HeaderMirrors, HeaderMirrorError> {
    of(json!({"type": "object", "properties": {"p": property}}))
}

fn values(mirrors: &HeaderMirrors, arguments: &str) -> Vec<(String, String)> {
    mirrors.read(&arguments.parse().unwrap()).unwrap()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn h_18_names_follow_the_rules_of_tokens() {
    for good in ["Region", "x", "a-b_c.d", "!#$%&'*+-.^_`|~09", "Method"] {
        let mirrors = with(&json!({"type": "string", "x-mcp-header": good})).unwrap();
        assert_eq!(mirrors.iter().map(|m| m.header.as_str()).collect::<Vec<_>>(), [good]);
    }
    assert!(matches!(with(&json!({"type": "string", "x-mcp-header": ""})), Err(HeaderMirrorError::Empty { .. })));
    for bad in
        ["a b", "a:b", "R\u{e9}gion", "bad name\r\n", "a\n", "a\u{0}", "a\t", "a\u{7f}", "(a)", "a/b", "\u{4e16}"]
    {
        let error = with(&json!({"type": "string", "x-mcp-header": bad})).unwrap_err();
        assert!(matches!(error, HeaderMirrorError::NotToken { .. }), "{bad:?}: {error}");
        assert!(!error.to_string().contains(['\r', '\n', '\u{0}']), "{error:?}");
    }
    for other in [json!(7), json!(null), json!(["a"]), json!({"a": 1}), json!(true)] {
        let error = with(&json!({"type": "string", "x-mcp-header": other})).unwrap_err();
        assert!(matches!(error, HeaderMirrorError::NotText { .. }), "{error}");
    }
}

#[test]
fn h_18_names_are_unique_without_regard_to_case() {
    for (a, b, unique) in [("Region", "Region", false), ("Region", "rEGION", false), ("Region", "Region2", true)] {
        let read = of(json!({"properties": {
            "a": {"type": "string", "x-mcp-header": a},
            "b": {"type": "object", "properties": {"c": {"type": "string", "x-mcp-header": b}}},
        }}));
        assert_eq!(read.is_ok(), unique, "{a} {b}");
        assert!(unique || matches!(read, Err(HeaderMirrorError::Twice { .. })));
    }
}

#[test]
fn h_18_only_strings_integers_and_booleans_have_headers() {
    for good in [json!("string"), json!("integer"), json!("boolean"), json!(["string"]), json!(["null", "integer"])] {
        assert!(with(&json!({"type": good, "x-mcp-header": "H"})).is_ok(), "{good}");
    }
    for bad in [
        json!("number"),
        json!("object"),
        json!("array"),
        json!("null"),
        json!("text"),
        json!(["string", "integer"]),
        json!(["number", "null"]),
        json!(["null"]),
        json!([]),
        json!(1),
        json!(null),
    ] {
        let error = with(&json!({"type": bad, "x-mcp-header": "H"})).unwrap_err();
        assert!(matches!(error, HeaderMirrorError::Type { .. }), "{bad}: {error}");
    }
    let untyped = with(&json!({"x-mcp-header": "H"})).unwrap_err();
    assert!(matches!(untyped, HeaderMirrorError::Type { .. }), "{untyped}");
}

#[test]
fn h_18_only_a_chain_of_properties_leads_to_an_annotation() {
    let annotated = json!({"type": "string", "x-mcp-header": "H"});
    let inside = json!({"type": "object", "properties": {"q": annotated}});
    for keyword in
        ["items", "contains", "additionalProperties", "unevaluatedProperties", "not", "if", "then", "else", "x-own"]
    {
        for schema in [annotated.clone(), inside.clone()] {
            let error = with(&json!({"type": "object", keyword: schema})).unwrap_err();
            let HeaderMirrorError::Unreachable { under } = &error else { panic!("{keyword}: {error}") };
            assert_eq!(under, keyword);
        }
    }
    for keyword in ["oneOf", "anyOf", "allOf", "prefixItems"] {
        let error = of(json!({"type": "object", keyword: [true, inside]})).unwrap_err();
        assert_eq!(error, HeaderMirrorError::Unreachable { under: keyword.into() });
    }
    for keyword in ["$defs", "definitions", "patternProperties", "dependentSchemas"] {
        let error = of(json!({"$ref": "#/$defs/a", keyword: {"properties": annotated}})).unwrap_err();
        assert_eq!(error, HeaderMirrorError::Unreachable { under: keyword.into() });
    }
    let root = of(json!({"type": "string", "x-mcp-header": "H"})).unwrap_err();
    assert!(matches!(root, HeaderMirrorError::Unreachable { .. }), "{root}");
}

#[test]
fn a_property_or_a_datum_of_that_name_is_no_annotation() {
    for schema in [
        json!({"properties": {"x-mcp-header": {"type": "object"}, "properties": {"type": "number"}}}),
        json!({"$defs": {"x-mcp-header": {"type": "array"}}}),
        json!({"properties": {"p": {"default": {"x-mcp-header": ""}, "enum": [{"x-mcp-header": 1}], "const": {"x-mcp-header": 2}}}}),
        json!(true),
        json!({"required": ["x-mcp-header"], "description": "x-mcp-header"}),
    ] {
        assert!(of(schema.clone()).unwrap().is_empty(), "{schema}");
    }
    let named_properties = of(json!({"properties": {"properties": {"type": "string", "x-mcp-header": "H"}}})).unwrap();
    assert_eq!(values(&named_properties, r#"{"properties": "v"}"#), [pair("H", "v")]);
}

#[test]
fn a_keyword_spelled_with_escapes_is_the_keyword() {
    let schema: RawJson = r#"{"properties":{"p":{"type":"string","x\u002dmcp-header":"a b"}}}"#.parse().unwrap();
    assert!(matches!(HeaderMirrors::of(&schema), Err(HeaderMirrorError::NotToken { .. })));
}

#[test]
fn h_18_what_is_nested_without_end_or_asks_for_everything_is_refused() {
    let deep = format!(r#"{}{{"x-mcp-header":"H"}}{}"#, r#"{"properties":{"p":"#.repeat(200), "}}".repeat(200));
    let error = HeaderMirrors::of(&deep.parse().unwrap()).unwrap_err();
    assert!(matches!(error, HeaderMirrorError::Unreadable { .. }), "{error}");

    let many = |count: usize| {
        let property = |n: usize| (format!("p{n}"), json!({"type": "string", "x-mcp-header": format!("H{n}")}));
        json!({"properties": serde_json::Map::from_iter((0..count).map(property))})
    };
    assert_eq!(of(many(MAX_HEADERS)).unwrap().iter().count(), MAX_HEADERS);
    assert_eq!(of(many(MAX_HEADERS + 1)).unwrap_err(), HeaderMirrorError::TooMany);
    let long = with(&json!({"type": "string", "x-mcp-header": "a".repeat(MAX_BYTES)})).unwrap_err();
    assert_eq!(long, HeaderMirrorError::TooMany);
}

#[test]
fn h_14_the_value_is_read_at_the_exact_path_and_absence_has_no_header() {
    let mirrors = of(json!({"properties": {
        "a": {"type": "object", "properties": {
            "b": {"type": "string", "x-mcp-header": "B"},
            "c": {"type": "object", "properties": {"d": {"type": "string", "x-mcp-header": "D"}}},
        }},
        "a.b": {"type": "string", "x-mcp-header": "Dotted"},
        "b": {"type": "string"},
        "\u{e9}": {"type": "string", "x-mcp-header": "Odd"},
    }}))
    .unwrap();
    assert_eq!(
        values(&mirrors, r#"{"b": "wrong", "a": {"b": "x", "c": {"d": "y", "b": "wrong"}}}"#),
        [pair("B", "x"), pair("D", "y")]
    );
    assert_eq!(values(&mirrors, r#"{"a.b": "z", "\u00e9": ""}"#), [pair("Dotted", "z"), pair("Odd", "")]);
    for absent in ["{}", r#"{"a": null}"#, r#"{"a": {"b": null, "c": 7}}"#, r#"{"a": ["b"]}"#, "null", "[]"] {
        assert_eq!(values(&mirrors, absent), [], "{absent}");
    }
}

#[test]
fn h_15_strings_stay_integers_are_decimal_booleans_lower_case() {
    let mirrors = with(&json!({"type": "integer", "x-mcp-header": "H"})).unwrap();
    for (argument, header) in [
        (r#""us-west1""#, "us-west1"),
        (r#"" padded \n\u4e16""#, " padded \n\u{4e16}"),
        ("42", "42"),
        ("-7", "-7"),
        ("42.0", "42"),
        ("1e3", "1000"),
        ("-0", "0"),
        ("true", "true"),
        ("false", "false"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
    ] {
        assert_eq!(values(&mirrors, &format!(r#"{{"p": {argument}}}"#)), [pair("H", header)], "{argument}");
    }
}

#[test]
fn h_18_values_that_have_no_such_form_are_refused_without_their_text() {
    let mirrors = with(&json!({"type": "integer", "x-mcp-header": "H"})).unwrap();
    for argument in [
        "9007199254740992",
        "-9007199254740992",
        "1.5",
        "1e300",
        "1e999",
        "18446744073709551615",
        "[1234]",
        r#"{"a":1234}"#,
    ] {
        let error = mirrors.read(&format!(r#"{{"p": {argument}}}"#).parse().unwrap()).unwrap_err();
        assert_eq!(error.at, "p");
        assert!(!error.to_string().contains("1234") && !error.to_string().contains("900719"), "{error}");
    }
}
