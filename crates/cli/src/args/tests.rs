use serde_json::{Value, json};

use super::*;

fn build(schema: &Value, words: &[&str]) -> Result<String, String> {
    let mut given = Given::default();
    for word in words {
        match Word::parse(word).map_err(|e| e.message)? {
            Word::Pair(pair) => given.pairs.push(pair),
            Word::Object(object) => given.objects.push(object),
        }
    }
    let built = given.build("t", Schema::new(schema)).map_err(|e| e.message)?;
    serde_json::to_string(&built.members).map_err(|e| e.to_string())
}

#[test]
fn case_cli_002_arguments_are_typed_by_the_tools_schema() {
    let schema = json!({"type": "object", "properties": {
        "id": {"type": "string"}, "n": {"type": "integer"}, "on": {"type": "boolean"},
        "props": {"type": "object"}, "tags": {"type": "array"}, "any": {}
    }});
    let words = ["id=007", "n=5", "on=true", "props={}", r#"tags=["a"]"#, "any=8"];
    assert_eq!(build(&schema, &words).unwrap(), r#"{"id":"007","n":5,"on":true,"props":{},"tags":["a"],"any":8}"#);
}

#[test]
fn case_cli_003_nested_json_quotes_equals_signs_and_files() {
    let schema = json!({"type": "object", "properties": {
        "data": {"type": "object"}, "q": {"type": "string"}, "empty": {"type": "string"},
        "text": {"type": "string"}, "a": {}, "b": {}
    }});
    let data = r##"{"cmd":"ins","sel":"# 2025 a...","k":"a=b"}"##;
    assert_eq!(build(&schema, &[&format!("data={data}")]).unwrap(), format!("{{\"data\":{data}}}"));
    assert_eq!(
        build(&schema, &["q=a=b", "empty=", "text={not json"]).unwrap(),
        r#"{"q":"a=b","empty":"","text":"{not json"}"#
    );

    let path = std::env::temp_dir().join(format!("bowline-args-{}.json", std::process::id()));
    std::fs::write(&path, format!("{data}\n")).unwrap();
    let word = format!("data=@{}", path.display());
    let text = format!("text=@{}", path.display());
    let raw = format!("a:=@{}", path.display());
    assert_eq!(build(&schema, &[&word]).unwrap(), format!("{{\"data\":{data}}}"));
    let whole: Value = serde_json::from_str(&build(&schema, &[&text]).unwrap()).unwrap();
    assert_eq!(whole["text"], format!("{data}\n"));
    assert_eq!(build(&schema, &[&raw]).unwrap(), format!("{{\"a\":{data}}}"));
    std::fs::remove_file(&path).unwrap();

    assert_eq!(build(&schema, &[r#"{"a":1}"#, "b=2"]).unwrap(), r#"{"a":1,"b":2}"#);
    assert_eq!(
        build(&schema, &["b=2", r#"{"a":1,"b":1}"#]).unwrap(),
        r#"{"a":1,"b":2}"#,
        "pairs win wherever they stand"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_key_kind_and_value() {
    let schema = json!({"properties": {
        "n": {"type": "integer"}, "on": {"type": "boolean"}, "o": {"type": "object"},
        "e": {"enum": ["a", "b"]}, "l": {"type": "array", "items": {"type": "integer"}}
    }});
    for (word, message) in [
        ("n=five", "`n` takes an integer, but `five` came"),
        ("n=1.5", "`n` takes an integer, but `1.5` came"),
        ("n=", "`n` takes an integer, but `` came"),
        ("on=maybe", "`on` takes true or false, but `maybe` came"),
        ("o=[1]", "`o` takes an object, but `[1]` came"),
        ("e=c", "`e` takes one of \"a\", \"b\", but `c` came"),
        ("l=x", "`l` takes an array, but `x` came"),
        ("l=[1", "`l` takes an array, but `[1` came"),
    ] {
        assert_eq!(build(&schema, &[word]).unwrap_err(), message);
    }
}

#[test]
fn alternatives_and_references_are_followed() {
    let schema = json!({
        "$defs": {"level": {"enum": ["low", 3]}},
        "properties": {
            "opt": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "either": {"type": ["string", "integer"]},
            "level": {"$ref": "#/$defs/level"},
            "num": {"type": "number"},
            "int": {"type": "integer"}
        }
    });
    for (word, value) in [
        ("opt=null", r#"{"opt":null}"#),
        ("opt=4", r#"{"opt":4}"#),
        ("either=4", r#"{"either":4}"#),
        ("either=007", r#"{"either":"007"}"#),
        ("either=x", r#"{"either":"x"}"#),
        ("level=3", r#"{"level":3}"#),
        ("level=low", r#"{"level":"low"}"#),
        ("num=1.50", r#"{"num":1.50}"#),
        ("int=1e3", r#"{"int":1000}"#),
        ("int=123456789012345678901234567890", r#"{"int":123456789012345678901234567890}"#),
    ] {
        assert_eq!(build(&schema, &[word]).unwrap(), value);
    }
}

#[test]
fn a_repeated_key_appends_to_an_array_and_else_the_last_counts() {
    let schema =
        json!({"properties": {"tags": {"type": "array", "items": {"type": "string"}}, "s": {"type": "string"}}});
    assert_eq!(build(&schema, &["tags=a"]).unwrap(), r#"{"tags":["a"]}"#);
    assert_eq!(build(&schema, &["tags=a", "tags=2", r#"tags=["c","d"]"#]).unwrap(), r#"{"tags":["a","2","c","d"]}"#);
    let given = Given { pairs: vec![Pair::parse("s=1").unwrap(), Pair::parse("s=2").unwrap()], ..Given::default() };
    let built = given.build("t", Schema::new(&schema)).unwrap();
    assert_eq!(serde_json::to_string(&built.members).unwrap(), r#"{"s":"2"}"#);
    assert_eq!(built.warnings, ["`s` is given more than once; the last one counts"]);
}

#[test]
fn json_and_raw_strings_say_what_they_mean() {
    let schema = json!({"properties": {"n": {"type": "integer"}, "s": {"type": "string"}}});
    assert_eq!(build(&schema, &[r#"s:={"a":1}"#, "n:=\"x\""]).unwrap(), r#"{"s":{"a":1},"n":"x"}"#);
    assert!(build(&schema, &["n:=x"]).unwrap_err().starts_with("the value of `n:=` is no JSON"));
    let given = Given { pairs: vec![Pair::parse("n=@5").unwrap()], raw_strings: true, ..Given::default() };
    let built = given.build("t", Schema::new(&schema)).unwrap();
    assert_eq!(serde_json::to_string(&built.members).unwrap(), r#"{"n":"@5"}"#);
}

#[test]
fn unknown_and_missing_keys_are_told_before_sending() {
    let schema = json!({"properties": {"message": {"type": "string"}, "n": {}}, "required": ["message"]});
    let error = |words: &[&str]| {
        let pairs = words.iter().map(|w| Pair::parse(w).unwrap()).collect();
        Given { pairs, ..Given::default() }.build("echo", Schema::new(&schema)).unwrap_err()
    };
    let unknown = error(&["mesage=hi"]);
    assert_eq!(unknown.message, "the tool `echo` has no argument `mesage`");
    assert_eq!(unknown.hint.unwrap(), "did you mean `message`? (--args-json sends any key)");
    assert_eq!(error(&[]).message, "the tool `echo` needs `message`");
    assert_eq!(build(&schema, &["{}"]).unwrap(), "{}", "JSON is sent as it is");
}

#[test]
fn words_that_are_no_arguments_are_refused() {
    for word in ["hello", "=x", ":=1", "{", "{]"] {
        assert!(Word::parse(word).is_err(), "{word}");
    }
    assert!(parse_object("[1]", "f").unwrap_err().message.starts_with("f is JSON, but no object"));
    assert!(read_file("/no/such/file").unwrap_err().message.starts_with("cannot read `/no/such/file`"));
}
