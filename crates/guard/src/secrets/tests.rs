use super::*;
use proptest::prelude::*;
use serde_json::json;

const KEY: &str = "aB3dE6gH9jK2aB3dE6gH9jK2aB3dE6gH9jK2";

fn raw(value: &serde_json::Value) -> RawJson {
    RawJson::from_serialize(value).unwrap()
}

#[test]
fn what_is_redacted_stays_json_and_the_secret_is_gone() {
    let params = raw(
        &json!({"name": "t", "arguments": {"a": [format!("x ghp_{KEY} \"y\"\n")], "password": "hunter2!x", "n": 1}}),
    );
    let inspected = Secrets::default().check(&params);
    let changed = inspected.changed.unwrap();
    assert_eq!(
        changed.to_value(),
        json!({"name": "t", "arguments": {"a": ["x [redacted github token] \"y\"\n"], "password": "[redacted password]", "n": 1}})
    );
    let told = format!("{:?} {}", inspected.findings, inspected.findings[0]);
    assert!(!told.contains(KEY) && !told.contains("hunter2"), "{told}");
    let places: Vec<_> = inspected.findings.iter().map(|finding| (finding.rule, finding.place.as_str())).collect();
    assert_eq!(places, [("github-token", "/arguments/a/0"), ("password", "/arguments/password")]);
}

#[test]
fn a_blocked_call_says_where_and_not_what() {
    let params = raw(&json!({"arguments": {"text": format!("glpat-{KEY}")}}));
    let inspected = Secrets::new(Rules::default().with_action(Action::Block)).check(&params);
    let why = inspected.blocked.unwrap();
    assert!(why.contains("gitlab token") && why.contains("/arguments/text") && !why.contains(KEY), "{why}");
    assert!(inspected.changed.is_none());
}

#[test]
fn what_stands_behind_an_option_of_a_command_line_is_its_value() {
    let look = |value: &serde_json::Value| Secrets::default().check(&raw(value)).changed.map(|json| json.to_value());
    let gone = "[redacted password]";
    for (before, after) in [
        (json!(["--token", "abc123def456", "x"]), json!(["--token", gone, "x"])),
        (json!([["-v", "--db-password", "letmein"], "letmein"]), json!([["-v", "--db-password", gone], "letmein"])),
        (json!(["--password", 12345678]), json!(["--password", gone])),
        (json!({"cmd": "mysql --password hunter2!x"}), json!({"cmd": format!("mysql --password {gone}")})),
    ] {
        assert_eq!(look(&before), Some(after), "{before}");
    }
    for clean in [
        json!(["--token", {"a": "abc123def456"}, "abc123def456"]),
        json!(["--token-file", "abc123def456"]),
        json!(["--token"]),
        json!([["--token"], "abc123def456"]),
        json!(["--max-tokens", "4096000"]),
        json!(["--auth=api_key", "abc123def456"]),
        json!([["--token"], [null, "abc123def456"]]),
        json!([["--token"], [true, "abc123def456"], "x"]),
        json!({"a": "--token", "b": "abc123def456"}),
    ] {
        assert_eq!(look(&clean), None, "{clean}");
    }
}

#[test]
fn what_a_tool_is_to_have_goes_out() {
    let params = raw(&json!({"arguments": {"githubToken": format!("ghp_{KEY}")}}));
    let secrets = Secrets::new(Rules::default().with_allowed("*Token"));
    let inspected = secrets.check(&params);
    assert!(inspected.findings.is_empty() && inspected.changed.is_none());
}

#[test]
fn ordinary_arguments_are_clean() {
    let params = raw(&json!({"name": "write_file", "arguments": {
        "path": "/home/me/src/components/Button.test.tsx",
        "content": "fn main() {\n    let token = next_token();\n    println!(\"{}\", password.len());\n}\n",
        "commit": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "url": "https://example.com:8443/a?b=c#d",
        "token_count": "4096000",
        "sql": "SELECT password FROM users WHERE id = 1",
        "password": "required",
    }}));
    let inspected = Secrets::default().check(&params);
    assert_eq!(inspected.findings, []);
}

#[test]
fn what_is_only_random_is_noted() {
    let params = raw(&json!({"arguments": {"id": "wJalrXUtnFEMI7K7MDENGbPxRfiCYzzKQ3k9"}}));
    let inspected = Secrets::default().check(&params);
    assert_eq!((inspected.findings[0].rule, inspected.findings[0].severity), ("high-entropy", Severity::Low));
    assert!(inspected.changed.is_none());
}

#[test]
fn text_for_logs_has_no_secret_whatever_the_rules_say() {
    let secrets = Secrets::new(Rules::default().with_action(Action::Note));
    let text = format!("sent ghp_{KEY} to https://u:pa55word@h/");
    let redacted = secrets.redact_text(&text).unwrap();
    assert_eq!(redacted, "sent [redacted github token] to https://u:[redacted password in url]@h/");
    assert_eq!(secrets.redact_text("nothing here"), None);
}

#[test]
fn json_for_the_record_has_no_secret_that_a_name_tells() {
    let secrets = Secrets::new(Rules::default().with_action(Action::Note).with_allowed("*"));
    let text = json!({"dbPassword": "ab\"cdefgh9", "api_key": "wJalrXUtnFEMI7K7MDENGbPxRfiCYzzKQ3k9", "x": [{"sessionCookie": "c00kie-value"}]});
    let redacted = secrets.redact_text(&text.to_string()).unwrap();
    for secret in ["cdefgh", "wJalr", "c00kie"] {
        assert!(!redacted.contains(secret), "{redacted}");
    }
    assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok());
}

#[test]
fn a_named_value_goes_as_a_whole() {
    let key = "wJalrXUtnFEMI7K7MDENGbPxRfiCYzzKQ3k9";
    let params = raw(&json!({"arguments": {"api_key": key, "secret": format!("my ghp_{KEY} and more")}}));
    let changed = Secrets::default().check(&params).changed.unwrap().to_value();
    assert_eq!(changed["arguments"], json!({"api_key": "[redacted password]", "secret": "[redacted github token]"}));
}

#[test]
fn what_a_name_says_is_secret_goes_however_long_and_wherever_it_stands() {
    let opaque = |len: usize| "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3".chars().cycle().take(len).collect::<String>();
    let all = json!({
        "access_token": opaque(1_200),
        "cookie": format!("sid={}; theme=dark", opaque(1_000)),
        "client_secret": opaque(600),
        "password": {"value": "hunter2!x", "type": "string"},
        "new_password": 12_345_678,
        "db": {"password": "letmein", "passwordConfirm": "letmein"},
        "passwords": ["hunter2!x"],
        "env": [{"name": "DB_PASSWORD", "value": "hunter2!x"}, {"value": "hunter2!x", "key": "API_TOKEN"}],
    });
    let changed = Secrets::default().check(&raw(&all)).changed.unwrap().to_value();
    let gone = "[redacted password]";
    assert_eq!(
        changed,
        json!({
            "access_token": gone, "cookie": gone, "client_secret": gone,
            "password": {"value": gone, "type": "string"},
            "new_password": gone,
            "db": {"password": gone, "passwordConfirm": gone},
            "passwords": [gone],
            "env": [{"name": "DB_PASSWORD", "value": gone}, {"value": gone, "key": "API_TOKEN"}],
        })
    );
}

#[test]
fn a_credential_that_is_a_key_goes_too() {
    let text = format!(r#"{{"ghp_{KEY}":1,"p":{{"password=hunter2!x":[]}}}}"#);
    let inspected = Secrets::default().check(&text.parse().unwrap());
    let changed = inspected.changed.unwrap();
    assert_eq!(changed.as_str(), r#"{"[redacted github token]":1,"p":{"password=[redacted password]":[]}}"#);
    let places: Vec<_> = inspected.findings.iter().map(|finding| finding.place.as_str()).collect();
    assert_eq!(places, ["/[redacted github token]", "/p/password=[redacted password]"]);
}

#[test]
fn what_is_said_about_passwords_is_clean() {
    let params = raw(&json!({
        "schema": {"type": "object", "required": ["password"], "properties": {
            "password": {"type": "string", "description": "The password of the user, at least 8 characters", "format": "password"},
            "token": {"type": "string", "title": "Token", "examples": ["opaque"], "value": "string"},
        }},
        "labels": {"password": "Passwort", "token": "Token"},
        "password": "required",
        "tokens": [50_256, 1_234_567],
        "token": 1_234_567,
        "max_tokens": 4_096_000,
        "token_value": 50,
        "passwordLength": 12_345_678,
        "password_min": 123_456,
        "credentials": "same-origin",
        "authorization": "optional",
        "endpoints": {"token": "https://as.example/oauth2/v2/token"},
        "env": [{"name": "PWD", "value": "/home/me/project"}, {"name": "password", "value": "required"}],
        "pwd": "/home/me/project",
        "cell": {"key": "A1", "value": "hunter2!x"},
    }));
    assert_eq!(Secrets::default().check(&params).findings, []);
}

#[test]
fn half_a_character_hides_nothing() {
    let params: RawJson = format!(r#"{{"a":"\\ud800 ghp_{KEY}"}}"#).replace("\\\\", "\\").parse().unwrap();
    let inspected = Secrets::default().check(&params);
    assert_eq!(inspected.findings.len(), 1);
}

#[test]
fn rules_with_an_unknown_word_are_refused() {
    assert!(serde_json::from_str::<Rules>(r#"{"knwon":"block"}"#).is_err());
    let rules: Rules = serde_json::from_str(r#"{"known":"block","allow":["x*"]}"#).unwrap();
    assert_eq!((rules.known, rules.named), (Action::Block, Action::Redact));
}

proptest! {
    #[test]
    fn what_goes_out_is_json_without_the_secret(before in ".{0,20}", after in "[^a-zA-Z0-9_-].{0,20}") {
        let text = format!("{before} ghp_{KEY}{after}");
        let inspected = Secrets::default().check(&raw(&json!({"a": {"b": [text]}})));
        let changed = inspected.changed.expect("something was redacted");
        prop_assert!(serde_json::from_str::<serde_json::Value>(changed.as_str()).is_ok());
        prop_assert!(!changed.as_str().contains(KEY));
    }
}
