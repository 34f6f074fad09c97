//! A file of each host, and what it says.

use bowline_config::{Configuration, Endpoint, Host, Resolver, Server, Severity, Surroundings, System};

/// A file of each host: `db`, a program, or `tickets`, a server with an address, or both.
pub(crate) const SAMPLES: &[(Host, &str, &str)] = &[
    (
        Host::ClaudeDesktop,
        "claude_desktop_config.json",
        r#"{"mcpServers":{"db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"dsn"}}}}"#,
    ),
    (
        Host::ClaudeCode,
        ".mcp.json",
        r#"{"mcpServers":{"tickets":{"type":"http","url":"${TICKETS_URL:-https://tickets.example.com}/mcp","headers":{"Authorization":"Bearer ${KEY}"}},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${DB_DSN}"}}}}"#,
    ),
    (
        Host::Cursor,
        "mcp.json",
        r#"{"mcpServers":{"tickets":{"url":"https://tickets.example.com/mcp","headers":{"X-Key":"${env:KEY}"}},
            "db":{"type":"stdio","command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${env:DB_DSN}"}}}}"#,
    ),
    (
        Host::VsCode,
        "mcp.json",
        r#"{"inputs":[{"type":"promptString","id":"key","password":true}],
            // both
            "servers":{"tickets":{"type":"http","url":"https://tickets.example.com/mcp","headers":{"Authorization":"Bearer ${input:key}"}},
            "db":{"type":"stdio","command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${env:DB_DSN}"}},}}"#,
    ),
    (
        Host::Windsurf,
        "mcp_config.json",
        r#"{"mcpServers":{"tickets":{"serverUrl":"https://tickets.example.com/mcp","headers":{"X-Key":"${env:KEY}"},"disabledTools":["delete_ticket"]}}}"#,
    ),
    (
        Host::Cline,
        "cline_mcp_settings.json",
        r#"{"mcpServers":{"tickets":{"type":"streamableHttp","url":"https://tickets.example.com/mcp","headers":{"X-Key":"key"},"timeout":90,"disabled":false,"autoApprove":["list_tickets"]}}}"#,
    ),
    (
        Host::ClineCli,
        "mcp.json",
        r#"{"mcpServers":{"db":{"transport":{"type":"stdio","command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"dsn"}},"disabled":false}}}"#,
    ),
    (
        Host::Roo,
        "mcp.json",
        r#"{"mcpServers":{"tickets":{"type":"streamable-http","url":"https://tickets.example.com/mcp","headers":{"X-Key":"${env:KEY}"},"timeout":90,"alwaysAllow":["list_tickets"],"disabledTools":["delete_ticket"]}}}"#,
    ),
    (
        Host::Zed,
        "settings.json",
        r#"{"context_servers":{"db":{"command":{"path":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"dsn"}}},"tickets":{"url":"https://tickets.example.com/mcp","headers":{"X-Key":"key"}}}}"#,
    ),
    (
        Host::Codex,
        "config.toml",
        "[mcp_servers.db]\ncommand = \"uvx\"\nargs = [\"example-db-mcp\"]\nenv_vars = [\"DB_DSN\"]\nstartup_timeout_sec = 20\n\n\
         [mcp_servers.tickets]\nurl = \"https://tickets.example.com/mcp\"\nbearer_token_env_var = \"KEY\"\n\
         enabled_tools = [\"list_tickets\"]\ntool_timeout_sec = 90\n",
    ),
    (
        Host::Gemini,
        "settings.json",
        r#"{"mcpServers":{"tickets":{"url":"https://tickets.example.com/mcp","type":"http","headers":{"X-Key":"$KEY"},"timeout":90000,"includeTools":["list_tickets"]},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"$DB_DSN"},"trust":false}}}"#,
    ),
    (
        Host::Goose,
        "config.yaml",
        "extensions:\n  db: {type: stdio, name: db, cmd: uvx, args: [example-db-mcp], env_keys: [DB_DSN], timeout: 120, enabled: true}\n\
         \x20 tickets: {type: streamable_http, name: tickets, uri: \"https://tickets.example.com/mcp\", headers: {X-Key: key}, timeout: 90, enabled: true}\n",
    ),
    (
        Host::Continue,
        "config.yaml",
        "mcpServers:\n  - name: tickets\n    type: streamable-http\n    url: https://tickets.example.com/mcp\n\
         \x20   requestOptions: {headers: {Authorization: \"Bearer ${{ secrets.KEY }}\"}}\n",
    ),
    (
        Host::LibreChat,
        "librechat.yaml",
        "mcpServers:\n  tickets:\n    type: streamable-http\n    url: https://tickets.example.com/mcp\n\
         \x20   headers: {Authorization: \"Bearer ${KEY}\"}\n    timeout: 90000\n",
    ),
    (
        Host::OpenCode,
        "opencode.json",
        r#"{"mcp":{"db":{"type":"local","command":["uvx","example-db-mcp"],"environment":{"DB_DSN":"{env:DB_DSN}"},"enabled":true}}}"#,
    ),
    (
        Host::OpenCode2,
        "opencode.json",
        r#"{"mcp":{"servers":{"tickets":{"type":"remote","url":"https://tickets.example.com/mcp","headers":{"X-Key":"{env:KEY}"},"disabled":false}}}}"#,
    ),
    (
        Host::Junie,
        "mcp.json",
        r#"{"mcpServers":{"db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"dsn"}}}}"#,
    ),
    (
        Host::AmazonQ,
        "ops.json",
        r#"{"name":"ops","mcpServers":{"db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${env:DB_DSN}"},"timeout":60000}},"tools":["@db"]}"#,
    ),
    (
        Host::CopilotCli,
        "mcp-config.json",
        r#"{"mcpServers":{"db":{"type":"local","command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"dsn"},"tools":["*"]},
            "tickets":{"type":"http","url":"https://tickets.example.com/mcp","headers":{"X-Key":"${KEY}"},"tools":["list_tickets"]}}}"#,
    ),
    (
        Host::Mcporter,
        "mcporter.json",
        r#"{"mcpServers":{"tickets":{"baseUrl":"https://tickets.example.com/mcp","bearerTokenEnv":"KEY"},"db":{"command":["uvx","example-db-mcp"],"env":{"DB_DSN":"$env:DB_DSN"}}}}"#,
    ),
    (
        Host::McpHost,
        ".mcphost.yml",
        "mcpServers:\n  db:\n    type: local\n    command: [uvx, example-db-mcp]\n    environment: {DB_DSN: \"${env://DB_DSN}\"}\n\
         \x20 tickets:\n    type: remote\n    url: https://tickets.example.com/mcp\n    headers: [\"X-Key: ${env://KEY}\"]\n",
    ),
    (
        Host::DevContainer,
        "devcontainer.json",
        r#"{"image":"debian","customizations":{"vscode":{"mcp":{
            // both
            "servers":{"tickets":{"type":"http","url":"https://tickets.example.com/mcp","headers":{"X-Key":"${env:KEY}"}},
            "db":{"type":"stdio","command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${env:DB_DSN}"}}},}}}}"#,
    ),
    (
        Host::Kilo,
        "mcp.json",
        r#"{"mcpServers":{"tickets":{"type":"streamable-http","url":"https://tickets.example.com/mcp","headers":{"X-Key":"${env:KEY}"},"timeout":90,"alwaysAllow":["list_tickets"]},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${env:DB_DSN}"},"disabled":false}}}"#,
    ),
    (
        Host::JetBrainsAi,
        "pasted.json",
        r#"{"mcpServers":{"tickets":{"url":"https://tickets.example.com/mcp","headers":{"X-Key":"key"}},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"dsn"}}}}"#,
    ),
    (
        Host::AmazonQIde,
        "default.json",
        r#"{"mcpServers":{"tickets":{"type":"http","url":"https://tickets.example.com/mcp","headers":{"X-Key":"${env:KEY}"},"timeout":90000,"disabled":false},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${env:DB_DSN}"}}}}"#,
    ),
    (
        Host::Kiro,
        "mcp.json",
        r#"{"mcpServers":{"tickets":{"url":"https://tickets.example.com/mcp","headers":{"X-Key":"${KEY}"},"disabled":false,"autoApprove":["list_tickets"]},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${DB_DSN}"}}}}"#,
    ),
    (
        Host::FastMcp,
        "fastmcp.json",
        r#"{"mcpServers":{"tickets":{"url":"https://tickets.example.com/mcp","transport":"http","headers":{"X-Key":"key"}},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"dsn"}}}}"#,
    ),
    (
        Host::Tabnine,
        "settings.json",
        r#"{"mcpServers":{"tickets":{"httpUrl":"https://tickets.example.com/mcp","headers":{"X-Key":"$KEY"},"timeout":90000},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${DB_DSN}"}}}}"#,
    ),
    (
        Host::Generic,
        "mcp.json",
        r#"{"servers":{"tickets":{"url":"https://tickets.example.com/mcp","headers":{"X-Key":"${KEY}"}},
            "db":{"command":"uvx","args":["example-db-mcp"],"env":{"DB_DSN":"${env:DB_DSN}"}},}}"#,
    ),
    (
        Host::Bowline,
        "bowline.toml",
        "[servers.db]\ncommand = \"uvx\"\nargs = [\"example-db-mcp\"]\nenv = { DB_DSN = \"${DB_DSN}\" }\n\n\
         [servers.tickets]\nurl = \"https://tickets.example.com/mcp\"\nheaders = { X-Key = \"${KEY}\" }\ntimeout = \"90s\"\n\
         trust = true\nprompts = { allow = [\"plan_*\"] }\nresources = { deny = [\"file:///etc/*\"] }\n",
    ),
];

pub(crate) fn resolver() -> Resolver {
    let around = Surroundings::new(System::Linux).with_env("DB_DSN", "dsn").with_env("KEY", "key");
    Resolver::new(around).with_input("key", "key")
}

/// What a server comes to, however it is written.
pub(crate) fn meaning(server: &Server) -> String {
    match server.resolve(&resolver()).unwrap_or_else(|error| panic!("{}: {error}", server.host)) {
        Endpoint::Program(program) => format!("{} {:?} {:?}", program.command, program.args, program.env),
        Endpoint::Remote(remote) => {
            let header = remote.headers.into_iter().next();
            let bearer = remote.bearer.map(|token| ("Authorization".to_owned(), format!("Bearer {token}")));
            let (_, value) = header.or(bearer).expect("a header");
            format!("{} {}", remote.url, value.trim_start_matches("Bearer "))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn there_is_a_sample_of_every_host() {
    for host in Host::ALL {
        assert!(SAMPLES.iter().any(|(of, ..)| of == host), "{host}");
    }
}

#[test]
fn the_sample_of_every_host_has_the_same_two_servers() {
    for (host, name, text) in SAMPLES {
        for text in [(*text).to_owned(), format!("\u{feff}{}", text.replace('\n', "\r\n"))] {
            let config = Configuration::read(*host, name, &text);
            let bad: Vec<_> = config.problems().iter().filter(|problem| problem.severity > Severity::Note).collect();
            assert!(bad.is_empty(), "{host}: {bad:?}");
            assert!(!config.servers().is_empty(), "{host}");
            for server in config.servers() {
                let expected = match server.name.as_str() {
                    "db" => r#"uvx ["example-db-mcp"] [("DB_DSN", "dsn")]"#,
                    "tickets" => "https://tickets.example.com/mcp key",
                    other => panic!("{host}: {other}"),
                };
                assert_eq!(meaning(server), expected, "{host}");
                let seconds = server.timeouts.idle.map(|time| time.as_secs());
                assert!(matches!(seconds, None | Some(90 | 60 | 120)), "{host}: {seconds:?}");
                assert!(server.enabled && server.trusted);
            }
        }
    }
}

#[test]
fn rules_for_tools_are_read_in_every_spelling() {
    let rules = |host: Host| {
        let (_, name, text) = SAMPLES.iter().find(|(other, ..)| *other == host).expect("a sample");
        Configuration::read(host, name, text).server("tickets").expect("tickets").tools.clone()
    };
    for host in [Host::Codex, Host::Gemini, Host::CopilotCli] {
        assert!(rules(host).permits("list_tickets") && !rules(host).permits("other"), "{host}");
    }
    for host in [Host::Windsurf, Host::Roo] {
        assert!(rules(host).permits("other") && !rules(host).permits("delete_ticket"), "{host}");
    }
    for host in [Host::Cline, Host::Roo] {
        assert!(rules(host).approves("list_tickets") && !rules(host).approves("other"), "{host}");
    }
}
