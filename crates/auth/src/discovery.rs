//! From a server to the authorization server that it trusts: asking in the specified order.

use bowline_http::shown;
use bowline_protocol::excerpt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use url::Url;

use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::{Answer, Fetcher, redirects};
use crate::issuer::{self, Compare, Issuer, Refusal};
use crate::resource::{self, Place, Resource};
use crate::scope::Scopes;

/// What there is to know before anything is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Discovered {
    /// What `resource` parameters carry.
    pub(crate) resource: String,
    pub(crate) scopes: Option<Scopes>,
    /// Whether the resource wants tokens that are bound to a key.
    pub(crate) dpop: bool,
    pub(crate) issuer: Issuer,
}

/// Chooses among the authorization servers that a resource names; `None` refuses all of them.
pub(crate) type Choose = dyn Fn(&[String]) -> Option<usize> + Send + Sync;

/// Asks for the metadata of one server.
pub(crate) struct Discovery<'a> {
    pub(crate) fetcher: &'a Fetcher,
    pub(crate) server: &'a Url,
    /// The issuer that credentials are there for already; it is taken where it is among those that are named.
    pub(crate) known: Option<&'a str>,
    /// The one issuer that is trusted, where the program says so.
    pub(crate) only: Option<&'a str>,
    pub(crate) choose: Option<&'a Choose>,
    /// Whether who this program is does not hang on which of them it is, so that another one will do where the first
    /// cannot be had.
    pub(crate) any: bool,
    pub(crate) compare: Compare,
}

/// How many of the authorization servers that a resource names are asked, one after another.
const MAX_ASKED: usize = 4;

impl Discovery<'_> {
    /// Finds out. `hint` is where a challenge said that the metadata of the resource is, as it was written.
    pub(crate) async fn run(&self, hint: Option<&str>) -> Result<Discovered, AuthError> {
        let Some(Resource { id, issuers, scopes, dpop }) = self.resource(hint).await? else {
            let issuer = self.old().await?;
            if let Some(only) = self.only.filter(|only| *only != issuer.id) {
                return Err(of_another(only, &issuer.id));
            }
            let resource = resource::canonical(self.server);
            return Ok(Discovered { resource, scopes: None, dpop: false, issuer });
        };
        let issuer = self.first_of(self.chosen(&issuers)?).await?;
        Ok(Discovered { resource: id, scopes, dpop, issuer })
    }

    /// The first of these authorization servers that can be had. The error is that of the first.
    async fn first_of(&self, issuers: &[String]) -> Result<Issuer, AuthError> {
        let mut first = None;
        for id in issuers.iter().take(MAX_ASKED) {
            match self.issuer(id).await {
                Ok(issuer) => return Ok(issuer),
                Err(error) => {
                    tracing::debug!(%error, "an authorization server cannot be used");
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| none_chosen(issuers)))
    }

    /// The metadata of the resource; none where every place says that it has none.
    async fn resource(&self, hint: Option<&str>) -> Result<Option<Resource>, AuthError> {
        const WHAT: &str = "resource metadata";
        let mut places = resource::places(self.server);
        let mut spoiled = None;
        // It may be relative to what was asked.
        match hint.map(|hint| self.server.join(hint).map_err(|error| (hint, error))) {
            Some(Ok(hint)) => {
                let at = places.iter().position(|(place, _)| *place == hint);
                let hinted = at.map_or((hint, Place::Hinted), |at| places.remove(at));
                places.insert(0, hinted);
            }
            Some(Err((hint, error))) => {
                let why = format!("the challenge names {} as {WHAT}, which is no URL ({error})", excerpt(hint, 100));
                spoiled = Some(AuthError::new(AuthErrorKind::Discovery, why));
            }
            None => {}
        }
        for (url, place) in places {
            let answer = match self.fetcher.get(WHAT, &url, HeaderMap::new()).await {
                // A server behind a proxy may name itself by an address that it has there alone.
                Err(error) if place == Place::Hinted => {
                    spoiled.get_or_insert(error);
                    continue;
                }
                answer => answer?,
            };
            match look(WHAT, &url, &answer)? {
                Look::Here => {}
                Look::Elsewhere => continue,
                Look::Spoiled(error) => {
                    spoiled.get_or_insert(error);
                    continue;
                }
            }
            match Resource::read(&answer.body, self.server, place) {
                Ok(resource) => return Ok(Some(resource)),
                Err(resource::Refusal::Wrong(wrong)) => return Err(refused(WHAT, &url, &wrong)),
                // A page for people stands at every address of some hosts, or an error with a status of success.
                Err(resource::Refusal::None(wrong)) => {
                    spoiled.get_or_insert_with(|| refused(WHAT, &url, &wrong));
                }
            }
        }
        spoiled.map_or(Ok(None), Err)
    }

    /// Those that may be asked, in order.
    fn chosen<'b>(&self, issuers: &'b [String]) -> Result<&'b [String], AuthError> {
        let one = |at: usize| issuers.get(at..=at);
        let at = |id: &str| issuers.iter().position(|issuer| issuer == id);
        if let Some(only) = self.only {
            // Nothing may be sent to any other, least of all a secret.
            return at(only).and_then(one).ok_or_else(|| of_another(only, &issuers.join(", ")));
        }
        if let Some(known) = self.known.and_then(at).and_then(one) {
            return Ok(known);
        }
        match self.choose {
            Some(choose) => choose(issuers).and_then(one).ok_or_else(|| none_chosen(issuers)),
            None if self.any => Ok(issuers),
            None => one(0).ok_or_else(|| none_chosen(issuers)),
        }
    }

    async fn issuer(&self, id: &str) -> Result<Issuer, AuthError> {
        const WHAT: &str = "authorization server";
        let bad = |why: &str| {
            let why = format!("the {WHAT} {} {why}", excerpt(id, 200));
            AuthError::new(AuthErrorKind::Discovery, why)
        };
        let url = Url::parse(id).map_err(|_| bad("is no URL"))?;
        if !url.has_host() || url.query().is_some() || url.fragment().is_some() {
            return Err(bad("has a query or fragment, or no host"));
        }
        self.fetcher.permits(WHAT, &url)?;
        let found = self.metadata(&issuer::places(&url), id, self.compare, HeaderMap::new()).await?;
        found.map_err(|spoiled| spoiled.unwrap_or_else(|| bad("has no metadata where it should be")))
    }

    /// A server of 2025-03-26: its host is its authorization server, with metadata or default endpoints.
    async fn old(&self) -> Result<Issuer, AuthError> {
        let mut base = self.server.clone();
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        let id = self.server.origin().ascii_serialization();
        // 2025-03-26, basic/authorization: the version is told, so that the server can answer by it.
        const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
        let headers = HeaderMap::from_iter([(VERSION, HeaderValue::from_static("2025-03-26"))]);
        // The issuer is none that anybody wrote down, but made from the host: either spelling is meant.
        match self.metadata(&issuer::places(&base), &id, Compare::ButASlash, headers).await? {
            Ok(issuer) => Ok(Issuer { old: true, ..issuer }),
            Err(Some(spoiled)) => Err(spoiled),
            Err(None) => Ok(Issuer::by_default(&base)),
        }
    }

    /// Looks for metadata in these places. The inner error says why what there was is none, if there was anything.
    async fn metadata(
        &self,
        places: &[Url],
        id: &str,
        compare: Compare,
        headers: HeaderMap,
    ) -> Result<Result<Issuer, Option<AuthError>>, AuthError> {
        const WHAT: &str = "authorization server metadata";
        let mut spoiled = None;
        for place in places {
            let answer = self.fetcher.get(WHAT, place, headers.clone()).await?;
            match look(WHAT, place, &answer)? {
                Look::Here => {}
                Look::Elsewhere => continue,
                Look::Spoiled(error) => {
                    spoiled.get_or_insert(error);
                    continue;
                }
            }
            match Issuer::read(&answer.body, id, compare) {
                Ok(issuer) => {
                    for (name, url) in issuer.endpoints() {
                        self.fetcher.permits(name, url)?;
                    }
                    return Ok(Ok(issuer));
                }
                Err(Refusal::OfAnother(wrong)) => return Err(refused(WHAT, place, &wrong)),
                Err(Refusal::None(wrong)) => spoiled = Some(refused(WHAT, place, &wrong)),
            }
        }
        Ok(Err(spoiled))
    }
}

/// What a status says of a place.
enum Look {
    Here,
    Elsewhere,
    /// Another place may have it; where none does, this is what to tell.
    Spoiled(AuthError),
}

/// The error is for a server that is asked too often already.
fn look(what: &str, place: &Url, answer: &Answer) -> Result<Look, AuthError> {
    Ok(match answer.status {
        status if status.is_success() => Look::Here,
        StatusCode::TOO_MANY_REQUESTS => return Err(fails(what, place, answer.status)),
        status if status.is_client_error() => Look::Elsewhere,
        // Some hosts send whoever asks for an unknown path to a page.
        status if status.is_redirection() => Look::Spoiled(redirects(what, place)),
        status => Look::Spoiled(fails(what, place, status)),
    })
}

fn fails(what: &str, place: &Url, status: StatusCode) -> AuthError {
    let why = format!("the {what} {} answered {status}; try again later", shown(place));
    AuthError::new(AuthErrorKind::Network, why)
}

fn none_chosen(issuers: &[String]) -> AuthError {
    let named = excerpt(&issuers.join(", "), 300);
    let why = format!("none of the authorization servers was chosen; the server names {named}");
    AuthError::new(AuthErrorKind::Discovery, why)
}

/// What the program trusts is not what the server names.
fn of_another(only: &str, named: &str) -> AuthError {
    let why = format!(
        "the server names {} as its authorization server, and {} is the one to use; register with another if you trust it",
        excerpt(named, 300),
        excerpt(only, 200)
    );
    AuthError::new(AuthErrorKind::Registration, why)
}

fn refused(what: &str, place: &Url, wrong: &str) -> AuthError {
    AuthError::new(AuthErrorKind::Discovery, format!("the {what} {} is refused: {wrong}", shown(place)))
}
