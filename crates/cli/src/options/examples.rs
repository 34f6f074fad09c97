//! What the help of commands shows: lines to be typed, what they do behind them.

pub(super) const DEMO: &str = "Examples:
  bowline demo                              the tour: each step with the command that does the same
  bowline demo --ask                        with the server's form for you to fill in
  bowline list -- bowline demo --serve      the demo server, for any other command";

pub(super) const INFO: &str = "Examples:
  bowline info tickets                      what the server says of itself
  bowline info tickets.list_tickets         one of its tools, with its arguments
  bowline info tickets list_tickets --input-schema
  bowline info https://tickets.example/mcp --json";

pub(super) const CALL: &str = "Examples:
  bowline call tickets.list_tickets status=open limit=5
  bowline call tickets list_tickets --args-json '{\"status\": \"open\"}'
  bowline call https://tickets.example/mcp add_note text=@note.txt tags:='[\"a\"]'
  bowline call echo message=hi -- bowline demo --serve
  echo '{\"message\": \"hi\"}' | bowline call echo --json -- bowline demo --serve

What stands behind = is read as the tool's schema wants it, what stands behind := as JSON. Exit codes: 5 where the tool
failed or is unknown, 6 where policy or configuration do not let it be called.";

pub(super) const READ: &str = "Examples:
  bowline read tickets tickets://open
  bowline read https://tickets.example/mcp file:///report.pdf --save .
  bowline read demo://log-book -- bowline demo --serve";

pub(super) const PROMPT: &str = "Examples:
  bowline prompt tickets summary month=May
  bowline prompt review code=@main.rs -- bowline demo --serve";

pub(super) const COMPLETE: &str = "Examples:
  bowline complete tickets prompt:summary month=M
  bowline complete prompt:review language=ru -- bowline demo --serve
  bowline complete tickets 'resource:tickets://{project}/{id}' id=4 --context project=x";

pub(super) const PING: &str = "Examples:
  bowline ping tickets
  bowline ping https://tickets.example/mcp --count 10";

pub(super) const WATCH: &str = "Examples:
  bowline watch tickets                     changes of its lists, until Ctrl-C
  bowline watch tickets tickets://open --for 10m
  bowline watch tickets --count 1 --json";

pub(super) const INSPECT: &str = "Examples:
  bowline inspect tickets                   what passes while the lists are read
  bowline inspect tickets --method 'tools/*' --direction to-server
  bowline inspect --proxy -o frames.jsonl -- npx -y some-server";

pub(super) const RECORD: &str = "Examples:
  bowline list -- bowline record -o session.jsonl tickets
  bowline record -o session.jsonl --append -- npx -y some-server";

pub(super) const REPLAY: &str = "Examples:
  bowline list -- bowline replay session.jsonl
  bowline replay session.jsonl --http 0     prints the address that it listens at
  bowline replay session.jsonl --strict";

pub(super) const BENCH: &str = "Examples:
  bowline bench tickets.list_tickets status=open --count 200
  bowline bench echo message=hi --yes --concurrency 8 --for 10s -- bowline demo --serve";

pub(super) const ADD: &str = "Examples:
  bowline add tickets https://tickets.example/mcp
  bowline add tickets https://tickets.example/mcp -H \"X-Key: env:TICKETS_KEY\"
  bowline add db -e DB_DSN=env:DB_DSN -- uvx example-db-mcp
  bowline add db --host vscode --scope project -- uvx example-db-mcp

A value env:VAR or file:PATH is written as a reference, so no secret stands in the file.";

pub(super) const REMOVE: &str = "Examples:
  bowline remove tickets
  bowline remove db --host vscode --scope project";

pub(super) const CONFIG_ADD: &str = "Examples:
  bowline config add tickets https://tickets.example/mcp
  bowline config add db --scope project -- uvx example-db-mcp";

pub(super) const CONFIG_REMOVE: &str = "Examples:
  bowline config remove tickets
  bowline config rm tickets --host vscode";

pub(super) const CONFIG_LIST: &str = "Examples:
  bowline config list
  bowline config list --json
  bowline config list --output raw          the names alone, one a line";

pub(super) const CONFIG_SHOW: &str = "Examples:
  bowline config show tickets
  bowline config get tickets --json";

pub(super) const CONFIG_PATH: &str = "Examples:
  bowline config path                       with how many servers each file names, - where it is not there";

pub(super) const CONFIG_CHECK: &str = "Examples:
  bowline config check                      FILE:LINE:COLUMN of each problem; exit code 2 where there is an error
  bowline config check --config mcp.json --json";

pub(super) const CONFIG_EXPLAIN: &str = "Examples:
  bowline config explain tickets";

pub(super) const CONFIG_ENABLE: &str = "Examples:
  bowline config enable tickets             for bowline alone, whoever's file it is in
  bowline config enable tickets --host vscode";

pub(super) const CONFIG_DISABLE: &str = "Examples:
  bowline config disable tickets            for bowline alone, whoever's file it is in
  bowline config disable tickets --host vscode";

pub(super) const CONFIG_IMPORT: &str = "Examples:
  bowline config import --dry-run           what would be copied
  bowline config import --from cursor tickets";

pub(super) const CONFIG_EXPORT: &str = "Examples:
  bowline config export --to codex --dry-run
  bowline config export --to vscode --scope project tickets";

pub(super) const CONFIG_TRUST: &str = "Examples:
  bowline config list                       what is there, before you trust it
  bowline config trust
  bowline config trust ~/src/knots";

pub(super) const AUTH_LOGIN: &str = "Examples:
  bowline auth login tickets
  bowline auth login https://tickets.example/mcp --no-browser
  bowline auth login tickets --client-id ID --client-secret=env:SECRET --issuer https://login.example
  bowline auth login tickets --device       on a machine without a browser";

pub(super) const AUTH_STATUS: &str = "Examples:
  bowline auth status tickets               exit code 3 where there is no login
  bowline auth status https://tickets.example/mcp --json";

pub(super) const AUTH_REFRESH: &str = "Examples:
  bowline auth refresh tickets";

pub(super) const AUTH_LOGOUT: &str = "Examples:
  bowline auth logout tickets";

pub(super) const GUARD_EXPLAIN: &str = "Examples:
  bowline guard explain tickets close_ticket id=4
  bowline guard explain tickets close_ticket --policy policy.toml --json";

pub(super) const GUARD_PINS: &str = "Examples:
  bowline guard pins
  bowline guard pins tickets --json";

pub(super) const GUARD_ACCEPT: &str = "Examples:
  bowline guard accept tickets              all that it has, and the way to it
  bowline guard accept tickets close_ticket
  bowline guard accept tickets --hash HASH  in a script: what was shown with this hash

What is new or changed is shown with its hash before it is pinned. Without a terminal it is pinned with --yes, or with
the hash of each definition.";

pub(super) const GUARD_FORGET: &str = "Examples:
  bowline guard forget tickets";

pub(super) const GUARD_PENDING: &str = "Examples:
  bowline guard pending                     calls that were made with --defer, and wait";

pub(super) const GUARD_APPROVE: &str = "Examples:
  bowline guard approve ID
  bowline guard approve ID --always";

pub(super) const GUARD_DENY: &str = "Examples:
  bowline guard deny ID";

pub(super) const GUARD_ANSWERS: &str = "Examples:
  bowline guard answers
  bowline guard answers --forget tickets";

pub(super) const AUDIT_VERIFY: &str = "Examples:
  bowline audit verify                      the record that this command keeps
  bowline audit verify calls.jsonl";

#[cfg(test)]
mod tests {
    use clap::Command;

    use crate::options::Cli;

    /// Commands that do something, with how they are called.
    fn leaves(command: &Command, before: &str) -> Vec<(String, Command)> {
        let name = format!("{before}{}", command.get_name());
        let inner: Vec<&Command> = command.get_subcommands().collect();
        if inner.is_empty() {
            return vec![(name, command.clone())];
        }
        inner.into_iter().flat_map(|inner| leaves(inner, &format!("{name} "))).collect()
    }

    #[test]
    fn every_command_shows_examples_that_can_be_typed() {
        for (name, command) in leaves(&Cli::definition(), "") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let mut shown = 0;
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                // What is piped into it, what comes of it, and what it does stand around it.
                let typed = line.trim().split("  ").next().unwrap();
                let at = typed.rfind("| bowline").map_or(0, |at| at + 2);
                let typed = typed[at..].split(" > ").next().unwrap().split(" >> ").next().unwrap();
                let typed = typed.split(" | ").next().unwrap();
                let words = shlex::split(typed).unwrap_or_else(|| panic!("{name}: {line}"));
                if let Err(error) = Cli::from_words(words.into_iter().map(Into::into)) {
                    // `bowline NAME` is read with the configuration at hand.
                    panic!("{name}: {line}: {error}");
                }
                shown += usize::from(typed.starts_with(&name));
            }
            assert!(shown > 0, "`{name}` shows no example of itself");
        }
    }
}
