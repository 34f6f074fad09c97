//! What each command prints with `--json`.

use clap::Command;

use crate::options::Cli;

/// How much a command prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One JSON document.
    One(&'static str),
    /// A JSON document a line, as things happen.
    Lines(&'static str),
    /// What is on standard output is for another program.
    Wire(&'static str),
}

impl Shape {
    pub(super) fn sentence(self) -> String {
        match self {
            Self::One(what) => format!("With `--json`: {what}."),
            Self::Lines(what) => format!("With `--json`, each on a line of its own: {what}."),
            Self::Wire(what) => format!("`--json` changes nothing but errors: {what}."),
        }
    }
}

const CHANGED: Shape =
    Shape::One("`{\"done\", \"names\", \"file\", \"dry_run\"}`: what was done to which servers, in which file");
const LOGIN: Shape = Shape::One(
    "`{\"server\", \"authorized\", \"issuer\", \"clientId\", \"scopes\", \"expiresIn\", \"refreshable\", \"bound\"}`, the time in seconds",
);
const HITS: Shape = Shape::One(
    "`{\"hits\", \"servers\", \"unknown\", \"failures\"}`, each hit `{\"server\", \"tool\", \"title\", \"summary\", \"score\", \"fields\"}`",
);
const DECIDED: Shape = Shape::One("`{\"id\", \"answer\"}`");

/// All commands that do something.
pub(super) const ALL: &[(&str, Shape)] = &[
    (
        "demo",
        Shape::One("`{\"server\", \"steps\"}`, each step `{\"step\", \"command\", \"result\"}`; with `--serve` MCP"),
    ),
    (
        "list",
        Shape::One(
            "of a server `{\"tools\", \"resources\", \"resourceTemplates\", \"prompts\"}`, those that were asked for, as the server has them; of all servers `{\"servers\", \"failures\"}`, each server with its lists; without a server as `config list`",
        ),
    ),
    (
        "info",
        Shape::One(
            "`{\"protocolVersion\", \"era\", \"supportedVersions\", \"serverInfo\", \"capabilities\", \"deprecated\", \"instructions\"}`; of a tool the tool as the server has it, or its schemas",
        ),
    ),
    ("search", HITS),
    ("grep", HITS),
    ("call", Shape::One("the result with all its members, `content`, `structuredContent`, `isError`, `_meta`")),
    ("chat", Shape::Lines("events `{\"type\", …}`, the last one of type `done`")),
    ("read", Shape::One("the result with all its members, `contents`")),
    ("prompt", Shape::One("the result with all its members, `messages`, `description`")),
    ("auth login", LOGIN),
    ("auth status", LOGIN),
    ("auth refresh", LOGIN),
    ("auth logout", Shape::One("`{\"server\", \"wasAuthorized\", \"revoked\"}`")),
    ("complete", Shape::One("the result with all its members, `completion`")),
    ("ping", Shape::One("`{\"server\", \"connect_ms\", \"ping_ms\"}`, the last one a list")),
    (
        "doctor",
        Shape::One(
            "`{\"findings\", \"errors\", \"warnings\"}`, each finding `{\"severity\", \"check\", \"subject\", \"message\"}`, with `file`, `line` and `column` where it has a place and `fix` where there is a way out; severities are `error`, `warning`, `note`, `fine`",
        ),
    ),
    ("watch", Shape::Lines("`{\"event\", …}`, such as `tools-changed`, or `resource-updated` with its `uri`")),
    (
        "inspect",
        Shape::Lines(
            "`{\"at\", \"connection\", \"to\", \"id\", \"method\", \"bytes\", \"frame\", …}`, `at` in milliseconds, or `event` where a connection opens or closes",
        ),
    ),
    ("record", Shape::Wire("standard output is the server's")),
    ("replay", Shape::Wire("standard output is the server's; with `--http` it is `{\"url\"}`")),
    (
        "bench",
        Shape::One(
            "`{\"tool\", \"calls\", \"failed\", \"errors\", \"concurrency\", \"elapsed_ms\", \"calls_per_second\", \"latency_ms\", \"histogram\"}`",
        ),
    ),
    ("scan", Shape::One("`{\"version\", \"summary\", \"findings\", \"failures\"}`; with `--sarif` SARIF 2.1.0")),
    ("add", CHANGED),
    ("remove", CHANGED),
    (
        "config list",
        Shape::One(
            "`{\"servers\", \"broken\"}`, each server `{\"name\", \"host\", \"scope\", \"file\", \"line\", \"enabled\", \"trusted\"}` with `command`, `args` and `env`, or `url` and `headers`, without secrets",
        ),
    ),
    ("config show", Shape::One("a server as in `config list`")),
    (
        "config path",
        Shape::One("a list of `{\"host\", \"scope\", \"path\", \"servers\"}`, the number null where there is no file"),
    ),
    ("config check", Shape::One("a list of `{\"severity\", \"file\", \"line\", \"column\", \"server\", \"message\"}`")),
    (
        "config explain",
        Shape::One(
            "`{\"name\", \"settings\", \"shadowed\"}`, each setting `{\"key\", \"value\", \"file\", \"line\", \"host\", \"overrides\"}`",
        ),
    ),
    ("config add", CHANGED),
    ("config remove", CHANGED),
    ("config enable", CHANGED),
    ("config disable", CHANGED),
    ("config import", CHANGED),
    ("config export", CHANGED),
    ("config trust", CHANGED),
    ("guard explain", Shape::One("`{\"action\", \"rule\", \"reason\", \"near\"}`")),
    ("guard pins", Shape::One("a list of `{\"server\", \"identity\", \"name\", \"version\", \"pins\"}`")),
    ("guard accept", Shape::One("`{\"server\", \"pinned\", \"changes\", \"new\", \"way\"}`")),
    ("guard forget", Shape::One("`{\"server\", \"forgotten\"}`")),
    ("guard pending", Shape::One("a list of the calls that wait, each with its `id`")),
    ("guard approve", DECIDED),
    ("guard deny", DECIDED),
    ("guard answers", Shape::One("a list of answers; with `--forget` `{\"forgotten\"}`")),
    ("audit verify", Shape::One("what was found in the record")),
    ("completions", Shape::One("`{\"shell\", \"script\"}`")),
    ("man", Shape::One("`{\"page\"}`; with `--dir` `{\"files\"}`")),
];

/// The shape of a command, by the words behind `bowline`.
pub(super) fn of(name: &str) -> Option<Shape> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, shape)| *shape)
}

#[test]
fn the_shape_of_every_command_is_told_and_of_no_other() {
    fn leaves(command: &Command, before: &str) -> Vec<String> {
        let inner = command.get_subcommands().flat_map(|inner| {
            let name = format!("{before}{}", inner.get_name());
            if inner.has_subcommands() { leaves(inner, &format!("{name} ")) } else { vec![name] }
        });
        inner.collect()
    }
    let mut wanted = leaves(&Cli::definition(), "");
    let mut told: Vec<String> = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    wanted.sort();
    told.sort();
    assert_eq!(told, wanted);
}
