//! Servers by the names that they have in configuration files.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::run::{Ran, Server, command};

const OK: &str = r#"{"content":[{"type":"text","text":"done"}]}"#;

/// A person with a home and a project, both empty.
pub(crate) struct Person {
    pub(crate) server: Server,
}

impl Person {
    pub(crate) fn new() -> Self {
        let server = Server::new()
            .answer(
                "tools/list",
                r#"{"tools":[{"name":"t","inputSchema":{"type":"object"}},{"name":"secret_t","inputSchema":{"type":"object"}}]}"#,
            )
            .answer("tools/call", OK)
            .answer("ping", "{}")
            .answer("resources/list", r#"{"resources":[]}"#)
            .answer("resources/templates/list", r#"{"resourceTemplates":[]}"#)
            .answer("prompts/list", r#"{"prompts":[]}"#);
        Self::with_server(server)
    }

    /// One whose server answers so.
    pub(crate) fn with_server(server: Server) -> Self {
        let this = Self { server };
        for folder in ["home/.cursor", "project"] {
            fs::create_dir_all(this.path(folder)).unwrap();
        }
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.server.folder().join(name)
    }

    /// Writes a file in which `SCRIPT` stands for the server's script.
    pub(crate) fn with(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("SCRIPT", &self.server.script())).unwrap();
        self
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, &[])
    }

    pub(crate) fn run_with(&self, words: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut command = command(words);
        command.env("HOME", self.path("home")).current_dir(self.path("project"));
        // Pins are by name, and others have servers of the same.
        command.env("BOWLINE_STATE_DIR", self.path("state")).envs(env.iter().copied());
        command.output().unwrap().into()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

const CURSOR: &str = r#"{"mcpServers":{"notes":{"command":"sh","args":["SCRIPT"],"env":{"KEY":"${env:MY_KEY}"}}}}"#;
pub(crate) const OWN: &str = "home/.config/bowline/bowline.toml";

#[test]
fn a_configured_name_stands_wherever_a_server_does() {
    let person = Person::new().with("home/.cursor/mcp.json", CURSOR);
    let env = [("MY_KEY", "s3cret")];
    for words in [
        &["list", "notes"][..],
        &["notes"],
        &["info", "notes", "t"],
        &["info", "notes.t"],
        &["ping", "notes"],
        &["call", "notes.t"],
        &["call", "notes/t", "--args-json", "{}"],
        &["call", "notes", "t"],
        &["notes.t", "a=b", "--json"],
        &["--json", "notes.t"],
        &["inspect", "notes"],
    ] {
        let ran = person.run_with(words, &env);
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
        assert!(!ran.stdout.contains("s3cret") && !ran.stderr.contains("s3cret"), "{words:?}");
    }
    assert_eq!(person.run_with(&["call", "notes.t"], &env).stdout, "done\n");
}

#[test]
fn a_file_that_is_named_and_not_there_is_an_error_and_a_variables_is_not() {
    let person = Person::new().with("home/.cursor/mcp.json", CURSOR);
    for words in [
        &["list", "notes"][..],
        &["list"],
        &["notes"],
        &["notes.t"],
        &["nosuch"],
        &["scan"],
        &["config", "list"],
        &["config", "show", "notes"],
    ] {
        for file in ["/no/such.json", "/"] {
            let words = [&["--config", file], words].concat();
            let ran = person.run_with(&words, &[("MY_KEY", "k")]);
            assert_eq!(ran.code, Some(2), "{words:?}: {}", ran.stderr);
            assert!(ran.stderr.contains(&format!("--config {file}: ")), "{words:?}: {}", ran.stderr);
        }
    }
    let json = person.run(&["--json", "--config", "/no/such.json", "notes.t"]).json();
    assert_eq!(json["error"]["message"], "--config /no/such.json: there is no such file");
    let env = [("BOWLINE_CONFIG", "/no/such.json"), ("MY_KEY", "k")];
    assert_eq!(person.run_with(&["notes.t"], &env).code, Some(0));
    // These tell of it themselves.
    for words in [&["config", "check"][..], &["config", "path"]] {
        let ran = person.run(&[words, &["--config", "/no/such.json"]].concat());
        assert!(ran.stdout.contains("/no/such.json"), "{words:?}: {} {}", ran.stdout, ran.stderr);
    }
}

#[test]
fn what_variables_give_to_other_servers_is_not_given_to_a_configured_one() {
    let person = Person::new();
    let server = person.path("tell.sh");
    fs::write(&server, format!("printf '%s' \"$MINE-$OTHERS\" >\"$0.env\"\nexec sh {}\n", person.server.script()))
        .unwrap();
    let text = json!({"mcpServers": {"n": {"command": "sh", "args": [server], "env": {"MINE": "a"}}}}).to_string();
    let person = person.with("home/.cursor/mcp.json", &text);
    let ran = person.run_with(&["list", "n"], &[("BOWLINE_ENV", "OTHERS=b"), ("BOWLINE_CWD", "/no/such/folder")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(person.text("tell.sh.env"), "a-");
    assert_eq!(person.run(&["list", "n", "-e", "OTHERS=b"]).code, Some(0));
    assert_eq!(person.text("tell.sh.env"), "a-b");
}

#[test]
fn a_missing_variable_and_an_unknown_name_are_usage_errors_that_say_what_to_do() {
    let person = Person::new().with("home/.cursor/mcp.json", CURSOR);
    let ran = person.run(&["list", "notes"]);
    assert_eq!(ran.code, Some(2));
    for word in ["mcp.json:1:", "${env:MY_KEY} has no value", "`env.KEY` of `notes`"] {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
    let ran = person.run(&["list", "note"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("did you mean `notes`?"), "{}", ran.stderr);
    // A verb that is misspelt is one still.
    let ran = person.run(&["lst"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("unrecognized subcommand"), "{}", ran.stderr);
}

#[test]
fn what_a_project_names_runs_once_its_folder_is_trusted() {
    let person = Person::new().with("project/.mcp.json", &CURSOR.replace("${env:MY_KEY}", "x"));
    let ran = person.run(&["list", "notes"]);
    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    assert!(ran.stderr.contains("bowline config trust") && ran.stderr.contains(".mcp.json:1"), "{}", ran.stderr);
    assert!(person.run(&["config", "list"]).stdout.contains("(not trusted)"));
    assert_eq!(person.run(&["config", "trust"]).code, Some(0));
    let ran = person.run(&["list", "notes"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn tools_that_the_configuration_denies_are_neither_listed_nor_called() {
    let person = Person::new()
        .with("home/.cursor/mcp.json", &CURSOR.replace("${env:MY_KEY}", "x"))
        .with(OWN, "[servers.notes]\ntools = { deny = ['secret_*'] }\n");
    let ran = person.run(&["list", "notes"]);
    assert!(ran.stdout.contains("t(") && !ran.stdout.contains("secret_t"), "{}", ran.stdout);
    let ran = person.run(&["call", "notes.secret_t", "--json"]);
    assert_eq!((ran.code, ran.json()["error"]["kind"].as_str()), (Some(6), Some("denied")));
    assert!(person.server.params("tools/call").is_none());
}

#[test]
fn a_server_is_added_used_switched_and_removed() {
    let person = Person::new();
    let script = person.server.script();
    let ran = person.run(&["add", "notes", "-e", "KEY=env:MY_KEY", "--", "sh", &script]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(person.text(OWN).contains("env = { KEY = \"${MY_KEY}\" }"), "{}", person.text(OWN));
    let ran = person.run_with(&["call", "notes.t"], &[("MY_KEY", "s3cret")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "done\n"), "{}", ran.stderr);

    let again = person.run(&["add", "notes", "https://h/mcp"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("already") && again.stderr.contains("--force"), "{}", again.stderr);

    assert_eq!(person.run(&["config", "disable", "notes"]).code, Some(0));
    let off = person.run(&["list", "notes"]);
    assert!(off.code == Some(2) && off.stderr.contains("bowline config enable notes"), "{}", off.stderr);
    assert_eq!(person.run(&["config", "enable", "notes"]).code, Some(0));
    assert_eq!(person.run(&["remove", "notes"]).code, Some(0));
    assert_eq!(person.run(&["list", "notes"]).code, Some(2));
    assert_eq!(person.run(&["remove", "notes"]).code, Some(2));
}

#[test]
fn a_server_is_added_in_the_words_of_any_host() {
    let person = Person::new();
    let words = ["add", "tickets", "https://tickets.example/mcp", "-H", "X-Key: env:KEY", "--host"];
    for (host, file, expected) in [
        ("cursor", "home/.cursor/mcp.json", "${env:KEY}"),
        ("codex", "home/.codex/config.toml", "env_http_headers = { X-Key = \"KEY\" }"),
        ("claude-code", "home/.claude.json", "${KEY}"),
    ] {
        let ran = person.run(&[&words[..], &[host]].concat());
        assert_eq!(ran.code, Some(0), "{host}: {}", ran.stderr);
        assert!(person.text(file).contains(expected), "{host}: {}", person.text(file));
    }
    // Where the secret itself would have to stand there is no entry.
    let ran = person.run(&[&words[..], &["zed"]].concat());
    assert!(ran.code == Some(2) && ran.stderr.contains("${KEY}"), "{}", ran.stderr);
    let ran = person.run(&["add", "p", "--host", "vscode", "--scope", "project", "--", "srv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(person.text("project/.vscode/mcp.json").contains("\"type\": \"stdio\""));
}

#[test]
fn options_that_do_not_fit_are_refused_before_anything_is_written() {
    let person = Person::new();
    for words in [
        &["add", "x"][..],
        &["add", "x", "not-a-url"],
        &["add", "x", "https://h", "--", "srv"],
        &["add", "x", "https://h", "-e", "K=v"],
        &["add", "x", "-H", "K: v", "--", "srv"],
        &["add", "x", "https://h", "--host", "claude-desktop"],
        &["add", "x", "https://h", "--host", "nobody"],
        &["add", " ", "https://h"],
    ] {
        assert_eq!(person.run(words).code, Some(2), "{words:?}");
    }
    assert!(!person.path(OWN).exists());
}

#[test]
fn where_everything_comes_from_is_told_without_secrets() {
    let person = Person::new()
        .with(
            "home/.cursor/mcp.json",
            r#"{"mcpServers":{"w":{"url":"https://u:s3cret@h/mcp?k=s3cret","headers":{"A":"Bearer s3cret"}}}}"#,
        )
        .with("home/.gemini/settings.json", r#"{"mcpServers":{"w":{"command":"other"}}}"#)
        .with(OWN, "[servers.w]\ntimeout = '5s'\n");
    for words in
        [&["config", "list"][..], &["list"], &["config", "show", "w"], &["config", "explain", "w"], &["config", "path"]]
    {
        for json in [false, true] {
            let words: Vec<&str> = words.iter().copied().chain(json.then_some("--json")).collect();
            let ran = person.run(&words);
            assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
            assert!(!ran.stdout.contains("s3cret"), "{words:?}: {}", ran.stdout);
            if json {
                ran.json();
            }
        }
    }
    let explained = person.run(&["config", "explain", "w"]).stdout;
    assert!(explained.contains("timeout = 5s") && explained.contains("bowline.toml:2:11"), "{explained}");
    assert!(explained.contains("not used: gemini"), "{explained}");
    let shown = person.run(&["config", "show", "w"]).stdout;
    assert!(shown.contains("headers.A Bearer (hidden)"), "{shown}");
}

#[test]
fn check_tells_every_problem_with_its_place_and_the_others_go_on() {
    let person = Person::new()
        .with("home/.cursor/mcp.json", "{\n // no\n}")
        .with("home/.gemini/settings.json", r#"{"mcpServers":{"g":{"command":"x"},"bad":{"type":"pigeon"}}}"#);
    let ran = person.run(&["config", "check"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.contains("mcp.json:2:2: error: a comment"), "{}", ran.stdout);
    assert!(ran.stdout.contains("[bad]: `type` is `pigeon`"), "{}", ran.stdout);
    let documents = person.run(&["config", "check", "--json"]).json();
    assert_eq!(documents[0]["line"], json!(2));
    assert!(person.run(&["config", "list"]).stdout.starts_with("g  "));
    // Fine, where there is nothing.
    assert_eq!(Person::new().run(&["config", "check"]).code, Some(0));
}

#[test]
fn servers_are_copied_from_and_to_other_hosts() {
    let person = Person::new().with("home/.cursor/mcp.json", CURSOR);
    let dry = person.run(&["config", "import", "--dry-run"]);
    assert!(dry.code == Some(0) && dry.stdout.contains("notes would be imported"), "{}", dry.stderr);
    assert!(!person.path(OWN).exists());
    assert_eq!(person.run(&["config", "import", "--from", "cursor"]).code, Some(0));
    assert!(person.text(OWN).contains("${MY_KEY}"));
    let ran = person.run(&["config", "export", "--to", "gemini", "notes"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(person.text("home/.gemini/settings.json").contains("${MY_KEY}"));
    let ran = person.run(&["config", "export", "--to", "zed"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("is left out"), "{}", ran.stderr);
}

#[test]
fn a_named_file_wins_and_inputs_are_answered_on_the_line() {
    let text = r#"{"inputs":[{"id":"k","type":"promptString"}],"servers":{"v":{"command":"sh","args":["SCRIPT","${input:k}"]}}}"#;
    let person = Person::new().with("given.json", text);
    let given = person.path("given.json").to_string_lossy().into_owned();
    let ran = person.run(&["--config", &given, "v"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("--input ID=VALUE"), "{}", ran.stderr);
    let ran = person.run(&["list", "v", "--config", &given, "--input", "k=env:HOME"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = person.run_with(&["v", "--input", "k=1"], &[("BOWLINE_CONFIG", &given)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
