//! Records as log records of OpenTelemetry.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bowline_transport::BoxFuture;
use serde_json::{Value, json};

use super::record::{Arguments, Outcome, Record, Stage};
use super::{AuditError, AuditSink};
use crate::turns;

/// Records as lines of OTLP/JSON, as collectors of OpenTelemetry read them (`otlpjsonfile`), for logs beside other logs.
/// They are not chained. Processes take turns at the file, and a line that cannot be written whole is taken back, both where
/// its file system has locks. A link is followed, also to where no file is yet.
#[derive(Debug, Clone)]
pub struct OtlpFile {
    path: PathBuf,
}

impl OtlpFile {
    /// Lines in this file, which is made by the first one.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Records as one OTLP/JSON document (`ExportLogsServiceRequest`), for a sink that sends it to a collector.
    pub fn document(records: &[Record]) -> Value {
        json!({"resourceLogs": [{
            "resource": {"attributes": [attribute("service.name", "bowline")]},
            "scopeLogs": [{
                "scope": {"name": "bowline-guard", "version": env!("CARGO_PKG_VERSION")},
                "logRecords": records.iter().map(log_record).collect::<Vec<_>>(),
            }],
        }]})
    }
}

impl AuditSink for OtlpFile {
    fn write(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), AuditError>> {
        let path = self.path.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || {
                let line = format!("{}\n", Self::document(&records));
                append(&path, &line).map_err(|error| AuditError::io("log", &path, "written", &error))
            });
            done.await.unwrap_or_else(|_| Err(AuditError::new("the log ends, as the runtime does")))
        })
    }
}

/// Adds a line. One that was not written whole would be read as one with the next.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let there = std::fs::metadata(path);
    if there.is_ok_and(|there| !there.is_file()) {
        // A pipe or a device: nothing can be taken back there.
        return OpenOptions::new().append(true).open(path)?.write_all(line.as_bytes());
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    let file = match options.clone().read(true).open(path) {
        // One that may be written to and not read.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => options.open(path),
        opened => opened,
    };
    add(&file?, line)
}

fn add(mut file: &File, line: &str) -> io::Result<()> {
    let is_alone = match turns::take(file) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
        // Some file systems have no locks. A line goes as a whole there as well, as long as there is room.
        Err(_) => false,
    };
    let length = file.metadata()?.len();
    // Where it may not be read, a line is taken to be whole.
    let begun = if ends_in_line(file, length).unwrap_or(false) { "\n" } else { "" };
    let written = file.write_all(begun.as_bytes()).and_then(|()| file.write_all(line.as_bytes()));
    if written.is_err() && is_alone {
        // What cannot be taken back is ended by the next line.
        let _ = file.set_len(length);
    }
    written
}

/// Whether the last line of a file has no end, as a process leaves it that dies while it writes.
fn ends_in_line(mut file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(false) };
    file.seek(SeekFrom::Start(last))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte != *b"\n")
}

fn attribute(key: &str, value: impl Into<String>) -> Value {
    json!({"key": key, "value": {"stringValue": value.into()}})
}

fn log_record(record: &Record) -> Value {
    let refused = record.stage == Stage::Refused;
    let failed = matches!(record.outcome, Some(Outcome::Failed | Outcome::Error(_)));
    let (number, word) = if refused || failed { (13, "WARN") } else { (9, "INFO") };
    let mut attributes = vec![
        attribute("event.name", format!("mcp.call.{}", record.stage.name())),
        attribute("mcp.method.name", record.method.clone()),
        attribute("bowline.server", record.server.clone()),
        attribute("bowline.call", record.call.clone()),
    ];
    let outcome = record.outcome.as_ref().map(|outcome| match outcome {
        Outcome::Ok => "ok".to_owned(),
        Outcome::Failed => "failed".to_owned(),
        Outcome::Error(kind) => format!("error {kind}"),
        Outcome::Dropped => "dropped".to_owned(),
    });
    let arguments = record.arguments.as_ref().map(|arguments| match arguments {
        Arguments::Sha256(hash) => ("bowline.arguments.sha256", hash.clone()),
        Arguments::Json(json) => ("bowline.arguments", json.clone()),
    });
    let name = if record.method == "tools/call" { "gen_ai.tool.name" } else { "bowline.name" };
    for (key, value) in [
        (name, record.name.clone()),
        ("bowline.caller", record.caller.clone()),
        ("bowline.verdict", record.verdict.as_ref().map(ToString::to_string)),
        ("bowline.rule", record.rule.clone()),
        ("bowline.outcome", outcome),
        ("bowline.findings", (!record.findings.is_empty()).then(|| record.findings.join(" "))),
    ] {
        attributes.extend(value.map(|value| attribute(key, value)));
    }
    attributes.extend(arguments.map(|(key, value)| attribute(key, value)));
    if let Some(micros) = record.micros {
        // OTLP/JSON has 64-bit integers as text.
        attributes.push(json!({"key": "bowline.duration_us", "value": {"intValue": micros.to_string()}}));
    }
    let nanos = record.time.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_nanosecond).to_string();
    let body = format!("{} {} {}", record.stage.name(), record.method, record.name.as_deref().unwrap_or_default());
    json!({
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "severityNumber": number,
        "severityText": word,
        "body": {"stringValue": body.trim_end()},
        "attributes": attributes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_may_not_be_read_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        add(&file, "1\n").unwrap();
        drop(file);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;

            // Whoever is root may read it all the same.
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o200)).unwrap();
            append(&path, "2\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n1\n2\n");
        }
    }
}
