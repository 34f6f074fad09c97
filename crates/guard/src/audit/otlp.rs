//! Records as log records of OpenTelemetry.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use bowline_protocol::excerpt;
use bowline_transport::BoxFuture;
use serde_json::{Value, json};

use super::record::{Arguments, Outcome, Record, Stage};
use super::{AuditError, AuditSink};

/// Records as lines of OTLP/JSON, as collectors of OpenTelemetry read them (`otlpjsonfile`), for logs beside other logs.
/// They are not chained.
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
                let file = OpenOptions::new().create(true).append(true).open(&path);
                file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| {
                    let name = excerpt(&path.display().to_string(), 200);
                    AuditError::new(format!("the log {name} cannot be written: {error}; make room, or mend its rights"))
                })
            });
            done.await.unwrap_or_else(|_| Err(AuditError::new("the log ends, as the runtime does")))
        })
    }
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
