//! `bowline audit`: the record of calls.

use bowline::guard::{AuditReport, verify};

use crate::exit::{CliError, Code, Stop};
use crate::guarded;
use crate::options::{AuditCommand, AuditOptions, Format};
use crate::output::Output;
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;

pub(crate) fn run(options: AuditOptions, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let AuditCommand::Verify(options) = options.command;
    let file = options.file.or_else(|| run.global.audit.clone()).or_else(guarded::default_audit);
    let Some(file) = file else {
        return Err(CliError::usage("there is no folder for a record").hint("name the file").into());
    };
    let report = verify(&file).map_err(|error| CliError::new(Code::Unexpected, error.to_string()))?;
    let is_there = !report.files.is_empty() || report.broken.is_some();
    if !is_there {
        let name = sanitize::line(&file.display().to_string());
        return Err(CliError::usage(format!("there is no record at {name}"))
            .hint("calls are put on record with --audit FILE, or where the policy has `audit.required`")
            .into());
    }
    if out.format() == Format::Json {
        out.json(&report)?;
    }
    match &report.broken {
        Some(broken) => {
            let (lines, are) = counted(report.lines);
            let hint = format!("{lines} before it {are} right");
            Err(CliError::new(Code::Unexpected, broken.to_string()).hint(hint).into())
        }
        None if !report.is_anchored => {
            let message =
                "the note of where the record ends is missing, so lines that are cut off its end are not missed";
            Err(CliError::new(Code::Unexpected, message).hint(summary(&report)).into())
        }
        None if out.format() == Format::Json => Ok(()),
        None => out.text(&Styled::new().plain(summary(&report)).line()),
    }
}

fn summary(report: &AuditReport) -> String {
    let files = match report.files.len() {
        1 => String::new(),
        files => format!(" in {files} files"),
    };
    let from =
        if report.first > 1 { format!(", from line {} on: older ones are gone", report.first) } else { String::new() };
    let (lines, are) = counted(report.lines);
    let behind = match report.behind_note {
        0 => String::new(),
        1 => {
            "; the last one is not in the note beside it: a process died before it noted it, or somebody else wrote it"
                .to_owned()
        }
        behind => format!(
            "; the last {behind} are not in the note beside it: a process died before it noted them, or somebody else wrote them"
        ),
    };
    format!("{lines}{files} {are} right{from}{behind}")
}

/// So many lines, and the verb to them.
fn counted(lines: u64) -> (String, &'static str) {
    if lines == 1 { ("1 line".to_owned(), "is") } else { (format!("{lines} lines"), "are") }
}
