use std::path::Path;

use super::*;

fn tree(text: &str, syntax: Syntax) -> Result<Node, String> {
    parse(&Source::new(Path::new("f"), text), syntax).map(|parsed| parsed.root).map_err(|problem| problem.to_string())
}

/// What a tree is, in the words of JSON.
fn shown(node: &Plain) -> String {
    let list = |items: Vec<String>| items.join(",");
    match node {
        Plain::Null => "null".to_owned(),
        Plain::Bool(value) => value.to_string(),
        Plain::Number(number) => number.clone(),
        Plain::Text(text) => format!("{text:?}"),
        Plain::List(items) => format!("[{}]", list(items.iter().map(shown).collect())),
        Plain::Map(members) => {
            format!("{{{}}}", list(members.iter().map(|(key, value)| format!("{key:?}:{}", shown(value))).collect()))
        }
    }
}

#[test]
fn the_same_is_read_from_every_syntax() {
    let expected = r#"{"a":{"command":"x","args":["-y","1"],"n":5,"on":true}}"#;
    let texts = [
        (Syntax::Json, expected),
        (Syntax::Jsonc, "{ // c\n\"a\": {\"command\":\"x\",\"args\":[\"-y\",\"1\",],/* d */\"n\":5,\"on\":true,},}"),
        (Syntax::Toml, "[a]\ncommand = 'x'\nargs = [\"-y\", \"1\"]\nn = 5\non = true\n"),
        (Syntax::Yaml, "a:\n  command: x\n  args: [-y, '1']\n  n: 5 # c\n  on: true\n"),
        (Syntax::Yaml, "x: &x {command: x, args: [-y, \"1\"], n: 5, on: true}\n"),
    ];
    for (syntax, text) in texts {
        let read = shown(&tree(text, syntax).unwrap().plain());
        assert_eq!(read.replace("\"x\":{", "\"a\":{"), expected, "{text}");
    }
}

#[test]
fn what_is_no_valid_file_is_told_with_its_line_and_column() {
    let cases = [
        (Syntax::Json, "{\n  // c\n}", "f:2:3: a comment, which this host does not take"),
        (Syntax::Json, "{\"a\": [1,\n]}", "a comma before the closing bracket"),
        (Syntax::Json, "", "f:1:1: the file is empty"),
        (Syntax::Jsonc, "{\"a\" 1}", "f:1:6: no valid json: expected colon"),
        (Syntax::Jsonc, "{'a': 1}", "no valid json: single-quoted"),
        (Syntax::Jsonc, "{\"a\": 1", "no valid json: unterminated object; expected `,` or `}`"),
        (Syntax::Json, "{\n\"a\": 1,, \"b\": 2}", "f:2:8: no valid json: unexpected token in object; expected a key"),
        (Syntax::Json, "{\"a\": }", "expected a value: `{`, `[`"),
        (Syntax::Json, "{} {}", "expected nothing behind the first value"),
        (Syntax::Toml, "a = 1\nb = \n", "f:2:5: no valid toml"),
        (Syntax::Toml, "[a]\n[a]\n", "f:2:2: no valid toml: duplicate key"),
        (Syntax::Yaml, "a: [1\nb: 2", "no valid yaml"),
        (Syntax::Yaml, "a: 1\n---\nb: 2\n", "f:2:1: a second document"),
        (Syntax::Yaml, "b: &b 1\n<<: *b\n", "merges maps"),
    ];
    for (syntax, text, expected) in cases {
        let told = tree(text, syntax).map(|_| ()).unwrap_err();
        assert!(told.contains(expected), "{text:?}: {told}");
    }
}

#[test]
fn a_key_that_stands_twice_is_told_and_the_last_one_counts() {
    let source = Source::new(Path::new("f"), "{\"a\": 1,\n \"a\": 2}");
    let parsed = parse(&source, Syntax::Json).map_err(|problem| problem.to_string()).unwrap();
    assert_eq!(parsed.root.get("a").and_then(Node::number), Some(2.0));
    let told: Vec<String> = parsed.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["f:2:2: `a` stands here again, after line 1: this one counts"]);
}

#[test]
fn depth_number_and_what_aliases_stand_for_are_bounded() {
    let deep = |open: &str, close: &str| open.repeat(90_000) + &close.repeat(90_000);
    for (syntax, text) in [
        (Syntax::Json, deep("[", "]")),
        (Syntax::Json, deep("[", "]").chars().skip(89_700).take(600).collect()),
        (Syntax::Toml, format!("a = {}", deep("[", "]"))),
        (Syntax::Yaml, deep("[", "]")),
        (Syntax::Yaml, (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
    ] {
        assert!(tree(&text, syntax).is_err());
    }
    let many = format!("[{}1]", "1,".repeat(3_000_000));
    assert!(tree(&many, Syntax::Json).unwrap_err().contains("more than 500000 values"));
    let laughs = (1..9).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        let before = vec![format!("*a{}", n - 1); 9].join(", ");
        text + &format!("a{n}: &a{n} [{before}]\n")
    });
    assert!(tree(&laughs, Syntax::Yaml).unwrap_err().contains("more than 500000 values"));
}

#[test]
fn yaml_scalars_are_typed_by_the_core_schema() {
    let text = "[yes, 'true', true, ~, 1.5, 0x1f, 1e3, -7, 2026-01-01, !!str 5, \"\", 1_000, .5]";
    let read = shown(&tree(text, Syntax::Yaml).unwrap().plain());
    let expected = r#"["yes","true",true,null,1.5,"0x1f",1e3,-7,"2026-01-01","5","","1_000",.5]"#;
    assert_eq!(read, expected);
}
