//! A person with another device: the device code (RFC 8628).

use std::fmt;
use std::time::Duration;

use bowline_http::shown;
use bowline_protocol::{VisitUrl, excerpt};
use bowline_transport::{BoxFuture, Secrets};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;
use url::Url;

use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::Body;
use crate::grant::{Asking, Who};
use crate::json::{self, Wrong};
use crate::token::{Form, Issued, is_refusal, refusal};

/// What a person does on another device so that a program may act for them.
#[derive(Clone)]
#[non_exhaustive]
pub struct DevicePage {
    /// The page that they visit.
    pub url: VisitUrl,
    /// The code that they type there.
    pub code: String,
    /// The page with the code in it, where there is one: for a link, or a picture that a phone reads.
    pub url_with_code: Option<VisitUrl>,
    /// How long the code is good for.
    pub expires_in: Duration,
    /// The server that the login is for, without secrets.
    pub server: String,
    /// Who asks the person: the authorization server.
    pub issuer: String,
}

/// Without the code: whoever has it may take the login's place.
impl fmt::Debug for DevicePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevicePage")
            .field("server", &self.server)
            .field("issuer", &self.issuer)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// Shows a person where to go with another device, for programs that have no browser near.
pub trait DevicePrompt: fmt::Debug + Send + Sync + 'static {
    /// Shows it, and returns once it is shown. What comes of it is heard from the authorization server.
    ///
    /// # Errors
    /// When it cannot be shown ([`AuthError::visit`]); the login fails with it.
    fn show<'a>(&'a self, page: &'a DevicePage) -> BoxFuture<'a, Result<(), AuthError>>;
}

pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How long is waited between two questions where the server does not say, and at least; and what it adds when it is
/// asked too often (RFC 8628, sections 3.2 and 3.5).
const INTERVAL: Duration = Duration::from_secs(5);
const SLOWER: Duration = Duration::from_secs(5);
/// The shortest interval.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The longest interval that a server may begin with, and the longest life of a code.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
const MAX_LIFE: Duration = Duration::from_secs(1800);

/// What the authorization server begins with.
struct Begun {
    device_code: SecretString,
    user_code: String,
    url: VisitUrl,
    url_with_code: Option<VisitUrl>,
    expires_in: Duration,
    interval: Duration,
}

impl Begun {
    fn read(body: &[u8]) -> Result<Self, Wrong> {
        let object = json::object(body)?;
        let visit = |name: &str, text: &str| {
            VisitUrl::parse(text).map_err(|error| format!("`{name}` must not be opened: {error}"))
        };
        let seconds = |name: &str| json::seconds(&object, name);
        // Some servers name it as an early draft did.
        let at = json::text(&object, "verification_uri")?.or(json::text(&object, "verification_url")?);
        let complete = json::text(&object, "verification_uri_complete")?;
        Ok(Self {
            device_code: json::required(&object, "device_code")?.into(),
            user_code: excerpt(json::required(&object, "user_code")?, 64),
            url: visit("verification_uri", at.ok_or("`verification_uri` is missing")?)?,
            url_with_code: complete.map(|text| visit("verification_uri_complete", text)).transpose()?,
            expires_in: seconds("expires_in")?.ok_or("`expires_in` is missing")?.min(MAX_LIFE),
            interval: seconds("interval")?.unwrap_or(INTERVAL).clamp(MIN_INTERVAL, MAX_INTERVAL),
        })
    }
}

/// Begins, shows the person what to do, and asks until they have done it.
pub(crate) async fn run(
    asking: Asking<'_>,
    server: &Url,
    at: &Url,
    prompt: &dyn DevicePrompt,
) -> Result<Issued, AuthError> {
    let begun = begin(asking, at).await?;
    let id = &asking.found.issuer.id;
    let page = DevicePage {
        url: begun.url,
        code: begun.user_code,
        url_with_code: begun.url_with_code,
        expires_in: begun.expires_in,
        server: shown(server),
        issuer: id.clone(),
    };
    prompt.show(&page).await?;
    let until = Instant::now() + begun.expires_in;
    let mut interval = begun.interval;
    let late = || {
        let why = format!("nobody entered the code at {} in time; try again", excerpt(id, 200));
        AuthError::new(AuthErrorKind::Timeout, why)
    };
    loop {
        // It ends with the code, however long the interval has become.
        tokio::time::sleep_until(until.min(Instant::now() + interval)).await;
        if Instant::now() >= until {
            return Err(late());
        }
        let form = Form::new(DEVICE_CODE).with("device_code", begun.device_code.expose_secret());
        let error = match asking.token(form).await {
            Ok(issued) => return Ok(issued),
            Err(not) => not.error,
        };
        interval = next_interval(interval, &error).ok_or_else(|| match error.code() {
            Some("expired_token") => late(),
            _ => error,
        })?;
    }
}

/// How long to wait for the next question after an answer without a token; none where it is the end.
fn next_interval(interval: Duration, error: &AuthError) -> Option<Duration> {
    let is_away = match error.code() {
        Some("authorization_pending") => return Some(interval),
        // However long it is by now: whoever says so is not asked at the same pace again.
        Some("slow_down") => return Some((interval + SLOWER).min(MAX_LIFE)),
        Some(code) => matches!(code, "server_error" | "temporarily_unavailable"),
        None => matches!(error.kind(), AuthErrorKind::Network | AuthErrorKind::Timeout),
    };
    // Who is away for a while is asked more rarely (RFC 8628, section 3.5).
    is_away.then(|| (interval * 2).min(MAX_INTERVAL.max(interval)))
}

async fn begin(asking: Asking<'_>, at: &Url) -> Result<Begun, AuthError> {
    let form = Form::default().with_scopes(asking.scopes).with("resource", &asking.found.resource);
    let mut headers = HeaderMap::new();
    let who = Who { client: asking.client, key: asking.key, audience: &asking.found.issuer.id };
    let form = who.sign(form, &mut headers, asking.clock.there(at))?;
    let what = "device authorization endpoint";
    let answer = asking.fetcher.post(what, at, headers, Body::Form(form.encode())).await?;
    let says_no = json::object(&answer.body).is_ok_and(|object| is_refusal(&object, "device_code"));
    if !answer.status.is_success() || says_no {
        return Err(refusal(answer.status, &answer.body, &shown(at), &who.hide(form.secrets())));
    }
    Begun::read(&answer.body).map_err(|wrong| {
        let wrong = excerpt(&Secrets::default().hide(&wrong), 200);
        AuthError::new(AuthErrorKind::Token, format!("the {what} {} gave an unusable answer: {wrong}", shown(at)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Begun, Wrong> {
        Begun::read(body.as_bytes())
    }

    #[test]
    fn what_begins_is_read_within_bounds() {
        let begun = read(
            r#"{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://as.example/device","expires_in":1000000}"#,
        );
        let begun = begun.unwrap();
        assert_eq!((begun.interval, begun.expires_in), (INTERVAL, MAX_LIFE));
        let quoted = read(
            r#"{"device_code":"d","user_code":"u","verification_uri":"https://a/","expires_in":"600","interval":"7.5"}"#,
        );
        let quoted = quoted.unwrap();
        assert_eq!((quoted.expires_in, quoted.interval), (Duration::from_secs(600), Duration::from_millis(7500)));
        for (body, wanted) in [
            ("<html>", "it is HTML"),
            (r#"{"verification_uri":"https://a/"}"#, "`device_code` is missing"),
            (r#"{"device_code":"d","user_code":"u"}"#, "`verification_uri` is missing"),
            (r#"{"device_code":"d","user_code":"u","verification_uri":"https://a/"}"#, "`expires_in` is missing"),
            (
                r#"{"device_code":"d","user_code":"u","verification_uri":"https://a/","expires_in":"soon"}"#,
                "`expires_in` is a string",
            ),
            (r#"{"device_code":"d","user_code":"u","verification_uri":"javascript:x"}"#, "must not be opened"),
        ] {
            let Err(wrong) = read(body) else { panic!("{body} was taken") };
            assert!(wrong.contains(wanted), "{body}: {wrong}");
        }
    }

    #[test]
    fn the_pace_of_questions_follows_what_the_server_says_until_it_says_no() {
        let next = |from: u64, kind, code: &str| {
            let error = AuthError::new(kind, "");
            let error = if code.is_empty() { error } else { error.with_code(code) };
            next_interval(Duration::from_secs(from), &error).map(|interval| interval.as_secs())
        };
        use AuthErrorKind::{Denied, Network, Timeout, Token};
        assert_eq!(next(5, Token, "authorization_pending"), Some(5));
        assert_eq!((next(5, Token, "slow_down"), next(60, Token, "slow_down")), (Some(10), Some(65)));
        assert_eq!(next(1800, Token, "slow_down"), Some(1800));
        for (kind, code) in [(Network, ""), (Timeout, ""), (Token, "server_error"), (Token, "temporarily_unavailable")]
        {
            assert_eq!(
                [5, 40, 65].map(|from| next(from, kind, code)),
                [Some(10), Some(60), Some(65)],
                "{kind:?} {code}"
            );
        }
        for (kind, code) in [(Denied, "access_denied"), (Token, "expired_token"), (Token, "invalid_grant"), (Token, "")]
        {
            assert_eq!(next(5, kind, code), None, "{code}");
        }
    }
}
