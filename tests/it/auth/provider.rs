//! A login at an OpenID provider that others wrote: the package `oidc-provider`, which is certified for OpenID Connect.
//!
//! `cargo xtask interop` installs it and runs this; without it the test says that it skipped itself.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::*;

/// Where the provider's packages are; none where nobody installed them.
fn installed() -> Option<PathBuf> {
    let Some(directory) = std::env::var_os("BOWLINE_INTEROP_DIR").map(PathBuf::from) else {
        println!("skipped: run `cargo xtask interop --only oidc-provider`");
        return None;
    };
    Some(directory.join("servers/oidc-provider"))
}

/// The provider, in a process that ends with its input.
struct Provider {
    child: Child,
    issuer: String,
    /// Where it may say more: a program whose output is closed ends.
    _output: BufReader<ChildStdout>,
}

impl Provider {
    fn start(packages: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(packages).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let issuer = output.by_ref().lines().map_while(Result::ok).find(|line| line.starts_with("http://")).unwrap();
        Self { child, issuer, _output: output }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks the provider whether a token is good, and for which scopes (RFC 7662).
fn scopes(issuer: &str, token: &str) -> Option<Vec<String>> {
    let headers = "authorization: Basic Y2hlY2tlcjpjaGVja3M=\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let answer = exchange("POST", &format!("{issuer}/token/introspection"), headers, &format!("token={token}"));
    let answer = answer.unwrap();
    let told: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let scopes = told["scope"].as_str().unwrap_or_default().split(' ').map(str::to_owned).collect();
    (told["active"] == true).then_some(scopes)
}

/// Follows redirects with cookies, as a browser does, up to the address of the login.
fn browse(start: &str, end: &str) {
    let origin = start.split('/').take(3).collect::<Vec<_>>().join("/");
    let (mut url, mut cookies) = (start.to_owned(), Vec::<(String, String)>::new());
    for _ in 0..20 {
        if url.starts_with(end) {
            get(&url);
            return;
        }
        let jar = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let answer = exchange("GET", &url, &format!("cookie: {jar}\r\n"), "").unwrap();
        for line in header(&answer, "set-cookie") {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let next = location(&answer);
        url = if next.starts_with('/') { format!("{origin}{next}") } else { next };
    }
    panic!("the provider redirects without end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_provider_gives_refreshes_rotates_and_revokes_tokens() {
    let Some(packages) = installed() else { return };
    let provider = Provider::start(&packages);
    let issuer = provider.issuer.clone();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let judge = {
        let (issuer, seen) = (issuer.clone(), Arc::clone(&seen));
        move |token: String| {
            let issuer = issuer.clone();
            if !seen.lock().unwrap().contains(&token) {
                seen.lock().unwrap().push(token.clone());
            }
            async move { tokio::task::spawn_blocking(move || scopes(&issuer, &token)).await.unwrap() }
        }
    };
    let settings = ProtectedSettings::default().scopes_supported(&["read"]).needs(&["read"]);
    let settings = settings.needs_for("tools/call", &["write"]);
    let server = ProtectedServer::start(mock(), &issuer, judge, settings).await.unwrap();

    let visitor = OpenWith::new(|visit: &Visit| {
        let (url, end) = (visit.url.as_str().to_owned(), visit.redirect_uri.clone());
        std::thread::spawn(move || browse(&url, &end));
        Ok(())
    });
    let oauth = OAuth::builder(server.url()).client_name("it").visitor(visitor).build().unwrap();
    let client = connect(&server.url(), oauth.clone()).await.unwrap();
    let status = oauth.status().await.unwrap();
    assert_eq!((status.issuer.as_deref(), status.refreshable), (Some(issuer.as_str()), true), "{status:?}");
    assert!(status.scopes.contains(&"read".to_owned()) && status.expires_in.is_some(), "{status:?}");

    // The tool wants another scope: a second consent, for both.
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let scopes_now = oauth.status().await.unwrap().scopes;
    assert!(["read", "write"].iter().all(|scope| scopes_now.iter().any(|known| known == scope)), "{scopes_now:?}");

    // Twice: the second refresh needs the refresh token of the first.
    for _ in 0..2 {
        let tokens = seen.lock().unwrap().len();
        within(oauth.refresh()).await.unwrap();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");
        assert_eq!(seen.lock().unwrap().len(), tokens + 1, "the server saw a fresh token");
    }

    let last = seen.lock().unwrap().last().cloned().unwrap();
    let judged = |token: String| {
        let issuer = issuer.clone();
        async move { tokio::task::spawn_blocking(move || scopes(&issuer, &token)).await.unwrap() }
    };
    assert!(judged(last.clone()).await.is_some());
    within(client.close()).await.unwrap();
    let logout = within(oauth.logout()).await.unwrap();
    assert!(logout.was_authorized && logout.revoked, "{logout:?}");
    assert_eq!(judged(last).await, None, "the provider does not know the token any more");
}
