//! What keeps servers from working, planted one by one.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::SystemTime;

use bowline_testkit::demo;
use bowline_testkit::http::{HttpServer, MockHttp, Reply};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::config::{OWN, Person};
use crate::run::{BOWLINE, Ran, command};

/// The findings of this severity, as JSON.
fn findings(ran: &Ran, severity: &str) -> Vec<Value> {
    let all = ran.json()["findings"].as_array().unwrap().clone();
    all.into_iter().filter(|finding| finding["severity"] == severity).collect()
}

/// The one finding of a check that is an error.
fn the_error(ran: &Ran, check: &str) -> Value {
    let mut errors = findings(ran, "error");
    errors.retain(|finding| finding["check"] == check);
    assert_eq!(errors.len(), 1, "{}{}", ran.stdout, ran.stderr);
    errors.remove(0)
}

fn says(finding: &Value, member: &str, words: &str) {
    assert!(finding[member].as_str().is_some_and(|text| text.contains(words)), "{member}: {finding}");
}

/// An address of this machine at which nobody listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn with_url(url: &str) -> Person {
    Person::new().with(OWN, &format!("[servers.web]\nurl = \"{url}\"\n"))
}

const NOTES: &str = "[servers.notes]\ncommand = \"sh\"\nargs = [\"SCRIPT\"]\n";

#[test]
fn where_all_is_well_each_check_says_what_it_saw() {
    let person = Person::new().with(OWN, NOTES);
    let ran = person.run(&["doctor"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("fine     server         notes: answers, with 2 tools\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 file with servers, and no error"), "{}", ran.stdout);
    assert!(ran.stderr.contains("no error, 0 warnings"), "{}", ran.stderr);
    let ran = person.run(&["doctor", "notes", "--json"]);
    assert_eq!((ran.code, &ran.json()["errors"]), (Some(0), &Value::from(0)), "{}", ran.stdout);
    // Without any configuration it says where to begin.
    let ran = Person::new().run(&["doctor"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("bowline demo needs none"), "{}", ran.stdout);
}

#[test]
fn offline_nothing_is_started() {
    let person = Person::new().with(OWN, NOTES);
    let ran = person.run(&["doctor", "--offline", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(person.server.received().is_empty());
}

#[test]
fn a_server_that_is_named_on_the_line_is_looked_at_alone() {
    let person = Person::new().with("home/.cursor/mcp.json", "{ broken");
    let script = person.server.script();
    let ran = person.run(&["doctor", "--json", "--", "sh", &script]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let ran = person.run(&["doctor", &format!("http://{}/mcp", nobody()), "--json"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    says(&the_error(&ran, "server"), "message", "cannot connect");
}

#[test]
fn without_node_the_servers_that_want_it_are_named_and_how_to_get_it() {
    let person = Person::new().with(
        OWN,
        "[servers.files]\ncommand = \"npx\"\nargs = [\"-y\", \"x\"]\n[servers.py]\ncommand = \"uvx\"\nargs = [\"y\"]\n",
    );
    let empty = person.path("empty");
    fs::create_dir_all(&empty).unwrap();
    let ran = person.run_with(&["doctor", "--json"], &[("PATH", empty.to_str().unwrap())]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let errors = findings(&ran, "error");
    let about = |name: &str| errors.iter().find(|finding| finding["subject"] == name).unwrap();
    assert_eq!(errors.len(), 2, "{}", ran.stdout);
    says(about("files"), "message", "`npx` is not in PATH");
    assert_eq!(about("files")["line"], 1);
    assert!(about("files")["fix"].as_str().is_some_and(|fix| fix.contains("node")), "{errors:?}");
    says(about("py"), "fix", "uv");
    // What no server wants is no error.
    let notes = findings(&ran, "note");
    assert!(notes.iter().any(|finding| finding["subject"] == "Python"), "{notes:?}");
}

#[test]
fn a_proxy_that_is_none_or_does_not_answer_is_named_without_its_password() {
    let person = Person::new().with(OWN, NOTES);
    let dead = format!("http://me:hunter2@{}", nobody());
    let ran = person.run_with(&["doctor", "--json"], &[("HTTPS_PROXY", &dead), ("NO_PROXY", ""), ("no_proxy", "")]);
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    let error = the_error(&ran, "proxy");
    assert_eq!(error["subject"], "HTTPS_PROXY");
    says(&error, "message", "nobody takes connections at 127.0.0.1:");
    says(&error, "fix", "unset HTTPS_PROXY");
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
    assert!(findings(&ran, "warning").iter().any(|finding| finding["subject"] == "NO_PROXY"), "{}", ran.stdout);

    let ran =
        person.run_with(&["doctor", "--json"], &[("http_proxy", "socks5://me:hunter2@h:1080"), ("NO_PROXY", "*")]);
    says(&the_error(&ran, "proxy"), "message", "neither http:// nor https://");
    assert!(!ran.stdout.contains("hunter2") && findings(&ran, "warning").is_empty(), "{}", ran.stdout);
}

#[test]
fn a_dead_server_is_named_with_its_place_and_the_others_are_asked() {
    let person = Person::new().with(OWN, &format!("{NOTES}[servers.web]\nurl = \"http://{}/mcp\"\n", nobody()));
    let person = person.with(
        "home/.cursor/mcp.json",
        r#"{"mcpServers":{"ends":{"command":"sh","args":["-c","echo the disk is gone >&2; exit 3"]}}}"#,
    );
    let ran = person.run(&["doctor", "--json"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    let errors = findings(&ran, "error");
    let about = |name: &str| errors.iter().find(|finding| finding["subject"] == name).unwrap();
    says(about("web"), "message", "cannot connect");
    says(about("web"), "fix", "bowline config explain web");
    assert_eq!(about("web")["line"], 4);
    says(about("ends"), "message", "the disk is gone");
    says(about("ends"), "fix", "bowline ping ends -v");
    assert!(findings(&ran, "fine").iter().any(|finding| finding["subject"] == "notes"), "{}", ran.stdout);
    // This machine is not the network.
    assert!(errors.iter().all(|finding| finding["check"] != "network"), "{}", ran.stdout);
}

#[test]
fn a_broken_file_is_named_with_line_and_column() {
    let person = Person::new()
        .with(OWN, "[servers.web]\nurl = \"http://h.example/mcp\"\ntimout = \"5s\"\n")
        .with("home/.cursor/mcp.json", "{\n // no\n}");
    let ran = person.run(&["doctor", "--offline", "--json"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    let errors = findings(&ran, "error");
    assert!(errors.iter().any(|f| f["line"] == 2 && f["column"] == 2), "{errors:?}");
    let slip = errors.iter().find(|finding| finding["subject"] == "web").unwrap();
    assert_eq!((&slip["line"], slip["file"].as_str().unwrap().ends_with("bowline.toml")), (&Value::from(3), true));
    says(slip, "message", "timout");
    says(slip, "fix", "bowline config check");
}

#[test]
fn what_is_off_or_not_trusted_is_not_started() {
    let project = r#"{"mcpServers":{"theirs":{"command":"sh","args":["SCRIPT"]}}}"#;
    let person = Person::new().with(OWN, &format!("{NOTES}enabled = false\n")).with("project/.mcp.json", project);
    let ran = person.run(&["doctor", "--json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let warnings = findings(&ran, "warning");
    says(warnings.iter().find(|finding| finding["subject"] == "theirs").unwrap(), "fix", "bowline config trust");
    let notes = findings(&ran, "note");
    says(notes.iter().find(|finding| finding["subject"] == "notes").unwrap(), "fix", "bowline config enable notes");
    assert!(person.server.received().is_empty());
}

/// A server whose clock is so many seconds before the right one, and knows no MCP.
fn clock(runtime: &Runtime, seconds: i64) -> HttpServer {
    let now = i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let there = jiff::Timestamp::from_second(now + seconds).unwrap();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&there).unwrap();
    let reply = move |_| std::future::ready(Reply::status(404).with("date", &date));
    runtime.block_on(HttpServer::start(reply)).unwrap()
}

#[test]
fn a_clock_that_is_wrong_by_an_hour_is_told_by_those_of_servers() {
    let runtime = Runtime::new().unwrap();
    let server = clock(&runtime, 3_600);
    let ran = with_url(&server.url("/mcp")).run(&["doctor", "--json"]);
    let error = the_error(&ran, "clock");
    says(&error, "message", "60 min behind that of 127.0.0.1");
    assert!(error["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{error}");

    let server = runtime.block_on(MockHttp::new(demo::server()).start()).unwrap();
    let ran = with_url(&server.url("/mcp")).run(&["doctor", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
}

#[test]
fn a_folder_that_is_full_or_none_is_named() {
    let person = Person::new().with(OWN, NOTES).with("state", "no folder");
    let ran = person.run(&["doctor", "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let errors = findings(&ran, "error");
    says(errors.iter().find(|f| f["check"] == "folder").unwrap(), "fix", "BOWLINE_STATE_DIR");

    // No file of this process may be longer than some blocks, as on a disk that is full.
    let person = Person::new().with(OWN, NOTES);
    let mut limited = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" doctor --offline --json";
    limited.args(["-c", script, BOWLINE]).env_clear();
    for (name, value) in command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))) {
        limited.env(name, value);
    }
    limited.env("HOME", person.path("home")).current_dir(person.path("project")).env("PATH", "/bin:/usr/bin");
    limited.env("BOWLINE_STATE_DIR", person.path("state"));
    let ran: Ran = limited.output().unwrap().into();
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let error = the_error(&ran, "folder");
    says(&error, "fix", "df -h");
    // Nothing of the attempt is left.
    assert_eq!(fs::read_dir(person.path("state")).unwrap().count(), 0);
}

#[test]
fn a_key_for_logins_that_is_none_is_named() {
    let person = with_url("https://mcp.example/mcp");
    let ran = person.run_with(&["doctor", "--offline", "--json"], &[("BOWLINE_STORE_KEY", "hunter2")]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    let error = the_error(&ran, "login");
    says(&error, "fix", "BOWLINE_STORE_KEY");
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
}
