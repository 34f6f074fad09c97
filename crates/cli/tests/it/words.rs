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
        (&["config", "export", "--to", "vscod"], "did you mean `vscode`?"),
        (&["remove", "demoo"], "did you mean `demo`?"),
        (&["man", "lst"], "did you mean `list`?"),
        (&["list", "demo", "--revision", "2025-06-19"], "did you mean `2025-06-18`?"),
    ] {
        let ran = person.run(words);
        assert!(ran.code != Some(0) && ran.stderr.contains(wanted), "{words:?}: {}", ran.stderr);
        let json: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let ran = person.run(&json);
        let error = ran.json()["error"].clone();
        let told = |member: &str| error[member].as_str().is_some_and(|text| text.contains(wanted));
        assert!(told("hint") || told("message"), "{json:?}: {}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_meant_is_a_usage_error_and_nothing_is_started() {
    let person = Person::new();
    let script = person.server.script();
    let person = person.with(OWN, &format!("[servers.s]\ncommand = 'sh'\nargs = ['{script}']\n"));
    for words in [
        &["call", "s.t", "=x"][..],
        &["call", "s.t", "a:={"],
        &["call", "s.t", "--args-file", "/"],
        &["call", "s.t", "--args-json", "[1]"],
        &["call", ""],
        &["call", "s."],
        &["call", ".t"],
        &["list", "s", "--timeout", "0"],
        &["list", "s", "--timeout", "5parsecs"],
        &["list", "s", "--output", "xml"],
        &["list", "s", "http://127.0.0.1:1/"],
        &["info", "s.t", "more", "words"],
        &["ping", "s", "--count", "0"],
        &["ping", "s", "--count=-1"],
        &["watch", "s", "--for", "1e400s"],
        &["bench", "s.t", "--concurrency", "0"],
        &["complete", "s", "x", "y"],
        &["completions", "tcsh"],
        &["config", "show", ""],
        &["remove", ""],
        &["add", "n\n", "--", "x"],
        &["doctor", ""],
        &["doctor", "http://"],
        &["doctor", "s", "--", "sh"],
        &["man", ""],
        &["man", "list", "--dir", "x"],
        &["replay", "/dev/null"],
    ] {
        let ran = person.run(words);
        assert_eq!(ran.code, Some(2), "{words:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("error: "), "{words:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{words:?}: {}", ran.stderr);
    }
    assert!(person.server.received().is_empty());
}

#[test]
fn a_url_with_a_password_is_shown_without_it() {
    let ran = Person::new().run(&["doctor", "http://me:hunter2@127.0.0.1:1/mcp?key=hunter2", "--json"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"), "{}{}", ran.stdout, ran.stderr);
}
