//! Talking with a model, which a mock provider stands for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command};

use bowline_testkit::llm::{AwsKeys, MockProvider, MockTurn};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::run::{Ran, Server, command};
use crate::terminal::typed;

/// The providers by the names that the command knows.
pub(crate) const PROVIDERS: [&str; 7] =
    ["anthropic", "openai", "openai-chat", "gemini", "mistral", "bedrock", "ollama"];

/// A provider, a server with the tool `t`, and a folder for what is kept.
struct World {
    provider: MockProvider,
    server: Server,
    _runtime: Runtime,
}

impl World {
    fn new(server: Server, turns: impl IntoIterator<Item = MockTurn>) -> Self {
        let runtime = Runtime::new().unwrap();
        let provider = runtime.block_on(MockProvider::start(turns)).unwrap();
        Self { provider, server, _runtime: runtime }
    }

    /// A server whose tool answers.
    fn answering(turns: impl IntoIterator<Item = MockTurn>) -> Self {
        Self::new(
            Server::new().tool("{}").answer("tools/call", r#"{"content":[{"type":"text","text":"forty-two"}]}"#),
            turns,
        )
    }

    fn command(&self, provider: &str, words: &[&str]) -> Command {
        let script = self.server.script();
        let (model, url) = (format!("{provider}/some-model"), self.provider.base_url(provider));
        let words: Vec<&str> = ["chat", "--model", &model, "--base-url", &url].iter().chain(words).copied().collect();
        let mut command = command(&words);
        command.args(["--", "sh", &script]).env("BOWLINE_STATE_DIR", self.server.folder().join("state"));
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.command(PROVIDERS[0], words).output().unwrap().into()
    }

    /// Without the word that everything is meant.
    fn run_unsure(&self, words: &[&str]) -> Ran {
        self.command(PROVIDERS[0], words).env_remove("BOWLINE_YES").output().unwrap().into()
    }

    /// What the provider was asked last.
    fn asked(&self) -> String {
        self.provider.requests().pop().unwrap().body.to_string()
    }

    fn calls(&self) -> usize {
        self.server.received().iter().filter(|message| message["method"] == "tools/call").count()
    }
}

fn call() -> MockTurn {
    MockTurn::call("server__t", "{}")
}

#[test]
fn a_question_is_answered_with_tools_in_each_format_streamed_and_not() {
    for provider in PROVIDERS {
        for way in [&[][..], &["--no-stream"]] {
            let world = World::answering([call(), MockTurn::say("It is 42.")]);
            let words: Vec<&str> = ["-p", "how many?", "--approve", "all"].iter().chain(way).copied().collect();
            let ran: Ran = world.command(provider, &words).output().unwrap().into();
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (Some(0), "It is 42.\n"),
                "{provider:?} {way:?} {}",
                ran.stderr
            );
            assert!(
                ran.stderr.contains("→ server__t {}") && ran.stderr.contains("✓ server__t: forty-two"),
                "{}",
                ran.stderr
            );
            assert_eq!(world.calls(), 1);
        }
    }
}

#[test]
fn without_a_terminal_calls_that_may_change_something_are_not_made() {
    for approve in [&[][..], &["--approve", "none"], &["--approve", "read-only"]] {
        let world = World::answering([call(), MockTurn::say("I may not.")]);
        let ran = world.run_unsure(&[&["-p", "go"], approve].concat());
        assert_eq!((ran.code, ran.stdout.as_str(), world.calls()), (Some(0), "I may not.\n", 0), "{}", ran.stderr);
        assert!(ran.stderr.contains("--approve all allows it"), "{approve:?}: {}", ran.stderr);
    }
    let world = World::answering([call(), MockTurn::say("Done.")]);
    assert_eq!((world.run_unsure(&["-p", "go", "--approve", "all"]).code, world.calls()), (Some(0), 1));
}

#[test]
fn a_tool_that_only_reads_goes_where_what_its_server_says_is_believed() {
    let list = r#"{"tools":[{"name":"t","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}"#;
    for (words, calls) in [(&["--approve", "read-only"][..], 1), (&["--trust"], 1), (&[], 0)] {
        let server = Server::new().answer("tools/list", list).answer("tools/call", r#"{"content":[]}"#);
        let world = World::new(server, [call(), MockTurn::say("Done.")]);
        let ran = world.run_unsure(&[&["-p", "go"], words].concat());
        assert_eq!((ran.code, world.calls()), (Some(0), calls), "{words:?}: {}", ran.stderr);
    }
}

#[test]
fn a_server_given_by_hand_is_behind_the_guard_as_everywhere() {
    let world = World::answering([call(), MockTurn::say("It was denied.")]);
    let file = |name: &str| world.server.folder().join(name).to_str().unwrap().to_owned();
    let (policy, audit, lock) = (file("p.toml"), file("audit.jsonl"), file("bowline.lock"));
    let run = |words: &[&str]| {
        let guard = ["-p", "go", "--approve", "all", "--policy", &policy, "--audit", &audit, "--lock", &lock];
        world.run(&[&guard[..], words].concat())
    };
    let rules = "default = 'allow'\n[[rule]]\nname = 'no t'\ntool = 't'\naction = 'deny'\n# end\n";
    std::fs::write(&policy, rules).unwrap();
    let ran = run(&[]);
    assert_eq!((ran.code, ran.stdout.as_str(), world.calls()), (Some(0), "It was denied.\n", 0), "{}", ran.stderr);
    assert!(world.asked().contains("denied by rule"), "{}", world.asked());
    assert!(std::fs::read_to_string(&audit).unwrap().contains("\"t\""));
    assert!(ran.stderr.contains("used for the first time; 1 tool pinned"), "{}", ran.stderr);
    assert!(std::fs::read_to_string(&lock).unwrap().contains("\"t\""));
    // A policy that cannot be read lets nothing be asked at all.
    std::fs::write(&policy, rules.replace("# end\n", "")).unwrap();
    let cut = run(&[]);
    assert_eq!(cut.code, Some(2), "{}", cut.stderr);
    assert!(cut.stderr.contains("the policy was cut"), "{}", cut.stderr);
}

#[test]
fn what_servers_ask_a_person_or_the_model_is_looked_at_by_the_guard() {
    let form = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"Your name?\u202e","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}"#;
    let sampling = r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"Your name?\u202e"}}],"maxTokens":10}}"#;
    for (method, request, shown) in
        [("elicitation/create", form, "asks"), ("sampling/createMessage", sampling, "Ask the model?")]
    {
        let world = World::new(Server::new().tool("{}").asks(request), [call(), MockTurn::say("Done.")]);
        let policy = world.server.folder().join("p.toml");
        let rules = "default = 'allow'\n[content.kinds]\nbidirectional-override = 'block'\n# end\n";
        std::fs::write(&policy, rules).unwrap();
        let words = ["-p", "go", "--sampling", "--no-pager", "--policy", policy.to_str().unwrap()];
        let ran = typed(world.command(PROVIDERS[0], &words), &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Done.\n"), "{}", ran.stderr);
        let told = format!("server: {method}: 1 finding, first high bidirectional-override");
        assert!(ran.stderr.contains(&told) && !ran.stderr.contains(shown), "{}", ran.stderr);
        let answer = world.server.answer_to_question();
        assert!(answer["error"].is_object() || answer["result"]["action"] == "decline", "{answer}");
    }
}

#[test]
fn what_is_piped_in_is_the_question_or_stands_behind_it() {
    for (words, asked) in
        [(&["-p", "sum up"][..], "sum up\n\nlong text\n"), (&[], "long text\n"), (&["-p", "-"], "long text\n")]
    {
        let world = World::answering([MockTurn::say("short")]);
        let mut command = world.command(PROVIDERS[0], words);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"long text\n").unwrap();
        let ran: Ran = child.wait_with_output().unwrap().into();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "short\n"), "{}", ran.stderr);
        let requests = world.asked();
        assert!(requests.contains(serde_json::to_string(asked).unwrap().trim_matches('"')), "{requests}");
    }
}

#[test]
fn an_answer_that_was_cut_is_not_on_standard_output() {
    let world =
        World::answering([MockTurn::say("It is forty-one, or so. ".repeat(20)).cut(), MockTurn::say("It is 42.")]);
    let ran = world.run(&["-p", "how many?"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "It is 42.\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("asked again"), "{}", ran.stderr);
}

#[test]
fn an_empty_answer_is_told_as_one() {
    let world = World::answering([MockTurn::say("")]);
    let ran = world.run(&["-p", "how many?"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("the model's answer is empty"), "{}", ran.stderr);
}

#[test]
fn with_json_each_event_is_a_line_and_the_last_one_is_done() {
    let world = World::answering([call(), MockTurn::say("It is 42.")]);
    let ran = world.run(&["-p", "go", "--approve", "all", "--json"]);
    let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert!(types.contains(&"call_begun") && types.contains(&"call_ended") && types.contains(&"text"), "{types:?}");
    let done = events.last().unwrap();
    assert_eq!(
        (done["type"].as_str(), done["text"].as_str(), done["end"].as_str()),
        (Some("done"), Some("It is 42."), Some("answered"))
    );
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}

#[test]
fn what_models_and_tools_say_is_made_harmless() {
    let server = Server::new()
        .tool("{}")
        .answer("tools/call", r#"{"content":[{"type":"text","text":"\u001b]0;owned\u0007x"}]}"#);
    let world = World::new(server, [call(), MockTurn::say("a\u{1b}[2Jb\u{202e}c")]);
    let ran = world.run(&["-p", "go", "--approve", "all"]);
    assert_eq!(ran.stdout, "ab\\u{202e}c\n", "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    // The guard tells of it, written out.
    let told = ran.stderr.lines().find(|line| line.contains("owned")).unwrap();
    assert!(told.contains("1 finding") && told.contains("\\u{1b}]0;owned\\u{7}"), "{}", ran.stderr);
    assert!(ran.stderr.contains("✓ server__t: x\n"), "{}", ran.stderr);
}

/// Starts the command, and waits until it tells that a call is made.
fn until_called(mut command: Command) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = command.spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("→ server__t") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended before");
    }
    (child, told)
}

#[test]
fn a_conversation_that_is_killed_in_the_middle_of_a_call_goes_on_and_sends_nothing_twice() {
    let world =
        World::new(Server::new().tool("{}").on("tools/call", ":"), [call(), MockTurn::say("It may have been done.")]);
    let (mut child, _told) = until_called(world.command(PROVIDERS[0], &["-p", "launch", "--approve", "all"]));
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = world.run(&["--resume", "-p", "and?", "--approve", "all"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "It may have been done.\n"), "{}", ran.stderr);
    let last = world.asked();
    for part in ["launch", "and?", "the program ended", "may have been carried out"] {
        assert!(last.contains(part), "{part}: {last}");
    }
    assert!(world.calls() <= 1, "{:?}", world.server.received());
}

#[test]
fn ctrl_c_tells_the_server_and_leaves_a_conversation_that_goes_on() {
    let world = World::new(Server::new().tool("{}").on("tools/call", ":"), [call(), MockTurn::say("Stopped, then.")]);
    let (child, _told) = until_called(world.command(PROVIDERS[0], &["-p", "launch", "--approve", "all"]));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let told = |message: &Value| message["method"] == "notifications/cancelled";
    assert!(world.server.received().iter().any(told), "{:?}", world.server.received());
    let ran = world.run(&["--resume", "-p", "never mind"]);
    assert_eq!(ran.stdout, "Stopped, then.\n", "{}", ran.stderr);
}

#[test]
fn each_way_to_have_no_model_says_what_to_do() {
    let run = |words: &[&str]| -> Ran {
        let mut command = command(words);
        for name in [
            "ANTHROPIC_API_KEY",
            "OPENAI_API_KEY",
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "MISTRAL_API_KEY",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ] {
            command.env_remove(name);
        }
        command.env("AWS_BEARER_TOKEN_BEDROCK", "k").output().unwrap().into()
    };
    for (words, code, told) in [
        (&["chat", "-p", "hi"][..], 2, "no model is named"),
        (&["chat", "-p", "hi", "--model", "nosuch/x"], 2, "names no provider"),
        (&["chat", "-p", "hi", "--model", "anthropic/x"], 3, "ANTHROPIC_API_KEY"),
        (&["chat", "-p", "hi", "--model", "bedrock/x"], 2, "AWS_REGION"),
        (&["chat", "-p", "hi", "--model", "ollama/x", "--key-env", "NO_SUCH_VARIABLE"], 2, "NO_SUCH_VARIABLE"),
        (&["chat", "--model", "ollama/x"], 2, "no terminal"),
        (&["chat", "-p", "hi", "--model", "ollama/x", "--sampling"], 2, "terminal"),
        (&["chat", "-p", "hi", "--model", "ollama/x", "--resume=nosuch"], 2, "no such conversation"),
        (&["chat", "-p", "hi", "--model", "ollama/x", "http://127.0.0.1:1/mcp", "notes"], 2, "stands alone"),
        (&["chat", "-p", "hi", "--model", "x", "--base-url", "http://127.0.0.1:1/v1", "--no-history"], 4, "127.0.0.1"),
    ] {
        let ran = run(words);
        assert_eq!(ran.code, Some(code), "{words:?} {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{words:?} {}", ran.stderr);
    }
}

#[test]
fn bedrock_is_asked_with_the_keys_of_an_account_where_it_has_no_key_of_its_own() {
    let world = World::answering([MockTurn::say("hello")]);
    world.provider.require_signature(AwsKeys::new("AKIDEXAMPLE", "hunter2", "eu-west-1").with_token("a-session"));
    let run = |secret: Option<&str>| -> Ran {
        let mut command = world.command("bedrock", &["-p", "hi", "--no-history"]);
        command.env_remove("AWS_BEARER_TOKEN_BEDROCK").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SESSION_TOKEN", "a-session");
        command.env("AWS_REGION", "eu-west-1").envs(secret.map(|secret| ("AWS_SECRET_ACCESS_KEY", secret)));
        command.output().unwrap().into()
    };
    let ran = run(Some("hunter2"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hello\n"), "{}", ran.stderr);
    for (secret, told) in [(Some("another"), "does not match"), (None, "AWS_SECRET_ACCESS_KEY is not")] {
        let ran = run(secret);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains(told) && !ran.stderr.contains("a-session"), "{}", ran.stderr);
    }
}

#[test]
fn a_provider_that_fails_ends_the_question_with_its_kind_and_no_key() {
    // Without --key-env an address of one's own gets no key at all.
    for (words, sent) in [(&["-p", "hi"][..], false), (&["-p", "hi", "--key-env", "MY_KEY"], true)] {
        let world = World::answering([MockTurn::say("hello")]);
        let mut command = world.command(PROVIDERS[1], words);
        let ran: Ran = command.env("OPENAI_API_KEY", "sk-real").env("MY_KEY", "sk-mine").output().unwrap().into();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let headers = format!("{:?}", world.provider.requests()[0].request);
        assert!(!headers.contains("sk-real") && headers.contains("sk-mine") == sent, "{headers}");
    }
    for (turn, code) in [(MockTurn::status(401), 3), (MockTurn::status(400), 9), (MockTurn::Html { code: 200 }, 9)] {
        let world = World::answering([turn]);
        let ran: Ran = world
            .command(PROVIDERS[0], &["-p", "hi", "--key-env", "MY_KEY"])
            .env("MY_KEY", "sk-hunter2")
            .output()
            .unwrap()
            .into();
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn on_a_terminal_a_person_talks_is_asked_and_leaves() {
    let world = World::answering([call(), MockTurn::say("It is 42.")]);
    let lines = &[
        ("/help tells", "/tols\r"),
        ("did you mean", "/tools\r"),
        (">", "how many?\r"),
        ("Call it?", ""),
        // Up from `No`.
        ("Change what it is given", "\x1b[A\x1b[A\r"),
        ("✓ server__t", "/quit\r"),
    ];
    let ran = typed(world.command(PROVIDERS[0], &["--no-pager", "--approve", "none"]), lines);
    let shown = ran.stderr;
    assert_eq!(ran.code, Some(0), "{shown}");
    assert!(ran.stdout.contains("server__t") && ran.stdout.ends_with("It is 42.\n"), "{}", ran.stdout);
    assert!(shown.contains("--resume="), "{shown}");
    assert_eq!(world.calls(), 1);
}
