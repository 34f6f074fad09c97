//! Errors of the client as errors of the command.

use bowline::auth::AuthError;
use bowline::guard::Refusal;
use bowline::{Error, ErrorKind};

use crate::credentials;
use crate::exit::{CliError, Code, Stop};
use crate::options::Server;
use crate::sanitize;

/// URLs that one hint shows.
const MOST_URLS: usize = 3;

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::NotFound | ErrorKind::Connect | ErrorKind::Closed | ErrorKind::Unavailable => Code::Connect,
            ErrorKind::Denied => Code::Denied,
            ErrorKind::DefinitionChanged => Code::Changed,
            ErrorKind::Auth => Code::Authorization,
            ErrorKind::Timeout => Code::Timeout,
            ErrorKind::Config | ErrorKind::UnknownName => Code::Usage,
            ErrorKind::Server
            | ErrorKind::Protocol
            | ErrorKind::Unsupported
            | ErrorKind::UnsupportedVersion
            | ErrorKind::TooLarge
            | ErrorKind::TaskGone
            | ErrorKind::Verification
            | ErrorKind::Output => Code::Protocol,
            ErrorKind::TaskCancelled | ErrorKind::InputRefused => Code::Tool,
            _ => Code::Unexpected,
        };
        let refusal = Refusal::of(&error).cloned();
        // The messages say what to do about the failure itself; this is what the command can do.
        let hint = match error.kind() {
            _ if matches!(error.status(), Some(404 | 405 | 410)) && error.server_error().is_none() => {
                Some("is the path right? most servers have it at /mcp, older ones at /sse")
            }
            ErrorKind::Auth => Some("give a token with --bearer-env VAR, or a header with -H \"K: env:VAR\""),
            ErrorKind::NotFound => Some("the server's PATH and folder are set with -e PATH=… and --cwd"),
            ErrorKind::Connect | ErrorKind::Closed => Some("add -v to see all that it says"),
            // It did say something, so more time will not help, unless that goes on.
            ErrorKind::Timeout if error.noise().is_some_and(|noise| !noise.is_under_way()) => {
                Some("add -v to see all that it says")
            }
            ErrorKind::Timeout => {
                Some("give it longer with --timeout, --max-time or --connect-timeout, or add -v to see what it says")
            }
            ErrorKind::UnsupportedVersion => Some("ask for another revision with --revision"),
            ErrorKind::Unsupported => Some("`bowline info` shows what the server has"),
            ErrorKind::Protocol => Some("add -vv to see more of what happened"),
            _ if refusal.as_ref().is_some_and(Refusal::needs_approval) => {
                Some("run it again with --yes, answer on a terminal, or write a rule that allows it into a policy")
            }
            ErrorKind::DefinitionChanged => Some("`bowline guard accept SERVER` shows what it is now, and asks"),
            _ => None,
        };
        // The message ends with the last lines; the whole of them is worth showing when there is more.
        let stderr = error.stderr().filter(|text| text.lines().filter(|line| !line.trim().is_empty()).count() > 3);
        let stderr = stderr.map(str::to_owned);
        let change = refusal.as_ref().and_then(Refusal::change);
        // The hash alone names it: what a server calls something is not put into a command.
        let accept = change.map(|change| {
            let now = &change.now;
            format!("if that is right, `bowline guard accept SERVER` asks and pins it; in a script, add --hash {now}")
        });
        let hint = visits(&error).or(accept).or_else(|| hint.map(str::to_owned));
        let change = change.map(ToString::to_string);
        let mut this = Self::new(code, error.to_string()).hint_if(hint).detail(stderr.or(change));
        if let Some(error) = AuthError::in_chain(&error) {
            this.wants_login = credentials::wants_login(error.kind());
            this.scopes = credentials::scopes_to_ask_for(error);
        }
        this.http_status = error.status();
        this.server_error = error.server_error().and_then(|object| serde_json::to_value(object).ok()).map(Box::new);
        this
    }
}

/// What to visit before the server runs the command. A URL that may not be opened is not shown.
fn visits(error: &Error) -> Option<String> {
    let urls = error.url_elicitations();
    let urls: Vec<String> = urls.iter().filter_map(|url| url.visit().ok()).map(|url| url.as_str().to_owned()).collect();
    let more = urls.len().saturating_sub(MOST_URLS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = urls.get(..MOST_URLS).unwrap_or(&urls).join(" ");
    (!urls.is_empty()).then(|| format!("visit {shown}{more}, if you trust the server, and run this again"))
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        CliError::from(error).into()
    }
}

impl Stop {
    /// Gives the advice that fits the server that the command was about.
    #[must_use]
    pub(crate) fn about(self, server: &Server) -> Self {
        match (self, &server.url, &server.configured) {
            (Self::Error(error), Some(url), _) => error.about_url(url).into(),
            (Self::Error(error), None, Some(configured)) => error.about_configured(&configured.name).into(),
            (stop, ..) => stop,
        }
    }
}

impl CliError {
    /// Has the commands that the advice names be about a server of the configuration.
    #[must_use]
    fn about_configured(mut self, name: &str) -> Self {
        let name = sanitize::line(name);
        let named = self.hint.as_deref().map(|hint| {
            let hint = hint.replace("guard accept SERVER", &format!("guard accept {name}"));
            ["list", "info"].iter().fold(hint, |hint, verb| {
                let hint = hint.replace(&format!("`bowline {verb} "), &format!("`bowline {verb} {name} "));
                hint.replace(&format!("`bowline {verb}`"), &format!("`bowline {verb} {name}`"))
            })
        });
        self.hint = named;
        self
    }

    /// Takes the advice about programs for advice about a server with a URL.
    #[must_use]
    pub(crate) fn about_url(self, url: &str) -> Self {
        if self.wants_login {
            return self.about_login(url);
        }
        if self.code != Code::Connect || self.http_status.is_some() {
            return self;
        }
        self.hint("add -vv to see more of what happened")
    }

    /// Says what to run where a login would help.
    #[must_use]
    pub(crate) fn about_login(self, url: &str) -> Self {
        if !self.wants_login {
            return self;
        }
        // What may be secret in it is left out; whoever wrote it knows it.
        let url = url.parse().map_or_else(|_| "URL".to_owned(), |url| bowline::http::shown(&url));
        // What a server calls its scopes is put into a command only where no shell takes it for more than words, and
        // the command itself takes none for an option.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-+".contains(&byte);
        let scopes = match self.scopes.as_slice() {
            [] => String::new(),
            scopes if scopes.iter().all(|scope| !scope.starts_with('-') && scope.bytes().all(is_plain)) => {
                format!(" --scope \"{}\"", scopes.join(" "))
            }
            _ => " --scope SCOPES".to_owned(),
        };
        self.hint(format!("log in with `bowline auth login {url}{scopes}`, or give a token with --bearer-env VAR"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_for_more_scopes_names_those_that_can_be_typed() {
        for (scope, hint) in
            [("files:write", "auth login https://h/mcp --scope \"a files:write\"`"), ("$(rm)", "--scope SCOPES`")]
        {
            let mut error = CliError::new(Code::Authorization, "x");
            (error.wants_login, error.scopes) = (true, vec!["a".to_owned(), scope.to_owned()]);
            let error = error.about_login("https://h/mcp");
            assert!(error.hint.as_deref().is_some_and(|text| text.contains(hint)), "{:?}", error.hint);
        }
        let mut error = CliError::new(Code::Authorization, "x");
        (error.wants_login, error.scopes) = (true, vec!["-x".to_owned()]);
        let hint = error.about_login("https://h/mcp").hint.unwrap();
        assert!(hint.contains("--scope SCOPES`"), "{hint}");
    }

    #[test]
    fn advice_can_be_typed_as_it_stands() {
        let hint = "`bowline info echo` shows one, `bowline list` and `bowline list --prompts` all";
        let error = CliError::usage("x").hint(hint).about_configured("mine");
        let wanted = "`bowline info mine echo` shows one, `bowline list mine` and `bowline list mine --prompts` all";
        assert_eq!(error.hint.as_deref(), Some(wanted));
    }
}
