//! What the doctor finds.

use bowline::config::Place;
use serde_json::{Value, json};

use crate::exit::{CliError, Code};
use crate::sanitize;
use crate::styled::Styled;

/// How bad a finding is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Something does not work.
    Error,
    /// It works, and probably not for long or not as meant.
    Warning,
    /// Good to know where something else goes wrong.
    Note,
    /// It was looked at, and works.
    Fine,
}

impl Severity {
    const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Fine => "fine",
        }
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Clock,
    Configuration,
    Folder,
    Login,
    Network,
    Program,
    Proxy,
    Server,
}

impl Check {
    const fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Configuration => "configuration",
            Self::Folder => "folder",
            Self::Login => "login",
            Self::Network => "network",
            Self::Program => "program",
            Self::Proxy => "proxy",
            Self::Server => "server",
        }
    }
}

/// One thing that was looked at, and how it stands.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    check: Check,
    /// What it is about: a server, a file, a program, a variable.
    subject: String,
    /// What is wrong: one line, lower case.
    message: String,
    place: Option<Place>,
    /// The way out, a command where there is one.
    fix: Option<String>,
    /// The exit code that an error stands for.
    code: Code,
}

impl Finding {
    pub(super) fn error(check: Check, code: Code, subject: &str, message: impl AsRef<str>) -> Self {
        Self { code, ..Self::new(Severity::Error, check, subject, message) }
    }

    pub(super) fn new(severity: Severity, check: Check, subject: &str, message: impl AsRef<str>) -> Self {
        Self {
            severity,
            check,
            subject: sanitize::excerpt(subject, 200),
            message: sanitize::excerpt(message.as_ref(), 1_000),
            place: None,
            fix: None,
            code: Code::Unexpected,
        }
    }

    /// Why something failed, as any command would say it.
    pub(super) fn of(check: Check, subject: &str, error: &CliError) -> Self {
        let finding = Self::error(check, error.code, subject, &error.message);
        Self { fix: error.hint.as_deref().map(|hint| sanitize::excerpt(hint, 500)), ..finding }
    }

    pub(super) fn at(self, place: &Place) -> Self {
        Self { place: Some(place.clone()), ..self }
    }

    pub(super) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    pub(super) const fn has_fix(&self) -> bool {
        self.fix.is_some()
    }
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// The worst come first, of one kind as they were found.
    pub(super) fn sort(&mut self) {
        self.0.sort_by_key(|finding| finding.severity);
    }

    pub(super) fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|finding| finding.severity == severity).count()
    }

    /// The exit code: that of the first error.
    pub(super) fn code(&self) -> Option<Code> {
        self.0.iter().find(|finding| finding.severity == Severity::Error).map(|finding| finding.code)
    }

    pub(super) fn to_json(&self) -> Value {
        let findings = self.0.iter().map(|finding| {
            let mut document = json!({
                "severity": finding.severity.word(),
                "check": finding.check.word(),
                "subject": finding.subject,
                "message": finding.message,
            });
            let members = document.as_object_mut().into_iter();
            for members in members {
                if let Some(place) = &finding.place {
                    members.insert("file".into(), place.file.to_string_lossy().into());
                    members.insert("line".into(), place.line.into());
                    members.insert("column".into(), place.column.into());
                }
                members.extend(finding.fix.as_deref().map(|fix| ("fix".to_owned(), fix.into())));
            }
            document
        });
        json!({
            "findings": findings.collect::<Vec<_>>(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
        })
    }

    /// Each finding with its place and its way out.
    pub(super) fn shown(&self) -> Styled {
        let mut text = Styled::new();
        for finding in &self.0 {
            let kind = format!("{:7}", finding.severity.word());
            text = match finding.severity {
                Severity::Error | Severity::Warning => text.bold(kind),
                Severity::Note | Severity::Fine => text.dim(kind),
            };
            text = text.plain(format!("  {:13}  ", finding.check.word()));
            if !finding.subject.is_empty() {
                text = text.bold(finding.subject.as_str()).plain(": ");
            }
            text = text.plain(finding.message.as_str()).line();
            if let Some(place) = &finding.place {
                text = text.dim(format!("{:24}{}", "", sanitize::line(&place.to_string()))).line();
            }
            if let Some(fix) = &finding.fix {
                text = text.plain(format!("{:24}", "")).dim("to do: ").plain(fix.as_str()).line();
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_gives_the_exit_code() {
        let mut findings = Findings::default();
        findings.push(Finding::new(Severity::Fine, Check::Folder, "/x", "can be written"));
        findings.push(Finding::error(Check::Server, Code::Connect, "a\u{1b}[31m", "is\ndead").fix("start it"));
        findings.push(Finding::error(Check::Configuration, Code::Usage, "f", "is broken"));
        findings.sort();
        assert_eq!(findings.code(), Some(Code::Connect));
        let shown = findings.shown().render(false);
        assert!(shown.starts_with("error    server         a: is dead\n"), "{shown}");
        assert!(shown.contains("\n                        to do: start it\n"), "{shown}");
        assert_eq!(findings.to_json()["findings"][2]["severity"], "fine");
    }
}
