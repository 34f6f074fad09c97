use super::*;
use crate::{Configuration, Way};

/// An open edit of a text, with nothing on a disk.
fn edit(host: Host, name: &str, text: &str) -> Edit {
    let (bom, rest) = read::split_bom(text);
    let path = PathBuf::from(name);
    let mut edit = Edit {
        host,
        syntax: read::syntax(host, &path),
        path,
        original: Some(text.as_bytes().to_vec()),
        bom: bom.to_owned(),
        text: rest.to_owned(),
    };
    if !rest.trim().is_empty() {
        edit.host = read::shape_of(host, &edit.tree().expect("a valid text"));
    }
    edit
}

fn server() -> Server {
    Server::program("new", "uvx", ["a b".to_owned()]).with_env("K", "${K}")
}

const JSONC: &str = "// top\n{\n  \"servers\": {\n    // one\n    \"a\": { \"command\": \"x\", }, // behind\n    /* two */ \"b\": {\n      \"command\": \"y\" // why\n    },\n  },\n  \"other\": [1,2,],\n}\n";

#[test]
fn json_keeps_comments_order_and_commas() {
    let mut one = edit(Host::VsCode, "mcp.json", JSONC);
    one.add(&server(), false).unwrap();
    let added = "    },\n    \"new\": {\n      \"type\": \"stdio\",\n      \"command\": \"uvx\",\n      \"args\": [\"a b\"],\n      \"env\": {\n        \"K\": \"${env:K}\"\n      }\n    },\n  },\n";
    assert_eq!(one.text, JSONC.replace("    },\n  },\n", added));
    one.remove("new").unwrap();
    assert_eq!(one.text, JSONC);
    one.remove("a").unwrap();
    assert_eq!(one.text, JSONC.replace("    \"a\": { \"command\": \"x\", }, // behind\n", "     // behind\n"));
    one.remove("b").unwrap();
    assert!(
        one.text.contains("// one") && one.text.contains("// behind") && one.text.contains("[1,2,]"),
        "{}",
        one.text
    );
    assert!(!one.text.contains("// why"));
}

#[test]
fn a_strict_file_gets_no_comma_that_its_host_refuses() {
    let text = "{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {\"command\": \"x\"}\r\n\t}\r\n}";
    let mut one = edit(Host::Windsurf, "mcp_config.json", &format!("\u{feff}{text}"));
    one.add(&Server::program("n", "y", []), false).unwrap();
    assert_eq!(
        one.text(),
        format!(
            "\u{feff}{}",
            text.replace("\"x\"}\r\n", "\"x\"},\r\n\t\t\"n\": {\r\n\t\t\t\"command\": \"y\"\r\n\t\t}\r\n")
        )
    );
    one.set_enabled("a", false).unwrap();
    assert!(one.text.contains("\"disabled\": true"), "{}", one.text);
    one.set_enabled("a", true).unwrap();
    assert!(one.text.contains("\"disabled\": false"), "{}", one.text);
}

#[test]
fn an_empty_or_new_file_gets_the_hosts_own_shape() {
    for (host, name, expected) in [
        (Host::Cursor, "mcp.json", "{\n  \"mcpServers\": {\n    \"new\": {\n      \"command\": \"uvx\",\n"),
        (
            Host::OpenCode2,
            "opencode.json",
            "{\n  \"mcp\": {\n    \"servers\": {\n      \"new\": {\n        \"type\": \"local\",\n",
        ),
        (Host::Codex, "config.toml", "[mcp_servers.new]\ncommand = \"uvx\"\nargs = [\"a b\"]\nenv_vars = [\"K\"]\n"),
        (Host::Bowline, "bowline.toml", "[servers.new]\ncommand = \"uvx\"\nargs = [\"a b\"]\nenv = { K = \"${K}\" }\n"),
        (
            Host::Goose,
            "config.yaml",
            "extensions:\n  new: {name: new, type: stdio, cmd: uvx, args: [\"a b\"], env_keys: [K], enabled: true}\n",
        ),
        (
            Host::Continue,
            "config.yaml",
            "mcpServers:\n  - {name: new, type: stdio, command: uvx, args: [\"a b\"], env: {K: \"${{ secrets.K }}\"}}\n",
        ),
    ] {
        let mut one = edit(host, name, "");
        one.add(&server(), false).unwrap_or_else(|error| panic!("{host}: {error}"));
        assert!(one.text.starts_with(expected), "{host}: {}", one.text);
    }
}

const TOML: &str = "# the file\nmodel = 'm' # not ours\n\n[mcp_servers.a]\n# inside a\ncommand = \"x\"\n\n# about b\n[mcp_servers.b]\ncommand = \"y\" # why\n[mcp_servers.b.env]\nK = \"v\"\n\n# the end\n[tui]\ntheme = 'dark'\n";

#[test]
fn toml_keeps_comments_order_and_what_belongs_to_others() {
    let mut one = edit(Host::Codex, "config.toml", TOML);
    one.remove("b").unwrap();
    assert_eq!(
        one.text,
        TOML.replace("[mcp_servers.b]\ncommand = \"y\" # why\n[mcp_servers.b.env]\nK = \"v\"\n\n", "")
    );
    one.set_enabled("a", false).unwrap();
    assert!(one.text.contains("[mcp_servers.a]\nenabled = false\n# inside a\n"), "{}", one.text);
    one.set_enabled("a", true).unwrap();
    assert!(one.text.contains("enabled = true\n"), "{}", one.text);
    one.add(&server(), false).unwrap();
    assert!(
        one.text.ends_with(
            "theme = 'dark'\n\n[mcp_servers.new]\ncommand = \"uvx\"\nargs = [\"a b\"]\nenv_vars = [\"K\"]\n"
        )
    );
    one.remove("new").unwrap();
    one.remove("a").unwrap();
    assert!(one.text.contains("# the file") && one.text.contains("# about b") && one.text.contains("# the end"));
}

#[test]
fn toml_in_other_styles_is_changed_or_refused_and_never_harmed() {
    let mut inline = edit(Host::Bowline, "b.toml", "[servers]\n# one\na = { command = 'x' }\nb = { command = 'y' }\n");
    inline.set_enabled("a", false).unwrap();
    inline.remove("b").unwrap();
    assert_eq!(inline.text, "[servers]\n# one\na = { enabled = false, command = 'x' }\n");
    let dotted = "servers.a.command = 'x'\nservers.a.enabled = true\n";
    let mut one = edit(Host::Bowline, "b.toml", dotted);
    one.set_enabled("a", false).unwrap();
    assert!(one.text.contains("servers.a.enabled = false"));
    assert_eq!(one.remove("a").unwrap_err().kind(), ErrorKind::Unsupported);
    let mut whole = edit(Host::Bowline, "b.toml", "servers = { a = { command = 'x' } }\n");
    assert_eq!(whole.add(&server(), false).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(whole.text, "servers = { a = { command = 'x' } }\n");
}

const YAML: &str = "# top\nother: 1\nextensions:\n  # about a\n  a:\n    type: stdio\n    cmd: x # why\n\n  # about b\n  b: {type: stdio, cmd: y}\nlast: |\n  text\n";

#[test]
fn yaml_of_whole_lines_is_changed_and_other_yaml_refused() {
    let mut one = edit(Host::Goose, "config.yaml", YAML);
    one.set_enabled("a", false).unwrap();
    assert!(one.text.contains("  a:\n    enabled: false\n    type: stdio\n"), "{}", one.text);
    one.set_enabled("b", false).unwrap();
    assert!(one.text.contains("b: {enabled: false, type: stdio"), "{}", one.text);
    one.set_enabled("b", true).unwrap();
    one.add(&server(), false).unwrap();
    assert!(one.text.contains("extensions:\n  new: {name: new"), "{}", one.text);
    one.remove("new").unwrap();
    one.remove("a").unwrap();
    assert!(one.text.contains("  # about a\n\n  # about b\n  b: {enabled: true,"), "{}", one.text);
    one.remove("b").unwrap();
    assert!(one.text.ends_with("last: |\n  text\n"));

    let list = "mcpServers:\n  # one\n  - name: a\n    command: x\n  - name: b\n    command: y\n";
    let mut one = edit(Host::Continue, "config.yaml", list);
    one.remove("a").unwrap();
    assert_eq!(one.text, "mcpServers:\n  # one\n  - name: b\n    command: y\n");
    one.add(&Server::program("new", "z", []), false).unwrap();
    assert!(one.text.starts_with("mcpServers:\n  - {name: new, type: stdio, command: z}\n  # one\n"), "{}", one.text);

    let flow = "extensions: {a: {type: stdio, cmd: x}}\n";
    let mut one = edit(Host::Goose, "config.yaml", flow);
    assert_eq!(one.remove("a").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(one.add(&server(), false).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(one.text, flow);
}

#[test]
fn what_is_there_is_replaced_only_where_that_is_said() {
    let mut one = edit(Host::Cursor, "mcp.json", r#"{"mcpServers":{"new":{"command":"old"}}}"#);
    let error = one.add(&server(), false).unwrap_err().to_string();
    assert!(error.contains("mcp.json:1:22: there is a server `new` already"), "{error}");
    one.add(&server(), true).unwrap();
    assert!(!one.text.contains("old") && one.text.contains("uvx"));
    assert_eq!(one.remove("none").unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(one.set_enabled("new", false).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_secret_is_not_written_out_where_a_host_has_no_reference() {
    let secret = Server::remote("s", "https://h", Way::Auto).with_header("A", "Bearer ${T}");
    for host in [Host::Zed, Host::Junie] {
        let error = edit(host, "f.json", "").add(&secret, false).unwrap_err().to_string();
        assert!(error.contains("no way to write `${T}`"), "{error}");
    }
    let error = edit(Host::ClaudeDesktop, "f.json", "").add(&secret, false).unwrap_err().to_string();
    assert!(error.contains("added in the app"), "{error}");
    // Words that would become a variable there.
    let words = Server::program("s", "sh", ["-c".to_owned(), "echo $HOME".to_owned()]);
    assert!(edit(Host::Gemini, "f.json", "").add(&words, false).is_err());
    assert!(edit(Host::Cursor, "f.json", "").add(&words, false).is_ok());
}

#[test]
fn in_bowlines_own_file_a_server_of_another_host_is_switched_off() {
    let mut one = edit(Host::Bowline, "bowline.toml", "# mine\n");
    one.set_enabled("cursors", false).unwrap();
    assert_eq!(one.text, "# mine\n\n[servers.cursors]\nenabled = false\n");
    one.trust("/src/p").unwrap();
    one.trust("/src/p").unwrap();
    let config = Configuration::read(Host::Bowline, "b.toml", &one.text);
    assert!(one.text.contains("trusted_folders = [\"/src/p\"]\n"), "{} {:?}", one.text, config.problems());
    assert!(one.text.contains("# mine"));
}

#[test]
fn names_with_odd_letters_are_written_and_found_again() {
    for (host, file) in [(Host::Cursor, "f.json"), (Host::Bowline, "f.toml"), (Host::Goose, "f.yaml")] {
        let mut one = edit(host, file, "");
        for name in ["a.b", "a \"b\"", "ü: #x", "true", "-", "1"] {
            one.add(&Server::program(name, "x", []), false).unwrap_or_else(|error| panic!("{host} {name}: {error}"));
            assert!(one.place_of(name).unwrap().is_some(), "{host} {name}");
        }
        for name in ["a.b", "a \"b\"", "ü: #x", "true", "-", "1"] {
            one.remove(name).unwrap_or_else(|error| panic!("{host} {name}: {error} in {}", one.text));
        }
        assert!(edit(host, file, "").add(&Server::program("a\nb", "x", []), false).is_err());
    }
}
