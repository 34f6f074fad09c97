//! Files where they cannot be: full disks, links, what is no file, processes that die while they write.
//!
//! A disk that is full is a limit of the size of files (`ulimit -f`), beneath which a test runs itself again.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bowline_client::ErrorKind;
use bowline_guard::{Audit, AuditFile, AuditSink as _, Definition, Guard, OtlpFile, Pins, Policy, verify};
use serde_json::Value;

use crate::support::{connect, count, server, tool};

/// What tells a test that it is the one that was run again: where its files are.
const AGAIN: &str = "BOWLINE_TEST_DISK";

/// The folder, where this is the test that was run again.
fn again() -> Option<PathBuf> {
    std::env::var_os(AGAIN).map(PathBuf::from)
}

/// Runs a test of this file again, beneath a limit of so many blocks of 512 bytes a file.
fn run_again(test: &str, folder: &Path, blocks: u32) -> Child {
    // A write beyond the limit is an error, where the signal for it is ignored.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", &format!("disk::{test}")]).env(AGAIN, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// What a test that was run again says, once it has ended well.
fn said(child: Child) -> Vec<String> {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("said: ")).map(str::to_owned).collect()
}

fn definition(name: &str) -> Definition {
    Definition::of_tool(&tool(name, &"What it does. ".repeat(20)))
}

/// The names of files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_an_audit_cannot_write_whole_is_taken_back_and_the_next_lines_follow() {
    if let Some(folder) = again() {
        let audit = Audit::new(AuditFile::new(folder.join("audit.jsonl"))).required(true);
        let server = server([tool("read", "")]);
        let client = connect(&Guard::builder().audit(audit).build(), "files", &server).await;
        let error = loop {
            if let Err(error) = client.call("read").await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        println!("\nsaid: {}\nsaid: {error}", count(&server, "tools/call"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let test = "what_an_audit_cannot_write_whole_is_taken_back_and_the_next_lines_follow";
    let said = said(run_again(test, folder.path(), 8));
    let went: usize = said[0].parse().unwrap();
    assert!(went > 0 && said[1].contains("cannot be written: "), "{said:?}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    // Of a call that did not go there is no line that says it went.
    assert_eq!(text.lines().filter(|line| line.contains("\"stage\":\"begin\"")).count(), went);
    let before = verify(&path).unwrap();
    assert_eq!((before.broken, before.behind_note), (None, 0));
    // There is room again.
    let audit = Audit::new(AuditFile::new(&path)).required(true);
    let server = server([tool("read", "")]);
    connect(&Guard::builder().audit(audit.clone()).build(), "files", &server).await.call("read").await.unwrap();
    audit.flush().await.unwrap();
    let after = verify(&path).unwrap();
    assert_eq!((after.lines, after.broken), (before.lines + 2, None));
}

#[tokio::test]
async fn a_log_that_cannot_be_written_whole_has_no_half_lines() {
    if let Some(folder) = again() {
        let audit = Audit::new(OtlpFile::new(folder.join("log.jsonl"))).required(true);
        let client = connect(&Guard::builder().audit(audit).build(), "files", &server([tool("read", "")])).await;
        while client.call("read").await.is_ok() {}
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    said(run_again("a_log_that_cannot_be_written_whole_has_no_half_lines", folder.path(), 8));
    // A process that died left a part of a line.
    let whole = fs::read_to_string(&path).unwrap();
    let parts = [whole.as_str(), "{\"resourceLogs\""].concat();
    fs::write(&path, parts).unwrap();
    let audit = Audit::new(OtlpFile::new(&path)).required(true);
    let client = connect(&Guard::builder().audit(audit.clone()).build(), "files", &server([tool("read", "")])).await;
    client.call("read").await.unwrap();
    audit.flush().await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let broken: Vec<&str> = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).collect();
    assert_eq!(broken, ["{\"resourceLogs\""]);
    assert!(text.lines().count() > whole.lines().count() + 1);
}

#[tokio::test]
async fn pins_that_cannot_be_written_leave_the_lock_file_as_it_was() {
    if let Some(folder) = again() {
        let pins = Pins::open(folder.join("bowline.lock")).unwrap();
        let many = (0..20).map(|n| definition(&format!("tool-{n}")));
        let error = pins.accept("files", many).await.unwrap_err();
        println!("\nsaid: {error}");
        // They count in this process all the same.
        assert_eq!(pins.servers()[0].pins.len(), 21);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bowline.lock");
    Pins::open(&path).unwrap().accept("files", [definition("first")]).await.unwrap();
    let before = fs::read(&path).unwrap();
    let said = said(run_again("pins_that_cannot_be_written_leave_the_lock_file_as_it_was", folder.path(), 4));
    assert!(said[0].contains("bowline.lock cannot be written: "), "{said:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(folder.path()), [".bowline.lock.lock", "bowline.lock"]);
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_pins_loses_nothing_that_was_pinned() {
    if let Some(folder) = again() {
        let pins = Pins::open(folder.join("bowline.lock")).unwrap();
        let id = std::process::id();
        for n in 0..500 {
            let name = format!("{id}-{n}");
            pins.accept("files", [definition(&name)]).await.unwrap();
            println!("\nsaid: {name}");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bowline.lock");
    let test = "a_process_that_is_killed_while_it_pins_loses_nothing_that_was_pinned";
    let mut pinned = Vec::new();
    for _ in 0..3 {
        // Two that take turns, each of which is killed wherever it is by then.
        let mut children: Vec<Child> = (0..2).map(|_| run_again(test, folder.path(), 1 << 20)).collect();
        for (number, child) in children.iter_mut().enumerate() {
            let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            let mut said = lines.filter_map(|line| line.strip_prefix("said: ").map(str::to_owned));
            pinned.extend(said.by_ref().take(3 + number));
            child.kill().unwrap();
            child.wait().unwrap();
            pinned.extend(said);
        }
        let pins = Pins::open(&path).unwrap();
        pins.accept("files", [definition("mine")]).await.unwrap();
        let servers = Pins::open(&path).unwrap().servers();
        let there: Vec<&str> = servers[0].pins.iter().map(|(_, name, _, _)| name.as_str()).collect();
        for name in &pinned {
            assert!(there.contains(&name.as_str()), "{name} is gone");
        }
        // Nor is anything of them left.
        assert_eq!(names(folder.path()), [".bowline.lock.lock", "bowline.lock"]);
    }
    assert!(pinned.len() >= 21);
}

#[tokio::test]
async fn what_a_process_left_that_died_while_it_pinned_is_in_the_way_of_none() {
    let folder = tempfile::tempdir().unwrap();
    let (path, new) = (folder.path().join("bowline.lock"), folder.path().join(".bowline.lock.new"));
    let precious = folder.path().join("precious");
    fs::write(&precious, "to be kept").unwrap();
    let pins = Pins::open(&path).unwrap();
    for number in 0..2 {
        match number {
            0 => fs::write(&new, "half a li").unwrap(),
            _ => symlink(&precious, &new).unwrap(),
        }
        pins.accept("files", [definition(&number.to_string())]).await.unwrap();
        assert_eq!(Pins::open(&path).unwrap().servers()[0].pins.len(), number + 1);
        assert_eq!(names(folder.path()), [".bowline.lock.lock", "bowline.lock", "precious"]);
        assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "to be kept");
}

#[tokio::test]
async fn a_link_to_a_lock_file_stays_one_and_both_names_are_one_file() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, real) = (folder.path().join("bowline.lock"), elsewhere.path().join("team.lock"));
    Pins::open(&real).unwrap().accept("files", [definition("first")]).await.unwrap();
    symlink(&real, &link).unwrap();
    let (by_link, by_name) = (Pins::open(&link).unwrap(), Pins::open(&real).unwrap());
    by_link.accept("files", [definition("second")]).await.unwrap();
    by_name.accept("files", [definition("third")]).await.unwrap();
    by_link.accept("files", [definition("fourth")]).await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Pins::open(&real).unwrap().servers()[0].pins.len(), 4);
    assert_eq!(names(folder.path()), ["bowline.lock"]);
}

#[tokio::test]
async fn a_link_to_an_audit_has_one_chain_under_both_names() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, real) = (folder.path().join("audit.jsonl"), elsewhere.path().join("team.jsonl"));
    fs::write(&real, "").unwrap();
    symlink(&real, &link).unwrap();
    let server = server([tool("read", "")]);
    for path in [&link, &real, &link] {
        // Two lines and the file is put aside: the link stays.
        let audit = Audit::new(AuditFile::new(path).with_max_bytes(900)).required(true);
        let client = connect(&Guard::builder().audit(audit.clone()).build(), "files", &server).await;
        client.call("read").await.unwrap();
        audit.flush().await.unwrap();
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(folder.path()), ["audit.jsonl"]);
    for path in [&link, &real] {
        let report = verify(path).unwrap();
        assert_eq!((report.lines, report.broken, report.is_anchored), (6, None, true));
        assert!(report.files.len() > 1);
    }
}

#[tokio::test]
async fn what_is_no_file_and_links_to_nowhere_are_refused_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    symlink(at("folder"), at("to-folder")).unwrap();
    symlink(at("nothing"), at("to-nowhere")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    let before = names(folder.path());
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    for (path, why) in [
        (&PathBuf::from("/dev/null"), "is no file"),
        (&at("folder"), "is no file"),
        (&at("to-folder"), "is no file"),
        (&at("to-nowhere"), "it is a link to nowhere; remove it, or name the file that is meant"),
        (&at("loop"), "symbolic links"),
    ] {
        let error = Pins::open(path).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        let audit = Audit::new(AuditFile::new(path)).required(true);
        let server = server([tool("read", "")]);
        let client = connect(&Guard::builder().audit(audit).build(), "files", &server).await;
        let error = client.call("read").await.unwrap_err();
        assert!(error.kind() == ErrorKind::Denied && error.to_string().contains(why), "{error}");
        assert_eq!(count(&server, "tools/call"), 0);
        assert!(Policy::open(path).is_err());
    }
    if cfg!(target_os = "linux") {
        let error = OtlpFile::new("/dev/full").write(Vec::new()).await.unwrap_err().to_string();
        assert!(error.ends_with("; make room"), "{error}");
    }
    assert_eq!(names(folder.path()), before);
    // A lock and a note are made beside a file, and must not be somebody else's.
    symlink(at("nothing"), at(".a.lock.lock")).unwrap();
    let error = Pins::open(at("a.lock")).unwrap().accept("files", [definition("a")]).await.unwrap_err().to_string();
    assert!(error.contains(".a.lock.lock is no file; remove it"), "{error}");
    let precious = at("precious");
    fs::write(&precious, "to be kept").unwrap();
    symlink(&precious, at("a.jsonl.head")).unwrap();
    let error = AuditFile::new(at("a.jsonl")).write(Vec::new()).await.unwrap_err().to_string();
    assert!(error.contains("a.jsonl.head is no file; remove it"), "{error}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "to be kept");
    let mut expected = [&[".a.lock.lock", "a.jsonl.head", "precious"], &before[..]].concat();
    expected.sort_unstable();
    assert_eq!(names(folder.path()), expected);
}

#[tokio::test]
async fn a_file_that_is_no_audit_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token.txt");
    // Of one line without an end, of one that is longer than any of an audit, and of many.
    for text in ["tok-1234".to_owned(), "x".repeat(1 << 20), "a\nb".to_owned(), "{\"seq\":1}\nb".to_owned()] {
        fs::write(&path, &text).unwrap();
        let error = AuditFile::new(&path).write(Vec::new()).await.unwrap_err().to_string();
        assert!(error.contains("is broken after line 0: "), "{error}");
        assert!(fs::read_to_string(&path).unwrap() == text, "{error}");
    }
}
