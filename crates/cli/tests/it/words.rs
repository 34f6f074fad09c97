//! Words that the command meets a person with: names that are nearly right, and long texts.

use crate::config::{OWN, Person};
use crate::run::BOWLINE;

#[test]
fn what_is_piped_goes_through_no_pager_and_is_not_cut() {
    let long = "x".repeat(110);
    let person = Person::new()
        .with("home/.cursor/mcp.json", &format!(r#"{{"mcpServers":{{"n":{{"command":"c","args":["{long}"]}}}}}}"#));
    let env = [("PAGER", "sh -c 'touch paged'"), ("COLUMNS", "40"), ("LINES", "1")];
    let ran = person.run_with(&["config", "list"], &env);
    assert!(ran.stdout.contains(&long) && !person.path("project/paged").exists(), "{}", ran.stdout);
}

#[test]
fn a_name_that_is_nearly_one_is_suggested_whatever_it_names() {
    let person = Person::new().with(
        OWN,
        &format!("[servers.demo]\ncommand = '{BOWLINE}'\nargs = ['demo', '--serve']\n[groups]\nwork = ['demo']\n"),
    );
    for (words, wanted) in [
        (&["lst"][..], "'list'"),
        (&["list", "--resorces"], "'--resources'"),
        (&["list", "demoo"], "did you mean `demo`?"),
        (&["scan", "demoo"], "did you mean `demo`?"),
        (&["search", "x", "--server", "demoo"], "did you mean `demo`?"),
        (&["list", "--group", "wrk"], "did you mean `work`?"),
        (&["demo.ecko"], "did you mean `echo`? `bowline list demo`"),
        (&["call", "demo", "ecko"], "did you mean `echo`? `bowline list demo`"),
        (&["demo.echo", "mesage=x"], "did you mean `message`?"),
        (&["info", "demo.ecko"], "did you mean `echo`?"),
        (&["prompt", "demo", "reviw"], "did you mean `review`?"),
        (&["prompt", "demo", "review", "cod=x"], "did you mean `code`?"),
        (&["read", "demo", "demo://log-bok"], "did you mean `demo://log-book`?"),
        (&["man", "lst"], "did you mean `list`?"),
        (&["list", "demo", "--revision", "2025-06-19"], "did you mean `2025-06-18`?"),
    ] {
        let ran = person.run(words);
        assert!(ran.code != Some(0) && ran.stderr.contains(wanted), "{words:?}: {}", ran.stderr);
        let json: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let ran = person.run(&json);
        let hint = ran.json()["error"]["hint"].as_str().unwrap_or_default().to_owned();
        assert!(hint.contains(wanted), "{json:?}: {}", ran.stderr);
    }
}
