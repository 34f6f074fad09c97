//! Many servers of a configuration at once.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use bowline_testkit::demo;
use bowline_testkit::http::MockHttp;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::config::{OWN, Person};
use crate::run::{Ran, command};

/// Two servers that work, one that ends at once, one that never existed, and one whose entry is broken.
const FLEET: &str = "\
[servers.notes]
command = 'sh'
args = ['SCRIPT']
[servers.work]
command = 'sh'
args = ['SCRIPT']
tools = { deny = ['secret_*'] }
[servers.dying]
command = 'sh'
args = ['-c', 'echo out of paper >&2; exit 3']
[servers.gone]
command = '/no/such/program'
[servers.blank]
command = 'sh'
args = ['${NOBODY_SETS_THIS}']
[servers.off]
command = '/no/such/program'
enabled = false
[groups]
desk = ['notes', 'work']
broken = ['dying', 'gone']
";

impl Person {
    /// Runs the command with a folder of its own for what it keeps.
    fn keeping(&self, words: &[&str]) -> Ran {
        let state = self.path("state");
        self.run_with(words, &[("BOWLINE_STATE_DIR", state.to_str().unwrap())])
    }
}

#[test]
fn the_tools_of_all_servers_are_listed_and_each_that_fails_is_told_with_its_reason() {
    let person = Person::new().with(OWN, FLEET);
    let ran = person.keeping(&["list", "--all"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, "notes.t()\nnotes.secret_t()\nwork.t()\n", "{}", ran.stderr);
    for (server, why) in
        [("dying", "out of paper"), ("gone", "/no/such/program"), ("blank", "${NOBODY_SETS_THIS} has no value")]
    {
        let is_told = |line: &&str| line.starts_with(&format!("warning: {server}: ")) && line.contains(why);
        assert_eq!(ran.stderr.lines().filter(is_told).count(), 1, "{server}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("warning: off:"), "{}", ran.stderr);

    let document = person.keeping(&["list", "--all", "--json"]).json();
    assert_eq!(document["servers"][0]["server"], "notes");
    assert_eq!(document["servers"][1]["tools"][0]["name"], "t");
    assert_eq!(document["failures"].as_array().unwrap().len(), 3);
    assert_eq!(document["failures"][2]["server"], "gone");
    assert_eq!(document["failures"][2]["error"]["kind"], "connect");

    let ran = person.keeping(&["list", "--group", "desk"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    assert_eq!(
        person.keeping(&["list", "--group", "desk", "--prompts"]).stderr,
        "the servers of the group `desk` list none\n"
    );
    // Where nobody answers there is nothing to show.
    let ran = person.keeping(&["list", "--group", "broken"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
    let ran = person.keeping(&["list", "--group", "dsk"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("did you mean `desk`?"), "{}", ran.stderr);
    // What is for one server is not given to all.
    for words in
        [&["list", "--all", "-H", "K: v"][..], &["list", "--all", "-e", "K=v"], &["list", "notes", "--group", "desk"]]
    {
        assert_eq!(person.keeping(words).code, Some(2), "{words:?}");
    }
}

#[test]
fn a_search_answers_out_of_what_is_kept_before_any_server_has_started() {
    let person = Person::new().with(OWN, FLEET);
    let ran = person.keeping(&["search", "secret"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "notes.secret_t\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: gone: "), "{}", ran.stderr);
    let asked = person.server.received().len();
    // Nobody is asked now, and what is not known is said.
    let ran = person.keeping(&["search", "secret"]);
    assert_eq!(ran.stdout, "notes.secret_t\n", "{}", ran.stderr);
    assert_eq!(ran.stderr, "warning: nothing is known yet of blank, dying, gone; --refresh asks all servers\n");
    let ran = person.keeping(&["grep", "*t", "--group", "desk"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("notes.secret_t\nnotes.t\nwork.t\n", ""));
    assert_eq!(person.keeping(&["grep", "work.*"]).stdout, "work.t\n");
    assert_eq!(person.keeping(&["grep", "*t", "--limit", "1"]).stdout.lines().count(), 1);
    let none = person.keeping(&["search", "t", "--group", "desk", "--read-only"]);
    assert_eq!((none.code, none.stdout.as_str(), none.stderr.as_str()), (Some(0), "", "no tool is found\n"));
    let document = person.keeping(&["search", "secret", "--server", "notes", "--json"]).json();
    assert_eq!(document["hits"][0]["server"], "notes");
    assert_eq!(document["hits"][0]["fields"], json!(["name"]));
    assert_eq!((&document["unknown"], &document["failures"]), (&json!([]), &json!([])));
    assert_eq!(person.server.received().len(), asked, "nobody is asked");
    // An entry that is another one now is not searched by what the old one had.
    let person = person.with(OWN, &FLEET.replace("[servers.notes]\n", "[servers.notes]\ntools = { deny = ['t'] }\n"));
    let ran = person.keeping(&["search", "secret", "--group", "desk"]);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("nothing is known yet of notes"), "{}", ran.stderr);
    let ran = person.keeping(&["search", "secret", "--group", "desk", "--refresh"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("notes.secret_t\n", ""));
}

#[test]
fn what_is_kept_of_servers_and_is_damaged_is_said_and_made_anew() {
    let person = Person::new().with(OWN, FLEET).with("state/state.redb", "garbage");
    let ran = person.keeping(&["search", "secret", "--group", "desk"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "notes.secret_t\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("state.redb was damaged, and is set aside"), "{}", ran.stderr);
    let ran = person.keeping(&["search", "secret", "--group", "desk"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("notes.secret_t\n", ""));
    assert!(fs::read_dir(person.path("state")).unwrap().count() > 1, "the damaged one is set aside");
}

#[test]
fn a_call_goes_to_the_replica_that_is_there_and_through_the_layers() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MockHttp::new(demo::server()).start()).unwrap();
    let text = format!(
        "[servers.demo]\nurl = 'http://127.0.0.1:1/mcp'\npool = {{ replicas = [{{ url = '{}', weight = 1000 }}] }}\n\
         layers = {{ retry = true, breaker = true, limits = {{ at_once = 2 }}, cache = true, hedge = true }}\n",
        server.url("/mcp")
    );
    let person = Person::new().with(OWN, &text);
    for words in [&["call", "demo.echo", "message=hi"][..], &["demo.echo", "message=hi"]] {
        let ran = person.keeping(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{}", ran.stderr);
    }
    let ran = person.keeping(&["list", "--all"]);
    assert!(ran.stdout.starts_with("demo.echo(message: string)\n"), "{}{}", ran.stdout, ran.stderr);
    // Settings that make no sense are told before anything is sent.
    let text = "[servers.demo]\nurl = 'http://127.0.0.1:1/mcp'\nlayers = { cache = { ttl = '48h' } }\n";
    let ran = person.with(OWN, text).keeping(&["call", "demo.echo", "message=hi"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("layers.cache"), "{}", ran.stderr);
}

#[test]
fn a_policy_is_kept_as_the_servers_own_rules_are() {
    let text = "[servers.notes]\ncommand = 'sh'\nargs = ['SCRIPT']\npolicy = 'careful'\n[policies.careful]\n";
    let person = Person::new().with(OWN, &format!("{text}deny = ['secret_*']\n"));
    assert_eq!(person.keeping(&["list", "notes"]).stdout, "t()\n");
    assert_eq!(person.keeping(&["list", "--all"]).stdout, "notes.t()\n");
    assert_eq!(person.keeping(&["call", "notes.secret_t"]).code, Some(6));
    let person = person.with(OWN, &format!("{text}read_only = true\n"));
    for words in [&["call", "notes.t"][..], &["call", "notes.t", "--args-json", "{}"]] {
        let ran = person.keeping(words);
        assert!(ran.code == Some(6) && ran.stderr.contains("only read"), "{}", ran.stderr);
    }
    assert!(person.server.params("tools/call").is_none());
    assert_eq!(person.keeping(&["list", "--all"]).stdout, "");
}

/// Whether nothing runs under this id: what nobody has waited for yet has ended all the same.
fn has_ended(pid: &str) -> bool {
    let told = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    let state = String::from_utf8(told.stdout).unwrap();
    state.trim().is_empty() || state.trim_start().starts_with('Z')
}

#[test]
fn an_interrupt_leaves_no_server_behind_that_was_still_being_connected() {
    const SERVERS: usize = 8;
    let person = Person::new();
    // They neither answer nor mind the end of their input, nor a polite word.
    let script = "echo \"pid $$\" >&2; trap '' TERM; while :; do sleep 1000; done";
    let servers: String =
        (0..SERVERS).map(|n| format!("[servers.s{n}]\ncommand = 'sh'\nargs = ['-c', {script:?}]\n")).collect();
    let person = person.with(OWN, &servers);
    for signal in ["-INT", "-TERM"] {
        let mut command = command(&["list", "--all", "-v", "--connect-timeout", "5m"]);
        command.env("HOME", person.path("home")).current_dir(person.path("project"));
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut pids = Vec::new();
        while pids.len() < SERVERS {
            let line = lines.next().expect("the command goes on").unwrap();
            pids.extend(line.split_once("pid ").map(|(_, pid)| pid.trim().to_owned()));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        // They are killed by then, and the system takes its time over that.
        let until = Instant::now() + Duration::from_secs(30);
        let mut left = pids.clone();
        while !left.is_empty() && Instant::now() < until {
            left.retain(|pid| !has_ended(pid));
            thread::sleep(Duration::from_millis(20));
        }
        assert!(left.is_empty(), "{signal}: {left:?} of {pids:?}");
    }
}
