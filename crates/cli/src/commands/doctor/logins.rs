//! What is kept of logins: whether it can be read, and whether it is good by another clock.

use std::time::Duration;

use super::finding::{Check, Finding, Findings, Severity};
use crate::credentials::Credentials;
use crate::exit::CliError;
use crate::session::Run;

/// Looks at the login of each server. `ahead` is how far the clocks of others are before this one, in seconds.
pub(super) async fn look(run: &Run, urls: &[(String, String)], ahead: Option<i64>, findings: &mut Findings) {
    // Where nobody could have logged in, nothing need be readable.
    if urls.is_empty() {
        return;
    }
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
            Ok(status) => findings.push(standing(name, status.expires_in, status.refreshable, ahead)),
        }
    }
}

/// How a login stands that lives so long.
fn standing(name: &str, lives: Option<Duration>, refreshable: bool, ahead: Option<i64>) -> Finding {
    let warning = |message| Finding::new(Severity::Warning, Check::Login, name, message);
    match lives {
        Some(Duration::ZERO) if ahead.is_some_and(|ahead| ahead < 0) => {
            let message = "its login may have ended by this machine's clock alone, which is before that of others";
            warning(message).fix("set the clock right; the login may be good again then")
        }
        Some(Duration::ZERO) if !refreshable => {
            warning("its login has ended").fix(format!("bowline auth login {name}"))
        }
        _ => Finding::new(Severity::Fine, Check::Login, name, "logged in"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_ended_by_the_clock_alone_is_told_from_one_that_ended() {
        let told = |lives, refreshable, ahead| {
            let mut findings = Findings::default();
            findings.push(standing("tickets", lives, refreshable, ahead));
            findings.shown().render(false)
        };
        assert!(told(Some(Duration::ZERO), true, Some(-3_600)).contains("set the clock right"));
        assert!(told(Some(Duration::ZERO), false, Some(3_600)).contains("bowline auth login tickets"));
        for (lives, refreshable) in [(Some(Duration::ZERO), true), (Some(Duration::from_secs(1)), false), (None, false)]
        {
            assert!(told(lives, refreshable, None).starts_with("fine"), "{lives:?}");
        }
    }
}
