//! Files on a disk, found and put together.

use std::fs;
use std::path::Path;

use bowline_config::{Configuration, ErrorKind, Host, Resolver, Scope, Severity, Sources, Surroundings, System};

pub(crate) struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn with(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, text).expect("a file");
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn around(&self) -> Surroundings {
        let folder = |name: &str| self.path().join(name).to_str().expect("utf-8").to_owned();
        Surroundings::new(System::Linux).with_home(folder("home")).with_folder(folder("project"))
    }

    fn load(&self) -> Configuration {
        Configuration::load(&self.around(), &Sources::default())
    }

    fn load_trusting(&self) -> Configuration {
        Configuration::load(&self.around(), &Sources::default().with_trust(true))
    }
}

fn names(config: &Configuration) -> Vec<(&str, Host)> {
    config.servers().iter().map(|server| (server.name.as_str(), server.host)).collect()
}

#[test]
fn a_file_with_a_fault_does_not_keep_the_others() {
    let home = Home::new()
        .with("home/.cursor/mcp.json", "{\"mcpServers\": {\n  \"a\" {}}}")
        .with("home/.gemini/settings.json", r#"{"mcpServers":{"b":{"command":"x"}}}"#)
        .with("home/.codex/config.toml", "\u{0}")
        .with("home/.config/goose/config.yaml/not-a-file", "");
    let config = home.load();
    assert_eq!(names(&config), [("b", Host::Gemini)]);
    let told: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
    assert!(told[0].contains("mcp.json:2:7: no valid json: expected colon"), "{told:?}");
    assert!(told.iter().any(|problem| problem.contains("config.toml:1:2: no valid toml")), "{told:?}");
    assert!(told.iter().any(|problem| problem.contains("no ordinary file")), "{told:?}");
}

#[test]
fn bowlines_own_file_wins_and_every_value_says_where_it_comes_from() {
    let home = Home::new()
        .with(
            "home/.config/bowline/bowline.toml",
            "[defaults]\ntimeout = '40s'\nconnect_timeout = '5s'\n[servers.a]\ntimeout = '7s'\nenabled = false\n",
        )
        .with("home/.cursor/mcp.json", r#"{"mcpServers":{"a":{"command":"cursors","args":["--token","s3cret"]}}}"#)
        .with("home/.gemini/settings.json", r#"{"mcpServers":{"a":{"command":"geminis","timeout":9000}}}"#);
    let config = home.load();
    let server = config.server("a").expect("a");
    assert_eq!((server.host, server.enabled), (Host::Cursor, false));
    assert_eq!(server.timeouts.idle.map(|time| time.as_secs()), Some(7));
    assert_eq!(server.timeouts.connect.map(|time| time.as_secs()), Some(5));
    let explanation = config.explain("a").expect("an explanation");
    let line = |key: &str| {
        let found = explanation.settings.iter().find(|explained| explained.setting.key == key).expect(key);
        let file = found.setting.place.file.file_name().and_then(|name| name.to_str()).expect("a name");
        let over: Vec<&str> = found.overrides.iter().map(|setting| setting.value.as_str()).collect();
        format!("{} {file}:{} over {over:?}", found.setting.value, found.setting.place.line)
    };
    assert_eq!(line("command"), r#"cursors mcp.json:1 over ["geminis"]"#);
    assert_eq!(line("timeout"), r#"7s bowline.toml:5 over ["9s"]"#);
    assert_eq!(line("connect_timeout"), "5s bowline.toml:3 over []");
    assert_eq!(line("enabled"), "false bowline.toml:6 over []");
    assert_eq!(explanation.shadowed.iter().map(|(host, _)| *host).collect::<Vec<_>>(), [Host::Gemini]);
    assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
}

#[test]
fn what_a_project_names_is_not_started_before_its_folder_is_trusted() {
    let home = Home::new()
        .with("project/.mcp.json", r#"{"mcpServers":{"p":{"command":"theirs"},"u":{"command":"theirs"}}}"#)
        .with("project/bowline.toml", "[servers.u]\nenabled = false\n")
        .with("home/.claude.json", r#"{"mcpServers":{"u":{"command":"mine"}}}"#);
    let config = home.load();
    let resolver = Resolver::new(home.around());
    let refused = config.server("p").expect("p").resolve(&resolver).expect_err("not trusted");
    assert_eq!(refused.kind(), ErrorKind::Untrusted);
    // A name that a project takes is still the person's own, and what the project changes has no effect.
    let own = config.server("u").expect("u");
    assert!(own.trusted && own.enabled && own.scope == Scope::User);
    own.resolve(&resolver).expect("mine");

    let config = home.load_trusting();
    assert!(config.server("p").expect("p").resolve(&resolver).is_ok());
    let theirs = config.server("u").expect("u");
    assert!(!theirs.enabled && theirs.scope == Scope::Project);

    let folder = home.path().join("project");
    let text = format!("trusted_folders = ['{}']\n", folder.display());
    let home = home.with("home/.config/bowline/bowline.toml", &text);
    assert!(home.load().server("p").expect("p").trusted);
    // Not one that only begins with the same letters.
    let text = format!("trusted_folders = ['{}']\n", folder.display().to_string().trim_end_matches('t'));
    let home = home.with("home/.config/bowline/bowline.toml", &text);
    assert!(!home.load().server("p").expect("p").trusted);
}

#[test]
fn a_changed_setting_cannot_send_a_servers_secrets_elsewhere() {
    let home = Home::new()
        .with("project/bowline.toml", "[servers.u]\nheaders = {X-Evil = 'x'}\n")
        .with("home/.claude.json", r#"{"mcpServers":{"u":{"url":"https://h","headers":{"A":"b"}}}}"#);
    let config = home.load_trusting();
    let error = config.server("u").expect_err("broken");
    assert!(error.to_string().contains("`headers` stands without `command` or `url`"), "{error}");
}

#[test]
fn named_files_win_over_all_others_and_one_that_is_not_there_is_told() {
    let home = Home::new()
        .with("mine.json", r#"{"mcpServers":{"a":{"command":"given"}}}"#)
        .with("codex.toml", "[mcp_servers.c]\ncommand = 'x'\n")
        .with("home/.config/bowline/bowline.toml", "[servers.a]\ncommand = 'own'\n[servers.b]\ncommand = 'own'\n");
    let sources = Sources::default()
        .with_file(home.path().join("mine.json"))
        .with_file(home.path().join("codex.toml"))
        .with_file(home.path().join("absent.json"));
    let config = Configuration::load(&home.around(), &sources);
    assert_eq!(names(&config), [("a", Host::Generic), ("b", Host::Bowline), ("c", Host::Codex)]);
    assert!(config.problems().iter().any(|problem| problem.message == "there is no such file"));
}

#[test]
fn a_server_that_cannot_be_used_is_no_unknown_one() {
    let home = Home::new().with("home/.cursor/mcp.json", r#"{"mcpServers":{"bad":{"type":"pigeon"}}}"#);
    let config = home.load();
    assert_eq!(config.server("bad").expect_err("bad").kind(), ErrorKind::Invalid);
    assert_eq!(config.server("none").expect_err("none").kind(), ErrorKind::Unknown);
    assert_eq!(config.broken(), ["bad"]);
}

#[test]
fn groups_and_policies_name_what_there_is() {
    let text = "[groups]\ng = ['a', 'nobody']\n[servers.a]\ncommand = 'x'\npolicy = 'none'\n";
    let home = Home::new().with("home/.config/bowline/bowline.toml", text);
    let config = home.load();
    let told: Vec<&str> = config.problems().iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "the group `g` names `nobody`, which is no server",
            "there is no policy `none` in `policies` that can be used"
        ]
    );
    assert!(config.problems().iter().all(|problem| problem.severity == Severity::Error));
}

#[test]
fn only_the_hosts_that_are_imported_are_read() {
    let home = Home::new()
        .with("home/.config/bowline/bowline.toml", "imports = ['gemini']\n")
        .with("home/.cursor/mcp.json", r#"{"mcpServers":{"c":{"command":"x"}}}"#)
        .with("home/.gemini/settings.json", r#"{"mcpServers":{"g":{"command":"x"}}}"#);
    assert_eq!(names(&home.load()), [("g", Host::Gemini)]);
    let sources = Sources::default().with_imports([Host::Cursor]);
    assert_eq!(names(&Configuration::load(&home.around(), &sources)), [("c", Host::Cursor)]);
}

#[test]
fn folders_of_files_and_both_versions_of_opencode_are_read() {
    let home = Home::new()
        .with("project/.continue/mcpServers/b.json", r#"{"mcpServers":{"j":{"command":"x"}}}"#)
        .with("project/.continue/mcpServers/a.yaml", "mcpServers: [{name: y, command: x}]\n")
        .with("project/.continue/mcpServers/c.txt", "no configuration")
        .with("home/.config/opencode/opencode.json", r#"{"mcp":{"servers":{"o":{"type":"local","command":["x"]}}}}"#);
    let config = home.load();
    assert_eq!(names(&config), [("j", Host::Continue), ("o", Host::OpenCode2), ("y", Host::Continue)]);
}

#[test]
fn profiles_of_vs_code_are_read_in_the_order_of_their_folders() {
    let file = |command: &str, name: &str| format!(r#"{{"servers":{{"{name}":{{"command":"{command}"}}}}}}"#);
    let home = Home::new()
        .with("home/.config/Code/User/profiles/b1/mcp.json", &file("second", "shared"))
        .with("home/.config/Code/User/profiles/a2/mcp.json", &file("first", "shared"))
        .with("home/.config/Code/User/profiles/a2/settings.json", "{}")
        .with("home/.config/Code/User/profiles/note.txt", "")
        .with("home/.config/Code/User/mcp.json", &file("own", "mine"))
        .with("home/.config/Code - Insiders/User/profiles/x/mcp.json", &file("late", "mine"));
    let config = home.load();
    assert_eq!(names(&config), [("mine", Host::VsCode), ("shared", Host::VsCode)]);
    let file_of = |name: &str| config.server(name).expect(name).place.file.clone();
    assert!(file_of("shared").ends_with("profiles/a2/mcp.json"), "{:?}", file_of("shared"));
    assert!(file_of("mine").ends_with("Code/User/mcp.json"), "{:?}", file_of("mine"));
    let shadowed = &config.explain("shared").expect("an explanation").shadowed;
    assert!(shadowed[0].1.file.ends_with("profiles/b1/mcp.json"), "{shadowed:?}");
    let read = config.files().iter().filter(|file| file.servers.is_some());
    assert_eq!(read.count(), 4);
    // One that breaks is told, and keeps nothing else.
    let home = home.with("home/.config/Code/User/profiles/a2/mcp.json", "{");
    let config = home.load();
    assert!(config.server("shared").expect("of the other").place.file.ends_with("b1/mcp.json"));
    assert!(config.problems()[0].to_string().contains("a2/mcp.json:1:"), "{:?}", config.problems());
}

#[test]
fn prompts_resources_and_trust_are_read_merged_and_explained() {
    let home = Home::new()
        .with(
            "home/.config/bowline/bowline.toml",
            "[servers.a]\ntrust = true\nprompts = { allow = ['plan_*'], deny = ['plan_b'] }\n\
             [servers.b]\ncommand = 'x'\nresources.deny = ['file:///secret/*']\npolicy = 'p'\n\
             [policies.p]\nprompts.deny = ['*']\nresources = { allow = ['file:///*'] }\n",
        )
        .with("home/.cursor/mcp.json", r#"{"mcpServers":{"a":{"command":"cursors"}}}"#);
    let config = home.load();
    assert!(config.problems().is_empty(), "{:?}", config.problems());
    let (a, b) = (config.server("a").expect("a"), config.server("b").expect("b"));
    assert_eq!((a.host, a.trust, b.trust), (Host::Cursor, Some(true), None));
    assert!(a.prompts.permits("plan_a") && !a.prompts.permits("plan_b") && !a.prompts.permits("x"));
    assert!(a.resources.permits("x") && b.prompts.permits("x"));
    assert!(b.resources.permits("file:///x") && !b.resources.permits("file:///secret/x"));
    let policy = config.policy_of(b).expect("known").expect("named");
    assert!(!policy.prompts.permits("x") && !policy.resources.permits("http://h"));
    let settings = &config.explain("a").expect("an explanation").settings;
    let told: Vec<String> =
        settings.iter().map(|told| format!("{} {}", told.setting.key, told.setting.value)).collect();
    for wanted in ["trust true", "prompts.allow [\"plan_*\"]", "prompts.deny [\"plan_b\"]"] {
        assert!(told.iter().any(|told| told == wanted), "{told:?}");
    }
    // Each is a change of the entry, and none of its neighbours.
    let before = (a.fingerprint(), b.fingerprint());
    let text = fs::read_to_string(home.path().join("home/.config/bowline/bowline.toml")).expect("the file");
    let home = home.with("home/.config/bowline/bowline.toml", &text.replace("trust = true", "trust = false"));
    let config = home.load();
    let print = |name: &str| config.server(name).expect(name).fingerprint();
    assert!(print("a") != before.0 && print("b") == before.1);
}

#[test]
fn what_prompts_resources_and_trust_cannot_be_is_told_with_the_place() {
    for (entry, why) in [
        ("trust = 'yes'", "3:9: "),
        ("prompts = { allow = ['a'], deny = ['a'] }", "`a` is both allowed and denied"),
        ("resources = { alow = ['a'] }", "alow"),
        ("prompts = ['a']", "`prompts` is a list, and has to be a table"),
        ("tools = ['a']", "`tools` is a list, and has to be a table"),
        ("pool = 3", "`pool` is a number, and has to be a table"),
        ("layers = true", "`layers` is true or false, and has to be a table"),
        ("resources.approve = ['a']", "approve"),
    ] {
        let text = format!("[servers.a]\ncommand = 'x'\n{entry}\n");
        let config = Configuration::read(Host::Bowline, "bowline.toml", &text);
        let error = config.server("a").map(|_| ()).expect_err(entry).to_string();
        assert!(error.contains(why) && error.contains("bowline.toml:3:"), "{entry}: {error}");
    }
}

#[test]
fn in_the_home_folder_a_projects_file_is_the_persons() {
    let home = Home::new().with("home/.cursor/mcp.json", r#"{"mcpServers":{"c":{"command":"x"}}}"#);
    let folder = home.path().join("home");
    let around = home.around().with_folder(folder.to_str().expect("utf-8"));
    assert!(Configuration::load(&around, &Sources::default()).server("c").expect("c").trusted);
}

#[test]
fn files_too_large_in_another_encoding_or_no_files_are_told() {
    let home = Home::new().with("big.json", &" ".repeat(17 * 1024 * 1024));
    fs::write(home.path().join("wide.json"), [0xff, 0xfe, b'{', 0]).expect("a file");
    fs::write(home.path().join("latin.json"), b"{\n\"\xe4\"").expect("a file");
    for (name, expected) in [
        ("big.json", "larger than 16 MiB"),
        ("wide.json", "is UTF-16"),
        ("latin.json", "latin.json:2:2: no UTF-8 from here on"),
        (".", "no ordinary file"),
    ] {
        let sources = Sources::default().with_file(home.path().join(name));
        let config = Configuration::load(&home.around(), &sources);
        let told = config.problems()[0].to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_file_that_breaks_while_it_is_edited_goes_on_to_say_what_it_said() {
    let cursor = "home/.cursor/mcp.json";
    let mut home = Home::new()
        .with(cursor, r#"{"mcpServers":{"a":{"command":"x"},"bad":{"type":"pigeon"}}}"#)
        .with("home/.gemini/settings.json", r#"{"mcpServers":{"b":{"command":"x"}}}"#);
    let mut config = home.load();
    for broken in ["{\"mcpServers\": {", "[]", "\u{0}"] {
        home = home.with(cursor, broken).with("home/.gemini/settings.json", r#"{"mcpServers":{"c":{"command":"x"}}}"#);
        config = config.load_again(&home.around(), &Sources::default());
        assert_eq!(names(&config), [("a", Host::Cursor), ("c", Host::Gemini)]);
        let of = |file: &str| {
            let is_of = |problem: &&bowline_config::Problem| {
                problem.severity == Severity::Error && problem.place.file.ends_with(file)
            };
            config.problems().iter().filter(is_of).map(|problem| problem.message.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of("mcp.json").len(), 2, "{:?}", config.problems());
        assert!(config.server("bad").expect_err("a pigeon").to_string().contains("pigeon"));
        let file = config.files().iter().find(|file| file.path.ends_with("mcp.json") && file.servers.is_some());
        assert_eq!(file.expect("the file").servers, Some(2));
    }
    // Without anything to go by it is as it ever was.
    assert_eq!(names(&home.load()), [("c", Host::Gemini)]);
    // Mended, it says what it says; gone, it says nothing.
    home = home.with(cursor, r#"{"mcpServers":{"d":{"command":"x"}}}"#);
    config = config.load_again(&home.around(), &Sources::default());
    assert_eq!(names(&config), [("c", Host::Gemini), ("d", Host::Cursor)]);
    fs::remove_file(home.path().join(cursor)).expect("removed");
    config = config.load_again(&home.around(), &Sources::default());
    assert_eq!(names(&config), [("c", Host::Gemini)]);
    assert!(config.problems().is_empty(), "{:?}", config.problems());
}

#[test]
fn a_replica_is_the_server_at_another_address() {
    let home = Home::new().with(
        "home/.config/bowline/bowline.toml",
        "[servers.a]\nurl = 'https://a.example/mcp'\nheaders = { X = '${TOKEN}' }\n\
         pool = { replicas = [{ url = 'https://${WHERE}/mcp' }] }\n[servers.p]\ncommand = 'x'\n",
    );
    let around = home.around().with_env("TOKEN", "t").with_env("WHERE", "b.example");
    let config = home.load();
    let server = config.server("a").expect("a");
    let replica = &server.pool.as_ref().expect("a pool").replicas[0];
    let resolver = Resolver::new(around);
    match server.resolve_replica(replica, &resolver).expect("an address") {
        bowline_config::Endpoint::Remote(address) => {
            assert_eq!(address.url, "https://b.example/mcp");
            assert_eq!(address.headers, [("X".to_owned(), "t".to_owned())]);
        }
        other => panic!("{other:?}"),
    }
    let program = config.server("p").expect("p").resolve_replica(replica, &resolver).expect_err("a program");
    assert_eq!(program.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_policy_that_cannot_be_read_is_none_that_permits_all() {
    for (rules, why) in [
        ("p = ['read_only']", "bowline.toml:5:5: the policy `p` is a list, and has to be a table of rules"),
        ("p = { deny = 'x', allow = 3 }", "bowline.toml:5:"),
        ("p = { denny = ['x'] }", "denny"),
    ] {
        let text = format!("[servers.a]\ncommand = 'x'\npolicy = 'p'\n[policies]\n{rules}\n");
        let config = Configuration::read(Host::Bowline, "bowline.toml", &text);
        let told: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        assert!(told[0].contains(why), "{told:?}");
        let error = config.policy_of(config.server("a").expect("a")).expect_err(rules);
        assert!(error.to_string().contains("no policy `p`"), "{error}");
    }
}
