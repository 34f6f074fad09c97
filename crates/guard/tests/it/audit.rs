//! Calls on record.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bowline_client::ErrorKind;
use bowline_guard::{Audit, AuditError, AuditFile, AuditSink, Guard, OtlpFile, Policy, Record, verify};
use bowline_protocol::CallToolResult;
use bowline_testkit::MockServer;
use bowline_transport::BoxFuture;
use serde_json::Value;

use crate::support::{Told, connect, count, says, server, tool};

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn calls(path: &Path, guard: impl FnOnce(AuditFile) -> Audit, count: usize) {
    let audit = guard(AuditFile::new(path));
    let guard = Guard::builder().audit(audit.clone()).build();
    let client = connect(&guard, "files", &server([tool("read", "")])).await;
    for n in 0..count {
        client.call("read").arg("q", format!("{n}")).await.unwrap();
    }
    audit.flush().await.unwrap();
}

#[tokio::test]
async fn each_call_is_on_record_with_verdict_and_outcome_and_without_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs/audit.jsonl");
    let audit = Audit::new(AuditFile::new(&path));
    let policy: Policy =
        "default = 'allow'\n[[rule]]\nname = 'no-loss'\ntool = 'erase'\naction = 'deny'\n# end".parse().unwrap();
    let guard = Guard::builder().audit(audit.clone()).policy(policy).build().for_caller("ann");
    let (read, erase, fail) = (tool("read", ""), tool("erase", ""), tool("fail", ""));
    let server = MockServer::builder()
        .tool(read.clone(), says(&read))
        .tool(erase.clone(), says(&erase))
        .tool(fail, |_| async { Ok(CallToolResult::error("no")) })
        .build();
    let client = connect(&guard, "files", &server).await;
    client.call("read").arg("q", "hunter2").await.unwrap();
    client.call("erase").await.unwrap_err();
    assert!(client.call("fail").await.unwrap().is_error());
    client.call("nothing").await.unwrap_err();
    audit.flush().await.unwrap();

    let lines = lines(&path);
    let said: Vec<String> = lines
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let outcome = line.get("outcome").map(Value::to_string).unwrap_or_default();
            format!("{} {} {} {} {outcome}", text("stage"), text("name"), text("verdict"), text("rule"))
        })
        .collect();
    assert_eq!(
        said,
        [
            "begin read allow  ",
            "end read   \"ok\"",
            "refused erase deny no-loss ",
            "begin fail allow  ",
            "end fail   \"failed\"",
            "begin nothing allow  ",
            "end nothing   {\"error\":\"server\"}",
        ]
    );
    assert_eq!(lines[0]["arguments"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!((&lines[0]["caller"], &lines[0]["server"]), (&Value::from("ann"), &Value::from("files")));
    assert!(lines[1]["micros"].is_u64() && lines[0]["call"] == lines[1]["call"]);
    assert!(!fs::read_to_string(&path).unwrap().contains("hunter2"));
    let report = verify(&path).unwrap();
    assert_eq!((report.lines, report.broken), (7, None));
}

#[tokio::test]
async fn a_changed_byte_a_missing_line_and_a_cut_end_are_found_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    calls(&path, Audit::new, 3).await;
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 6);
    let broken = |text: String| {
        fs::write(&path, text).unwrap();
        let report = verify(&path).unwrap();
        let broken = report.broken.unwrap();
        assert_eq!(report.lines, broken.line - 1);
        (broken.line, broken.is_cut, broken.why)
    };
    let (line, is_cut, why) = broken(whole.replacen("\"seq\":4", "\"seq\":5", 1));
    assert_eq!((line, is_cut, why.starts_with("it was changed")), (4, false, true));
    let (line, _, why) = broken([&lines[..2], &lines[3..]].concat().concat());
    assert_eq!((line, why.contains("taken out")), (3, true));
    let (line, _, _) = broken([&lines[..2], &[lines[3], lines[2]], &lines[4..]].concat().concat());
    assert_eq!(line, 3);
    // Cut at the beginning.
    let (line, is_cut, why) = broken(lines[2..].concat());
    assert_eq!((line, is_cut, why.contains("the beginning is cut")), (1, true, true), "{why}");
    // Cut in a line, and between two, which the note of the last line tells.
    let (line, is_cut, why) = broken(whole[..whole.len() - 9].to_owned());
    assert_eq!((line, is_cut, why.contains("cut")), (6, true, true));
    let (line, is_cut, why) = broken(lines[..4].concat());
    assert_eq!((line, is_cut, &*why), (5, true, "the end is cut: 2 lines that were written are missing"));
    let (line, _, _) = broken(String::new());
    assert_eq!(line, 1);
    // Whoever writes notices a cut as well.
    let audit = Audit::new(AuditFile::new(&path)).required(true);
    let server = server([tool("read", "")]);
    let client = connect(&Guard::builder().audit(audit).build(), "files", &server).await;
    let error = client.call("read").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.to_string().contains("it was cut"), "{error}");
    assert_eq!(count(&server, "tools/call"), 0);
    fs::write(&path, whole).unwrap();
    assert_eq!(verify(&path).unwrap().broken, None);
}

#[tokio::test]
async fn the_chain_goes_on_over_files_and_processes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let small = |file: AuditFile| Audit::new(file.with_max_bytes(2_000).with_max_files(3));
    // Many writers at once, each as a process would be.
    let writers = (0..4).map(|_| calls(&path, small, 5));
    futures_util::future::join_all(writers).await;
    let report = verify(&path).unwrap();
    assert_eq!(report.broken, None);
    assert_eq!(report.files.len(), 4);
    // The oldest files are gone, and the rest follows on.
    assert!(report.first > 1 && report.first + report.lines == 41, "{report:?}");
    // A line in a file that was put aside.
    let aside = &report.files[1];
    let text = fs::read_to_string(aside).unwrap();
    fs::write(aside, text.replacen("files", "filet", 1)).unwrap();
    let broken = verify(&path).unwrap().broken.unwrap();
    assert_eq!((&broken.file, broken.line), (aside, 1));
}

#[tokio::test]
async fn a_process_that_died_in_a_line_leaves_a_chain_that_goes_on() {
    use std::io::Write as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    calls(&path, Audit::new, 1).await;
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"seq\":3,\"prev\":\"").unwrap();
    assert!(verify(&path).unwrap().broken.unwrap().is_cut);
    calls(&path, Audit::new, 1).await;
    let report = verify(&path).unwrap();
    assert_eq!((report.lines, report.broken), (4, None));
    assert!(report.is_anchored);
    // Where the note is lost the file says where the chain stands; that it is lost is told.
    fs::remove_file(folder.path().join("audit.jsonl.head")).unwrap();
    assert!(!verify(&path).unwrap().is_anchored);
    calls(&path, Audit::new, 1).await;
    let report = verify(&path).unwrap();
    assert_eq!((report.lines, report.broken), (6, None));
}

/// A line that says that it follows another.
fn forged(number: u64, prev: &str) -> (String, String) {
    use sha2::{Digest as _, Sha256};

    let signed = format!(
        r#"{{"seq":{number},"prev":"{prev}","time":"2026-01-01T00:00:00Z","stage":"begin","call":"x","server":"s","method":"m""#
    );
    let hash: String = Sha256::digest(&signed).iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("{signed},\"hash\":\"{hash}\"}}\n"), hash)
}

#[tokio::test]
async fn lines_behind_the_note_count_only_where_they_follow_and_are_told() {
    use std::io::Write as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    calls(&path, Audit::new, 1).await;
    assert_eq!(verify(&path).unwrap().behind_note, 0);
    let whole = fs::read_to_string(&path).unwrap();
    let last = lines(&path)[1]["hash"].as_str().unwrap().to_owned();
    let append = |line: &str| {
        fs::write(&path, &whole).unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(line.as_bytes()).unwrap();
    };
    let zeros = "0".repeat(64);
    for (number, prev) in [(3, &zeros), (4, &last), (u64::MAX, &last), (u64::MAX, &zeros)] {
        append(&forged(number, prev).0);
        assert!(verify(&path).unwrap().broken.is_some_and(|broken| broken.line == 3), "{number}");
        let audit = Audit::new(AuditFile::new(&path)).required(true);
        let client = connect(&Guard::builder().audit(audit).build(), "files", &server([tool("read", "")])).await;
        let error = client.call("read").await.unwrap_err();
        assert!(error.to_string().contains("is broken after line 2"), "{error}");
    }
    // One that follows may be that of a process which died before it noted it. It counts, and that it is not noted is told.
    append(&forged(3, &last).0);
    let report = verify(&path).unwrap();
    assert_eq!((report.behind_note, report.broken), (1, None));
    calls(&path, Audit::new, 1).await;
    let report = verify(&path).unwrap();
    assert_eq!((report.lines, report.behind_note, report.broken), (5, 0, None));
}

#[tokio::test]
async fn a_record_that_was_written_anew_and_goes_on_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    calls(&path, Audit::new, 1).await;
    let mut prev = "0".repeat(64);
    let mut text = String::new();
    for number in 1..6 {
        let (line, hash) = forged(number, &prev);
        (text, prev) = (text + &line, hash);
    }
    fs::write(&path, text).unwrap();
    let broken = verify(&path).unwrap().broken.unwrap();
    assert_eq!((broken.line, broken.why.contains("written anew")), (2, true), "{broken}");
}

#[test]
fn an_audit_outlives_its_first_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::new(AuditFile::new(&path)).required(true);
    let guard = Guard::builder().audit(audit.clone()).build();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = connect(&guard, "files", &server([tool("read", "")])).await;
            client.call("read").await.unwrap();
            audit.flush().await.unwrap();
        });
    }
    let report = verify(&path).unwrap();
    assert_eq!((report.lines, report.broken), (6, None));
}

/// Never done.
#[derive(Debug)]
struct Stuck;

impl AuditSink for Stuck {
    fn write(&self, _: Vec<Record>) -> BoxFuture<'_, Result<(), AuditError>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn records_that_a_runtime_took_with_it_are_told() {
    let told = Told::default();
    let guard = told.hear(Guard::builder().audit(Audit::new(Stuck))).build();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let call = async || {
        let client = connect(&guard, "files", &server([tool("read", "")])).await;
        client.call("read").await.unwrap();
    };
    runtime().block_on(call());
    let flushed = runtime().block_on(async { guard.flush().await });
    assert!(flushed.unwrap_err().to_string().contains("2 records are lost"));
    runtime().block_on(call());
    assert_eq!(told.take(), Vec::<String>::new());
    runtime().block_on(call());
    assert!(told.take().iter().any(|event| event.contains("2 records are lost")));
}

#[tokio::test]
async fn a_rule_of_the_longest_name_makes_lines_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let name = "no\u{1}".repeat(66);
    let policy: Policy = format!(
        "default = 'allow'\n[[rule]]\nname = {}\ntool = 'read'\naction = 'deny'\n# end",
        serde_json::to_string(&name).unwrap()
    )
    .parse()
    .unwrap();
    let guard = Guard::builder().audit(Audit::new(AuditFile::new(&path))).policy(policy).build();
    let client = connect(&guard, "files", &server([tool("read", "")])).await;
    client.call("read").await.unwrap_err();
    client.call("read").await.unwrap_err();
    guard.flush().await.unwrap();
    let report = verify(&path).unwrap();
    assert_eq!((report.lines, report.broken), (2, None));
}

#[tokio::test]
async fn a_call_that_is_given_up_has_an_end_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::new(AuditFile::new(&path)).required(true);
    let guard = Guard::builder().audit(audit.clone()).build();
    let server = MockServer::builder().tool(tool("hang", ""), |_| std::future::pending()).build();
    let client = connect(&guard, "files", &server).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call("hang").await }
    });
    while count(&server, "tools/call") == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    let _ = call.await;
    audit.flush().await.unwrap();
    assert_eq!(lines(&path)[1]["outcome"], "dropped");
}

#[tokio::test]
async fn a_uri_is_on_record_without_what_may_be_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let told = Told::default();
    let policy: Policy = "default = 'deny'\n[[rule]]\naction = 'allow'\nresource = 'https*'\n# end".parse().unwrap();
    let guard = told.hear(Guard::builder().audit(Audit::new(AuditFile::new(&path))).policy(policy)).build();
    let client = connect(&guard, "files", &server([tool("read", "")])).await;
    for uri in ["postgres://ann:hunter2@h/db", "https://h/a?token=hunter2"] {
        let error = client.read(uri).await.unwrap_err();
        let error = format!("{:?}", bowline_guard::Refusal::of(&error));
        assert!(!error.contains("hunter2"), "{error}");
    }
    guard.flush().await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("postgres://…@h/db") && text.contains("https://h/a?token=…") && !text.contains("hunter2"),
        "{text}"
    );
    assert!(!told.take().concat().contains("hunter2"));
}

#[tokio::test]
async fn a_call_whose_lists_cannot_be_read_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::new(AuditFile::new(&path));
    let guard = Guard::builder().audit(audit).pins(bowline_guard::Pins::in_memory()).build();
    let client = connect(&guard, "files", &server([tool("read", "")])).await;
    client.close().await.unwrap();
    client.call("read").await.unwrap_err();
    guard.flush().await.unwrap();
    let lines = lines(&path);
    assert_eq!((&lines[0]["stage"], &lines[0]["outcome"]["error"]), (&Value::from("refused"), &Value::from("closed")));
}

#[derive(Debug)]
struct Full;

impl AuditSink for Full {
    fn write(&self, _: Vec<Record>) -> BoxFuture<'_, Result<(), AuditError>> {
        Box::pin(async { Err(AuditError::new("the disk is full; make room")) })
    }
}

#[tokio::test]
async fn an_audit_that_cannot_be_written_stops_the_call_where_that_is_required() {
    let server = server([tool("read", "")]);
    let demands: Policy = "default = 'allow'\naudit = { required = true }\n# end".parse().unwrap();
    for (policy, required, goes) in [(None, false, true), (None, true, false), (Some(demands), false, false)] {
        let told = Told::default();
        let builder = Guard::builder().audit(Audit::new(Full).required(required));
        let builder = policy.into_iter().fold(builder, |builder, policy| builder.policy(policy));
        let guard = told.hear(builder).build();
        let client = connect(&guard, "files", &server).await;
        let outcome = client.call("read").await;
        assert_eq!(outcome.is_ok(), goes);
        if let Err(error) = outcome {
            assert!(error.to_string().contains("cannot be put on record: the disk is full"), "{error}");
            assert!(told.take()[0].starts_with("not on record: the disk is full"));
        } else {
            assert!(guard.flush().await.is_err());
            assert!(told.take()[0].starts_with("not on record: the disk is full"));
        }
    }
    assert_eq!(count(&server, "tools/call"), 1);
}

#[tokio::test]
async fn records_are_logs_of_opentelemetry_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.jsonl");
    let audit = Audit::new(OtlpFile::new(&path));
    let guard = Guard::builder().audit(audit.clone()).build();
    connect(&guard, "files", &server([tool("read", "")])).await.call("read").await.unwrap();
    audit.flush().await.unwrap();
    let records: Vec<Value> = lines(&path)
        .iter()
        .flat_map(|line| line["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone())
        .collect();
    assert_eq!(records.len(), 2);
    let end = &records[1];
    assert_eq!(
        (&end["severityText"], &end["body"]["stringValue"]),
        (&Value::from("INFO"), &Value::from("end tools/call read"))
    );
    let named = |key: &str| {
        let attributes = end["attributes"].as_array().unwrap();
        attributes.iter().find(|one| one["key"] == key).map(|one| one["value"].clone()).unwrap_or_default()
    };
    assert_eq!(named("gen_ai.tool.name")["stringValue"], "read");
    assert_eq!(named("bowline.outcome")["stringValue"], "ok");
    assert!(named("bowline.duration_us")["intValue"].is_string());
    assert!(end["timeUnixNano"].as_str().unwrap().len() >= 19);
}

#[test]
fn an_audit_without_a_runtime_is_no_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let guard = Arc::new(Guard::builder().audit(Audit::new(Full)).build());
    let flushed = runtime.block_on(async { guard.audit().unwrap().flush().await });
    assert!(flushed.is_ok());
}

#[tokio::test]
async fn a_record_with_arguments_has_all_of_their_members() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::new(AuditFile::new(&path)).with_arguments(true);
    let guard = Guard::builder().audit(audit.clone()).secrets(bowline_guard::Secrets::default()).build();
    let client = connect(&guard, "files", &server([tool("write", "")])).await;
    client.call("write").arg("content", "x ".repeat(4 << 10)).arg("path", "/home/me/.bashrc").await.unwrap();
    audit.flush().await.unwrap();
    let shown = lines(&path)[0]["arguments"]["json"].as_str().unwrap().to_owned();
    assert!(shown.contains(r#""path":"/home/me/.bashrc""#) && shown.len() < 8 << 10, "{shown}");
}
