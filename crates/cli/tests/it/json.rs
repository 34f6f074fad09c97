//! Every command with `--json`: one document, or one a line.

use serde_json::Value;

use crate::config::{OWN, Person};
use crate::run::{BOWLINE, Ran, command};

/// Each command line, the exit code, and the members of the document; of a list, those of its first element.
const ONE: &[(&str, i32, &str)] = &[
    ("demo", 0, "server steps"),
    ("list", 0, "servers broken"),
    ("list d", 0, "tools"),
    ("list d --all", 0, "tools resources resourceTemplates prompts"),
    ("list --all", 0, "servers failures"),
    ("info d", 0, "protocolVersion era supportedVersions serverInfo capabilities deprecated"),
    ("info d.echo", 0, "name inputSchema"),
    ("search echo", 0, "hits servers unknown failures"),
    ("grep *echo", 0, "hits servers unknown failures"),
    ("call d.add a=1 b=2", 0, "content structuredContent"),
    ("call d.fail", 5, "content isError"),
    ("call d.ech", 5, "error"),
    ("read d demo://log-book", 0, "contents"),
    ("prompt d review code=x", 0, "messages"),
    ("complete d prompt:review language=ru", 0, "completion"),
    ("ping d", 0, "server connect_ms ping_ms"),
    ("doctor", 0, "findings errors warnings"),
    ("bench d.echo message=hi --count 2", 0, "tool calls failed errors latency_ms histogram"),
    ("scan --offline --fail-on never", 0, "version summary findings failures"),
    ("add e https://h.example/mcp", 0, "done names file dry_run"),
    ("config add f https://h.example/mcp", 0, "done names file dry_run"),
    ("config list", 0, "servers broken"),
    ("config show d", 0, "name host scope file line enabled trusted command args env"),
    ("config show e", 0, "name host scope file line enabled trusted url headers"),
    ("config path", 0, "host scope path servers"),
    ("config check", 0, ""),
    ("config explain d", 0, "name settings shadowed"),
    ("config disable e", 0, "done names file dry_run"),
    ("config enable e", 0, "done names file dry_run"),
    ("config export --to cursor --dry-run d", 0, "done names file dry_run"),
    ("config import --dry-run", 0, "done names file dry_run"),
    ("config trust", 0, "done names file dry_run"),
    ("config remove f", 0, "done names file dry_run"),
    ("remove e", 0, "done names file dry_run"),
    ("guard explain d echo message=1", 0, "action rule reason near"),
    ("guard pins d", 0, "server identity name version pins"),
    ("guard accept d", 0, "server pinned changes"),
    ("guard forget d", 0, "server forgotten"),
    ("guard pending", 0, ""),
    ("guard approve nobody", 2, "error"),
    ("guard deny nobody", 2, "error"),
    ("guard answers", 0, ""),
    ("audit verify nothing.jsonl", 2, "error"),
    ("auth status https://h.example/mcp", 3, "server authorized issuer clientId scopes expiresIn refreshable bound"),
    ("auth logout https://h.example/mcp", 0, "server wasAuthorized revoked"),
    ("auth refresh http://127.0.0.1:1/mcp", 4, "error"),
    ("completions zsh", 0, "shell script"),
    ("man list", 0, "page"),
    ("man --dir pages", 0, "files"),
    ("lst", 2, "error"),
    ("list --nope", 2, "error"),
    ("list nobody", 2, "error"),
];

#[test]
fn every_command_answers_with_one_document_of_the_shape_that_is_told() {
    let person = Person::new().with(OWN, &format!("[servers.d]\ncommand = '{BOWLINE}'\nargs = ['demo', '--serve']\n"));
    for (line, code, members) in ONE {
        let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        let ran = person.run(&words);
        assert_eq!(ran.code, Some(*code), "{line}: {}{}", ran.stdout, ran.stderr);
        let document = ran.json();
        let object = document.as_array().map_or(Some(&document), |list| list.first());
        for member in members.split_whitespace() {
            assert!(object.is_some_and(|object| object.get(member).is_some()), "{line}: no `{member}` in {document}");
        }
        let is_list =
            matches!(*line, "config path" | "config check" | "guard pins d" | "guard pending" | "guard answers");
        assert_eq!(document.is_array(), is_list, "{line}");
    }
}

#[test]
fn commands_that_go_on_answer_with_a_document_a_line() {
    let person = Person::new().with(OWN, &format!("[servers.d]\ncommand = '{BOWLINE}'\nargs = ['demo', '--serve']\n"));
    let ran = person.run(&["inspect", "d", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let frames: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(frames.len() > 4 && frames.iter().all(|frame| frame["at"].is_number()), "{}", ran.stdout);
    let ran = person.run(&["watch", "d", "--for", "1ms", "--json"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
}

/// Runs a line of bash behind the script of completion.
fn completed(person: &Person, typed: &[&str]) -> String {
    let script = command(&["completions", "bash"]).output().unwrap();
    let file = person.path("completion.bash");
    std::fs::write(&file, script.stdout).unwrap();
    let words = typed.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let at = typed.len() - 1;
    let line = format!(
        "source '{}'; COMP_WORDS=({words}); COMP_CWORD={at}; _bowline_with_servers bowline '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display(),
        typed[at],
        typed[at - 1]
    );
    let folder = std::path::Path::new(BOWLINE).parent().unwrap();
    let mut bash = std::process::Command::new("bash");
    bash.args(["--norc", "-c", &line]).env("HOME", person.path("home")).current_dir(person.path("project"));
    bash.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).env_remove("XDG_CONFIG_HOME");
    let ran: Ran = bash.output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

#[test]
fn bash_completes_commands_options_and_the_names_of_servers() {
    let hostile =
        r#"{"mcpServers":{"notes":{"command":"x"},"no$(touch hit)":{"command":"x"},"other":{"command":"x"}}}"#;
    let person = Person::new().with("home/.cursor/mcp.json", hostile);
    assert_eq!(completed(&person, &["bowline", "list", "no"]), "notes\n");
    assert_eq!(completed(&person, &["bowline", "doc"]), "doctor\n");
    assert!(completed(&person, &["bowline", "list", "--res"]).contains("--resources\n"));
    assert!(!completed(&person, &["bowline", "config", "no"]).contains("notes"));
    assert!(!person.path("project/hit").exists());
}
