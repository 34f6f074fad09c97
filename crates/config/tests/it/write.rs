//! Files that are written back, and servers that move from host to host.

use std::fs;

use bowline_config::{Configuration, Edit, ErrorKind, Host, Server, Way};
use proptest::prelude::*;

use crate::samples::{SAMPLES, meaning};

/// The file that a host would have.
fn file_of(host: Host) -> &'static str {
    SAMPLES.iter().find(|(other, ..)| *other == host).map_or("mcp.json", |(_, name, _)| name)
}

#[test]
fn every_sample_moves_to_every_host_and_means_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut moved, mut whole) = (0, 0);
    for (from, name, text) in SAMPLES {
        let config = Configuration::read(*from, name, text);
        for to in Host::ALL {
            for server in config.servers() {
                let path = folder.path().join(format!("{from}-{to}-{}-{}", server.name, file_of(*to)));
                let mut edit = Edit::open(*to, &path).expect("a new file");
                let lost = match edit.add(server, false) {
                    Ok(lost) => lost,
                    // What it cannot say is said.
                    Err(error) if error.kind() == ErrorKind::Unsupported => {
                        let told = error.to_string();
                        assert!(told.contains(to.title()), "{told}");
                        continue;
                    }
                    Err(error) => panic!("{from} to {to}: {error}"),
                };
                edit.save().expect("saved");
                let text = fs::read_to_string(&path).expect("the file");
                let again = Configuration::read(*to, &path, &text);
                let server_again =
                    again.server(&server.name).unwrap_or_else(|error| panic!("{from} to {to}: {error}\n{text}"));
                assert_eq!(meaning(server_again), meaning(server), "{from} to {to}: {text}");
                moved += 1;
                // Where nothing is said to be lost, nothing is.
                if lost.is_empty() {
                    assert_eq!(rules(server_again), rules(server), "{from} to {to}: {text}");
                    whole += 1;
                }
            }
        }
    }
    // Most pairs can be said; those without variables cannot take every one.
    assert!(moved > 500 && whole > 250, "{moved} {whole}");
}

/// What a server is used by, beside how it is reached.
fn rules(server: &Server) -> String {
    let Server { enabled, timeouts, tools, prompts, resources, trust, auth, .. } = server;
    format!("{enabled} {timeouts:?} {tools:?} {prompts:?} {resources:?} {trust:?} {auth:?}")
}

#[test]
fn a_file_is_replaced_whole_with_its_mode_and_through_links() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("real.json");
    fs::write(&path, "{}").expect("a file");
    let mut edit = Edit::open(Host::Cursor, &path).expect("open");
    edit.save().expect("nothing to do");
    edit.add(&Server::program("a", "x", []), false).expect("added");
    assert!(edit.is_changed());
    edit.save().expect("saved");
    assert!(!edit.is_changed());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        let link = folder.path().join("link.json");
        symlink("real.json", &link).expect("a link");
        let mut edit = Edit::open(Host::Cursor, &link).expect("open");
        edit.remove("a").expect("removed");
        edit.save().expect("saved");
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
        assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o640);
        assert!(!fs::read_to_string(&path).expect("the file").contains("\"a\""));
        // A new one is for its owner alone.
        let new = folder.path().join("made/on/the/way/mcp.json");
        let mut edit = Edit::open(Host::Cursor, &new).expect("open");
        edit.add(&Server::remote("t", "https://h", Way::Auto), false).expect("added");
        edit.save().expect("saved");
        assert_eq!(fs::metadata(&new).expect("the file").permissions().mode() & 0o777, 0o600);
    }
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("the folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".tmp")), "{left:?}");
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_not_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mcp.json");
    for (before, meanwhile) in [(Some("{}"), Some("{ }")), (None, Some("{}")), (Some("{}"), None)] {
        let set = |text: Option<&str>| match text {
            Some(text) => fs::write(&path, text).expect("written"),
            None => drop(fs::remove_file(&path)),
        };
        set(before);
        let mut edit = Edit::open(Host::Cursor, &path).expect("open");
        edit.add(&Server::program("a", "x", []), false).expect("added");
        set(meanwhile);
        let error = edit.save().expect_err("a change");
        assert!(matches!(error.kind(), ErrorKind::Changed | ErrorKind::Io), "{error}");
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), meanwhile);
    }
}

#[test]
fn a_file_that_is_not_understood_is_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mcp.json");
    fs::write(&path, "{\n  // c\n}").expect("a file");
    let error = Edit::open(Host::Cursor, &path).expect_err("a comment");
    assert!(error.to_string().contains("mcp.json:2:3: a comment"), "{error}");
    // A host that takes them keeps them.
    let mut edit = Edit::open(Host::VsCode, &path).expect("open");
    edit.add(&Server::program("a", "x", []), false).expect("added");
    assert!(edit.text().contains("// c"), "{}", edit.text());
}

/// Whether all lines of `old` stand in `new`, in their order; a comma may be added at an end.
fn keeps_lines(old: &str, new: &str) -> bool {
    let mut lines = new.lines();
    let plain = |line: &str| line.trim_end_matches([',', ' ']).to_owned();
    old.lines().all(|line| lines.any(|found| plain(found) == plain(line)))
}

/// Text around and between servers, as people write it.
fn jsonc() -> impl Strategy<Value = String> {
    let trivia = prop::sample::select(vec!["", "\n", "  ", "\n// c\n", " /* d */ ", "\r\n", "\n\n\t"]);
    let entry = (trivia.clone(), trivia.clone(), 0..4_usize, any::<bool>()).prop_map(|(before, inside, env, comma)| {
        let env = (0..env).map(|n| format!("\"E{n}\":{inside}\"v{n}\"")).collect::<Vec<_>>().join(",");
        let comma = if comma { "," } else { "" };
        format!("{before}\"NAME\":{inside}{{{inside}\"command\": \"x\"{inside},\"env\":{{{env}}}{comma}{inside}}}")
    });
    (prop::collection::vec(entry, 0..4), trivia.clone(), trivia, any::<bool>()).prop_map(|(entries, a, b, comma)| {
        let entries: Vec<String> =
            entries.into_iter().enumerate().map(|(n, entry)| entry.replace("NAME", &format!("s{n}"))).collect();
        let comma = if comma && !entries.is_empty() { "," } else { "" };
        format!(
            "{a}{{{b}\"first\": [1, 2],{a}\"servers\":{b}{{{}{comma}{a}}},{b}\"last\": null{a}}}{b}",
            entries.join(",")
        )
    })
}

proptest! {
    #[test]
    fn a_json_server_that_comes_and_goes_leaves_the_rest_as_it_was(text in jsonc()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mcp.json");
        fs::write(&path, &text).expect("a file");
        let mut edit = Edit::open(Host::VsCode, &path).expect("a valid file");
        edit.add(&Server::program("new", "y", []), false).expect("added");
        // With one server cut out again nothing of the rest is another one.
        let before = Configuration::read(Host::VsCode, &path, &text);
        let after = Configuration::read(Host::VsCode, &path, &edit.text());
        prop_assert_eq!(after.servers().len(), before.servers().len() + 1);
        for comment in ["// c", "/* d */"] {
            prop_assert_eq!(edit.text().matches(comment).count(), text.matches(comment).count());
        }
        edit.save().expect("saved");
        // Nothing that stood there is gone: the new text is the old one with more in it.
        let new = edit.text();
        let mut letters = new.chars();
        prop_assert!(text.chars().filter(|c| !c.is_whitespace()).all(|old| letters.any(|c| c == old)), "{}", new);
        edit.remove("new").expect("removed");
        for comment in ["// c", "/* d */"] {
            prop_assert_eq!(edit.text().matches(comment).count(), text.matches(comment).count());
        }
        // A comma before a closing bracket may go with it; comments were counted.
        let bare = |text: &str| {
            let text = text.replace("// c", "").replace("/* d */", "");
            text.split_whitespace().collect::<String>().replace(",}", "}")
        };
        prop_assert_eq!(bare(&edit.text()), bare(&text));
    }

    #[test]
    fn a_toml_server_that_comes_leaves_every_byte_before_it(extra in "(# [a-z ]{0,9}\n|\n|k[0-9] = [0-9]\n){0,4}", crlf in any::<bool>()) {
        let mut seen = std::collections::HashSet::new();
        let extra: String = extra.lines().filter(|line| !line.contains('=') || seen.insert((*line).get(..2).map(str::to_owned))).map(|line| format!("{line}\n")).collect();
        let text = format!("{extra}[mcp_servers.a] # a\ncommand = 'x'\n# end");
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, &text).expect("a file");
        let mut edit = Edit::open(Host::Codex, &path).expect("a valid file");
        edit.add(&Server::program("new", "y", []), false).expect("added");
        prop_assert!(edit.text().starts_with(&text));
        prop_assert_eq!(edit.text().matches('\n').count(), edit.text().matches(if crlf { "\r\n" } else { "\n" }).count());
        edit.remove("new").expect("removed");
        let left = edit.text();
        prop_assert_eq!(left.trim_end(), text.trim_end());
        edit.set_enabled("a", false).expect("off");
        prop_assert!(keeps_lines(&text, &edit.text()));
    }
}
