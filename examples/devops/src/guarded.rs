//! What the rollout may do, who is asked, and the record of it.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::path::Path;

use anyhow::Result;
use bowline::guard::{Answer, Audit, AuditFile, Guard, Policy, Question};

/// Looking goes; changing is asked about; all else is refused, and so is what cannot be put on record.
const POLICY: &str = "\
version = 1
default = 'deny'

[[rule]]
name = 'looking'
tool = ['plan', 'version']
action = 'allow'

[[rule]]
name = 'changing'
tool = 'deploy'
action = 'ask'
reason = 'it changes what is running'
# end
";

/// `asks`: whether a person answers, or this program does.
pub(crate) fn guard(record: &Path, asks: bool) -> Result<Guard> {
    let approver = move |question: Question| async move {
        if !asks {
            return Answer::Allow;
        }
        // Reading the keyboard waits, and nothing else is to go on meanwhile.
        let shown = question.arguments.as_deref().unwrap_or_default();
        print!("{} {shown} ({}) [y/N] ", question.title(), question.why);
        let mut line = String::new();
        let is_read = stdout().flush().is_ok() && stdin().lock().read_line(&mut line).is_ok();
        if is_read && line.trim().eq_ignore_ascii_case("y") { Answer::Allow } else { Answer::Deny }
    };
    let guard = Guard::builder()
        .policy(POLICY.parse::<Policy>()?)
        .audit(Audit::new(AuditFile::new(record)).required(true))
        .approver(approver);
    Ok(guard.build())
}
