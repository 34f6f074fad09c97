//! `bowline auth`: logging in to servers, and what there is of it.

use bowline::auth::{OAuth, Status};
use serde_json::json;

use crate::credentials::{Asking, Credentials, Profile};
use crate::duration;
use crate::exit::{CliError, Code, Stop};
use crate::options::{Auth, AuthCommand, Format};
use crate::output::Output;
use crate::sanitize;
use crate::session::{Run, Signals, interrupted};
use crate::styled::Styled;

pub(crate) async fn run(options: Auth, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let mut signals = Signals::new()?;
    tokio::select! {
        biased;
        () = signals.next() => Err(interrupted()),
        () = run.interrupted.notified() => Err(interrupted()),
        done = carry_out(options, run, out) => done,
    }
}

async fn carry_out(options: Auth, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let credentials = Credentials::open(run)?;
    match options.command {
        AuthCommand::Login(login) => {
            let asking = match (login.no_browser, login.device) {
                (true, _) => Asking::ByHand,
                (_, true) => Asking::Device,
                _ => Asking::Browser,
            };
            let profile = Profile::of(&login)?;
            let oauth = credentials.oauth(&login.server.url, &profile, Some(asking), run)?;
            credentials.tell_again();
            let status = oauth.login().await.map_err(CliError::from)?;
            // Later commands are the same client; an id that nobody could log in with is not kept.
            credentials.keep_profile(&login.server.url, Some(&profile)).await?;
            tell(&oauth, &status, "logged in to", out)
        }
        AuthCommand::Status(server) => {
            let oauth = credentials.known(&server.url, None, run).await?;
            let status = oauth.status().await.map_err(CliError::from)?;
            if out.format() == Format::Json || status.authorized {
                tell(&oauth, &status, "logged in to", out)?;
            }
            if status.authorized { Ok(()) } else { Err(logged_out(&oauth).into()) }
        }
        AuthCommand::Refresh(server) => {
            let oauth = credentials.known(&server.url, None, run).await?;
            let status = oauth.refresh().await.map_err(|error| CliError::from(error).about_login(&server.url))?;
            tell(&oauth, &status, "refreshed the token for", out)
        }
        AuthCommand::Logout(server) => {
            let oauth = credentials.known(&server.url, None, run).await?;
            let done = oauth.logout().await.map_err(CliError::from)?;
            credentials.keep_profile(&server.url, None).await?;
            if out.format() == Format::Json {
                return out.json(&json!({
                    "server": shown(&oauth), "wasAuthorized": done.was_authorized, "revoked": done.revoked,
                }));
            }
            let text = match (done.was_authorized, done.revoked) {
                (false, _) => "was not logged in to",
                (true, true) => "logged out of",
                (true, false) => "forgot the tokens, which the authorization server did not revoke, for",
            };
            out.text(&Styled::new().plain(format!("{text} {}", shown(&oauth))).line())
        }
    }
}

/// The server as it may be shown.
fn shown(oauth: &OAuth) -> String {
    bowline::http::shown(oauth.server())
}

fn logged_out(oauth: &OAuth) -> CliError {
    let server = shown(oauth);
    CliError::new(Code::Authorization, format!("not logged in to {server}"))
        .hint(format!("log in with `bowline auth login {server}`"))
}

fn tell(oauth: &OAuth, status: &Status, what: &str, out: &mut Output) -> Result<(), Stop> {
    if out.format() == Format::Json {
        return out.json(&json!({
            "server": shown(oauth),
            "authorized": status.authorized,
            "issuer": status.issuer,
            "clientId": status.client_id,
            "scopes": status.scopes,
            "expiresIn": status.expires_in.map(|life| life.as_secs()),
            "refreshable": status.refreshable,
            "bound": status.bound,
        }));
    }
    let mut text = Styled::new().plain(format!("{what} ")).bold(shown(oauth)).line();
    let mut row = |name: &str, value: String| {
        text = std::mem::take(&mut text).dim(format!("  {name}: ")).plain(value).line();
    };
    if let Some(issuer) = &status.issuer {
        row("authorization server", sanitize::excerpt(issuer, 200));
    }
    if let Some(id) = &status.client_id {
        row("client id", sanitize::excerpt(id, 200));
    }
    if !status.scopes.is_empty() {
        row("scopes", sanitize::excerpt(&status.scopes.join(" "), 1_000));
    }
    let life = match status.expires_in {
        Some(life) => format!("ends in {}", duration::left(life)),
        None => "ends at a time that the server does not tell".to_owned(),
    };
    let next = if status.refreshable { "and is renewed by itself" } else { "and then wants another login" };
    row("token", format!("{life}, {next}"));
    out.text(&text)
}
