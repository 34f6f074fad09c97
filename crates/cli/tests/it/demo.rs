//! The first look.

use serde_json::json;

use crate::run::{BOWLINE, bowline};

#[test]
fn the_demo_shows_every_feature_and_ends_well() {
    let ran = bowline(&["demo"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    for shown in [
        "Connect",
        "echo(message: string)",
        "ahoy",
        "{\"sum\":5}",
        "5 reports of progress",
        "Cast off",
        "user:",
        "ruby",
        "it asks: What is your name?",
        "Welcome aboard, Ada.",
        "A knot that holds",
        "a folder for the demo",
        "resource updated demo://log-book",
        "the anchor dragged",
    ] {
        assert!(ran.stdout.contains(shown), "{shown}: {}", ran.stdout);
    }
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}

#[test]
fn the_demo_as_json_is_one_document() {
    let ran = bowline(&["demo", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(document["server"]["name"], "bowline-demo");
    assert!(document["steps"].as_array().unwrap().len() >= 12, "{document}");
}

#[test]
fn the_demo_server_serves_every_other_command() {
    let serve = ["--", BOWLINE, "demo", "--serve"];
    let run = |words: &[&str]| bowline(&[words, &serve[..]].concat());
    let ran = run(&["call", "echo", "message=hi"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{}", ran.stderr);
    assert!(run(&["list"]).stdout.starts_with("echo(message: string)\n"));
    assert!(run(&["list", "--all"]).stdout.contains("demo://knots/{name}"));
    assert!(run(&["read", "demo://log-book"]).stdout.contains("Cast off"));
    assert!(run(&["prompt", "review", "code=x"]).stdout.contains("user:\nReview this code"));
    assert_eq!(run(&["complete", "prompt:review", "language=ru"]).stdout, "rust\nruby\n");
    assert_eq!(run(&["call", "add", "a=2", "b=3", "--json"]).json()["structuredContent"], json!({"sum": 5}));
    assert_eq!(run(&["call", "fail"]).code, Some(5));
    assert!(run(&["ping", "--count", "2"]).stdout.lines().all(|line| line.starts_with("bowline-demo answered in ")));
    let ran = run(&["call", "ask-name"]);
    assert_eq!(ran.stdout, "Welcome aboard, whoever you are.\n");
    assert!(ran.stderr.contains("declined"), "{}", ran.stderr);
}
