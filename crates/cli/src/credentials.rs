//! Where tokens are kept, and the authorization of one server.

use std::env;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use bowline::auth::{AuthError, AuthErrorKind, CredentialStore, FileStore, OAuth, StoreKey};
use bowline::http::HttpClient;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::exit::{CliError, Code};
use crate::keyring;
use crate::login::Person;
use crate::options::Login;
use crate::prompts;
use crate::server::{file_text, text_variable};
use crate::session::Run;
use crate::state;

/// The variable that holds a key: tokens are encrypted with it.
const STORE_KEY: &str = "BOWLINE_STORE_KEY";
/// The variable that holds a client secret itself.
const CLIENT_SECRET: &str = "BOWLINE_CLIENT_SECRET";

/// How somebody who is to log in is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// The browser is opened.
    Browser,
    /// The browser is opened once a person has said so.
    Consent,
    /// The URL is shown.
    ByHand,
    /// A page for another device is shown, and a code for it; at servers that cannot do that, the browser is opened.
    Device,
}

/// What a login said of who this program is: later commands are the same.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_metadata_url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<String>,
    #[serde(skip_serializing_if = "is_off")]
    private_networks: bool,
    #[serde(skip_serializing_if = "is_off")]
    lenient_issuer_slash: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_off(switch: &bool) -> bool {
    !*switch
}

impl Profile {
    /// What the options say. Asks for a secret where they want that.
    pub(crate) fn of(login: &Login) -> Result<Self, CliError> {
        let client_secret = match &login.client_secret {
            None => None,
            Some(source) => Some(secret(source)?),
        };
        let profile = Self {
            client_id: login.client_id.clone(),
            client_secret,
            issuer: login.issuer.clone(),
            client_metadata_url: login.client_metadata_url.clone(),
            scopes: login.scope.iter().flat_map(|scopes| scopes.split_whitespace()).map(str::to_owned).collect(),
            redirect_uri: login.callback_port.map(|port| format!("http://127.0.0.1:{port}/callback")),
            private_networks: login.private_networks,
            lenient_issuer_slash: login.lenient_issuer_slash,
        };
        match profile.lacks_issuer() {
            true => Err(nobody_to_trust("name the one that you have the secret from with --issuer")),
            false => Ok(profile),
        }
    }

    /// Whether there is a secret, and nothing says who may see it.
    const fn lacks_issuer(&self) -> bool {
        self.client_secret.is_some() && self.issuer.is_none()
    }
}

fn nobody_to_trust(hint: &str) -> CliError {
    CliError::usage("a client secret is for one authorization server, and nothing says which").hint(hint)
}

/// A client secret from where an option says. It is never a word of the command line, which others can read.
fn secret(source: &str) -> Result<String, CliError> {
    if let Some(variable) = source.strip_prefix("env:") {
        return text_variable("--client-secret", variable);
    }
    if let Some(path) = source.strip_prefix("file:") {
        return file_text(path);
    }
    match env::var(CLIENT_SECRET) {
        Ok(secret) if !secret.is_empty() => return Ok(secret),
        _ => {}
    }
    let hint = "write --client-secret=env:VAR or --client-secret=file:PATH, or set BOWLINE_CLIENT_SECRET";
    if !source.is_empty() {
        return Err(
            CliError::usage("a client secret is not written on the command line, where others can read it").hint(hint)
        );
    }
    match prompts::secret("Client secret:") {
        Some(Ok(secret)) => Ok(secret),
        Some(Err(why)) => Err(CliError::usage(format!("no client secret was given: {why}")).hint(hint)),
        None => Err(CliError::usage("there is no terminal to ask for the client secret on").hint(hint)),
    }
}

/// What is kept of logins, one folder for all servers.
#[derive(Debug)]
pub(crate) struct Credentials(FileStore);

impl Credentials {
    pub(crate) fn open(run: &Run) -> Result<Self, CliError> {
        Self::find(run)?.ok_or_else(|| {
            CliError::new(Code::Unexpected, "there is no folder to keep tokens in: this environment has no home")
                .hint("name one with BOWLINE_STATE_DIR")
        })
    }

    /// None where there is no folder for them.
    fn find(run: &Run) -> Result<Option<Self>, CliError> {
        let Some(folder) = state::folder().map(|folder| folder.join("auth")) else { return Ok(None) };
        let store = FileStore::new(&folder);
        // Who names a key means it, also where there is a keyring: what was kept with the key can be read with no other.
        Ok(Some(Self(match StoreKey::from_env(STORE_KEY)? {
            Some(key) => store.encrypted(key),
            None => {
                let console = run.console.clone();
                store.encrypted_by(move || key_or_none(keyring::key(), |why| tell_once(&folder, &console, why)))
            }
        })))
    }

    /// A login that is not encrypted says so, also where an earlier one did.
    pub(crate) fn tell_again(&self) {
        let _ = std::fs::remove_file(self.0.folder().join(TOLD));
    }

    /// The authorization of a server, as an earlier login left it.
    pub(crate) async fn known(&self, url: &str, asking: Option<Asking>, run: &Run) -> Result<OAuth, CliError> {
        let profile = self.profile(url).await?;
        // One of a login from before this was asked for.
        if profile.lacks_issuer() {
            let hint =
                "the last login has kept one; log in again with `bowline auth login`, --client-secret and --issuer";
            return Err(nobody_to_trust(hint));
        }
        self.oauth(url, &profile, asking, run)
    }

    /// The authorization of a server.
    pub(crate) fn oauth(
        &self,
        url: &str,
        profile: &Profile,
        asking: Option<Asking>,
        run: &Run,
    ) -> Result<OAuth, CliError> {
        let mut oauth = OAuth::builder(url).client_name("bowline").store(self.0.clone()).scopes(&profile.scopes);
        if let Some(id) = &profile.client_id {
            oauth = oauth.client_id(id);
        }
        if let Some(secret) = &profile.client_secret {
            oauth = oauth.client_secret(secret.as_str());
        }
        if let Some(issuer) = &profile.issuer {
            oauth = oauth.issuer(issuer);
        }
        if let Some(document) = &profile.client_metadata_url {
            oauth = oauth.client_metadata_url(document);
        }
        if let Some(redirect) = &profile.redirect_uri {
            oauth = oauth.redirect_uri(redirect);
        }
        if profile.private_networks {
            oauth = oauth.allow_private_networks();
        }
        if profile.lenient_issuer_slash {
            oauth = oauth.lenient_issuer_slash();
        }
        if run.global.insecure {
            let client = HttpClient::builder().danger_accept_any_certificate_on_loopback().build();
            oauth = oauth.http_client(client.map_err(AuthError::from)?);
        }
        if let Some(asking) = asking {
            oauth = oauth.visitor(Person::new(run, asking));
            if asking == Asking::Device {
                oauth = oauth.device(Person::new(run, asking));
            }
        }
        let oauth = oauth.build()?;
        run.settle_later(&oauth);
        Ok(oauth)
    }

    async fn profile(&self, url: &str) -> Result<Profile, CliError> {
        let Some(kept) = self.0.load(&key(url)).await? else { return Ok(Profile::default()) };
        serde_json::from_str(kept.text.expose_secret()).map_err(|error| {
            // What it says of the text may quote a secret.
            let at = format!("line {}, column {}", error.line(), error.column());
            CliError::new(Code::Unexpected, format!("what is kept of the last login cannot be read ({at})"))
                .hint("`bowline auth logout` and the server's URL clears it")
        })
    }

    /// Keeps what a login said, or forgets it.
    pub(crate) async fn keep_profile(&self, url: &str, profile: Option<&Profile>) -> Result<(), CliError> {
        let key = key(url);
        let text = profile.map(serde_json::to_string).transpose();
        let text = text.map_err(|error| CliError::new(Code::Unexpected, format!("cannot write the login: {error}")))?;
        let _lease = self.0.lease(&key, LEASE_WITHIN).await?;
        let seen = self.0.load(&key).await?.map(|kept| kept.version);
        if text.is_some() || seen.is_some() {
            // Nobody else writes while the lease is held.
            self.0.save(&key, text.map(Into::into), seen).await?;
        }
        Ok(())
    }
}

/// What answers for a server while a command runs: the tokens of a login, and a login where somebody can be asked.
/// None where tokens cannot go there, as over the web without TLS.
pub(crate) async fn of_server(url: &str, run: &Run) -> Result<Option<OAuth>, CliError> {
    // What does not fit is told by whoever connects.
    if OAuth::builder(url).build().is_err() {
        return Ok(None);
    }
    let Some(credentials) = Credentials::find(run)? else { return Ok(None) };
    let asking = run.may_ask_to_log_in().then_some(Asking::Consent);
    credentials.known(url, asking, run).await.map(Some)
}

/// Whether a login would help.
pub(crate) const fn wants_login(kind: AuthErrorKind) -> bool {
    use AuthErrorKind::{Denied, LoginRequired, Response, Scope, Token};

    matches!(kind, Denied | LoginRequired | Response | Scope | Token)
}

/// The scopes that a login would have to be for, where the one that there is lacks some. What was asked for and not
/// granted is not asked for again by advice.
pub(crate) fn scopes_to_ask_for(error: &AuthError) -> Vec<String> {
    if error.is_login_required() { error.scopes().to_vec() } else { Vec::new() }
}

/// How long another command may hold what is kept of a server.
const LEASE_WITHIN: Duration = Duration::from_secs(10);

/// The key of a server's profile.
///
/// The address as tokens know it, so that every spelling of it has the same profile.
fn key(url: &str) -> String {
    match OAuth::builder(url).build() {
        Ok(oauth) => format!("profile {}", oauth.server()),
        Err(_) => format!("profile {url}"),
    }
}

/// The key of the keyring, or none where this system has no keyring.
///
/// One that is locked or fails may have a key: nothing is kept in the clear beside what that encrypted.
fn key_or_none(
    asked: Result<StoreKey, AuthError>,
    tell: impl FnOnce(&AuthError),
) -> Result<Option<StoreKey>, AuthError> {
    match asked {
        Ok(key) => Ok(Some(key)),
        Err(why) if why.kind() == AuthErrorKind::NoKeyring => {
            tell(&why);
            Ok(None)
        }
        Err(error) => Err(AuthError::store(format!("{error}; without the keyring, set {STORE_KEY} to a key"))),
    }
}

/// The mark of a person who was told that tokens are not encrypted.
const TOLD: &str = "unencrypted";

/// Tells the person that tokens are not encrypted; not again once they were told, until the next login.
fn tell_once(folder: &Path, console: &Console, why: &AuthError) {
    let mut mark = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut mark, 0o600);
    let told = mark.write(true).create_new(true).open(folder.join(TOLD));
    if !told.is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
        let folder = folder.display();
        console.warn(format!(
            "tokens that are kept in {folder} from now on are not encrypted, and for you alone to read: {why}; set {STORE_KEY} to encrypt them"
        ));
    }
}

impl From<AuthError> for CliError {
    fn from(error: AuthError) -> Self {
        let code = match error.kind() {
            AuthErrorKind::Config => Code::Usage,
            AuthErrorKind::Network => Code::Connect,
            AuthErrorKind::Timeout => Code::Timeout,
            AuthErrorKind::NoKeyring | AuthErrorKind::Store => Code::Unexpected,
            _ => Code::Authorization,
        };
        let text = error.to_string();
        let hint = match error.kind() {
            AuthErrorKind::Registration => {
                Some("give the id with --client-id, and a secret with --client-secret and --issuer")
            }
            // The library's settings by the names that they have here.
            AuthErrorKind::Blocked if text.contains("`allow_private_networks`") => {
                Some("log in with --private-networks, if it is in a network of your own")
            }
            AuthErrorKind::Discovery if text.contains("`lenient_issuer_slash`") => {
                Some("log in with --lenient-issuer-slash, if you trust the server")
            }
            _ => None,
        };
        let mut this = Self::new(code, text).hint_if(hint.map(str::to_owned));
        this.wants_login = wants_login(error.kind());
        this.scopes = scopes_to_ask_for(&error);
        this
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_has_the_same_profile() {
        for spelling in ["https://H.example", "https://h.example:443/", "wss://h.example/", "https://h.example/#x"] {
            assert_eq!(key(spelling), key("https://h.example/"), "{spelling}");
        }
        assert_ne!(key("https://h.example/a"), key("https://h.example/"));
    }

    #[test]
    fn what_a_login_allows_is_kept_and_nothing_is_where_it_allows_nothing() {
        let allows = Profile { private_networks: true, lenient_issuer_slash: true, ..Profile::default() };
        let text = serde_json::to_string(&allows).unwrap();
        let again: Profile = serde_json::from_str(&text).unwrap();
        assert!(again.private_networks && again.lenient_issuer_slash, "{text}");
        assert_eq!(serde_json::to_string(&Profile::default()).unwrap(), "{}");
    }

    #[test]
    fn a_keyring_that_is_locked_is_no_reason_to_keep_tokens_in_the_clear() {
        let untold = |_: &AuthError| panic!("nothing is kept in the clear");
        for error in [AuthError::store("the keyring is locked"), AuthError::held("nobody unlocked the keyring")] {
            let text = error.to_string();
            let error = key_or_none(Err(error), untold).unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::Store);
            assert!(error.to_string().contains(&text) && error.to_string().contains(STORE_KEY), "{error}");
        }
        assert!(key_or_none(StoreKey::generate(), untold).unwrap().is_some());
        let mut told = false;
        assert!(key_or_none(Err(AuthError::no_keyring("none")), |_| told = true).unwrap().is_none());
        assert!(told);
    }

    #[test]
    fn a_secret_is_no_word_of_the_command_line() {
        let error = secret("hunter2").unwrap_err();
        assert!(!error.message.contains("hunter2") && error.hint.unwrap().contains("env:VAR"));
        assert_eq!(secret("env:PATH").unwrap(), env::var("PATH").unwrap());
        assert!(secret("env:NO_SUCH_VARIABLE_HERE").is_err() && secret("file:/no/such/file").is_err());
    }
}
