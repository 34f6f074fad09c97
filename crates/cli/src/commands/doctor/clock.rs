//! This machine's clock beside those of the servers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline::http::HttpClient;
use tokio::task::JoinSet;

use super::finding::{Check, Finding, Findings, Severity};
use crate::exit::Code;

/// How far clocks may differ, in seconds. Logins and certificates bear about that much.
const SAME: i64 = 300;

/// How many servers are asked the time.
const MOST: usize = 8;

/// How long one may take.
const WITHIN: Duration = Duration::from_secs(10);

/// How far a server's clock is before this one.
#[derive(Debug)]
pub(super) struct Ahead {
    host: String,
    seconds: i64,
}

/// Asks servers the time, by a request that no server does anything for.
pub(super) async fn ask(client: &HttpClient, urls: &[String]) -> Vec<Ahead> {
    let mut asking = JoinSet::new();
    for url in urls.iter().filter(|url| url.starts_with("http")).take(MOST) {
        let (client, url) = (client.clone(), url.clone());
        asking.spawn(async move { tokio::time::timeout(WITHIN, ahead(&client, &url)).await.ok().flatten() });
    }
    let mut all: Vec<Ahead> = asking.join_all().await.into_iter().flatten().collect();
    all.sort_by(|a, b| a.host.cmp(&b.host));
    all.dedup_by(|a, b| a.host == b.host);
    all
}

async fn ahead(client: &HttpClient, url: &str) -> Option<Ahead> {
    let url = url.parse().ok()?;
    let answer = client.send("HEAD".parse().ok()?, &url, Default::default(), None).await.ok()?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    // What comes out of a cache has an old time.
    if header("age").is_some_and(|age| age != "0") {
        return None;
    }
    let there = jiff::fmt::rfc2822::parse(header("date")?).ok()?.timestamp().as_second();
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = there.saturating_sub(i64::try_from(here).unwrap_or(i64::MAX));
    Some(Ahead { host: url.host_str()?.to_owned(), seconds })
}

/// Tells whose clock is wrong. Gives how far the others are before this one, where that is this one's fault.
pub(super) fn judge(asked: &[Ahead], findings: &mut Findings) -> Option<i64> {
    let differ: Vec<&Ahead> = asked.iter().filter(|other| other.seconds.saturating_abs() > SAME).collect();
    let Some(first) = differ.first() else {
        if !asked.is_empty() {
            findings.push(Finding::new(Severity::Fine, Check::Clock, "", "that of the servers, as far as they tell"));
        }
        return None;
    };
    let agree = differ.iter().all(|other| other.seconds.abs_diff(first.seconds) < SAME.unsigned_abs());
    if differ.len() < asked.len() || !agree {
        for other in differ {
            let message = format!("the clock there is {} that of this machine", apart(other.seconds));
            findings.push(Finding::new(Severity::Warning, Check::Clock, &other.host, message));
        }
        return None;
    }
    let whose = if asked.len() == 1 { first.host.clone() } else { format!("all {} servers that tell", asked.len()) };
    let message = format!(
        "this machine's clock is {} that of {whose}: logins and certificates are taken for ended, or for not yet good",
        apart(first.seconds.saturating_neg())
    );
    findings.push(Finding::error(Check::Clock, Code::Unexpected, "", message).fix(way_out()));
    Some(first.seconds)
}

/// `61 min before`, `2 h behind`.
fn apart(seconds: i64) -> String {
    let minutes = (seconds.unsigned_abs() + 30) / 60;
    let length = match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", (minutes + 30) / 60),
        _ => format!("{} days", (minutes + 720) / 1_440),
    };
    format!("{length} {}", if seconds > 0 { "before" } else { "behind" })
}

const fn way_out() -> &'static str {
    if cfg!(windows) {
        "w32tm /resync"
    } else if cfg!(target_os = "macos") {
        "sudo sntp -sS time.apple.com"
    } else {
        "sudo timedatectl set-ntp true"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(seconds: &[i64]) -> (Option<i64>, String) {
        let asked = seconds.iter().enumerate().map(|(n, seconds)| Ahead { host: format!("h{n}"), seconds: *seconds });
        let mut findings = Findings::default();
        let ahead = judge(&asked.collect::<Vec<_>>(), &mut findings);
        (ahead, findings.shown().render(false))
    }

    #[test]
    fn where_all_others_agree_this_clock_is_wrong() {
        let (ahead, told) = judged(&[3_600, 3_640]);
        assert_eq!(ahead, Some(3_600));
        assert!(told.contains("this machine's clock is 60 min behind that of all 2 servers"), "{told}");
        let (ahead, told) = judged(&[-7_200 * 24]);
        assert!(ahead.is_some() && told.contains("2 days before that of h0"), "{told}");
    }

    #[test]
    fn where_one_differs_it_is_that_one_that_is_named() {
        let (ahead, told) = judged(&[3, -10_800]);
        assert_eq!(ahead, None);
        assert!(told.starts_with("warning  clock          h1: the clock there is 3 h behind"), "{told}");
        assert!(judged(&[2]).1.starts_with("fine") && judged(&[]).1.is_empty());
        assert_eq!(judged(&[i64::MIN]).0, Some(i64::MIN));
    }
}
