//! What is kept of logins: whether it can be read, and whether it is good by another clock.

use std::time::Duration;

use super::finding::{Check, Finding, Findings, Severity};
use crate::credentials::Credentials;
use crate::exit::CliError;
use crate::session::Run;

/// Looks at the login of each server. `ahead` is how far the clocks of others are before this one, in seconds.
pub(super) async fn look(run: &Run, urls: &[(String, String)], ahead: Option<i64>, findings: &mut Findings) {
    let credentials = match Credentials::open(run) {
        Ok(credentials) => credentials,
        Err(error) => return findings.push(unreadable("", &error)),
    };
    for (name, url) in urls {
        // Where tokens cannot go, as over the web without TLS, there is none.
        if bowline::auth::OAuth::builder(url).build().is_err() {
            continue;
        }
        let status = match credentials.known(url, None, run).await {
            Ok(oauth) => oauth.status().await.map_err(CliError::from),
            Err(error) => Err(error),
        };
        match status {
            Err(error) => findings.push(unreadable(name, &error)),
            Ok(status) if !status.authorized => {}
            Ok(status) => match status.expires_in {
                Some(Duration::ZERO) if ahead.is_some_and(|ahead| ahead < 0) => {
                    let message = "its login has ended by this machine's clock alone, which is before that of others";
                    let finding = Finding::new(Severity::Warning, Check::Login, name, message);
                    findings.push(finding.fix("set the clock right; the login is good again then"));
                }
                Some(Duration::ZERO) if !status.refreshable => {
                    let finding = Finding::new(Severity::Warning, Check::Login, name, "its login has ended");
                    findings.push(finding.fix(format!("bowline auth login {name}")));
                }
                _ => findings.push(Finding::new(Severity::Fine, Check::Login, name, "logged in")),
            },
        }
    }
}

fn unreadable(name: &str, error: &CliError) -> Finding {
    let finding = Finding::of(Check::Login, name, error);
    let fix =
        if name.is_empty() { "bowline auth login SERVER".to_owned() } else { format!("bowline auth login {name}") };
    if finding.has_fix() {
        return finding;
    }
    finding.fix(format!("unlock the keyring or give the key in BOWLINE_STORE_KEY; else move the file away and {fix}"))
}
