//! Runs of the command, and small servers for it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

pub(crate) const BOWLINE: &str = env!("CARGO_BIN_EXE_bowline");

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The command with these words, without a terminal and without input.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(BOWLINE);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BOWLINE_")) {
        command.env_remove(name);
    }
    // What is called here is meant, and nobody is there to be asked.
    command.env("BOWLINE_YES", "1");
    // Logins of whoever runs the tests are not theirs to use.
    command.env("BOWLINE_STATE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-state"));
    // Whoever runs the tests has servers of their own.
    command.env("HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/nobody")).env_remove("XDG_CONFIG_HOME");
    command
}

pub(crate) fn bowline(words: &[&str]) -> Ran {
    command(words).output().unwrap().into()
}

/// The command as a server over HTTP, which ends with this.
pub(crate) struct Serving {
    child: Child,
    url: String,
}

/// Starts the command with these words, whose first line of output is its URL.
pub(crate) fn serve(words: &[&str]) -> Serving {
    let mut child = command(words).stderr(Stdio::null()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    Serving { child, url: url.trim().to_owned() }
}

impl Serving {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Where a test says nothing else, its server knows only the handshake.
const OLDER: &str = r#"  *'"method":"server/discover"'*)
   printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}\n' "$id" ;;
"#;

/// A server as a shell script, in a folder of its own. It keeps what it was sent.
pub(crate) struct Server {
    folder: PathBuf,
    answers: String,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Server {
    pub(crate) fn new() -> Self {
        Self::saying(
            r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{},"logging":{},"resources":{"subscribe":true}},"serverInfo":{"name":"script","version":"1"}}"#,
        )
    }

    /// One that says this of itself.
    pub(crate) fn saying(of_itself: &str) -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, answers: String::new() }.answer("initialize", of_itself)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Answers a method with a result. It is sent as one line.
    pub(crate) fn answer(self, method: &str, result: &str) -> Self {
        let result = quoted(&result.replace('\n', " "));
        self.on(method, &format!(r#"printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" {result}"#))
    }

    /// Answers a method with an error.
    pub(crate) fn fail(self, method: &str, error: &str) -> Self {
        let error = quoted(error);
        self.on(method, &format!(r#"printf '{{"jsonrpc":"2.0","id":%s,"error":%s}}\n' "$id" {error}"#))
    }

    /// Lists one tool `t` with these properties.
    pub(crate) fn tool(self, properties: &str) -> Self {
        self.answer(
            "tools/list",
            &format!(r#"{{"tools":[{{"name":"t","inputSchema":{{"type":"object","properties":{properties}}}}}]}}"#),
        )
    }

    /// Runs shell words when a method comes; `$id` is the request's id, `$line` the message.
    pub(crate) fn on(mut self, method: &str, script: &str) -> Self {
        writeln!(self.answers, "  *'\"method\":\"{method}\"'*) {script} ;;").unwrap();
        self
    }

    /// Asks while a call of a tool runs, keeps what comes back, and ends the call with a result without content.
    pub(crate) fn asks(self, request: &str) -> Self {
        let request = quoted(request);
        self.on(
            "tools/call",
            &format!(
                r#"call=$id
           printf '%s\n' {request}
           IFS= read -r answer; printf '%s\n' "$answer" >"$0.answer"
           printf '{{"jsonrpc":"2.0","id":%s,"result":{{"content":[]}}}}\n' "$call""#
            ),
        )
    }

    /// What came back when it last asked.
    pub(crate) fn answer_to_question(&self) -> Value {
        let answer = std::fs::read_to_string(self.folder.join("server.sh.answer")).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// The words that start it, to be put behind `--`.
    pub(crate) fn script(&self) -> String {
        let file = self.folder.join("server.sh");
        let log = quoted(&self.log_file().to_string_lossy());
        let script = format!(
            "while IFS= read -r line; do\n printf '%s\\n' \"$line\" >>{log}\n id=${{line#*\\\"id\\\":}}; id=${{id%%,*}}\n case \"$line\" in\n{} esac\ndone\n",
            self.answers.clone() + OLDER
        );
        std::fs::write(&file, script).unwrap();
        file.to_string_lossy().into_owned()
    }

    /// Runs the command against it.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.command(words).output().unwrap().into()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let script = self.script();
        let words: Vec<&str> = words.iter().copied().chain(["--", "sh", &script]).collect();
        command(&words)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("received")
    }

    /// The messages that it was sent.
    pub(crate) fn received(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The parameters of the one request of this method; none if it did not come.
    pub(crate) fn params(&self, method: &str) -> Option<Value> {
        let mut all: Vec<Value> = self.received().into_iter().filter(|message| message["method"] == method).collect();
        assert!(all.len() < 2, "{all:?}");
        all.pop().map(|message| message["params"].clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
