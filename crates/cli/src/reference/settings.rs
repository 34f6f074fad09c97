//! The page of all settings of a `bowline.toml`.
//!
//! The table is held against what the reader says that there is: it names all keys where it refuses one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bowline::config::{Configuration, Host};

use super::{escaped, hold};

/// A table of the file: its name, where an unknown key in it is refused, and its keys.
struct Section {
    title: &'static str,
    /// What is said before the keys.
    about: &'static str,
    /// A file with the key `zzz` in this table; none where the reader keeps what it does not know.
    probe: Option<&'static str>,
    settings: &'static [Setting],
}

/// A key: its name, what it may be, what it is where nothing is said, and what it means.
type Setting = (&'static str, &'static str, &'static str, &'static str);

const HEAD: &str = "\
# Configuration reference

Every key of a `bowline.toml`; the page is written by `cargo xtask reference`, and held against what the reader takes.
[The guide](configuration.md) says where such files are, and which other programs' files are read too.

A time is a text with a unit, `\"500ms\"`, `\"30s\"`, `\"2m\"`, `\"1h\"`, or a number of seconds. A text with variables may hold
`${NAME}` or `${env:NAME}` for the environment, with `${NAME:-default}`, `${file:PATH}`, `${keyring:NAME}`, `${input:ID}`.
A key that is not here is an error with its place.

";

const TIMES: [Setting; 3] = [
    ("connect_timeout", "time", "`30s`", "For the start and the handshake"),
    ("timeout", "time", "`60s`", "The longest silence of a call; progress starts it anew. At most `max_time`"),
    ("max_time", "time", "`10m`", "For a call in all"),
];

const RULES: [Setting; 3] = [
    ("allow", "list of names", "all", "The tools that may be used; `*` stands for anything"),
    ("deny", "list of names", "none", "The tools that may not be used, whatever is allowed"),
    (
        "approve",
        "list of names",
        "none",
        "The tools that are called without a question, where a policy and the server itself both permit them",
    ),
];

const NAMES: [Setting; 2] = [
    ("allow", "list of names", "all", "What may be used; `*` stands for anything"),
    ("deny", "list of names", "none", "What may not be used, whatever is allowed"),
];

const SECTIONS: &[Section] = &[
    Section {
        title: "The file",
        about: "",
        probe: Some("zzz = 1"),
        settings: &[
            ("servers", "table of servers", "none", "Each under its name: `[servers.NAME]`"),
            ("inputs", "list of inputs", "none", "What `${input:ID}` asks for: `id`, `description`, `password`"),
            (
                "trusted_folders",
                "list of folders",
                "none",
                "Projects whose files may name servers. Not in a file of a project",
            ),
            (
                "imports",
                "list of hosts",
                "all",
                "The programs whose files are read too, such as `claude-code` or `vscode`",
            ),
            ("defaults", "table", "", "What holds for every server that does not say otherwise"),
            ("policies", "table of policies", "none", "Each under its name: `[policies.NAME]`"),
            ("groups", "table of lists", "none", "Names for several servers: `work = [\"tickets\", \"db\"]`"),
        ],
    },
    Section {
        title: "`[servers.NAME]`",
        about: "Either `command` or `url`. An entry with neither changes a server of another file, and may say only \
                `enabled`, times, `tools`, `prompts`, `resources`, `trust`, `policy` and `layers`.",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nzzz = 1"),
        settings: &[
            ("command", "text with variables", "", "The program of the server, in `PATH` or by its path"),
            ("args", "list of texts with variables", "none", "Its arguments; no shell reads them"),
            (
                "env",
                "table of texts with variables",
                "none",
                "Variables that it gets beside those that every program needs",
            ),
            ("env_file", "path", "none", "A file of further variables, `NAME=value` a line"),
            ("cwd", "path", "the folder of the command", "Its working directory"),
            ("url", "text with variables", "", "The address of a server that runs already"),
            ("type", "text", "told by the address", "`stdio`, `http`, `sse`, `sse-first`, `ws`, or `auto`"),
            ("headers", "table of texts with variables", "none", "Headers of every request"),
            ("bearer", "text with variables", "none", "A token for the `Authorization` header"),
            ("enabled", "true or false", "`true`", "Whether it may be used"),
            TIMES[0],
            TIMES[1],
            TIMES[2],
            ("tools", "table", "", "Which of its tools may be used, see below"),
            ("prompts", "table", "", "Which of its prompts may be used, see below"),
            ("resources", "table", "", "Which of its resources may be used, see below"),
            (
                "trust",
                "true or false",
                "as the guard's policy says",
                "Whether what it says of its tools, such as that they only read, is believed",
            ),
            ("oauth", "true, false or a table", "asked for", "How to log in, see below"),
            ("policy", "name", "none", "The policy of `[policies]` that it is under"),
            ("layers", "table", "none", "What stands around its calls, see below"),
            ("pool", "table", "one connection", "Connections and replicas, see below"),
        ],
    },
    Section {
        title: "`[servers.NAME.tools]`",
        about: "",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\ntools = { zzz = 1 }"),
        settings: &RULES,
    },
    Section {
        title: "`[servers.NAME.prompts]`",
        about: "",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nprompts = { zzz = 1 }"),
        settings: &NAMES,
    },
    Section {
        title: "`[servers.NAME.resources]`",
        about: "By their URIs, and templates by their own text.",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nresources = { zzz = 1 }"),
        settings: &NAMES,
    },
    Section {
        title: "`[servers.NAME.oauth]`",
        about: "For servers that want a login. Nothing need be said where the server knows new clients by themselves.",
        probe: None,
        settings: &[
            ("enabled", "true or false", "`true`", "Whether to log in at all"),
            (
                "client_id",
                "text with variables",
                "registered",
                "The id that the authorization server knows this program by",
            ),
            ("client_secret", "text with variables", "none", "The secret of that id"),
            ("scopes", "list of texts", "those that the server lists", "What to ask for"),
            ("metadata_url", "address by https", "found", "Where the authorization server is described"),
            ("redirect_uri", "text", "a free port of this machine", "Where the browser comes back to"),
            ("callback_port", "1 to 65535", "a free one", "The port that the browser comes back to"),
        ],
    },
    Section {
        title: "`[servers.NAME.pool]`",
        about: "",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\npool = { zzz = 1 }"),
        settings: &[
            ("connections", "1 to 64", "`1`", "How many connections to each address"),
            ("replicas", "list", "none", "Further addresses of the same server: texts, or tables as below"),
            ("sticky", "true or false", "`false`", "Whether a caller keeps to the connection that it had first"),
        ],
    },
    Section {
        title: "Each of `pool.replicas`",
        about: "",
        probe: Some(
            "[servers.x]\nurl = 'https://h.example/mcp'\npool = { replicas = [{ url = 'https://i.example', zzz = 1 }] }",
        ),
        settings: &[
            ("url", "text with variables", "", "The address"),
            ("weight", "1 to 1000", "`1`", "How many calls it gets beside the others"),
        ],
    },
    Section {
        title: "`[servers.NAME.layers]`",
        about: "Each is `true` for its defaults, `false` for none of it, or a table. What is not named is not there.",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nlayers = { zzz = 1 }"),
        settings: &[
            ("retry", "true, false or a table", "none", "Repeats what is safe to repeat"),
            ("breaker", "true, false or a table", "none", "Leaves a server alone that keeps failing"),
            ("limits", "true, false or a table", "none", "How many calls run at once, and how many begin in a time"),
            ("hedge", "true, false or a table", "none", "A second attempt where the first is slow, of what only reads"),
            ("cache", "true, false or a table", "none", "Keeps what only reads"),
        ],
    },
    Section {
        title: "`layers.retry`",
        about: "",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nlayers = { retry = { zzz = 1 } }"),
        settings: &[
            ("max_attempts", "1 to 100", "`3`", "Attempts in all, the first included"),
            (
                "base_delay",
                "time",
                "`200ms`",
                "The delay before the second attempt, at most; it doubles with each further one",
            ),
            ("max_delay", "time", "`5s`", "The longest delay"),
        ],
    },
    Section {
        title: "`layers.breaker`",
        about: "",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nlayers = { breaker = { zzz = 1 } }"),
        settings: &[
            ("failure_rate", "above 0, at most 1", "`0.5`", "The share of failures at which it opens"),
            ("min_calls", "1 to 1000000", "`5`", "How many calls there must be before it may open"),
            ("window", "time", "`30s`", "For how long the end of a call counts"),
            ("cool_down", "time", "`15s`", "How long it stays open at first"),
            ("max_cool_down", "time", "`2m`", "How long it stays open at most"),
        ],
    },
    Section {
        title: "`layers.limits`",
        about: "",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nlayers = { limits = { zzz = 1 } }"),
        settings: &[
            ("at_once", "1 to 100000", "`64`", "Calls that run at once"),
            ("rate", "1 to 1000000000", "no limit", "Calls that begin in `per`"),
            ("per", "time", "`1s`", "The time of `rate`"),
            ("queue", "0 to 1000000", "`1024`", "Calls that may wait for their turn"),
            ("max_wait", "time", "`60s`", "How long one may wait"),
        ],
    },
    Section {
        title: "`layers.hedge`",
        about: "",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nlayers = { hedge = { zzz = 1 } }"),
        settings: &[
            (
                "quantile",
                "above 0, at most 1",
                "`0.95`",
                "The share of the last calls that a first attempt has to outlast",
            ),
            ("min_delay", "time", "`10ms`", "How long a first attempt is left alone in any case"),
        ],
    },
    Section {
        title: "`layers.cache`",
        about: "",
        probe: Some("[servers.x]\nurl = 'https://h.example/mcp'\nlayers = { cache = { zzz = 1 } }"),
        settings: &[
            ("ttl", "time", "`60s`", "How long a result is fresh where the server does not say"),
            (
                "stale_on_error",
                "time",
                "`0s`",
                "How long a result that is not fresh may stand in where the server cannot be had",
            ),
            ("max_bytes", "number", "16 MiB", "How many bytes it may hold"),
        ],
    },
    Section {
        title: "`[defaults]`",
        about: "",
        probe: Some("[defaults]\nzzz = 1"),
        settings: &[
            TIMES[0],
            TIMES[1],
            TIMES[2],
            ("layers", "table", "none", "As that of a server"),
            ("policy", "name", "none", "The policy of servers that name none"),
        ],
    },
    Section {
        title: "`[policies.NAME]`",
        about: "Where a policy and the server itself both have a list, a tool, prompt or resource has to be on both.",
        probe: Some("[policies.x]\nzzz = 1"),
        settings: &[
            RULES[0],
            RULES[1],
            RULES[2],
            (
                "read_only",
                "true or false",
                "`false`",
                "Whether only tools may be used of which the server says that they only read",
            ),
            ("prompts", "table", "", "`allow` and `deny` as those of a server"),
            ("resources", "table", "", "`allow` and `deny` as those of a server"),
        ],
    },
];

#[test]
fn the_reference_of_settings_is_what_the_table_says() {
    hold("configuration-reference.md", &page());
}

fn page() -> String {
    let mut out = HEAD.to_owned();
    for section in SECTIONS {
        let _ = write!(out, "## {}\n\n", section.title);
        if !section.about.is_empty() {
            let _ = write!(out, "{}\n\n", section.about);
        }
        out += "| key | value | default | meaning |\n|---|---|---|---|\n";
        for (key, value, default, meaning) in section.settings {
            let meaning = meaning.replace('|', "\\|");
            let _ = writeln!(out, "| `{key}` | {} | {default} | {meaning} |", escaped(value));
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The messages about a file.
fn problems(text: &str) -> Vec<String> {
    let config = Configuration::read(Host::Bowline, "bowline.toml", text);
    config.problems().iter().map(|problem| problem.message.clone()).collect()
}

#[test]
fn the_table_of_settings_has_each_key_that_the_reader_takes_and_no_other() {
    for section in SECTIONS {
        let Some(probe) = section.probe else { continue };
        let problems = problems(probe);
        let refusal = problems.iter().find_map(|problem| {
            let (key, known) = problem.strip_prefix("there is no setting `")?.split_once("`; there are ")?;
            key.ends_with("zzz").then_some(known)
        });
        let known: BTreeSet<&str> =
            refusal.unwrap_or_else(|| panic!("{}: {problems:?}", section.title)).split(", ").collect();
        let told: BTreeSet<&str> = section.settings.iter().map(|(key, ..)| *key).collect();
        assert_eq!(told, known, "{}", section.title);
    }
}

#[test]
fn the_keys_of_a_login_are_read() {
    let login = SECTIONS.iter().find(|section| section.probe.is_none()).unwrap();
    for (key, ..) in login.settings {
        let value = match *key {
            "enabled" => "true",
            "scopes" => "['a']",
            "callback_port" => "1",
            _ => "'https://h.example/'",
        };
        let text = format!("[servers.x]\nurl = 'https://h.example/mcp'\noauth = {{ {key} = {value} }}");
        // What is not read is kept, and that is told.
        assert_eq!(problems(&text), Vec::<String>::new(), "{key}");
    }
}
