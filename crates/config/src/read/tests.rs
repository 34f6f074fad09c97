use super::*;
use crate::Template;
use crate::model::Way;

fn load(host: Host, name: &str, text: &str) -> Loaded {
    file(host, Scope::User, Path::new(name), text, Some("/p"))
}

/// What is told, without notes.
fn told(loaded: &Loaded) -> Vec<String> {
    let of_weight = loaded.problems.iter().filter(|problem| problem.severity > crate::Severity::Note);
    of_weight.map(ToString::to_string).collect()
}

fn one(host: Host, entry: &str) -> (Option<Draft>, Vec<String>) {
    let top = host.facts().tops.first().and_then(|path| path.first()).copied().unwrap_or("mcpServers");
    let loaded = load(host, "f.json", &format!("{{\"{top}\":{{\"s\":{entry}}}}}"));
    let told = told(&loaded);
    (loaded.drafts.into_iter().next(), told)
}

fn way(draft: Option<Draft>) -> Option<Way> {
    match draft?.transport? {
        Transport::Remote(remote) => Some(remote.way),
        Transport::Stdio(_) => None,
    }
}

#[test]
fn case_config_005() {
    for (word, expected) in [
        ("http", Way::Http),
        ("streamable-http", Way::Http),
        ("streamableHttp", Way::Http),
        ("streamable_http", Way::Http),
        ("sse", Way::Sse),
    ] {
        for (key, url) in [("type", "url"), ("transport", "serverUrl"), ("type", "httpUrl")] {
            let (draft, told) = one(Host::Generic, &format!(r#"{{"{key}":"{word}","{url}":"http://h/mcp"}}"#));
            assert_eq!((way(draft), told), (Some(expected), vec![]), "{key} {word} {url}");
        }
    }
    for word in ["stdio", "local"] {
        let (draft, told) = one(Host::Generic, &format!(r#"{{"type":"{word}","command":"srv"}}"#));
        assert!(matches!(draft.unwrap().transport, Some(Transport::Stdio(_))) && told.is_empty());
    }
    for (switch, on) in [("\"enabled\":false", false), ("\"disabled\":true", false), ("\"disabled\":false", true)] {
        let (draft, _) = one(Host::Generic, &format!(r#"{{"command":"srv",{switch}}}"#));
        assert_eq!(draft.unwrap().enabled, Some(on), "{switch}");
    }
    let loaded = load(Host::Generic, "f.json", r#"{"mcpServers":{"odd":{"type":"carrier-pigeon","url":"http://h"}}}"#);
    assert_eq!(loaded.problems[0].server.as_deref(), Some("odd"));
    let told = told(&loaded).remove(0);
    for word in ["carrier-pigeon", "stdio", "streamable-http", "sse", "f.json:1:30"] {
        assert!(told.contains(word), "{told}");
    }
}

#[test]
fn case_config_006() {
    let entry = r#"{"url":"http://h/mcp/proxy/sse/default","type":"streamable-http"}"#;
    assert_eq!(way(one(Host::Generic, entry).0), Some(Way::Http));
    // Neither does the path decide where nothing is said: the server is asked.
    assert_eq!(way(one(Host::Generic, r#"{"url":"http://h/sse"}"#).0), Some(Way::Auto));
}

#[test]
fn an_address_without_a_type_means_what_its_host_means() {
    let url = r#"{"url":"http://h/mcp"}"#;
    assert_eq!(way(one(Host::Cline, url).0), Some(Way::SseFirst));
    let (draft, told) = one(Host::Roo, url);
    assert_eq!(way(draft), Some(Way::Auto));
    assert!(told[0].contains("Roo Code refuses an address without `type`"), "{told:?}");
    assert_eq!(way(one(Host::Gemini, r#"{"httpUrl":"http://h"}"#).0), Some(Way::Http));
    assert_eq!(way(one(Host::Gemini, r#"{"tcp":"ws://h"}"#).0), Some(Way::WebSocket));
    assert_eq!(way(one(Host::VsCode, r#"{"type":"http","url":"http://h"}"#).0), Some(Way::Auto));
}

#[test]
fn what_contradicts_itself_is_an_error_that_names_both() {
    for (entry, words) in [
        (r#"{"command":"a","url":"http://h"}"#, ["`command`", "`url`"]),
        (r#"{"type":"stdio","url":"http://h"}"#, ["stdio", "`url`"]),
        (r#"{"type":"sse","command":"a"}"#, ["sse", "`command`"]),
        (r#"{"type":"http"}"#, ["no `url`", "f.json"]),
        (r#"{}"#, ["`command`", "`url`"]),
        (r#"{"command":5}"#, ["`command`", "no program"]),
        (r#"{"command":["a",5]}"#, ["`command`", "no program"]),
        (r#"{"command":"a","args":"-y b"}"#, ["`args` is a text", "list of texts"]),
        (r#"{"command":"a","env":["A=b"]}"#, ["`env` is a list", "map of names"]),
        (r#"{"command":"a","env":{"A":{}}}"#, ["`env.A` is a map", "a text"]),
        (r#"{"command":"a","enabled":"no"}"#, ["`enabled` is a text", "true or false"]),
        (r#"{"url":7}"#, ["`url` is a number", "address"]),
        (r#"7"#, ["the server is a number", "a map"]),
    ] {
        let (draft, told) = one(Host::Generic, entry);
        assert!(draft.is_none_or(|draft| draft.broken), "{entry}");
        assert!(words.iter().all(|word| told[0].contains(word)), "{entry}: {told:?}");
    }
    let (draft, told) = one(Host::Generic, r#"{"type":"http","url":"http://h","command":"a"}"#);
    assert!(!draft.unwrap().broken && told[0].contains("`command` is ignored"), "{told:?}");
}

#[test]
fn one_bad_entry_does_not_keep_the_others() {
    let text = r#"{"mcpServers":{"bad":{"args":[]},"good":{"command":"a"},"":{"command":"a"}}}"#;
    let loaded = load(Host::ClaudeCode, ".mcp.json", text);
    let usable: Vec<&str> = loaded.drafts.iter().filter(|d| !d.broken).map(|d| d.name.as_str()).collect();
    assert_eq!(usable, ["good"]);
    assert_eq!(told(&loaded).len(), 2, "{:?}", loaded.problems);
}

#[test]
fn times_are_counted_as_the_host_counts_them() {
    let time = |host, entry: &str| {
        let (draft, told) = one(host, entry);
        let times = draft.unwrap().timeouts;
        (times.idle.map(|t| t.as_millis()), times.connect.map(|t| t.as_millis()), told.len())
    };
    assert_eq!(time(Host::Cline, r#"{"command":"a","timeout":90}"#), (Some(90_000), None, 0));
    assert_eq!(time(Host::Gemini, r#"{"command":"a","timeout":20000}"#), (Some(20_000), None, 0));
    assert_eq!(
        time(Host::LibreChat, r#"{"command":"a","timeout":45000,"initTimeout":5000}"#),
        (Some(45_000), Some(5_000), 0)
    );
    // Probably the other unit.
    assert_eq!(time(Host::Gemini, r#"{"command":"a","timeout":60}"#), (Some(60), None, 1));
    assert_eq!(time(Host::Roo, r#"{"command":"a","timeout":60000}"#), (Some(60_000_000), None, 1));
    // Not refused: the server works without.
    assert_eq!(time(Host::Cline, r#"{"command":"a","timeout":-3}"#), (None, None, 1));
    assert_eq!(time(Host::Cline, r#"{"command":"a","timeout":"soon"}"#), (None, None, 1));
}

#[test]
fn what_is_not_understood_is_kept_and_told() {
    let loaded = load(Host::LibreChat, "l.yaml", "mcpServers:\n  a:\n    command: x\n    chatMenu: false\n");
    assert_eq!(loaded.drafts[0].extra.len(), 1);
    assert_eq!(loaded.drafts[0].extra[0].key, "chatMenu");
    assert_eq!(loaded.problems[0].to_string(), "l.yaml:4:5: `chatMenu` is kept and has no effect here");
    assert_eq!(loaded.problems[0].severity, crate::Severity::Note);
}

#[test]
fn parts_of_a_host_are_no_servers() {
    let text = "extensions:\n  dev: {type: builtin, name: developer}\n  old: {type: sse, uri: 'http://h'}\n";
    let loaded = load(Host::Goose, "config.yaml", text);
    assert_eq!(loaded.drafts.len(), 1);
    let loaded = load(Host::Zed, "s.json", r#"{"context_servers":{"x":{"source":"extension","settings":{}}}}"#);
    assert!(loaded.drafts.is_empty() && told(&loaded).is_empty());
}

#[test]
fn codex_ignores_headers_and_names_variables() {
    let text = "[mcp_servers.s]\nurl = 'https://h'\nheaders = {A = 'b'}\nenv_http_headers = {C = 'V'}\nbearer_token_env_var = 'T'\n";
    let loaded = load(Host::Codex, "config.toml", text);
    let Some(Transport::Remote(remote)) = &loaded.drafts[0].transport else { panic!() };
    assert_eq!(remote.headers.iter().map(|(n, v)| format!("{n} {}", v.masked())).collect::<Vec<_>>(), ["C ${V}"]);
    assert_eq!(remote.bearer.as_ref().map(Template::masked), Some("${T}".to_owned()));
    assert!(told(&loaded)[0].contains("Codex ignores `headers`"), "{:?}", loaded.problems);
}

#[test]
fn a_file_for_another_kind_of_host_is_told() {
    let loaded = load(Host::VsCode, "mcp.json", r#"{"mcpServers":{"a":{"command":"x"}}}"#);
    assert!(told(&loaded)[0].contains("looks for its servers in `servers`, and these are in `mcpServers`"));
    let loaded = load(Host::Cursor, "mcp.json", r#"{"servers":{"a":{"command":"x"}}}"#);
    assert!(told(&loaded)[0].contains("in `mcpServers`, and these are in `servers`"));
}

#[test]
fn claude_code_keeps_local_servers_in_the_persons_file() {
    let text = r#"{"mcpServers":{"a":{"command":"x"}},"projects":{"/p":{"mcpServers":{"b":{"command":"y"}}},"/q":{"mcpServers":{"c":{"command":"z"}}}}}"#;
    let loaded = load(Host::ClaudeCode, ".claude.json", text);
    let found: Vec<_> = loaded.drafts.iter().map(|draft| (draft.name.as_str(), draft.scope)).collect();
    assert_eq!(found, [("a", Scope::User), ("b", Scope::Local)]);
}

#[test]
fn gemini_switches_servers_beside_them() {
    let text = r#"{"mcp":{"allowed":["a","b"],"excluded":["b"]},"mcpServers":{"a":{"command":"x"},"b":{"command":"x"},"c":{"command":"x"}}}"#;
    let loaded = load(Host::Gemini, "settings.json", text);
    let on: Vec<_> = loaded.drafts.iter().map(|draft| draft.enabled.unwrap_or(true)).collect();
    assert_eq!(on, [true, false, false]);
}

#[test]
fn shapes_are_told_without_the_hosts_name() {
    for (name, text, host) in [
        ("c.toml", "[mcp_servers.a]\ncommand = 'x'", Host::Codex),
        ("c.yaml", "extensions: {a: {cmd: x, type: stdio}}", Host::Goose),
        ("s.json", r#"{"context_servers":{"a":{"command":"x"}}}"#, Host::Zed),
        ("o.json", r#"{"mcp":{"servers":{"a":{"type":"local","command":["x"]}}}}"#, Host::OpenCode2),
        ("v.json", r#"{"mcp":{"servers":{"a":{"command":"x"}}}}"#, Host::VsCode),
        ("o.json", r#"{"mcp":{"a":{"type":"local","command":["x"]}}}"#, Host::OpenCode),
        ("v.json", r#"{"inputs":[],"servers":{"a":{"command":"x"}}}"#, Host::VsCode),
        ("c.yaml", "mcpServers: [{name: a, command: x}]", Host::Continue),
        ("m.json", r#"{"mcpServers":{"a":{"command":"x"}}}"#, Host::Generic),
        ("m.json", r#"{"a":{"command":"x"}}"#, Host::Generic),
    ] {
        let loaded = load(Host::Generic, name, text);
        assert_eq!((loaded.host, loaded.drafts.len()), (host, 1), "{text}");
    }
}

#[test]
fn settings_of_bowline_that_make_no_sense_are_refused_with_their_place() {
    for (text, expected) in [
        (
            "[servers.a]\nurl = 'http://h'\npool = {connections = 0}",
            "b.toml:3:23: `pool.connections` is 0, and has to be 1 to 64",
        ),
        ("[servers.a]\ncommand = 'x'\npool.replicas = ['http://h']", "this server is a program"),
        ("[servers.a]\nurl = 'http://h'\npool = {sticky = true}", "one connection alone"),
        ("[servers.a]\nurl = 'http://h'\ntimeout = '20s'\nmax_time = '10s'", "b.toml:3:11: `timeout`"),
        ("[servers.a]\nurl = 'http://h'\ntimeout = 'soon'", "`timeout`: "),
        ("[servers.a]\nurl = 'http://h'\ntools = {allow = ['t'], deny = ['t']}", "both allowed and denied"),
        (
            "[servers.a]\nurl = 'http://h'\nlayers.retry = {base_delay = '9s', max_delay = '1s'}",
            "`base_delay` is longer",
        ),
        ("[servers.a]\nurl = 'http://h'\nlayers.breaker = {failure_rate = 1.5}", "`layers.breaker.failure_rate`"),
        ("[servers.a]\nurl = 'http://h'\nlayers.limits = {per = '1s'}", "`per` is the time of `rate`"),
        ("[servers.a]\nurl = 'http://h'\nlayers.retyr = true", "there is no setting `layers.retyr`; there are retry"),
        ("[servers.a]\nurl = 'http://h'\nargs = ['x']", "`args` is for servers that are programs"),
        ("[servers.a]\ncommand = 'x'\nheaders = {A = 'b'}", "`headers` is for servers with an address"),
        ("[servers.a]\nheaders = {A = 'b'}", "`headers` stands without `command` or `url`"),
        ("[server.a]\nurl = 'http://h'", "there is no setting `server`"),
        ("[groups]\ng = 'a'", "a list of names"),
        ("imports = ['claude']", "no host is called `claude`"),
    ] {
        let loaded = load(Host::Bowline, "b.toml", text);
        let told = told(&loaded);
        assert!(told.iter().any(|problem| problem.contains(expected)), "{text}: {told:?}");
    }
    let whole = "trusted_folders = ['/p']\nimports = ['cursor']\n[defaults]\ntimeout = '30s'\nlayers.retry = false\n\
        [policies.look]\nread_only = true\n[groups]\nall = ['a']\n[servers.a]\nurl = 'https://h'\npolicy = 'look'\n\
        bearer = '${keyring:a}'\npool = {connections = 2, sticky = true, replicas = [{url = 'https://i', weight = 3}]}\n\
        [servers.a.layers]\nretry = {max_attempts = 4}\nlimits = {rate = 5, per = '1m'}\ncache = true\n";
    let loaded = load(Host::Bowline, "b.toml", whole);
    assert_eq!(told(&loaded), Vec::<String>::new());
    let draft = &loaded.drafts[0];
    let pool = draft.pool.as_ref().unwrap();
    assert_eq!((pool.connections, pool.sticky, pool.replicas[0].weight), (2, true, 3));
    assert!(matches!(&draft.layers.retry, Some(crate::Layer::On(retry)) if retry.max_attempts == Some(4)));
}

#[test]
fn a_project_cannot_say_that_it_is_trusted() {
    let loaded = file(Host::Bowline, Scope::Project, Path::new("b.toml"), "trusted_folders = ['/']", None);
    assert!(loaded.own.trusted.is_empty() && told(&loaded)[0].contains("your own file"));
}

#[test]
fn inputs_of_vscode_are_known_and_those_that_are_missing_told() {
    let text = r#"{"inputs":[{"id":"t","password":true,"description":"Token"}],
        "servers":{"s":{"type":"http","url":"http://h","headers":{"A":"${input:t}","B":"${input:u}"}}}}"#;
    let loaded = load(Host::VsCode, "mcp.json", text);
    assert!(loaded.inputs[0].password && loaded.inputs[0].id == "t");
    assert!(told(&loaded)[0].contains("there is no input `u`"), "{:?}", loaded.problems);
}
