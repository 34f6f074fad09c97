//! Slips of the pen in hosts' files, and what one host writes otherwise than another.

use bowline_config::{Configuration, Host, Resolver, Severity, Sources, Surroundings, System, Transport, Way};

use crate::load::Home;

fn read(host: Host, name: &str, text: &str) -> Configuration {
    Configuration::read(host, name, text)
}

fn told(config: &Configuration) -> Vec<String> {
    config.problems().iter().map(|problem| format!("{}: {problem}", problem.severity)).collect()
}

/// The only thing that is told.
fn the_one(config: &Configuration) -> String {
    let told = told(config);
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].clone()
}

fn entry(entry: &str) -> Configuration {
    read(Host::Generic, "f.json", &format!("{{\"mcpServers\":{{\"a\":{entry}}}}}"))
}

#[test]
fn a_transport_is_understood_however_it_is_spelled() {
    for (word, way) in [
        ("HTTP", Way::Http),
        ("streamableHTTP", Way::Http),
        ("StreamableHttp", Way::Http),
        ("STREAMABLE_HTTP", Way::Http),
        ("Streamable HTTP", Way::Http),
        ("http-stream", Way::Http),
        ("SSE", Way::Sse),
        ("http+sse", Way::Sse),
        (" sse", Way::Sse),
        ("Remote", Way::Auto),
    ] {
        for key in ["type", "transport", "transportType"] {
            let config = entry(&format!(r#"{{"{key}":"{word}","url":"https://h/mcp"}}"#));
            let Transport::Remote(remote) = &config.server("a").unwrap().transport else { panic!("{word}") };
            assert_eq!(remote.way, way, "{key}: {word}");
        }
    }
    let config = entry(r#"{"type":"STDIO","command":"x"}"#);
    assert!(matches!(config.server("a").unwrap().transport, Transport::Stdio(_)));
    assert!(entry(r#"{"type":"smtp","url":"https://h"}"#).server("a").is_err());
}

#[test]
fn a_key_that_nothing_stands_behind_names_no_server_and_is_no_mistake() {
    for (host, name, text) in [
        (Host::LibreChat, "librechat.yaml", "mcpServers:\n  # a: {command: x}\n"),
        (Host::Goose, "config.yaml", "extensions:\n"),
        (Host::Cursor, "mcp.json", r#"{"mcpServers":null}"#),
        (Host::Zed, "settings.json", "// nothing yet\n"),
        (Host::VsCode, "settings.json", "/* nothing yet */"),
    ] {
        let config = read(host, name, text);
        assert!(config.servers().is_empty() && config.problems().is_empty(), "{text}: {:?}", told(&config));
    }
    // What is blank is more likely about to be written than meant so.
    assert!(the_one(&read(Host::Zed, "settings.json", " \n")).contains("the file is empty"));
}

#[test]
fn of_two_in_a_list_with_one_name_the_first_counts_and_the_other_is_told() {
    let text = "mcpServers:\n- name: a\n  command: one\n- name: a\n  command: two\n";
    let config = read(Host::Continue, "config.yaml", text);
    let Transport::Stdio(stdio) = &config.server("a").unwrap().transport else { panic!() };
    assert_eq!(stdio.command.shown(), "one");
    assert_eq!(the_one(&config), "warning: config.yaml:4:3: `a` is in this list already, in line 2: that one counts");
}

#[test]
fn a_secret_that_stands_in_for_a_variable_is_in_no_message() {
    for (host, value, shown) in [
        (Host::Cursor, "${TOKEN:-s3cret}", "`${TOKEN…}` is no variable"),
        (Host::Cursor, "${env:TOKEN:-s3cret}", "`${env:TOKEN…}` is no variable"),
        (Host::ClaudeCode, "${TOKEN-s3cret}", "`${TOKEN…}` is no variable"),
        (Host::ClaudeCode, "${TOKEN:=s3cret}", "`${TOKEN…}` is no variable"),
        (Host::ClaudeCode, "${TOKEN:-${OTHER:-s3cret}}", "`${TOKEN…}` is no variable"),
        (Host::ClaudeDesktop, "${TOKEN}", "`${TOKEN}` is no variable"),
        (Host::ClaudeCode, "${TOKEN-s3cret", "`${` stands here without the `}`"),
        (Host::OpenCode, "{env:TOKEN s3cret", "`{env:` stands here without the `}`"),
        (Host::LibreChat, "{{TOKEN} s3cret", "`{{` stands here without the `}}`"),
    ] {
        let text = match host {
            Host::OpenCode => {
                format!(r#"{{"mcp":{{"a":{{"type":"remote","url":"https://h","headers":{{"A":"{value}"}}}}}}}}"#)
            }
            Host::LibreChat => format!("mcpServers:\n  a: {{url: 'https://h', headers: {{A: '{value}'}}}}\n"),
            _ => format!(r#"{{"mcpServers":{{"a":{{"url":"https://h","headers":{{"A":"{value}"}}}}}}}}"#),
        };
        let config = read(host, if host == Host::LibreChat { "f.yaml" } else { "f.json" }, &text);
        let message = the_one(&config);
        assert!(message.contains(shown) && !message.contains("s3cret"), "{value}: {message}");
        assert!(config.server("a").unwrap().has_odd_variables(), "{value}");
    }
    let fine = entry(r#"{"url":"https://h","headers":{"A":"${TOKEN:-x}"}}"#);
    assert!(!fine.server("a").unwrap().has_odd_variables());
}

#[test]
fn a_command_in_one_line_shows_none_of_its_secrets() {
    let config = entry(r#"{"command":"npx -y pkg --token=s3cret --api-key s3cret"}"#);
    let shown = format!("{:?} {:?} {:?}", config.servers(), told(&config), config.explain("a"));
    assert!(!shown.contains("s3cret") && shown.contains("--token=(hidden)"), "{shown}");
    let Transport::Stdio(stdio) = &config.server("a").unwrap().transport else { panic!() };
    assert_eq!(stdio.shown_program(&Surroundings::new(System::current())), "npx");
    for (written, program) in [
        (r#"{"command":"npx mcp-remote https://h --header \"Authorization: Bearer s3cret\""}"#, "npx"),
        (r#"{"command":"/opt/srv --token=s3cret"}"#, "/opt/srv --token=(hidden)"),
        (r#"{"command":"npx --token=s3cret","args":["x"]}"#, "npx --token=(hidden)"),
    ] {
        let config = entry(written);
        let shown = format!("{:?} {:?} {:?}", config.servers(), told(&config), config.explain("a"));
        assert!(!shown.contains("s3cret"), "{shown}");
        let Transport::Stdio(stdio) = &config.server("a").unwrap().transport else { panic!() };
        assert_eq!(stdio.shown_program(&Surroundings::new(System::current())), program);
    }
}

#[test]
fn names_that_nothing_can_have_are_told_with_their_place() {
    for (wrong, why) in [
        (r#"{"command":"x","env":{"A=B":"s3cret"}}"#, "1:48: `A=B` is no name that a variable can have"),
        (r#"{"command":"x","env":{"":"s3cret"}}"#, "`` is no name that a variable can have"),
        (r#"{"url":"https://h","headers":{"X A":"s3cret"}}"#, "1:56: `X A` is no name that a header can have"),
        (r#"{"url":"https://h","headers":{"":"s3cret"}}"#, "`` is no name that a header can have"),
        (r#"{"url":"https://h","headers":["X\u00e4: s3cret"]}"#, "is no name that a header can have"),
        (r#"{"url":"https://h","headers":{"A":"s3cret\nB: s3cret"}}"#, "1:54: a header with a line break"),
        (r#"{"url":"https://h","bearerToken":"s3cret\n"}"#, "a header with a line break"),
    ] {
        let config = entry(wrong);
        let message = config.server("a").map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(why) && !message.contains("s3cret"), "{wrong}: {message}");
    }
}

#[test]
fn a_number_is_handed_on_as_it_is_written() {
    for (host, name, text) in [
        (Host::Bowline, "bowline.toml", "[servers.a]\ncommand = 'x'\nargs = [3.10]\nenv = { V = 3.10, W = 1_0.50 }\n"),
        (Host::Cursor, "mcp.json", r#"{"mcpServers":{"a":{"command":"x","args":[3.10],"env":{"V":3.10,"W":10.50}}}}"#),
        (Host::LibreChat, "l.yaml", "mcpServers:\n  a: {command: x, args: [3.10], env: {V: 3.10, W: 10.50}}\n"),
    ] {
        let config = read(host, name, text);
        let resolver = Resolver::new(Surroundings::new(System::current()));
        let endpoint = config.server("a").unwrap().resolve(&resolver).unwrap();
        let bowline_config::Endpoint::Program(program) = endpoint else { panic!("{endpoint:?}") };
        assert_eq!(program.args, ["3.10"], "{name}");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(program.env, [pair("V", "3.10"), pair("W", "10.50")], "{name}");
    }
}

#[test]
fn what_no_list_of_names_is_switches_no_server_off() {
    let text = r#"{"mcp":{"allowed":"a","excluded":{"a":1}},"mcpServers":{"a":{"command":"x"}}}"#;
    let config = read(Host::Gemini, "settings.json", text);
    assert!(config.server("a").unwrap().enabled);
    let told = told(&config);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("warning: settings.json:1:19: `mcp.allowed` is a text, and is ignored"), "{told:?}");
}

#[test]
fn what_an_input_has_for_an_answer_is_taken_where_nobody_gives_one() {
    let text = r#"{"inputs":[{"type":"promptString","id":"t","default":"d3f"},
        {"type":"pickString","id":"p","options":["x",{"label":"L","value":"y"}]}],
        "servers":{"a":{"command":"x","args":["${input:t}"],"env":{"V":"b-${input:t}"}},
        "b":{"command":"x","args":["${input:p}"]}}}"#;
    let config = read(Host::VsCode, "mcp.json", text);
    assert_eq!(config.inputs()[1].options, ["x", "y"]);
    assert_eq!(config.inputs().iter().map(|input| input.has_default).collect::<Vec<_>>(), [true, false]);
    let resolver = Resolver::new(Surroundings::new(System::current()));
    let args = |name: &str, resolver: &Resolver| match config.server(name).unwrap().resolve(resolver) {
        Ok(bowline_config::Endpoint::Program(program)) => Ok((program.args, program.env[0].1.clone())),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    };
    assert_eq!(args("a", &resolver), Ok((vec!["d3f".to_owned()], "b-d3f".to_owned())));
    let answered = resolver.clone().with_input("t", "own");
    assert_eq!(args("a", &answered), Ok((vec!["own".to_owned()], "b-own".to_owned())));
    assert!(args("b", &resolver).unwrap_err().contains("the input `p` was not answered"));
    // It may be a secret, and it is what the server is given.
    assert!(!format!("{:?} {:?}", config.servers(), config.inputs()).contains("d3f"));
    let other = read(Host::VsCode, "mcp.json", &text.replace("d3f", "other"));
    assert_ne!(other.server("a").unwrap().fingerprint(), config.server("a").unwrap().fingerprint());
}

#[test]
fn a_file_of_one_long_line_is_read_in_time_that_grows_with_it() {
    // Counting each place from the start of the line would take minutes.
    let servers: Vec<String> = (0..10_001).map(|n| format!(r#""s{n}":{{"command":"x","odd":{n}}}"#)).collect();
    let text = format!("{{\"mcpServers\":{{{}}}}}", servers.join(","));
    let config = read(Host::Cursor, "mcp.json", &text);
    assert_eq!(config.servers().len(), 10_000);
    let column = |name: &str| text.find(&format!("\"{name}\"")).unwrap() + 1;
    assert_eq!(config.server("s9999").unwrap().place.column as usize, column("s9999"));
    let told = config.problems().iter().find(|problem| problem.severity == Severity::Error).unwrap();
    assert!(told.message.contains("more than 10000 servers"), "{told}");
    assert_eq!(told.place.column as usize, column("s10000"));
}

#[test]
fn of_an_entry_with_more_faults_than_anybody_reads_some_are_told_and_why_it_is_none() {
    let odd: String = (0..5_000).map(|n| format!(r#""k{n}":1,"#)).collect();
    let config = entry(&format!(r#"{{{odd}"command":["x",3]}}"#));
    assert_eq!(config.problems().len(), 101);
    let error = config.server("a").map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("`command` names no program"), "{error}");
    assert!(config.problems()[100].message.contains("4901 more things about this entry"), "{}", config.problems()[100]);
    let own: String = (0..5_000).map(|n| format!("k{n} = 1\n")).collect();
    let config = read(Host::Bowline, "bowline.toml", &format!("[servers.a]\ncommand = 'x'\n{own}"));
    assert_eq!(config.problems().len(), 100);
    // As many names of variables as a file can hold.
    let names: String = (0..100_000).map(|n| format!("'V{n}',")).collect();
    let config = read(Host::Codex, "config.toml", &format!("[mcp_servers.a]\ncommand = 'x'\nenv_vars = [{names}]\n"));
    let Transport::Stdio(stdio) = &config.server("a").unwrap().transport else { panic!() };
    assert_eq!(stdio.env.len(), 100_000);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_holds_nobody_up() {
    let home = Home::new().with("home/.gemini/settings.json", r#"{"mcpServers":{"g":{"command":"x"}}}"#);
    let pipe = |name: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    pipe("project/.mcp.json");
    let given = pipe("given.json");
    let secret = pipe("secret");
    let own = format!(
        "[servers.f]\ncommand = '${{file:{0}}}'\n[servers.e]\ncommand = 'x'\nenv_file = '{0}'\n",
        secret.display()
    );
    let home = home.with("home/.config/bowline/bowline.toml", &own);
    let config = Configuration::load(&home.around(), &Sources::default().with_file(&given));
    assert!(config.server("g").is_ok());
    let pipes: Vec<_> = config.problems().iter().filter(|problem| problem.message.contains("is a pipe")).collect();
    assert_eq!(pipes.len(), 2, "{:?}", config.problems());
    assert!(pipes.iter().all(|problem| problem.severity == Severity::Error));
    for name in ["f", "e"] {
        let error = config.server(name).unwrap().resolve(&Resolver::new(home.around())).unwrap_err();
        assert!(error.to_string().contains("is a pipe, and no ordinary file"), "{error}");
    }
}
