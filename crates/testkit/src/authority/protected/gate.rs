//! What requests to a protected server pass, or do not.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::answer::{Answer, Endpoint};
use super::super::core::{Core, lock};
use super::super::dpop::{Fault, Wanted};
use super::super::layout::ChallengeWith;
use super::super::ledger::{Grant, Void};
use super::super::log::{Asked, Log};
use super::settings::ProtectedSettings;
use crate::http::{Front, HttpRequest, Reply};

/// Who gives tokens that are taken.
#[derive(Clone)]
pub(in crate::authority) struct Trusted {
    pub(in crate::authority) issuer: String,
    pub(in crate::authority) by: By,
}

/// How its tokens are known.
#[derive(Clone)]
pub(in crate::authority) enum By {
    /// It is here.
    Core(Arc<Core>),
    /// Somebody is asked: the scopes of a token that is good.
    Judge(Arc<dyn Fn(String) -> Verdict + Send + Sync>),
}

pub(in crate::authority) type Verdict = Pin<Box<dyn Future<Output = Option<Vec<String>>> + Send>>;

impl Trusted {
    pub(super) const fn core(&self) -> Option<&Arc<Core>> {
        match &self.by {
            By::Core(core) => Some(core),
            By::Judge(_) => None,
        }
    }
}

pub(super) struct Gate {
    pub(super) settings: Mutex<ProtectedSettings>,
    /// Those whose tokens are taken; the first is named in the metadata.
    pub(super) trusted: Mutex<Vec<Trusted>>,
    pub(super) front: Arc<Front>,
    pub(super) nonce: Mutex<String>,
    pub(super) origin: String,
    pub(super) log: Log,
}
/// Why a request does not get to the server.
struct Stopped {
    status: u16,
    error: &'static str,
    scope: Option<String>,
    is_proof: bool,
}

impl Stopped {
    const fn unauthorized(error: &'static str) -> Self {
        Self { status: 401, error, scope: None, is_proof: false }
    }
}

impl Gate {
    /// Makes the resource known where its tokens come from.
    pub(super) fn register(&self) {
        let settings = lock(&self.settings).clone();
        let resource = self.resource(&settings);
        for core in lock(&self.trusted).iter().filter_map(Trusted::core) {
            lock(&core.ledger).resources.insert(resource.clone());
        }
    }

    pub(super) fn resource(&self, settings: &ProtectedSettings) -> String {
        let written = settings.metadata.written("resource").and_then(Value::as_str);
        written.map_or_else(|| format!("{}{}", self.origin, settings.path), |text| self.fill(text))
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{origin}", &self.origin)
    }

    pub(super) async fn handle(&self, request: HttpRequest) -> Reply {
        let settings = lock(&self.settings).clone();
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        let is_server = path == settings.path || path == "/sse" || path == "/messages";
        if settings.hosts && !is_server && !path.contains("/oauth-protected-resource") {
            let core = self.core();
            return match core {
                Some(core) => core.handle(request).await,
                None => Reply::status(404),
            };
        }
        let is_metadata = settings.metadata_at.iter().any(|at| at.path(&settings.path) == path);
        let endpoint = match (is_server, is_metadata) {
            (true, _) => Endpoint::Server,
            (_, true) => Endpoint::ResourceMetadata,
            _ => Endpoint::Elsewhere,
        };
        let mut asked = Asked::new(endpoint, &request);
        let reply = match endpoint {
            Endpoint::Server => {
                asked.rpc_method = request.rpc_method();
                match self.check(&settings, &request, &asked.rpc_method).await {
                    Ok(()) => {
                        // Logged when it is let in, for an answer may be long in coming.
                        asked.status = 200;
                        self.log.push(asked);
                        let reply = self.pass(&settings, request).await;
                        return if settings.demands_nonce {
                            reply.with("dpop-nonce", &*lock(&self.nonce))
                        } else {
                            reply
                        };
                    }
                    Err(stopped) => {
                        stopped.error.clone_into(&mut asked.error);
                        self.stop(&settings, &stopped)
                    }
                }
            }
            Endpoint::ResourceMetadata if request.method == Method::GET => self.metadata(&settings).await,
            _ => Reply::status(404),
        };
        asked.status = reply.status_code();
        self.log.push(asked);
        reply
    }

    /// Hands a request on to the server behind.
    async fn pass(&self, settings: &ProtectedSettings, mut request: HttpRequest) -> Reply {
        if let Some(rest) = request.path.strip_prefix(&settings.path) {
            request.path = format!("/mcp{rest}");
        }
        Arc::clone(&self.front).handle(request).await
    }

    async fn metadata(&self, settings: &ProtectedSettings) -> Reply {
        if let Some(answer) = settings.metadata_answer.clone() {
            if let Answer::Slow(time) = &answer {
                tokio::time::sleep(*time).await;
            }
            if let Some(reply) = answer.reply(|text| self.fill(text)) {
                return reply;
            }
        }
        let issuers: Vec<_> = if settings.hosts {
            vec![self.origin.clone()]
        } else {
            lock(&self.trusted).iter().map(|trusted| trusted.issuer.clone()).collect()
        };
        let mut members = json!({
            "resource": self.resource(settings),
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
        });
        if let Value::Object(members) = &mut members {
            settings.metadata.apply(members, &|text| self.fill(text));
        }
        Reply::json(members)
    }

    /// Whether a request may go on to the server.
    async fn check(&self, settings: &ProtectedSettings, request: &HttpRequest, method: &str) -> Result<(), Stopped> {
        if settings.is_open || settings.open.iter().any(|open| open == method) {
            return Ok(());
        }
        let authorization = request.header("authorization");
        let Some((scheme, token)) = authorization.split_once(' ').filter(|_| !settings.refuses_all) else {
            return Err(Stopped::unauthorized(if authorization.is_empty() { "" } else { "invalid_token" }));
        };
        let grant = self.grant(settings, token, Instant::now()).await.ok_or(Stopped::unauthorized("invalid_token"))?;
        if grant.resource.as_deref().is_some_and(|resource| resource != self.resource(settings)) {
            return Err(Stopped::unauthorized("invalid_token"));
        }
        match (&grant.key, scheme) {
            (None, scheme) if scheme.eq_ignore_ascii_case("Bearer") => {}
            (Some(key), scheme) if scheme.eq_ignore_ascii_case("DPoP") => {
                self.check_proof(settings, request, token, key)?;
            }
            _ => return Err(Stopped::unauthorized("invalid_token")),
        }
        let needed = settings.scopes.iter().chain(settings.needs.get(method).into_iter().flatten());
        let missing: Vec<_> = needed.filter(|scope| !grant.scopes.contains(scope)).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let scope = Some(missing.join(" "));
        Err(Stopped { status: 403, error: "insufficient_scope", scope, is_proof: false })
    }

    /// What a token stands for, by the first that knows it.
    async fn grant(&self, settings: &ProtectedSettings, token: &str, now: Instant) -> Option<Grant> {
        let trusted = lock(&self.trusted).clone();
        for Trusted { by, .. } in trusted {
            match by {
                By::Core(core) => match lock(&core.ledger).access(token, now) {
                    Ok(grant) => return Some(grant.clone()),
                    Err(Void::Unknown | Void::Expired | Void::Revoked) => {}
                },
                By::Judge(judge) => {
                    if let Some(scopes) = judge(token.to_owned()).await {
                        let resource = Some(self.resource(settings));
                        return Some(Grant { client: String::new(), scopes, resource, key: None, family: 0 });
                    }
                }
            }
        }
        None
    }

    /// The first authorization server that is here.
    fn core(&self) -> Option<Arc<Core>> {
        lock(&self.trusted).iter().find_map(|trusted| trusted.core().cloned())
    }

    fn check_proof(
        &self,
        settings: &ProtectedSettings,
        request: &HttpRequest,
        token: &str,
        key: &str,
    ) -> Result<(), Stopped> {
        let nonce = lock(&self.nonce).clone();
        let path = request.path.split('?').next().unwrap_or_default();
        let url = format!("http://{}{path}", request.header("host"));
        let Some(core) = self.core() else { return Ok(()) };
        let wanted = Wanted {
            method: request.method.as_str(),
            url: &url,
            token: Some(token),
            nonce: settings.demands_nonce.then_some(nonce.as_str()),
            now: core.now(),
        };
        let stopped = |error| Err(Stopped { is_proof: true, ..Stopped::unauthorized(error) });
        match wanted.check(request.header("dpop"), &mut lock(&core.ledger)) {
            Ok(shown) if shown == key => Ok(()),
            Err(Fault::Nonce) => stopped("use_dpop_nonce"),
            Ok(_) | Err(Fault::Proof(_)) => stopped("invalid_dpop_proof"),
        }
    }

    /// The challenge.
    fn stop(&self, settings: &ProtectedSettings, stopped: &Stopped) -> Reply {
        let mut reply = Reply::status(stopped.status).body("this server wants another token");
        if let Some(core) = self.core() {
            // Both have one clock.
            reply = reply.with("date", core.date());
        }
        let at = settings.metadata_at.first().map(|at| at.path(&settings.path));
        let place = match &settings.challenge {
            ChallengeWith::Header(header) => return reply.with("www-authenticate", self.fill(header)),
            ChallengeWith::Nothing => return reply,
            ChallengeWith::NoMetadata => None,
            ChallengeWith::MetadataUrl => at.map(|path| format!("{}{path}", self.origin)),
            ChallengeWith::MetadataPath => at,
        };
        let scheme = if stopped.is_proof { "DPoP" } else { "Bearer" };
        let scope = stopped.scope.as_ref().or(settings.challenge_scope.as_ref());
        let error = Some(stopped.error).filter(|error| !error.is_empty()).map(str::to_owned);
        let members = [("error", error), ("scope", scope.cloned()), ("resource_metadata", place)];
        let members = members.into_iter().filter_map(|(name, value)| Some(format!("{name}=\"{}\"", value?)));
        let members = members.collect::<Vec<_>>().join(", ");
        let reply = reply.with("www-authenticate", format!("{scheme} {members}").trim_end());
        if stopped.error == "use_dpop_nonce" { reply.with("dpop-nonce", &*lock(&self.nonce)) } else { reply }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("origin", &self.origin).finish_non_exhaustive()
    }
}
