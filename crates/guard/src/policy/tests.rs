//! Tests of policies.

use bowline_protocol::{RawJson, ToolAnnotations};
use jiff::Timestamp;

use super::*;

fn policy(text: &str) -> Policy {
    format!("{text}\n# end\n").parse().unwrap()
}

fn refused(text: &str) -> PolicyError {
    format!("{text}\n# end").parse::<Policy>().unwrap_err()
}

fn params(arguments: &str) -> RawJson {
    format!("{{\"name\":\"t\",\"arguments\":{arguments}}}").parse().unwrap()
}

/// A file of more than a policy may have.
fn large(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("large.toml");
    std::fs::write(&path, "#\n".repeat(600_000)).unwrap();
    path
}

#[test]
fn the_first_rule_that_fits_decides() {
    let policy = policy(
        "default = 'deny'\n[[rule]]\ntool = 'delete_*'\naction = 'ask'\n[[rule]]\nserver = ['files', 'mail']\naction = 'allow'",
    );
    let judge = |server, tool| policy.judge(&Subject::tool(server, tool));
    let verdict = judge("files", "delete_all");
    assert_eq!((verdict.action, verdict.rule.as_deref()), (Action::Ask, Some("#1")));
    assert_eq!(judge("mail", "send").action, Action::Allow);
    assert_eq!(judge("web", "send"), Verdict::of(Action::Deny));
}

#[test]
fn a_policy_that_is_cut_edited_or_newer_is_refused_with_line_and_column() {
    for (text, line, column, says) in [
        ("version = 2\nshiny = true", 1, 11, "version 2"),
        ("version = 0", 1, 11, "no version"),
        ("version = 1\n[[rule]]\naction = 'al", 3, 13, ""),
        ("[[rule]]\naction = 'allow'\ntools = 'x'", 3, 1, "unknown field `tools`"),
        ("[[rule]]\naction = 'perhaps'", 2, 10, "perhaps"),
        ("[[rule]]\ntool = 'x'", 1, 1, "missing field `action`"),
        ("[[rule]]\naction = 'deny'\ntool = []", 3, 8, "empty list"),
        ("[[rule]]\naction = 'deny'\nhours = '25:00-26:00'", 3, 9, "08:00-18:00"),
        ("[[rule]]\naction = 'deny'\ndays = ['someday']", 3, 8, "mon"),
        ("zone = 'Mars/Base'", 1, 8, "time zone"),
        ("[[rule]]\naction = 'deny'\nargument = [{ pointer = 'path' }]", 3, 25, "slash"),
        ("[[rule]]\naction = 'deny'\nargument = [{ pointer = '/p', regex = '(' }]", 3, 39, "regular expression"),
        ("[[rule]]\naction = 'deny'\nargument = [{ pointer = '/p', max = nan }]", 3, 12, "nan"),
        ("[[rule]]\naction = 'deny'\nargument = [{ pointer = '/p', not = true }]", 3, 12, "there is none"),
        ("[[rule]]\naction = 'deny'\nargument = [{ pointer = '/p' }]", 3, 12, "needs a test"),
        ("[[rule]]\naction = 'deny'\nargument = [{ pointer = '/p', regex = '(\\w{500}){500}' }]", 3, 39, "regular"),
        ("[[rule]]\naction = 'allow'\nlimit = { calls = 0, per = 'minute' }", 3, 19, "nonzero"),
        ("[pins]\nchange = 'shrug'", 2, 10, "shrug"),
        (format!("[[rule]]\nname = '{}'\naction = 'deny'", "x".repeat(201)).as_str(), 2, 8, "200 bytes"),
    ] {
        let error = refused(text);
        assert_eq!((error.line(), error.column()), (line, column), "{text}: {error}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
    assert!(Policy::open("/no/such/policy").unwrap_err().to_string().contains("/no/such/policy"));
    let folder = tempfile::tempdir().unwrap();
    for (path, why) in [(folder.path(), "it is no file"), (&*large(folder.path()), "too large")] {
        let error = Policy::open(path).unwrap_err();
        assert_eq!(error.line(), 0);
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_policy_that_is_cut_anywhere_is_refused_with_the_line() {
    let text = "version = 1\ndefault = 'allow'\n[[rule]]\naction = 'allow'\nserver = 'ours'\n[[rule]]\naction = 'deny'\n# end\n";
    policy(text);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for keep in 0..lines.len() - 1 {
        let error = lines[..keep].concat().parse::<Policy>().unwrap_err();
        assert_eq!((error.line(), error.to_string().contains("was cut")), (keep.max(1), true), "{error}");
    }
}

#[test]
fn a_value_of_another_kind_is_let_through_by_no_rule_and_past_none() {
    let of = |action: &str, condition: &str, arguments: &str| {
        let default = if action == "allow" { "deny" } else { "allow" };
        let text = format!("default = '{default}'\n[[rule]]\naction = '{action}'\nargument = [{condition}]");
        let params = params(arguments);
        policy(&text).judge(&Subject::tool("s", "t").with_params(&params)).action
    };
    for (condition, arguments) in [
        ("{ pointer = '/cmd', regex = 'rm' }", r#"{"cmd":["rm","-rf","/"]}"#),
        ("{ pointer = '/cmd', glob = 'rm*' }", r#"{"cmd":{"0":"rm"}}"#),
        ("{ pointer = '/cmd', equals = 'rm' }", r#"{"cmd":["rm"]}"#),
        ("{ pointer = '/cmd', min = 1000 }", r#"{"cmd":"5000"}"#),
        ("{ pointer = '/cmd', regex = '\\.\\.', not = true }", r#"{"cmd":["../x"]}"#),
        // Nor one whose parent is another.
        ("{ pointer = '/options/recursive', equals = true }", r#"{"options":"{\"recursive\":true}"}"#),
        ("{ pointer = '/options/recursive', equals = true }", r#"{"options":[{"recursive":true}]}"#),
        ("{ pointer = '/options/recursive', present = true }", r#"{"options":7}"#),
        ("{ pointer = '/options/recursive', present = false }", r#"{"options":"{\"recursive\":true}"}"#),
        ("{ pointer = '/path', glob = '/home/*' }", r#""{\"path\":\"/home/me\"}""#),
        ("{ pointer = '/flags', equals = ['-r', 1] }", r#"{"flags":["-r","1"]}"#),
        // Nor one that stands twice, or its parent.
        ("{ pointer = '/path', glob = '/home/*' }", r#"{"path":"/etc/shadow","path":"/home/me"}"#),
        ("{ pointer = '/path', glob = '/home/*' }", r#"{"path":"/home/me"},"arguments":{"path":"/home/me"}"#),
    ] {
        assert_eq!(of("deny", condition, arguments), Action::Deny, "{condition}");
        assert_eq!(of("ask", condition, arguments), Action::Ask, "{condition}");
        assert_eq!(of("allow", condition, arguments), Action::Deny, "{condition}");
    }
}

#[test]
fn patterns_of_tools_prompts_and_resources_are_for_their_own() {
    let policy = policy(
        "default = 'deny'\n[[rule]]\ntool = '*'\naction = 'allow'\n[[rule]]\nprompt = 'p'\naction = 'allow'\n\
         [[rule]]\nresource = 'file:///home/*'\naction = 'allow'",
    );
    for (method, name, goes) in [
        ("tools/call", "f", true),
        ("prompts/get", "f", false),
        ("prompts/get", "p", true),
        ("resources/read", "file:///etc/shadow", false),
        ("resources/read", "file:///home/me", true),
        ("com.example/f", "f", false),
    ] {
        let action = policy.judge(&Subject::of("s", method, Some(name))).action;
        assert_eq!(action == Action::Allow, goes, "{method} {name}");
    }
}

#[test]
fn another_spelling_of_a_uri_is_let_through_by_no_rule_and_past_none() {
    let of = |action: &str, pattern: &str, uri: &str| {
        let default = if action == "allow" { "deny" } else { "allow" };
        let text = format!("default = '{default}'\n[[rule]]\naction = '{action}'\nresource = '{pattern}'");
        policy(&text).judge(&Subject::of("s", "resources/read", Some(uri))).action
    };
    for uri in
        ["file:///etc/shadow", "file:///home/%2e%2e/etc/shadow", "FILE:///etc/./shadow", "file://localhost/etc/shadow"]
    {
        assert_eq!(of("deny", "file:///etc/*", uri), Action::Deny, "{uri}");
        assert_eq!(of("ask", "file:///etc/*", uri), Action::Ask, "{uri}");
        assert_eq!(of("allow", "file:///home/*", uri), Action::Deny, "{uri}");
    }
    for (pattern, uri) in [
        ("file:///etc/shadow", "file:/etc/shadow"),
        ("file:///etc/shadow", "file:///etc/shadow#x"),
        ("file:///etc/shadow", "file:///etc/%2e/shadow?x#y"),
        ("https://h/*", "https://me@H:443/x"),
        ("https://h/a", "https://h./a?"),
    ] {
        assert_eq!(of("deny", pattern, uri), Action::Deny, "{uri}");
        assert_eq!(of("allow", pattern, uri), Action::Deny, "{uri}");
    }
    for (pattern, uri) in [
        ("file:///home/*", "file:///home/a%20b"),
        ("file:///home/a%20b", "file:///home/a%20b"),
        ("https://Host.example/*", "https://Host.example/a?q=%2e%2e"),
        ("note:*", "note:%2e%2e"),
    ] {
        assert_eq!(of("allow", pattern, uri), Action::Allow, "{pattern} {uri}");
    }
    for (pattern, uri) in [
        ("*://internal:443/*", "https://INTERNAL:443/x"),
        ("*://internal:443/*", "https://internal/x"),
        ("https://internal:*/x", "https://INTERNAL:443/x"),
        ("https://internal:*/x", "https://internal/x"),
        ("http*://internal/x", "https://internal:443/x"),
        ("https://internal/x", "https://internal:0443/x"),
        ("https://internal/x", "https://internal:/x"),
    ] {
        assert_eq!(of("deny", pattern, uri), Action::Deny, "{pattern} {uri}");
        assert_eq!(of("ask", pattern, uri), Action::Ask, "{pattern} {uri}");
        assert_eq!(of("allow", pattern, uri), Action::Deny, "{pattern} {uri}");
    }
    for (pattern, uri, action) in [
        ("*://h:443/*", "https://h:443/x", Action::Allow),
        ("https://h:*/x", "https://h:443/x", Action::Allow),
        ("https://h/*", "https://h/x", Action::Allow),
        ("https://h:*/x", "https://h:443@evil/x", Action::Deny),
    ] {
        assert_eq!(of("allow", pattern, uri), action, "{pattern} {uri}");
    }
    assert_eq!(of("deny", "https://internal:443/*", "https://internal:444/x"), Action::Allow);
}

#[test]
fn arguments_are_looked_at_by_pointer() {
    let text = |conditions: &str| format!("default = 'deny'\n[[rule]]\naction = 'allow'\nargument = [{conditions}]");
    for (conditions, arguments, fits) in [
        ("{ pointer = '/n', min = 1, max = 10 }", r#"{"n":10}"#, true),
        ("{ pointer = '/n', min = 1, max = 10 }", r#"{"n":10.5}"#, false),
        ("{ pointer = '/n', max = 10 }", r#"{"n":"3"}"#, false),
        ("{ pointer = '/n', max = 10 }", "{}", false),
        ("{ pointer = '/n', equals = 3 }", r#"{"n":3.0}"#, true),
        ("{ pointer = '/a/0/b~1c', equals = true }", r#"{"a":[{"b/c":true}]}"#, true),
        ("{ pointer = '/p', glob = '/home/*' }", r#"{"p":"/home/me"}"#, true),
        ("{ pointer = '/p', glob = ['/a', '/b'] }", r#"{"p":"/b"}"#, true),
        ("{ pointer = '/p', glob = '/home/*', not = true }", r#"{"p":"/home/me"}"#, false),
        ("{ pointer = '/p', glob = '/home/*', not = true }", r#"{"p":"/etc"}"#, true),
        // What is not there fits no test, turned round or not.
        ("{ pointer = '/p', glob = '/home/*', not = true }", "{}", false),
        ("{ pointer = '/p', present = false }", "{}", true),
        ("{ pointer = '/p', present = false }", r#"{"p":null}"#, false),
        ("{ pointer = '/p', regex = '^[a-z]+$' }", r#"{"p":"abc"}"#, true),
        ("{ pointer = '/p', regex = '^[a-z]+$' }", r#"{"p":["abc"]}"#, false),
        ("{ pointer = '', equals = {} }", "{}", true),
        ("{ pointer = '/a', equals = { b = [1, 2.5] } }", r#"{"a":{"b":[1.0,2.5]}}"#, true),
        ("{ pointer = '/a', equals = { b = [1, 2.5] } }", r#"{"a":{"b":[2.5,1]}}"#, false),
        ("{ pointer = '/a', equals = [1] }", r#"{"a":[1,1]}"#, false),
        ("{ pointer = '/n', equals = 9007199254740993 }", r#"{"n":9007199254740992}"#, false),
        ("{ pointer = '/n', glob = '22' }", r#"{"n":2.2e1}"#, true),
        ("{ pointer = '/a/b', present = false }", r#"{"a":null}"#, true),
        ("{ pointer = '/a/1', present = false }", r#"{"a":[1]}"#, true),
    ] {
        let (policy, params) = (policy(&text(conditions)), params(arguments));
        let action = policy.judge(&Subject::tool("s", "t").with_params(&params)).action;
        assert_eq!(action == Action::Allow, fits, "{conditions} {arguments}");
    }
}

#[test]
fn a_name_in_another_case_is_let_through_by_no_rule_and_past_none() {
    let of = |action: &str, arguments: &str| {
        let text = format!(
            "default = 'ask'\n[[rule]]\naction = '{action}'\nargument = [{{ pointer = '/options/path', glob = '/home/*' }}]"
        );
        policy(&text).judge(&Subject::tool("s", "t").with_params(&params(arguments))).action
    };
    for arguments in [
        r#"{"options":{"path":"/home/a","PATH":"/etc/shadow"}}"#,
        r#"{"options":{"path":"/home/a"},"Options":{"path":"/etc/shadow"}}"#,
        r#"{"Options":{"path":"/etc/shadow"}}"#,
        r#"{"option\u017f":{"path":"/etc/shadow"}}"#,
    ] {
        assert_eq!((of("allow", arguments), of("deny", arguments)), (Action::Ask, Action::Deny), "{arguments}");
    }
    let usual = r#"{"options":{"path":"/home/a","paths":[],"X":1},"x":2}"#;
    assert_eq!((of("allow", usual), of("deny", usual)), (Action::Allow, Action::Deny));
}

#[test]
fn arguments_that_cannot_be_read_are_let_through_by_no_rule_and_past_none() {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let raw = serde_json::value::RawValue::from_string(format!("{{\"arguments\":{{\"a\":{deep}}}}}")).unwrap();
    let params = RawJson::from(raw);
    let subject = Subject::tool("s", "t").with_params(&params);
    let of = |action: &str, default: &str| {
        let text = format!(
            "default = '{default}'\n[[rule]]\naction = '{action}'\nargument = [{{ pointer = '/b', present = true }}]"
        );
        policy(&text).judge(&subject).action
    };
    assert_eq!((of("allow", "ask"), of("deny", "allow")), (Action::Ask, Action::Deny));
}

#[test]
fn what_a_server_says_counts_where_it_is_trusted() {
    let policy = policy(
        "default = 'ask'\ntrust = 'ours-*'\n[[rule]]\nname = 'reads'\nread_only = true\naction = 'allow'\n\
         [[rule]]\ndestructive = true\naction = 'deny'",
    );
    let (reads, adds) = (
        ToolAnnotations::new().with_read_only_hint(true),
        ToolAnnotations::new().with_read_only_hint(false).with_destructive_hint(false),
    );
    let judge = |annotations, server| {
        policy.judge(&Subject::tool(server, "t").with_annotations(Some(annotations), policy.trusts(server))).action
    };
    assert_eq!((judge(&reads, "ours-1"), judge(&adds, "ours-1")), (Action::Allow, Action::Ask));
    // Whoever is not trusted is taken to destroy.
    assert_eq!((judge(&reads, "theirs"), judge(&adds, "theirs")), (Action::Deny, Action::Deny));
    let explained = policy.explain(&Subject::tool("theirs", "t").with_annotations(Some(&reads), false));
    assert!(explained.to_string().contains("where it is trusted"), "{explained}");
}

#[test]
fn hours_and_days_are_those_of_the_zone() {
    let policy = policy(
        "default = 'deny'\nzone = 'UTC'\n[[rule]]\naction = 'allow'\nhours = '22:00-06:00'\n[[rule]]\naction = 'ask'\ndays = ['thu']",
    );
    let judge = |at: &str| {
        let seconds = at.parse::<Timestamp>().unwrap().as_second();
        let at = std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap());
        policy.judge(&Subject::tool("s", "t").with_time(at)).action
    };
    assert_eq!(judge("2026-11-26T23:00:00Z"), Action::Allow);
    assert_eq!(judge("2026-11-27T05:59:59Z"), Action::Allow);
    assert_eq!(judge("2026-11-26T06:00:00Z"), Action::Ask);
    assert_eq!(judge("2026-11-27T06:00:00Z"), Action::Deny);
}

#[tokio::test(start_paused = true)]
async fn a_limit_lets_so_many_through_and_says_when_the_next() {
    let policy = policy("default = 'deny'\n[[rule]]\naction = 'allow'\nlimit = { calls = 2, per = 'minute' }");
    let subject = Subject::tool("s", "t");
    assert_eq!([policy.judge(&subject).action, policy.judge(&subject).action], [Action::Allow; 2]);
    // To explain counts nothing, and a clone counts on.
    assert_eq!(policy.explain(&subject).action, Action::Allow);
    let verdict = policy.clone().judge(&subject);
    assert_eq!((verdict.action, verdict.retry_after), (Action::Deny, Some(Duration::from_secs(60))));
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(policy.judge(&subject).action, Action::Deny);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!([policy.judge(&subject).action, policy.judge(&subject).action], [Action::Allow; 2]);
    // To look counts nothing either, and what is counted is what goes.
    let policy = self::policy("[[rule]]\naction = 'allow'\nlimit = { calls = 1, per = 'hour' }");
    let (one, other) = (policy.look(&subject), policy.look(&subject));
    policy.count(&one).unwrap();
    assert_eq!(policy.count(&other).unwrap_err().retry_after, Some(Duration::from_secs(3_600)));
    assert_eq!(policy.look(&subject).action, Action::Deny);
    policy.give_back(&one);
    assert_eq!(policy.look(&subject).action, Action::Allow);
}

#[test]
fn callers_and_methods_are_told_apart() {
    let policy = policy(
        "default = 'allow'\n[[rule]]\ncaller = 'ci'\naction = 'deny'\n[[rule]]\nmethod = 'resources/*'\naction = 'ask'",
    );
    let subject = Subject::of("s", "resources/read", Some("file:///a"));
    assert_eq!(policy.judge(&subject.with_caller(Some("ci"))).action, Action::Deny);
    assert_eq!(policy.judge(&subject).action, Action::Ask);
    assert_eq!(policy.judge(&Subject::tool("s", "t").with_caller(Some("me"))).action, Action::Allow);
}

#[test]
fn the_policy_of_the_binary_is_what_it_says() {
    let policy = Policy::read_only();
    assert_eq!(policy.explain(&Subject::tool("s", "t")).near.len(), 1);
    for (method, action) in [
        ("resources/read", Action::Allow),
        ("resources/subscribe", Action::Allow),
        ("prompts/get", Action::Allow),
        ("tools/call", Action::Ask),
        ("tasks/cancel", Action::Ask),
        ("com.example/own", Action::Ask),
    ] {
        assert_eq!(policy.judge(&Subject::of("s", method, Some("x"))).action, action, "{method}");
    }
    assert_eq!((policy.on_change(), policy.on_new()), (OnChange::Block, OnNew::Pin));
}
