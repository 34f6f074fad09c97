use super::*;
use crate::{Configuration, Host, System};

fn around() -> Surroundings {
    Surroundings::new(System::Linux)
        .with_home("/home/u")
        .with_folder("/p")
        .with_env("KEY", "k1")
        .with_env("TOKEN", "t1")
        .with_env("HOST", "h.example")
}

fn resolve(host: Host, text: &str, name: &str, resolver: &Resolver) -> Result<Endpoint, Error> {
    Configuration::read(host, "f.json", text).server(name).and_then(|server| server.resolve(resolver))
}

fn program(host: Host, entry: &str) -> Program {
    let text = format!(r#"{{"mcpServers":{{"a":{entry}}}}}"#);
    match resolve(host, &text, "a", &Resolver::new(around())) {
        Ok(Endpoint::Program(program)) => program,
        other => panic!("{other:?}"),
    }
}

#[test]
fn case_config_001() {
    let text = r#"{"mcpServers":{"a":{"command":"${RUNNER:-npx}","args":["--k=${KEY}"],"env":{"T":"${env:TOKEN}"}},"b":{"url":"https://${HOST}/mcp","headers":{"Authorization":"Bearer ${TOKEN}"}}}}"#;
    let resolver = Resolver::new(around());
    let Ok(Endpoint::Program(a)) = resolve(Host::Generic, text, "a", &resolver) else { panic!() };
    assert_eq!((a.command.as_str(), a.args.as_slice()), ("npx", &["--k=k1".to_owned()][..]));
    assert_eq!(a.env, [("T".to_owned(), "t1".to_owned())]);
    let Ok(Endpoint::Remote(b)) = resolve(Host::Generic, text, "b", &resolver) else { panic!() };
    assert_eq!(b.url, "https://h.example/mcp");
    assert_eq!(b.headers, [("Authorization".to_owned(), "Bearer t1".to_owned())]);
    assert!(!format!("{a:?}{b:?}").contains("t1"), "{a:?} {b:?}");
}

#[test]
fn case_config_007() {
    let text = "{\n  // main\n  \"mcpServers\": {\n    /* off: \"x\": {} */\n    \"a\": {\"command\":\"srv\",\"args\":[\"http://h//x\",\"/* no */\",],},\n  },\n}";
    let Ok(Endpoint::Program(a)) = resolve(Host::Generic, text, "a", &Resolver::new(around())) else { panic!() };
    assert_eq!(a.args, ["http://h//x", "/* no */"]);
    // A host that takes none would read nothing of it; the place is told.
    let error = Configuration::read(Host::ClaudeDesktop, "f.json", text);
    assert!(error.problems()[0].to_string().starts_with("f.json:2:3: a comment"), "{:?}", error.problems());
}

#[test]
fn case_config_009() {
    let windows = program(
        Host::Generic,
        r#"{"command":"C:\\Program Files\\nodejs\\node.exe","args":["C:\\My Docs\\s.js","","a\"b","%PATH%"]}"#,
    );
    assert_eq!(windows.command, "C:\\Program Files\\nodejs\\node.exe");
    assert_eq!(windows.args, ["C:\\My Docs\\s.js", "", "a\"b", "%PATH%"]);
    let unix = program(Host::Generic, r#"{"command":"/opt/My App/srv","args":["--dir","/home/u/My Files"]}"#);
    assert_eq!((unix.command.as_str(), unix.args.len()), ("/opt/My App/srv", 2));
    assert_eq!(unix.args[1], "/home/u/My Files");
    // Also without arguments, which is where a slip is mended.
    assert_eq!(program(Host::Generic, r#"{"command":"/opt/My App/srv"}"#).command, "/opt/My App/srv");
}

#[test]
fn a_command_in_one_line_is_split_only_where_no_program_is_called_so() {
    let split = program(Host::Generic, r#"{"command":"npx -y 'my pkg'"}"#);
    assert_eq!((split.command.as_str(), split.args.as_slice()), ("npx", &["-y".to_owned(), "my pkg".to_owned()][..]));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my server"), "").unwrap();
    let resolver = Resolver::new(around().with_env("PATH", folder.path().to_str().unwrap()));
    let text = r#"{"mcpServers":{"a":{"command":"my server"}}}"#;
    let Ok(Endpoint::Program(whole)) = resolve(Host::Generic, text, "a", &resolver) else { panic!() };
    assert_eq!((whole.command.as_str(), whole.args.len()), ("my server", 0));
}

#[test]
fn every_missing_variable_is_told_with_its_name_and_place() {
    let text =
        "{\"mcpServers\":{\"a\":{\"command\":\"x\",\n\"args\":[\"${ONE}\"],\n\"env\":{\"T\":\"${TWO} ${KEY}\"}}}}";
    let error = resolve(Host::ClaudeCode, text, "a", &Resolver::new(around())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Variable);
    let told: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    assert!(told[0].starts_with("f.json:2:9: `args` of `a`: ${ONE} has no value"), "{told:?}");
    assert!(told[1].starts_with("f.json:3:12: `env.T` of `a`: ${TWO} has no value"), "{told:?}");
    assert!(!format!("{error:?} {error}").contains("k1"));
}

#[test]
fn what_is_handed_on_by_its_name_is_left_out_where_it_is_not_set() {
    let text = "[mcp_servers.a]\ncommand = 'x'\nenv_vars = ['KEY', 'NOT_SET']\n[mcp_servers.b]\nurl = 'https://h'\nenv_http_headers = {A = 'NOT_SET'}\nbearer_token_env_var = 'ALSO_NOT'";
    let config = Configuration::read(Host::Codex, "config.toml", text);
    let resolver = Resolver::new(around());
    let Ok(Endpoint::Program(a)) = config.server("a").unwrap().resolve(&resolver) else { panic!() };
    assert_eq!(a.env, [("KEY".to_owned(), "k1".to_owned())]);
    let error = config.server("b").unwrap().resolve(&resolver).unwrap_err();
    assert!(error.problems().len() == 1 && error.to_string().contains("ALSO_NOT"), "{error}");
}

#[test]
fn values_come_from_files_inputs_the_keyring_and_the_host() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("k"), "from-file\n").unwrap();
    std::fs::write(folder.path().join(".env"), "A=1\nB=2\n").unwrap();
    let path = folder.path().join("bowline.toml");
    let text = "[servers.a]\ncommand = '~/srv'\nargs = ['${workspaceFolderBasename}']\nenv_file = '${workspaceFolder}/.env'\n\
        env = {F = '${file:k}', I = '${input:i}', K = '${keyring:n}', B = '3', E = '${EMPTY:-d}'}\n";
    let around = around().with_folder(folder.path().to_str().unwrap()).with_env("EMPTY", "");
    let keyring = |name: &str| Ok((name == "n").then(|| "from-keyring".to_owned()));
    let resolver = Resolver::new(around).with_input("i", "from-input").with_keyring(keyring);
    let config = Configuration::read(Host::Bowline, &path, text);
    assert!(config.problems().is_empty(), "{:?}", config.problems());
    let Ok(Endpoint::Program(a)) = config.server("a").unwrap().resolve(&resolver) else { panic!() };
    assert_eq!(a.command, "/home/u/srv");
    assert_eq!(a.args, [folder.path().file_name().unwrap().to_str().unwrap()]);
    let env: Vec<String> = a.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["A=1", "F=from-file", "I=from-input", "K=from-keyring", "B=3", "E=d"]);
    let unknown = resolver.with_keyring(|_| Ok(None));
    let error = config.server("a").unwrap().resolve(&unknown).unwrap_err();
    assert!(error.to_string().contains("the keyring knows no `n`"), "{error}");
}

#[cfg(unix)]
#[test]
fn commands_run_where_they_are_let_and_never_for_a_project() {
    let text = "[servers.a]\nurl = 'https://h'\nbearer = '${cmd:printf s3cret}'\n";
    let config = Configuration::read(Host::Bowline, "bowline.toml", text);
    let mut server = config.server("a").unwrap().clone();
    let off = Resolver::new(around());
    assert!(server.resolve(&off).unwrap_err().to_string().contains("commands are not run here"));
    let on = off.with_commands(true);
    let Ok(Endpoint::Remote(remote)) = server.resolve(&on) else { panic!() };
    assert_eq!(remote.bearer.as_deref(), Some("s3cret"));
    server.scope = Scope::Project;
    assert!(server.resolve(&on).unwrap_err().to_string().contains("files of a project"));
}

#[test]
fn what_is_off_or_not_trusted_is_not_resolved() {
    let config =
        Configuration::read(Host::Windsurf, "f.json", r#"{"mcpServers":{"a":{"command":"x","disabled":true}}}"#);
    let mut server = config.server("a").unwrap().clone();
    let resolver = Resolver::new(around());
    assert_eq!(server.resolve(&resolver).unwrap_err().kind(), ErrorKind::Disabled);
    server.trusted = false;
    assert_eq!(server.resolve(&resolver).unwrap_err().kind(), ErrorKind::Untrusted);
}

#[test]
fn an_address_is_shown_without_its_secrets() {
    for (url, bare) in [
        ("https://h/mcp", "https://h/mcp"),
        ("https://u:p@h/mcp@x", "https://(hidden)@h/mcp@x"),
        ("https://h/?k=v&t=${T}&x", "https://h/?k=(hidden)&t=${T}&(hidden)"),
        ("wss://h/x#token", "wss://h/x#(hidden)"),
        ("unix:/run/x", "unix:/run/x"),
    ] {
        assert_eq!(bare_url(url), bare);
    }
}
